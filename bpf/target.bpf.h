/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Whom something is done to: another process, by its task or by its number. */
#ifndef TARGET_H
#define TARGET_H

#include "task.bpf.h"

/* A byte offset that is the running kernel's. */
#define OFFSET_IN(pointer, field) __builtin_preserve_field_info((pointer)->field, 0)
#define SIZE_IN(pointer, field) __builtin_preserve_field_info((pointer)->field, 1)

/* A page of the tree that numbers are kept in: the two lowest bits tell it from an entry. */
#define TREE_NODE 2
#define TREE_LEVELS 6
#define TREE_SLOTS 64

INLINE void read_target(struct target *target, struct task_struct *task)
{
	struct task_struct *leader = 0;
	const struct cred *cred = 0;

	READ(target->pid, task->tgid);
	READ(leader, task->group_leader);
	READ(target->start, leader->start_boottime);
	READ(cred, task->cred);
	READ(target->uid, cred->uid);
}

/* The first thread that has a pid; NULL if none has. */
INLINE struct task_struct *task_of(struct pid *pid)
{
	struct hlist_node *first = 0;
	struct task_struct *task = 0;

	bpf_probe_read_kernel(&first, sizeof(first), (void *)pid + OFFSET_IN(pid, tasks));
	return first ? (void *)first - OFFSET_IN(task, pid_links) : 0;
}

/* The number of a pid at a level of namespaces, and the namespace. */
INLINE void read_number(struct upid *number, struct pid *pid, u32 level)
{
	bpf_probe_read_kernel(number, sizeof(*number),
			      (void *)pid + OFFSET_IN(pid, numbers) + level * sizeof(*number));
}

/*
 * The task that the current one means by a number, which counts in its namespace. Read without a
 * lock: what was found is looked at once more.
 */
NOINLINE struct task_struct *task_numbered(u32 wanted)
{
	struct pid *own = 0, *found;
	struct upid number = {};
	struct xa_node *node;
	void *entry = 0;
	u32 level = 0;
	u8 shift = 0;

	READ(own, bpf_get_current_task_btf()->thread_pid);
	READ(level, own->level);
	read_number(&number, own, level);
	READ(entry, number.ns->idr.idr_rt.xa_head);
	for (int step = 0; step < TREE_LEVELS && ((u64)entry & 3) == TREE_NODE; step++) {
		node = entry - TREE_NODE;
		READ(shift, node->shift);
		bpf_probe_read_kernel(&entry, sizeof(entry),
				      (void *)node + OFFSET_IN(node, slots) +
					      (wanted >> (shift & 31)) % TREE_SLOTS * sizeof(entry));
	}
	found = entry;
	read_number(&number, found, level);
	return (u32)number.nr == wanted ? task_of(found) : 0;
}

/* 1 if the number is that of a thread of another process. */
INLINE int find_target(struct target *target, u32 wanted)
{
	struct task_struct *task = task_numbered(wanted);

	if (!task)
		return 0;
	read_target(target, task);
	return target->pid != (u32)(bpf_get_current_pid_tgid() >> 32);
}

#endif
