// SPDX-License-Identifier: Apache-2.0
//
// Packets from outside a PMD's own queues: what handlers answered, packet-outs.  Each PMD has a
// ring of work and a ring of free items; the thread that injects makes the action list ready and,
// because a PMD never frees or locks, also gives up the list of the item's last use.
#include "base/clock.h"
#include "base/coverage.h"
#include "base/limits_report.h"
#include "pmd/dp_int.h"
#include "pmd/ring.h"

COVERAGE_DEFINE(dpif_execute);

enum { INJECT_RING = INJECT_MAX_WAITING + 1, INJECT_ITEMS_AT_ONCE = 64 };

struct inject_item {
    unsigned n;
    uint8_t depth;           // passes of the packets so far
    const struct plan *plan; // a reference; NULL: classify
    struct packet_md md;
    struct rte_mbuf *m[BURST_MAX];
};

struct inject_queue {
    struct rte_ring *work, *free;
    _Atomic uint64_t most; /* that waited at once; who injects: w, main: r */
    struct inject_item *items;
};

struct inject_queue *
inject_create(void)
{
    struct inject_queue *q = xzalloc(sizeof *q);

    q->work = ring_create(INJECT_RING, RING_F_SC_DEQ);
    q->free = ring_create(INJECT_RING, 0);
    q->items = xcalloc(INJECT_RING - 1, sizeof *q->items);
    for (unsigned i = 0; i < INJECT_RING - 1; i++) {
        ring_put(q->free, &q->items[i]);
    }
    return q;
}

struct rte_ring *
inject_ring(struct inject_queue *q)
{
    return q->work;
}

void
inject_destroy(struct inject_queue *q, struct megaflows *mf)
{
    struct inject_item *it;

    while ((it = ring_take(q->work))) {
        drop_packets(it->m, it->n, DROP_INJECT_FULL);
    }
    pthread_mutex_lock(&mf->lock);
    for (unsigned i = 0; i < INJECT_RING - 1; i++) {
        plan_unref(&mf->plans, q->items[i].plan);
    }
    pthread_mutex_unlock(&mf->lock);
    ring_destroy(q->work);
    ring_destroy(q->free);
    free(q->items);
    free(q);
}

static struct inject_queue *
inject_target(struct dp *dp, uint16_t pmd_index, struct pmd **pmdp)
{
    struct pmd *pmd = pmd_index < PMD_MAX ? rcu_get(&dp->pmds[pmd_index]) : NULL;

    if (!pmd) {
        pmd = rcu_get(&dp->pmds[PMD_KERNEL]);
    }
    *pmdp = pmd;
    return pmd->inject;
}

struct origin {
    struct packet_md md;
    uint8_t depth;
};

static void
inject_chunk(struct megaflows *mf, struct inject_queue *q, struct rte_mbuf **m, unsigned n,
             const struct origin *from, const struct dp_actions *actions)
{
    struct inject_item *it = ring_take(q->free);

    if (!it) {
        drop_packets(m, n, DROP_INJECT_FULL);
        return;
    }
    if (it->plan || actions) {
        pthread_mutex_lock(&mf->lock);
        plan_unref(&mf->plans, it->plan);
        it->plan = actions ? plan_get(&mf->plans, actions) : NULL;
        pthread_mutex_unlock(&mf->lock);
    }
    it->n = n;
    it->md = from->md;
    it->depth = from->depth;
    memcpy(it->m, m, n * sizeof *m);
    ring_put(q->work, it);
    limit_note(&q->most, rte_ring_count(q->work));
}

unsigned
inject_waiting(const struct inject_queue *q, uint64_t *most)
{
    *most = atomic_load_explicit(&q->most, memory_order_relaxed);
    return rte_ring_count(q->work);
}

static void
inject(struct dp *dp, uint16_t pmd_index, struct rte_mbuf **m, unsigned n,
       const struct origin *from, const struct dp_actions *actions)
{
    struct pmd *pmd;
    struct inject_queue *q = inject_target(dp, pmd_index, &pmd);
    uint32_t reason;

    coverage_add(dpif_execute, n);
    if (actions && plan_is_drop(actions, &reason)) {
        // No PMD needs to hear of it.
        _Atomic uint64_t *before = drop_begin_port(dp_port_drops(dp, from->md.in_port));
        drop_packets(m, n, reason);
        drop_begin_port(before);
        return;
    }
    for (unsigned i = 0; i < n; i += BURST_MAX) {
        inject_chunk(&dp->mf, q, m + i, MIN(n - i, (unsigned)BURST_MAX), from, actions);
    }
    pmd_wake(pmd);
}

void
dp_inject(struct dp *dp, uint16_t pmd_index, struct rte_mbuf **m, unsigned n,
          const struct flow_key *key, const struct dp_actions *actions)
{
    struct origin from = {.depth = 0};

    packet_md_from_key(key, &from.md);
    inject(dp, pmd_index, m, n, &from, actions);
}

void
upcall_flush(struct dp *dp, struct upcall_returns *r)
{
    struct origin from = {.md.in_port = r->in_port};
    struct dp_actions actions = {0};

    if (r->n) {
        dp_put_output(&actions, r->out_port);
        inject(dp, r->pmd_index, r->m, r->n, &from, &actions);
        dp_actions_fini(&actions);
        r->n = 0;
    }
}

// A packet that is only sent, at no priority: of what was known of it the PMD needs the port.
static bool
may_wait(const struct upcall *up, const struct dp_actions *actions, odp_port_t *out_port)
{
    const uint64_t priority = (uint64_t)UINT32_MAX << (offsetof(struct flow, skb_priority) % 8 * 8);

    return plan_is_output(actions, out_port) &&
           !(flow_key_word(&up->key, FLOW_WORD_OF(skb_priority)) & priority);
}

void
upcall_give_back(struct dp *dp, struct upcall *up, const struct dp_actions *actions,
                 struct upcall_returns *r)
{
    odp_port_t in_port = (odp_port_t)up->key.w[0], out_port = 0;
    bool waits = may_wait(up, actions, &out_port);

    if (!waits || r->in_port != in_port || r->out_port != out_port ||
        r->pmd_index != up->pmd_index) {
        upcall_flush(dp, r);
    }
    if (waits) {
        r->in_port = in_port;
        r->out_port = out_port;
        r->pmd_index = up->pmd_index;
        r->m[r->n++] = up->mbuf;
    } else {
        struct origin from = {.depth = up->depth};

        packet_md_from_key(&up->key, &from.md);
        inject(dp, up->pmd_index, &up->mbuf, 1, &from, actions);
    }
    up->mbuf = NULL;
    if (r->n == UPCALL_RETURNS) {
        upcall_flush(dp, r);
    }
}

static void
inject_run(struct pmd *pmd, struct inject_item *it)
{
    const struct plan *plan = it->plan;

    drop_begin_port(dp_port_drops(pmd->dp, it->md.in_port));
    if (plan && plan->kind == PLAN_OUTPUT && !it->md.skb_priority) {
        pmd_send(pmd, plan->port, it->m, it->n);
    } else {
        for (unsigned j = 0; j < it->n; j++) {
            if (plan) {
                pmd_execute_list(pmd, it->m[j], &it->md, &plan->actions, it->depth);
            } else {
                recirc_push(pmd, it->m[j], &it->md, it->depth);
            }
        }
        pmd_stage_begin(pmd);
        recirc_drain(pmd);
    }
    drop_begin_port(NULL);
}

// On the PMD.
bool
inject_drain(struct pmd *pmd)
{
    struct inject_queue *q = pmd->inject;
    void *items[INJECT_ITEMS_AT_ONCE];
    unsigned n;

    if (LIKELY(rte_ring_empty(q->work))) {
        return false;
    }
    uint64_t start = clock_tsc();
    n = ring_take_burst(q->work, items, INJECT_ITEMS_AT_ONCE);
    for (unsigned i = 0; i < n; i++) {
        inject_run(pmd, items[i]);
        ring_put(q->free, items[i]);
    }
    pmd_note_answer(pmd, clock_tsc() - start);
    return true;
}
