/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* In which namespaces a process is. */
#ifndef NAMESPACE_H
#define NAMESPACE_H

#include "limited.bpf.h"
#include "task.bpf.h"

#define CLONE_NEW                                                                          \
	(CLONE_NEWTIME | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |     \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Sends the namespaces of a task, of which some have changed. */
INLINE void send_namespace(struct task_struct *task, u32 call, u32 changed)
{
	struct nsproxy *in = task->nsproxy;
	struct event_namespace event = {};

	stamp(&event.header, EVENT_NAMESPACE);
	event.header.start = task->group_leader->start_boottime;
	event.header.pid = task->tgid;
	event.header.tid = task->pid;
	event.call = call;
	event.changed = changed;
	event.mount = in->mnt_ns->ns.inum;
	event.uts = in->uts_ns->ns.inum;
	event.ipc = in->ipc_ns->ns.inum;
	event.network = in->net_ns->ns.inum;
	event.pid = in->pid_ns_for_children->ns.inum;
	event.time = in->time_ns->ns.inum;
	event.cgroup = in->cgroup_ns->ns.inum;
	event.user = task->cred->user_ns->ns.inum;
	submit_limited(&event.header, sizeof(event));
}

/* Tells of a child that was put into other namespaces than its parent's. */
INLINE void compare_namespaces(struct task_struct *parent, struct task_struct *child)
{
	struct nsproxy *from = parent->nsproxy, *to = child->nsproxy;
	u32 changed = 0;

	if (from != to) {
		changed = (from->mnt_ns != to->mnt_ns ? CLONE_NEWNS : 0) |
			  (from->uts_ns != to->uts_ns ? CLONE_NEWUTS : 0) |
			  (from->ipc_ns != to->ipc_ns ? CLONE_NEWIPC : 0) |
			  (from->net_ns != to->net_ns ? CLONE_NEWNET : 0) |
			  (from->pid_ns_for_children != to->pid_ns_for_children ? CLONE_NEWPID : 0) |
			  (from->time_ns != to->time_ns ? CLONE_NEWTIME : 0) |
			  (from->cgroup_ns != to->cgroup_ns ? CLONE_NEWCGROUP : 0);
	}
	if (parent->cred->user_ns != child->cred->user_ns)
		changed |= CLONE_NEWUSER;
	if (changed)
		send_namespace(child, CALL_CLONE, changed);
}

#endif
