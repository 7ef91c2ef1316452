/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What comes into being without an open: folders, nodes, links, files in memory. */
#include "call.bpf.h"
#include "name.bpf.h"

/* As user space packs it: include/linux/kdev_t.h, new_decode_dev. */
INLINE u32 device_of_call(u32 device)
{
	return (device & 0xfff00) << 12 | (device & 0xff) | (device >> 12 & 0xfff00);
}

NOINLINE int send_made(u32 kind, s32 folder, const char *name, u32 mode, u32 device)
{
	struct change change = { .kind = kind, .folder = folder, .name = name };

	change.mode = mode;
	change.device = device_of_call(device);
	return send_change(&change);
}

SEC("tracepoint/syscalls/sys_exit_mkdir")
int on_mkdir(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_made(EVENT_DIRECTORY_MADE, AT_FDCWD, TEXT(LOAD(with->di)), 0, 0) : 0;
}

SEC("tracepoint/syscalls/sys_exit_mkdirat")
int on_mkdirat(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_made(EVENT_DIRECTORY_MADE, LOAD(with->di), TEXT(LOAD(with->si)), 0, 0) : 0;
}

SEC("tracepoint/syscalls/sys_exit_mknod")
int on_mknod(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	if (!with)
		return 0;
	return send_made(EVENT_NODE_MADE, AT_FDCWD, TEXT(LOAD(with->di)), LOAD(with->si), LOAD(with->dx));
}

SEC("tracepoint/syscalls/sys_exit_mknodat")
int on_mknodat(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	if (!with)
		return 0;
	return send_made(EVENT_NODE_MADE, LOAD(with->di), TEXT(LOAD(with->si)), LOAD(with->dx), LOAD(with->r10));
}

NOINLINE int send_link(s32 from_folder, const char *from, s32 to_folder, const char *to)
{
	struct event_link *event;
	struct scratch *scratch = scratch_take(EVENT_LINK, sizeof(*event));
	u16 from_flags = 0, to_flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_LINK);
	append_object_at(scratch, from_folder, from, &event->from, &from_flags);
	append_name_at(scratch, to_folder, to, &event->to, &to_flags);
	event->header.flags = to_flags | (from_flags ? EVENT_OLD_PATH_CUT : 0);
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_link")
int on_link(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_link(AT_FDCWD, TEXT(LOAD(with->di)), AT_FDCWD, TEXT(LOAD(with->si))) : 0;
}

SEC("tracepoint/syscalls/sys_exit_linkat")
int on_linkat(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_link(LOAD(with->di), TEXT(LOAD(with->si)), LOAD(with->dx), TEXT(LOAD(with->r10))) : 0;
}

NOINLINE int send_symlink(const char *target, s32 folder, const char *name)
{
	struct event_symlink *event;
	struct scratch *scratch = scratch_take(EVENT_SYMLINK, sizeof(*event));
	u16 flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_SYMLINK);
	event->reserved = 0;
	append_name_at(scratch, folder, name, &event->name, &flags);
	event->target_size = append_text(scratch, target);
	event->header.flags = flags;
	submit_scratch(&bulk, RING_BULK, scratch);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_symlink")
int on_symlink(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_symlink(TEXT(LOAD(with->di)), AT_FDCWD, TEXT(LOAD(with->si))) : 0;
}

SEC("tracepoint/syscalls/sys_exit_symlinkat")
int on_symlinkat(struct syscall_exit *call)
{
	struct pt_regs *with = succeeded(call);

	return with ? send_symlink(TEXT(LOAD(with->di)), LOAD(with->si), TEXT(LOAD(with->dx))) : 0;
}

NOINLINE int send_memory_file(struct file *file, u32 options)
{
	struct event_memory_file *event;
	struct scratch *scratch = scratch_take(EVENT_MEMORY_FILE, sizeof(*event));
	u16 flags = 0;

	if (!scratch)
		return 0;
	event = (void *)scratch->record;
	stamp(&event->header, EVENT_MEMORY_FILE);
	event->options = options;
	event->reserved = 0;
	event->path_size = append_path(scratch, &file->f_path, &flags);
	event->header.flags = flags;
	submit_digested(scratch, EVENT_MEMORY_FILE);
	return 0;
}

INLINE int memory_file_made(const struct call *call)
{
	if (call->ret < 0 || current_is_muted() || current_is_dropped())
		return 0;
	return send_memory_file(file_of(call->ret), argument(call, 1));
}

RETURNS(memfd_create, memory_file_made)
RETURNS_IA32(__ia32_sys_memfd_create, CALL_MEMFD_CREATE, memory_file_made)
