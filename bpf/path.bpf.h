/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where: paths from the kernel's own objects, never from a caller's string. */
#ifndef PATH_H
#define PATH_H

#include "task.bpf.h"

/* A path of 4,096 bytes has at most 2,048 names; each mount crossed costs one more step. */
#define PATH_STEPS 2304
#define NAME_ROOM 256

struct walk {
	struct scratch *scratch;
	u64 limit;
	struct dentry *dentry;
	struct dentry *mount_root;
	struct mount *mount;
	u16 flags;
};

INLINE long append_name(struct walk *walk, struct dentry *dentry)
{
	struct scratch *scratch = walk->scratch;
	const unsigned char *name = 0;
	u64 at = scratch->size;
	long size;

	BOUND(at);
	if (at >= walk->limit || at > RECORD_MAX - NAME_ROOM) {
		walk->flags |= EVENT_PATH_CUT;
		return 1;
	}
	READ(name, dentry->d_name.name);
	size = bpf_probe_read_kernel_str(scratch->record + at, NAME_ROOM, name);
	if (size <= 0) {
		walk->flags |= EVENT_PATH_CUT;
		return 1;
	}
	scratch->size = at + size;
	return 0;
}

/*
 * At the root of what is mounted nowhere (any more), which is no root of names. Reads into what the
 * walk needs no more: on 5.10 the stack is full.
 */
INLINE void mark_if_detached(struct walk *walk)
{
	const struct mnt_namespace *namespace;

	READ(walk->mount_root, walk->mount->mnt_ns);
	namespace = (void *)walk->mount_root;
	walk->limit = 0;
	bpf_probe_read_kernel(&walk->limit, sizeof(namespace->ns.inum), &namespace->ns.inum);
	if (!walk->limit || walk->limit == MNT_NS_ANON_INO)
		walk->flags |= EVENT_PATH_CUT;
}

/* One name, or one mount point. Returns 1 when the root is reached or the walk has to end. */
static long walk_step(u32 index, void *context)
{
	struct walk *walk = context;
	struct dentry *dentry = walk->dentry, *parent = 0;
	struct mount *above = 0;

	(void)index;
	if (dentry == walk->mount_root) {
		READ(above, walk->mount->mnt_parent);
		if (above == walk->mount || !above) {
			mark_if_detached(walk);
			return 1;
		}
		READ(walk->dentry, walk->mount->mnt_mountpoint);
		READ(walk->mount_root, above->mnt.mnt_root);
		walk->mount = above;
		return 0;
	}
	READ(parent, dentry->d_parent);
	if (append_name(walk, dentry))
		return 1;
	/* A file without a folder: a memfd, or a tree that is mounted nowhere. */
	if (parent == dentry || !parent)
		return 1;
	walk->dentry = parent;
	return 0;
}

LOOP(walk_step, struct walk)

/* Appends the components of a name in a mount to the record, and returns their size. */
NOINLINE u16 append_names(struct scratch *scratch, struct vfsmount *mount, struct dentry *dentry,
			  u16 *flags)
{
	u64 start = scratch->size;
	struct walk walk = { .scratch = scratch, .limit = start + PATH_LIMIT, .dentry = dentry };

	READ(walk.mount_root, mount->mnt_root);
	walk.mount = MOUNT_OF(mount);
	if (loop_walk_step(PATH_STEPS, &walk) >= PATH_STEPS)
		walk.flags |= EVENT_PATH_CUT;
	*flags |= walk.flags;
	return scratch->size - start;
}

INLINE u16 append_path(struct scratch *scratch, const struct path *path, u16 *flags)
{
	struct vfsmount *mount = 0;
	struct dentry *dentry = 0;

	READ(mount, path->mnt);
	READ(dentry, path->dentry);
	return append_names(scratch, mount, dentry, flags);
}

/*
 * Appends the folder that a name counts from which begins with `first`, by the descriptor of a call
 * for a relative one. Returns its size.
 */
INLINE u16 append_base(struct scratch *scratch, s32 folder, char first, u16 *flags)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file;

	if (first == '/')
		return append_path(scratch, &LOAD(task->fs)->root, flags);
	if (folder == AT_FDCWD)
		return append_path(scratch, &LOAD(task->fs)->pwd, flags);
	file = file_of(folder);
	if (!file)
		*flags |= EVENT_PATH_CUT;
	return append_path(scratch, &file->f_path, flags);
}

/* Appends a text of the kernel's, with its NUL; returns its size, 0 if there is none. */
INLINE u16 append_kernel_text(struct scratch *scratch, const char *string)
{
	u64 at = scratch->size;
	long size;

	BOUND(at);
	if (at > RECORD_MAX - PATH_LIMIT)
		return 0;
	size = bpf_probe_read_kernel_str(scratch->record + at, PATH_LIMIT, string);
	if (size <= 0)
		return 0;
	scratch->size = at + size;
	return size;
}

/* The mark of a file that no name leads to: it was unlinked, or never had one, as a memfd. */
INLINE u16 nameless(struct inode *inode)
{
	unsigned int links = 1;

	READ(links, inode->i_nlink);
	return links == 0 ? EVENT_NAMELESS : 0;
}

/* When the inode was last changed, ns. */
INLINE u64 changed_at(struct inode *inode)
{
	struct timespec64 time = {};
	u32 nanoseconds = 0;
	s64 seconds = 0;

	if (EXISTS(inode->i_ctime_sec)) {
		READ(seconds, inode->i_ctime_sec);
		READ(nanoseconds, inode->i_ctime_nsec);
		return seconds * 1000000000 + (nanoseconds & ~I_CTIME_QUERIED);
	}
	if (EXISTS(inode->__i_ctime))
		READ(time, inode->__i_ctime);
	else
		READ(time, inode->i_ctime);
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

INLINE void read_version(struct file_version *version, struct inode *inode)
{
	struct super_block *device = 0;
	unsigned long number = 0, magic = 0;

	READ(number, inode->i_ino);
	READ(device, inode->i_sb);
	READ(version->device, device->s_dev);
	READ(magic, device->s_magic);
	READ(version->size, inode->i_size);
	version->inode = number;
	version->changed = changed_at(inode);
	version->filesystem = magic;
}

#endif
