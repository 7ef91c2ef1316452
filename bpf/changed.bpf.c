/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Changes of files that are not their content, as the kernel's own objects, where a function returns
 * that each way to change comes to. They replace programs of change.bpf.c.
 */
#include "entry.bpf.h"
#include "name.bpf.h"

/* Looks for a mount under whose root a name is. */
struct search {
	struct dentry *dentry;
	struct dentry *at; /* it, or a folder above it */
	struct mnt_namespace *namespace;
	struct mount *mount; /* that is looked at */
	struct list_head *end;
};

/* A file system's mount by its place in the list; NULL at the list's end. */
INLINE struct mount *mount_listed(struct list_head *place, struct list_head *end)
{
	return place == end ? 0 :
	       (void *)place - __builtin_preserve_field_info(((struct mount *)0)->mnt_instance, 0);
}

INLINE struct mount *mount_after(struct mount *mount, struct list_head *end)
{
	struct list_head *place = 0;
	struct mount *next = 0;

	if (EXISTS(mount->mnt_next_for_sb)) {
		READ(next, mount->mnt_next_for_sb);
		return next;
	}
	READ(place, mount->mnt_instance.next);
	return mount_listed(place, end);
}

/* One folder up, or another mount. Returns 1 when one is found, or none is left. */
static long search_step(u32 index, void *context)
{
	struct search *search = context;
	struct mnt_namespace *namespace = 0;
	struct dentry *root = 0, *parent = 0;

	(void)index;
	if (!search->mount)
		return 1;
	READ(namespace, search->mount->mnt_ns);
	READ(root, search->mount->mnt.mnt_root);
	READ(parent, search->at->d_parent);
	if (namespace == search->namespace && search->at == root)
		return 1;
	if (namespace == search->namespace && search->at != parent) {
		search->at = parent;
		return 0;
	}
	search->at = search->dentry;
	search->mount = mount_after(search->mount, search->end);
	return 0;
}

/* A mount by which the current task may see a name that came without one; NULL if there is none. */
NOINLINE struct vfsmount *mount_of(struct dentry *dentry)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct search search = { .dentry = dentry, .at = dentry };
	struct super_block___6_18 *later;
	struct super_block *device = 0;
	struct list_head *first = 0;
	struct inode *inode = 0;

	search.namespace = LOAD(LOAD(task->nsproxy)->mnt_ns);
	READ(inode, dentry->d_inode);
	READ(device, inode->i_sb);
	later = (void *)device;
	if (EXISTS(device->s_mounts)) {
		search.end = &device->s_mounts;
		READ(first, device->s_mounts.next);
		search.mount = mount_listed(first, search.end);
	} else {
		READ(search.mount, later->s_mounts);
	}
	if (bpf_loop(PATH_STEPS, search_step, &search, 0) >= PATH_STEPS || !search.mount)
		return 0;
	return &search.mount->mnt;
}

/* What each function changes, by its arguments; 0 if it is not to be told. */

INLINE void take_path(struct change *change, u64 argument)
{
	const struct path *path = (void *)argument;

	READ(change->mount, path->mnt);
	READ(change->dentry, path->dentry);
}

INLINE int mode_of(struct change *change, const u64 *with)
{
	change->mode = (u16)with[1];
	take_path(change, with[0]);
	return 1;
}

INLINE int owner_of(struct change *change, const u64 *with)
{
	change->uid = with[1];
	change->gid = with[2];
	take_path(change, with[0]);
	return 1;
}

INLINE int length_of(struct change *change, const u64 *with)
{
	change->size = with[1];
	take_path(change, with[0]);
	return 1;
}

INLINE int times_of(struct change *change, const u64 *with)
{
	const s64 *times = (void *)with[1];
	s64 given[2] = {};

	change->accessed = change->modified = TIME_NOW;
	/* It gets no times, from nowhere to read, for those of now. One after the other, for the stack. */
	if (!bpf_probe_read_kernel(given, sizeof(given), times)) {
		change->accessed = time_of(given[0], given[1], 1);
		bpf_probe_read_kernel(given, sizeof(given), times + 2);
		change->modified = time_of(given[0], given[1], 1);
	}
	take_path(change, with[0]);
	return 1;
}

/* Those of attributes are told no mount. */
INLINE void take_attribute(struct change *change, u64 dentry, const char *name)
{
	change->attribute = name;
	change->dentry = (void *)dentry;
	change->mount = mount_of(change->dentry);
}

/* A file system does it with rights of its own, as an overlay to the layer below once it was asked to. */
INLINE int is_passed_on(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *own = 0, *used = 0;

	READ(own, task->real_cred);
	READ(used, task->cred);
	return own != used;
}

/* Where the arguments begin that tell the file: before it may stand a view. */
#define PLACE_OF_NAME (HAS_VIEW ? 1 : 0)

/* 5.19: do_setxattr, to which what is set comes in a struct. Before, vfs_setxattr. */
#define ATTRIBUTE_IN_STRUCT                                                                \
	(EXISTS(((struct kernel_xattr_ctx *)0)->kname) || EXISTS(((struct xattr_ctx *)0)->kname))

INLINE int attribute_of(struct change *change, const u64 *with)
{
	u64 name[2] = {};
	struct kernel_xattr_ctx *told;
	struct xattr_ctx *told_before;
	const char *attribute;

	bpf_probe_read_kernel(name, sizeof(name), with + PLACE_OF_NAME);
	told = (void *)name[1];
	told_before = (void *)name[1];
	attribute = (void *)name[1];
	if (EXISTS(told->kname))
		READ(attribute, told->kname);
	else if (EXISTS(told_before->kname))
		READ(attribute, told_before->kname);
	else if (is_passed_on())
		return 0;
	take_attribute(change, name[0], attribute);
	return 1;
}

INLINE int removal_of(struct change *change, const u64 *with)
{
	u64 name[2] = {};

	if (is_passed_on())
		return 0;
	bpf_probe_read_kernel(name, sizeof(name), with + PLACE_OF_NAME);
	change->how = CHANGE_REMOVED;
	take_attribute(change, name[0], (void *)name[1]);
	return 1;
}

/* The name is known, and so what is behind it. */
INLINE int send_change_of(struct change *change)
{
	u16 mode = 0;

	READ(change->inode, change->dentry->d_inode);
	READ(mode, change->inode->i_mode);
	if ((mode & S_IFMT) == S_IFLNK)
		change->how |= CHANGE_NOFOLLOW;
	return send_change(change);
}

/*
 * By breakpoints, a function that returns does not tell its arguments: they are remembered by thread.
 * The loader sets the number. One whose return was not seen stays until others push it out.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct change);
} changing SEC(".maps");

INLINE int remember_change(const struct change *change)
{
	u32 thread = bpf_get_current_pid_tgid();

	if (bpf_map_update_elem(&changing, &thread, change, BPF_ANY))
		count_lost(change->kind);
	return 0;
}

/* A file system may do one change by another, which was not remembered. */
INLINE int finish_change(u32 kind, s32 returned)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct change *change = bpf_map_lookup_elem(&changing, &thread);

	if (!change || change->kind != kind)
		return 0;
	if (!returned)
		send_change_of(change);
	bpf_map_delete_elem(&changing, &thread);
	return 0;
}

/* A function of so many arguments, the kind of its change, and what it changes by them. */
#define CHANGED(function, arguments, change_kind, what)                                    \
	SPARED("fexit/" #function, leave_##function, change_kind)                          \
	{                                                                                  \
		struct change change = { .kind = change_kind };                            \
		s32 returned = 0;                                                          \
                                                                                           \
		READ(returned, *(s32 *)(context + (arguments)));                           \
		if (returned || current_is_muted() || !what(&change, context))             \
			return 0;                                                          \
		return current_is_dropped() ? 0 : send_change_of(&change);                 \
	}                                                                                  \
                                                                                           \
	SEC("kprobe/" #function)                                                           \
	int probe_##function(struct pt_regs *context)                                      \
	{                                                                                  \
		u64 with[] = { context->di, context->si, context->dx };                    \
		struct change change = { .kind = change_kind };                            \
                                                                                           \
		if (current_is_muted())                                                    \
			return 0;                                                          \
		return what(&change, with) ? remember_change(&change) : 0;                 \
	}                                                                                  \
                                                                                           \
	SEC("kretprobe/" #function)                                                        \
	int finish_##function(struct pt_regs *context)                                     \
	{                                                                                  \
		return finish_change(change_kind, context->ax);                            \
	}

CHANGED(chmod_common, 2, EVENT_MODE, mode_of)
CHANGED(chown_common, 3, EVENT_OWNER, owner_of)
CHANGED(vfs_utimes, 2, EVENT_TIMES, times_of)
CHANGED(vfs_truncate, 2, EVENT_TRUNCATE, length_of)
CHANGED(do_setxattr, ATTRIBUTE_IN_STRUCT ? 3 : 5 + PLACE_OF_NAME, EVENT_ATTRIBUTE, attribute_of)
CHANGED(vfs_removexattr, 2 + PLACE_OF_NAME, EVENT_ATTRIBUTE, removal_of)
/* 6.2: access control lists. */
CHANGED(vfs_remove_acl, 2 + PLACE_OF_NAME, EVENT_ATTRIBUTE, removal_of)
