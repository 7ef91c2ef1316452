/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Buffer, stamp, count, submit: the only way to a ring. */
#ifndef EMIT_H
#define EMIT_H

#include "compat.bpf.h"
#include "maps.h"
#include "rules.bpf.h"
#include "settings.bpf.h"

/* What must not be pushed out by a flood of files: the life of processes. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} critical SEC(".maps");

#define BULK_SIZE (2 * 1024 * 1024)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BULK_SIZE);
} bulk SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVENT_KINDS);
	__type(key, u32);
	__type(value, struct tally);
} tallies SEC(".maps");

enum ring_number { RING_CRITICAL, RING_BULK, RINGS };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct gate);
} gates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RINGS);
	__type(key, u32);
	__type(value, u64);
} sequences SEC(".maps");

/* Room for the largest record, an exec: header, four paths and a name, the arguments. */
#define SECTIONS_MAX (5 * (PATH_LIMIT + 256) + ARGUMENTS_MAX)
#define RECORD_MAX (256 + SECTIONS_MAX)

struct scratch {
	u64 held;
	/* The record's bytes so far. Kept in the map: a number from there is unknown to the verifier,
	 * so that a loop over it converges instead of being walked value by value. */
	u64 size;
	u64 path_end;  /* of the components of the file that the record is about */
	u64 path_size; /* … ; 0: they are not known */
	u64 digest[4]; /* while it is computed; here for the same reason */
	u64 context[6]; /* of a loop, on kernels before 5.17 */
	u8 record[RECORD_MAX];
};

/*
 * Of each CPU, too large for the kernel's per-CPU maps; the loader sets the number. What travels on
 * the critical ring has some of its own: who is preempted while it tells of a file is not in its way.
 * Of each there is a second, for the next that tells something meanwhile.
 */
enum scratch_number {
	SCRATCH_BULK,
	SCRATCH_BULK_SPARE,
	SCRATCH_CRITICAL,
	SCRATCH_CRITICAL_SPARE,
	SCRATCHES
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

INLINE struct scratch *this_scratch(u32 which)
{
	u32 number = bpf_get_smp_processor_id() * SCRATCHES + which;

	return bpf_map_lookup_elem(&scratches, &number);
}

INLINE void give_back(u64 *held)
{
	__sync_fetch_and_add(held, -1);
}

/* Whether a buffer was free, and is now the caller's until it is given back. */
INLINE int take(u64 *held)
{
	/* Who counts itself alone has it; an exchange would need 5.12. */
	__sync_fetch_and_add(held, 1);
	if (*(volatile u64 *)held == 1)
		return 1;
	give_back(held);
	return 0;
}

INLINE struct tally *tally_of(u32 kind)
{
	return bpf_map_lookup_elem(&tallies, &kind);
}

/* Counts are added in one step: an interrupt on the same CPU may add to the same. */
INLINE void count_lost(u32 kind)
{
	struct tally *tally = tally_of(kind);

	if (tally)
		__sync_fetch_and_add(&tally->lost_kernel, 1);
}

/*
 * Up to which fill of the bulk ring a kind is sent, in 32nds. When the reader cannot keep up, what
 * there is most of is given up first, then other file acts and what has failed, then what goes by packets,
 * then mounts and connections. The last of the room is for what found none on the critical ring, or has
 * gone beyond its limit there (submit_limited): it is never given up for any of these.
 */
INLINE u64 share_of(u32 kind)
{
	switch (kind) {
	case EVENT_OPEN:
		return 24;
	case EVENT_DELETE:
	case EVENT_RENAME:
	case EVENT_DIRECTORY_MADE ... EVENT_TRUNCATE:
	case EVENT_MEMORY_FILE:
	case EVENT_REQUEST:
	case EVENT_EXEC_FAILED:
	case EVENT_REFUSED:
		return 28;
	case EVENT_DATAGRAM:
	case EVENT_DNS:
		return 30;
	case EVENT_EXEC:
	case EVENT_IDENTITY ... EVENT_BPF:
		return 32;
	default:
		return 31;
	}
}

/* Whether an act has to be given up, before anything is spent on it. Counts it. */
INLINE int is_shed(u32 kind)
{
	u64 share = share_of(kind);
	struct tally *tally;

	if (share == 32 ||
	    bpf_ringbuf_query(&bulk, BPF_RB_AVAIL_DATA) < BULK_SIZE / 32 * share)
		return 0;
	tally = tally_of(kind);
	if (tally)
		__sync_fetch_and_add(&tally->lost_shed, 1);
	return 1;
}

INLINE struct scratch *take_scratch(u32 which, u64 size)
{
	struct scratch *scratch = this_scratch(which);

	if (!scratch || !take(&scratch->held))
		return 0;
	scratch->size = size;
	scratch->path_size = 0;
	return scratch;
}

/*
 * A buffer of this CPU with room for a fixed part of `size` bytes. NULL, which is counted, when the
 * act is to be given up, or when programs that this one has interrupted or preempted hold them all:
 * scratch memory that is written twice at once is the classic source of garbled events.
 */
INLINE struct scratch *scratch_take(u32 kind, u64 size)
{
	struct scratch *scratch = 0;
	u32 first = SCRATCH_BULK;

	if (is_shed(kind))
		return 0;
	/* In the object for old kernels, loops look for their buffer again, and know of one. Before 5.11
	 * no program is preempted. */
#ifdef OLD_KERNELS
	scratch = take_scratch(first, size);
#else
	if (kind == EVENT_EXEC || kind == EVENT_IDENTITY || kind == EVENT_MODULE)
		first = SCRATCH_CRITICAL;
	scratch = take_scratch(first, size);
	if (!scratch)
		scratch = take_scratch(first + 1, size);
#endif
	if (!scratch)
		count_lost(kind);
	return scratch;
}

INLINE u64 next_sequence(u32 ring)
{
	u64 *sequence = bpf_map_lookup_elem(&sequences, &ring);

	/* An array map's elements always exist; the verifier does not know. */
	return sequence ? fetch_and_increment(sequence) : 0;
}

/*
 * The reader comes by itself every few milliseconds; it is woken only by the record that fills the
 * ring to the mark, since a wake-up for each would cost both sides more than the record.
 */
INLINE u64 wakeup_flag(void *ring, u64 size)
{
	u64 waiting = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);

	if (waiting < wakeup_bytes && waiting + size >= wakeup_bytes)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* What was appended last, components of that size, is the whole path of the file that it is about. */
INLINE void is_of_file(struct scratch *scratch, u64 size)
{
	scratch->path_end = scratch->size;
	scratch->path_size = size;
}

/*
 * The rules of the folders that the record's file is below, by the very text that is told: whatever
 * is renamed, linked or mounted, the agent would decide the same.
 */
INLINE u64 rules_of_file(struct scratch *scratch)
{
	struct event_header *header = (void *)scratch->record;
	struct rule_folder *key = (void *)(scratch->record + RECORD_MAX - sizeof(*key));
	u64 size = scratch->path_size, at, *rules;
	u8 *last;

	/* A short path has other bytes of the buffer before it, which do not count. */
	at = scratch->path_end + __builtin_offsetof(struct scratch, record) - RULE_FOLDER_MAX;
	BOUND(at);
	if (!size || at > RECORD_MAX - RULE_FOLDER_MAX || header->flags & EVENT_PATH_CUT)
		return 0;
	last = (u8 *)scratch + at;
#pragma unroll
	for (u32 from = 0; from < RULE_FOLDER_MAX; from += sizeof(u64))
		*(u64 *)(key->reversed + from) = __builtin_bswap64(
			*(u64 *)(last + RULE_FOLDER_MAX - sizeof(u64) - from));
	key->bits = 8 * (size < RULE_FOLDER_MAX ? size : RULE_FOLDER_MAX);
	rules = bpf_map_lookup_elem(&rule_folders, key);
	return rules ? *rules : 0;
}

INLINE int drops(const struct rule_state *rules, const struct event_header *header, u64 of_file)
{
	u32 rule = rule_against(rules, header->pid, header->start, header->uid, of_file);

	if (rule >= RULES_MAX)
		return 0;
	/* A request to io_uring and its answer are one act, and none if it has failed: send_answer(). */
	if (header->kind != EVENT_REQUEST && header->kind != EVENT_ANSWER)
		count_dropped(rule);
	return 1;
}

/* Apart, for the stack of those who have it in a buffer. */
NOINLINE int is_dropped_scratch(struct scratch *scratch)
{
	const struct event_header *header = (void *)scratch->record;
	struct rule_state *rules = rules_in_force();
	u64 of_file;

	if (!rules)
		return 0;
	of_file = rules->of_folder ? rules_of_file(scratch) : 0;
	return drops(rules, header, of_file);
}

/*
 * Whether a rule drops a record of files or the network. Here nothing gets by; hooks that have much
 * to do before ask earlier, with current_is_dropped(). `scratch`: the buffer it is in, or NULL.
 */
INLINE int is_dropped(u32 ring_number, const struct event_header *header, struct scratch *scratch)
{
	struct rule_state *rules;

	if (ring_number != RING_BULK)
		return 0;
	if (scratch)
		return is_dropped_scratch(scratch);
	rules = rules_in_force();
	return rules && drops(rules, header, 0);
}

/* Whether another agent tells what happens now: the one before, or the one that takes over. */
INLINE int is_anothers(u32 ring_number, u64 now)
{
	u32 only = 0;
	struct gate *gate = bpf_map_lookup_elem(&gates, &only);

	if (!gate)
		return 0;
	if (now < (ring_number == RING_CRITICAL ? gate->learn : gate->from))
		return 1;
	return gate->until && now >= gate->until;
}

/* Sends a stamped record and counts what became of it. 0 if it was sent. `scratch`: as above. */
INLINE long submit(void *ring, u32 ring_number, struct event_header *header, u64 size,
		   struct scratch *scratch)
{
	struct tally *tally = tally_of(header->kind);
	u64 wakeup;
	long failed = 1;

	if (is_anothers(ring_number, header->time) || is_dropped(ring_number, header, scratch))
		return 1;
	/* What is in a buffer was asked for before. */
	if (ring_number == RING_BULK && !scratch && is_shed(header->kind))
		return 1;
	header->size = size;
	header->sequence = next_sequence(ring_number);
	wakeup = wakeup_flag(ring, size);
	/* Before 5.11 the verifier forgets the bounds of what it sees put aside. */
	BOUND(size);
	if (size <= RECORD_MAX)
		failed = bpf_ringbuf_output(ring, header, size, wakeup);
	/* A burst of what must not be lost has the room of all the rest as well. */
	if (failed && ring_number == RING_CRITICAL) {
		wakeup = wakeup_flag(&bulk, size);
		BOUND(size);
		if (size <= RECORD_MAX)
			failed = bpf_ringbuf_output(&bulk, header, size, wakeup);
	}
	if (tally) {
		if (failed)
			__sync_fetch_and_add(&tally->lost_ring, 1);
		else
			__sync_fetch_and_add(&tally->sent, 1);
	}
	return failed;
}

INLINE long submit_critical(struct event_header *header, u64 size)
{
	return submit(&critical, RING_CRITICAL, header, size, 0);
}

INLINE long submit_bulk(struct event_header *header, u64 size)
{
	return submit(&bulk, RING_BULK, header, size, 0);
}

/* The same for a record in a scratch buffer, which is given back. */
INLINE long submit_scratch(void *ring, u32 ring_number, struct scratch *scratch)
{
	long failed = submit(ring, ring_number, (void *)scratch->record, scratch->size, scratch);

	give_back(&scratch->held);
	return failed;
}

#endif
