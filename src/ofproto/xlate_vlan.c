// SPDX-License-Identifier: Apache-2.0
/*
 * xlate_vlan.c - how logical ports ("bundles") map the tags of a packet to the VLAN it is in, and
 * back (Port.vlan_mode of ovs-vswitchd.conf.db(5)).
 *
 *   mode             in, without tag   in, tagged V        out of VLAN T        out of another VLAN
 *   access           T                 refused             no tag               not sent
 *   trunk            0                 V if in trunks      tagged (0: see below) tagged
 *   native-tagged    T                 V if in trunks      tagged               tagged
 *   native-untagged  T                 V if in trunks      no tag               tagged
 *   dot1q-tunnel     T                 T if V in cvlans,   outer tag removed    not sent
 *                                      outer tag pushed
 *
 * A priority tag (VID 0) counts as no tag, but one with a priority goes from trunk to trunk as it
 * is, whatever other_config:priority-tags says.  Only the outer tag is looked at where vlan-limit
 * is 1; else an access port takes no packets with a tag behind that of its VLAN.
 */
#include <string.h>

#include "base/bitmap.h"
#include "ofproto/xlate_int.h"

static uint16_t
tci_vid(rte_be16_t tci)
{
    return ntohs(tci) & VLAN_VID_MASK;
}

/* A port with a native VLAN has no VLAN 0: its packets would come out in the native one. */
static bool
trunks_vlan(const struct view_bundle *b, uint16_t vlan)
{
    bool has_native =
        b->vlan_mode == OFPROTO_VLAN_NATIVE_TAGGED || b->vlan_mode == OFPROTO_VLAN_NATIVE_UNTAGGED;

    if (has_native && b->tag > 0 && (vlan == 0 || vlan == b->tag)) {
        return vlan;
    }
    return b->all_vlans || bitmap_is_set(b->trunks, vlan);
}

static bool
allows_cvlan(const struct view_bundle *b, uint16_t vlan)
{
    return b->all_cvlans || bitmap_is_set(b->cvlans, vlan);
}

bool
xlate_vlan_input(struct xlate_ctx *ctx, const struct view_bundle *b, uint16_t *vlan)
{
    uint16_t vid = tci_vid(ctx->flow.vlans[0].tci);
    uint16_t tag = b->tag < 0 ? 0 : (uint16_t)b->tag;

    ctx->wc->bits.vlans[0].tci |= htons(VLAN_VID_MASK | VLAN_CFI);
    switch (b->vlan_mode) {
    case OFPROTO_VLAN_ACCESS:
        if (vid) {
            xlate_report_error(ctx,
                               "dropping VLAN %d tagged packet received on port %s configured as "
                               "VLAN %d access port",
                               vid, b->name, tag);
            return false;
        }
        *vlan = tag;
        return true;
    case OFPROTO_VLAN_DOT1Q_TUNNEL:
        if (!allows_cvlan(b, vid)) {
            xlate_report_error(ctx,
                               "dropping VLAN %d packet received on dot1q-tunnel port %s that "
                               "excludes this VLAN",
                               vid, b->name);
            return false;
        }
        *vlan = tag;
        return true;
    case OFPROTO_VLAN_NATIVE_TAGGED:
    case OFPROTO_VLAN_NATIVE_UNTAGGED:
        if (!vid) {
            *vlan = tag;
            return true;
        }
        break;
    case OFPROTO_VLAN_TRUNK:
    default:
        break;
    }
    if (!trunks_vlan(b, vid)) {
        xlate_report_error(ctx,
                           "dropping VLAN %d packet received on port %s not configured for "
                           "trunking VLAN %d",
                           vid, b->name, vid);
        return false;
    }
    *vlan = vid;
    return true;
}

/* The tag behind the one that says 'vlan', for a packet that came in from 'from'. */
static uint16_t
inner_vid(const struct xlate_ctx *ctx, const struct view_bundle *from, uint16_t vlan)
{
    const struct flow *f = &ctx->flow;

    if (from && from->vlan_mode == OFPROTO_VLAN_DOT1Q_TUNNEL) {
        return tci_vid(f->vlans[0].tci);
    }
    ctx->wc->bits.vlans[1].tci |= htons(VLAN_VID_MASK | VLAN_CFI);
    return vlan && tci_vid(f->vlans[0].tci) == vlan ? tci_vid(f->vlans[1].tci) : 0;
}

bool
xlate_vlan_includes(const struct xlate_ctx *ctx, const struct view_bundle *from,
                    const struct view_bundle *b, uint16_t vlan)
{
    switch (b->vlan_mode) {
    case OFPROTO_VLAN_ACCESS:
        return vlan == b->tag && (ctx->view->vlan_limit == 1 || !inner_vid(ctx, from, vlan));
    case OFPROTO_VLAN_DOT1Q_TUNNEL:
        return vlan == b->tag && (b->all_cvlans || allows_cvlan(b, inner_vid(ctx, from, vlan)));
    case OFPROTO_VLAN_TRUNK:
    case OFPROTO_VLAN_NATIVE_TAGGED:
    case OFPROTO_VLAN_NATIVE_UNTAGGED:
    default:
        return trunks_vlan(b, vlan);
    }
}

/* Whether a packet that 'bundle' sends for 'vlan' carries a tag that says so. */
static bool
sends_tag(const struct view_bundle *b, uint16_t vlan)
{
    switch (b->vlan_mode) {
    case OFPROTO_VLAN_ACCESS:
    case OFPROTO_VLAN_DOT1Q_TUNNEL:
        return false;
    case OFPROTO_VLAN_NATIVE_UNTAGGED:
        return vlan && vlan != b->tag;
    case OFPROTO_VLAN_TRUNK:
    case OFPROTO_VLAN_NATIVE_TAGGED:
    default:
        return vlan;
    }
}

static bool
passes_priority(const struct view_bundle *b, uint16_t vlan)
{
    return b->vlan_mode == OFPROTO_VLAN_TRUNK && !vlan;
}

static bool
sends_priority_tag(const struct view_bundle *b, uint16_t vlan, uint16_t pcp)
{
    return b->priority_tags == OFPROTO_PRIO_TAGS_ALWAYS ||
           (pcp && (b->priority_tags == OFPROTO_PRIO_TAGS_NONZERO || passes_priority(b, vlan)));
}

bool
xlate_vlan_output(struct xlate_ctx *ctx, const struct view_bundle *from,
                  const struct view_bundle *b, uint16_t vlan)
{
    struct flow *f = &ctx->flow;
    bool tunnelled = from && from->vlan_mode == OFPROTO_VLAN_DOT1Q_TUNNEL;
    bool was_tagged = !tunnelled && f->vlans[0].tci & htons(VLAN_CFI);
    uint16_t pcp = was_tagged ? ntohs(f->vlans[0].tci) & VLAN_PCP_MASK : 0;
    uint16_t tci = (uint16_t)(VLAN_CFI | pcp);
    uint16_t tpid = tunnelled ? from->qinq_ethtype : ETH_TYPE_VLAN;

    if (b->priority_tags == OFPROTO_PRIO_TAGS_NONZERO || passes_priority(b, vlan)) {
        ctx->wc->bits.vlans[0].tci |= htons(VLAN_PCP_MASK);
    }
    if (sends_tag(b, vlan)) {
        tci |= vlan;
    } else if (b->vlan_mode == OFPROTO_VLAN_DOT1Q_TUNNEL || !sends_priority_tag(b, vlan, pcp)) {
        tci = 0;
    }
    if (!tci) {
        if (was_tagged) {
            xlate_remove_tag(ctx);
        }
    } else if (was_tagged) {
        if (f->vlans[0].tpid != htons(ETH_TYPE_QINQ)) {
            f->vlans[0].tpid = htons(ETH_TYPE_VLAN);
        }
        f->vlans[0].tci = htons(tci);
    } else if (!flow_push_vlan(f, htons(tpid), htons(tci))) {
        xlate_report_error(ctx, "more than %d VLAN tags", FLOW_VLAN_STACK);
        return false;
    }
    if (ctx->view->vlan_limit != 1) {
        ctx->wc->bits.vlans[1].tci |= htons(VLAN_CFI);
    }
    return true;
}
