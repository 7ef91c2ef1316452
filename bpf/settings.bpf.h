/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the agent decides before the programs are loaded; constant for the verifier after that. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "event.h"

/* The agent's own thread group: neither it nor its descendants are reported. 0: report all. */
const volatile u32 muted_pid = 0;

/* How long repeats of an act stand for the event already sent, ns. 0: every act is sent. */
const volatile u64 repeat_window = 1000000000;

/* The same of datagrams to one peer. */
const volatile u64 peer_window = 10000000000;

/* What nobody knows, so that nobody can make two records that have the same digest. */
const volatile u64 digest_secret[2] = {};

/* Whether questions and answers of DNS are reported. */
const volatile u32 dns_wanted = 1;

/* Bytes in a ring at which its reader is woken; below that it comes by itself. */
const volatile u64 wakeup_bytes = 65536;

#endif
