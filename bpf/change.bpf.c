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
INLINE void read_times(struct change *change, const void *times, u64 unit)
{
	s64 given[4] = {};

	change->kind = EVENT_TIMES;
	if (bpf_probe_read_user(given, sizeof(given), times))
		given[1] = given[3] = times ? UTIME_OMIT : UTIME_NOW;
	change->accessed = time_of(given[0], given[1], unit);
	change->modified = time_of(given[2], given[3], unit);
}

/* A struct utimbuf, of seconds. */
INLINE void read_seconds(struct change *change, const void *times)
{
	s64 given[2] = {};

	change->kind = EVENT_TIMES;
	change->accessed = change->modified = times ? TIME_KEPT : TIME_NOW;
	if (bpf_probe_read_user(given, sizeof(given), times))
		return;
	change->accessed = time_of(given[0], 0, 1);
	change->modified = time_of(given[1], 0, 1);
}

INLINE void is_of_owner(struct change *change, u32 user, u32 group)
{
	change->kind = EVENT_OWNER;
	change->uid = user;
	change->gid = group;
}

INLINE void is_of_attribute(struct change *change, u64 name, u32 how)
{
	change->kind = EVENT_ATTRIBUTE;
	change->attribute = TEXT(name);
	change->how = how;
}

INLINE u32 how_at(u32 flags)
{
	return flags & AT_SYMLINK_NOFOLLOW ? CHANGE_NOFOLLOW : 0;
}

/*
 * At the return of every call that changes a file, if it succeeded. One program for all, as the
 * verifier walks the same paths in each.
 */
SEC("tracepoint/syscalls/sys_exit_chmod")
int on_change(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);
	struct change change = { .folder = AT_FDCWD };
	u64 first, second, third, fourth;

	if (!with)
		return 0;
	first = LOAD(with->di);
	second = LOAD(with->si);
	third = LOAD(with->dx);
	fourth = LOAD(with->r10);
	switch (call->nr) {
	case CALL_FCHMOD:
	case CALL_FCHOWN:
	case CALL_FSETXATTR:
	case CALL_FREMOVEXATTR:
		change.folder = first;
		break;
	case CALL_FCHMODAT:
	case CALL_FCHMODAT2:
	case CALL_FCHOWNAT:
	case CALL_SETXATTRAT:
	case CALL_REMOVEXATTRAT:
	case CALL_UTIMENSAT:
	case CALL_FUTIMESAT:
		change.folder = first;
		change.name = TEXT(second);
		break;
	default:
		change.name = TEXT(first);
	}
	switch (call->nr) {
	case CALL_CHMOD:
	case CALL_FCHMOD:
		change.kind = EVENT_MODE;
		change.mode = second;
		break;
	case CALL_FCHMODAT2:
		change.how = how_at(fourth);
		/* fall through */
	case CALL_FCHMODAT:
		change.kind = EVENT_MODE;
		change.mode = third;
		break;
	case CALL_LCHOWN:
		change.how = CHANGE_NOFOLLOW;
		/* fall through */
	case CALL_CHOWN:
	case CALL_FCHOWN:
		is_of_owner(&change, second, third);
		break;
	case CALL_FCHOWNAT:
		is_of_owner(&change, third, fourth);
		change.how = how_at(LOAD(with->r8));
		break;
	case CALL_SETXATTR:
	case CALL_FSETXATTR:
		is_of_attribute(&change, second, 0);
		break;
	case CALL_LSETXATTR:
		is_of_attribute(&change, second, CHANGE_NOFOLLOW);
		break;
	case CALL_SETXATTRAT:
		is_of_attribute(&change, fourth, how_at(third));
		break;
	case CALL_REMOVEXATTR:
	case CALL_FREMOVEXATTR:
		is_of_attribute(&change, second, CHANGE_REMOVED);
		break;
	case CALL_LREMOVEXATTR:
		is_of_attribute(&change, second, CHANGE_REMOVED | CHANGE_NOFOLLOW);
		break;
	case CALL_REMOVEXATTRAT:
		is_of_attribute(&change, fourth, CHANGE_REMOVED | how_at(third));
		break;
	case CALL_TRUNCATE:
		change.kind = EVENT_TRUNCATE;
		change.size = second;
		break;
	case CALL_UTIMENSAT:
		read_times(&change, (void *)third, 1);
		change.how = how_at(fourth);
		break;
	case CALL_FUTIMESAT:
		read_times(&change, (void *)third, 1000);
		break;
	case CALL_UTIMES:
		read_times(&change, (void *)second, 1000);
		break;
	case CALL_UTIME:
		read_seconds(&change, (void *)second);
		break;
	default:
		return 0;
	}
	return send_change(&change);
}
