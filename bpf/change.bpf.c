/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Changes of a file that are not its content: mode, owner, times, attributes; and its length. */
#include "name.bpf.h"
#include "repeat.bpf.h"

/* What a call did to one file. */
struct change {
	u32 kind;
	u32 how;          /* enum change_how */
	s32 folder;       /* where `name` counts from */
	u32 mode, device, uid, gid;
	u32 reserved;     /* a map's value as well: nothing may be left unset between */
	const char *name; /* NULL: the file behind the descriptor `folder` */
	struct vfsmount *mount; /* where they are known: in place of both */
	struct dentry *dentry;
	struct inode *inode;
	const char *attribute; /* the caller's; the kernel's where dentry is known */
	u64 size, accessed, modified;
};

INLINE void fill_inode(struct event_inode *to, struct inode *inode, u16 *flags)
{
	struct super_block *device = 0;
	unsigned long number = 0;
	u16 mode = 0;

	READ(number, inode->i_ino);
	READ(mode, inode->i_mode);
	READ(device, inode->i_sb);
	to->number = number;
	to->mode = mode;
	READ(to->size, inode->i_size);
	READ(to->uid, inode->i_uid);
	READ(to->gid, inode->i_gid);
	READ(to->device, device->s_dev);
	*flags |= nameless(inode);
}

NOINLINE int send_change(const struct change *change)
{
	struct event_change *event;
	struct scratch *scratch = scratch_take(change->kind, sizeof(*event));
	struct inode *inode = change->inode;
	struct file *file;
	u16 flags = 0;
	int is_known;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, change->kind);
	__builtin_memset(&event->key, 0, sizeof(event->key));
	__builtin_memset(&event->inode, 0, sizeof(event->inode));
	event->how = change->how;
	event->mode = change->mode;
	event->device = change->device;
	event->uid = change->uid;
	event->gid = change->gid;
	event->size = change->size;
	event->accessed = change->accessed;
	event->modified = change->modified;
	if (change->dentry) {
		append_object(scratch, change->mount, change->dentry, &event->name, &flags);
	} else {
		file = append_object_at(scratch, change->folder, change->name, &event->name, &flags);
		if (file) {
			READ(inode, file->f_inode);
			is_of_file(scratch, event->name.base_size);
		}
	}
	if (inode)
		fill_inode(&event->inode, inode, &flags);
	event->attribute_size = 0;
	if (change->attribute)
		event->attribute_size = change->dentry ?
						append_kernel_text(scratch, change->attribute) :
						append_text(scratch, change->attribute);
	event->header.flags = flags;
	is_known = !(flags & EVENT_PATH_CUT) && (!change->attribute || event->attribute_size);
	/* What is made, is made once; of what is not known, nobody can say that it is the same. */
	if (change->kind < EVENT_MODE || !is_known)
		submit_scratch(&bulk, RING_BULK, scratch);
	else
		submit_digested(scratch, change->kind);
	return 0;
}

/* A call that did this, if it succeeded; `with` are its arguments. */
#define CHANGES(name, ...)                                                                 \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                         \
	int on_##name(struct syscall_exit *call)                                           \
	{                                                                                  \
		struct pt_regs *with = succeeded(call);                                    \
                                                                                           \
		if (!with)                                                                 \
			return 0;                                                          \
		return send_change(&(struct change){ __VA_ARGS__ });                       \
	}

#define TEXT(argument) ((const char *)(argument))
#define OF_NAME(argument) .folder = AT_FDCWD, .name = TEXT(argument)
#define OF_NAME_AT(at, argument) .folder = (at), .name = TEXT(argument)
#define OF_DESCRIPTOR(argument) .folder = (argument)
#define HOW_AT(flags) .how = (flags) & AT_SYMLINK_NOFOLLOW ? CHANGE_NOFOLLOW : 0

CHANGES(chmod, .kind = EVENT_MODE, OF_NAME(LOAD(with->di)), .mode = LOAD(with->si))
CHANGES(fchmod, .kind = EVENT_MODE, OF_DESCRIPTOR(LOAD(with->di)), .mode = LOAD(with->si))
CHANGES(fchmodat, .kind = EVENT_MODE, OF_NAME_AT(LOAD(with->di), LOAD(with->si)), .mode = LOAD(with->dx))
CHANGES(fchmodat2, .kind = EVENT_MODE, OF_NAME_AT(LOAD(with->di), LOAD(with->si)), .mode = LOAD(with->dx),
	HOW_AT(LOAD(with->r10))) /* 6.6 */

#define TO_OWNER(user, group) .uid = (user), .gid = (group)

CHANGES(chown, .kind = EVENT_OWNER, OF_NAME(LOAD(with->di)), TO_OWNER(LOAD(with->si), LOAD(with->dx)))
CHANGES(fchown, .kind = EVENT_OWNER, OF_DESCRIPTOR(LOAD(with->di)), TO_OWNER(LOAD(with->si),
	LOAD(with->dx)))
CHANGES(lchown, .kind = EVENT_OWNER, OF_NAME(LOAD(with->di)), TO_OWNER(LOAD(with->si), LOAD(with->dx)),
	.how = CHANGE_NOFOLLOW)
CHANGES(fchownat, .kind = EVENT_OWNER, OF_NAME_AT(LOAD(with->di), LOAD(with->si)),
	TO_OWNER(LOAD(with->dx), LOAD(with->r10)), HOW_AT(LOAD(with->r8)))

#define ATTRIBUTE(argument) .kind = EVENT_ATTRIBUTE, .attribute = TEXT(argument)

CHANGES(setxattr, ATTRIBUTE(LOAD(with->si)), OF_NAME(LOAD(with->di)))
CHANGES(lsetxattr, ATTRIBUTE(LOAD(with->si)), OF_NAME(LOAD(with->di)), .how = CHANGE_NOFOLLOW)
CHANGES(fsetxattr, ATTRIBUTE(LOAD(with->si)), OF_DESCRIPTOR(LOAD(with->di)))
CHANGES(setxattrat, ATTRIBUTE(LOAD(with->r10)), OF_NAME_AT(LOAD(with->di), LOAD(with->si)),
	HOW_AT(LOAD(with->dx))) /* 6.13 */
CHANGES(removexattr, ATTRIBUTE(LOAD(with->si)), OF_NAME(LOAD(with->di)), .how = CHANGE_REMOVED)
CHANGES(lremovexattr, ATTRIBUTE(LOAD(with->si)), OF_NAME(LOAD(with->di)),
	.how = CHANGE_REMOVED | CHANGE_NOFOLLOW)
CHANGES(fremovexattr, ATTRIBUTE(LOAD(with->si)), OF_DESCRIPTOR(LOAD(with->di)), .how = CHANGE_REMOVED)
CHANGES(removexattrat, ATTRIBUTE(LOAD(with->r10)), OF_NAME_AT(LOAD(with->di), LOAD(with->si)),
	.how = CHANGE_REMOVED |
	       (LOAD(with->dx) & AT_SYMLINK_NOFOLLOW ? CHANGE_NOFOLLOW : 0)) /* 6.13 */

CHANGES(truncate, .kind = EVENT_TRUNCATE, OF_NAME(LOAD(with->di)), .size = LOAD(with->si))

#define SECOND 1000000000ull

/* A time of a call in ns since the epoch; `part` of a second is in `unit` ns. */
INLINE u64 time_of(s64 seconds, s64 part, u64 unit)
{
	if (part == UTIME_NOW)
		return TIME_NOW;
	if (part == UTIME_OMIT || seconds < 0 || (u64)seconds >= TIME_NOW / SECOND)
		return TIME_KEPT;
	return seconds * SECOND + part * unit;
}

/* Two struct timespec or, with a unit of 1,000 ns, two struct timeval; none means now. */
INLINE int send_times(s32 folder, const char *name, const void *times, u64 unit, u16 how)
{
	struct change change = { .kind = EVENT_TIMES, .how = how, .folder = folder, .name = name };
	s64 given[4] = {};

	if (bpf_probe_read_user(given, sizeof(given), times))
		given[1] = given[3] = times ? UTIME_OMIT : UTIME_NOW;
	change.accessed = time_of(given[0], given[1], unit);
	change.modified = time_of(given[2], given[3], unit);
	return send_change(&change);
}

SEC("tracepoint/syscalls/sys_exit_utimensat")
int on_utimensat(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	if (!with)
		return 0;
	return send_times(LOAD(with->di), TEXT(LOAD(with->si)), (void *)LOAD(with->dx), 1,
			  LOAD(with->r10) & AT_SYMLINK_NOFOLLOW ? CHANGE_NOFOLLOW : 0);
}

SEC("tracepoint/syscalls/sys_exit_futimesat")
int on_futimesat(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_times(LOAD(with->di), TEXT(LOAD(with->si)), (void *)LOAD(with->dx), 1000, 0) : 0;
}

SEC("tracepoint/syscalls/sys_exit_utimes")
int on_utimes(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_times(AT_FDCWD, TEXT(LOAD(with->di)), (void *)LOAD(with->si), 1000, 0) : 0;
}

SEC("tracepoint/syscalls/sys_exit_utime")
int on_utime(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);
	struct change change = { .kind = EVENT_TIMES, .folder = AT_FDCWD };
	s64 given[2] = {};
	int unread;

	if (!with)
		return 0;
	change.name = TEXT(LOAD(with->di));
	change.accessed = change.modified = LOAD(with->si) ? TIME_KEPT : TIME_NOW;
	unread = bpf_probe_read_user(given, sizeof(given), (void *)LOAD(with->si));
	if (!unread) {
		change.accessed = time_of(given[0], 0, 1);
		change.modified = time_of(given[1], 0, 1);
	}
	return send_change(&change);
}
