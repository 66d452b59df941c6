// SPDX-License-Identifier: Apache-2.0
//
// Counting of dropped packets (see drop.h).  Any thread.
#include "pmd/drop.h"

#include "base/coverage.h"
#include "flow/dp_action.h"

#define DROP(NAME, COUNTER) COVERAGE_DEFINE(COUNTER);
#include "pmd/drop.def"
#undef DROP

static _Thread_local _Atomic uint64_t *port_counts;

static const struct coverage_counter *
drop_coverage(enum drop_reason reason)
{
    static const struct coverage_counter *const counters[DROP_N_REASONS] = {
#define DROP(NAME, COUNTER) [DROP_##NAME] = &coverage_counter_##COUNTER,
#include "pmd/drop.def"
#undef DROP
    };
    return counters[reason];
}

const char *
drop_reason_name(enum drop_reason reason)
{
    return drop_coverage(reason)->name;
}

_Atomic uint64_t *
drop_begin_port(_Atomic uint64_t *counts)
{
    _Atomic uint64_t *before = port_counts;

    port_counts = counts;
    return before;
}

void
drop_count(enum drop_reason reason, unsigned n)
{
    coverage_add_id(drop_coverage(reason)->id, n);
    if (port_counts) {
        // Mostly one writer; where handlers drop for a port, they may be several.
        atomic_fetch_add_explicit(&port_counts[reason], n, memory_order_relaxed);
    }
}

void
drop_packets(struct rte_mbuf **m, unsigned n, enum drop_reason reason)
{
    rte_pktmbuf_free_bulk(m, n);
    drop_count(reason, n);
}

void
drop_packet(struct rte_mbuf *m, enum drop_reason reason)
{
    drop_packets(&m, 1, reason);
}

enum drop_reason
drop_from_action(uint32_t reason)
{
    switch ((enum dp_drop_reason)reason) {
    case DP_DROP_OF_PIPELINE:
        return DROP_OF_PIPELINE;
    case DP_DROP_BRIDGE_NOT_FOUND:
        return DROP_BRIDGE_NOT_FOUND;
    case DP_DROP_RECURSION_TOO_DEEP:
        return DROP_RECURSION_TOO_DEEP;
    case DP_DROP_TOO_MANY_RESUBMITS:
        return DROP_TOO_MANY_RESUBMITS;
    case DP_DROP_STACK_TOO_DEEP:
        return DROP_STACK_TOO_DEEP;
    case DP_DROP_NO_RECIRC_CONTEXT:
        return DROP_NO_RECIRC_CONTEXT;
    case DP_DROP_RECIRC_CONFLICT:
        return DROP_RECIRC_CONFLICT;
    case DP_DROP_TOO_MANY_MPLS_LABELS:
        return DROP_TOO_MANY_MPLS_LABELS;
    case DP_DROP_INVALID_TUNNEL_METADATA:
        return DROP_INVALID_TUNNEL_METADATA;
    case DP_DROP_UNSUPPORTED_PACKET_TYPE:
        return DROP_UNSUPPORTED_PACKET_TYPE;
    case DP_DROP_CONGESTION:
        return DROP_CONGESTION;
    case DP_DROP_FORWARDING_DISABLED:
        return DROP_FORWARDING_DISABLED;
    case DP_DROP_TUNNEL_ROUTING_FAILED:
        return DROP_TUNNEL_ROUTING_FAILED;
    case DP_DROP_TUNNEL_OUTPUT_NO_ETHERNET:
        return DROP_TUNNEL_OUTPUT_NO_ETHERNET;
    case DP_DROP_TUNNEL_NEIGH_CACHE_MISS:
        return DROP_TUNNEL_NEIGH_CACHE_MISS;
    case DP_DROP_METER:
        return DROP_METER;
    }
    return DROP_OF_PIPELINE;
}
