/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Two ways into a function of the kernel, with one body. */
#ifndef ENTRY_H
#define ENTRY_H

#include "spare.bpf.h"

/* At the entry of a function of five arguments at most. The body gets the arguments. */
#define ENTERS(function, body, kind)                                                       \
	SPARED("fentry/" #function, enter_##function, kind)                                \
	{                                                                                  \
		return body(context);                                                      \
	}                                                                                  \
                                                                                           \
	SEC("kprobe/" #function)                                                           \
	int probe_##function(struct pt_regs *context)                                      \
	{                                                                                  \
		u64 with[] = { context->di, context->si, context->dx, context->cx,         \
			       context->r8 };                                              \
                                                                                           \
		return body(with);                                                         \
	}

#define ERROR_MAX 4095

/* Whether what a function has returned, a pointer or an int, is an error. */
INLINE int is_error(u64 returned)
{
	u32 upper = returned >> 32;

	return (u32)returned >= (u32)-ERROR_MAX && (upper == 0 || upper == ~0u);
}

#endif
