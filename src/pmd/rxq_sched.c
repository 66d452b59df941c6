// SPDX-License-Identifier: Apache-2.0
//
// Which PMD polls which receive queue.  Main thread.  Placement and hand-over are apart:
// rxq_place() says where each queue belongs (rxq->pmd), rxq_publish() makes it so without
// stopping anything: first every PMD's list loses the queues that leave it, then, a grace period
// later, every list gains those that come.  Only a queue that moves pauses, for one iteration of
// its old PMD.
#include <stdlib.h>

#include "base/log.h"
#include "pmd/dp_int.h"

LOG_MODULE(dpif_netdev);

// "0:3,1:7": the core of queue 'qid', or -1.
int
rxq_affinity_core(const char *affinity, unsigned qid)
{
    const char *p = affinity;

    while (p && *p) {
        unsigned q, core;
        int n = 0;
        if (sscanf(p, " %u : %u %n", &q, &core, &n) != 2 || !n) {
            return -1;
        }
        if (q == qid && core < PMD_CORES) {
            return (int)core;
        }
        p += n;
        p += *p == ',';
    }
    return -1;
}

// Cycles of the last minute, as the keeper noted them.
uint64_t
rxq_load(const struct rxq *rxq)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < RXQ_INTERVALS; i++) {
        sum += atomic_load_explicit(&rxq->interval[i], memory_order_relaxed);
    }
    return sum;
}

// Where the queues of a node are dealt out next.
struct turn {
    int numa_id;
    unsigned next; // of its PMDs
    bool back;     // direction of the zigzag
};

struct placement {
    struct dp *dp;
    bool dry;                  // nothing of it is to be said aloud
    struct pmd *pmds[PMD_MAX]; // that may take queues
    uint64_t load[PMD_MAX];
    unsigned n_pmds;
    struct turn turns[PMD_MAX + 1]; // of each node, and of all for queues of no node
    unsigned n_turns;
};

static bool
rxq_is_spin(const struct rxq *rxq)
{
    return netdev_poll(rxq->netdev) == NETDEV_POLL_SPIN;
}

static struct pmd *
pmd_on_core(const struct dp *dp, int core)
{
    DP_FOREACH_PMD (pmd, dp) {
        if (!pmd->is_kernel && pmd->core_id == core) {
            return pmd;
        }
    }
    return NULL;
}

// What a line of the log says beside the queue.
struct measured {
    char text[64];
};

static struct measured
measured(const struct rxq *rxq)
{
    struct measured m = {""};

    if (rxq->port->dp->set.rxq_assign != RXQ_ASSIGN_ROUNDROBIN) {
        snprintf(m.text, sizeof m.text, " (measured processing cycles %" PRIu64 ")", rxq_load(rxq));
    }
    return m;
}

static void
log_pin(const struct rxq *rxq, const struct pmd *pinned)
{
    if (pinned) {
        log_info("Core %2u on numa node %d is pinned with port '%s' rx queue %d%s",
                 (unsigned)pinned->core_id, pinned->numa_id, rxq->port->name, rxq->qid,
                 measured(rxq).text);
    } else {
        log_warn("Core %2u cannot be pinned with port '%s' rx queue %d. Use pmd-cpu-mask to enable "
                 "a pmd on core %u. An alternative core will be assigned.",
                 (unsigned)rxq->pinned_core, rxq->port->name, rxq->qid, (unsigned)rxq->pinned_core);
    }
}

// Queues with a core of their own, and those that no PMD may choose for.
static void
place_fixed(struct dp *dp, bool all, bool dry)
{
    DP_FOREACH_PMD (pmd, dp) {
        pmd->isolated = false;
    }
    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            struct rxq *rxq = port->rxqs[i];
            struct pmd *pinned = rxq->pinned_core >= 0 ? pmd_on_core(dp, rxq->pinned_core) : NULL;
            if (!rxq_is_spin(rxq)) {
                rxq->pmd = PMD_KERNEL;
            } else if (pinned) {
                if (!dry && (all || rxq->pmd != pinned->index)) {
                    log_pin(rxq, pinned);
                }
                rxq->pmd = pinned->index;
                pinned->isolated = dp->set.rxq_isolate;
            } else if (all || rxq->pmd == PMD_MAX || !rcu_get_protected(&dp->pmds[rxq->pmd])) {
                if (!dry && rxq->pinned_core >= 0) {
                    log_pin(rxq, NULL);
                }
                rxq->pmd = PMD_MAX;
            }
        }
    }
}

static void
placement_init(struct placement *p, struct dp *dp, bool dry)
{
    memset(p, 0, sizeof *p);
    p->dp = dp;
    p->dry = dry;
    DP_FOREACH_PMD (pmd, dp) {
        if (!pmd->is_kernel && !pmd->isolated) {
            p->pmds[p->n_pmds++] = pmd;
        }
    }
    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            for (unsigned j = 0; j < p->n_pmds; j++) {
                if (port->rxqs[i]->pmd == p->pmds[j]->index) {
                    p->load[j] += rxq_load(port->rxqs[i]) + 1;
                }
            }
        }
    }
}

static bool
placement_suits(const struct placement *p, unsigned i, int numa_id)
{
    return numa_id < 0 || p->pmds[i]->numa_id == numa_id;
}

static unsigned
placement_lightest(const struct placement *p, int numa_id)
{
    unsigned best = p->n_pmds;

    for (unsigned i = 0; i < p->n_pmds; i++) {
        if (placement_suits(p, i, numa_id) && (best == p->n_pmds || p->load[i] < p->load[best])) {
            best = i;
        }
    }
    return best;
}

static struct turn *
placement_turn(struct placement *p, int numa_id)
{
    unsigned i = 0;

    while (i < p->n_turns && p->turns[i].numa_id != numa_id) {
        i++;
    }
    if (i == p->n_turns) {
        p->turns[p->n_turns++] = (struct turn){.numa_id = numa_id};
    }
    return &p->turns[i];
}

// The node's PMDs in turn; for "cycles" there and back again, so that the heaviest and the lightest
// queues meet.  There is one at least.
static unsigned
placement_next(struct placement *p, int numa_id, bool zigzag)
{
    struct turn *t = placement_turn(p, numa_id);
    unsigned suitable[PMD_MAX], n = 0;

    for (unsigned i = 0; i < p->n_pmds; i++) {
        if (placement_suits(p, i, numa_id)) {
            suitable[n++] = i;
        }
    }
    unsigned at = t->next;
    if (!zigzag) {
        t->next = (at + 1) % n;
    } else if (t->back ? at == 0 : at + 1 == n) {
        t->back = !t->back;
    } else {
        t->next = t->back ? at - 1 : at + 1;
    }
    return suitable[at];
}

static void
place_rxq(struct placement *p, struct rxq *rxq, bool all)
{
    int numa_id = netdev_queues(rxq->netdev)->numa_id, wanted = numa_id;
    unsigned i;

    if (!p->n_pmds) {
        log_at(p->dry ? LOG_LVL_DBG : LOG_LVL_WARN,
               "No non-isolated pmd on any numa available for port '%s' rx queue %d%s. This rx "
               "queue will not be polled.",
               rxq->port->name, rxq->qid, measured(rxq).text);
        return;
    }
    if (placement_lightest(p, numa_id) == p->n_pmds) {
        numa_id = -1; // no PMD on that node: any is better than none
    }
    // A single new queue goes where there is least to do, whatever the policy for all is.
    if (!all || p->dp->set.rxq_assign == RXQ_ASSIGN_GROUP) {
        i = placement_lightest(p, numa_id);
    } else {
        i = placement_next(p, numa_id, p->dp->set.rxq_assign == RXQ_ASSIGN_CYCLES);
    }
    if (numa_id != wanted) {
        log_at(
            p->dry ? LOG_LVL_DBG : LOG_LVL_WARN,
            "There's no available (non-isolated) pmd thread on numa node %d. Port '%s' rx queue "
            "%d will be assigned to a pmd on numa node %d. This may lead to reduced performance.",
            wanted, rxq->port->name, rxq->qid, p->pmds[i]->numa_id);
    }
    rxq->pmd = p->pmds[i]->index;
    p->load[i] += rxq_load(rxq) + 1;
    log_at(p->dry ? LOG_LVL_DBG : LOG_LVL_INFO,
           "Core %2u on numa node %d assigned port '%s' rx queue %d%s.",
           (unsigned)p->pmds[i]->core_id, p->pmds[i]->numa_id, rxq->port->name, rxq->qid,
           measured(rxq).text);
}

static int
compare_rxq_load(const void *a_, const void *b_)
{
    const struct rxq *a = *(struct rxq *const *)a_;
    const struct rxq *b = *(struct rxq *const *)b_;
    uint64_t la = rxq_load(a), lb = rxq_load(b);

    if (la != lb) {
        return la < lb ? 1 : -1;
    }
    if (a->odp != b->odp) {
        return a->odp < b->odp ? -1 : 1;
    }
    return a->qid < b->qid ? -1 : a->qid > b->qid;
}

void
rxq_place(struct dp *dp, bool all, bool dry)
{
    static const char *const names[] = {[RXQ_ASSIGN_CYCLES] = "cycles",
                                        [RXQ_ASSIGN_ROUNDROBIN] = "roundrobin",
                                        [RXQ_ASSIGN_GROUP] = "group"};
    struct placement p;
    struct rxq **free_rxqs = NULL;
    size_t n = 0;

    place_fixed(dp, all, dry);
    placement_init(&p, dp, dry);
    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            if (port->rxqs[i]->pmd == PMD_MAX) {
                free_rxqs = xreallocarray(free_rxqs, n + 1, sizeof *free_rxqs);
                free_rxqs[n++] = port->rxqs[i];
            }
        }
    }
    if (n && all) {
        log_at(dry ? LOG_LVL_DBG : LOG_LVL_INFO,
               "Performing pmd to rx queue assignment using %s algorithm.",
               names[dp->set.rxq_assign]);
    }
    if (n && dp->set.rxq_assign != RXQ_ASSIGN_ROUNDROBIN) {
        qsort(free_rxqs, n, sizeof *free_rxqs, compare_rxq_load);
    }
    for (size_t i = 0; i < n; i++) {
        place_rxq(&p, free_rxqs[i], all);
    }
    free(free_rxqs);
}

void
rxq_schedule(struct dp *dp, bool all)
{
    if (dp->hold) {
        return; // dp_run() places all.
    }
    rxq_place(dp, all, false);
    rxq_publish(dp);
}

// --- hand-over ------------------------------------------------------------------------------

static bool
list_has(const struct poll_list *list, const struct rxq *rxq)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (list->rxq[i] == rxq) {
            return true;
        }
    }
    return false;
}

// The PMD's queues as rxq->pmd says; with 'among', only those that are in it already.
static struct poll_list *
list_build(const struct dp *dp, const struct pmd *pmd, const struct poll_list *among)
{
    struct poll_list *list = xzalloc(sizeof *list);

    DP_FOREACH_PORT (port, dp) {
        for (unsigned i = 0; i < port->n_rxq; i++) {
            struct rxq *rxq = port->rxqs[i];
            if (rxq->pmd == pmd->index && !rxq->withdrawn && (!among || list_has(among, rxq))) {
                list = xrealloc(list, sizeof *list + (list->n + 1) * sizeof list->rxq[0]);
                list->rxq[list->n++] = rxq;
            }
        }
    }
    return list;
}

// True if that changed anything.
static bool
list_publish(struct pmd *pmd, struct poll_list *list)
{
    struct poll_list *old = rcu_get_protected(&pmd->poll);

    if (old->n == list->n && !memcmp(old->rxq, list->rxq, list->n * sizeof list->rxq[0])) {
        free(list);
        return false;
    }
    rcu_assign(&pmd->poll, list);
    atomic_fetch_add(&pmd->poll_seq, 1);
    pmd_wake(pmd);
    rcu_free(old);
    return true;
}

void
rxq_publish(struct dp *dp)
{
    bool left = false;

    DP_FOREACH_PMD (pmd, dp) {
        left |= list_publish(pmd, list_build(dp, pmd, rcu_get_protected(&pmd->poll)));
    }
    if (left) {
        rcu_synchronize();
    }
    DP_FOREACH_PMD (pmd, dp) {
        list_publish(pmd, list_build(dp, pmd, NULL));
    }
}
