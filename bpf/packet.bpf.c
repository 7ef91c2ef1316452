/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Packets at the root of the cgroups, where every socket's pass: the first datagrams to a peer, and
 * what is asked and answered by DNS. A packet is always let through.
 */
#include "repeat.bpf.h"
#include "task.bpf.h"

#define PASS 1
#define NETWORK_ORDER(port) __builtin_bswap16(port)
#define DNS_PORT NETWORK_ORDER(53)
#define DNS_HEADER 12

/* Datagrams that stand for an event already sent. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct peer_key);
	__type(value, struct repeat);
} peers SEC(".maps");

/* Who asked a DNS server last over a socket of UDP. */
struct {
	DATAGRAM_STORAGE;
	__type(value, struct event_header);
} askers SEC(".maps");

struct message {
	u64 held;
	struct event_dns event;
	u8 bytes[DNS_MAX];
};

enum way { WAY_OUT, WAY_IN, WAYS };

/* What comes in does so in interrupts of programs that may hold the buffer for what goes out. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WAYS);
	__type(key, u32);
	__type(value, struct message);
} messages SEC(".maps");

/*
 * The protocol above IP, with where its header begins. The names between in IPv6 are walked only
 * if there are any; a fragment has none of its own, and is never seen here.
 */
INLINE u8 protocol_of(struct __sk_buff *packet, u32 *at)
{
	u8 *data = (void *)(long)packet->data, *end = (void *)(long)packet->data_end;

	if (packet->protocol == NETWORK_ORDER(ETH_P_IP)) {
		if (data + 20 > end)
			return 0;
		*at = (data[0] & 15) * 4;
		return data[9];
	}
	if (packet->protocol != NETWORK_ORDER(ETH_P_IPV6) || data + 40 > end)
		return 0;
	*at = 40;
	return data[6];
}

INLINE u8 behind_options(struct __sk_buff *packet, u8 protocol, u32 *at)
{
	u8 option[2];

	for (int step = 0; step < 6; step++) {
		if (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING &&
		    protocol != IPPROTO_DSTOPTS)
			break;
		if (bpf_skb_load_bytes(packet, *at, option, sizeof(option)))
			return 0;
		protocol = option[0];
		*at += option[1] * 8 + 8;
	}
	return protocol;
}

/* The addresses are those on the wire, behind any translation. */
INLINE int read_packet(struct __sk_buff *packet, u32 at, u32 way,
		       struct event_connection *event)
{
	u16 ports[2];

	if (bpf_skb_load_bytes(packet, at, ports, sizeof(ports)))
		return 0;
	event->local_port = NETWORK_ORDER(ports[way == WAY_IN]);
	event->peer_port = NETWORK_ORDER(ports[way == WAY_OUT]);
	if (packet->protocol == NETWORK_ORDER(ETH_P_IP)) {
		event->family = AF_INET;
		bpf_skb_load_bytes(packet, way == WAY_IN ? 16 : 12, event->local, 4);
		bpf_skb_load_bytes(packet, way == WAY_IN ? 12 : 16, event->peer, 4);
	} else {
		event->family = AF_INET6;
		bpf_skb_load_bytes(packet, way == WAY_IN ? 24 : 8, event->local, 16);
		bpf_skb_load_bytes(packet, way == WAY_IN ? 8 : 24, event->peer, 16);
	}
	return 1;
}

/* A message of DNS in a packet. */
struct found {
	u32 ports; /* where the transport's header is */
	u32 at;    /* where the message is */
	u32 whole; /* bytes that it has, here and in packets to come */
	u16 way;
	u16 transport;
};

NOINLINE int send_dns(struct __sk_buff *packet, const struct event_header *who,
		      const struct found *found)
{
	u32 way = found->way, size = packet->len - found->at;
	struct message *message = bpf_map_lookup_elem(&messages, &way);
	struct event_dns *event;

	if (size > found->whole)
		size = found->whole;
	if (size < DNS_HEADER || is_shed(EVENT_DNS))
		return 0;
	if (!message || !take(&message->held)) {
		count_lost(EVENT_DNS);
		return 0;
	}
	if (size > DNS_MAX)
		size = DNS_MAX;
	event = &message->event;
	__builtin_memset(event, 0, sizeof(*event));
	stamp_as(&event->connection.header, who, EVENT_DNS);
	event->connection.header.flags = way == WAY_IN ? EVENT_ACCEPTED : 0;
	read_packet(packet, found->ports, way, &event->connection);
	event->transport = found->transport;
	event->size = size;
	event->whole = found->whole;
	BOUND(size);
	if (size >= DNS_HEADER && size <= DNS_MAX &&
	    bpf_skb_load_bytes(packet, found->at, message->bytes, size) == 0)
		submit_bulk(&event->connection.header, sizeof(*event) + size);
	give_back(&message->held);
	return 0;
}

/*
 * Over TCP each message comes behind its length. It is read where it begins: in the same segment as
 * its length, or in the next if that came alone. Its further segments are passed over.
 */
INLINE void read_stream(struct __sk_buff *packet, struct bpf_sock *socket, u32 at, enum way way)
{
	struct owner *owner = bpf_sk_storage_get(&owners, (void *)socket, 0, 0);
	struct found found = { .ports = at, .way = way, .transport = IPPROTO_TCP };
	struct stream *stream;
	u16 length = 0;
	u32 size;
	u8 words = 0;

	if (!owner || owner->listens || bpf_skb_load_bytes(packet, at + 12, &words, 1))
		return;
	found.at = at + (words >> 4) * 4;
	if (packet->len <= found.at)
		return;
	size = packet->len - found.at;
	stream = &owner->streams[way];
	if (stream->left) {
		stream->left = stream->left > size ? stream->left - size : 0;
		return;
	}
	if (stream->length) {
		found.whole = stream->length;
		stream->length = 0;
	} else {
		if (bpf_skb_load_bytes(packet, found.at, &length, sizeof(length)))
			return;
		found.whole = NETWORK_ORDER(length);
		found.at += sizeof(length);
		size -= sizeof(length);
		if (!size) {
			stream->length = found.whole;
			return;
		}
	}
	stream->left = found.whole > size ? found.whole - size : 0;
	send_dns(packet, &owner->who, &found);
}

INLINE void send_datagram(struct event_datagram *event)
{
	struct repeat *repeat = 0;
	int made = 0;
	u64 now = event->connection.header.time;

	if (peer_window)
		repeat = entry_of(&peers, &event->key, &made);
	if (repeat)
		event->connection.header.flags = EVENT_TRACKED;
	settle_entry(&peers, &event->key, repeat, made,
		     submit_bulk(&event->connection.header, sizeof(*event)), now);
}

/* The current task's: a datagram goes all the way in the call that sends it. */
INLINE void read_datagram(struct __sk_buff *packet, struct bpf_sock *socket, u32 at)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct event_datagram event = {};
	struct found found = { .ports = at, .at = at + 8, .way = WAY_OUT };
	struct event_header *asker;

	if (is_muted(LOAD(task->tgid)) || !read_packet(packet, at, WAY_OUT, &event.connection))
		return;
	event.key.start = LOAD(LOAD(task->group_leader)->start_boottime);
	__builtin_memcpy(event.key.peer, event.connection.peer, sizeof(event.key.peer));
	event.key.pid = LOAD(task->tgid);
	event.key.euid = LOAD(LOAD(task->cred)->euid.val);
	event.key.program = LOAD(task->self_exec_id);
	event.key.port = event.connection.peer_port;
	event.key.family = event.connection.family;
	if (dns_wanted && (event.key.port == 53 || socket->dst_port == DNS_PORT)) {
		asker = bpf_sk_storage_get(&askers, (void *)socket, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (asker) {
			stamp(asker, EVENT_DNS);
			found.whole = packet->len - found.at;
			found.transport = IPPROTO_UDP;
			send_dns(packet, asker, &found);
		} else {
			count_lost(EVENT_DNS);
		}
	}
	if (peer_window && is_repeat(&peers, EVENT_DATAGRAM, &event.key, peer_window))
		return;
	if (is_shed(EVENT_DATAGRAM))
		return;
	stamp(&event.connection.header, EVENT_DATAGRAM);
	send_datagram(&event);
}

SEC("cgroup_skb/egress")
int on_packet_out(struct __sk_buff *packet)
{
	struct bpf_sock *socket = packet->sk;
	u32 at = 0;
	u8 protocol = protocol_of(packet, &at);

	if (!socket)
		return PASS;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		protocol = behind_options(packet, protocol, &at);
	if (protocol == IPPROTO_TCP) {
		if (dns_wanted && socket->dst_port == DNS_PORT) {
			socket = bpf_sk_fullsock(socket);
			if (socket)
				read_stream(packet, socket, at, WAY_OUT);
		}
		return PASS;
	}
	if (protocol != IPPROTO_UDP)
		return PASS;
	socket = bpf_sk_fullsock(socket);
	if (socket)
		read_datagram(packet, socket, at);
	return PASS;
}

/* Answers, to who asked. */
SEC("cgroup_skb/ingress")
int on_packet_in(struct __sk_buff *packet)
{
	struct found found = { .way = WAY_IN, .transport = IPPROTO_UDP };
	struct bpf_sock *socket = packet->sk;
	struct event_header *asker;
	u16 port = 0;
	u32 at = 0;
	u8 protocol = protocol_of(packet, &at);

	if (!socket)
		return PASS;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		protocol = behind_options(packet, protocol, &at);
	if (protocol == IPPROTO_TCP) {
		if (socket->dst_port == DNS_PORT) {
			socket = bpf_sk_fullsock(socket);
			if (socket)
				read_stream(packet, socket, at, WAY_IN);
		}
		return PASS;
	}
	if (protocol != IPPROTO_UDP ||
	    bpf_skb_load_bytes(packet, at, &port, sizeof(port)))
		return PASS;
	if (port != DNS_PORT && socket->dst_port != DNS_PORT)
		return PASS;
	socket = bpf_sk_fullsock(socket);
	if (!socket)
		return PASS;
	asker = bpf_sk_storage_get(&askers, (void *)socket, 0, 0);
	if (!asker)
		return PASS;
	found.ports = at;
	found.at = at + 8;
	found.whole = packet->len - found.at;
	send_dns(packet, asker, &found);
	return PASS;
}
