// SPDX-License-Identifier: Apache-2.0
/* Actions that change one header field each, from bytes: OpenFlow 1.0's and 1.1's set_*, VLAN and
 * MPLS tags, TTLs.
 *
 * Each function is the body of one row in action_decode.c.
 */
#include "openflow/action_decode.h"

static enum ofperr
put_vlan_vid(struct rd *in, bool push, struct ofpacts *out)
{
    struct ofpact_vlan_vid *a = ofpacts_put_struct(out, SET_VLAN_VID, struct ofpact_vlan_vid);

    a->vid = rd_u16(in);
    a->push_vlan_if_needed = push;
    return a->vid & ~VLAN_VID_MASK ? OFPERR_OFPBAC_BAD_ARGUMENT : 0;
}

enum ofperr
action_decode_vlan_vid10(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_vlan_vid(in, true, out);
}

enum ofperr
action_decode_vlan_vid11(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_vlan_vid(in, false, out);
}

static enum ofperr
put_vlan_pcp(struct rd *in, bool push, struct ofpacts *out)
{
    struct ofpact_vlan_pcp *a = ofpacts_put_struct(out, SET_VLAN_PCP, struct ofpact_vlan_pcp);

    a->pcp = rd_u8(in);
    a->push_vlan_if_needed = push;
    return a->pcp & ~7 ? OFPERR_OFPBAC_BAD_ARGUMENT : 0;
}

enum ofperr
action_decode_vlan_pcp10(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_vlan_pcp(in, true, out);
}

enum ofperr
action_decode_vlan_pcp11(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_vlan_pcp(in, false, out);
}

enum ofperr
action_decode_strip_vlan(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_null *a = ofpacts_put_struct(out, STRIP_VLAN, struct ofpact_null);

    a->ofpact.raw = ctx->version > OFP10_VERSION ? OFPACT_RAW_POP_VLAN : OFPACT_RAW_DEFAULT;
    return 0;
}

enum ofperr
action_decode_push_vlan(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_push_vlan *a = ofpacts_put_struct(out, PUSH_VLAN, struct ofpact_push_vlan);

    a->ethertype = rd_u16(in);
    return a->ethertype == ETH_TYPE_VLAN || a->ethertype == ETH_TYPE_QINQ
               ? 0
               : OFPERR_OFPBAC_BAD_ARGUMENT;
}

static enum ofperr
put_mac(struct rd *in, enum ofpact_type type, struct ofpacts *out)
{
    struct ofpact_mac *a = ofpacts_put(out, type, sizeof *a);

    rd_copy(in, a->mac, sizeof a->mac);
    return 0;
}

enum ofperr
action_decode_dl_src(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_mac(in, OFPACT_SET_ETH_SRC, out);
}

enum ofperr
action_decode_dl_dst(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_mac(in, OFPACT_SET_ETH_DST, out);
}

static enum ofperr
put_ipv4(struct rd *in, enum ofpact_type type, struct ofpacts *out)
{
    struct ofpact_ipv4 *a = ofpacts_put(out, type, sizeof *a);

    rd_copy(in, &a->ipv4, sizeof a->ipv4);
    return 0;
}

enum ofperr
action_decode_nw_src(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_ipv4(in, OFPACT_SET_IPV4_SRC, out);
}

enum ofperr
action_decode_nw_dst(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_ipv4(in, OFPACT_SET_IPV4_DST, out);
}

/* An action of one byte, in which the bits of 'forbidden' must be zero. */
static enum ofperr
put_u8(struct rd *in, enum ofpact_type type, uint8_t forbidden, struct ofpacts *out)
{
    struct ofpact_u8 *a = ofpacts_put(out, type, sizeof *a);

    a->value = rd_u8(in);
    return a->value & forbidden ? OFPERR_OFPBAC_BAD_ARGUMENT : 0;
}

enum ofperr
action_decode_nw_tos(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_IP_DSCP, IP_ECN_MASK, out);
}

enum ofperr
action_decode_nw_ecn(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_IP_ECN, (uint8_t)~IP_ECN_MASK, out);
}

enum ofperr
action_decode_nw_ttl(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_IP_TTL, 0, out);
}

enum ofperr
action_decode_mpls_tc(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_MPLS_TC, 0xf8, out);
}

enum ofperr
action_decode_mpls_ttl(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_MPLS_TTL, 0, out);
}

static enum ofperr
put_l4_port(struct rd *in, enum ofpact_type type, struct ofpacts *out)
{
    struct ofpact_l4_port *a = ofpacts_put(out, type, sizeof *a);

    a->port = rd_u16(in);
    return 0;
}

enum ofperr
action_decode_tp_src(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_l4_port(in, OFPACT_SET_L4_SRC_PORT, out);
}

enum ofperr
action_decode_tp_dst(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_l4_port(in, OFPACT_SET_L4_DST_PORT, out);
}

enum ofperr
action_decode_mpls_label(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_mpls_label *a = ofpacts_put_struct(out, SET_MPLS_LABEL, struct ofpact_mpls_label);

    a->label = rd_u32(in);
    return a->label > 0xfffff ? OFPERR_OFPBAC_BAD_ARGUMENT : 0;
}

enum ofperr
action_decode_nx_mpls_label(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    return action_decode_mpls_label(in, ctx, out);
}

enum ofperr
action_decode_dec_mpls_ttl(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, DEC_MPLS_TTL, struct ofpact_null);
    return 0;
}

static enum ofperr
put_ethertype(struct rd *in, enum ofpact_type type, struct ofpacts *out)
{
    struct ofpact_ethertype *a = ofpacts_put(out, type, sizeof *a);

    a->ethertype = rd_u16(in);
    return 0;
}

enum ofperr
action_decode_push_mpls(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct rd peek = *in;
    uint16_t ethertype = rd_u16(&peek);

    if (ethertype != ETH_TYPE_MPLS && ethertype != ETH_TYPE_MPLS_MCAST) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return put_ethertype(in, OFPACT_PUSH_MPLS, out);
}

enum ofperr
action_decode_pop_mpls(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_ethertype(in, OFPACT_POP_MPLS, out);
}

enum ofperr
action_decode_dec_ttl(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_cnt_ids *a = ofpacts_put(out, OFPACT_DEC_TTL, sizeof *a + sizeof a->ids[0]);

    a->n_controllers = 1;
    return 0;
}

enum ofperr
action_decode_dec_ttl_cnt_ids(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    uint16_t n = rd_u16(in);
    struct ofpact_cnt_ids *a;

    if (!n || !rd_zeros(in, 4)) {
        return n ? OFPERR_NXBAC_MUST_BE_ZERO : OFPERR_OFPBAC_BAD_LEN;
    }
    if (rd_left(in) < n * 2u) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    a = ofpacts_put(out, OFPACT_DEC_TTL, sizeof *a + n * sizeof a->ids[0]);
    a->ofpact.raw = OFPACT_RAW_CNT_IDS;
    a->n_controllers = n;
    for (int i = 0; i < n; i++) {
        a->ids[i] = rd_u16(in);
    }
    return 0;
}
