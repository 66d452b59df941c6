// SPDX-License-Identifier: Apache-2.0
//
// What happens to classified packets: counted on their flow, grouped by plan, sent.  Packets of one
// flow stay in order: a group is searched from the latest to the earliest, and groups run as they
// were opened.
#include "pmd/dp_int.h"
#include "pmd/pmd.h"

struct plan_group {
    const struct plan *plan;
    uint32_t n;
    uint8_t idx[BURST_MAX];
};

// Searching further back costs more than another small group.
enum { GROUP_SEARCH = 8 };

struct plan_groups {
    uint32_t n;
    struct plan_group g[PMD_MAX_GROUPS];
};

static struct plan_group *
group_for(struct plan_groups *gs, const struct plan *plan)
{
    uint32_t stop = gs->n > GROUP_SEARCH ? gs->n - GROUP_SEARCH : 0;

    for (uint32_t i = gs->n; i > stop; i--) {
        if (gs->g[i - 1].plan == plan) {
            return &gs->g[i - 1];
        }
    }
    struct plan_group *g = &gs->g[gs->n++];
    g->plan = plan;
    g->n = 0;
    return g;
}

// Counts a train on its flow and adds it to the group of the flow's plan.
static void
count_train(struct pmd *pmd, const struct burst *b, uint32_t leader, struct plan_group *g)
{
    const uint64_t map = b->key[leader].map;
    struct flow_counters *c = &pmd->counters[megaflow_slot(pmd->mf, b->flow[leader])];
    uint32_t end = leader + b->run[leader];
    // Words 0 to 4 are all there in the common shapes; in others the place is counted.
    uint32_t l4 = LIKELY((map & 0x1f) == 0x1f) ? 4 : flow_key_index(map, 4);
    uint64_t flags = 0;
    uint32_t bytes = 0;
    uint8_t *idx = &g->idx[g->n];

    for (uint32_t i = leader; i < end; i++) {
        bytes += rte_pktmbuf_pkt_len(b->m[i]);
        flags |= b->key[i].w[l4]; // one shape: the same place in all
        *idx++ = (uint8_t)i;
    }
    g->n += b->run[leader];
    flow_counters_add(c, b->run[leader], bytes, pmd->now_ms,
                      map >> 4 & 1 ? (uint16_t)(flags >> 32) : 0);
}

static void
count_and_group(struct pmd *pmd, struct burst *b, struct plan_groups *gs)
{
    const struct plan *last = NULL;
    struct plan_group *g = NULL;

    BURST_FOREACH (i, b->leaders & ~b->todo) {
        const struct plan *plan = rcu_get(&b->flow[i]->plan);
        if (UNLIKELY(plan != last)) {
            last = plan;
            g = group_for(gs, plan_resolve(plan));
        }
        count_train(pmd, b, i, g);
    }
}

static bool
has_queues(const struct burst *b, const struct plan_group *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        if (burst_key_queue(&b->key[g->idx[i]])) {
            return true;
        }
    }
    return false;
}

// Packets that came back with the queues of an earlier pass, which may differ.
static void
output_by_queue(struct pmd *pmd, const struct burst *b, const struct plan_group *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        struct rte_mbuf *m = b->m[g->idx[i]];
        uint32_t queue = burst_key_queue(&b->key[g->idx[i]]);

        if (queue) {
            pmd_send_queue(pmd, g->plan->port, queue, m);
        } else {
            pmd_send(pmd, g->plan->port, &m, 1);
        }
    }
}

static void
run_group(struct pmd *pmd, struct burst *b, const struct plan_group *g)
{
    struct rte_mbuf *picked[BURST_MAX];
    struct rte_mbuf **m = b->m;

    if (g->plan->kind == PLAN_LIST) {
        pmd_execute_burst_list(pmd, b, g->idx, g->n, &g->plan->actions);
        return;
    }
    if (UNLIKELY(b->md != NULL) && g->plan->kind == PLAN_OUTPUT && has_queues(b, g)) {
        output_by_queue(pmd, b, g);
        return;
    }
    if (g->n != b->n) {
        for (uint32_t i = 0; i < g->n; i++) {
            picked[i] = b->m[g->idx[i]];
        }
        m = picked;
    }
    if (g->plan->kind == PLAN_OUTPUT) {
        pmd_send(pmd, g->plan->port, m, g->n);
    } else {
        drop_packets(m, g->n, g->plan->drop_reason);
    }
}

void
pmd_execute(struct pmd *pmd, struct burst *b)
{
    struct plan_groups gs;

    gs.n = 0;
    count_and_group(pmd, b, &gs);
    for (uint32_t i = 0; i < gs.n; i++) {
        run_group(pmd, b, &gs.g[i]);
    }
}
