/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One object of all the programs; what each means is in its own file. */
#include "process.bpf.c"
#include "file.bpf.c"
#include "network.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
