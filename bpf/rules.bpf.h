/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The user's drop rules, as far as they are about a program, a user and a folder: what a rule drops
 * reaches no ring. The life of processes is never dropped here, since the agent has to know who acts.
 *
 * A rule is a bit. A process has those of its program, decided at its exec; a user those of its id; a
 * file those of the folders that its path begins with, decided when the path is known; a rule drops
 * what all have. Without rules all this is one load.
 */
#ifndef RULES_H
#define RULES_H

#include "compat.bpf.h"
#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rule_state);
} rule_states SEC(".maps");

/* The rules of a program, those of no program included. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RULE_ENTRIES_MAX);
	__type(key, struct rule_program);
	__type(value, u64);
} rule_programs SEC(".maps");

/* The rules of a real user id, those of no user included. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RULE_ENTRIES_MAX);
	__type(key, u32);
	__type(value, u64);
} rule_users SEC(".maps");

/* The rules of what is below a folder, those of the folders above it included. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RULES_MAX);
	__type(key, struct rule_folder);
	__type(value, u64);
} rule_folders SEC(".maps");

/* By thread group. One that was pushed out is decided by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct verdict);
} verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RULES_MAX);
	__type(key, u32);
	__type(value, u64);
} rule_counts SEC(".maps");

/* The rules that are in force, NULL if there are none. */
INLINE struct rule_state *rules_in_force(void)
{
	u32 only = 0;
	struct rule_state *state = bpf_map_lookup_elem(&rule_states, &only);

	return state && state->generation ? state : 0;
}

/* The number of the lowest bit. */
INLINE u32 lowest(u64 bits)
{
	u32 number = 0;

	for (u32 half = 32; half; half /= 2) {
		if (bits << (64 - half))
			continue;
		bits >>= half;
		number += half;
	}
	return number;
}

/*
 * The rule that drops what a process does with a user's rights; RULES_MAX if none does. `of_file`: the
 * rules of the folders that the file is below.
 */
INLINE u32 rule_against(const struct rule_state *state, u32 pid, u64 start, u32 uid, u64 of_file)
{
	struct verdict *verdict = bpf_map_lookup_elem(&verdicts, &pid);
	u64 *of_user = bpf_map_lookup_elem(&rule_users, &uid);
	u64 rules = of_user ? *of_user : state->any_user;

	rules &= of_file | ~state->of_folder;
	if (verdict && verdict->generation == state->generation &&
	    verdict->start == start / RULE_TICK)
		rules &= verdict->rules;
	else
		rules &= state->any_program;
	return rules ? lowest(rules) : RULES_MAX;
}

INLINE void count_dropped(u32 rule)
{
	u64 *count = bpf_map_lookup_elem(&rule_counts, &rule);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/* A process has become the program whose path stands at `path`. `key`: free memory. */
INLINE void judge_program(const struct rule_state *state, u32 pid, u64 start, const void *path,
			  u64 size, struct rule_program *key)
{
	struct verdict verdict = {
		.generation = state->generation,
		.start = start / RULE_TICK,
		.rules = state->any_program,
	};
	u64 *rules = 0;

	BOUND(size);
	if (size <= sizeof(*key)) {
		__builtin_memset(key, 0, sizeof(*key));
		bpf_probe_read_kernel(key, size, path);
		rules = bpf_map_lookup_elem(&rule_programs, key);
	}
	if (rules)
		verdict.rules = *rules;
	if (bpf_map_update_elem(&verdicts, &pid, &verdict, BPF_ANY))
		bpf_map_delete_elem(&verdicts, &pid);
}

/* A child runs its parent's program. */
INLINE void inherit_verdict(u32 parent, u32 pid, u64 start)
{
	struct verdict *verdict = bpf_map_lookup_elem(&verdicts, &parent), copy;

	if (!verdict)
		return;
	copy = *verdict;
	copy.start = start / RULE_TICK;
	bpf_map_update_elem(&verdicts, &pid, &copy, BPF_ANY);
}

#endif
