/* A TCP connection is opened by sending (MSG_FASTOPEN); connect is never called. Prints the ports of
 * the listener and of the client. */
#include "trick.h"

#include <arpa/inet.h>
#include <sys/socket.h>

int main(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET }, own;
	socklen_t size = sizeof(address);
	int listener = MUST(socket(AF_INET, SOCK_STREAM, 0));
	int client = MUST(socket(AF_INET, SOCK_STREAM, 0));

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(listener, (void *)&address, size));
	MUST(listen(listener, 1));
	MUST(getsockname(listener, (void *)&address, &size));
	if (sendto(client, "x", 1, MSG_FASTOPEN, (void *)&address, size) < 0)
		cannot("TCP Fast Open");
	MUST(accept(listener, NULL, NULL));
	MUST(getsockname(client, (void *)&own, &size));
	printf("%d\n%d\n", ntohs(address.sin_port), ntohs(own.sin_port));
	return 0;
}
