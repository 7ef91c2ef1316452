/* A program is executed in a copy of a tree that is mounted nowhere: from its root, the name of the
 * program is that of another. */
#include "trick.h"

#define CLONE_OF_TREE 1

extern char **environ;

int main(int count, char **arguments)
{
	int tree = syscall(SYS_open_tree, AT_FDCWD, arguments[1], CLONE_OF_TREE);
	char *given[] = { "echo", arguments[3], NULL };

	(void)count;
	if (tree == -1)
		cannot("a copy of a tree");
	syscall(SYS_execveat, tree, arguments[2], given, environ, 0);
	return 1;
}
