/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is seen where: mounts, and the root of a process and of a mount namespace. */
#include "call.bpf.h"
#include "name.bpf.h"

INLINE int is_done(const struct call *call)
{
	return call->ret == 0 && !current_is_muted() && !current_is_dropped();
}

INLINE struct event_mount *mount_take(struct scratch **scratch, u32 act, u64 options)
{
	struct event_name none = {};
	struct event_mount *event;

	*scratch = scratch_take(EVENT_MOUNT, sizeof(*event));
	if (!*scratch)
		return 0;
	event = (void *)(*scratch)->record;
	stamp(&event->header, EVENT_MOUNT);
	event->source = none;
	event->options = options;
	event->device_size = 0;
	event->type_size = 0;
	event->act = act;
	return event;
}

INLINE int mount_submit(struct event_mount *event, struct scratch *scratch, u16 flags,
			u16 source_flags)
{
	event->header.flags = flags | (source_flags ? EVENT_OLD_PATH_CUT : 0);
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

INLINE int mounted(const struct call *call)
{
	u16 flags = 0, source_flags = 0;
	struct event_mount *event;
	struct scratch *scratch;

	if (!is_done(call))
		return 0;
	event = mount_take(&scratch, MOUNT_MADE, argument(call, 3));
	if (!event)
		return 0;
	append_object_at(scratch, AT_FDCWD, text(call, 1), &event->place, &flags);
	if (argument(call, 3) & (MS_BIND | MS_MOVE))
		append_object_at(scratch, AT_FDCWD, text(call, 0), &event->source,
				 &source_flags);
	else
		event->device_size = append_text(scratch, text(call, 0));
	event->type_size = append_text(scratch, text(call, 2));
	return mount_submit(event, scratch, flags, source_flags);
}

RETURNS(mount, mounted)
RETURNS_IA32(__ia32_sys_mount, CALL_MOUNT, mounted)

INLINE int send_unmounted(const struct call *call, u64 options)
{
	struct event_mount *event;
	struct scratch *scratch;
	u16 flags = 0;

	if (!is_done(call))
		return 0;
	event = mount_take(&scratch, MOUNT_REMOVED, options);
	if (!event)
		return 0;
	/* By the name even of a descriptor: what was taken away has no place any more. */
	append_name_at(scratch, AT_FDCWD, text(call, 0), &event->place, &flags);
	return mount_submit(event, scratch, flags, 0);
}

INLINE int unmounted(const struct call *call)
{
	return send_unmounted(call, argument(call, 1));
}

/* The first call of this name had no options. */
INLINE int unmounted_plainly(const struct call *call)
{
	return send_unmounted(call, 0);
}

RETURNS(umount, unmounted)
RETURNS_IA32(__ia32_sys_umount, CALL_UMOUNT2, unmounted)
RETURNS_IA32(__ia32_sys_oldumount, CALL_UMOUNT2, unmounted_plainly)

/* The mount that a descriptor of fsmount(2) or open_tree(2) stands for. */
INLINE void append_mount_of(struct scratch *scratch, struct event_mount *event, struct file *file)
{
	struct file_system_type *type = 0;
	struct super_block *device = 0;
	struct vfsmount *mount = 0;
	struct inode *inode = 0;
	const char *name = 0;

	READ(mount, file->f_path.mnt);
	READ(name, MOUNT_OF(mount)->mnt_devname);
	event->device_size = append_kernel_text(scratch, name);
	READ(inode, file->f_inode);
	READ(device, inode->i_sb);
	READ(type, device->s_type);
	READ(name, type->name);
	event->type_size = append_kernel_text(scratch, name);
}

INLINE int mount_moved(const struct call *call)
{
	u16 flags = 0, source_flags = 0;
	struct event_mount *event;
	struct scratch *scratch;
	struct file *file;

	if (!is_done(call))
		return 0;
	event = mount_take(&scratch, MOUNT_ATTACHED, argument(call, 4));
	if (!event)
		return 0;
	append_object_at(scratch, argument(call, 2), text(call, 3), &event->place, &flags);
	file = file_named(argument(call, 0), text(call, 1));
	if (file)
		append_mount_of(scratch, event, file);
	else
		append_name_at(scratch, argument(call, 0), text(call, 1), &event->source, &source_flags);
	return mount_submit(event, scratch, flags, source_flags);
}

RETURNS(move_mount, mount_moved)
RETURNS_IA32(__ia32_sys_move_mount, CALL_MOVE_MOUNT, mount_moved)

INLINE int root_swapped(const struct call *call)
{
	u16 flags = 0, source_flags = 0;
	struct event_mount *event;
	struct scratch *scratch;

	if (!is_done(call))
		return 0;
	event = mount_take(&scratch, ROOT_SWAPPED, 0);
	if (!event)
		return 0;
	append_name_at(scratch, AT_FDCWD, text(call, 0), &event->place, &flags);
	append_name_at(scratch, AT_FDCWD, text(call, 1), &event->source, &source_flags);
	return mount_submit(event, scratch, flags, source_flags);
}

RETURNS(pivot_root, root_swapped)
RETURNS_IA32(__ia32_sys_pivot_root, CALL_PIVOT_ROOT, root_swapped)

/* The root that the call has set is the kernel's own object. */
INLINE int root_changed(const struct call *call)
{
	struct event_mount *event;
	struct scratch *scratch;
	u16 flags = 0;

	if (!is_done(call))
		return 0;
	event = mount_take(&scratch, ROOT_CHANGED, 0);
	if (!event)
		return 0;
	event->place.base_size =
		append_path(scratch, &LOAD(bpf_get_current_task_btf()->fs)->root, &flags);
	event->place.name_size = 0;
	return mount_submit(event, scratch, flags, 0);
}

RETURNS(chroot, root_changed)
RETURNS_IA32(__ia32_sys_chroot, CALL_CHROOT, root_changed)
