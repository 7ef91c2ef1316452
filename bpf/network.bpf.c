/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TCP connections, made and accepted. */
#include "task.bpf.h"

/*
 * Who started to connect a socket: the handshake may end in an interrupt, in anyone's name. Kept in
 * the socket itself, so that nobody's connections can push out another's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
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
	} else if (EXISTS(common->skc_v6_daddr)) {
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

/*
 * Two programs on one tracepoint: the kernel skips a program that an interrupt would enter a second
 * time on the same CPU, so the one for interrupts must be nearly empty where a process passes.
 */
SEC("tp_btf/inet_sock_set_state")
int on_connect(u64 *context)
{
	struct sock *sock = (void *)context[0];
	int from = (int)context[1], to = (int)context[2];
	struct event_header *who;

	if (from != TCP_CLOSE || to != TCP_SYN_SENT)
		return 0;
	if (sock->sk_protocol != IPPROTO_TCP || current_is_muted())
		return 0;
	who = bpf_sk_storage_get(&connecting, sock, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (who)
		stamp(who, EVENT_CONNECTION);
	else
		count_lost(EVENT_CONNECTION);
	return 0;
}

/* From SYN_RECV too: both ends may have sent a SYN, by chance or to avoid being seen. */
SEC("tp_btf/inet_sock_set_state")
int on_established(u64 *context)
{
	struct sock *sock = (void *)context[0];
	int from = (int)context[1], to = (int)context[2];
	struct event_header *who;

	if (to != TCP_ESTABLISHED || (from != TCP_SYN_SENT && from != TCP_SYN_RECV))
		return 0;
	who = bpf_sk_storage_get(&connecting, sock, 0, 0);
	if (!who)
		return 0;
	send_connected(sock, who);
	bpf_sk_storage_delete(&connecting, sock);
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
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
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
