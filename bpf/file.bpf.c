/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Files: opened for writing, deleted, renamed. */
#include "entry.bpf.h"
#include "injection.bpf.h"
#include "name.bpf.h"
#include "repeat.bpf.h"

/* A number for a name in a folder of a mount; large odd factors keep the parts apart. */
INLINE u64 number_of(const struct path *path)
{
	struct dentry *dentry = 0, *parent = 0;
	struct vfsmount *mount = 0;
	u64 name = 0;

	READ(mount, path->mnt);
	READ(dentry, path->dentry);
	READ(parent, dentry->d_parent);
	READ(name, dentry->d_name.hash_len);
	return ((name * 0x9e3779b97f4a7c15 + (u64)parent) * 0xbf58476d1ce4e5b9 + (u64)mount) *
	       0x94d049bb133111eb;
}

INLINE void identify(struct repeat_key *key, struct file *file, struct inode *inode)
{
	struct super_block *device = 0;
	unsigned long number = 0, magic = 0;

	READ(number, inode->i_ino);
	READ(device, inode->i_sb);
	READ(key->device, device->s_dev);
	READ(magic, device->s_magic);
	READ(key->generation, inode->i_generation);
	key->inode = number;
	key->filesystem = magic;
	key->path = number_of(&file->f_path);
	identify_actor(key);
}

INLINE void send_open(const struct repeat_key *key, struct file *file, struct inode *inode,
		      u16 flags, u16 mode)
{
	struct event_open *event;
	struct scratch *scratch = scratch_take(EVENT_OPEN, sizeof(*event));
	struct repeat *repeat = 0;
	u16 path_flags = 0;
	int made = 0;
	u64 now;

	if (!scratch)
		return;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_OPEN);
	event->key = *key;
	event->mode = mode;
	READ(event->uid, inode->i_uid);
	READ(event->gid, inode->i_gid);
	READ(event->size, inode->i_size);
	event->reserved = 0;
	/* Kept there: the verifier would walk the path once for each combination that it knows. */
	event->header.flags = flags | nameless(inode);
	event->path_size = append_path(scratch, &file->f_path, &path_flags);
	is_of_file(scratch, event->path_size);
	if (repeat_window)
		repeat = entry_of(&repeats, key, &made);
	event->header.flags |= path_flags | (repeat ? EVENT_TRACKED : 0);
	now = event->header.time;
	settle_entry(&repeats, key, repeat, made, submit_scratch(&bulk, RING_BULK, scratch), now);
}

INLINE int opened_file(struct file *file)
{
	struct repeat_key key = {};
	struct inode *inode = 0;
	u32 file_mode = 0;
	u16 mode = 0, created;

	READ(file_mode, file->f_mode);
	if (!(file_mode & FMODE_WRITE))
		return 0;
	READ(inode, file->f_inode);
	READ(mode, inode->i_mode);
	if ((mode & S_IFMT) != S_IFREG || current_is_dropped())
		return 0;
	identify(&key, file, inode);
	/* A file can be made only once, so what was made is another than the one of the entry. */
	created = file_mode & FMODE_CREATED ? EVENT_CREATED : 0;
	if (repeat_window && !created && is_repeat(&repeats, EVENT_OPEN, &key, repeat_window))
		return 0;
	if (current_is_muted())
		return 0;
	send_open(&key, file, inode, created, mode);
	opened_memory(file, inode);
	return 0;
}

INLINE int opened(struct syscall_exit *call)
{
	return call->ret < 0 ? 0 : opened_file(file_of(call->ret));
}

#define OPENS(name)                                                                        \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                         \
	int on_##name(struct syscall_exit *call)                                           \
	{                                                                                  \
		return opened(call);                                                       \
	}

OPENS(open)
OPENS(openat)
OPENS(openat2)
OPENS(creat)
OPENS(open_by_handle_at)

/* Whoever asked by name, for a file or an error. do_file_open since 7.0. */
SPARED("fexit/do_filp_open", leave_open, EVENT_OPEN)
{
	u64 file = 0;

	READ(file, context[3]);
	return is_error(file) ? 0 : opened_file((void *)file);
}

/* By a handle, for a descriptor or an error. */
SPARED("fexit/do_handle_open", leave_open_by_handle, EVENT_OPEN)
{
	struct syscall_exit call = {};

	READ(call.ret, context[3]);
	return opened(&call);
}

/*
 * A file without a name that is about to be open. Where returns are not seen, the other files are met
 * when they are open, in security_file_post_open, before 6.9 in ima_file_check.
 */
SEC("kprobe/security_file_open")
int probe_open(struct pt_regs *context)
{
	struct file *file = (void *)context->di;
	u32 flags = 0;

	READ(flags, file->f_flags);
	return flags & O_WITHOUT_NAME ? opened_file(file) : 0;
}

SEC("kprobe/security_file_post_open")
int probe_opened(struct pt_regs *context)
{
	return opened_file((void *)context->di);
}

NOINLINE int send_delete(s32 folder, const char *string, u16 flags)
{
	struct event_delete *event;
	struct scratch *scratch = scratch_take(EVENT_DELETE, sizeof(*event));

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_DELETE);
	event->reserved = 0;
	append_name_at(scratch, folder, string, &event->name, &flags);
	event->header.flags = flags;
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_unlink")
int on_unlink(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_delete(AT_FDCWD, (void *)LOAD(with->di), 0) : 0;
}

SEC("tracepoint/syscalls/sys_exit_rmdir")
int on_rmdir(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_delete(AT_FDCWD, (void *)LOAD(with->di), EVENT_DIRECTORY) : 0;
}

SEC("tracepoint/syscalls/sys_exit_unlinkat")
int on_unlinkat(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	if (!with)
		return 0;
	return send_delete(LOAD(with->di), (void *)LOAD(with->si),
			   LOAD(with->dx) & AT_REMOVEDIR ? EVENT_DIRECTORY : 0);
}

NOINLINE int send_rename(s32 from_folder, const char *from, s32 to_folder, const char *to,
			 u16 flags)
{
	struct event_rename *event;
	struct scratch *scratch = scratch_take(EVENT_RENAME, sizeof(*event));
	u16 from_flags = 0, to_flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_RENAME);
	append_name_at(scratch, from_folder, from, &event->from, &from_flags);
	append_name_at(scratch, to_folder, to, &event->to, &to_flags);
	event->header.flags = flags | to_flags | (from_flags ? EVENT_OLD_PATH_CUT : 0);
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_rename")
int on_rename(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	if (!with)
		return 0;
	return send_rename(AT_FDCWD, (void *)LOAD(with->di), AT_FDCWD, (void *)LOAD(with->si), 0);
}

SEC("tracepoint/syscalls/sys_exit_renameat")
int on_renameat(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_rename(LOAD(with->di), (void *)LOAD(with->si), LOAD(with->dx),
			       (void *)LOAD(with->r10), 0) : 0;
}

/* An exchange is two renames; what leaves a mark at the old name, for overlayfs, makes a node. */
SEC("tracepoint/syscalls/sys_exit_renameat2")
int on_renameat2(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);
	const char *from, *to;
	u16 flags;

	if (!with)
		return 0;
	from = (void *)LOAD(with->si);
	to = (void *)LOAD(with->r10);
	flags = LOAD(with->r8) & RENAME_EXCHANGE ? EVENT_EXCHANGED : 0;
	send_rename(LOAD(with->di), from, LOAD(with->dx), to, flags);
	if (flags)
		send_rename(LOAD(with->dx), to, LOAD(with->di), from, flags);
	if (LOAD(with->r8) & RENAME_WHITEOUT)
		send_made(EVENT_NODE_MADE, LOAD(with->di), from, S_IFCHR, 0);
	return 0;
}
