/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What processes may not do to files: told by the names of the call, as there may be no object. What is
 * done to a descriptor was allowed when it was opened.
 */
#include "injection.bpf.h"
#include "name.bpf.h"
#include "repeat.bpf.h"
#include "spare.bpf.h"

struct refusal {
	u32 call, error;
	s32 folder, old_folder; /* where the names count from */
	const char *name;
	const char *old;    /* of an act with two names; NULL: there is none */
	const char *copied; /* in place of `name`: the kernel's copy of it */
};

INLINE int is_refused(s64 error)
{
	return error == EACCES || error == EPERM;
}

NOINLINE int send_refused(const struct refusal *refusal)
{
	struct event_refused *event;
	struct scratch *scratch;
	u16 flags = 0, old_flags = 0;

	if (current_is_muted() || current_is_dropped())
		return 0;
	scratch = scratch_take(EVENT_REFUSED, sizeof(*event));
	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_REFUSED);
	event->call = refusal->call;
	event->error = refusal->error;
	event->old.base_size = 0;
	event->old.name_size = 0;
	if (refusal->copied)
		append_kernel_name(scratch, refusal->folder, refusal->copied, &event->name, &flags);
	else
		append_object_at(scratch, refusal->folder, refusal->name, &event->name, &flags);
	if (refusal->old)
		append_object_at(scratch, refusal->old_folder, refusal->old, &event->old,
				 &old_flags);
	event->header.flags = flags | (old_flags ? EVENT_OLD_PATH_CUT : 0);
	submit_digested(scratch, EVENT_REFUSED);
	return 0;
}

/* Whoever asked by name. An exec opens its file, too, and tells by itself that it may not. */
SPARED("fexit/do_filp_open", leave_refused_open, EVENT_REFUSED)
{
	struct filename *copy = (void *)context[1];
	struct open_flags *how = (void *)context[2];
	struct refusal refusal = { .folder = context[0] };
	u64 file = 0;
	int flags = 0;

	READ(file, context[3]);
	if (!is_refused(-(s32)file))
		return 0;
	READ(flags, how->open_flag);
	if (flags & FMODE_EXEC)
		return 0;
	READ(refusal.copied, copy->name);
	refusal.call = opening_call();
	refusal.error = -(s32)file;
	return send_refused(&refusal);
}

#define REFUSES(name, ...)                                                                 \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                         \
	int refused_##name(struct syscall_exit *call)                                      \
	{                                                                                  \
		struct pt_regs *with = bpf_task_pt_regs(bpf_get_current_task_btf());       \
                                                                                           \
		if (!is_refused(-call->ret))                                               \
			return 0;                                                          \
		return send_refused(&(struct refusal){ .call = call->nr,                   \
						       .error = -call->ret, __VA_ARGS__ }); \
	}

/* By the registers that the arguments are in. */
#define NAME(argument) .folder = AT_FDCWD, .name = TEXT(LOAD(with->argument))
#define NAME_AT(at, argument) .folder = LOAD(with->at), .name = TEXT(LOAD(with->argument))
#define OLD(argument) .old_folder = AT_FDCWD, .old = TEXT(LOAD(with->argument))
#define OLD_AT(at, argument) .old_folder = LOAD(with->at), .old = TEXT(LOAD(with->argument))

REFUSES(open, NAME(di))
REFUSES(openat, NAME_AT(di, si))
REFUSES(openat2, NAME_AT(di, si))
REFUSES(creat, NAME(di))

REFUSES(mkdir, NAME(di))
REFUSES(mkdirat, NAME_AT(di, si))
REFUSES(mknod, NAME(di))
REFUSES(mknodat, NAME_AT(di, si))
REFUSES(link, NAME(si), OLD(di))
REFUSES(linkat, NAME_AT(dx, r10), OLD_AT(di, si))
REFUSES(symlink, NAME(si))
REFUSES(symlinkat, NAME_AT(si, dx))

REFUSES(unlink, NAME(di))
REFUSES(unlinkat, NAME_AT(di, si))
REFUSES(rmdir, NAME(di))
REFUSES(rename, NAME(si), OLD(di))
REFUSES(renameat, NAME_AT(dx, r10), OLD_AT(di, si))
REFUSES(renameat2, NAME_AT(dx, r10), OLD_AT(di, si))

REFUSES(truncate, NAME(di))
REFUSES(chmod, NAME(di))
REFUSES(fchmodat, NAME_AT(di, si))
REFUSES(fchmodat2, NAME_AT(di, si))
REFUSES(chown, NAME(di))
REFUSES(lchown, NAME(di))
REFUSES(fchownat, NAME_AT(di, si))
REFUSES(setxattr, NAME(di))
REFUSES(lsetxattr, NAME(di))
REFUSES(setxattrat, NAME_AT(di, si)) /* 6.13 */
REFUSES(removexattr, NAME(di))
REFUSES(lremovexattr, NAME(di))
REFUSES(removexattrat, NAME_AT(di, si)) /* 6.13 */
