/* A child of vfork borrows its parent's memory until it executes. */
#include "trick.h"

int main(int count, char **arguments)
{
	pid_t child = vfork();

	(void)count;
	if (child == 0) {
		execl("/bin/true", "true", arguments[1], NULL);
		_exit(1);
	}
	MUST(child);
	MUST(waitpid(child, NULL, 0));
	printf("%d\n", child);
	return 0;
}
