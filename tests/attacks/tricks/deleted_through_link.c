/* A file is deleted by a name that leads through a symbolic link to a folder. */
#include "trick.h"

int main(int count, char **arguments)
{
	(void)count;
	MUST(chdir(arguments[1]));
	MUST(symlink("folder", "link"));
	MUST(unlink("link/file"));
	return 0;
}
