// SPDX-License-Identifier: Apache-2.0
//
// Sending: packets wait in a buffer for each port until 32 are there, the burst that they came with
// is done, or, with tx-flush-interval, that time has passed.  On the PMD.
#include "base/coverage.h"
#include "pmd/dp_int.h"
#include "pmd/pmd.h"
#include "pmd/policer.h"

// Bursts, as dashboards know them: 0.6 instructions per packet with netdev_received.
COVERAGE_DEFINE(netdev_sent);

// Those that may go are at the beginning of 'm'; returns how many.
static __rte_noinline unsigned
tx_police(const struct pmd *pmd, const struct tx_port *tx, uint32_t queue, struct rte_mbuf **m,
          unsigned n)
{
    const struct policer_call call = {
        .netdev = tx->netdev,
        .direction = POLICER_TX,
        .queue = queue,
        .now_tsc = pmd->now_tsc,
    };

    return policer_run(rcu_get(&tx->policer), &call, m, n);
}

static void
tx_now(struct pmd *pmd, struct tx_port *tx, struct rte_mbuf **m, unsigned n)
{
    if (UNLIKELY(rcu_get(&tx->policer) != NULL)) {
        n = tx_police(pmd, tx, 0, m, n);
        if (!n) {
            return;
        }
    }
    coverage_inc(netdev_sent);
    netdev_tx_burst(tx->netdev, tx->qid, m, (uint16_t)n);
    perf_add(&pmd->perf, PMD_STAT_TX, n);
    perf_add(&pmd->perf, PMD_STAT_TX_BATCHES, 1);
}

static void
tx_flush(struct pmd *pmd, struct tx_port *tx)
{
    unsigned n = tx->n;

    if (n) {
        tx->n = 0;
        tx_now(pmd, tx, tx->m, n);
    }
}

// Always takes the packets.
void
pmd_send(struct pmd *pmd, odp_port_t port, struct rte_mbuf **m, unsigned n)
{
    struct tx_port *tx = LIKELY(port < DP_MAX_PORTS) ? rcu_get(&pmd->tx[port]) : NULL;

    if (UNLIKELY(!tx)) {
        drop_packets(m, n, DROP_INVALID_PORT);
        return;
    }
    if (n == BURST_MAX && !tx->n) {
        tx_now(pmd, tx, m, n);
        return;
    }
    if (!tx->dirty) {
        tx->dirty = true;
        tx->flush_tsc =
            pmd->now_tsc + atomic_load_explicit(&pmd->tx_flush_cycles, memory_order_relaxed);
        pmd->dirty[pmd->n_dirty++] = tx;
    }
    while (n) {
        unsigned room = BURST_MAX - tx->n;
        unsigned chunk = MIN(room, n);
        memcpy(&tx->m[tx->n], m, chunk * sizeof *m);
        tx->n = (uint16_t)(tx->n + chunk);
        m += chunk;
        n -= chunk;
        if (tx->n == BURST_MAX) {
            tx_flush(pmd, tx);
        }
    }
}

// Queues exist in policers only.
void
pmd_send_queue(struct pmd *pmd, odp_port_t port, uint32_t queue, struct rte_mbuf *m)
{
    struct tx_port *tx = port < DP_MAX_PORTS ? rcu_get(&pmd->tx[port]) : NULL;

    if (!tx || !rcu_get(&tx->policer)) {
        pmd_send(pmd, port, &m, 1);
        return;
    }
    tx_flush(pmd, tx); // what came before goes before
    if (tx_police(pmd, tx, queue, &m, 1)) {
        coverage_inc(netdev_sent);
        netdev_tx_burst(tx->netdev, tx->qid, &m, 1);
        perf_add(&pmd->perf, PMD_STAT_TX, 1);
        perf_add(&pmd->perf, PMD_STAT_TX_BATCHES, 1);
    }
}

static void
pmd_flush_until(struct pmd *pmd, uint64_t tsc)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < pmd->n_dirty; i++) {
        struct tx_port *tx = pmd->dirty[i];
        if (tx->n && tx->flush_tsc > tsc) {
            pmd->dirty[kept++] = tx;
        } else {
            tx_flush(pmd, tx);
            tx->dirty = false;
        }
    }
    pmd->n_dirty = kept;
}

void
pmd_flush(struct pmd *pmd)
{
    if (pmd->n_dirty) {
        pmd_flush_until(pmd, pmd->now_tsc);
    }
}

void
pmd_flush_all(struct pmd *pmd)
{
    pmd_flush_until(pmd, UINT64_MAX);
}
