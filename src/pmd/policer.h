// SPDX-License-Identifier: Apache-2.0
//
// Token buckets of one direction of a port: what Interface.ingress_policing_* and the QoS types
// egress-policer and trtcm-policer ask for.  A packet that finds no tokens is dropped and counted;
// nothing waits.  RFC 2697 (one rate) and RFC 4115 (two rates, for each queue), by DPDK's
// rte_meter.
//
// Threads: main makes a policer, PMDs use it under RCU.  All PMDs share the buckets of a port, so
// each burst takes the policer's spin lock; ports without a policer have a NULL pointer instead.
#ifndef PMD_POLICER_H
#define PMD_POLICER_H

#include "pmd/dp.h"

struct policer;

// A new policer for frames that come in; NULL if 'cfg' asks for none.
struct policer *policer_create_ingress(const struct dp_ingress_policing *cfg);
// The same for frames that go out.  -EINVAL with NULL in '*out': a rate without a bucket.
int policer_create_qos(const struct dp_qos *cfg, struct policer **out);
void policer_free_deferred(struct policer *); // when no PMD uses it any more; NULL is fine

// Those of the 'n' packets that may pass stay, in order, at the beginning of 'm'; the others are
// freed and counted for 'netdev', as received or as sent.  'queue' is what set_queue said, or 0.
// Returns how many passed.  On a PMD.
enum policer_direction { POLICER_RX, POLICER_TX };
struct policer_call {
    struct netdev *netdev;
    enum policer_direction direction;
    uint32_t queue;
    uint64_t now_tsc;
};
unsigned policer_run(struct policer *, const struct policer_call *, struct rte_mbuf **m,
                     unsigned n);

bool policer_queue_stats(struct policer *, uint32_t queue, struct dp_queue_stats *);

#endif
