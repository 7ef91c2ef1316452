/* A file is written to while it has no name (O_TMPFILE), and gets one when it is complete: through
 * its descriptor's name in /proc, and by the descriptor itself. */
#include "trick.h"

int main(int count, char **arguments)
{
	int folder = MUST(open(arguments[1], O_RDONLY | O_DIRECTORY));
	int file = open(arguments[1], O_TMPFILE | O_WRONLY, 0600);
	char path[64];

	(void)count;
	if (file < 0)
		cannot("files without a name here");
	MUST(write(file, "content", 7));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	MUST(linkat(AT_FDCWD, path, folder, "named", AT_SYMLINK_FOLLOW));
	MUST(linkat(file, "", folder, "again", AT_EMPTY_PATH));
	return 0;
}
