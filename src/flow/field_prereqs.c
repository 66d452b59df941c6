// SPDX-License-Identifier: Apache-2.0
/*
 * What must hold for a field to make sense, asked of a packet and of a match: see field.h.
 */
#include "base/util.h"
#include "flow/match.h"

static void
consult(struct flow_mask *mask, bool l4)
{
    if (mask) {
        FLOW_MASK_SET(mask, dl_type);
        if (l4) {
            FLOW_MASK_SET(mask, nw_proto);
            mask->bits.nw_frag |= NW_FRAG_LATER;
        }
    }
}

static bool
l4_ok(const struct flow *flow, uint8_t proto, struct flow_mask *mask)
{
    consult(mask, flow_is_ip(flow));
    return flow_has_l4(flow, proto);
}

static bool
icmp_ok(const struct flow *flow, uint16_t dl_type, uint8_t proto, struct flow_mask *mask)
{
    consult(mask, flow_dl_type_is(flow, dl_type));
    return flow_dl_type_is(flow, dl_type) && flow_has_l4(flow, proto);
}

static bool
nd_ok(const struct flow *flow, uint16_t type, struct flow_mask *mask)
{
    bool icmp6 = icmp_ok(flow, ETH_TYPE_IPV6, IP_PROTO_ICMPV6, mask);

    if (icmp6 && mask) {
        FLOW_MASK_SET(mask, tp_src);
        FLOW_MASK_SET(mask, tp_dst);
    }
    return icmp6 && flow_is_nd(flow) && (!type || flow->tp_src == htobe16_(type));
}

static bool
ct_ok(const struct flow *flow, struct flow_mask *mask)
{
    if (mask) {
        mask->bits.ct_state |= CT_STATE_TRK | CT_STATE_INV;
    }
    return (flow->ct_state & (CT_STATE_TRK | CT_STATE_INV)) == CT_STATE_TRK;
}

bool
mf_prereqs_ok(const struct mf_field *mf, const struct flow *flow, struct flow_mask *mask)
{
    switch (mf->prereqs) {
    case MF_PRE_NONE:
        return true;
    case MF_PRE_ETHERNET:
        return flow->packet_type == 0;
    case MF_PRE_ARP:
        consult(mask, false);
        return flow_is_arp(flow);
    case MF_PRE_VLAN_VID:
        if (mask) {
            mask->bits.vlans[0].tci |= htobe16_(VLAN_CFI);
        }
        return (flow->vlans[0].tci & htobe16_(VLAN_CFI)) != 0;
    case MF_PRE_IPV4:
        consult(mask, false);
        return flow_dl_type_is(flow, ETH_TYPE_IP);
    case MF_PRE_IPV6:
        consult(mask, false);
        return flow_dl_type_is(flow, ETH_TYPE_IPV6);
    case MF_PRE_IP_ANY:
        consult(mask, false);
        return flow_is_ip(flow);
    case MF_PRE_CT_VALID:
        return ct_ok(flow, mask);
    case MF_PRE_MPLS:
        consult(mask, false);
        return flow_is_mpls(flow);
    case MF_PRE_TCP:
        return l4_ok(flow, IP_PROTO_TCP, mask);
    case MF_PRE_UDP:
        return l4_ok(flow, IP_PROTO_UDP, mask);
    case MF_PRE_SCTP:
        return l4_ok(flow, IP_PROTO_SCTP, mask);
    case MF_PRE_ICMPV4:
        return icmp_ok(flow, ETH_TYPE_IP, IP_PROTO_ICMP, mask);
    case MF_PRE_ICMPV6:
        return icmp_ok(flow, ETH_TYPE_IPV6, IP_PROTO_ICMPV6, mask);
    case MF_PRE_ND:
        return nd_ok(flow, 0, mask);
    case MF_PRE_ND_SOLICIT:
        return nd_ok(flow, 135, mask);
    case MF_PRE_ND_ADVERT:
        return nd_ok(flow, 136, mask);
    }
    return false;
}

/* A match on ct_state guarantees a connection if it asks for a bit that only one has, or for
 * tracked and not invalid. */
static bool
match_ct_ok(const struct match *m)
{
    const uint16_t implies =
        CT_STATE_NEW | CT_STATE_EST | CT_STATE_REL | CT_STATE_RPL | CT_STATE_SNAT | CT_STATE_DNAT;

    return (m->flow.ct_state & implies) ||
           ((m->flow.ct_state & CT_STATE_TRK) && (m->mask.bits.ct_state & CT_STATE_INV) &&
            !(m->flow.ct_state & CT_STATE_INV));
}

bool
mf_match_prereqs_ok(const struct mf_field *mf, const struct match *match)
{
    /* What the match does not require is zero in its flow, and no prerequisite asks for zero.  ICMP
     * fields may be asked of later fragments, as the deployed switch has it: no packet matches. */
    if ((mf->prereqs == MF_PRE_ICMPV4 || mf->prereqs == MF_PRE_ICMPV6) && match->flow.nw_frag) {
        struct flow flow = match->flow;

        flow.nw_frag = 0;
        return mf_prereqs_ok(mf, &flow, NULL);
    }
    return mf->prereqs == MF_PRE_CT_VALID ? match_ct_ok(match)
                                          : mf_prereqs_ok(mf, &match->flow, NULL);
}
