/* Processes that live for less than a millisecond and are gone before anyone can look. */
#include "trick.h"

int main(void)
{
	for (int number = 0; number < 200; number++) {
		pid_t child = fork();

		if (child == 0)
			_exit(number % 100);
		MUST(child);
		MUST(waitpid(child, NULL, 0));
		printf("%d\n", child);
	}
	return 0;
}
