/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel's types of io_uring, as far as they are read. */
#ifndef KERNEL_URING_H
#define KERNEL_URING_H

#include "kernel.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct io_cqe {
	s32 res;
};

struct io_cmd_data {
	struct file *file;
};

/* A request of io_uring. What its operation needs to know lies at its begin, in a struct of its own. */
struct io_kiocb {
	struct io_cmd_data cmd; /* 6.0 */
	u8 opcode;
	struct io_cqe cqe; /* 5.19 */
};

struct open_how {
	u64 flags;
};

struct io_open {
	int dfd;
	u32 file_slot;
	struct filename *filename;
	struct open_how how;
};

struct io_unlink {
	int dfd;
	int flags;
	struct filename *filename;
};

struct io_mkdir {
	int dfd;
	struct filename *filename;
};

struct io_rename {
	int old_dfd;
	int new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
	int flags;
};

/* Of hard links and of symbolic ones, which have no old folder. */
struct io_link {
	int old_dfd;
	int new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
};

/* Since 7.0: */
struct delayed_filename {
	struct filename *__incomplete_filename;
};

struct io_open___7 {
	struct delayed_filename filename;
};

struct io_unlink___7 {
	struct delayed_filename filename;
};

struct io_mkdir___7 {
	struct delayed_filename filename;
};

struct io_rename___7 {
	struct delayed_filename oldpath;
	struct delayed_filename newpath;
};

struct io_link___7 {
	struct delayed_filename oldpath;
	struct delayed_filename newpath;
};

struct io_accept {
	u32 file_slot;
};

#pragma clang attribute pop

#endif
