/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Names that come and go, as the kernel's own objects: whoever asks, by a call of 64 or 32 bits or
 * through io_uring, and whatever the strings say meanwhile. They replace programs of file.bpf.c,
 * make.bpf.c and uring.bpf.c.
 *
 * Where the right to an act is checked, its mount and its flags are known; that it was done is known
 * where the cache of names is told, or a function returns. In between, the thread's act is kept.
 */
#include "entry.bpf.h"
#include "name.bpf.h"

struct act {
	struct vfsmount *mount;
	struct dentry *dentry; /* the name that comes, goes or moves */
	struct dentry *other;  /* rename: where it goes; link: the file that was there */
	const char *text;      /* of a symbolic link */
	u32 kind;
	u32 flags; /* delete: EVENT_DIRECTORY; rename: of the call */
	u32 mode;
	u32 device;
	u32 begun; /* by breakpoints: the function that makes the name was entered */
	u32 reserved;
};

/*
 * By thread; the loader sets the number. One that was refused stays until the thread's next, or
 * until others push it out.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct act);
} acts SEC(".maps");

/* Whether a rule drops it is asked once it is done: this may be refused, or the begin of an open. */
INLINE int intends(struct act *act, u64 folder)
{
	u32 thread = bpf_get_current_pid_tgid();
	const struct path *path = (void *)folder;

	if (current_is_muted())
		return 0;
	READ(act->mount, path->mnt);
	if (bpf_map_update_elem(&acts, &thread, act, BPF_ANY))
		count_lost(act->kind);
	return 0;
}

/* The current thread's act on this name. */
INLINE struct act *intended(u64 dentry)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct act *act = bpf_map_lookup_elem(&acts, &thread);

	return act && (u64)act->dentry == dentry ? act : 0;
}

INLINE void forget_act(void)
{
	u32 thread = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&acts, &thread);
}

#define ACT(...) (&(struct act){ __VA_ARGS__ })

INLINE int deletes(const u64 *with)
{
	return intends(ACT(.kind = EVENT_DELETE, .dentry = (void *)with[1]), with[0]);
}

INLINE int deletes_folder(const u64 *with)
{
	return intends(ACT(.kind = EVENT_DELETE, .dentry = (void *)with[1],
			   .flags = EVENT_DIRECTORY), with[0]);
}

INLINE int renames(const u64 *with)
{
	return intends(ACT(.kind = EVENT_RENAME, .dentry = (void *)with[1],
			   .other = (void *)with[3], .flags = with[4]), with[0]);
}

INLINE int makes_folder(const u64 *with)
{
	return intends(ACT(.kind = EVENT_DIRECTORY_MADE, .dentry = (void *)with[1]), with[0]);
}

INLINE int makes_node(const u64 *with)
{
	return intends(ACT(.kind = EVENT_NODE_MADE, .dentry = (void *)with[1],
			   .mode = (u16)with[2], .device = with[3]), with[0]);
}

INLINE int links(const u64 *with)
{
	return intends(ACT(.kind = EVENT_LINK, .dentry = (void *)with[2],
			   .other = (void *)with[0]), with[1]);
}

INLINE int makes_symlink(const u64 *with)
{
	struct act act = { .kind = EVENT_SYMLINK, .dentry = (void *)with[1] };

	/* Copied: earlier verifiers let nobody load a pointer to anything but a struct. */
	READ(act.text, with[2]);
	return intends(&act, with[0]);
}

ENTERS(security_path_unlink, deletes, EVENT_DELETE)
ENTERS(security_path_rmdir, deletes_folder, EVENT_DELETE)
ENTERS(security_path_rename, renames, EVENT_RENAME)
ENTERS(security_path_mkdir, makes_folder, EVENT_DIRECTORY_MADE)
ENTERS(security_path_mknod, makes_node, EVENT_NODE_MADE)
ENTERS(security_path_link, links, EVENT_LINK)
ENTERS(security_path_symlink, makes_symlink, EVENT_SYMLINK)

NOINLINE int send_gone(const struct act *act)
{
	struct event_delete *event;
	struct scratch *scratch = scratch_take(EVENT_DELETE, sizeof(*event));
	u16 flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_DELETE);
	event->reserved = 0;
	append_object(scratch, act->mount, act->dentry, &event->name, &flags);
	event->header.flags = flags | act->flags;
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

NOINLINE int send_moved(struct vfsmount *mount, struct dentry *from, struct dentry *to, u16 flags)
{
	struct event_rename *event;
	struct scratch *scratch = scratch_take(EVENT_RENAME, sizeof(*event));
	u16 from_flags = 0, to_flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_RENAME);
	append_object(scratch, mount, from, &event->from, &from_flags);
	append_object(scratch, mount, to, &event->to, &to_flags);
	event->header.flags = flags | to_flags | (from_flags ? EVENT_OLD_PATH_CUT : 0);
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

NOINLINE int send_linked(const struct act *act)
{
	struct event_link *event;
	struct scratch *scratch = scratch_take(EVENT_LINK, sizeof(*event));
	u16 from_flags = 0, to_flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_LINK);
	append_object(scratch, act->mount, act->other, &event->from, &from_flags);
	append_object(scratch, act->mount, act->dentry, &event->to, &to_flags);
	event->header.flags = to_flags | (from_flags ? EVENT_OLD_PATH_CUT : 0);
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

NOINLINE int send_symlinked(const struct act *act)
{
	struct event_symlink *event;
	struct scratch *scratch = scratch_take(EVENT_SYMLINK, sizeof(*event));
	u16 flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_SYMLINK);
	event->reserved = 0;
	append_object(scratch, act->mount, act->dentry, &event->name, &flags);
	event->target_size = append_kernel_text(scratch, act->text);
	event->header.flags = flags;
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

INLINE int send_appeared(const struct act *act)
{
	struct inode *inode = 0;

	switch (act->kind) {
	case EVENT_LINK:
		return send_linked(act);
	case EVENT_SYMLINK:
		return send_symlinked(act);
	case EVENT_DIRECTORY_MADE:
	case EVENT_NODE_MADE:
		READ(inode, act->dentry->d_inode);
		return send_change(&(struct change){
			.kind = act->kind, .mount = act->mount, .dentry = act->dentry,
			.inode = inode, .mode = act->mode,
			.device = device_of_call(act->device) });
	default:
		return 0;
	}
}

INLINE int finish_deletion(const struct act *act)
{
	send_gone(act);
	forget_act();
	return 0;
}

INLINE int vanishes(const u64 *with)
{
	struct act *act = intended(with[0]);

	return act && act->kind == EVENT_DELETE ? finish_deletion(act) : 0;
}

/*
 * Names move here while they are still the old ones. On some file systems, what is deleted while
 * somebody uses it is moved away instead.
 */
INLINE int moves(const u64 *with)
{
	struct act *act = intended(with[0]);

	if (act && act->kind == EVENT_DELETE)
		return finish_deletion(act);
	if (!act || act->kind != EVENT_RENAME || (u64)act->other != with[1])
		return 0;
	send_moved(act->mount, act->dentry, act->other, 0);
	if (act->flags & RENAME_WHITEOUT)
		send_change(&(struct change){ .kind = EVENT_NODE_MADE, .mount = act->mount,
					      .dentry = act->dentry, .mode = S_IFCHR });
	forget_act();
	return 0;
}

INLINE int exchanges(const u64 *with)
{
	struct act *act = intended(with[0]);

	if (!act || act->kind != EVENT_RENAME || (u64)act->other != with[1])
		return 0;
	send_moved(act->mount, act->dentry, act->other, EVENT_EXCHANGED);
	send_moved(act->mount, act->other, act->dentry, EVENT_EXCHANGED);
	forget_act();
	return 0;
}

ENTERS(d_delete, vanishes, EVENT_DELETE)
ENTERS(d_move, moves, EVENT_RENAME)
ENTERS(d_exchange, exchanges, EVENT_RENAME)

/* The place of the new name among a function's arguments differs from kernel to kernel. */
#define ARGUMENTS_LOOKED_AT 4

INLINE int is_about(const u64 *with, const struct act *act)
{
	u64 dentry = (u64)act->dentry;

	return with[0] == dentry || with[1] == dentry || with[2] == dentry || with[3] == dentry;
}

/* Where a function that makes names returns: it was made if there is something behind it. */
INLINE int made(const u64 *context)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct act *act = bpf_map_lookup_elem(&acts, &thread);
	u64 with[ARGUMENTS_LOOKED_AT] = {};
	struct inode *inode = 0;

	if (!act)
		return 0;
	bpf_probe_read_kernel(with, sizeof(with), context);
	if (!is_about(with, act))
		return 0;
	READ(inode, act->dentry->d_inode);
	if (inode)
		send_appeared(act);
	forget_act();
	return 0;
}

#define MAKES(function, kind)                                                              \
	SPARED("fexit/" #function, leave_##function, kind)                                 \
	{                                                                                  \
		return made(context);                                                      \
	}

MAKES(vfs_create, EVENT_NODE_MADE)
MAKES(vfs_mknod, EVENT_NODE_MADE)
MAKES(vfs_link, EVENT_LINK)
MAKES(vfs_symlink, EVENT_SYMLINK)

/* By breakpoints, a function that returns does not tell its arguments. */
INLINE int begin_making(const struct pt_regs *context)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct act *act = bpf_map_lookup_elem(&acts, &thread);
	u64 with[] = { context->di, context->si, context->dx, context->cx };

	if (act && is_about(with, act))
		act->begun = 1;
	return 0;
}

/* What a file system makes on the layer below returns first, when nothing is behind the name yet. */
INLINE int finish_making(void)
{
	u32 thread = bpf_get_current_pid_tgid();
	struct act *act = bpf_map_lookup_elem(&acts, &thread);
	struct inode *inode = 0;

	if (!act || !act->begun)
		return 0;
	READ(inode, act->dentry->d_inode);
	if (!inode)
		return 0;
	send_appeared(act);
	forget_act();
	return 0;
}

#define MAKES_BY_BREAKPOINTS(function)                                                     \
	SEC("kprobe/" #function)                                                           \
	int probe_##function(struct pt_regs *context)                                      \
	{                                                                                  \
		return begin_making(context);                                              \
	}                                                                                  \
                                                                                           \
	SEC("kretprobe/" #function)                                                        \
	int finish_##function(struct pt_regs *context)                                     \
	{                                                                                  \
		(void)context;                                                             \
		return finish_making();                                                    \
	}

MAKES_BY_BREAKPOINTS(vfs_create)
MAKES_BY_BREAKPOINTS(vfs_mknod)
MAKES_BY_BREAKPOINTS(vfs_link)
MAKES_BY_BREAKPOINTS(vfs_symlink)
MAKES_BY_BREAKPOINTS(vfs_mkdir)

/* Some file systems, that of control groups among them, put nothing behind the name of a new folder. */
SPARED("fexit/vfs_mkdir", leave_vfs_mkdir, EVENT_DIRECTORY_MADE)
{
	u32 view = HAS_VIEW;
	u64 dentry = 0, returned = 0;
	struct act *act;

	bpf_probe_read_kernel(&dentry, sizeof(dentry), context + 1 + view);
	act = intended(dentry);
	if (!act || act->kind != EVENT_DIRECTORY_MADE)
		return 0;
	bpf_probe_read_kernel(&returned, sizeof(returned), context + 3 + view + HAS_DELEGATION);
	if (!is_error(returned))
		send_appeared(act);
	forget_act();
	return 0;
}
