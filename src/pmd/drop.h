// SPDX-License-Identifier: Apache-2.0
//
// Fates of packets: every drop has a reason of drop.def and is counted once, per PMD thread, in the
// coverage counter of that reason ("ovs-appctl coverage/show").
#ifndef PMD_DROP_H
#define PMD_DROP_H

#include <stdatomic.h>
#include <stdint.h>

#include <rte_mbuf.h>

enum drop_reason {
#define DROP(NAME, COUNTER) DROP_##NAME,
#include "pmd/drop.def"
#undef DROP
    DROP_N_REASONS,
};

// Frees the packets and counts them.
void drop_packets(struct rte_mbuf **, unsigned n, enum drop_reason);
void drop_packet(struct rte_mbuf *, enum drop_reason);
// From now on this thread's drops count, besides, for a port or a queue: its array of
// DROP_N_REASONS.  NULL: for none.  Returns what it was before.
_Atomic uint64_t *drop_begin_port(_Atomic uint64_t *counts);
// Counts packets that somebody else freed.
void drop_count(enum drop_reason, unsigned n);

// "datapath_drop_upcall_error" and so on.
const char *drop_reason_name(enum drop_reason);

// The reason for an explicit drop action's 'reason' (enum dp_drop_reason).
enum drop_reason drop_from_action(uint32_t reason);

#endif
