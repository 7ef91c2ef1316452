/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The critical ring for acts that cost their process next to nothing. One that repeats them beyond
 * what anyone does in earnest goes on in the ring of bulk, so that it cannot push out an exec. There
 * only lives that their own ring has no room for can push it out: share_of().
 */
#ifndef LIMITED_H
#define LIMITED_H

#include "emit.bpf.h"

#define LIMIT_WINDOW 1000000000ull /* ns */
#define LIMIT 256                  /* records of a process in a window */

struct spent {
	u64 since;
	u64 count;
};

/* By thread group. Who is pushed out begins a window anew. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct spent);
} spent SEC(".maps");

INLINE int is_within_limit(const struct event_header *header)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct spent *known = bpf_map_lookup_elem(&spent, &pid);
	struct spent first = { .since = header->time, .count = 1 };

	if (!known || header->time - known->since >= LIMIT_WINDOW) {
		bpf_map_update_elem(&spent, &pid, &first, BPF_ANY);
		return 1;
	}
	/* Asking what it was before would need 5.12. */
	__sync_fetch_and_add(&known->count, 1);
	return known->count <= LIMIT;
}

INLINE long submit_limited(struct event_header *header, u64 size)
{
	if (is_within_limit(header))
		return submit_critical(header, size);
	return submit_bulk(header, size);
}

INLINE long submit_limited_scratch(struct scratch *scratch)
{
	if (is_within_limit((void *)scratch->record))
		return submit_scratch(&critical, RING_CRITICAL, scratch);
	return submit_scratch(&bulk, RING_BULK, scratch);
}

#endif
