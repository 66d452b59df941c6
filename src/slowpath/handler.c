// SPDX-License-Identifier: Apache-2.0
/*
 * handler.c - handler threads: from a miss to a megaflow and a packet on its way.
 *
 * A batch of upcalls comes from several ports in turn (pmd/upcall.h keeps that fair).  Packets with
 * the same key are translated once; the flow is installed before its packets are given back, so
 * that those which follow find it, and a flow's packets keep their order.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/rcu.h"
#include "base/util.h"
#include "flow/extract.h"
#include "flow/key.h"
#include "pmd/upcall.h"
#include "slowpath/slowpath_int.h"

LOG_MODULE(ofproto_dpif_upcall);

COVERAGE_DEFINE(upcall_flow_limit_hit);

enum { HANDLER_WAIT_MS = 1000 };

/* Everything that 'flow' has becomes part of the mask: upcall/disable-megaflows. */
static void
mask_make_exact(const struct upcall *up, struct flow_mask *mask)
{
    uint64_t map = up->key.map;

    for (; map; map &= map - 1) {
        mask->bits.w[__builtin_ctzll(map)] = UINT64_MAX;
    }
}

enum { HEADS = 2 * SLOWPATH_BATCH };

/* One batch, for as long as it lasts. */
struct batch {
    struct slowpath *sp;
    struct upcall **ups; /* NULL: done with an earlier one */
    unsigned n;
    struct xlate_share share;
    struct upcall_returns returns;
    uint32_t signature[SLOWPATH_BATCH]; /* of misses */
    /* Lists of misses by some bits of the signature, in order: the place + 1, 0 ends. */
    uint8_t heads[HEADS], next[SLOWPATH_BATCH];
};
static_assert(SLOWPATH_BATCH < UINT8_MAX, "a place + 1 is a byte");

const struct dp_actions *
slowpath_actions(const struct xlate_out *out, struct dp_actions *slow)
{
    struct dp_act_userspace userspace = {
        .kind = DP_USERSPACE_SLOW_PATH,
        .slow_path.reasons = out->slow,
    };

    *slow = (struct dp_actions){0};
    if (!out->slow) {
        return &out->actions;
    }
    dp_put_userspace(slow, &userspace);
    return slow;
}

static void
adopt(struct slowpath *sp, struct ukey *ukey)
{
    if (flow_index_add(sp->index, ukey)) {
        revalidators_request(sp, PASS_FOLLOW);
    }
    ukey_attach(sp, ukey);
}

/* Installs a megaflow for 'up' with what 'out' says.  When that cannot be (the limit, another
 * handler was quicker) packets are forwarded all the same, by an upcall each. */
static void
install(struct slowpath *sp, const struct upcall *up, const struct flow *flow,
        struct xlate_out *out, uint64_t seq, uint64_t state_seq)
{
    struct dp_actions slow;
    struct dp_flow_put put = {
        .key = flow,
        .mask = &out->mask,
        .shape = up->key.map,
        .actions = slowpath_actions(out, &slow),
    };
    struct dp_flow *dp_flow;
    int retval;

    if (!atomic_load_explicit(&sp->settings.megaflows, memory_order_relaxed)) {
        mask_make_exact(up, &out->mask);
    }
    retval = dp_flow_put(sp->dp, &put, &dp_flow);
    if (!retval) {
        adopt(sp, ukey_create(dp_flow, out, seq, state_seq));
    } else if (retval == -ENOSPC) {
        coverage_inc(upcall_flow_limit_hit);
    }
    dp_actions_fini(&slow);
}

/* What 'up' adds to statistics: a packet that hit a slow-path flow was counted there. */
static void
xlate_in_init(struct slowpath *sp, struct xlate_in *in, const struct upcall *up,
              const struct flow *flow)
{
    *in = (struct xlate_in){
        .ofprotos = sp->ofprotos,
        .flow = flow,
        .packet = up->mbuf,
        .side_effects = true,
        .tcp_flags = ntohs(flow->tcp_flags),
    };
    if (up->type == UPCALL_MISS) {
        in->n_packets = 1;
        in->n_bytes = rte_pktmbuf_pkt_len(up->mbuf);
    }
}

/* One packet for itself: each has effects of its own (messages, learning from its bytes). */
static void
handle_packet(struct batch *b, struct upcall *up, const struct flow *flow)
{
    struct xlate_in in;
    struct xlate_out out;

    xlate_in_init(b->sp, &in, up, flow);
    xlate(&in, &out);
    upcall_give_back(b->sp->dp, up, &out.actions, &b->returns);
    xlate_out_fini(&out);
}

/* 'n' misses with the key of ups[0]: translates once, installs, sends all of them. */
static void
handle_misses(struct batch *b, struct upcall **ups, unsigned n)
{
    struct slowpath *sp = b->sp;
    uint64_t seq = ofprotos_seq(sp->ofprotos), state_seq = xlate_state_seq();
    uint64_t n_bytes = 0;
    struct xlate_in in;
    struct xlate_out out;
    struct flow flow;

    flow_from_key(&ups[0]->key, &flow);
    xlate_in_init(sp, &in, ups[0], &flow);
    in.want_cache = true;
    in.share = b->n > 1 ? &b->share : NULL;
    xlate(&in, &out);
    if (n > 1 && !out.slow) {
        for (unsigned i = 1; i < n; i++) {
            n_bytes += rte_pktmbuf_pkt_len(ups[i]->mbuf);
        }
        xlate_cache_credit(out.cache, n - 1, n_bytes, clock_now_ms(), in.tcp_flags);
    }
    if (!out.drop_unknown) {
        install(sp, ups[0], &flow, &out, seq, state_seq);
    }
    upcall_give_back(sp->dp, ups[0], &out.actions, &b->returns);
    for (unsigned i = 1; i < n; i++) {
        if (out.slow) {
            handle_packet(b, ups[i], &flow);
        } else {
            upcall_give_back(sp->dp, ups[i], &out.actions, &b->returns);
        }
    }
    xlate_out_fini(&out);
}

static void
handle_action(struct batch *b, struct upcall *up)
{
    struct flow flow;

    if (up->userspace.kind == DP_USERSPACE_SLOW_PATH) {
        flow_from_key(&up->key, &flow);
        handle_packet(b, up, &flow);
    }
}

/* A number that misses with the same key have in common, to be compared first: most keys of a batch
 * differ.  Who makes them collide makes a batch compare keys instead. */
static uint32_t
signature(const struct upcall *up)
{
    uint64_t h = up->key.map;

    for (uint32_t i = 0; i < up->key.n; i++) {
        h = (h ^ up->key.w[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return (uint32_t)(h >> 32);
}

/* Upcalls were written by another core: so many are fetched at a time. */
enum { FETCH_AHEAD = 4 };

static void
prefetch_upcall(const struct upcall *up)
{
    __builtin_prefetch(up);
    __builtin_prefetch((const char *)up + CACHE_LINE_SIZE);
    __builtin_prefetch((const char *)up + 2 * CACHE_LINE_SIZE);
}

static void
batch_init(struct batch *b, struct slowpath *sp, struct upcall **ups, unsigned n)
{
    b->sp = sp;
    b->ups = ups;
    b->n = n;
    b->returns.n = 0;
    xlate_share_init(&b->share);
    for (unsigned i = 0; i < n; i++) {
        if (i + FETCH_AHEAD < n) {
            prefetch_upcall(ups[i + FETCH_AHEAD]);
        }
        __builtin_prefetch(ups[i]->mbuf);
        b->signature[i] = ups[i]->type == UPCALL_MISS ? signature(ups[i]) : 0;
    }
    memset(b->heads, 0, sizeof b->heads);
    for (unsigned i = n; i-- > 0;) {
        if (ups[i]->type == UPCALL_MISS) {
            uint8_t *head = &b->heads[b->signature[i] % HEADS];

            b->next[i] = *head;
            *head = (uint8_t)(i + 1);
        }
    }
}

/* Takes the misses that share the key of the one at 'first' out into 'same', in order. */
static unsigned
take_same(struct batch *b, unsigned first, struct upcall **same)
{
    struct upcall *up = b->ups[first];
    unsigned n_same = 0;

    same[n_same++] = up;
    for (unsigned at = b->next[first]; at; at = b->next[at - 1]) {
        unsigned i = at - 1;

        if (b->signature[i] == b->signature[first] && b->ups[i] &&
            flow_key_equal(&b->ups[i]->key, &up->key)) {
            same[n_same++] = b->ups[i];
            b->ups[i] = NULL;
        }
    }
    return n_same;
}

static void
handle_batch(struct upcall **ups, unsigned n, void *slowpath_)
{
    struct slowpath *sp = slowpath_;
    struct upcall *all[SLOWPATH_BATCH], *same[SLOWPATH_BATCH];
    struct batch b;

    memcpy(all, ups, n * sizeof *ups);
    batch_init(&b, sp, ups, n);
    for (unsigned i = 0; i < n; i++) {
        if (!ups[i]) {
            continue;
        }
        if (ups[i]->type == UPCALL_MISS) {
            handle_misses(&b, same, take_same(&b, i, same));
        } else {
            handle_action(&b, ups[i]);
        }
    }
    upcall_flush(sp->dp, &b.returns);
    xlate_share_fini(&b.share);
    atomic_fetch_add_explicit(&sp->n_upcalls, n, memory_order_relaxed);
    upcall_free_all(sp->dp, all, n);
}

/* --- threads ------------------------------------------------------------------------------ */

bool
handlers_lag(const struct slowpath *sp, uint64_t seq)
{
    for (unsigned i = 0; i < sp->n_handlers; i++) {
        if (atomic_load(&sp->handlers[i].batch_seq) < seq) {
            return true;
        }
    }
    return false;
}

/* A MAC moved: flows to its old place are wrong.  The walk that is due anyway finds them if another
 * one would come too soon after the last. */
static void
follow_moves(struct handler *h)
{
    struct slowpath *sp = h->slowpath;

    if (h->moved && clock_now_ms() >= atomic_load(&sp->moved_walk_ms)) {
        h->moved = false;
        revalidators_request(sp, PASS_WALK);
    }
}

static void *
handler_main(void *handler_)
{
    struct handler *h = handler_;
    struct slowpath *sp = h->slowpath;
    struct upcall *ups[SLOWPATH_BATCH];
    char name[16];

    snprintf(name, sizeof name, "handler%u", h->index);
    pthread_setname_np(pthread_self(), name);
    rcu_thread_register();
    while (!atomic_load_explicit(&sp->stop_handlers, memory_order_acquire)) {
        unsigned n;

        n = upcall_wait(sp->dp, h->index, ups, SLOWPATH_BATCH, HANDLER_WAIT_MS);
        if (n) {
            uint64_t state_seq = xlate_state_seq();

            atomic_store(&h->batch_seq, ofprotos_seq(sp->ofprotos));
            handle_batch(ups, n, sp);
            atomic_store(&h->batch_seq, UINT64_MAX);
            h->moved |= state_seq != xlate_state_seq();
            follow_moves(h);
        }
        rcu_quiesce();
    }
    rcu_thread_unregister();
    return NULL;
}

void
handlers_start(struct slowpath *sp, unsigned n)
{
    atomic_store(&sp->stop_handlers, false);
    upcall_set_inline(sp->dp, handle_batch, sp);
    upcall_set_n_handlers(sp->dp, n);
    sp->n_handlers = n;
    for (unsigned i = 0; i < n; i++) {
        struct handler *h = &sp->handlers[i];

        h->slowpath = sp;
        h->index = i;
        atomic_store(&h->batch_seq, UINT64_MAX);
        if (pthread_create(&h->thread, NULL, handler_main, h)) {
            log_emer("cannot create a handler thread");
            abort();
        }
    }
}

void
handlers_stop(struct slowpath *sp)
{
    atomic_store(&sp->stop_handlers, true);
    upcall_wake(sp->dp);
    for (unsigned i = 0; i < sp->n_handlers; i++) {
        pthread_join(sp->handlers[i].thread, NULL);
    }
    sp->n_handlers = 0;
}
