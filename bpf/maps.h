/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What stands in the maps that the kernel programs and the agent share. It is never recorded: unlike
 * the structs of `event.h` these may change. The same test compares them with the agent's.
 */
#ifndef MAPS_H
#define MAPS_H

#include "event.h"

/* Maps `repeats`, `changes` and `peers`, by their keys: acts that stand for an event already sent. */
struct repeat {
	u64 since; /* CLOCK_BOOTTIME of the event sent, ns; 0: not sent yet */
	u64 last;  /* … of the last repeat */
	u64 count; /* repeats since the entry was made; only ever grows */
};

/* Map `tallies`, per CPU, by kind: what became of each act that the kernel saw. */
struct tally {
	u64 sent;
	u64 lost_ring;    /* the ring was full */
	u64 lost_kernel; /* no buffer, or the record of who acted was gone */
	u64 lost_shed;   /* given up under load, so that rarer acts still find room */
	u64 coalesced;
	u64 spared; /* passes that another program than the one that was busy looked at */
};

/* Map `rule_states`: the drop rules that are decided here. Each is a bit. */
struct rule_state {
	u64 generation;  /* differs each time that others are put into force; 0: there are none */
	u64 any_program; /* rules of no program */
	u64 any_user;    /* rules of no user */
	u64 of_folder;   /* rules of files below a folder */
};

/* Map `rule_programs`: an executable as components, filled up with NUL. */
#define RULE_PROGRAM_MAX 256
struct rule_program {
	char components[RULE_PROGRAM_MAX];
};

/*
 * Map `rule_folders`: a folder's components with the NUL of the name that is below it, from the last
 * byte to the first, so that whatever is below begins with them.
 */
#define RULE_FOLDER_MAX 128
struct rule_folder {
	u32 bits; /* that count */
	u8 reversed[RULE_FOLDER_MAX];
};

/* Map `verdicts`, by thread group: the rules of the program that it runs. */
struct verdict {
	u64 generation;
	u64 start; /* of the thread group, in clock ticks */
	u64 rules;
};

/* Map `gates`: which acts this agent tells while another hands over to it, or it to another. */
struct gate {
	u64 learn; /* CLOCK_BOOTTIME in ns: from here on the life of processes is sent */
	u64 from;  /* … all else, too */
	u64 until; /* … nothing any more; 0: there is no end */
};

#define RULES_MAX 64
#define RULE_ENTRIES_MAX 256 /* programs, and users */
#define RULE_TICK 10000000 /* ns */

#endif
