/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A process reaches into another. */
#ifndef INJECTION_H
#define INJECTION_H

#include "call.bpf.h"
#include "repeat.bpf.h"
#include "target.bpf.h"

/* Stands where files have a number made of a name. */
#define INJECTION_PATH 0x696e6a656374ull

/* `request`: of ptrace, 0 for other calls. A debugger writes word by word, so that repeats count. */
INLINE void send_injection(const struct target *target, u32 call, u32 request, u64 bytes)
{
	struct event_injection event = {};

	stamp(&event.header, EVENT_INJECTION);
	event.key.inode = target->start;
	event.key.device = target->pid;
	event.key.path = INJECTION_PATH;
	event.key.generation = call << 16 | request;
	identify_actor(&event.key);
	event.target = *target;
	event.call = call;
	event.request = request;
	event.bytes = bytes;
	submit_counted(&event.header, &event.key, sizeof(event), 1);
}

/* By which call the current task opens a file. */
INLINE u32 opening_call(void)
{
	struct call call = current_call();

	switch (call.number) {
	case CALL_OPEN:
	case CALL_CREAT:
	case CALL_OPENAT2:
		return call.number;
	default:
		return CALL_OPENAT;
	}
}

/* Whose memory a file is, if it is /proc/PID/mem; NULL if not. */
INLINE struct task_struct *owner_of_memory(struct file *file, struct inode *inode)
{
	struct super_block *device = 0;
	struct dentry *dentry = 0;
	const unsigned char *name = 0;
	struct pid *pid = 0;
	unsigned long magic = 0;
	char first[4] = {};

	READ(device, inode->i_sb);
	READ(magic, device->s_magic);
	if (magic != PROC_SUPER_MAGIC)
		return 0;
	READ(dentry, file->f_path.dentry);
	READ(name, dentry->d_name.name);
	bpf_probe_read_kernel(first, sizeof(first), name);
	if (first[0] != 'm' || first[1] != 'e' || first[2] != 'm' || first[3])
		return 0;
	READ(pid, PROC_INODE_OF(inode)->pid);
	return task_of(pid);
}

/*
 * Of a file opened for writing: whether it is the memory of another process. Apart, so that its
 * record is off the stack while the file's path is walked.
 */
NOINLINE int opened_memory(struct file *file, struct inode *inode)
{
	struct task_struct *task = owner_of_memory(file, inode);
	struct target target = {};

	if (!task)
		return 0;
	read_target(&target, task);
	if (target.pid != (u32)(bpf_get_current_pid_tgid() >> 32))
		send_injection(&target, opening_call(), 0, 0);
	return 0;
}

#endif
