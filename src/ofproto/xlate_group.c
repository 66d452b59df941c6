// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_group.c - groups, and the actions that choose among ports or values by a hash: multipath,
 * bundle.
 *
 * A select group lets the datapath hash: the translation freezes, the packet comes back with a
 * dp_hash, some bits of which choose the bucket and are in the mask.  With selection_method=hash,
 * or weights that need too many bits, it chooses here, and the hashed fields are in the mask: each
 * flow that hashes differently has a megaflow of its own.
 */
#include <string.h>

#include "base/coverage.h"
#include "base/hash.h"
#include "flow/match.h"
#include "flow/text.h"
#include "ofproto/xlate_int.h"
#include "openflow/ofp_text.h"

COVERAGE_DEFINE(xlate_hash_without_recirc);

/* Spreads numbers that differ little: link numbers, bucket ids. */
static uint32_t
mix32(uint32_t x, uint32_t basis)
{
    uint64_t h = ((uint64_t)basis << 32 | x) * UINT64_C(0x9e3779b97f4a7c15);

    h ^= h >> 29;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return (uint32_t)(h >> 32);
}

/* --- hashes over fields ------------------------------------------------------------------------
 */

static void
mask_l3(struct xlate_ctx *ctx)
{
    if (flow_dl_type_is(&ctx->flow, ETH_TYPE_IP)) {
        FLOW_MASK_SET(ctx->wc, nw_src);
        FLOW_MASK_SET(ctx->wc, nw_dst);
    } else if (flow_dl_type_is(&ctx->flow, ETH_TYPE_IPV6)) {
        FLOW_MASK_SET(ctx->wc, ipv6_src);
        FLOW_MASK_SET(ctx->wc, ipv6_dst);
    }
}

static void
mask_l4(struct xlate_ctx *ctx, bool udp)
{
    const struct flow *f = &ctx->flow;

    if (!flow_is_ip(f)) {
        return;
    }
    FLOW_MASK_SET(ctx->wc, nw_proto);
    if (f->nw_proto == IP_PROTO_TCP || f->nw_proto == IP_PROTO_SCTP ||
        (udp && f->nw_proto == IP_PROTO_UDP)) {
        FLOW_MASK_SET(ctx->wc, tp_src);
        FLOW_MASK_SET(ctx->wc, tp_dst);
    }
}

static void
mask_l2(struct xlate_ctx *ctx)
{
    FLOW_MASK_SET(ctx->wc, dl_src);
    FLOW_MASK_SET(ctx->wc, dl_dst);
    for (int i = 0; i < FLOW_MAX_VLANS; i++) {
        ctx->wc->bits.vlans[i].tci |= htons(VLAN_VID_MASK | VLAN_CFI);
    }
}

uint32_t
xlate_hash_fields(struct xlate_ctx *ctx, enum ofp_hash_fields fields, uint32_t basis)
{
    const struct flow *f = &ctx->flow;

    switch (fields) {
    case OFP_HASH_ETH_SRC: {
        uint64_t mac = 0;

        FLOW_MASK_SET(ctx->wc, dl_src);
        memcpy(&mac, &f->dl_src, 6);
        return mix32((uint32_t)mac, mix32((uint32_t)(mac >> 32), basis));
    }
    case OFP_HASH_SYMMETRIC_L4:
        mask_l2(ctx);
        mask_l3(ctx);
        mask_l4(ctx, true);
        return flow_hash_symmetric_l4(f, basis);
    case OFP_HASH_SYMMETRIC_L3L4:
        mask_l3(ctx);
        mask_l4(ctx, false);
        return flow_hash_symmetric_l3l4(f, basis, false);
    case OFP_HASH_SYMMETRIC_L3L4_UDP:
        mask_l3(ctx);
        mask_l4(ctx, true);
        return flow_hash_symmetric_l3l4(f, basis, true);
    case OFP_HASH_NW_SRC:
    case OFP_HASH_NW_DST: {
        struct flow_mask m = {0};

        if (flow_dl_type_is(f, ETH_TYPE_IP)) {
            memset(fields == OFP_HASH_NW_SRC ? &m.bits.nw_src : &m.bits.nw_dst, 0xff, 4);
        } else if (flow_dl_type_is(f, ETH_TYPE_IPV6)) {
            memset(fields == OFP_HASH_NW_SRC ? &m.bits.ipv6_src : &m.bits.ipv6_dst, 0xff, 16);
        }
        flow_mask_or(ctx->wc, &m);
        return flow_hash_masked(f, &m, basis);
    }
    case OFP_HASH_SYMMETRIC_L3: {
        struct flow only_l3 = *f;

        mask_l3(ctx);
        only_l3.nw_proto = 0;
        only_l3.tp_src = only_l3.tp_dst = 0;
        return flow_hash_symmetric_l3l4(&only_l3, basis, false);
    }
    default:
        return 0;
    }
}

/* The default of a select group: everything that tells connections apart. */
static uint32_t
hash_5tuple(struct xlate_ctx *ctx)
{
    if (!flow_is_ip(&ctx->flow)) {
        return xlate_hash_fields(ctx, OFP_HASH_SYMMETRIC_L4, 0);
    }
    mask_l3(ctx);
    mask_l4(ctx, true);
    return flow_hash_5tuple(&ctx->flow, 0);
}

/* --- groups ------------------------------------------------------------------------------------
 */

static bool group_is_alive(struct xlate_ctx *, uint32_t group_id, int depth);

static bool
port_is_alive(struct xlate_ctx *ctx, ofp_port_t port)
{
    const struct view_port *p = view_port(ctx->view, port);

    return p && p->is_live;
}

static bool
bucket_is_alive(struct xlate_ctx *ctx, const struct ofbucket *b, int depth)
{
    bool watches = b->watch_port != OFPP_NONE || b->watch_group != UINT32_MAX;

    return !watches || (b->watch_port != OFPP_NONE && port_is_alive(ctx, b->watch_port)) ||
           (b->watch_group != UINT32_MAX && group_is_alive(ctx, b->watch_group, depth + 1));
}

static bool
group_is_alive(struct xlate_ctx *ctx, uint32_t group_id, int depth)
{
    const struct ofgroup *g;

    /* Groups may watch each other in a circle, each by many buckets. */
    if (depth > XLATE_MAX_NEST || ++ctx->n_watched > XLATE_MAX_WATCHED) {
        return false;
    }
    xlate_dep_group(ctx, ctx->view->ofproto, group_id);
    g = ofproto_group_lookup(ctx->view->ofproto, ctx->bridge->version, group_id);
    for (size_t i = 0; g && i < g->n_buckets; i++) {
        if (bucket_is_alive(ctx, &g->buckets[i], depth)) {
            return true;
        }
    }
    return false;
}

static void
credit_group(struct xlate_ctx *ctx, struct ofgroup *g, struct ofbucket *b)
{
    struct xc_entry *e = xlate_credit_add(ctx, XC_GROUP);

    if (e) {
        e->group.group = g;
        e->group.bucket = b;
    }
}

static void
run_bucket(struct xlate_ctx *ctx, struct ofgroup *g, struct ofbucket *b)
{
    struct trace_list *trace = ctx->trace;
    struct flow old = ctx->flow;
    struct ofpacts ordered = {0};
    bool exit = ctx->exit, in_group = ctx->in_group, was_mpls = ctx->was_mpls;

    credit_group(ctx, g, b);
    if (trace) {
        ctx->trace = &trace_append(trace, TRACE_BUCKET, "bucket %u", b->bucket_id)->subs;
    }
    ctx->in_group = true;
    xlate_order_actions(rule_acts(b->actions), b->actions->size, &ordered);
    ctx->depth++;
    xlate_actions(ctx, ofpacts_data(&ordered), ordered.size, false);
    ctx->depth--;
    if (ctx->frozen) {
        xlate_freeze_finish(ctx);
    }
    ofpacts_fini(&ordered);
    ctx->in_group = in_group;
    ctx->was_mpls = was_mpls;
    ctx->exit = exit;
    ctx->flow = old;
    ctx->trace = trace;
}

static void
report_not_live(struct xlate_ctx *ctx, const struct ofbucket *b)
{
    struct text t = {0};

    if (!ctx->trace) {
        return;
    }
    if (b->watch_port != OFPP_NONE) {
        text_put(&t, "port ");
        ofp_port_format(b->watch_port, NULL, &t);
    }
    if (b->watch_group != UINT32_MAX) {
        /* "port" is what operators' scripts know here, too. */
        text_printf(&t, "%sport %u", t.len ? " and " : "", b->watch_group);
    }
    xlate_report(ctx, TRACE_DETAIL, "bucket %u: not live due to %s", b->bucket_id, text_cstr(&t));
    text_fini(&t);
}

static struct ofbucket *
first_alive(struct xlate_ctx *ctx, struct ofgroup *g)
{
    for (size_t i = 0; i < g->n_buckets; i++) {
        if (bucket_is_alive(ctx, &g->buckets[i], 0)) {
            return &g->buckets[i];
        }
        report_not_live(ctx, &g->buckets[i]);
    }
    return NULL;
}

static uint32_t
select_hash(struct xlate_ctx *ctx, const struct ofgroup *g)
{
    if (g->method == OFGROUP_METHOD_HASH && !flow_mask_is_any(&g->hash_fields)) {
        struct flow_mask used = g->hash_fields, there = {0};

        flow_mask_exact_for(&ctx->flow, &there);
        for (unsigned i = FLOW_KEY_WORDS; i < FLOW_WORDS; i++) {
            there.bits.w[i] = UINT64_MAX;
        }
        flow_mask_and(&used, &there);
        flow_mask_or(ctx->wc, &used);
        return flow_hash_masked(&ctx->flow, &used, g->hash_basis);
    }
    return hash_5tuple(ctx);
}

/* Each bucket draws a number from hash and its id, times its weight; the highest wins.  So a bucket
 * that comes or goes moves its own share of the flows only.  One without weight never wins. */
static struct ofbucket *
bucket_by_flow(struct xlate_ctx *ctx, struct ofgroup *g)
{
    uint32_t hash = select_hash(ctx, g);
    struct ofbucket *best = NULL;
    uint64_t best_score = 0;

    for (size_t i = 0; i < g->n_buckets; i++) {
        struct ofbucket *b = &g->buckets[i];

        if (bucket_is_alive(ctx, b, 0)) {
            uint64_t score = (uint64_t)(mix32(b->bucket_id, hash) % 0xffff + 1) * b->weight;

            xlate_report(ctx, TRACE_DETAIL, "bucket %u: score %llu", b->bucket_id,
                         (unsigned long long)score);
            if (score > best_score) {
                best = b;
                best_score = score;
            }
        } else {
            report_not_live(ctx, b);
        }
    }
    return best;
}

/* The bucket of the slot that the datapath's hash falls into, or of the next one that is alive. */
static struct ofbucket *
bucket_by_dp_hash(struct xlate_ctx *ctx, struct ofgroup *g)
{
    uint32_t slot_mask = g->n_slots - 1;

    ctx->wc->bits.dp_hash |= slot_mask;
    for (uint32_t i = 0; i < g->n_slots; i++) {
        struct ofbucket *b = &g->buckets[g->slots[(ctx->flow.dp_hash + i) & slot_mask]];

        if (bucket_is_alive(ctx, b, 0)) {
            return b;
        }
    }
    return NULL;
}

/* NULL: none is alive, or the group is asked again when there is a hash. */
static struct ofbucket *
select_bucket(struct xlate_ctx *ctx, struct ofgroup *g)
{
    if (ctx->was_mpls) {
        xlate_freeze_recirc(ctx); /* A hash needs what is below the label. */
        ctx->again = true;
        return NULL;
    }
    if (g->method != OFGROUP_METHOD_DP_HASH) {
        return bucket_by_flow(ctx, g);
    }
    /* A megaflow that is translated anew may have a hash whose bits that it matches are all 0. */
    if (ctx->thawed ? ctx->thawed->state.is_hashed : ctx->flow.dp_hash != 0) {
        return bucket_by_dp_hash(ctx, g);
    }
    /* New megaflows do without a state where there are too many.  Those that recirculate already
     * (revalidators have no packet) stay as they are. */
    if (ctx->in->packet &&
        frozens_are_many(ofprotos_frozens(ctx->in->ofprotos), (uint32_t)ctx->in->flow->in_port)) {
        coverage_inc(xlate_hash_without_recirc);
        return bucket_by_flow(ctx, g);
    }
    xlate_freeze_hash(ctx, (enum dp_hash_alg)g->hash_alg, g->hash_basis);
    return NULL;
}

/* False once a limit is passed that keeps groups finite which lead to each other by many buckets.
 */
static bool
may_run_bucket(struct xlate_ctx *ctx)
{
    if (++ctx->n_buckets > XLATE_MAX_BUCKETS) {
        xlate_report_error(ctx, "over %d buckets", XLATE_MAX_BUCKETS);
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
    } else if (ctx->out->actions.size > XLATE_MAX_ACTIONS) {
        xlate_report_error(ctx, "groups yielded over %d kB of actions", XLATE_MAX_ACTIONS / 1024);
        xlate_fail(ctx, XLATE_TOO_MANY_RESUBMITS);
    }
    return !ctx->error;
}

void
xlate_group(struct xlate_ctx *ctx, uint32_t group_id)
{
    struct ofgroup *g;
    struct ofbucket *b;

    xlate_dep_group(ctx, ctx->view->ofproto, group_id);
    g = ofproto_group_lookup(ctx->view->ofproto, ctx->bridge->version, group_id);
    if (!g) {
        xlate_report_error(ctx, "output to nonexistent group %u", group_id);
        return;
    }
    if (ctx->depth >= XLATE_MAX_DEPTH || ++ctx->n_resubmits >= XLATE_MAX_RESUBMITS) {
        xlate_report_error(ctx, "over max translation depth %d", XLATE_MAX_DEPTH);
        xlate_fail(ctx, XLATE_RECURSION_TOO_DEEP);
        return;
    }
    switch ((enum ofgroup_type)g->type) {
    case OFGROUP_ALL:
    case OFGROUP_INDIRECT:
        credit_group(ctx, g, NULL);
        for (size_t i = 0; i < g->n_buckets && may_run_bucket(ctx); i++) {
            run_bucket(ctx, g, &g->buckets[i]);
        }
        return;
    case OFGROUP_SELECT:
        b = select_bucket(ctx, g);
        break;
    case OFGROUP_FF:
    default:
        b = first_alive(ctx, g);
        break;
    }
    if (!ctx->again) {
        credit_group(ctx, g, NULL);
    }
    if (b) {
        xlate_report(ctx, TRACE_DETAIL, "using bucket %u", b->bucket_id);
        run_bucket(ctx, g, b);
    } else {
        xlate_report(ctx, TRACE_DETAIL, "no live bucket");
    }
}

/* --- multipath ---------------------------------------------------------------------------------
 */

static uint16_t
highest_random(uint32_t hash, uint16_t n_links)
{
    uint16_t best = 0;
    uint32_t best_weight = mix32(0, hash);

    for (uint16_t link = 1; link < n_links; link++) {
        uint32_t weight = mix32(link, hash);

        if (weight > best_weight) {
            best = link;
            best_weight = weight;
        }
    }
    return best;
}

static uint16_t
iterated_hash(uint32_t hash, uint16_t n_links, uint16_t limit)
{
    uint16_t link = 0;

    if (n_links < limit) {
        limit = n_links;
    }
    for (int i = 0; i < 64; i++) {
        link = (uint16_t)(hash % limit);
        if (link < n_links) {
            return link;
        }
        hash = mix32(hash, 1);
    }
    return (uint16_t)(link % n_links);
}

static uint16_t
choose_link(const struct ofpact_multipath *a, uint32_t hash)
{
    uint16_t n_links = (uint16_t)(a->max_link + 1);

    if (!n_links) {
        return (uint16_t)hash;
    }
    switch ((enum ofp_multipath_algorithm)a->algorithm) {
    case OFP_MP_HASH_THRESHOLD:
        return (uint16_t)((uint64_t)hash * n_links >> 32);
    case OFP_MP_HRW:
        return n_links <= 64 ? highest_random(hash, n_links) : (uint16_t)(hash % n_links);
    case OFP_MP_ITER_HASH:
        return iterated_hash(hash, n_links, a->arg ? (uint16_t)a->arg : n_links);
    case OFP_MP_MODULO_N:
    default:
        return (uint16_t)(hash % n_links);
    }
}

void
xlate_multipath(struct xlate_ctx *ctx, const struct ofpact_multipath *a)
{
    uint32_t hash = xlate_hash_fields(ctx, (enum ofp_hash_fields)a->fields, a->basis);

    mf_mask_subfield(&a->dst, ctx->wc);
    mf_set_subfield(&a->dst, choose_link(a, hash), &ctx->flow);
    xlate_report_subfield(ctx, &a->dst);
}

/* --- bundle ------------------------------------------------------------------------------------
 */

static ofp_port_t
bundle_choose(struct xlate_ctx *ctx, const struct ofpact_bundle *a)
{
    uint32_t hash = 0, best = 0;
    ofp_port_t chosen = OFPP_NONE;

    if (a->algorithm == OFP_BUNDLE_HRW) {
        hash = xlate_hash_fields(ctx, (enum ofp_hash_fields)a->fields, a->basis);
    }
    for (uint16_t i = 0; i < a->n_members; i++) {
        uint32_t weight = mix32(i, hash);

        if (!port_is_alive(ctx, a->members[i])) {
            continue;
        }
        if (a->algorithm != OFP_BUNDLE_HRW) {
            return a->members[i];
        }
        if (chosen == OFPP_NONE || weight > best) {
            chosen = a->members[i];
            best = weight;
        }
    }
    return chosen;
}

void
xlate_bundle(struct xlate_ctx *ctx, const struct ofpact_bundle *a)
{
    ofp_port_t port = bundle_choose(ctx, a);

    if (a->dst.n_bits) {
        mf_mask_subfield(&a->dst, ctx->wc);
        mf_set_subfield(&a->dst, port, &ctx->flow);
        xlate_report_subfield(ctx, &a->dst);
    } else {
        const struct xlate_output o = {.port = port, .may_packet_in = true};

        xlate_output(ctx, &o);
    }
}
