/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One object of all the programs; what each means is in its own file. */
#include "process.bpf.c"
#include "change.bpf.c"
#include "changed.bpf.c"
#include "make.bpf.c"
#include "file.bpf.c"
#include "object.bpf.c"
#include "refused.bpf.c"
#include "mount.bpf.c"
#include "network.bpf.c"
#include "packet.bpf.c"
#include "uring.bpf.c"
#include "identity.bpf.c"
#include "system.bpf.c"

/*
 * Read by nobody: it brings the wire format into the object's BTF, where the test looks that
 * compares it with the reader's structs.
 */
const volatile union {
	struct event_clock clock;
	struct event_audit audit;
	struct event_fork fork;
	struct event_exec exec;
	struct event_exit exit;
	struct event_open open;
	struct event_repeatable repeatable;
	struct event_memory_file memory_file;
	struct event_delete delete;
	struct event_rename rename;
	struct event_connection connection;
	struct event_attempt attempt;
	struct event_disconnection disconnection;
	struct event_datagram datagram;
	struct event_dns dns;
	struct event_request request;
	struct event_answer answer;
	struct event_change change;
	struct event_link link;
	struct event_symlink symlink;
	struct event_mount mount;
	struct event_refused refused;
	struct event_exec_failed exec_failed;
	struct event_identity identity;
	struct event_capabilities capabilities;
	struct event_namespace namespace;
	struct event_injection injection;
	struct event_signal signal;
	struct event_module module;
	struct event_bpf bpf;
} wire_format = {};

#ifndef OLD_KERNELS
_Static_assert(__COUNTER__ <= SPARES_MAX, "each program that has a spare has a number");
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
