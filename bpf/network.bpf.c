/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TCP connections, made and accepted. */
#include "task.bpf.h"

/* Who started to connect a socket: the handshake may end in an interrupt, in anyone's name. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct event_header);
} connecting SEC(".maps");

INLINE void read_ends(struct event_connection *event, struct sock *sock)
{
	struct sock_common *common = &sock->__sk_common;
	u16 peer_port = 0;

	READ(event->family, common->skc_family);
	READ(event->local_port, common->skc_num);
	READ(peer_port, common->skc_dport);
	event->peer_port = __builtin_bswap16(peer_port);
	if (event->family == AF_INET) {
		bpf_probe_read_kernel(event->local, 4, &common->skc_rcv_saddr);
		bpf_probe_read_kernel(event->peer, 4, &common->skc_daddr);
	} else {
		READ(event->local, common->skc_v6_rcv_saddr);
		READ(event->peer, common->skc_v6_daddr);
	}
}

INLINE void send_connected(struct sock *sock, const struct event_header *who)
{
	struct event_connection event = { .header = *who };

	event.header.time = bpf_ktime_get_boot_ns();
	event.header.cpu = bpf_get_smp_processor_id();
	read_ends(&event, sock);
	submit_bulk(&event.header, sizeof(event));
}

SEC("tp_btf/inet_sock_set_state")
int on_state(u64 *context)
{
	struct sock *sock = (void *)context[0];
	int from = (int)context[1], to = (int)context[2];
	struct event_header who, *started;
	u64 key = (u64)sock;

	if (sock->sk_protocol != IPPROTO_TCP)
		return 0;
	if (from == TCP_CLOSE && to == TCP_SYN_SENT) {
		if (current_is_muted())
			return 0;
		stamp(&who, EVENT_CONNECTION);
		bpf_map_update_elem(&connecting, &key, &who, BPF_ANY);
		return 0;
	}
	if (from != TCP_SYN_SENT)
		return 0;
	started = bpf_map_lookup_elem(&connecting, &key);
	if (!started)
		return 0;
	if (to == TCP_ESTABLISHED)
		send_connected(sock, started);
	bpf_map_delete_elem(&connecting, &key);
	return 0;
}

INLINE int accepted(struct syscall_exit *call)
{
	struct event_connection event = {};
	struct socket *socket = 0;
	struct sock *sock = 0;
	struct file *file;
	u16 family = 0, protocol = 0;

	if (call->ret < 0 || current_is_muted())
		return 0;
	file = file_of(call->ret);
	/* accept(2) returns nothing but sockets. */
	READ(socket, file->private_data);
	READ(sock, socket->sk);
	READ(family, sock->__sk_common.skc_family);
	READ(protocol, sock->sk_protocol);
	if ((family != AF_INET && family != AF_INET6) || protocol != IPPROTO_TCP)
		return 0;
	stamp(&event.header, EVENT_CONNECTION);
	event.header.flags = EVENT_ACCEPTED;
	read_ends(&event, sock);
	submit_bulk(&event.header, sizeof(event));
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int on_accept(struct syscall_exit *call)
{
	return accepted(call);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int on_accept4(struct syscall_exit *call)
{
	return accepted(call);
}
