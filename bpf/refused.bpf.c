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

/*
 * At the return of every call that names a file; of an open, where its end is not seen above. One program
 * for all, as the verifier walks the same paths in each.
 */
SEC("tracepoint/syscalls/sys_exit_open")
int on_refused(struct syscall_exit *call)
{
	struct pt_regs *with = bpf_task_pt_regs(bpf_get_current_task_btf());
	struct refusal refusal = { .call = call->nr, .error = -call->ret };

	if (!is_refused(refusal.error))
		return 0;
	refusal.folder = refusal.old_folder = AT_FDCWD;
	switch (call->nr) {
	case CALL_OPENAT:
	case CALL_OPENAT2:
	case CALL_MKDIRAT:
	case CALL_MKNODAT:
	case CALL_UNLINKAT:
	case CALL_FCHMODAT:
	case CALL_FCHMODAT2:
	case CALL_FCHOWNAT:
	case CALL_SETXATTRAT:
	case CALL_REMOVEXATTRAT:
		refusal.folder = LOAD(with->di);
		refusal.name = TEXT(LOAD(with->si));
		break;
	case CALL_LINK:
	case CALL_RENAME:
		refusal.old = TEXT(LOAD(with->di));
		refusal.name = TEXT(LOAD(with->si));
		break;
	case CALL_LINKAT:
	case CALL_RENAMEAT:
	case CALL_RENAMEAT2:
		refusal.old_folder = LOAD(with->di);
		refusal.old = TEXT(LOAD(with->si));
		refusal.folder = LOAD(with->dx);
		refusal.name = TEXT(LOAD(with->r10));
		break;
	case CALL_SYMLINK:
		refusal.name = TEXT(LOAD(with->si));
		break;
	case CALL_SYMLINKAT:
		refusal.folder = LOAD(with->si);
		refusal.name = TEXT(LOAD(with->dx));
		break;
	default:
		refusal.name = TEXT(LOAD(with->di));
	}
	return send_refused(&refusal);
}
