/* A folder, a symbolic link and hard links, one of a file that had no name, are made through
 * io_uring; with `polled`, without a system call. What fails is asked for as well. */
#include "ring.h"

int main(int count, char **arguments)
{
	int polled = !strcmp(arguments[1], "polled");
	struct ring ring = ring_of(polled ? IORING_SETUP_SQPOLL : 0);
	int folder = MUST(open(arguments[2], O_RDONLY | O_DIRECTORY));
	int file = MUST(open(arguments[2], O_TMPFILE | O_WRONLY, 0600));
	char path[64];

	(void)count;
	done(&ring, MKDIRAT(folder, "below"));
	done(&ring, SYMLINKAT("../any/where", folder, "soft"));
	write_file(arguments[3], "", 0600);
	done(&ring, LINKAT(AT_FDCWD, arguments[3], folder, "hard", 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	done(&ring, LINKAT(AT_FDCWD, path, folder, "named", AT_SYMLINK_FOLLOW));
	submit(&ring, MKDIRAT(folder, "below"));
	return answer(&ring) == -EEXIST ? 0 : 1;
}
