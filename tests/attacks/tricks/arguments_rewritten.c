/* Another thread rewrites an argument while exec copies it: what a sensor reads when the call begins
 * is not what the program is given. */
#include "trick.h"

static char argument[] = "honest";

static void *rewrite(void *nothing)
{
	for (;;) {
		memcpy(argument, "forged", 6);
		memcpy(argument, "honest", 6);
	}
	return nothing;
}

int main(int count, char **arguments)
{
	(void)count;
	start(rewrite, NULL);
	execl("/bin/echo", "echo", argument, arguments[1], NULL);
	return 1;
}
