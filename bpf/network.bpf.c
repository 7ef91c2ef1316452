/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* TCP: who connects, listens and accepts, and what became of it. */
#include "call.bpf.h"
#include "repeat.bpf.h"
#include "spare.bpf.h"

/* How far one direction of a connection to a DNS server has been read. */
struct stream {
	u32 left;   /* bytes still to come of the message before */
	u32 length; /* of the message to come, if that came alone */
};

/* What is known of a TCP socket. */
struct owner {
	struct event_header who; /* who connects, or listens */
	u64 program;             /* counts the execs of that process */
	u64 since;               /* established, CLOCK_BOOTTIME; 0: not yet */
	u64 listens;             /* of a connection: its listener's, unless who accepted it is known */
	struct stream streams[2];
};

/*
 * Kept in the socket itself, so that nobody's connections can push out another's. The states change
 * in interrupts, in anyone's name. A connection that comes in starts with a copy of its listener's.
 */
struct {
	SOCKET_STORAGE;
	__type(value, struct owner);
} owners SEC(".maps");

/*
 * Who accepted a connection, by the address of its socket: a tracepoint of a system call cannot
 * reach what is kept in the socket. Entries are removed when a socket closes, and before its
 * address comes to mean another connection.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct event_header);
} acceptors SEC(".maps");

INLINE void read_ends(struct event_connection *event, struct sock *sock)
{
	struct sock_common *common = &sock->__sk_common;
	u16 local_port = 0, peer_port = 0;

	READ(event->family, common->skc_family);
	/* skc_num is gone already when a socket closes. */
	READ(local_port, ((struct inet_sock *)sock)->inet_sport);
	READ(peer_port, common->skc_dport);
	event->local_port = __builtin_bswap16(local_port);
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
	struct event_connection event = {};

	stamp_as(&event.header, who, EVENT_CONNECTION);
	read_ends(&event, sock);
	submit_bulk(&event.header, sizeof(event));
}

/*
 * Whose repeats are counted: at the address that it is about, and with the same end. From which port
 * of its own a connect failed makes no other act of it.
 */
INLINE void send_attempt(struct event_attempt *event, const u8 *address, u16 port, u64 program)
{
	struct event_connection *connection = &event->connection;
	struct event_header *header = &connection->header;
	struct repeat_key *key = &event->key;

	key->start = header->start;
	key->pid = header->pid;
	key->euid = header->euid;
	key->program = program;
	key->filesystem = connection->family;
	__builtin_memcpy(&key->inode, address, sizeof(key->inode));
	__builtin_memcpy(&key->path, address + sizeof(key->inode), sizeof(key->path));
	key->device = port;
	key->generation = header->kind << 16 | connection->error;
	submit_counted(header, key, sizeof(*event), 0);
}

/* With these a connect may fail before anything is sent: no way there, or a policy against it. */
INLINE int may_be_unsent(u32 error)
{
	switch (error) {
	case EPERM:
	case EACCES:
	case ENODEV:
	case EINVAL: /* a way into nothing */
	case EADDRNOTAVAIL:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTUNREACH:
		return 1;
	}
	return 0;
}

struct failure {
	u8 peer[16];
	u32 pid;
	u16 port;
	u16 error;
};

/*
 * Connects that were told to have failed with one of these, or for an unknown reason, by the address of
 * the socket: the call that returns it, which may be a later one, does not tell it once more.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct failure);
} failures SEC(".maps");

/* Whether what a call returns was told by the state; that may not have known why. */
INLINE int is_told(const struct event_connection *connection, const struct failure *told)
{
	const u64 *peer = (const void *)connection->peer, *other = (const void *)told->peer;

	return peer[0] == other[0] && peer[1] == other[1] && connection->peer_port == told->port &&
	       connection->header.pid == told->pid &&
	       (connection->error == told->error || !told->error);
}

INLINE void send_failed(struct sock *sock, const struct owner *owner)
{
	struct event_attempt event = {};
	struct event_connection *connection = &event.connection;
	struct failure failure = {};
	u64 address = (u64)sock;
	int error = 0;

	stamp_as(&connection->header, &owner->who, EVENT_CONNECT_FAILURE);
	read_ends(connection, sock);
	READ(error, sock->sk_err);
	connection->error = error;
	if (!error || may_be_unsent(error)) {
		__builtin_memcpy(failure.peer, connection->peer, sizeof(failure.peer));
		failure.pid = connection->header.pid;
		failure.port = connection->peer_port;
		failure.error = error;
		bpf_map_update_elem(&failures, &address, &failure, BPF_ANY);
	}
	send_attempt(&event, connection->peer, connection->peer_port, owner->program);
}

INLINE void send_ended(struct sock *sock, const struct event_header *who, u64 since, u16 accepted)
{
	struct event_disconnection event = {};
	struct tcp_sock *tcp = (void *)sock;
	u64 again = 0;
	unsigned long flags = 0;

	stamp_as(&event.connection.header, who, EVENT_DISCONNECTION);
	event.connection.header.flags = accepted;
	read_ends(&event.connection, sock);
	event.duration = event.connection.header.time - since;
	READ(event.sent, tcp->bytes_sent);
	READ(again, tcp->bytes_retrans);
	READ(event.received, tcp->bytes_received);
	READ(flags, sock->__sk_common.skc_flags);
	event.sent -= again;
	/* The peer's FIN is counted like a byte. */
	event.received -= flags >> SOCK_DONE & 1;
	submit_bulk(&event.connection.header, sizeof(event));
}

/*
 * Three programs on one tracepoint: the kernel skips a program that an interrupt would enter a second
 * time on the same CPU, so those for interrupts must be nearly empty where a process passes.
 */
SPARED("tp_btf/inet_sock_set_state", on_connect, EVENT_CONNECTION)
{
	struct sock *sock = (void *)context[0];
	u64 address = context[0];
	int from = (int)context[1], to = (int)context[2];
	struct owner *owner;

	if (from != TCP_CLOSE || (to != TCP_SYN_SENT && to != TCP_LISTEN))
		return 0;
	if (sock->sk_protocol != IPPROTO_TCP || current_is_muted())
		return 0;
	bpf_map_delete_elem(&failures, &address);
	owner = bpf_sk_storage_get(&owners, sock, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (owner) {
		__builtin_memset(owner, 0, sizeof(*owner));
		stamp(&owner->who, EVENT_CONNECTION);
		owner->program = LOAD(bpf_get_current_task_btf()->self_exec_id);
		owner->listens = to == TCP_LISTEN;
	} else {
		count_lost(to == TCP_LISTEN ? EVENT_DISCONNECTION : EVENT_CONNECTION);
	}
	return 0;
}

/* From SYN_RECV too: both ends may have sent a SYN, by chance or to avoid being seen. */
SPARED("tp_btf/inet_sock_set_state", on_established, EVENT_CONNECTION)
{
	struct sock *sock = (void *)context[0];
	u64 address = context[0];
	int from = (int)context[1], to = (int)context[2];
	struct owner *owner;

	if (to != TCP_ESTABLISHED || (from != TCP_SYN_SENT && from != TCP_SYN_RECV))
		return 0;
	if (from == TCP_SYN_RECV)
		bpf_map_delete_elem(&acceptors, &address);
	owner = bpf_sk_storage_get(&owners, sock, 0, 0);
	if (!owner)
		return 0;
	owner->since = bpf_ktime_get_boot_ns();
	if (!owner->listens)
		send_connected(sock, &owner->who);
	return 0;
}

INLINE void closed(struct sock *sock, const struct owner *owner, u64 address)
{
	const struct event_header *acceptor;

	if (owner && !owner->listens) {
		if (owner->since)
			send_ended(sock, &owner->who, owner->since, 0);
		else
			send_failed(sock, owner);
		return;
	}
	acceptor = bpf_map_lookup_elem(&acceptors, &address);
	if (acceptor)
		send_ended(sock, acceptor, acceptor->time, EVENT_ACCEPTED);
	else if (owner && owner->since)
		send_ended(sock, &owner->who, owner->since, EVENT_ACCEPTED);
}

/*
 * Every connection's socket comes to CLOSE, where what is left to wait for goes on without it. One
 * that nobody is known to have accepted is its listener's: it waited in vain, or was accepted in a
 * way that is not watched.
 */
SPARED("tp_btf/inet_sock_set_state", on_close, EVENT_DISCONNECTION)
{
	struct sock *sock = (void *)context[0];
	u64 address = context[0];
	int to = (int)context[2];

	if (to != TCP_CLOSE || sock->sk_protocol != IPPROTO_TCP)
		return 0;
	if ((int)context[1] != TCP_LISTEN)
		closed(sock, bpf_sk_storage_get(&owners, sock, 0, 0), address);
	bpf_sk_storage_delete(&owners, sock);
	bpf_map_delete_elem(&acceptors, &address);
	return 0;
}

/* The TCP socket behind a descriptor that is one of a socket, NULL if it is of another protocol. */
INLINE struct sock *tcp_socket_of(s64 fd)
{
	struct file *file = file_of(fd);
	struct socket *socket = 0;
	struct sock *sock = 0;
	u16 family = 0, protocol = 0;

	READ(socket, file->private_data);
	READ(sock, socket->sk);
	READ(family, sock->__sk_common.skc_family);
	READ(protocol, sock->sk_protocol);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	return protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP ? sock : 0;
}

/* What a caller gives as the address of a peer: sockaddr_in6, or the shorter sockaddr_in. */
struct given_peer {
	u16 family;
	u16 port;      /* network order */
	u8 address[4]; /* of IPv6 another number */
	u8 address_v6[16];
};

/*
 * Its state has told nothing of it. The peer is what the caller has in its memory, which another
 * thread may have changed meanwhile.
 */
NOINLINE int send_unsent(s32 fd, const void *peer, u32 error)
{
	struct event_attempt event = {};
	struct event_connection *connection = &event.connection;
	struct sock *sock = tcp_socket_of(fd);
	struct given_peer given = {};
	u64 address = (u64)sock;
	struct failure *told;
	u16 protocol = 0;

	if (!sock)
		return 0;
	/* Of a multipath one, another socket was connected. */
	READ(protocol, sock->sk_protocol);
	if (protocol != IPPROTO_TCP)
		return 0;
	stamp(&connection->header, EVENT_CONNECT_FAILURE);
	read_ends(connection, sock);
	if (bpf_probe_read_user(&given, connection->family == AF_INET ? 8 : sizeof(given), peer) ||
	    given.family != connection->family)
		return 0;
	if (given.family == AF_INET)
		__builtin_memcpy(connection->peer, given.address, sizeof(given.address));
	else
		__builtin_memcpy(connection->peer, given.address_v6, sizeof(given.address_v6));
	connection->peer_port = __builtin_bswap16(given.port);
	connection->error = error;
	told = bpf_map_lookup_elem(&failures, &address);
	if (told && is_told(connection, told)) {
		bpf_map_delete_elem(&failures, &address);
		return 0;
	}
	send_attempt(&event, connection->peer, connection->peer_port,
		     LOAD(bpf_get_current_task_btf()->self_exec_id));
	return 0;
}

INLINE int connected(const struct call *call)
{
	u32 error = -call->ret;

	if (!may_be_unsent(error) || current_is_muted())
		return 0;
	return send_unsent(argument(call, 0), (void *)argument(call, 1), error);
}

/* Named for what it sees: the connect itself is seen by its socket. */
SEC("tracepoint/syscalls/sys_exit_connect")
int on_unsent(struct syscall_exit *returned)
{
	struct call call = { .ret = returned->ret, .number = returned->nr };

	return connected(&call);
}

RETURNS_IA32(__ia32_sys_connect, CALL_CONNECT, connected)

INLINE int accepted(const struct call *call)
{
	struct event_connection event = {};
	struct sock *sock;
	u8 state = TCP_CLOSE;
	u64 address;

	if (call->ret < 0 || current_is_muted())
		return 0;
	sock = tcp_socket_of(call->ret);
	if (!sock)
		return 0;
	stamp(&event.header, EVENT_CONNECTION);
	event.header.flags = EVENT_ACCEPTED;
	read_ends(&event, sock);
	submit_bulk(&event.header, sizeof(event));
	address = (u64)sock;
	READ(state, sock->__sk_common.skc_state);
	if (state != TCP_CLOSE)
		bpf_map_update_elem(&acceptors, &address, &event.header, BPF_ANY);
	return 0;
}

RETURNS(accept, accepted)
RETURNS(accept4, accepted)
RETURNS_IA32(__ia32_sys_accept4, CALL_ACCEPT4, accepted)

NOINLINE int send_listen(s32 fd)
{
	struct event_attempt event = {};
	struct event_connection *connection = &event.connection;
	struct sock *sock = tcp_socket_of(fd);

	if (!sock || current_is_muted())
		return 0;
	stamp(&connection->header, EVENT_LISTEN);
	read_ends(connection, sock);
	send_attempt(&event, connection->local, connection->local_port,
		     LOAD(bpf_get_current_task_btf()->self_exec_id));
	return 0;
}

INLINE int listens(const struct call *call)
{
	return call->ret == 0 ? send_listen(argument(call, 0)) : 0;
}

RETURNS(listen, listens)
RETURNS_IA32(__ia32_sys_listen, CALL_LISTEN, listens)

/*
 * The one call for sockets that 32-bit programs have had. What it is to do is in a register, and
 * with what in the caller's memory, which another thread may have changed meanwhile.
 */
INLINE int called_for_sockets(const struct call *call)
{
	u32 error = -call->ret, given[2] = {};
	s32 fd = -1;

	switch ((u32)argument(call, 0)) {
	case SYS_CONNECT:
		if (!may_be_unsent(error) || current_is_muted() ||
		    bpf_probe_read_user(given, sizeof(given), (void *)argument(call, 1)))
			return 0;
		return send_unsent(given[0], (void *)(u64)given[1], error);
	case SYS_ACCEPT:
	case SYS_ACCEPT4:
		return accepted(call);
	case SYS_LISTEN:
		if (call->ret != 0)
			return 0;
		bpf_probe_read_user(&fd, sizeof(fd), (void *)argument(call, 1));
		return send_listen(fd);
	}
	return 0;
}

RETURNS_IA32(__ia32_compat_sys_socketcall, 0, called_for_sockets)
