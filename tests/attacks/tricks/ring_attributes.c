/* Extended attributes are set through io_uring, by name and by descriptor. */
#include "ring.h"

int main(int count, char **arguments)
{
	struct ring ring = ring_of(0);
	int file = MUST(open(arguments[2], O_RDONLY | O_CREAT, 0600));

	(void)count;
	close(MUST(open(arguments[1], O_RDONLY | O_CREAT, 0600)));
	done(&ring, SETXATTR(arguments[1], "trusted.test", "v", 1));
	done(&ring, FSETXATTR(file, "trusted.test", "v", 1));
	return 0;
}
