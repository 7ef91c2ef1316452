/* A datagram that a program has built itself, headers and all, goes to the device by a packet
 * socket, past the kernel's IP. */
#include "trick.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>

enum { DISCARD = 9 };

struct frame {
	struct iphdr ip;
	struct udphdr udp;
	char text;
} __attribute__((packed));

static uint16_t checksum(const void *header, size_t size)
{
	const uint16_t *words = header;
	uint32_t sum = 0;

	for (size_t at = 0; at < size / 2; at++)
		sum += words[at];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

int main(void)
{
	struct sockaddr_ll device = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	int sender = socket(AF_PACKET, SOCK_DGRAM, 0);
	struct frame frame = { .text = 'x' };

	if (sender < 0)
		cannot("packet sockets");
	frame.ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	frame.ip.tot_len = htons(sizeof(frame));
	frame.ip.saddr = frame.ip.daddr = htonl(INADDR_LOOPBACK);
	frame.ip.check = checksum(&frame.ip, sizeof(frame.ip));
	frame.udp.source = frame.udp.dest = htons(DISCARD);
	frame.udp.len = htons(sizeof(frame) - sizeof(frame.ip));
	device.sll_ifindex = MUST(if_nametoindex("lo"));
	if (sendto(sender, &frame, sizeof(frame), 0, (void *)&device, sizeof(device)) < 0)
		cannot("a frame on the loopback");
	return 0;
}
