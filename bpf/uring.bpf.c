/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Acts that are asked for through io_uring, from which no system call returns.
 *
 * A request's names are the kernel's own copies, which are gone when it is done: so it is sent when
 * it is submitted, and its answer when it is done. Both happen in a thread of the process that owns the
 * ring, also where a thread of the kernel polls it.
 */
#include "path.bpf.h"

/* The operations' numbers are ABI (include/uapi/linux/io_uring.h). */
#define IORING_OP_ACCEPT 13
#define IORING_OP_OPENAT 18
#define IORING_OP_OPENAT2 28
#define IORING_OP_RENAMEAT 35
#define IORING_OP_UNLINKAT 36

#define OPERATION(number) (1ull << (number))
#define OPENS_A_FILE (OPERATION(IORING_OP_OPENAT) | OPERATION(IORING_OP_OPENAT2))
#define CHANGES_NAMES (OPERATION(IORING_OP_RENAMEAT) | OPERATION(IORING_OP_UNLINKAT))

INLINE int is_one_of(u8 operation, u64 operations)
{
	return operation < 64 && OPERATION(operation) & operations;
}

/* What a request says it will do. */
struct asked {
	s32 from_folder;
	s32 to_folder;
	struct filename *from;
	struct filename *to;
	u32 details;
};

INLINE void read_open(struct asked *asked, struct io_open *open)
{
	u64 flags = 0;

	READ(asked->from_folder, open->dfd);
	READ(asked->from, open->filename);
	READ(flags, open->how.flags);
	asked->details = flags;
}

INLINE void read_names(struct asked *asked, void *request, u8 operation)
{
	struct io_unlink *unlink = request;
	struct io_rename *rename = request;

	if (operation == IORING_OP_UNLINKAT) {
		READ(asked->from_folder, unlink->dfd);
		READ(asked->from, unlink->filename);
		READ(asked->details, unlink->flags);
	} else {
		READ(asked->from_folder, rename->old_dfd);
		READ(asked->from, rename->oldpath);
		READ(asked->to_folder, rename->new_dfd);
		READ(asked->to, rename->newpath);
		READ(asked->details, rename->flags);
	}
}

INLINE void append_copied_name(struct scratch *scratch, s32 folder, struct filename *copy,
			       struct event_name *name, u16 *flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const char *string = 0;
	struct file *file;
	char first = 0;
	long size;
	u64 at;

	READ(string, copy->name);
	bpf_probe_read_kernel(&first, 1, string);
	if (first == '/') {
		name->base_size = append_path(scratch, &LOAD(task->fs)->root, flags);
	} else if (folder == AT_FDCWD) {
		name->base_size = append_path(scratch, &LOAD(task->fs)->pwd, flags);
	} else {
		file = file_of(folder);
		if (!file)
			*flags |= EVENT_PATH_CUT;
		name->base_size = append_path(scratch, &file->f_path, flags);
	}
	name->name_size = 0;
	at = scratch->size;
	BOUND(at);
	if (at > RECORD_MAX - PATH_LIMIT)
		return;
	size = bpf_probe_read_kernel_str(scratch->record + at, PATH_LIMIT, string);
	if (size <= 0) {
		*flags |= EVENT_PATH_CUT;
		return;
	}
	name->name_size = size;
	scratch->size = at + size;
}

NOINLINE int send_request(void *request, u8 operation, const struct asked *asked)
{
	struct event_request *event;
	struct scratch *scratch = scratch_take(EVENT_REQUEST, sizeof(*event));
	u16 from_flags = 0, to_flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_REQUEST);
	event->request = (u64)request;
	event->operation = operation;
	event->details = asked->details;
	event->unanswered = 0;
	event->reserved = 0;
	event->to.base_size = 0;
	event->to.name_size = 0;
	append_copied_name(scratch, asked->from_folder, asked->from, &event->from, &from_flags);
	if (asked->to)
		append_copied_name(scratch, asked->to_folder, asked->to, &event->to, &to_flags);
	else
		to_flags = from_flags;
	event->header.flags = to_flags | (from_flags ? EVENT_OLD_PATH_CUT : 0);
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

INLINE int writes(struct io_open *open)
{
	u64 flags = 0;

	READ(flags, open->how.flags);
	return flags & (O_ACCMODE | O_CREAT | O_TRUNC);
}

INLINE int requested(struct io_kiocb *request, u8 operation)
{
	struct asked asked = {};

	if (!is_one_of(operation, OPENS_A_FILE | CHANGES_NAMES))
		return 0;
	if (!is_one_of(operation, OPENS_A_FILE))
		read_names(&asked, request, operation);
	else if (writes((void *)request))
		read_open(&asked, (void *)request);
	else
		return 0;
	if (!current_is_muted())
		send_request(request, operation, &asked);
	return 0;
}

/* Before 6.3 it was called io_uring_submit_sqe; before 6.0 the request is not its first argument. */
SEC("tp_btf/io_uring_submit_req")
int on_request(u64 *context)
{
	struct io_kiocb *request = (void *)context[0];

	return EXISTS(request->cmd) ? requested(request, request->opcode) : 0;
}

/* Whether the descriptor in an answer is one of the process: one of the ring only is in no table. */
INLINE int is_in_table(s32 fd, u32 slot)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return fd >= 0 && !slot && !(LOAD(task->flags) & PF_KTHREAD) && file_of(fd);
}

/* Tells the file itself where it can be found. Otherwise what was asked for has to be told. */
NOINLINE int answer_open(struct io_open *request, s32 result)
{
	struct syscall_exit call = { .ret = result };
	u32 slot = 0;

	READ(slot, request->file_slot);
	if (!is_in_table(result, slot))
		return result;
	opened(&call);
	return -1;
}

NOINLINE int answer_accept(struct io_accept *request, s32 result)
{
	struct syscall_exit call = { .ret = result };
	u32 slot = 0;

	READ(slot, request->file_slot);
	return is_in_table(result, slot) ? accepted(&call) : 0;
}

/* Apart, so that the record is off the stack while an opened file's path is walked. */
NOINLINE int send_answer(void *request, s32 result)
{
	struct event_answer event = { .request = (u64)request, .result = result };

	stamp(&event.header, EVENT_ANSWER);
	return submit_bulk(&event.header, sizeof(event));
}

SEC("tp_btf/io_uring_complete")
int on_answer(u64 *context)
{
	struct io_kiocb *request = (void *)context[1];
	u8 operation = 0;
	s32 result = 0;

	READ(operation, request->opcode);
	if (!is_one_of(operation, OPENS_A_FILE | CHANGES_NAMES | OPERATION(IORING_OP_ACCEPT)))
		return 0;
	READ(result, request->cqe.res);
	if (operation == IORING_OP_ACCEPT)
		return answer_accept((void *)request, result);
	if (is_one_of(operation, OPENS_A_FILE)) {
		if (!writes((void *)request))
			return 0;
		result = answer_open((void *)request, result);
	}
	if (!current_is_muted())
		send_answer(request, result);
	return 0;
}
