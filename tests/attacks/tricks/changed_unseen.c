/* What is done to a file through a descriptor, besides opening it: cut, punched, marked, and given
 * an attribute through io_uring. */
#include "ring.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

int main(int count, char **arguments)
{
	int file = MUST(open(arguments[1], O_CREAT | O_RDWR, 0600)), marks = 0;
	struct ring ring = ring_of(0);

	(void)count;
	MUST(write(file, "content", 7));
	MUST(ftruncate(file, 3));
	/* Not every file system can. */
	fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1);
	if (!ioctl(file, FS_IOC_GETFLAGS, &marks)) {
		marks |= FS_NODUMP_FL;
		ioctl(file, FS_IOC_SETFLAGS, &marks);
	}
	done(&ring, FSETXATTR(file, "trusted.trick", "x", 1));
	return 0;
}
