// SPDX-License-Identifier: Apache-2.0
/*
 * normal.c - the action NORMAL: an Ethernet switch with VLANs.
 *
 * A packet that a logical port may receive teaches where its source is, and goes where its
 * destination was last seen in its VLAN, or to every port of that VLAN.
 */
#include <string.h>

#include "base/bitmap.h"
#include "ofproto/bond.h"
#include "ofproto/lacp.h"
#include "ofproto/xlate_int.h"

/* The port that stands for packets from nowhere (OFPP_NONE, OFPP_CONTROLLER): a trunk. */
static const struct view_bundle none_bundle = {
    .name = "OFPP_NONE",
    .id = UINT32_MAX,
    .vlan_mode = OFPROTO_VLAN_TRUNK,
    .tag = -1,
    .all_vlans = true,
    .all_cvlans = true,
};

static const struct view_bundle *
input_bundle(struct xlate_ctx *ctx)
{
    const struct view_port *port = view_port(ctx->view, ctx->flow.ofp_in_port);

    if (port && port->bundle) {
        return port->bundle;
    }
    if (ctx->flow.ofp_in_port == OFPP_NONE || ctx->flow.ofp_in_port == OFPP_CONTROLLER) {
        return &none_bundle;
    }
    /* Nothing to warn of: a miss may have waited while its port left the bridge. */
    xlate_report(ctx, TRACE_ERROR, "received packet on unknown port %u", ctx->flow.ofp_in_port);
    return NULL;
}

/* forward-bpdu of ovs-vswitchd.conf.db(5) lists them. */
bool
xlate_is_reserved(const struct rte_ether_addr *mac)
{
    static const struct {
        uint8_t mac[6];
        uint8_t last_mask;
    } reserved[] = {
        {{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}, 0xf0}, /* IEEE 802.1D, LACP, LLDP */
        {{0x00, 0xe0, 0x2b, 0x00, 0x00, 0x00}, 0xff}, /* EDP */
        {{0x00, 0xe0, 0x2b, 0x00, 0x00, 0x04}, 0xff}, /* EAPS */
        {{0x00, 0xe0, 0x2b, 0x00, 0x00, 0x06}, 0xff},
        {{0x01, 0x00, 0x0c, 0x00, 0x00, 0x00}, 0xff}, /* ISL */
        {{0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xc0}, 0xf0}, /* CDP, VTP, PVST+, CFM */
        {{0x01, 0x00, 0x0c, 0xcd, 0xcd, 0xcd}, 0xff}, /* STP uplink fast */
    };

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (!memcmp(mac->addr_bytes, reserved[i].mac, 5) &&
            (mac->addr_bytes[5] & reserved[i].last_mask) == reserved[i].mac[5]) {
            return true;
        }
    }
    return false;
}

/* Says "here I am": a broadcast ARP whose sender asks for, or answers with, its own address. */
static bool
is_gratuitous_arp(struct xlate_ctx *ctx)
{
    const struct flow *f = &ctx->flow;

    if (!flow_dl_type_is(f, ETH_TYPE_ARP)) {
        return false;
    }
    FLOW_MASK_SET(ctx->wc, dl_dst);
    if (!rte_is_broadcast_ether_addr(&f->dl_dst)) {
        return false;
    }
    FLOW_MASK_SET(ctx->wc, nw_proto);
    if (f->nw_proto == 2) {
        return true;
    }
    if (f->nw_proto == 1) {
        FLOW_MASK_SET(ctx->wc, nw_src);
        FLOW_MASK_SET(ctx->wc, nw_dst);
        return f->nw_src == f->nw_dst;
    }
    return false;
}

/* The other switch may flood to each of our links.  What is for all comes in by the active member
 * only, or from wherever an aggregation that its partner knows of (LACP) gets it.  balance-tcp is
 * nothing without that. */
static bool
bond_admits(struct xlate_ctx *ctx, const struct view_bundle *in, uint16_t vlan)
{
    const struct view_port *port = view_port(ctx->view, ctx->flow.ofp_in_port);
    bool is_multicast = ctx->flow.dl_dst.addr_bytes[0] & 1;
    bool is_backup = in->bond.mode == OFPROTO_BOND_ACTIVE_BACKUP ||
                     (in->bond.mode == OFPROTO_BOND_TCP && in->falls_back);
    bool is_slb = in->bond.mode == OFPROTO_BOND_SLB;
    struct mac_where where;
    bool admits;

    if (in->lacp_status == LACP_NEGOTIATED) {
        if (!port || !port->bond_collects) {
            xlate_report(ctx, TRACE_DETAIL, "bonding refused admissibility, dropping");
            return false;
        }
        return true; /* The partner knows that it is one link. */
    }
    admits = port == in->active || (is_slb && (!is_multicast || in->bond.all_members_active));
    if (!admits || (!is_backup && !is_slb) ||
        (in->lacp_status == LACP_CONFIGURED && !in->bond.lacp_fallback_ab)) {
        xlate_report(ctx, TRACE_DETAIL, "bonding refused admissibility, dropping");
        return false;
    }
    if (is_slb) {
        /* What we sent ourselves comes back by another member. */
        xlate_dep_mac(ctx, ctx->view->mac_table, vlan, ctx->flow.dl_src);
        if (mac_table_lookup(ctx->view->mac_table, vlan, ctx->flow.dl_src, &where) &&
            where.bundle_id != in->id && !is_gratuitous_arp(ctx)) {
            xlate_report(ctx, TRACE_DETAIL, "SLB bond thinks this packet looped back, dropping");
            return false;
        }
    }
    return true;
}

static bool
is_admissible(struct xlate_ctx *ctx, const struct view_bundle *in, uint16_t vlan)
{
    if (!ctx->view->forward_bpdu && xlate_is_reserved(&ctx->flow.dl_dst)) {
        xlate_report(ctx, TRACE_DETAIL, "packet has reserved destination MAC, dropping");
        return false;
    }
    return !in->has_bond || bond_admits(ctx, in, vlan);
}

static void
learn_source(struct xlate_ctx *ctx, const struct view_bundle *in, uint16_t vlan)
{
    struct mac_table *mt = ctx->view->mac_table;
    struct mac_source src = {
        .mac = ctx->flow.dl_src,
        .vlan = vlan,
        .bundle_id = in->id,
        .is_grat_arp = is_gratuitous_arp(ctx),
        .is_bond = in->has_bond,
    };
    struct xc_entry *e;

    if (!mt || in == &none_bundle) {
        return;
    }
    if (ctx->in->side_effects && mac_table_learn(mt, &src) != MAC_KNOWN) {
        const uint8_t *m = src.mac.addr_bytes;

        xlate_report(ctx, TRACE_DETAIL,
                     "learned that %02x:%02x:%02x:%02x:%02x:%02x is on port %s in VLAN %d", m[0],
                     m[1], m[2], m[3], m[4], m[5], in->name, vlan);
    }
    e = xlate_credit_add(ctx, XC_MAC);
    if (e) {
        e->mac = src;
    }
}

/* The datapath hashes: the megaflow need not look at what the bond chooses by. */
static bool
is_hashed_by_datapath(const struct view_bundle *b)
{
    return b->has_bond && b->buckets && b->recirc && b->bond.mode == OFPROTO_BOND_TCP &&
           b->lacp_status == LACP_NEGOTIATED && b->n_members && b->active;
}

/* Which member sends: the only one, or the bond's choice. */
static const struct view_port *
choose_member(struct xlate_ctx *ctx, const struct view_bundle *b, uint16_t vlan)
{
    uint32_t hash;

    if (!b->has_bond) {
        return b->n_members ? b->members[0] : NULL;
    }
    if (!b->buckets) {
        return b->active;
    }
    if (b->bond.mode == OFPROTO_BOND_TCP && b->lacp_status != LACP_NEGOTIATED) {
        return NULL;
    }
    if (b->bond.mode == OFPROTO_BOND_SLB) {
        FLOW_MASK_SET(ctx->wc, dl_src);
        hash = bond_hash_mac(ctx->flow.dl_src, vlan, b->bond.hash_basis);
    } else {
        hash = xlate_hash_fields(ctx, OFP_HASH_SYMMETRIC_L4, b->bond.hash_basis);
    }
    xlate_credit_bucket(ctx, b, hash % BOND_BUCKETS);
    return b->buckets[hash % BOND_BUCKETS];
}

void
xlate_output_bundle(struct xlate_ctx *ctx, const struct view_bundle *from,
                    const struct view_bundle *b, uint16_t vlan, uint32_t truncate)
{
    struct flow_vlan old[FLOW_MAX_VLANS], deep[FLOW_MAX_DEEP_VLANS];
    bool by_datapath = is_hashed_by_datapath(b);
    const struct view_port *port = by_datapath ? NULL : choose_member(ctx, b, vlan);

    if (!port && !by_datapath) {
        return;
    }
    memcpy(old, ctx->flow.vlans, sizeof old);
    memcpy(deep, ctx->flow.deep_vlans, sizeof deep);
    if (xlate_vlan_output(ctx, from, b, vlan)) {
        if (by_datapath) {
            xlate_output_hashed(ctx, b, truncate);
        } else {
            xlate_output_port(ctx, port, truncate);
        }
    }
    memcpy(ctx->flow.vlans, old, sizeof old);
    memcpy(ctx->flow.deep_vlans, deep, sizeof deep);
}

static bool
is_floodable(const struct view_bundle *b)
{
    for (size_t i = 0; i < b->n_members; i++) {
        if (b->members[i]->config & OFPORT_NO_FLOOD) {
            return false;
        }
    }
    return true;
}

static bool
may_forward(const struct view_bundle *in, const struct view_bundle *out)
{
    return out->id != in->id && !out->out_mirrors && !(in->is_protected && out->is_protected);
}

static void
flood(struct xlate_ctx *ctx, const struct view_bundle *in, uint16_t vlan)
{
    const struct ofproto_view *view = ctx->view;

    for (size_t i = 0; i < view->n_bundles; i++) {
        const struct view_bundle *b = &view->bundles[i];

        if (may_forward(in, b) && xlate_vlan_includes(ctx, in, b, vlan) && is_floodable(b)) {
            xlate_output_bundle(ctx, in, b, vlan, 0);
        }
    }
}

static void
forward(struct xlate_ctx *ctx, const struct view_bundle *in, uint16_t vlan)
{
    const struct ofproto_view *view = ctx->view;
    const struct view_bundle *out;
    struct mac_where where;

    if (view->mac_table) {
        xlate_dep_mac(ctx, view->mac_table, vlan, ctx->flow.dl_dst);
    }
    if (!view->mac_table || !mac_table_lookup(view->mac_table, vlan, ctx->flow.dl_dst, &where)) {
        xlate_report(ctx, TRACE_DETAIL, "no learned MAC for destination, flooding");
        flood(ctx, in, vlan);
        return;
    }
    out = view_bundle(view, where.bundle_id);
    if (!out) {
        xlate_report(ctx, TRACE_WARN, "learned port is unknown, dropping");
    } else if (out->id == in->id) {
        xlate_report(ctx, TRACE_DETAIL, "learned port is input port, dropping");
    } else if (in->is_protected && out->is_protected) {
        xlate_report(ctx, TRACE_DETAIL, "learned port and input port are protected, dropping");
    } else if (!xlate_vlan_includes(ctx, in, out, vlan)) {
        xlate_report(ctx, TRACE_WARN, "learned port does not carry VLAN %d, dropping", vlan);
    } else {
        xlate_report(ctx, TRACE_DETAIL, "forwarding to learned port");
        xlate_output_bundle(ctx, in, out, vlan, 0);
    }
}

void
xlate_normal(struct xlate_ctx *ctx)
{
    const struct view_bundle *in;
    uint16_t vlan;

    FLOW_MASK_SET(ctx->wc, dl_src);
    FLOW_MASK_SET(ctx->wc, dl_dst);
    ctx->wc->bits.vlans[0].tci |= htons(VLAN_VID_MASK | VLAN_CFI);
    in = input_bundle(ctx);
    if (!in) {
        xlate_report(ctx, TRACE_WARN, "no input bundle, dropping");
        return;
    }
    if (in->out_mirrors) {
        xlate_report_error(ctx,
                           "dropping packet received on port %s, which is reserved "
                           "exclusively for mirroring",
                           in->name);
        return;
    }
    if (!xlate_vlan_input(ctx, in, &vlan)) {
        xlate_report(ctx, TRACE_WARN, "disallowed VLAN VID for this input port, dropping");
        return;
    }
    if (!is_admissible(ctx, in, vlan)) {
        return;
    }
    learn_source(ctx, in, vlan);
    forward(ctx, in, vlan);
}
