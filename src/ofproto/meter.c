// SPDX-License-Identifier: Apache-2.0
/*
 * meter.c - OpenFlow meters (1.3 section 5.7): a bridge's numbers, each with a meter of the
 * datapath behind it; and their messages.
 *
 * Main writes; translation looks numbers up under RCU in a sorted array that is replaced as a
 * whole.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_meter.h"

enum { MAX_BANDS = DP_METER_MAX_BANDS };
#define CAPABILITIES (OFPMF_KBPS | OFPMF_PKTPS | OFPMF_BURST | OFPMF_STATS)

struct ofmeter {
    uint32_t id, dp_id;
    struct ofp_meter_config config;
    int64_t created_ms;
};

struct ofmeter_map {
    size_t n;
    struct ofmeter *meters[]; /* by id */
};

/* --- the map
 * -------------------------------------------------------------------------------------------------
 */

static size_t
lower_bound(const struct ofmeter_map *map, uint32_t id)
{
    size_t lo = 0, hi = map ? map->n : 0;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (map->meters[mid]->id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static struct ofmeter *
map_find(const struct ofmeter_map *map, uint32_t id)
{
    size_t i = lower_bound(map, id);

    return map && i < map->n && map->meters[i]->id == id ? map->meters[i] : NULL;
}

uint32_t
ofproto_meter_to_dp(const struct ofproto *p, uint32_t meter_id)
{
    const struct ofmeter *m = map_find(rcu_get(&p->meters), meter_id);

    return m ? m->dp_id : UINT32_MAX;
}

bool
meter_exists(const struct ofproto *p, uint32_t meter_id)
{
    /* Flows name no virtual ones. */
    return meter_id <= OFP_METER_MAX && map_find(rcu_get_protected(&p->meters), meter_id) != NULL;
}

static void
meter_free(void *m_)
{
    struct ofmeter *m = m_;

    ofp_meter_config_fini(&m->config);
    free(m);
}

/* Publishes a map with 'new' (taken, may be NULL) for 'id'. */
static void
map_replace(struct ofproto *p, uint32_t id, struct ofmeter *new)
{
    struct ofmeter_map *old = rcu_get_protected(&p->meters), *map;
    size_t n_old = old ? old->n : 0, at = lower_bound(old, id);
    struct ofmeter *gone = map_find(old, id);

    map = xmalloc(sizeof *map + (n_old + 1) * sizeof map->meters[0]);
    map->n = 0;
    for (size_t i = 0; i < at; i++) {
        map->meters[map->n++] = old->meters[i];
    }
    if (new) {
        map->meters[map->n++] = new;
    }
    for (size_t i = at + (gone != NULL); i < n_old; i++) {
        map->meters[map->n++] = old->meters[i];
    }
    rcu_assign(&p->meters, map);
    flow_journal_meter(p, id, new ? &new->config : NULL);
    if (old) {
        rcu_free(old);
    }
    if (gone) {
        rcu_defer(meter_free, gone);
    }
}

/* A number that no bridge uses in the datapath, or UINT32_MAX. */
static uint32_t
alloc_dp_meter(struct ofprotos *all)
{
    size_t i = bitmap_scan(all->dp_meters, false, 0, DP_MAX_METERS);

    if (i == DP_MAX_METERS) {
        return UINT32_MAX;
    }
    bitmap_set(all->dp_meters, i);
    return (uint32_t)i;
}

/* --- changing
 * --------------------------------------------------------------------------------------------------
 */

static enum ofperr
check_config(const struct ofp_meter_config *c)
{
    if (!c->meter_id || (c->meter_id > OFP_METER_MAX && c->meter_id != OFP_METER_CONTROLLER)) {
        return OFPERR_OFPMMFC_INVALID_METER;
    }
    if ((c->flags & ~CAPABILITIES) || !(c->flags & (OFPMF_KBPS | OFPMF_PKTPS)) ||
        (c->flags & (OFPMF_KBPS | OFPMF_PKTPS)) == (OFPMF_KBPS | OFPMF_PKTPS)) {
        return OFPERR_OFPMMFC_BAD_FLAGS;
    }
    if (!c->n_bands || c->n_bands > MAX_BANDS) {
        return OFPERR_OFPMMFC_OUT_OF_BANDS;
    }
    for (size_t i = 0; i < c->n_bands; i++) {
        if (c->bands[i].type != OFPMBT_DROP) {
            return OFPERR_OFPMMFC_BAD_BAND;
        }
        if (!c->bands[i].rate) {
            return OFPERR_OFPMMFC_BAD_RATE;
        }
    }
    return OFPERR_OK;
}

static enum ofperr
set_in_datapath(const struct ofproto *p, uint32_t dp_id, const struct ofp_meter_config *c)
{
    struct dp_meter_config dc = {.by_packets = c->flags & OFPMF_PKTPS,
                                 .n_bands = (unsigned)c->n_bands};
    int error;

    for (size_t i = 0; i < c->n_bands; i++) {
        dc.bands[i].rate = c->bands[i].rate;
        dc.bands[i].burst = c->flags & OFPMF_BURST ? c->bands[i].burst : 0;
    }
    error = p->all->dp ? dp_meter_set(p->all->dp, dp_id, &dc) : 0;
    return !error             ? OFPERR_OK
           : error == -ENOSPC ? OFPERR_OFPMMFC_OUT_OF_METERS
                              : OFPERR_OFPMMFC_UNKNOWN;
}

static enum ofperr
put_meter(struct ofproto *p, struct ofp_meter_config *c, const struct ofmeter *old)
{
    struct ofmeter *m;
    uint32_t dp_id = old ? old->dp_id : alloc_dp_meter(p->all);
    enum ofperr error;

    for (size_t i = 0; i < c->n_bands; i++) { /* 0: what the rate lets through in a second */
        c->bands[i].burst = c->bands[i].burst ? c->bands[i].burst : c->bands[i].rate;
    }
    error = dp_id == UINT32_MAX ? OFPERR_OFPMMFC_OUT_OF_METERS : set_in_datapath(p, dp_id, c);
    if (error) {
        if (!old && dp_id != UINT32_MAX) {
            bitmap_clear(p->all->dp_meters, dp_id);
        }
        return error;
    }
    m = xzalloc(sizeof *m);
    m->id = c->meter_id;
    m->dp_id = dp_id;
    m->created_ms = old ? old->created_ms : clock_now_ms();
    m->config = *c;
    memset(c, 0, sizeof *c);
    map_replace(p, m->id, m);
    return OFPERR_OK;
}

static void
delete_meter(struct flow_txn *txn, uint32_t id)
{
    struct ofproto *p = txn->ofproto;
    const struct ofmeter *m = map_find(rcu_get_protected(&p->meters), id);

    if (m) {
        flow_txn_remove_by_meter(txn, id);
        if (p->all->dp) {
            dp_meter_del(p->all->dp, m->dp_id);
        }
        bitmap_clear(p->all->dp_meters, m->dp_id);
        map_replace(p, id, NULL);
    }
}

/* All of them with one look at the flows. */
static void
delete_all_meters(struct flow_txn *txn)
{
    struct ofproto *p = txn->ofproto;
    struct ofmeter_map *map = rcu_get_protected(&p->meters);

    if (!map) {
        return;
    }
    if (map->n) {
        flow_txn_remove_by_meter(txn, OFP_METER_ALL);
    }
    rcu_assign(&p->meters, NULL);
    for (size_t i = 0; i < map->n; i++) {
        struct ofmeter *m = map->meters[i];

        if (p->all->dp) {
            dp_meter_del(p->all->dp, m->dp_id);
        }
        bitmap_clear(p->all->dp_meters, m->dp_id);
        flow_journal_meter(p, m->id, NULL);
        rcu_defer(meter_free, m);
    }
    rcu_free(map);
}

void
meters_destroy_all(struct ofproto *p)
{
    struct flow_txn txn;

    flow_txn_begin(&txn, p);
    delete_all_meters(&txn);
    flow_txn_commit(&txn);
}

enum ofperr
meter_mod(struct flow_txn *txn, enum ofp_meter_command command, struct ofp_meter_config *c)
{
    struct ofproto *p = txn->ofproto;
    const struct ofmeter *old = map_find(rcu_get_protected(&p->meters), c->meter_id);
    enum ofperr error;

    if (command == OFPMC_DELETE) {
        if (c->meter_id == OFP_METER_ALL) {
            delete_all_meters(txn);
        } else {
            delete_meter(txn, c->meter_id);
        }
        return OFPERR_OK;
    }
    error = check_config(c);
    if (error) {
        return error;
    }
    if (command == OFPMC_ADD) {
        return old ? OFPERR_OFPMMFC_METER_EXISTS : put_meter(p, c, NULL);
    }
    return old ? put_meter(p, c, old) : OFPERR_OFPMMFC_UNKNOWN_METER;
}

void
meters_visit(const struct ofproto *p, void (*cb)(const struct ofp_meter_config *, void *aux),
             void *aux)
{
    const struct ofmeter_map *map = rcu_get_protected(&p->meters);

    for (size_t i = 0; map && i < map->n; i++) {
        cb(&map->meters[i]->config, aux);
    }
}

/* --- messages
 * --------------------------------------------------------------------------------------------------
 */

enum ofperr
handle_meter_mod(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_meter_config config = {0};
    enum ofp_meter_command command;
    struct flow_txn txn;
    enum ofperr error = ofp_meter_mod_decode(msg, &command, &config);

    if (!error) {
        flow_txn_begin(&txn, c->ofproto);
        error = meter_mod(&txn, command, &config);
        flow_txn_commit(&txn);
        changes_put(c->ofproto->all, OFPROTO_CHANGE_VIEW, c->ofproto, 0);
        changes_publish(c->ofproto->all);
    }
    ofp_meter_config_fini(&config);
    return error;
}

static void
put_stats(const struct ofproto *p, const struct ofmeter *m, uint32_t n_flows, struct ofp_mp *mp)
{
    int64_t age = clock_now_ms() - m->created_ms;
    struct ofp_meter_band_stats bands[MAX_BANDS] = {{0}};
    struct dp_meter_stats ds = {0};
    struct ofp_meter_stats s = {
        .meter_id = m->id,
        .duration_sec = (uint32_t)(age / 1000),
        .duration_nsec = (uint32_t)(age % 1000 * 1000000),
        .flow_count = n_flows,
        .n_bands = m->config.n_bands,
        .bands = bands,
    };

    if (p->all->dp && dp_meter_get_stats(p->all->dp, m->dp_id, &ds)) {
        s.packet_in_count = ds.n_packets;
        s.byte_in_count = ds.n_bytes;
        for (size_t i = 0; i < m->config.n_bands; i++) {
            bands[i].n_packets = ds.band_packets[i];
            bands[i].n_bytes = ds.band_bytes[i];
        }
    }
    ofp_meter_stats_encode(mp, &s);
}

static bool
is_asked_for(const struct ofmeter *m, uint32_t id)
{
    return id == OFP_METER_ALL || id == m->id;
}

static void
put_configs(const struct ofmeter_map *map, uint32_t id, struct ofp_mp *mp)
{
    for (size_t i = 0; map && i < map->n; i++) {
        if (is_asked_for(map->meters[i], id)) {
            ofp_meter_config_encode(mp, &map->meters[i]->config);
        }
    }
}

/* With one look at the flows, however many meters there are. */
static void
put_all_stats(struct ofproto *p, const struct ofmeter_map *map, uint32_t id, struct ofp_mp *mp)
{
    size_t n = map ? map->n : 0;
    uint32_t *ids = xcalloc(n + 1, sizeof *ids), *n_flows = xcalloc(n + 1, sizeof *n_flows);

    for (size_t i = 0; i < n; i++) {
        ids[i] = map->meters[i]->id;
    }
    rules_count_meters(p, ids, n, n_flows);
    for (size_t i = 0; i < n; i++) {
        if (is_asked_for(map->meters[i], id)) {
            put_stats(p, map->meters[i], n_flows[i], mp);
        }
    }
    free(ids);
    free(n_flows);
}

enum ofperr
handle_meter_request(struct ofconn *c, const struct ofp_msg *msg)
{
    const struct ofmeter_map *map = rcu_get_protected(&c->ofproto->meters);
    uint32_t id;
    enum ofperr error = ofp_meter_request_decode(msg, &id);
    struct ofp_mp mp;
    enum ofp_raw raw;

    if (error) {
        return error;
    }
    if (id != OFP_METER_ALL && !map_find(map, id)) {
        return OFPERR_OFPMMFC_UNKNOWN_METER;
    }
    if (!ofp_mp_reply_raw(msg, &raw)) {
        return OFPERR_OFPBRC_BAD_STAT;
    }
    ofp_mp_begin(&mp, &c->out, raw, (enum ofp_version)msg->version, msg->xid);
    if (msg->type == OFPTYPE_METER_CONFIG_REQUEST) {
        put_configs(map, id, &mp);
    } else {
        put_all_stats(c->ofproto, map, id, &mp);
    }
    ofp_mp_end(&mp);
    return OFPERR_OK;
}

enum ofperr
handle_meter_features(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_meter_features f = {
        .max_meters = DP_MAX_METERS,
        .band_types = 1u << OFPMBT_DROP,
        .capabilities = CAPABILITIES,
        .max_bands = MAX_BANDS,
    };

    ofp_meter_features_encode(&f, (enum ofp_version)msg->version, msg->xid, &c->out);
    return OFPERR_OK;
}
