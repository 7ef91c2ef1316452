/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The life of processes: fork, exec, exit. */
#include "container.bpf.h"
#include "namespace.bpf.h"
#include "path.bpf.h"
#include "standing.bpf.h"
#include "spare.bpf.h"

SPARED("tp_btf/sched_process_fork", on_fork, EVENT_FORK)
{
	struct task_struct *child = (void *)context[1];
	struct event_fork event = {};
	struct rule_state *rules = rules_in_force();
	u32 pid = child->tgid;
	u8 one = 1;

	if (child->pid != child->tgid)
		return 0;
	if (current_is_muted()) {
		bpf_map_update_elem(&muted, &pid, &one, BPF_ANY);
		return 0;
	}
	stamp(&event.header, EVENT_FORK);
	event.child_pid = pid;
	event.child_start = child->start_boottime;
	if (rules)
		inherit_verdict(event.header.pid, pid, event.child_start);
	submit_critical(&event.header, sizeof(event));
	compare_namespaces((void *)context[0], child);
	remember_standing(child);
	return 0;
}

/* The argument block as exec left it: the new program has not run yet, so nobody has changed it. */
INLINE u32 append_arguments(struct scratch *scratch, struct task_struct *task, u16 *flags)
{
	u64 start = task->mm->arg_start;
	u64 size = task->mm->arg_end - start;
	u64 at = scratch->size;

	if (size > ARGUMENTS_MAX) {
		size = ARGUMENTS_MAX;
		*flags |= EVENT_ARGUMENTS_CUT;
	}
	BOUND(size);
	BOUND(at);
	if (size > ARGUMENTS_MAX || at > RECORD_MAX - ARGUMENTS_MAX)
		return 0;
	if (bpf_probe_read_user(scratch->record + at, size, (void *)start)) {
		*flags |= EVENT_ARGUMENTS_CUT;
		return 0;
	}
	scratch->size = at + size;
	return size;
}

/*
 * The file that was executed, where the kernel runs an interpreter in its place. Its object is gone;
 * the name is the kernel's copy of the caller's.
 */
INLINE void append_script(struct scratch *scratch, struct task_struct *task,
			  struct linux_binprm *program, struct event_exec *event)
{
	const char *string = program->filename;
	u16 flags = 0;
	char first = 0;

	event->script.base_size = 0;
	event->script.name_size = 0;
	event->script_flags = 0;
	if (string == program->interp)
		return;
	bpf_probe_read_kernel(&first, 1, string);
	if (first == '/')
		event->script.base_size = append_path(scratch, &task->fs->root, &flags);
	event->script.name_size = append_kernel_text(scratch, string);
	event->script_flags = flags;
}

SPARED("tp_btf/sched_process_exec", on_exec, EVENT_EXEC)
{
	struct task_struct *task = (void *)context[0];
	struct linux_binprm *program = (void *)context[2];
	struct kernfs_node *group;
	struct event_exec *event;
	struct scratch *scratch;
	struct rule_state *rules;
	u64 size;
	u16 flags = nameless(program->file->f_inode), directory_flags = 0;
	u64 group_number = 0;
	u8 is_told = 1;

	if (current_is_muted())
		return 0;
	scratch = scratch_take(EVENT_EXEC, sizeof(*event));
	if (!scratch) {
		/* What was known is of the program before. The number stands where there is room. */
		group_number = task->tgid;
		bpf_map_delete_elem(&verdicts, &group_number);
		goto end;
	}
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_EXEC);
	event->parent_start = task->real_parent->group_leader->start_boottime;
	event->parent_pid = task->real_parent->tgid;
	event->arguments_count = program->argc;
	event->executable_size = append_path(scratch, &program->file->f_path, &flags);
	rules = rules_in_force();
	if (rules) {
		size = flags & EVENT_PATH_CUT ? 0 : event->executable_size;
		/* The arguments have yet to come. */
		judge_program(rules, event->header.pid, event->header.start, event + 1, size,
			      (void *)scratch->record + RECORD_MAX - sizeof(struct rule_program));
	}
	event->directory_size = append_path(scratch, &task->fs->pwd, &directory_flags);
	if (directory_flags)
		flags |= EVENT_OLD_PATH_CUT;
	append_script(scratch, task, program, event);
	read_namespaces(&event->namespaces, task);
	read_version(&event->file, program->file->f_inode);
	group = group_of(task);
	/* A root has no path to send, and who asked /proc for it might find where the task has moved. */
	if (group_above(group))
		READ(group_number, group->id);
	event->group = group_number;
	event->group_size = 0;
	if (!bpf_map_lookup_elem(&told_groups, &group_number)) {
		event->group_size = append_group(scratch, group);
		is_told = 0;
	}
	event->arguments_size = append_arguments(scratch, task, &flags);
	event->header.flags = flags;
	/* No matter which value: one more on the stack would be too much for 5.10, calls included. */
	if (submit_scratch(&critical, RING_CRITICAL, scratch) == 0 && !is_told)
		bpf_map_update_elem(&told_groups, &group_number, &group_number, BPF_ANY);
end:
	remember_standing(task);
	return 0;
}

SPARED("tp_btf/sched_process_exit", on_exit, EVENT_EXIT)
{
	struct task_struct *task = (void *)context[0];
	struct signal_struct *signal = task->signal;
	struct event_exit event = {};
	u32 pid = task->tgid;

	/* Threads come and go; the process ends with the last. */
	if (signal->live.counter != 0)
		return 0;
	if (is_muted(pid)) {
		bpf_map_delete_elem(&muted, &pid);
		return 0;
	}
	stamp(&event.header, EVENT_EXIT);
	/* What wait(2) will tell the parent. */
	event.status = signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code :
							   task->group_leader->exit_code;
	submit_critical(&event.header, sizeof(event));
	forget_standing(task->group_leader);
	return 0;
}
