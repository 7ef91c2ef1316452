/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Programs that have a spare.
 *
 * On a processor the kernel runs a program once at a time. Where it may preempt programs, those of
 * trampolines and since 7.0 those of tracepoints, whoever is preempted in one keeps it from all others
 * there until it runs again. The spare is the same program once more, on the same place. It acts only
 * where somebody is inside the first, which the kernel has skipped then.
 */
#ifndef SPARE_H
#define SPARE_H

#include "emit.bpf.h"

#ifdef OLD_KERNELS
/* Begins a program whose context is its arguments, and which reports acts of a kind. */
#define SPARED(place, name, kind)                                                          \
	SEC(place)                                                                         \
	int name(u64 *context)
#else
#define SPARES_MAX 64

/* By program: whether it is running. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SPARES_MAX);
	__type(key, u32);
	__type(value, u64);
} running SEC(".maps");

INLINE volatile u64 *running_of(u32 number)
{
	return bpf_map_lookup_elem(&running, &number);
}

/* Whether a spare is to act, which is counted. */
INLINE int is_needed(u32 number, u32 kind)
{
	volatile u64 *is_running = running_of(number);
	struct tally *tally;

	if (!is_running || !*is_running)
		return 0;
	tally = tally_of(kind);
	if (tally)
		__sync_fetch_and_add(&tally->spared, 1);
	return 1;
}

#define SPARED(place, name, kind)                                                          \
	enum { NUMBER_OF_##name = __COUNTER__ };                                           \
	NOINLINE int body_of_##name(u64 *context);                                         \
                                                                                           \
	SEC(place)                                                                         \
	int name(u64 *context)                                                             \
	{                                                                                  \
		volatile u64 *is_running = running_of(NUMBER_OF_##name);                   \
                                                                                           \
		if (is_running)                                                            \
			*is_running = 1;                                                   \
		body_of_##name(context);                                                   \
		if (is_running)                                                            \
			*is_running = 0;                                                   \
		return 0;                                                                  \
	}                                                                                  \
                                                                                           \
	SEC(place)                                                                         \
	int spare_##name(u64 *context)                                                     \
	{                                                                                  \
		return is_needed(NUMBER_OF_##name, kind) ? body_of_##name(context) : 0;    \
	}                                                                                  \
                                                                                           \
	NOINLINE int body_of_##name(u64 *context)
#endif

#endif
