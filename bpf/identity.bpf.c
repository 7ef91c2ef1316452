/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a process may do and what it sees: users, groups, capabilities, namespaces. */
#include "call.bpf.h"
#include "limited.bpf.h"
#include "namespace.bpf.h"
#include "standing.bpf.h"

INLINE int differ(const void *one, const void *other, u32 words)
{
	const u64 *left = one, *right = other;
	u64 difference = 0;

#pragma unroll
	for (u32 at = 0; at < words; at++)
		difference |= left[at] ^ right[at];
	return difference != 0;
}

/* setfsuid and setfsgid return what was before, the others 0. */
INLINE int identity_changed(const struct call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct standing now = {}, *known;
	struct event_identity *event;
	struct scratch *scratch;

	if (call->ret < 0 || current_is_muted())
		return 0;
	read_standing(&now, task);
	known = standing_of(task);
	if (known && !differ(&known->identity, &now.identity, sizeof(now.identity) / 8))
		return 0;
	scratch = scratch_take(EVENT_IDENTITY, sizeof(*event));
	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_IDENTITY);
	event->call = call->number;
	event->is_before_known = known != 0;
	__builtin_memset(&event->before, 0, sizeof(event->before));
	if (known)
		event->before = known->identity;
	event->after = now.identity;
	submit_limited_scratch(scratch);
	keep_standing(task, &now);
	return 0;
}

RETURNS(setuid, identity_changed)
RETURNS(setgid, identity_changed)
RETURNS(setreuid, identity_changed)
RETURNS(setregid, identity_changed)
RETURNS(setresuid, identity_changed)
RETURNS(setresgid, identity_changed)
RETURNS(setfsuid, identity_changed)
RETURNS(setfsgid, identity_changed)
RETURNS(setgroups, identity_changed)

INLINE int capabilities_changed(const struct call *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct event_capabilities event = {};
	struct standing *known;
	struct standing now = {};

	if (call->ret != 0 || current_is_muted())
		return 0;
	read_standing(&now, task);
	known = standing_of(task);
	if (known) {
		event.is_before_known = 1;
		event.before = known->capabilities;
	}
	event.after = now.capabilities;
	if (known && !differ(&event.before, &event.after, sizeof(event.after) / 8))
		return 0;
	stamp(&event.header, EVENT_CAPABILITIES);
	event.call = call->number;
	submit_limited(&event.header, sizeof(event));
	keep_standing(task, &now);
	return 0;
}

RETURNS(capset, capabilities_changed)

/*
 * The one way to other users, groups and capabilities. Of 32-bit calls alone, as the others are seen
 * where they return; an exec and a new user namespace tell of it themselves.
 */
INLINE int credentials_committed(void)
{
	struct call call = current_call();

	if (!call.is_ia32 || call.number == (u32)-1)
		return 0;
	return call.number == CALL_CAPSET ? capabilities_changed(&call) : identity_changed(&call);
}

SEC("fexit/commit_creds")
int leave_commit_creds(u64 *context)
{
	(void)context;
	return credentials_committed();
}

SEC("kretprobe/commit_creds")
int ended_commit_creds(struct pt_regs *context)
{
	(void)context;
	return credentials_committed();
}

INLINE void moved(struct task_struct *task, u32 call, u32 namespaces)
{
	send_namespace(task, call, namespaces);
	/* A user namespace gives capabilities. */
	remember_standing(task);
}

INLINE int unshared(const struct call *call)
{
	u32 namespaces;

	if (call->ret != 0 || current_is_muted())
		return 0;
	/* The flags that are no namespaces' share or part other things. */
	namespaces = argument(call, 0) & CLONE_NEW;
	if (namespaces)
		moved(bpf_get_current_task_btf(), call->number, namespaces);
	return 0;
}

RETURNS(unshare, unshared)
RETURNS_IA32(__ia32_sys_unshare, CALL_UNSHARE, unshared)

/* Which kind of namespace a descriptor of /proc/PID/ns is. */
INLINE u32 namespace_behind(s64 fd)
{
	struct file *file = file_of(fd);
	struct inode *inode = 0;
	struct ns_common *namespace = 0;
	const struct proc_ns_operations *operations = 0;
	u32 type = 0;

	READ(inode, file->f_inode);
	READ(namespace, inode->i_private);
	if (EXISTS(namespace->ns_type)) {
		READ(type, namespace->ns_type);
	} else {
		READ(operations, namespace->ops);
		READ(type, operations->type);
	}
	return type;
}

INLINE int entered(const struct call *call)
{
	u32 type;

	if (call->ret != 0 || current_is_muted())
		return 0;
	type = (u32)argument(call, 1) ?: namespace_behind((s32)argument(call, 0));
	moved(bpf_get_current_task_btf(), call->number, type & CLONE_NEW);
	return 0;
}

RETURNS(setns, entered)
RETURNS_IA32(__ia32_sys_setns, CALL_SETNS, entered)
