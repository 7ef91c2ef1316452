/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Acts that are asked for through io_uring, from which no system call returns.
 *
 * A request's names are the kernel's own copies, which are gone when it is done: so it is sent when
 * it is submitted, and its answer when it is done. Both happen in a thread of the process that owns the
 * ring, also where a thread of the kernel polls it.
 */
#include "kernel_uring.h"
#include "name.bpf.h"
#include "spare.bpf.h"

/* The operations' numbers are ABI (include/uapi/linux/io_uring.h). */
#define IORING_OP_ACCEPT 13
#define IORING_OP_OPENAT 18
#define IORING_OP_OPENAT2 28
#define IORING_OP_RENAMEAT 35
#define IORING_OP_UNLINKAT 36
#define IORING_OP_MKDIRAT 37
#define IORING_OP_SYMLINKAT 38
#define IORING_OP_LINKAT 39

#define OPERATION(number) (1ull << (number))
#define OPENS_A_FILE (OPERATION(IORING_OP_OPENAT) | OPERATION(IORING_OP_OPENAT2))
#define CHANGES_NAMES                                                                      \
	(OPERATION(IORING_OP_RENAMEAT) | OPERATION(IORING_OP_UNLINKAT) |                   \
	 OPERATION(IORING_OP_MKDIRAT) | OPERATION(IORING_OP_SYMLINKAT) |                   \
	 OPERATION(IORING_OP_LINKAT))

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
	u32 from_is_text; /* the first name is no name, but the text of a symbolic link */
};

/* 7.0: an operation keeps the copies of its names in a struct around them. */
#define READ_COPY(to, type, request, field)                                                \
	({                                                                                 \
		struct type *now_ = (void *)(request);                                     \
		struct type##___7 *later_ = (void *)(request);                             \
                                                                                           \
		if (EXISTS(now_->field))                                                   \
			READ(to, now_->field);                                             \
		else                                                                       \
			READ(to, later_->field.__incomplete_filename);                     \
	})

INLINE void read_open(struct asked *asked, struct io_open *open)
{
	u64 flags = 0;

	READ(asked->from_folder, open->dfd);
	READ_COPY(asked->from, io_open, open, filename);
	READ(flags, open->how.flags);
	asked->details = flags;
}

INLINE void read_one_name(struct asked *asked, void *request, u8 operation)
{
	struct io_unlink *unlink = request;
	struct io_mkdir *folder = request;

	if (operation == IORING_OP_UNLINKAT) {
		READ(asked->from_folder, unlink->dfd);
		READ_COPY(asked->from, io_unlink, request, filename);
		READ(asked->details, unlink->flags);
	} else {
		READ(asked->from_folder, folder->dfd);
		READ_COPY(asked->from, io_mkdir, request, filename);
	}
}

INLINE void read_two_names(struct asked *asked, void *request, u8 operation)
{
	struct io_rename *rename = request;
	struct io_link *link = request;

	if (operation == IORING_OP_RENAMEAT) {
		READ(asked->from_folder, rename->old_dfd);
		READ_COPY(asked->from, io_rename, request, oldpath);
		READ(asked->to_folder, rename->new_dfd);
		READ_COPY(asked->to, io_rename, request, newpath);
		READ(asked->details, rename->flags);
	} else {
		READ(asked->from_folder, link->old_dfd);
		READ_COPY(asked->from, io_link, request, oldpath);
		READ(asked->to_folder, link->new_dfd);
		READ_COPY(asked->to, io_link, request, newpath);
		asked->from_is_text = operation == IORING_OP_SYMLINKAT;
	}
}

INLINE void append_copied_name(struct scratch *scratch, s32 folder, struct filename *copy,
			       struct event_name *name, u16 *flags)
{
	const char *string = 0;

	READ(string, copy->name);
	append_kernel_name(scratch, folder, string, name, flags);
}

INLINE void append_copied_text(struct scratch *scratch, struct filename *copy, struct event_name *name)
{
	const char *string = 0;

	READ(string, copy->name);
	name->base_size = 0;
	name->name_size = append_kernel_text(scratch, string);
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
	if (asked->from_is_text)
		append_copied_text(scratch, asked->from, &event->from);
	else
		append_copied_name(scratch, asked->from_folder, asked->from, &event->from,
				   &from_flags);
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
	if (operation == IORING_OP_UNLINKAT || operation == IORING_OP_MKDIRAT)
		read_one_name(&asked, request, operation);
	else if (!is_one_of(operation, OPENS_A_FILE))
		read_two_names(&asked, request, operation);
	else if (writes((void *)request))
		read_open(&asked, (void *)request);
	else
		return 0;
	if (!current_is_muted())
		send_request(request, operation, &asked);
	return 0;
}

/* Before 6.3 it was called io_uring_submit_sqe; before 6.0 the request is not its first argument. */
SPARED("tp_btf/io_uring_submit_req", on_request, EVENT_REQUEST)
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
INLINE int answer_open(struct io_open *request, s32 result)
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
	struct call call = { .ret = result };
	u32 slot = 0;

	READ(slot, request->file_slot);
	return is_in_table(result, slot) ? accepted(&call) : 0;
}

/* Apart, so that the record is off the stack while an opened file's path is walked. */
NOINLINE int send_answer(void *request, s32 result)
{
	struct event_answer event = { .request = (u64)request, .result = result };

	if (result >= 0 && current_is_dropped())
		return 0;
	stamp(&event.header, EVENT_ANSWER);
	return submit_bulk(&event.header, sizeof(event));
}

/* Where files are seen as objects, connections alone are left. */
SPARED("tp_btf/io_uring_complete", on_answer_accept, EVENT_CONNECTION)
{
	struct io_kiocb *request = (void *)context[1];
	u8 operation = 0;
	s32 result = 0;

	READ(operation, request->opcode);
	if (operation != IORING_OP_ACCEPT)
		return 0;
	READ(result, request->cqe.res);
	return answer_accept((void *)request, result);
}

SPARED("tp_btf/io_uring_complete", on_answer, EVENT_ANSWER)
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
