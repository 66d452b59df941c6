// SPDX-License-Identifier: Apache-2.0
/*
 * ukey.c - what the slow path remembers about one megaflow.
 */
#include "base/clock.h"
#include "base/rcu.h"
#include "base/util.h"
#include "slowpath/slowpath_int.h"

struct ukey *
ukey_create(struct dp_flow *flow, struct xlate_out *out, uint64_t seq, uint64_t state_seq)
{
    struct ukey *ukey = xzalloc(sizeof *ukey);

    ukey->flow = flow;
    ukey->cache = out->cache;
    ukey->deps = out->deps;
    out->cache = NULL;
    out->deps = NULL;
    ukey->seq = seq;
    ukey->state_seq = state_seq;
    ukey->created_ms = clock_now_ms();
    return ukey;
}

const struct xlate_cache *
ukey_cache(const struct ukey *ukey)
{
    return ukey->cohort ? ukey->cohort->cache : ukey->cache;
}

const struct xlate_deps *
ukey_deps(const struct ukey *ukey)
{
    return ukey->cohort ? ukey->cohort->deps : ukey->deps;
}

void
ukey_destroy(void *ukey_)
{
    struct ukey *ukey = ukey_;

    if (ukey) {
        xlate_cache_destroy(ukey->cache);
        xlate_deps_destroy(ukey->deps);
        free(ukey);
    }
}

void
ukey_attach(struct slowpath *sp, struct ukey *ukey)
{
    struct dp_flow *flow = ukey->flow;

    dp_flow_set_aux(flow, ukey);
    if (dp_flow_is_dead(flow) && dp_flow_swap_aux(flow, NULL) == ukey) {
        flow_index_remove(sp->index, ukey);
        rcu_defer(ukey_destroy, ukey);
    }
}

void
ukey_adopt(struct dp *dp, struct dp_flow *flow, void *slowpath_)
{
    struct ukey *ukey = xzalloc(sizeof *ukey);

    (void)dp;
    ukey->flow = flow;
    ukey->suspect = true;
    ukey->created_ms = clock_now_ms();
    ukey_attach(slowpath_, ukey);
}

void
ukey_push(struct ukey *ukey, const struct dp_flow_stats *stats)
{
    uint64_t packets = stats->n_packets - ukey->packets;
    uint64_t bytes = stats->n_bytes - ukey->bytes;

    if (packets) {
        ukey->packets = stats->n_packets;
        ukey->bytes = stats->n_bytes;
        xlate_cache_credit(ukey_cache(ukey), packets, bytes, (int64_t)stats->used_ms,
                           stats->tcp_flags);
    }
}
