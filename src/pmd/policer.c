// SPDX-License-Identifier: Apache-2.0
//
// Policing (see policer.h).  PMDs run it between device and datapath; dp_qos.c makes the policers.
#include "pmd/policer.h"

#include <rte_meter.h>
#include <rte_spinlock.h>

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rcu.h"
#include "base/util.h"
#include "netdev/netdev_provider.h"
#include "pmd/drop.h"

// Above 8 Tbit/s there is nothing to police, and sums cannot overflow below it.
#define POLICER_MAX_TOKENS UINT64_C(1000000000000)

struct bucket_1r {
    bool used;
    struct rte_meter_srtcm_profile profile;
    struct rte_meter_srtcm meter;
};

struct queue_2r {
    uint32_t id;
    struct rte_meter_trtcm_rfc4115_profile profile;
    struct rte_meter_trtcm_rfc4115 meter;
    struct dp_queue_stats stats;
};

struct policer {
    rte_spinlock_t lock;
    struct bucket_1r bytes, packets;
    unsigned n_queues; // 0: the buckets above count; else queues[0] is the default
    struct queue_2r queues[];
};

static struct policer *
policer_alloc(unsigned n_queues)
{
    struct policer *p = xzalloc(sizeof *p + n_queues * sizeof p->queues[0]);

    rte_spinlock_init(&p->lock);
    p->n_queues = n_queues;
    return p;
}

// A bucket begins full.  Rates and sizes in tokens, per second and at most.
static int
bucket_init(struct bucket_1r *b, const struct dp_bucket *cfg)
{
    struct rte_meter_srtcm_params params = {
        .cir = MIN(cfg->rate, POLICER_MAX_TOKENS),
        .cbs = MIN(cfg->burst, POLICER_MAX_TOKENS),
    };

    if (!params.cir || !params.cbs || rte_meter_srtcm_profile_config(&b->profile, &params) ||
        rte_meter_srtcm_config(&b->meter, &b->profile)) {
        return -EINVAL;
    }
    b->used = true;
    return 0;
}

struct policer *
policer_create_ingress(const struct dp_ingress_policing *cfg)
{
    struct policer *p;

    if (!cfg->bytes.rate && !cfg->packets.rate) {
        return NULL;
    }
    p = policer_alloc(0);
    if ((cfg->bytes.rate && bucket_init(&p->bytes, &cfg->bytes)) ||
        (cfg->packets.rate && bucket_init(&p->packets, &cfg->packets))) {
        free(p);
        return NULL;
    }
    return p;
}

static int
queue_init(struct queue_2r *q, uint32_t id, const struct dp_qos_rates *rates)
{
    struct rte_meter_trtcm_rfc4115_params params = {
        .cir = MIN(rates->cir, POLICER_MAX_TOKENS),
        .cbs = MIN(rates->cbs, POLICER_MAX_TOKENS),
        .eir = MIN(rates->eir, POLICER_MAX_TOKENS),
        .ebs = MIN(rates->ebs, POLICER_MAX_TOKENS),
    };

    q->id = id;
    if ((!params.cir && !params.eir) || (params.cir && !params.cbs) ||
        (params.eir && !params.ebs) ||
        rte_meter_trtcm_rfc4115_profile_config(&q->profile, &params) ||
        rte_meter_trtcm_rfc4115_config(&q->meter, &q->profile)) {
        return -EINVAL;
    }
    return 0;
}

int
policer_create_qos(const struct dp_qos *cfg, struct policer **out)
{
    struct policer *p;
    unsigned n = 1;
    int error;

    *out = NULL;
    if (cfg->type == DP_QOS_NONE) {
        return 0;
    }
    if (cfg->type == DP_QOS_EGRESS_POLICER) {
        p = policer_alloc(0);
        error = bucket_init(&p->bytes, &(struct dp_bucket){cfg->rates.cir, cfg->rates.cbs});
    } else {
        p = policer_alloc(1 + cfg->n_queues);
        error = queue_init(&p->queues[0], 0, &cfg->rates);
        for (unsigned i = 0; !error && i < cfg->n_queues; i++) {
            const struct dp_qos_queue *q = &cfg->queues[i];
            error = queue_init(q->id ? &p->queues[n++] : &p->queues[0], q->id, &q->rates);
        }
        p->n_queues = n;
    }
    if (error) {
        free(p);
        return error;
    }
    *out = p;
    return 0;
}

void
policer_free_deferred(struct policer *p)
{
    if (p) {
        rcu_free(p);
    }
}

static struct queue_2r *
find_queue(struct policer *p, uint32_t id)
{
    for (unsigned i = 0; i < p->n_queues; i++) {
        if (p->queues[i].id == id) {
            return &p->queues[i];
        }
    }
    return &p->queues[0];
}

static bool
queue_admits(struct queue_2r *q, uint32_t len, uint64_t now)
{
    bool admitted = rte_meter_trtcm_rfc4115_color_blind_check(&q->meter, &q->profile, now, len) !=
                    RTE_COLOR_RED;

    if (admitted) {
        q->stats.n_packets++;
        q->stats.n_bytes += len;
    } else {
        q->stats.n_dropped++;
    }
    return admitted;
}

static bool
bucket_admits(struct bucket_1r *b, uint32_t tokens, uint64_t now)
{
    return !b->used || rte_meter_srtcm_color_blind_check(&b->meter, &b->profile, now, tokens) ==
                           RTE_COLOR_GREEN;
}

unsigned
policer_run(struct policer *p, const struct policer_call *call, struct rte_mbuf **m, unsigned n)
{
    struct rte_mbuf *refused[NETDEV_MAX_BURST];
    unsigned n_passed = 0, n_refused = 0;
    uint64_t now = call->now_tsc, bytes = 0;

    rte_spinlock_lock(&p->lock);
    struct queue_2r *q = p->n_queues ? find_queue(p, call->queue) : NULL;
    for (unsigned i = 0; i < n; i++) {
        // What rates speak of is the frame without its Ethernet header.
        uint32_t size = rte_pktmbuf_pkt_len(m[i]);
        uint32_t len = size > RTE_ETHER_HDR_LEN ? size - RTE_ETHER_HDR_LEN : 0;
        bool admitted =
            q ? queue_admits(q, len, now)
              : bucket_admits(&p->packets, 1, now) && bucket_admits(&p->bytes, len, now);
        if (admitted) {
            m[n_passed++] = m[i];
        } else {
            refused[n_refused++] = m[i];
            bytes += size;
        }
    }
    rte_spinlock_unlock(&p->lock);
    if (n_refused) {
        bool rx = call->direction == POLICER_RX;

        netdev_count_policed(call->netdev, rx, n_refused, bytes);
        drop_packets(refused, n_refused, rx ? DROP_RX_POLICED : DROP_TX_POLICED);
    }
    return n_passed;
}

bool
policer_queue_stats(struct policer *p, uint32_t id, struct dp_queue_stats *stats)
{
    struct queue_2r *q = p->n_queues ? find_queue(p, id) : NULL;

    if (!q || q->id != id) {
        return false;
    }
    rte_spinlock_lock(&p->lock);
    *stats = q->stats;
    rte_spinlock_unlock(&p->lock);
    return true;
}
