/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is seen where: mounts, and the root of a process and of a mount namespace. */
#include "name.bpf.h"

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

SEC("tracepoint/syscalls/sys_exit_mount")
int on_mount(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);
	u16 flags = 0, source_flags = 0;
	struct event_mount *event;
	struct scratch *scratch;

	if (!with)
		return 0;
	event = mount_take(&scratch, MOUNT_MADE, LOAD(with->r10));
	if (!event)
		return 0;
	append_object_at(scratch, AT_FDCWD, TEXT(LOAD(with->si)), &event->place, &flags);
	if (LOAD(with->r10) & (MS_BIND | MS_MOVE))
		append_object_at(scratch, AT_FDCWD, TEXT(LOAD(with->di)), &event->source,
				 &source_flags);
	else
		event->device_size = append_text(scratch, TEXT(LOAD(with->di)));
	event->type_size = append_text(scratch, TEXT(LOAD(with->dx)));
	return mount_submit(event, scratch, flags, source_flags);
}

SEC("tracepoint/syscalls/sys_exit_umount")
int on_umount(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);
	struct event_mount *event;
	struct scratch *scratch;
	u16 flags = 0;

	if (!with)
		return 0;
	event = mount_take(&scratch, MOUNT_REMOVED, LOAD(with->si));
	if (!event)
		return 0;
	/* By the name even of a descriptor: what was taken away has no place any more. */
	append_name_at(scratch, AT_FDCWD, TEXT(LOAD(with->di)), &event->place, &flags);
	return mount_submit(event, scratch, flags, 0);
}

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

SEC("tracepoint/syscalls/sys_exit_move_mount")
int on_move_mount(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);
	u16 flags = 0, source_flags = 0;
	struct event_mount *event;
	struct scratch *scratch;
	struct file *file;

	if (!with)
		return 0;
	event = mount_take(&scratch, MOUNT_ATTACHED, LOAD(with->r8));
	if (!event)
		return 0;
	append_object_at(scratch, LOAD(with->dx), TEXT(LOAD(with->r10)), &event->place, &flags);
	file = file_named(LOAD(with->di), TEXT(LOAD(with->si)));
	if (file)
		append_mount_of(scratch, event, file);
	else
		append_name_at(scratch, LOAD(with->di), TEXT(LOAD(with->si)), &event->source, &source_flags);
	return mount_submit(event, scratch, flags, source_flags);
}

SEC("tracepoint/syscalls/sys_exit_pivot_root")
int on_pivot_root(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);
	u16 flags = 0, source_flags = 0;
	struct event_mount *event;
	struct scratch *scratch;

	if (!with)
		return 0;
	event = mount_take(&scratch, ROOT_SWAPPED, 0);
	if (!event)
		return 0;
	append_name_at(scratch, AT_FDCWD, TEXT(LOAD(with->di)), &event->place, &flags);
	append_name_at(scratch, AT_FDCWD, TEXT(LOAD(with->si)), &event->source, &source_flags);
	return mount_submit(event, scratch, flags, source_flags);
}

/* The root that the call has set is the kernel's own object. */
SEC("tracepoint/syscalls/sys_exit_chroot")
int on_chroot(struct syscall_exit *call)
{
	struct event_mount *event;
	struct scratch *scratch;
	u16 flags = 0;

	if (!succeeded(call))
		return 0;
	event = mount_take(&scratch, ROOT_CHANGED, 0);
	if (!event)
		return 0;
	event->place.base_size =
		append_path(scratch, &LOAD(bpf_get_current_task_btf()->fs)->root, &flags);
	event->place.name_size = 0;
	return mount_submit(event, scratch, flags, 0);
}
