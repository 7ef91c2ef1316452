/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel's types of sockets, as far as they are read, and what programs on packets see. */
#ifndef KERNEL_NETWORK_H
#define KERNEL_NETWORK_H

#include "kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	u8 bytes[16]; /* only copied whole: the name of the field differs */
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	unsigned long skc_flags;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
	int sk_err;
};

struct inet_sock {
	u16 inet_sport;
};

struct tcp_sock {
	u64 bytes_sent, bytes_retrans, bytes_received;
};

struct socket {
	struct sock *sk;
};

#pragma clang attribute pop

/* What a program on packets is given, and what it sees of a socket: ABI (include/uapi/linux/bpf.h). */
struct bpf_sock {
	u32 bound_dev_if, family, type, protocol, mark, priority;
	u32 src_ip4, src_ip6[4], src_port;
	u16 dst_port; /* network order */
};

struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan[3], priority;
	u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid;
	u32 data, data_end, napi_id, family, remote_ip4, local_ip4;
	u32 remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
	u64 flow_keys, tstamp;
	u32 wire_len, gso_segs;
	struct bpf_sock *sk;
};

/* Values of macros. */
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define AF_INET 2
#define AF_INET6 10
#define SYS_CONNECT 3 /* of socketcall(2) */
#define SYS_LISTEN 4
#define SYS_ACCEPT 5
#define SYS_ACCEPT4 18
#define IPPROTO_HOPOPTS 0
#define IPPROTO_TCP 6
#define ENODEV 19
#define EINVAL 22
#define EADDRNOTAVAIL 99
#define ENETDOWN 100
#define ENETUNREACH 101
#define EHOSTUNREACH 113
#define IPPROTO_UDP 17
#define IPPROTO_ROUTING 43
#define IPPROTO_DSTOPTS 60
#define IPPROTO_MPTCP 262
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define SOCK_DONE 1 /* the number of a bit */

#endif
