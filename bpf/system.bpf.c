/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What processes do to others and to the kernel, and the programs that they may not start. */
#include "call.bpf.h"
#include "injection.bpf.h"
#include "limited.bpf.h"
#include "name.bpf.h"
#include "spare.bpf.h"

#define GIVEN_MOST 64     /* arguments */
#define GIVEN_LENGTH 1024 /* of one */
#define GIVEN_LIMIT 4096  /* of all but the last */

struct given {
	struct scratch *scratch;
	const void *list;
	u64 is_ia32; /* addresses have 32 bits */
	u64 limit;
	u64 is_whole;
};

static long append_given(u32 index, void *context)
{
	struct given *given = context;
	struct scratch *scratch = given->scratch;
	const void *list = given->list;
	const char *string = 0;
	u64 at = scratch->size;
	long size;

	if (given->is_ia32 ? bpf_probe_read_user(&string, sizeof(u32), list + index * sizeof(u32)) :
			     bpf_probe_read_user(&string, sizeof(string), list + index * sizeof(string)))
		return 1;
	if (!string) {
		given->is_whole = 1;
		return 1;
	}
	BOUND(at);
	if (index == GIVEN_MOST || at >= given->limit || at > RECORD_MAX - GIVEN_LENGTH)
		return 1;
	size = read_user_text(scratch->record + at, GIVEN_LENGTH, string);
	if (size <= 0)
		return 1;
	scratch->size = at + size;
	return size == GIVEN_LENGTH;
}

LOOP(append_given, struct given)

/*
 * Appends what the caller has in its memory as arguments, which another thread may have changed
 * meanwhile; returns their size. The first that is too long or cannot be read ends them.
 */
NOINLINE u32 append_given_arguments(struct scratch *scratch, const void *list, u64 is_ia32,
				    u16 *flags)
{
	u64 start = scratch->size;
	struct given given = { .scratch = scratch, .list = list, .is_ia32 = is_ia32,
			       .limit = start + GIVEN_LIMIT };

	loop_append_given(GIVEN_MOST + 1, &given);
	/* The kernel takes no list for an empty one. */
	if (list && !given.is_whole)
		*flags |= EVENT_ARGUMENTS_CUT;
	return scratch->size - start;
}

/* A failed call changes nothing and costs nothing, so that it must not push out what does. */
NOINLINE int send_exec_failed(const struct call *call, s32 folder, const char *string,
			      const void *arguments)
{
	struct event_exec_failed *event;
	struct scratch *scratch = scratch_take(EVENT_EXEC_FAILED, sizeof(*event));
	u16 flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_EXEC_FAILED);
	event->error = -call->ret;
	event->call = call->number;
	append_name_at(scratch, folder, string, &event->name, &flags);
	event->arguments_size = append_given_arguments(scratch, arguments, call->is_ia32, &flags);
	event->header.flags = flags;
	submit_digested(scratch, EVENT_EXEC_FAILED);
	return 0;
}

INLINE int executed(const struct call *call)
{
	if (call->ret >= 0 || current_is_muted())
		return 0;
	return send_exec_failed(call, AT_FDCWD, text(call, 0), (void *)argument(call, 1));
}

RETURNS(execve, executed)
RETURNS_IA32(__ia32_compat_sys_execve, CALL_EXECVE, executed)

INLINE int executed_at(const struct call *call)
{
	if (call->ret >= 0 || current_is_muted())
		return 0;
	return send_exec_failed(call, argument(call, 0), text(call, 1), (void *)argument(call, 2));
}

RETURNS(execveat, executed_at)
RETURNS_IA32(__ia32_compat_sys_execveat, CALL_EXECVEAT, executed_at)

/* What changes another process; reading and stepping do not. */
INLINE int is_injection(u64 request)
{
	switch (request) {
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
	case PTRACE_POKEUSER:
	case PTRACE_SETREGS:
	case PTRACE_SETFPREGS:
	case PTRACE_ATTACH:
	case PTRACE_SETFPXREGS:
	case PTRACE_SETREGSET:
	case PTRACE_SEIZE:
		return 1;
	}
	return 0;
}

INLINE int traced(const struct call *call)
{
	struct target target = {};

	if (call->ret != 0 || !is_injection(argument(call, 0)) || current_is_muted())
		return 0;
	if (find_target(&target, argument(call, 1)))
		send_injection(&target, call->number, argument(call, 0), 0);
	return 0;
}

RETURNS(ptrace, traced)
RETURNS_IA32(__ia32_compat_sys_ptrace, CALL_PTRACE, traced)

INLINE int wrote_memory(const struct call *call)
{
	struct target target = {};

	if (call->ret <= 0 || current_is_muted())
		return 0;
	if (find_target(&target, argument(call, 0)))
		send_injection(&target, call->number, 0, call->ret);
	return 0;
}

RETURNS(process_vm_writev, wrote_memory)
RETURNS_IA32(__ia32_sys_process_vm_writev, CALL_PROCESS_VM_WRITEV, wrote_memory)

/* Whether a signal ends a process that has no handler for it; no others do, of 1 to 64. */
INLINE int ends_by_default(u32 signal)
{
	return signal != SIGCHLD && signal != SIGURG && signal != SIGWINCH &&
	       (signal < SIGCONT || signal > SIGTTOU);
}

INLINE int is_handled(struct task_struct *task, u32 signal)
{
	struct sighand_struct *handlers = 0;
	struct k_sigaction *action;
	void *handler = 0;

	READ(handlers, task->sighand);
	action = (void *)handlers + OFFSET_IN(handlers, action) +
		 (signal - 1) % SIGNALS * (SIZE_IN(handlers, action) / SIGNALS);
	READ(handler, action->sa.sa_handler);
	return handler != 0;
}

INLINE int always_ends_or_stops(u32 signal)
{
	return signal == SIGKILL || signal == SIGTERM || signal == SIGSTOP;
}

INLINE int ends_or_stops(struct task_struct *task, u32 signal)
{
	return always_ends_or_stops(signal) || (ends_by_default(signal) && !is_handled(task, signal));
}

/*
 * Signals that the kernel itself sends have a code above 0, or one of a timer or of the like; but a
 * sender may put the latter into the calls that take a whole siginfo. With a code of its own, the
 * kernel kills nobody: there a process has asked for such a signal to another, as by F_SETSIG.
 */
INLINE int is_sent_by_process(const struct signal_info *info, u32 signal, u32 call)
{
	int code = 0;

	bpf_probe_read_kernel(&code, sizeof(code), &info->code);
	if (code > 0)
		return code < SI_KERNEL && always_ends_or_stops(signal);
	if (code == SI_USER || code == SI_QUEUE || code == SI_TKILL)
		return 1;
	return call == CALL_RT_SIGQUEUEINFO || call == CALL_RT_TGSIGQUEUEINFO ||
	       call == CALL_PIDFD_SEND_SIGNAL;
}

/* Stands where files have a number made of a name. */
#define SIGNAL_PATH 0x7369676e616cull

SPARED("tp_btf/signal_generate", on_signal, EVENT_SIGNAL)
{
	struct task_struct *task = (void *)context[2];
	struct event_signal event = {};
	u32 signal = context[0];
	u64 info = context[1];
	struct call call;

	/* The end of a child, what the kernel sends, and threads among themselves. */
	if (signal == SIGCHLD || info <= 1)
		return 0;
	if ((u32)task->tgid == (u32)(bpf_get_current_pid_tgid() >> 32))
		return 0;
	if ((u32)context[4] == TRACE_SIGNAL_IGNORED)
		return 0;
	call = current_call();
	if (!is_sent_by_process((void *)info, signal, call.number))
		return 0;
	if (current_is_muted())
		return 0;
	stamp(&event.header, EVENT_SIGNAL);
	read_target(&event.target, task);
	if (event.target.uid == event.header.euid && !ends_or_stops(task, signal))
		return 0;
	event.call = call.number;
	event.number = signal;
	event.key.inode = event.target.start;
	event.key.device = event.target.pid;
	event.key.path = SIGNAL_PATH;
	event.key.generation = call.number << 16 | signal;
	identify_actor(&event.key);
	submit_counted(&event.header, &event.key, sizeof(event), 1);
	return 0;
}

/*
 * Told before the module's first function runs: one that fails by itself has run all the same. A
 * file that is no module, or one that is refused, does not come here.
 */
INLINE int module_changed(struct module *module, int is_unloaded)
{
	struct event_module *event;
	struct call call = current_call();
	struct scratch *scratch;
	u16 flags = 0;

	if (current_is_muted())
		return 0;
	scratch = scratch_take(EVENT_MODULE, sizeof(*event));
	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_MODULE);
	event->call = call.number;
	event->is_unloaded = is_unloaded;
	event->path_size = 0;
	__builtin_memset(event->name, 0, sizeof(event->name));
	bpf_probe_read_kernel_str(event->name, sizeof(event->name), module->name);
	if (!is_unloaded && call.number == CALL_FINIT_MODULE)
		event->path_size =
			append_path(scratch, &file_of((s32)argument(&call, 0))->f_path, &flags);
	event->header.flags = flags;
	submit_limited_scratch(scratch);
	return 0;
}

SPARED("tp_btf/module_load", on_module_load, EVENT_MODULE)
{
	return module_changed((void *)context[0], 0);
}

SPARED("tp_btf/module_free", on_module_free, EVENT_MODULE)
{
	return module_changed((void *)context[0], 1);
}

/* Behind a descriptor that bpf(2) returned or was given; `attached` as in struct event_bpf. */
INLINE void send_bpf(struct bpf_prog *program, u32 attached)
{
	struct event_bpf event = {};
	struct bpf_prog_aux *more = 0;

	stamp(&event.header, EVENT_BPF);
	READ(event.kind, program->type);
	READ(more, program->aux);
	READ(event.id, more->id);
	bpf_probe_read_kernel(event.tag, sizeof(event.tag), &program->tag);
	bpf_probe_read_kernel_str(event.name, sizeof(event.name), &more->name);
	event.attached = attached;
	submit_limited(&event.header, sizeof(event));
}

INLINE void *behind(s64 fd)
{
	struct file *file = file_of(fd);
	void *object = 0;

	READ(object, file->private_data);
	return object;
}

INLINE void program_loaded(s64 fd)
{
	if (!current_is_muted())
		send_bpf(behind(fd), 0);
}

INLINE void link_made(s64 fd)
{
	struct bpf_link *link = behind(fd);
	struct bpf_prog *program = 0;
	u32 type = 0;

	if (current_is_muted())
		return;
	READ(type, link->type);
	READ(program, link->prog);
	send_bpf(program, 1 + type);
}

/* The program's descriptor is in the caller's memory, where it may have been changed meanwhile. */
INLINE void program_attached(const struct bpf_attach *with)
{
	s32 fd = -1;

	if (current_is_muted())
		return;
	bpf_probe_read_user(&fd, sizeof(fd), &with->program);
	send_bpf(behind(fd), 1);
}

INLINE int asked_bpf(const struct call *call)
{
	if (call->ret < 0)
		return 0;
	switch ((u32)argument(call, 0)) {
	case BPF_PROG_LOAD:
		program_loaded(call->ret);
		break;
	case BPF_RAW_TRACEPOINT_OPEN:
	case BPF_LINK_CREATE:
		link_made(call->ret);
		break;
	case BPF_PROG_ATTACH:
		program_attached((void *)argument(call, 1));
		break;
	}
	return 0;
}

RETURNS(bpf, asked_bpf)
RETURNS_IA32(__ia32_sys_bpf, CALL_BPF, asked_bpf)
