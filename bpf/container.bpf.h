/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where a process is apart from the host: its control group and its namespaces. */
#ifndef CONTAINER_H
#define CONTAINER_H

#include "path.bpf.h"

/* Deeper than any runtime puts its groups. */
#define GROUP_DEPTH 32

/* Control groups whose path was sent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, u8);
} told_groups SEC(".maps");

INLINE struct kernfs_node *group_above(struct kernfs_node *group)
{
	struct kernfs_node *above = 0;

	if (EXISTS(group->__parent))
		READ(above, group->__parent);
	else
		READ(above, group->parent);
	return above;
}

/*
 * The task's control group: that of version 2, or cpuset's where that hierarchy is still of version
 * 1 and the task is not in its root.
 */
INLINE struct kernfs_node *group_of(struct task_struct *task)
{
	struct cgroup_root *root = 0, *unified_root = 0;
	struct cgroup *unified = 0, *cpuset = 0;
	struct cgroup_subsys_state *state = 0;
	struct kernfs_node *group = 0;
	struct css_set *set = 0;

	READ(set, task->cgroups);
	READ(unified, set->dfl_cgrp);
	READ(unified_root, unified->root);
	READ(state, set->subsys[0]);
	READ(cpuset, state->cgroup);
	READ(root, cpuset->root);
	READ(group, cpuset->kn);
	if (!group || root == unified_root || !group_above(group))
		READ(group, unified->kn);
	return group;
}

/* Appends the components of a group's path and returns their size; 0 if not all could be. */
NOINLINE u16 append_group(struct scratch *scratch, struct kernfs_node *group)
{
	u64 start = scratch->size, at;
	struct kernfs_node *above;
	const char *name = 0;
	long size;

	for (int depth = 0; depth < GROUP_DEPTH; depth++) {
		above = group_above(group);
		if (!above)
			return scratch->size - start;
		READ(name, group->name);
		at = scratch->size;
		BOUND(at);
		if (at >= start + PATH_LIMIT || at > RECORD_MAX - NAME_ROOM)
			break;
		size = bpf_probe_read_kernel_str(scratch->record + at, NAME_ROOM, name);
		if (size <= 0)
			break;
		scratch->size = at + size;
		group = above;
	}
	scratch->size = start;
	return 0;
}

#define NUMBER_OF(number, namespace)                                                       \
	do {                                                                               \
		if (EXISTS((namespace)->ns.inum))                                          \
			READ(number, (namespace)->ns.inum);                                \
	} while (0)

INLINE void read_namespaces(struct namespaces *to, struct task_struct *task)
{
	struct nsproxy *in = task->nsproxy;
	struct pid *itself = task->thread_pid;
	struct upid number = {};

	__builtin_memset(to, 0, sizeof(*to));
	NUMBER_OF(to->mnt, in->mnt_ns);
	NUMBER_OF(to->net, in->net_ns);
	NUMBER_OF(to->user, task->cred->user_ns);
	NUMBER_OF(to->uts, in->uts_ns);
	NUMBER_OF(to->ipc, in->ipc_ns);
	/* The one it is in: that of its children may be another. */
	bpf_probe_read_kernel(&number, sizeof(number),
			      (void *)itself->numbers + itself->level * sizeof(number));
	NUMBER_OF(to->pid, number.ns);
}

#endif
