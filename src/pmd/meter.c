// SPDX-License-Identifier: Apache-2.0
//
// Token buckets (see meter.h).  Each band of a meter has a bucket; a packet that finds the bucket
// of a band empty exceeds that band, and the exceeded band with the highest rate drops it
// (OpenFlow 1.3 5.7.1 knows drop and dscp_remark; the latter is done by translation).
#include "pmd/meter.h"

#include <rte_spinlock.h>

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/rcu.h"
#include "pmd/dp_int.h"

COVERAGE_DEFINE(dpif_meter_del);
COVERAGE_DEFINE(dpif_meter_get);
COVERAGE_DEFINE(dpif_meter_set);

struct meter_band {
    uint64_t rate;   // packets or kilobits per second; equal to 1/1000 of the same each millisecond
    uint64_t burst;  // bucket size in 1/1000
    uint64_t tokens; // in 1/1000 packets or bits
    uint64_t n_packets, n_bytes; // exceeded
};

struct meter {
    rte_spinlock_t lock;
    bool by_packets;
    uint64_t n_packets, n_bytes;
    uint64_t filled_ms;
    unsigned n_bands;
    struct meter_band bands[DP_METER_MAX_BANDS];
};

struct meters {
    RCU_PTR(struct meter) m[DP_MAX_METERS]; /* main: w, pmd: r */
};

struct meters *
meters_create(void)
{
    return xzalloc(sizeof(struct meters));
}

void
meters_destroy(struct meters *ms)
{
    for (unsigned i = 0; ms && i < DP_MAX_METERS; i++) {
        free(rcu_get_protected(&ms->m[i]));
    }
    free(ms);
}

static void
meter_fill(struct meter *m, uint64_t now_ms)
{
    uint64_t elapsed = now_ms > m->filled_ms ? now_ms - m->filled_ms : 0;

    m->filled_ms = now_ms;
    elapsed = MIN(elapsed, UINT64_C(1000000)); // no overflow; every bucket is full by then
    for (unsigned i = 0; i < m->n_bands; i++) {
        struct meter_band *b = &m->bands[i];
        // One kilobit per second is one bit per millisecond.
        uint64_t add = elapsed * b->rate * (m->by_packets ? 1 : 1000);
        b->tokens = MIN(b->tokens + add, b->burst);
    }
}

bool
meter_admits(struct meters *ms, uint32_t id, const struct rte_mbuf *p, uint64_t now_ms)
{
    struct meter *m = id < DP_MAX_METERS ? rcu_get(&ms->m[id]) : NULL;
    bool admitted = true;

    if (!m) {
        return true;
    }
    rte_spinlock_lock(&m->lock);
    uint64_t bytes = rte_pktmbuf_pkt_len(p);
    uint64_t cost = (m->by_packets ? 1 : bytes * 8) * 1000;
    struct meter_band *hit = NULL;
    m->n_packets++;
    m->n_bytes += bytes;
    meter_fill(m, now_ms);
    for (unsigned i = 0; i < m->n_bands; i++) {
        struct meter_band *b = &m->bands[i];
        if (b->tokens >= cost) {
            b->tokens -= cost;
        } else if (!hit || b->rate > hit->rate) {
            hit = b;
        }
    }
    if (hit) {
        hit->n_packets++;
        hit->n_bytes += bytes;
        admitted = false;
    }
    rte_spinlock_unlock(&m->lock);
    return admitted;
}

bool
dp_meter_admits(struct dp *dp, uint32_t id, const struct rte_mbuf *p)
{
    return meter_admits(dp->meters, id, p, (uint64_t)clock_now_ms());
}

int
dp_meter_set(struct dp *dp, uint32_t id, const struct dp_meter_config *config)
{
    coverage_inc(dpif_meter_set);
    if (id >= DP_MAX_METERS || config->n_bands > DP_METER_MAX_BANDS) {
        return -EINVAL;
    }
    struct meter *m = xzalloc(sizeof *m);
    rte_spinlock_init(&m->lock);
    m->by_packets = config->by_packets;
    m->n_bands = config->n_bands;
    for (unsigned i = 0; i < config->n_bands; i++) {
        uint64_t rate = config->bands[i].rate;
        // Without a burst of its own a band forgives one second.
        uint64_t burst = config->bands[i].burst ? config->bands[i].burst : rate;
        m->bands[i].rate = rate;
        m->bands[i].burst = burst * 1000 * (m->by_packets ? 1 : 1000);
        m->bands[i].tokens = m->bands[i].burst;
    }
    m->filled_ms = (uint64_t)clock_now_ms();
    struct meter *old = rcu_get_protected(&dp->meters->m[id]);
    rcu_assign(&dp->meters->m[id], m);
    if (old) {
        rcu_free(old);
    }
    return 0;
}

bool
dp_meter_del(struct dp *dp, uint32_t id)
{
    struct meter *old = id < DP_MAX_METERS ? rcu_get_protected(&dp->meters->m[id]) : NULL;

    coverage_inc(dpif_meter_del);
    if (!old) {
        return false;
    }
    rcu_assign(&dp->meters->m[id], NULL);
    rcu_free(old);
    return true;
}

bool
dp_meter_get_stats(struct dp *dp, uint32_t id, struct dp_meter_stats *stats)
{
    struct meter *m = id < DP_MAX_METERS ? rcu_get(&dp->meters->m[id]) : NULL;

    coverage_inc(dpif_meter_get);
    memset(stats, 0, sizeof *stats);
    if (!m) {
        return false;
    }
    rte_spinlock_lock(&m->lock);
    stats->n_packets = m->n_packets;
    stats->n_bytes = m->n_bytes;
    stats->n_bands = m->n_bands;
    for (unsigned i = 0; i < m->n_bands; i++) {
        stats->band_packets[i] = m->bands[i].n_packets;
        stats->band_bytes[i] = m->bands[i].n_bytes;
    }
    rte_spinlock_unlock(&m->lock);
    return true;
}
