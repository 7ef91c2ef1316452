/* Success is to be passed over in silence (IOSQE_CQE_SKIP_SUCCESS): no answer is ever seen. */
#include "ring.h"

int main(int count, char **arguments)
{
	struct ring ring = ring_of(0);
	struct io_uring_sqe request = UNLINKAT(AT_FDCWD, arguments[1], 0);
	struct stat gone;

	(void)count;
	request.flags = IOSQE_CQE_SKIP_SUCCESS;
	submit(&ring, request);
	while (stat(arguments[1], &gone) == 0)
		usleep(1000);
	return 0;
}
