/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A number for what a record says, by SipHash-1-3: who chooses the names in it cannot choose two that
 * have the same.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include "emit.bpf.h"

/* Bytes. */
#define DIGESTED_MAX 1024

#define ROTATED(number, bits) ((number) << (bits) | (number) >> (64 - (bits)))

INLINE void mix(u64 *state)
{
	state[0] += state[1];
	state[2] += state[3];
	state[1] = ROTATED(state[1], 13) ^ state[0];
	state[3] = ROTATED(state[3], 16) ^ state[2];
	state[0] = ROTATED(state[0], 32);
	state[2] += state[1];
	state[0] += state[3];
	state[1] = ROTATED(state[1], 17) ^ state[2];
	state[3] = ROTATED(state[3], 21) ^ state[0];
	state[2] = ROTATED(state[2], 32);
}

struct digested {
	struct scratch *scratch;
	u64 from;
};

static long digest_word(u32 index, void *context)
{
	struct digested *digested = context;
	struct scratch *scratch = digested->scratch;
	u64 at = digested->from + index * sizeof(u64), word;

	BOUND(at);
	if (at > RECORD_MAX - sizeof(word))
		return 1;
	word = *(u64 *)(scratch->record + at);
	scratch->digest[3] ^= word;
	mix(scratch->digest);
	scratch->digest[0] ^= word;
	return 0;
}

LOOP(digest_word, struct digested)

/* Of the record from a byte on; 0 if that is too long. */
NOINLINE u64 digest_of(struct scratch *scratch, u64 from)
{
	struct digested digested = { .scratch = scratch, .from = from };
	u64 *state = scratch->digest;
	u64 end = scratch->size, length = end - from;

	BOUND(end);
	if (length > DIGESTED_MAX - sizeof(u64) || end > RECORD_MAX - sizeof(u64))
		return 0;
	/* What is left of another record behind the end is none of this one's. */
	*(u64 *)(scratch->record + end) = 0;
	state[0] = digest_secret[0] ^ 0x736f6d6570736575;
	state[1] = digest_secret[1] ^ 0x646f72616e646f6d;
	state[2] = digest_secret[0] ^ 0x6c7967656e657261;
	state[3] = digest_secret[1] ^ 0x7465646279746573;
	loop_digest_word((length + sizeof(u64) - 1) / sizeof(u64), &digested);
	state[3] ^= length;
	mix(state);
	state[0] ^= length;
	state[2] ^= 0xff;
	mix(state);
	mix(state);
	mix(state);
	return (state[0] ^ state[1] ^ state[2] ^ state[3]) | 1;
}

#endif
