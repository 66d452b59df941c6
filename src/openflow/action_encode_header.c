// SPDX-License-Identifier: Apache-2.0
/* Actions that change one header field each, to bytes: set_field from OpenFlow 1.2 on, where there
 * is a field. */
#include "openflow/action_encode.h"

static void
push_vlan_if_absent(bool push_if_needed, bool flow_has_vlan, struct wr *out)
{
    if (push_if_needed && !flow_has_vlan) {
        action_put_u16(out, OFPAT11_PUSH_VLAN, ETH_TYPE_VLAN);
    }
}

static void
encode_vlan_vid(const struct ofpact_vlan_vid *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        action_put_u16(out, OFPAT10_SET_VLAN_VID, a->vid);
        return;
    }
    push_vlan_if_absent(a->push_vlan_if_needed, a->flow_has_vlan, out);
    if (version == OFP11_VERSION) {
        action_put_u16(out, OFPAT11_SET_VLAN_VID, a->vid);
    } else {
        action_put_field(MF_VLAN_VID, a->vid | VLAN_CFI, version, out);
    }
}

static void
encode_vlan_pcp(const struct ofpact_vlan_pcp *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        action_put_u8(out, OFPAT10_SET_VLAN_PCP, a->pcp);
        return;
    }
    push_vlan_if_absent(a->push_vlan_if_needed, a->flow_has_vlan, out);
    if (version == OFP11_VERSION) {
        action_put_u8(out, OFPAT11_SET_VLAN_PCP, a->pcp);
    } else {
        action_put_field(MF_VLAN_PCP, a->pcp, version, out);
    }
}

static void
encode_eth(const struct ofpact_mac *a, enum ofp_version version, struct wr *out)
{
    bool src = a->ofpact.type == OFPACT_SET_ETH_SRC;

    if (version < OFP12_VERSION) {
        action_put_mac(out,
                       src ? action_pick(version, OFPAT10_SET_DL_SRC, OFPAT11_SET_DL_SRC)
                           : action_pick(version, OFPAT10_SET_DL_DST, OFPAT11_SET_DL_DST),
                       a->mac);
    } else {
        struct ofpacts list = {0};

        action_put_set_field(
            ofpacts_put_set_field(&list, src ? MF_ETH_SRC : MF_ETH_DST, a->mac, NULL), version,
            out);
        ofpacts_fini(&list);
    }
}

static void
encode_ipv4(const struct ofpact_ipv4 *a, enum ofp_version version, struct wr *out)
{
    bool src = a->ofpact.type == OFPACT_SET_IPV4_SRC;

    if (version < OFP12_VERSION) {
        action_put_ipv4(out,
                        src ? action_pick(version, OFPAT10_SET_NW_SRC, OFPAT11_SET_NW_SRC)
                            : action_pick(version, OFPAT10_SET_NW_DST, OFPAT11_SET_NW_DST),
                        &a->ipv4);
    } else {
        action_put_field(src ? MF_IPV4_SRC : MF_IPV4_DST, rte_be_to_cpu_32(a->ipv4), version, out);
    }
}

static void
encode_dscp(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version < OFP12_VERSION) {
        action_put_u8(out, action_pick(version, OFPAT10_SET_NW_TOS, OFPAT11_SET_NW_TOS), a->value);
    } else {
        action_put_field(MF_IP_DSCP, a->value >> 2, version, out);
    }
}

static void
encode_ecn(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        action_put_field_load(MF_IP_ECN, a->value, out);
    } else if (version == OFP11_VERSION) {
        action_put_u8(out, OFPAT11_SET_NW_ECN, a->value);
    } else {
        action_put_field(MF_IP_ECN, a->value, version, out);
    }
}

static void
encode_ip_ttl(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        action_put_field_load(MF_IP_TTL, a->value, out);
    } else {
        action_put_u8(out, OFPAT11_SET_NW_TTL, a->value);
    }
}

static void
encode_l4_port(const struct ofpact_l4_port *a, enum ofp_version version, struct wr *out)
{
    bool src = a->ofpact.type == OFPACT_SET_L4_SRC_PORT;

    if (version >= OFP12_VERSION && a->flow_ip_proto == IP_PROTO_TCP) {
        action_put_field(src ? MF_TCP_SRC : MF_TCP_DST, a->port, version, out);
    } else if (version >= OFP12_VERSION && a->flow_ip_proto == IP_PROTO_UDP) {
        action_put_field(src ? MF_UDP_SRC : MF_UDP_DST, a->port, version, out);
    } else if (version >= OFP12_VERSION && a->flow_ip_proto == IP_PROTO_SCTP) {
        action_put_field(src ? MF_SCTP_SRC : MF_SCTP_DST, a->port, version, out);
    } else {
        // 1.2 and later have no such action, but a flow of 1.0 that says no protocol must not lose
        // its own: they get that of 1.1, as from Open vSwitch.
        action_put_u16(out,
                       src ? action_pick(version, OFPAT10_SET_TP_SRC, OFPAT11_SET_TP_SRC)
                           : action_pick(version, OFPAT10_SET_TP_DST, OFPAT11_SET_TP_DST),
                       a->port);
    }
}

static void
encode_dec_ttl(const struct ofpact_cnt_ids *a, enum ofp_version version, struct wr *out)
{
    if (a->ofpact.raw == OFPACT_RAW_CNT_IDS || a->n_controllers > 1 || a->ids[0]) {
        size_t start = action_begin_nx(out, NXAST_DEC_TTL_CNT_IDS);

        wr_u16(out, (uint16_t)a->n_controllers);
        wr_zeros(out, 4);
        for (uint32_t i = 0; i < a->n_controllers; i++) {
            wr_u16(out, a->ids[i]);
        }
        action_end(out, start, 16);
    } else if (version == OFP10_VERSION) {
        action_put_empty_nx(out, NXAST_DEC_TTL);
    } else {
        action_put_empty(out, OFPAT11_DEC_NW_TTL);
    }
}

static void
encode_mpls_label(const struct ofpact_mpls_label *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        action_put_nx_u32(out, NXAST_SET_MPLS_LABEL, a->label);
    } else if (version == OFP11_VERSION) {
        action_put_u32(out, OFPAT11_SET_MPLS_LABEL, a->label);
    } else {
        action_put_field(MF_MPLS_LABEL, a->label, version, out);
    }
}

static void
encode_mpls_tc(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        action_put_nx_u8(out, NXAST_SET_MPLS_TC, a->value);
    } else if (version == OFP11_VERSION) {
        action_put_u8(out, OFPAT11_SET_MPLS_TC, a->value);
    } else {
        action_put_field(MF_MPLS_TC, a->value, version, out);
    }
}

static void
encode_mpls_ttl(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        action_put_nx_u8(out, NXAST_SET_MPLS_TTL, a->value);
    } else {
        action_put_u8(out, OFPAT11_SET_MPLS_TTL, a->value);
    }
}

static void
encode_ethertype(const struct ofpact_ethertype *a, enum ofp_version version, struct wr *out)
{
    bool push = a->ofpact.type == OFPACT_PUSH_MPLS;

    if (version == OFP10_VERSION) {
        action_put_nx_u16(out, push ? NXAST_PUSH_MPLS : NXAST_POP_MPLS, a->ethertype);
    } else {
        action_put_u16(out, push ? OFPAT11_PUSH_MPLS : OFPAT11_POP_MPLS, a->ethertype);
    }
}

void
action_encode_header_change(const struct ofpact *a, enum ofp_version version, struct wr *out)
{
    switch ((int)a->type) {
    case OFPACT_SET_VLAN_VID:
        encode_vlan_vid(OFPACT_CAST(ofpact_vlan_vid, a), version, out);
        break;
    case OFPACT_SET_VLAN_PCP:
        encode_vlan_pcp(OFPACT_CAST(ofpact_vlan_pcp, a), version, out);
        break;
    case OFPACT_STRIP_VLAN:
        action_put_empty(out, action_pick(version, OFPAT10_STRIP_VLAN, OFPAT11_POP_VLAN));
        break;
    case OFPACT_PUSH_VLAN:
        if (version > OFP10_VERSION) { /* OpenFlow 1.0 pushes when it sets the VLAN id. */
            action_put_u16(out, OFPAT11_PUSH_VLAN, OFPACT_CAST(ofpact_push_vlan, a)->ethertype);
        }
        break;
    case OFPACT_SET_ETH_SRC:
    case OFPACT_SET_ETH_DST:
        encode_eth(OFPACT_CAST(ofpact_mac, a), version, out);
        break;
    case OFPACT_SET_IPV4_SRC:
    case OFPACT_SET_IPV4_DST:
        encode_ipv4(OFPACT_CAST(ofpact_ipv4, a), version, out);
        break;
    case OFPACT_SET_IP_DSCP:
        encode_dscp(OFPACT_CAST(ofpact_u8, a), version, out);
        break;
    case OFPACT_SET_IP_ECN:
        encode_ecn(OFPACT_CAST(ofpact_u8, a), version, out);
        break;
    case OFPACT_SET_IP_TTL:
        encode_ip_ttl(OFPACT_CAST(ofpact_u8, a), version, out);
        break;
    case OFPACT_SET_L4_SRC_PORT:
    case OFPACT_SET_L4_DST_PORT:
        encode_l4_port(OFPACT_CAST(ofpact_l4_port, a), version, out);
        break;
    case OFPACT_DEC_TTL:
        encode_dec_ttl(OFPACT_CAST(ofpact_cnt_ids, a), version, out);
        break;
    case OFPACT_SET_MPLS_LABEL:
        encode_mpls_label(OFPACT_CAST(ofpact_mpls_label, a), version, out);
        break;
    case OFPACT_SET_MPLS_TC:
        encode_mpls_tc(OFPACT_CAST(ofpact_u8, a), version, out);
        break;
    case OFPACT_SET_MPLS_TTL:
        encode_mpls_ttl(OFPACT_CAST(ofpact_u8, a), version, out);
        break;
    case OFPACT_DEC_MPLS_TTL:
        if (version == OFP10_VERSION) {
            action_put_empty_nx(out, NXAST_DEC_MPLS_TTL);
        } else {
            action_put_empty(out, OFPAT11_DEC_MPLS_TTL);
        }
        break;
    case OFPACT_PUSH_MPLS:
    case OFPACT_POP_MPLS:
        encode_ethertype(OFPACT_CAST(ofpact_ethertype, a), version, out);
        break;
    default:
        break;
    }
}
