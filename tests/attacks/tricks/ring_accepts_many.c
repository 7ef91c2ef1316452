/* One request of io_uring accepts every connection that comes. Prints the ports of the listener and of
 * the client. */
#include "ring.h"

#include <arpa/inet.h>
#include <sys/socket.h>

int main(void)
{
	struct ring ring = ring_of(0);
	struct sockaddr_in address = { .sin_family = AF_INET }, own;
	socklen_t size = sizeof(address);
	int listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
	int client = MUST(socket(AF_INET, SOCK_STREAM, 0)), accepted;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(listener, (void *)&address, size));
	MUST(listen(listener, 1));
	MUST(getsockname(listener, (void *)&address, &size));
	submit(&ring, (struct io_uring_sqe){ .opcode = IORING_OP_ACCEPT, .fd = listener,
					     .ioprio = IORING_ACCEPT_MULTISHOT });
	MUST(connect(client, (void *)&address, size));
	accepted = answer(&ring);
	if (accepted < 0) {
		errno = -accepted;
		cannot("to accept many");
	}
	MUST(getsockname(client, (void *)&own, &size));
	printf("%d\n%d\n", ntohs(address.sin_port), ntohs(own.sin_port));
	return 0;
}
