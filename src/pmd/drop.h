// SPDX-License-Identifier: Apache-2.0
//
// Fates of packets: every drop has a reason of drop.def and is counted once, per PMD thread, in the
// coverage counter of that reason ("ovs-appctl coverage/show").
#ifndef PMD_DROP_H
#define PMD_DROP_H

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
// Counts packets that somebody else freed.
void drop_count(enum drop_reason, unsigned n);

// The reason for an explicit drop action's 'reason' (enum dp_drop_reason).
enum drop_reason drop_from_action(uint32_t reason);

#endif
