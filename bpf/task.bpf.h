/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who: the acting task, and whether it is one the agent does not report on. */
#ifndef TASK_H
#define TASK_H

#include "emit.bpf.h"

/* Descendants of the agent, by thread group. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, u8);
} muted SEC(".maps");

INLINE int is_muted(u32 pid)
{
	if (!muted_pid)
		return 0;
	return pid == muted_pid || bpf_map_lookup_elem(&muted, &pid) != 0;
}

INLINE int current_is_muted(void)
{
	return is_muted(bpf_get_current_pid_tgid() >> 32);
}

/* Whether a rule drops what the current task does to files or over the network. */
INLINE int current_is_dropped(void)
{
	struct rule_state *rules = rules_in_force();
	struct task_struct *task;
	u32 rule;

	if (!rules || current_is_muted())
		return 0;
	task = bpf_get_current_task_btf();
	rule = rule_against(rules, LOAD(task->tgid),
			    LOAD(LOAD(task->group_leader)->start_boottime),
			    LOAD(LOAD(task->cred)->uid.val), 0);
	if (rule >= RULES_MAX)
		return 0;
	count_dropped(rule);
	return 1;
}

/* Fills a header for what the current task does now. */
INLINE void stamp(struct event_header *header, u16 kind)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = LOAD(task->cred);

	header->size = 0;
	header->kind = kind;
	header->flags = 0;
	header->time = bpf_ktime_get_boot_ns();
	header->sequence = 0;
	header->start = LOAD(LOAD(task->group_leader)->start_boottime);
	header->cpu = bpf_get_smp_processor_id();
	header->pid = LOAD(task->tgid);
	header->tid = LOAD(task->pid);
	header->uid = LOAD(cred->uid.val);
	header->euid = LOAD(cred->euid.val);
	header->gid = LOAD(cred->gid.val);
	header->egid = LOAD(cred->egid.val);
	header->login_uid = LOGIN_UNSET;
	header->session = LOGIN_UNSET;
	if (EXISTS(task->loginuid)) { /* CONFIG_AUDIT */
		header->login_uid = LOAD(task->loginuid.val);
		header->session = LOAD(task->sessionid);
	}
	header->reserved = 0;
}

/* A header for what happens now in the name of who acted before. */
INLINE void stamp_as(struct event_header *header, const struct event_header *who, u16 kind)
{
	*header = *who;
	header->kind = kind;
	header->time = bpf_ktime_get_boot_ns();
	header->cpu = bpf_get_smp_processor_id();
}

/* The open file behind a descriptor of the current task, NULL if there is none. */
INLINE struct file *file_of(s64 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = LOAD(LOAD(task->files)->fdt);
	struct file *file = 0;

	if (fd < 0 || fd >= LOAD(table->max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), LOAD(table->fd) + fd);
	return file;
}

#endif
