/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a system call that has returned was about: its arguments, and the names among them. */
#ifndef NAME_H
#define NAME_H

#include "path.bpf.h"

/* Of an argument that is the address of a text. */
#define TEXT(argument) ((const char *)(argument))

/* The arguments of a call that has returned are still in the registers it was made with. */
INLINE struct pt_regs *succeeded(struct syscall_exit *call)
{
	if (call->ret != 0 || current_is_muted() || current_is_dropped())
		return 0;
	return bpf_task_pt_regs(bpf_get_current_task_btf());
}

#define DESCRIPTOR_DIGITS 8

/* A text, and its first bytes as numbers to compare: the compiler's memcmp is a call. */
union descriptor_name {
	struct {
		u64 proc_se;
		u32 lf_f;
		u16 d_;
		char digits[DESCRIPTOR_DIGITS + 2];
	};
	char text[24];
};

/* The number N of the text `/proc/self/fd/N`, -1 for any other text. */
INLINE s64 own_descriptor(const union descriptor_name *name)
{
	s64 number = 0;
	u32 digit, index;

	if (name->proc_se != 0x65732f636f72702f || name->lf_f != 0x662f666c || name->d_ != 0x2f64)
		return -1;
	for (index = 0; index < DESCRIPTOR_DIGITS; index++) {
		if (index > 0 && !name->digits[index])
			return number;
		digit = (u8)name->digits[index] - '0';
		if (digit > 9)
			return -1;
		number = number * 10 + digit;
	}
	return -1;
}

/*
 * The file that the process holds open and that a call named: by a descriptor without a string, or
 * through /proc, as programs do that want the very file they have checked. NULL for other names.
 */
INLINE struct file *file_called(s32 folder, const union descriptor_name *name)
{
	return name->text[0] ? file_of(own_descriptor(name)) : file_of(folder);
}

NOINLINE struct file *file_named(s32 folder, const char *string)
{
	union descriptor_name name = {};

	if (string && read_user_text(name.text, sizeof(name.text), string) < 0)
		return 0;
	return file_called(folder, &name);
}

/* Appends a text of the caller's, with its NUL; returns its size, 0 if it cannot be read. */
INLINE u16 append_text(struct scratch *scratch, const char *string)
{
	u64 at = scratch->size;
	long size;

	BOUND(at);
	if (at > RECORD_MAX - PATH_LIMIT)
		return 0;
	size = read_user_text(scratch->record + at, PATH_LIMIT, string);
	if (size <= 0)
		return 0;
	scratch->size = at + size;
	return size;
}

/*
 * A name that a system call took away has no object any more when the call returns: what is left
 * is the folder it counted from and the caller's string. See docs/limitations.md for what that
 * means; programs on kernel objects take this one's place where the kernel has them.
 */
INLINE void append_name_at(struct scratch *scratch, s32 folder, const char *string,
			   struct event_name *name, u16 *flags)
{
	char first = 0;

	bpf_probe_read_user(&first, 1, string);
	name->base_size = append_base(scratch, folder, first, flags);
	name->name_size = append_text(scratch, string);
	if (!name->name_size)
		*flags |= EVENT_PATH_CUT;
}

/* The same for a name that may stand for a file the process holds open. Returns that file. */
INLINE struct file *append_object_at(struct scratch *scratch, s32 folder, const char *string,
				     struct event_name *name, u16 *flags)
{
	struct file *file = file_named(folder, string);

	if (file) {
		name->base_size = append_path(scratch, &file->f_path, flags);
		name->name_size = 0;
	} else {
		append_name_at(scratch, folder, string, name, flags);
	}
	return file;
}

NOINLINE struct file *file_copied(s32 folder, const char *string)
{
	union descriptor_name name = {};

	if (bpf_probe_read_kernel_str(name.text, sizeof(name.text), string) < 0)
		return 0;
	return file_called(folder, &name);
}

/* The same for the kernel's copy of a name. */
INLINE void append_kernel_name(struct scratch *scratch, s32 folder, const char *string,
			       struct event_name *name, u16 *flags)
{
	struct file *file = file_copied(folder, string);
	char first = 0;

	if (file) {
		name->base_size = append_path(scratch, &file->f_path, flags);
		name->name_size = 0;
		return;
	}
	bpf_probe_read_kernel(&first, 1, string);
	name->base_size = append_base(scratch, folder, first, flags);
	name->name_size = append_kernel_text(scratch, string);
	if (!name->name_size)
		*flags |= EVENT_PATH_CUT;
}

/* The whole name of an object, of which the last that is appended is the file of the record. */
INLINE void append_object(struct scratch *scratch, struct vfsmount *mount, struct dentry *dentry,
			  struct event_name *name, u16 *flags)
{
	name->base_size = append_names(scratch, mount, dentry, flags);
	name->name_size = 0;
	is_of_file(scratch, name->base_size);
}

#endif
