/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * System calls, whichever way they came in.
 *
 * A 64-bit call is seen where its tracepoint tells its return. Tracepoints of single calls leave out
 * those of the table of 32-bit programs, which 64-bit ones may use as well (`int 0x80`): these are seen
 * where the function behind the table ends, if the kernel lets programs in there. They have numbers
 * and registers of their own, and the same arguments.
 */
#ifndef CALL_H
#define CALL_H

#include "kernel_calls.h"
#include "task.bpf.h"

struct call {
	s64 ret;
	u32 number; /* of x86-64 */
	u32 is_ia32;
};

/* The arguments of a call that has returned are still in the registers it was made with. */
INLINE u64 argument(const struct call *call, u32 index)
{
	struct pt_regs *with = bpf_task_pt_regs(bpf_get_current_task_btf());

	switch (index) {
	case 0:
		return call->is_ia32 ? (u32)LOAD(with->bx) : LOAD(with->di);
	case 1:
		return call->is_ia32 ? (u32)LOAD(with->cx) : LOAD(with->si);
	case 2:
		return call->is_ia32 ? (u32)LOAD(with->dx) : LOAD(with->dx);
	case 3:
		return call->is_ia32 ? (u32)LOAD(with->si) : LOAD(with->r10);
	default:
		return call->is_ia32 ? (u32)LOAD(with->di) : LOAD(with->r8);
	}
}

/* Of an argument that is the address of a text. */
INLINE const char *text(const struct call *call, u32 index)
{
	return (const char *)argument(call, index);
}

/* Of the calls of 32-bit programs that acts are told by; of others a number that nothing has. */
INLINE u32 number_of_ia32(u32 number)
{
	switch (number) {
	case 5:
		return CALL_OPEN;
	case 8:
		return CALL_CREAT;
	case 23:
	case 213:
		return CALL_SETUID;
	case 37:
		return CALL_KILL;
	case 46:
	case 214:
		return CALL_SETGID;
	case 70:
	case 203:
		return CALL_SETREUID;
	case 71:
	case 204:
		return CALL_SETREGID;
	case 81:
	case 206:
		return CALL_SETGROUPS;
	case 128:
		return CALL_INIT_MODULE;
	case 129:
		return CALL_DELETE_MODULE;
	case 138:
	case 215:
		return CALL_SETFSUID;
	case 139:
	case 216:
		return CALL_SETFSGID;
	case 164:
	case 208:
		return CALL_SETRESUID;
	case 170:
	case 210:
		return CALL_SETRESGID;
	case 178:
		return CALL_RT_SIGQUEUEINFO;
	case 185:
		return CALL_CAPSET;
	case 238:
		return CALL_TKILL;
	case 270:
		return CALL_TGKILL;
	case 295:
		return CALL_OPENAT;
	case 335:
		return CALL_RT_TGSIGQUEUEINFO;
	case 350:
		return CALL_FINIT_MODULE;
	case CALL_PIDFD_SEND_SIGNAL:
	case CALL_OPENAT2:
		return number;
	}
	return -1;
}

/* The call that the current task is in. */
INLINE struct call current_call(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call call = {};

	call.number = LOAD(bpf_task_pt_regs(task)->orig_ax);
	call.is_ia32 = (LOAD(task->thread_info.status) & TS_COMPAT) != 0;
	if (call.is_ia32)
		call.number = number_of_ia32(call.number);
	return call;
}

/* At the return of a 64-bit call. */
#define RETURNS(name, body)                                                                \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                         \
	int on_##name(struct syscall_exit *returned)                                       \
	{                                                                                  \
		struct call call = { .ret = returned->ret, .number = returned->nr };       \
                                                                                           \
		return body(&call);                                                        \
	}

/* At the end of the function behind a 32-bit one, which 64-bit programs call by a number. */
#define RETURNS_IA32(function, calls_number, body)                                         \
	SEC("fexit/" #function)                                                            \
	int leave_##function(u64 *context)                                                 \
	{                                                                                  \
		struct call call = { .ret = context[1], .number = calls_number,            \
				     .is_ia32 = 1 };                                       \
                                                                                           \
		return body(&call);                                                        \
	}                                                                                  \
                                                                                           \
	SEC("kretprobe/" #function)                                                        \
	int ended_##function(struct pt_regs *context)                                      \
	{                                                                                  \
		struct call call = { .ret = context->ax, .number = calls_number,           \
				     .is_ia32 = 1 };                                       \
                                                                                           \
		return body(&call);                                                        \
	}

#endif
