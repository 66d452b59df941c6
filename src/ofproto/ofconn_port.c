// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_port.c - messages about ports, queues and groups.
 *
 * Main thread.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_queue.h"

COVERAGE_DEFINE(ofproto_queue_req);

static enum ofp_version
version_of(const struct ofp_msg *msg)
{
    return (enum ofp_version)msg->version;
}

static enum ofperr
begin_reply(struct ofconn *c, const struct ofp_msg *msg, struct ofp_mp *mp)
{
    enum ofp_raw raw;

    if (!ofp_mp_reply_raw(msg, &raw)) {
        return OFPERR_OFPBRC_BAD_STAT;
    }
    ofp_mp_begin(mp, &c->out, raw, version_of(msg), msg->xid);
    return OFPERR_OK;
}

/* --- ports ----------------------------------------------------------------------------------- */

static int
compare_ports(const void *a_, const void *b_)
{
    const struct ofport *const *a = a_, *const *b = b_;

    return (*a)->ofp_port < (*b)->ofp_port ? -1 : (*a)->ofp_port > (*b)->ofp_port;
}

struct ofport **
ofports_sorted(const struct ofproto *p, size_t *n)
{
    struct ofport **ports = xcalloc(HASH_COUNT(p->ports) + 1, sizeof *ports);

    *n = 0;
    for (struct ofport *port = p->ports; port; port = port->hh.next) {
        ports[(*n)++] = port;
    }
    qsort(ports, *n, sizeof *ports, compare_ports);
    return ports;
}

enum ofperr
handle_port_desc(struct ofconn *c, const struct ofp_msg *msg)
{
    ofp_port_t wanted;
    struct ofp_mp mp;
    enum ofperr error = ofp_port_desc_request_decode(msg, &wanted);
    struct ofport **ports;
    size_t n;

    if (!error) {
        error = begin_reply(c, msg, &mp);
    }
    if (error) {
        return error;
    }
    ports = ofports_sorted(c->ofproto, &n);
    for (size_t i = 0; i < n; i++) {
        if (wanted == OFPP_NONE || wanted == ports[i]->ofp_port) {
            ofp_port_desc_encode(&mp, &ports[i]->desc);
        }
    }
    ofp_mp_end(&mp);
    free(ports);
    return OFPERR_OK;
}

struct custom_stats {
    struct ofp_custom_stat *v;
    size_t n;
};

static void
custom_stats_add(const char *name, uint64_t value, void *stats_)
{
    struct custom_stats *stats = stats_;
    struct ofp_custom_stat *s;

    if (strlen(name) <= OFP_CUSTOM_STAT_NAME_MAX) {
        stats->v = xreallocarray(stats->v, stats->n + 1, sizeof *stats->v);
        s = &stats->v[stats->n++];
        memcpy(s->name, name, strlen(name) + 1);
        s->value = value;
    }
}

static void
port_stats(const struct ofport *port, struct ofp_port_stats *s)
{
    int64_t age = clock_now_ms() - port->created_ms;
    struct netdev_stats ns;

    ofport_get_stats(port, &ns);
    memset(s, 0xff, sizeof *s); /* What is not set below is not known. */
    s->port_no = port->ofp_port;
    s->rx_packets = ns.rx_packets;
    s->tx_packets = ns.tx_packets;
    s->rx_bytes = ns.rx_bytes;
    s->tx_bytes = ns.tx_bytes;
    s->rx_dropped = ns.rx_dropped;
    s->tx_dropped = ns.tx_dropped;
    s->rx_errors = ns.rx_errors;
    s->tx_errors = ns.tx_errors;
    s->rx_frame_err = ns.rx_frame_errors;
    s->rx_over_err = ns.rx_over_errors;
    s->rx_crc_err = ns.rx_crc_errors;
    s->collisions = ns.collisions;
    s->duration_sec = (uint32_t)(age / 1000);
    s->duration_nsec = (uint32_t)(age % 1000 * 1000000);
    s->has_rfc2819 = true;
    s->custom = NULL;
    s->n_custom = 0;
}

enum ofperr
handle_port_stats(struct ofconn *c, const struct ofp_msg *msg)
{
    ofp_port_t wanted;
    struct ofp_mp mp;
    enum ofperr error = ofp_port_stats_request_decode(msg, &wanted);
    struct ofport **ports;
    size_t n;

    if (!error) {
        error = begin_reply(c, msg, &mp);
    }
    if (error) {
        return error;
    }
    ports = ofports_sorted(c->ofproto, &n);
    for (size_t i = 0; i < n; i++) {
        struct ofp_port_stats s;

        if (wanted == OFPP_NONE || wanted == ports[i]->ofp_port) {
            struct custom_stats custom = {0};

            port_stats(ports[i], &s);
            if (msg->version >= OFP14_VERSION && ports[i]->netdev) {
                netdev_get_custom_stats(ports[i]->netdev, custom_stats_add, &custom);
            }
            s.custom = custom.v;
            s.n_custom = custom.n;
            ofp_port_stats_encode(&mp, &s);
            free(custom.v);
        }
    }
    ofp_mp_end(&mp);
    free(ports);
    return OFPERR_OK;
}

enum ofperr
find_port_to_mod(const struct ofconn *c, const struct ofp_msg *msg, struct ofp_port_mod *pm,
                 struct ofport **port)
{
    enum ofperr error = ofp_port_mod_decode(msg, pm);

    if (error) {
        return error;
    }
    *port = ofport_find(c->ofproto, pm->port_no);
    if (!*port) {
        return OFPERR_OFPPMFC_BAD_PORT;
    }
    if (memcmp(pm->hw_addr, (*port)->desc.hw_addr, sizeof pm->hw_addr)) {
        return OFPERR_OFPPMFC_BAD_HW_ADDR;
    }
    return OFPERR_OK;
}

enum ofperr
handle_port_mod(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_port_mod pm;
    struct ofport *port;
    enum ofperr error = find_port_to_mod(c, msg, &pm, &port);

    if (!error) {
        ofport_update_config(port, pm.config, pm.mask);
    }
    return error;
}

/* --- queues: the datapath has none, so there is nothing to list
 * ----------------------------------------- */

enum ofperr
handle_queue_stats(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_queue_request qr;
    struct ofp_mp mp;
    enum ofperr error = ofp_queue_stats_request_decode(msg, &qr);

    coverage_inc(ofproto_queue_req);
    if (error) {
        return error;
    }
    if (qr.port_no != OFPP_NONE && !ofport_find(c->ofproto, qr.port_no)) {
        return OFPERR_OFPQOFC_BAD_PORT;
    }
    if (qr.queue_id != OFP_QUEUE_ALL) {
        return OFPERR_OFPQOFC_BAD_QUEUE;
    }
    error = begin_reply(c, msg, &mp);
    if (!error) {
        ofp_mp_end(&mp);
    }
    return error;
}

enum ofperr
handle_queue_config(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_queue_request qr;
    struct ofp_queue_reply reply;
    enum ofperr error = ofp_queue_config_request_decode(msg, &qr);

    if (error) {
        return error;
    }
    if (qr.port_no != OFPP_NONE && !ofport_find(c->ofproto, qr.port_no)) {
        return OFPERR_OFPQOFC_BAD_PORT;
    }
    if (qr.queue_id != OFP_QUEUE_ALL && qr.port_no != OFPP_NONE) {
        return OFPERR_OFPQOFC_BAD_QUEUE;
    }
    ofp_queue_config_reply_begin(&reply, msg, qr.port_no, &c->out);
    ofp_queue_config_reply_end(&reply);
    return OFPERR_OK;
}

/* --- groups ---------------------------------------------------------------------------------- */

static enum ofperr
decode_group_mod(const struct ofp_msg *msg, struct ofp_group *g)
{
    enum ofperr error = ofp_group_mod_decode(msg, g);

    for (size_t i = 0; !error && i < g->n_buckets; i++) {
        error =
            ofconn_check_acts(NULL, &g->buckets[i].actions, NULL, OFP_TABLE_ALL, version_of(msg));
    }
    return error;
}

enum ofperr
check_group_mod(const struct ofp_msg *msg)
{
    struct ofp_group g = {0};
    enum ofperr error = decode_group_mod(msg, &g);

    ofp_group_fini(&g);
    return error;
}

enum ofperr
apply_group_mod(const struct ofp_msg *msg, struct flow_txn *txn)
{
    struct ofp_group g = {0};
    enum ofperr error = decode_group_mod(msg, &g);

    if (!error) {
        error = group_mod_apply(txn, &g);
    }
    ofp_group_fini(&g);
    return error;
}

enum ofperr
handle_group_mod(struct ofconn *c, const struct ofp_msg *msg)
{
    struct flow_txn txn;
    enum ofperr error;

    flow_txn_begin(&txn, c->ofproto);
    error = apply_group_mod(msg, &txn);
    flow_txn_commit(&txn);
    return error;
}

static void
put_group_desc(const struct ofgroup *g, void *mp)
{
    ofp_group_desc_encode(mp, g->spec);
}

enum ofperr
handle_group_desc(struct ofconn *c, const struct ofp_msg *msg)
{
    uint32_t group_id;
    struct ofp_mp mp;
    enum ofperr error = ofp_group_desc_request_decode(msg, &group_id);

    if (!error) {
        error = begin_reply(c, msg, &mp);
    }
    if (error) {
        return error;
    }
    groups_visit(c->ofproto, group_id, put_group_desc, &mp);
    ofp_mp_end(&mp);
    return OFPERR_OK;
}

struct group_stats_ctx {
    struct ofp_mp mp;
    uint32_t *ids, *refs; /* of the groups that are asked for, in the order of visits */
    size_t n, done;
};

static void
note_group(const struct ofgroup *g, void *ctx_)
{
    struct group_stats_ctx *ctx = ctx_;

    if (!(ctx->n & (ctx->n + 1))) {
        ctx->ids = xreallocarray(ctx->ids, 2 * (ctx->n + 1), sizeof *ctx->ids);
    }
    ctx->ids[ctx->n++] = g->group_id;
}

static struct ofp_group_counters
counters_of(const struct rule_stats *s)
{
    return (struct ofp_group_counters){
        .n_packets = atomic_load_explicit(&s->packets, memory_order_relaxed),
        .n_bytes = atomic_load_explicit(&s->bytes, memory_order_relaxed),
    };
}

static void
put_group_stats(const struct ofgroup *g, void *ctx_)
{
    struct group_stats_ctx *ctx = ctx_;
    int64_t age = clock_now_ms() - g->created_ms;
    struct ofp_group_counters *buckets = xcalloc(g->n_buckets + 1, sizeof *buckets);
    struct ofp_group_stats gs = {
        .group_id = g->group_id,
        .ref_count = ctx->refs[ctx->done++],
        .duration_sec = (uint32_t)(age / 1000),
        .duration_nsec = (uint32_t)(age % 1000 * 1000000),
        .total = counters_of(&g->stats),
        .n_buckets = g->n_buckets,
        .buckets = buckets,
    };

    for (size_t i = 0; i < g->n_buckets; i++) {
        buckets[i] = counters_of(&g->buckets[i].stats);
    }
    ofp_group_stats_encode(&ctx->mp, &gs);
    free(buckets);
}

enum ofperr
handle_group_stats(struct ofconn *c, const struct ofp_msg *msg)
{
    struct group_stats_ctx ctx = {0};
    uint32_t group_id;
    enum ofperr error = ofp_group_stats_request_decode(msg, &group_id);

    if (!error) {
        error = begin_reply(c, msg, &ctx.mp);
    }
    if (error) {
        return error;
    }
    /* One look at all flows, not one for each group. */
    groups_visit(c->ofproto, group_id, note_group, &ctx);
    ctx.refs = xcalloc(ctx.n + 1, sizeof *ctx.refs);
    rules_count_groups(c->ofproto, ctx.ids, ctx.n, ctx.refs);
    groups_visit(c->ofproto, group_id, put_group_stats, &ctx);
    ofp_mp_end(&ctx.mp);
    free(ctx.ids);
    free(ctx.refs);
    return OFPERR_OK;
}

enum ofperr
handle_group_features(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_group_features f;

    ofp_group_features_init(&f, version_of(msg));
    ofp_group_features_encode(&f, msg, &c->out);
    return OFPERR_OK;
}
