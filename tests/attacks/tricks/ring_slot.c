/* A file is opened into a slot of the ring: no descriptor leads to it. */
#include "ring.h"

int main(int count, char **arguments)
{
	struct ring ring = ring_of(0);
	struct io_uring_sqe request = OPENAT(AT_FDCWD, arguments[1], O_CREAT | O_EXCL | O_WRONLY);
	int none[] = { -1, -1 };

	(void)count;
	MUST(syscall(SYS_io_uring_register, ring.descriptor, IORING_REGISTER_FILES, none, 2));
	request.file_index = 1;
	done(&ring, request);
	return 0;
}
