/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * With what rights a thread was last seen. A call that changes them has changed them when it
 * returns, and a program at the begin of any call would be paid for by every call of the host.
 */
#ifndef STANDING_H
#define STANDING_H

#include "task.bpf.h"

struct standing_key {
	u64 start;
	u32 pid; /* of the thread */
	u32 reserved;
};

struct standing {
	struct identity identity;
	struct capabilities capabilities;
};

/* Written by fork, exec and each change. Whoever is pushed out has no "before" once. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct standing_key);
	__type(value, struct standing);
} standings SEC(".maps");

INLINE struct standing_key standing_key_of(struct task_struct *task)
{
	struct standing_key key = { .start = LOAD(task->start_boottime), .pid = LOAD(task->pid) };

	return key;
}

INLINE void read_groups(struct identity *identity, struct group_info *groups)
{
	int count = 0;
	u32 size;

	READ(count, groups->ngroups);
	identity->groups_count = count;
	size = (u32)count < GROUPS_MAX ? (u32)count * sizeof(u32) : sizeof(identity->groups);
	BOUND(size);
	if (size <= sizeof(identity->groups))
		bpf_probe_read_kernel(identity->groups, size, &groups->gid);
}

/* `standing` is zeroed. */
INLINE void read_standing(struct standing *standing, struct task_struct *task)
{
	struct identity *identity = &standing->identity;
	struct capabilities *capabilities = &standing->capabilities;
	const struct cred *cred = LOAD(task->cred);

	identity->uid = LOAD(cred->uid.val);
	identity->euid = LOAD(cred->euid.val);
	identity->suid = LOAD(cred->suid.val);
	identity->fsuid = LOAD(cred->fsuid.val);
	identity->gid = LOAD(cred->gid.val);
	identity->egid = LOAD(cred->egid.val);
	identity->sgid = LOAD(cred->sgid.val);
	identity->fsgid = LOAD(cred->fsgid.val);
	read_groups(identity, LOAD(cred->group_info));
	bpf_probe_read_kernel(&capabilities->permitted, 8, &cred->cap_permitted);
	bpf_probe_read_kernel(&capabilities->effective, 8, &cred->cap_effective);
	bpf_probe_read_kernel(&capabilities->inheritable, 8, &cred->cap_inheritable);
	bpf_probe_read_kernel(&capabilities->ambient, 8, &cred->cap_ambient);
}

INLINE void keep_standing(struct task_struct *task, const struct standing *standing)
{
	struct standing_key key = standing_key_of(task);

	bpf_map_update_elem(&standings, &key, standing, BPF_ANY);
}

INLINE void remember_standing(struct task_struct *task)
{
	struct standing standing = {};

	read_standing(&standing, task);
	keep_standing(task, &standing);
}

INLINE void forget_standing(struct task_struct *task)
{
	struct standing_key key = standing_key_of(task);

	bpf_map_delete_elem(&standings, &key);
}

/* Of a thread that has not been seen by itself, what its process was last seen with. */
INLINE struct standing *standing_of(struct task_struct *task)
{
	struct standing_key key = standing_key_of(task);
	struct standing *known = bpf_map_lookup_elem(&standings, &key);

	if (known || LOAD(task->pid) == LOAD(task->tgid))
		return known;
	key = standing_key_of(LOAD(task->group_leader));
	return bpf_map_lookup_elem(&standings, &key);
}

#endif
