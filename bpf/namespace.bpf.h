/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* In which namespaces a process is. */
#ifndef NAMESPACE_H
#define NAMESPACE_H

#include "kernel_calls.h"
#include "limited.bpf.h"
#include "task.bpf.h"

#define CLONE_NEW                                                                          \
	(CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |     \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Sends the namespaces of a task, of which some have changed. */
INLINE void send_namespace(struct task_struct *task, u32 call, u32 changed)
{
	struct nsproxy *in = LOAD(task->nsproxy);
	struct event_namespace event = {};

	stamp(&event.header, EVENT_NAMESPACE);
	event.header.start = LOAD(LOAD(task->group_leader)->start_boottime);
	event.header.pid = LOAD(task->tgid);
	event.header.tid = LOAD(task->pid);
	event.call = call;
	event.changed = changed;
	event.mount = LOAD(LOAD(in->mnt_ns)->ns.inum);
	event.uts = LOAD(LOAD(in->uts_ns)->ns.inum);
	event.ipc = LOAD(LOAD(in->ipc_ns)->ns.inum);
	event.network = LOAD(LOAD(in->net_ns)->ns.inum);
	event.pid = LOAD(LOAD(in->pid_ns_for_children)->ns.inum);
	event.time = LOAD(LOAD(in->time_ns)->ns.inum);
	event.cgroup = LOAD(LOAD(in->cgroup_ns)->ns.inum);
	event.user = LOAD(LOAD(LOAD(task->cred)->user_ns)->ns.inum);
	submit_limited(&event.header, sizeof(event));
}

/*
 * Tells of a child that was put into other namespaces than its parent's. Nothing is asked of what has
 * changed: the verifier would follow every set of changes to the end.
 */
INLINE void compare_namespaces(struct task_struct *parent, struct task_struct *child)
{
	struct nsproxy *from = LOAD(parent->nsproxy), *to = LOAD(child->nsproxy);
	u32 changed = 0;

	if (LOAD(LOAD(parent->cred)->user_ns) != LOAD(LOAD(child->cred)->user_ns))
		changed = CLONE_NEWUSER;
	else if (from == to)
		return;
	changed |= (LOAD(from->mnt_ns) != LOAD(to->mnt_ns) ? CLONE_NEWNS : 0) |
		   (LOAD(from->uts_ns) != LOAD(to->uts_ns) ? CLONE_NEWUTS : 0) |
		   (LOAD(from->ipc_ns) != LOAD(to->ipc_ns) ? CLONE_NEWIPC : 0) |
		   (LOAD(from->net_ns) != LOAD(to->net_ns) ? CLONE_NEWNET : 0) |
		   (LOAD(from->pid_ns_for_children) != LOAD(to->pid_ns_for_children) ? CLONE_NEWPID : 0) |
		   (LOAD(from->time_ns) != LOAD(to->time_ns) ? CLONE_NEWTIME : 0) |
		   (LOAD(from->cgroup_ns) != LOAD(to->cgroup_ns) ? CLONE_NEWCGROUP : 0);
	send_namespace(child, CALL_CLONE, changed);
}

#endif
