/* A program is executed after its file was deleted. */
#include "trick.h"

extern char **environ;

int main(int count, char **arguments)
{
	int program = MUST(open(arguments[1], O_RDONLY | O_CLOEXEC));
	char *given[] = { "echo", arguments[2], NULL };

	(void)count;
	MUST(unlink(arguments[1]));
	fexecve(program, given, environ);
	return 1;
}
