/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The same act again: counted on the event already sent instead of being sent. */
#ifndef REPEAT_H
#define REPEAT_H

#include "digest.bpf.h"
#include "limited.bpf.h"
#include "maps.h"
#include "task.bpf.h"

/*
 * Opens that were repeated inside the window; other kinds of keys have maps of their own. An entry
 * counts only from when its event was sent, so that nothing is counted on an event that never
 * arrived; the agent takes the counts and removes the entries.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct repeat_key);
	__type(value, struct repeat);
} repeats SEC(".maps");

/* The same of all that is no open and no datagram, so that one of many leaves room for opens. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct repeat_key);
	__type(value, struct repeat);
} changes SEC(".maps");

#define EVENTS_CUT (EVENT_ARGUMENTS_CUT | EVENT_PATH_CUT | EVENT_OLD_PATH_CUT)

/* Fills in who acts. */
INLINE void identify_actor(struct repeat_key *key)
{
	struct task_struct *task = bpf_get_current_task_btf();

	key->start = LOAD(LOAD(task->group_leader)->start_boottime);
	key->pid = LOAD(task->tgid);
	key->euid = LOAD(LOAD(task->cred)->euid.val);
	key->program = LOAD(task->self_exec_id);
}

/* Counts the act on an event already sent. 1 if that is all there is to do. */
INLINE int is_repeat(void *map, u32 kind, const void *key, u64 window)
{
	struct repeat *repeat = bpf_map_lookup_elem(map, key);
	u64 now = bpf_ktime_get_boot_ns();
	struct tally *tally;

	if (!repeat || now - repeat->since >= window || is_anothers(RING_BULK, now))
		return 0;
	__sync_fetch_and_add(&repeat->count, 1);
	repeat->last = now;
	tally = tally_of(kind);
	if (tally)
		__sync_fetch_and_add(&tally->coalesced, 1);
	return 1;
}

/*
 * The act's entry, made if there is room for it; NULL means that this act is sent by itself. Another
 * thread's entry is of use only once its event was sent, so that only its maker ever removes it.
 */
INLINE struct repeat *entry_of(void *map, const void *key, int *made)
{
	struct repeat *known = bpf_map_lookup_elem(map, key);
	struct repeat idle = {};

	if (known)
		return known->since ? known : 0;
	if (bpf_map_update_elem(map, key, &idle, BPF_NOEXIST))
		return 0;
	*made = 1;
	return bpf_map_lookup_elem(map, key);
}

/* After an act was sent at `now`, or could not be. */
INLINE void settle_entry(void *map, const void *key, struct repeat *repeat, int made,
			 long failed, u64 now)
{
	if (!failed && repeat)
		repeat->since = now;
	if (failed && made)
		bpf_map_delete_elem(map, key);
}

/*
 * Sends the record of an act that is known by its key, unless its process has just done the same.
 * `is_limited`: by the critical ring, as far as that goes.
 */
INLINE void submit_counted(struct event_header *header, struct repeat_key *key, u64 size,
			   int is_limited)
{
	struct repeat *repeat = 0;
	long failed;
	int made = 0;

	if (repeat_window) {
		if (is_repeat(&changes, header->kind, key, repeat_window))
			return;
		repeat = entry_of(&changes, key, &made);
	}
	if (repeat)
		header->flags |= EVENT_TRACKED;
	failed = is_limited ? submit_limited(header, size) : submit_bulk(header, size);
	settle_entry(&changes, key, repeat, made, failed, header->time);
}

/*
 * Sends the record of what a digest tells apart, unless the process has just done the same: all that
 * follows the key has to be equal.
 */
INLINE void submit_digested(struct scratch *scratch, u32 kind)
{
	struct event_repeatable *event = (void *)scratch->record;
	struct repeat_key *key = &event->key;
	struct repeat *repeat = 0;
	u64 now = event->header.time;
	long failed;
	int made = 0;

	__builtin_memset(key, 0, sizeof(*key));
	key->generation = kind;
	/* What was cut may differ where that cannot be seen. */
	if (repeat_window && !(event->header.flags & EVENTS_CUT))
		key->path = digest_of(scratch, sizeof(*event));
	if (key->path) {
		identify_actor(key);
		if (is_repeat(&changes, kind, key, repeat_window))
			goto end;
		repeat = entry_of(&changes, key, &made);
	}
	if (repeat)
		event->header.flags |= EVENT_TRACKED;
	failed = submit(&bulk, RING_BULK, &event->header, scratch->size, scratch);
	settle_entry(&changes, key, repeat, made, failed, now);
end:
	give_back(&scratch->held);
}

#endif
