/* A ring of io_uring without its library. */
#ifndef RING_H
#define RING_H

#include "trick.h"

#include <linux/io_uring.h>

enum { ENTRIES = 8 };

struct ring {
	int descriptor;
	unsigned flags;
	unsigned *head, *tail, *wake, *answers_head, *answers_tail;
	unsigned mask, answers_mask;
	unsigned *order;
	struct io_uring_sqe *requests;
	struct io_uring_cqe *answers;
};

__attribute__((unused)) static struct ring ring_of(unsigned flags)
{
	struct io_uring_params with = { .flags = flags, .sq_thread_idle = 1000 };
	struct ring ring = { .flags = flags };
	char *queue, *answers;

	ring.descriptor = syscall(SYS_io_uring_setup, ENTRIES, &with);
	if (ring.descriptor < 0)
		cannot("io_uring");
	queue = mmap(NULL, with.sq_off.array + with.sq_entries * sizeof(unsigned),
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.descriptor,
		     IORING_OFF_SQ_RING);
	answers = mmap(NULL, with.cq_off.cqes + with.cq_entries * sizeof(struct io_uring_cqe),
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.descriptor,
		       IORING_OFF_CQ_RING);
	ring.requests = mmap(NULL, with.sq_entries * sizeof(struct io_uring_sqe),
			     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.descriptor,
			     IORING_OFF_SQES);
	MUST(queue);
	MUST(answers);
	MUST(ring.requests);
	ring.head = (void *)(queue + with.sq_off.head);
	ring.tail = (void *)(queue + with.sq_off.tail);
	ring.wake = (void *)(queue + with.sq_off.flags);
	ring.mask = *(unsigned *)(queue + with.sq_off.ring_mask);
	ring.order = (void *)(queue + with.sq_off.array);
	ring.answers_head = (void *)(answers + with.cq_off.head);
	ring.answers_tail = (void *)(answers + with.cq_off.tail);
	ring.answers_mask = *(unsigned *)(answers + with.cq_off.ring_mask);
	ring.answers = (void *)(answers + with.cq_off.cqes);
	return ring;
}

/* Hands a request over, without waiting for it. */
__attribute__((unused)) static void submit(struct ring *ring, struct io_uring_sqe request)
{
	unsigned tail = *ring->tail;

	ring->requests[tail & ring->mask] = request;
	ring->order[tail & ring->mask] = tail & ring->mask;
	__atomic_store_n(ring->tail, tail + 1, __ATOMIC_SEQ_CST);
	if (!(ring->flags & IORING_SETUP_SQPOLL))
		MUST(syscall(SYS_io_uring_enter, ring->descriptor, 1, 0, 0, NULL, 0));
	else if (__atomic_load_n(ring->wake, __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
		MUST(syscall(SYS_io_uring_enter, ring->descriptor, 1, 0, IORING_ENTER_SQ_WAKEUP,
			     NULL, 0));
}

/* The next answer's result; a negative one is an error's number. */
__attribute__((unused)) static int answer(struct ring *ring)
{
	unsigned head = *ring->answers_head;
	int result;

	while (head == __atomic_load_n(ring->answers_tail, __ATOMIC_ACQUIRE))
		MUST(syscall(SYS_io_uring_enter, ring->descriptor, 0, 1, IORING_ENTER_GETEVENTS,
			     NULL, 0));
	result = ring->answers[head & ring->answers_mask].res;
	__atomic_store_n(ring->answers_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

/* Has it done, and must succeed. */
__attribute__((unused)) static int done(struct ring *ring, struct io_uring_sqe request)
{
	int result;

	submit(ring, request);
	result = answer(ring);
	if (result == -EINVAL)
		errno = EINVAL, cannot("this operation");
	if (result < 0) {
		fprintf(stderr, "operation %d: %s\n", request.opcode, strerror(-result));
		exit(1);
	}
	return result;
}

#define OPENAT(folder, path, how)                                                          \
	(struct io_uring_sqe)                                                              \
	{                                                                                  \
		.opcode = IORING_OP_OPENAT, .fd = folder, .addr = (uintptr_t)(path),      \
		.len = 0600, .open_flags = how                                             \
	}

#define UNLINKAT(folder, path, how)                                                        \
	(struct io_uring_sqe)                                                              \
	{                                                                                  \
		.opcode = IORING_OP_UNLINKAT, .fd = folder, .addr = (uintptr_t)(path),    \
		.unlink_flags = how                                                        \
	}

#define RENAMEAT(folder, from, to)                                                         \
	(struct io_uring_sqe)                                                              \
	{                                                                                  \
		.opcode = IORING_OP_RENAMEAT, .fd = folder, .addr = (uintptr_t)(from),    \
		.len = folder, .off = (uintptr_t)(to)                                      \
	}

#define SETXATTR(path, name, text, size)                                                   \
	(struct io_uring_sqe)                                                              \
	{                                                                                  \
		.opcode = IORING_OP_SETXATTR, .addr = (uintptr_t)(name),                  \
		.addr2 = (uintptr_t)(text), .len = size, .addr3 = (uintptr_t)(path)        \
	}

#define FSETXATTR(file, name, text, size)                                                  \
	(struct io_uring_sqe)                                                              \
	{                                                                                  \
		.opcode = IORING_OP_FSETXATTR, .fd = file, .addr = (uintptr_t)(name),     \
		.addr2 = (uintptr_t)(text), .len = size                                    \
	}

#define MKDIRAT(folder, path)                                                              \
	(struct io_uring_sqe)                                                              \
	{                                                                                  \
		.opcode = IORING_OP_MKDIRAT, .fd = folder, .addr = (uintptr_t)(path),     \
		.len = 0700                                                                \
	}

#define SYMLINKAT(text, folder, path)                                                      \
	(struct io_uring_sqe)                                                              \
	{                                                                                  \
		.opcode = IORING_OP_SYMLINKAT, .fd = folder, .addr = (uintptr_t)(text),   \
		.off = (uintptr_t)(path)                                                   \
	}

#define LINKAT(from_folder, from, folder, to, how)                                         \
	(struct io_uring_sqe)                                                              \
	{                                                                                  \
		.opcode = IORING_OP_LINKAT, .fd = from_folder, .addr = (uintptr_t)(from), \
		.len = folder, .off = (uintptr_t)(to), .hardlink_flags = how               \
	}

#endif
