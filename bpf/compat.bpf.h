/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The helpers that are called, and what differs between kernels: one change per entry.
 *
 * The sources are compiled twice. OLD_KERNELS is defined for the object that kernels before 5.17
 * run, back to 5.8; in it, what later kernels do themselves is done here.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "kernel_network.h"

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))

/* How a map is declared: the loader reads these pointers' types from BTF. */
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_F_CLONE = 1 << 9, /* 5.4 */
	BPF_SK_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

/* The numbers are ABI (include/uapi/linux/bpf.h). */
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value,
				   u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static long (*bpf_skb_load_bytes)(const struct __sk_buff *packet, u32 from, void *to,
				  u32 size) = (void *)26;
static struct bpf_sock *(*bpf_sk_fullsock)(struct bpf_sock *socket) = (void *)95;
static long (*bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*bpf_probe_read_user_str)(void *to, u32 size, const void *from) = (void *)114;
static long (*bpf_probe_read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static u64 (*bpf_ringbuf_query)(void *ring, u64 flags) = (void *)134;

/*
 * Copies a text of the caller's with its NUL; its size, negative if it faults. That of an empty one
 * is 0 where the kernel does not count its NUL, as 6.1 does not.
 */
INLINE long read_user_text(void *to, u32 size, const char *from)
{
	long copied = bpf_probe_read_user_str(to, size, from);

	return copied ? copied : 1;
}

/* Copies a field through a pointer that the verifier knows nothing about; zero if it faults. */
#define READ(to, field) bpf_probe_read_kernel(&(to), sizeof(to), &(field))

/*
 * 5.11: the verifier knows the current task's type. LOAD is a field's value by way of the current
 * task, of whatever bpf_get_current_task_btf and bpf_task_pt_regs lead to; zero if it faults.
 */
#ifdef OLD_KERNELS
static u64 (*bpf_get_current_task)(void) = (void *)35;

INLINE struct task_struct *bpf_get_current_task_btf(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

#define LOAD(field)                                                                        \
	({                                                                                 \
		__typeof_unqual__(field) value_ = 0;                                       \
		READ(value_, field);                                                       \
		value_;                                                                    \
	})
#else
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;

#define LOAD(field) (field)
#endif

/*
 * 5.11: tracing programs may keep something in a socket. Before, by the socket's address, and a
 * connection that comes in starts with nothing.
 */
#ifdef OLD_KERNELS
#define SOCKET_STORAGE                                                                     \
	__uint(type, BPF_MAP_TYPE_HASH);                                                   \
	__uint(max_entries, 16384);                                                        \
	__type(key, u64)

/* Of sockets whose end is not seen. */
#define DATAGRAM_STORAGE                                                                   \
	__uint(type, BPF_MAP_TYPE_LRU_HASH);                                               \
	__uint(max_entries, 4096);                                                         \
	__type(key, u64)

#define bpf_sk_storage_get(map, socket, initial, flags)                                    \
	({                                                                                 \
		u64 key_ = (u64)(socket);                                                  \
		typeof((map)->value) found_ = bpf_map_lookup_elem(map, &key_);             \
                                                                                           \
		if (!found_ && (flags) & BPF_SK_STORAGE_GET_F_CREATE) {                    \
			typeof(*(map)->value) zero_ = {};                                  \
                                                                                           \
			bpf_map_update_elem(map, &key_, &zero_, BPF_ANY);                  \
			found_ = bpf_map_lookup_elem(map, &key_);                          \
		}                                                                          \
		found_;                                                                    \
	})

INLINE long bpf_sk_storage_delete(void *map, struct sock *socket)
{
	u64 key = (u64)socket;

	return bpf_map_delete_elem(map, &key);
}
#else
#define SOCKET_STORAGE                                                                     \
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);                                             \
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);                                \
	__type(key, int)

#define DATAGRAM_STORAGE SOCKET_STORAGE

static void *(*bpf_sk_storage_get)(void *map, struct sock *sock, void *value,
				   u64 flags) = (void *)107;
static long (*bpf_sk_storage_delete)(void *map, struct sock *sock) = (void *)108;
#endif

/*
 * 5.12: an addition tells what was there before. Only one of this order compiles into the earlier
 * instruction; the compiler then takes what was added for what was there, so that nobody may ask.
 */
#define __sync_fetch_and_add(number, value)                                                \
	((void)__atomic_fetch_add(number, value, __ATOMIC_RELAXED))

/* On old kernels, what interrupts between may be told the same. */
INLINE u64 fetch_and_increment(u64 *number)
{
#ifdef OLD_KERNELS
	u64 before = *(volatile u64 *)number;

	__sync_fetch_and_add(number, 1);
	return before;
#else
	return __atomic_fetch_add(number, 1, __ATOMIC_SEQ_CST);
#endif
}

/* 5.15: the registers a system call was made with. Before, from the place where its entry saves them. */
#ifdef OLD_KERNELS
#define KERNEL_STACK 16384 /* x86-64, if not built with KASAN */
#define SAVED_REGISTERS 168

INLINE struct pt_regs *bpf_task_pt_regs(struct task_struct *task)
{
	return LOAD(task->stack) + KERNEL_STACK - SAVED_REGISTERS;
}
#else
static struct pt_regs *(*bpf_task_pt_regs)(struct task_struct *task) = (void *)175;
#endif

/*
 * 5.17: loops that the verifier need not walk step by step. loop_STEP(count, context) is `count`,
 * or less where a step has ended it.
 *
 * Before, some steps at a time in a function that is not static: the verifier walks such a one by
 * itself, once, whoever calls it and how often. Numbers are all that it may be given, so that the
 * context is handed over in the CPU's buffer.
 */
#ifdef OLD_KERNELS
/* Without a buffer, as many steps as the verifier can be asked to walk. */
#define STEPS_MAX 128

INLINE long bpf_loop(u32 count, long (*step)(u32, void *), void *context, u64 flags)
{
	(void)flags;
	for (u32 index = 0; index < count && index < STEPS_MAX; index++)
		if (step(index, context))
			return index + 1;
	return count;
}

#define LOOP_STEPS 32
#define LOOP_CALLS 72

#define LOOP(step, type)                                                                   \
	__attribute__((noinline)) int step##_some(u32 from, u32 count)                     \
	{                                                                                  \
		struct scratch *scratch = this_scratch(SCRATCH_BULK);                      \
		int ended = 0;                                                             \
		type context;                                                              \
                                                                                           \
		if (!scratch)                                                              \
			return 1;                                                          \
		__builtin_memcpy(&context, scratch->context, sizeof(context));             \
		context.scratch = scratch;                                                 \
		for (u32 index = 0; index < LOOP_STEPS && from + index < count; index++) { \
			ended = step(from + index, &context);                              \
			if (ended)                                                         \
				break;                                                     \
		}                                                                          \
		__builtin_memcpy(scratch->context, &context, sizeof(context));             \
		return ended;                                                              \
	}                                                                                  \
                                                                                           \
	INLINE long loop_##step(u32 count, type *context)                                  \
	{                                                                                  \
		struct scratch *scratch = context->scratch;                                \
		u32 call;                                                                  \
                                                                                           \
		__builtin_memcpy(scratch->context, context, sizeof(*context));             \
		for (call = 0; call < LOOP_CALLS && call * LOOP_STEPS < count; call++)     \
			if (step##_some(call * LOOP_STEPS, count))                         \
				break;                                                     \
		__builtin_memcpy(context, scratch->context, sizeof(*context));             \
		context->scratch = scratch;                                                \
		return call * LOOP_STEPS < count ? call * LOOP_STEPS : count;              \
	}
#else
static long (*bpf_loop)(u32 count, void *step, void *context, u64 flags) = (void *)181;

#define LOOP(step, type)                                                                   \
	INLINE long loop_##step(u32 count, type *context)                                  \
	{                                                                                  \
		return bpf_loop(count, step, context, 0);                                  \
	}
#endif

/* Whether the running kernel's struct has the field. */
#define EXISTS(field) __builtin_preserve_field_info(field, 2)

/*
 * 5.12: a mount has a view of users, and functions of vfs_* have it as their first argument. 7.0:
 * those that change a folder have one more at their end, which came with a struct.
 *
 * struct renamedata, which is of 5.12 as well, tells nothing: 5.10.220 has it, too.
 */
#define HAS_VIEW                                                                           \
	(EXISTS(((struct vfsmount *)0)->mnt_userns) | EXISTS(((struct vfsmount *)0)->mnt_idmap))
#define HAS_DELEGATION EXISTS(((struct delegated_inode *)0)->di_inode)

/* Keeps the compiler from moving a bounds check away from the value the verifier must see it on. */
#define BOUND(variable) asm volatile("" : "+r"(variable))

/* container_of whose offset is the running kernel's. */
#define MOUNT_OF(vfsmount)                                                                 \
	((struct mount *)((void *)(vfsmount) -                                             \
			  __builtin_preserve_field_info(((struct mount *)0)->mnt, 0)))

/* The same for the inode of a file of /proc. */
#define PROC_INODE_OF(inode)                                                               \
	((struct proc_inode *)((void *)(inode) - __builtin_preserve_field_info(            \
							 ((struct proc_inode *)0)->vfs_inode, 0)))

#endif
