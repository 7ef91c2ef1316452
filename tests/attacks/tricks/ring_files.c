/* A file is made, renamed and deleted and another one made through io_uring, from which no system call returns; with
 * `polled`, a thread of the kernel takes the requests and no system call is made at all. What fails
 * and what only reads is asked for as well. */
#include "ring.h"

int main(int count, char **arguments)
{
	int polled = !strcmp(arguments[1], "polled");
	struct ring ring = ring_of(polled ? IORING_SETUP_SQPOLL : 0);
	int folder = MUST(open(arguments[2], O_RDONLY | O_DIRECTORY));
	char path[4096];

	(void)count;
	done(&ring, OPENAT(folder, "made", O_CREAT | O_WRONLY));
	done(&ring, OPENAT(folder, "made", O_RDONLY));
	done(&ring, RENAMEAT(folder, "made", "named"));
	snprintf(path, sizeof(path), "%s/named", arguments[2]);
	done(&ring, UNLINKAT(AT_FDCWD, path, 0));
	done(&ring, OPENAT(folder, "kept", O_CREAT | O_WRONLY));
	MUST(mkdirat(folder, "below", 0700));
	done(&ring, UNLINKAT(folder, "below", AT_REMOVEDIR));
	submit(&ring, UNLINKAT(folder, "absent", 0));
	return answer(&ring) == -ENOENT ? 0 : 1;
}
