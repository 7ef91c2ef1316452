/* Datagrams are sent from sockets that were never connected, one by sendto and one by sendmmsg.
 * Prints, of each, the ports of its receiver and of its sender. */
#include "trick.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static struct sockaddr_in address = { .sin_family = AF_INET };
static socklen_t size = sizeof(address);

static void receiver(void)
{
	int socket_ = MUST(socket(AF_INET, SOCK_DGRAM, 0));

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = 0;
	MUST(bind(socket_, (void *)&address, size));
	MUST(getsockname(socket_, (void *)&address, &size));
}

static void print_ports(int sender)
{
	struct sockaddr_in own;

	MUST(getsockname(sender, (void *)&own, &size));
	printf("%d\n%d\n", ntohs(address.sin_port), ntohs(own.sin_port));
}

int main(void)
{
	struct iovec text = { "x", 1 };
	struct mmsghdr message = {
		.msg_hdr = { .msg_name = &address, .msg_namelen = size, .msg_iov = &text, .msg_iovlen = 1 }
	};
	int sender;

	receiver();
	sender = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(sendto(sender, "x", 1, 0, (void *)&address, size));
	print_ports(sender);
	receiver();
	sender = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	MUST(sendmmsg(sender, &message, 1, 0));
	print_ports(sender);
	return 0;
}
