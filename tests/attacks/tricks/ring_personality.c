/* Root registers its rights with a ring, gives them up, and deletes a file with them by a request that
 * names them. */
#include "ring.h"

int main(int count, char **arguments)
{
	struct ring ring = ring_of(0);
	struct io_uring_sqe request = UNLINKAT(AT_FDCWD, arguments[1], 0);

	(void)count;
	request.personality = MUST(syscall(SYS_io_uring_register, ring.descriptor,
					   IORING_REGISTER_PERSONALITY, NULL, 0));
	MUST(setresgid(65534, 65534, 65534));
	MUST(setresuid(65534, 65534, 65534));
	if (unlink(arguments[1]) == 0)
		return 1;
	done(&ring, request);
	return 0;
}
