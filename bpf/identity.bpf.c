/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a process may do and what it sees: users, groups, capabilities, namespaces. */
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
INLINE int identity_changed(struct syscall_exit *call)
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
	event->call = call->nr;
	event->is_before_known = known != 0;
	__builtin_memset(&event->before, 0, sizeof(event->before));
	if (known)
		event->before = known->identity;
	event->after = now.identity;
	submit_limited_scratch(scratch);
	keep_standing(task, &now);
	return 0;
}

#define CHANGES_IDENTITY(name)                                                             \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                         \
	int on_##name(struct syscall_exit *call)                                           \
	{                                                                                  \
		return identity_changed(call);                                             \
	}

CHANGES_IDENTITY(setuid)
CHANGES_IDENTITY(setgid)
CHANGES_IDENTITY(setreuid)
CHANGES_IDENTITY(setregid)
CHANGES_IDENTITY(setresuid)
CHANGES_IDENTITY(setresgid)
CHANGES_IDENTITY(setfsuid)
CHANGES_IDENTITY(setfsgid)
CHANGES_IDENTITY(setgroups)

SEC("tracepoint/syscalls/sys_exit_capset")
int on_capset(struct syscall_exit *call)
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
	event.call = call->nr;
	submit_limited(&event.header, sizeof(event));
	keep_standing(task, &now);
	return 0;
}

INLINE void moved(struct task_struct *task, u32 call, u32 namespaces)
{
	send_namespace(task, call, namespaces);
	/* A user namespace gives capabilities. */
	remember_standing(task);
}

SEC("tracepoint/syscalls/sys_exit_unshare")
int on_unshare(struct syscall_exit *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *with;

	if (call->ret != 0 || current_is_muted())
		return 0;
	with = bpf_task_pt_regs(task);
	/* The flags that are no namespaces' share or part other things. */
	if (LOAD(with->di) & CLONE_NEW)
		moved(task, call->nr, LOAD(with->di) & CLONE_NEW);
	return 0;
}

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

SEC("tracepoint/syscalls/sys_exit_setns")
int on_setns(struct syscall_exit *call)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *with;
	u32 type;

	if (call->ret != 0 || current_is_muted())
		return 0;
	with = bpf_task_pt_regs(task);
	type = (u32)LOAD(with->si) ?: namespace_behind((s32)LOAD(with->di));
	moved(task, call->nr, type & CLONE_NEW);
	return 0;
}
