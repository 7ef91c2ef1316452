/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The helpers that are called, and what differs between kernels: one change per entry. */
#ifndef COMPAT_H
#define COMPAT_H

#include "kernel.h"

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
static void *(*bpf_sk_storage_get)(void *map, struct sock *sock, void *value,
				   u64 flags) = (void *)107;
static long (*bpf_sk_storage_delete)(void *map, struct sock *sock) = (void *)108;
static long (*bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*bpf_probe_read_user_str)(void *to, u32 size, const void *from) = (void *)114;
static long (*bpf_probe_read_kernel_str)(void *to, u32 size, const void *from) = (void *)115;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static u64 (*bpf_ringbuf_query)(void *ring, u64 flags) = (void *)134;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static struct pt_regs *(*bpf_task_pt_regs)(struct task_struct *task) = (void *)175; /* 5.15 */
static long (*bpf_loop)(u32 count, void *step, void *context, u64 flags) = (void *)181; /* 5.17 */

/* Copies a field through a pointer that the verifier knows nothing about; zero if it faults. */
#define READ(to, field) bpf_probe_read_kernel(&(to), sizeof(to), &(field))

/* Whether the running kernel's struct has the field. */
#define EXISTS(field) __builtin_preserve_field_info(field, 2)

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
