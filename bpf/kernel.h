/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel's types, as far as they are read. The loader replaces every offset by the running
 * kernel's (CO-RE), so only names and types of fields matter here, not order or completeness.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include "event.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

typedef struct {
	int counter;
} atomic_t;

struct group_info {
	int ngroups;
	kgid_t gid[1];
};

struct ns_common {
	const struct proc_ns_operations *ops;
	unsigned int inum;
	u32 ns_type; /* 6.18 */
};

struct proc_ns_operations {
	int type; /* CLONE_NEW* */
};

struct user_namespace {
	struct ns_common ns;
};

struct uts_namespace {
	struct ns_common ns;
};

struct ipc_namespace {
	struct ns_common ns;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct net {
	struct ns_common ns;
};

struct time_namespace {
	struct ns_common ns;
};

struct cgroup_namespace {
	struct ns_common ns;
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct idr {
	struct xarray idr_rt;
};

struct pid_namespace {
	struct ns_common ns;
	struct idr idr;
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
	struct time_namespace *time_ns;
	struct cgroup_namespace *cgroup_ns;
};

/* Eight bytes in every kernel; its name and its members differ. */
struct capability_set {
	u64 bits;
};

struct cred {
	kuid_t uid, euid, suid, fsuid;
	kgid_t gid, egid, sgid, fsgid;
	struct capability_set cap_permitted, cap_effective, cap_inheritable, cap_ambient;
	struct group_info *group_info;
	struct user_namespace *user_ns;
};

struct qstr {
	u64 hash_len;
	const unsigned char *name;
};

struct file_system_type {
	const char *name;
};

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct list_head {
	struct list_head *next;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
	struct file_system_type *s_type;
	struct list_head s_mounts;
};

/* Since 6.18: */
struct super_block___6_18 {
	struct mount *s_mounts;
};

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_generation;
	unsigned int i_nlink;
	s64 i_size;
	void *i_private;
	struct timespec64 i_ctime;   /* until 6.5 */
	struct timespec64 __i_ctime; /* until 6.10 */
	s64 i_ctime_sec;             /* since 6.11 */
	u32 i_ctime_nsec;            /* … */
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct user_namespace *mnt_userns; /* 5.12 to 6.1 */
	struct mnt_idmap *mnt_idmap;       /* 6.2 */
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
	struct list_head mnt_instance; /* until 6.17 */
	struct mount *mnt_next_for_sb; /* since 6.18 */
	const char *mnt_devname;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

/* Looked for only, to tell kernels apart. */
struct delegated_inode {
	struct inode *di_inode;
};

/* What setxattr is told, 5.19; its first name until 6.12. */
struct xattr_ctx {
	const char *kname;
};

struct kernel_xattr_ctx {
	const char *kname;
};

struct file {
	u32 f_mode;
	unsigned int f_flags;
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

/* A number of a process in one namespace. */
struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[4];
	struct upid numbers[1]; /* one for each level */
};

/* An inode of /proc, around the common one. */
struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

struct sigaction {
	void *sa_handler;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64];
};

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	int group_exit_code;
};

struct thread_info {
	u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	int pid, tgid;
	int exit_code;
	u64 self_exec_id;
	u64 start_boottime;
	struct pid *thread_pid;
	kuid_t loginuid;
	unsigned int sessionid;
	struct task_struct *group_leader;
	struct task_struct *real_parent;
	const struct cred *real_cred, *cred;
	struct files_struct *files;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	struct hlist_node pid_links[4];
};

struct module {
	char name[MODULE_NAME_MAX];
};

enum bpf_prog_type { BPF_PROG_TYPE_UNSPEC };
enum bpf_link_type { BPF_LINK_TYPE_UNSPEC };

struct bpf_prog {
	enum bpf_prog_type type;
	u8 tag[8];
	struct bpf_prog_aux *aux;
};

struct bpf_prog_aux {
	u32 id;
	char name[16];
};

struct bpf_link {
	enum bpf_link_type type;
	struct bpf_prog *prog;
};

struct kernfs_node {
	struct kernfs_node *parent;   /* until 6.14 */
	struct kernfs_node *__parent; /* since 6.15 */
	const char *name;
	u64 id;
};

struct cgroup_root;

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

struct filename {
	const char *name;
};

struct open_flags {
	int open_flag;
};

struct linux_binprm {
	struct file *file;
	int argc;
	const char *filename;
	const char *interp;
};

struct pt_regs {
	unsigned long di, si, dx, cx, bx, r10, r8, ax;
	unsigned long orig_ax;
};

#pragma clang attribute pop

/* What perf hands to a program on syscalls/sys_exit_*: not a kernel struct, but fixed ABI. */
struct syscall_exit {
	u64 common;
	s32 nr;
	s32 unset; /* of newer kernels whatever was on the stack */
	s64 ret;
};

/* The begin of a siginfo, which is ABI as well. */
struct signal_info {
	int number;
	int error;
	int code;
};

/* The begin of what bpf(2) is told for BPF_PROG_ATTACH: ABI. */
struct bpf_attach {
	s32 target;
	s32 program;
};

/* Values of macros, which BTF does not hold; stable since the kernels named. */
#define I_CTIME_QUERIED (1U << 31) /* a mark in the nanoseconds, 6.13 */
#define FMODE_WRITE 0x2
#define FMODE_EXEC 0x20
#define EPERM 1
#define EACCES 13
#define FMODE_CREATED 0x100000 /* 4.19 */
#define SIGNAL_GROUP_EXIT 0x4
#define PF_KTHREAD 0x200000
#define TS_COMPAT 0x2 /* the task is in a call of 32-bit programs */
#define AT_FDCWD -100
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR 0x200
#define O_ACCMODE 3
#define O_CREAT 0100
#define O_TRUNC 01000
#define O_WITHOUT_NAME 020000000 /* what tells O_TMPFILE from O_DIRECTORY */
#define RENAME_EXCHANGE 0x2
#define RENAME_WHITEOUT 0x4
#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe
#define MS_BIND 0x1000
#define MS_MOVE 0x2000
#define MOVE_MOUNT_F_EMPTY_PATH 0x4 /* 5.2 */
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFCHR 0020000
#define PROC_SUPER_MAGIC 0x9fa0
#define MNT_NS_ANON_INO 0xeffffff7 /* 6.18; before, none */
#define CLONE_NEWTIME 0x00000080
#define CLONE_NEWNS 0x00020000
#define CLONE_NEWCGROUP 0x02000000
#define CLONE_NEWUTS 0x04000000
#define CLONE_NEWIPC 0x08000000
#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWPID 0x20000000
#define CLONE_NEWNET 0x40000000
#define SIGKILL 9
#define SIGTERM 15
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTTOU 22
#define SIGURG 23
#define SIGWINCH 28
#define SIGNALS 64
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE -1
#define SI_TKILL -6
#define TRACE_SIGNAL_IGNORED 1
#define PTRACE_POKETEXT 4
#define PTRACE_POKEDATA 5
#define PTRACE_POKEUSER 6
#define PTRACE_SETREGS 13
#define PTRACE_SETFPREGS 15
#define PTRACE_ATTACH 16
#define PTRACE_SETFPXREGS 19
#define PTRACE_SETREGSET 0x4205
#define PTRACE_SEIZE 0x4206
#define BPF_PROG_LOAD 5
#define BPF_PROG_ATTACH 8
#define BPF_RAW_TRACEPOINT_OPEN 17
#define BPF_LINK_CREATE 28

#endif
