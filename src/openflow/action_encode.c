// SPDX-License-Identifier: Apache-2.0
/* Actions and instructions, structs to bytes, in the form that each OpenFlow version has for them.
 *
 * Where a version lacks an action the encoder says the same with others: set_field is NXAST_REG_LOAD before OpenFlow 1.2, the
 * old header changes are set_field from OpenFlow 1.2 on.  The choices decide what 'ovs-ofctl dump-flows' prints at each
 * version, so they are those of the deployed switch.  See ofp_action.h and action_wire.h.
 */
#include "openflow/action_wire.h"
#include "openflow/nxm.h"
#include "openflow/ofp_packet.h"

static void encode_one(const struct ofpact *a, enum ofp_version version, struct wr *out);

/* Begins an action; action_end() pads it and fixes its length. */
static size_t
begin(struct wr *out, uint16_t type)
{
    size_t start = out->size;

    wr_u16(out, type);
    wr_u16(out, 0);
    return start;
}

static size_t
begin_nx(struct wr *out, enum nxast subtype)
{
    size_t start = begin(out, OFPAT_EXPERIMENTER);

    wr_u32(out, OFP_VENDOR_NX);
    wr_u16(out, (uint16_t) subtype);
    return start;
}

/* Pads to at least 'min' bytes and to a multiple of 8. */
static void
end(struct wr *out, size_t start, size_t min)
{
    if (out->size - start < min) {
        wr_zeros(out, min - (out->size - start));
    }
    wr_align(out, start, 8);
    wr_set_u16(out, start + 2, (uint16_t) (out->size - start));
}

static void
put_empty(struct wr *out, uint16_t type)
{
    end(out, begin(out, type), 8);
}

static void
put_empty_nx(struct wr *out, enum nxast subtype)
{
    end(out, begin_nx(out, subtype), 16);
}

static void
put_u16(struct wr *out, uint16_t type, uint16_t x)
{
    size_t start = begin(out, type);

    wr_u16(out, x);
    end(out, start, 8);
}

static void
put_u8(struct wr *out, uint16_t type, uint8_t x)
{
    size_t start = begin(out, type);

    wr_u8(out, x);
    end(out, start, 8);
}

static void
put_u32(struct wr *out, uint16_t type, uint32_t x)
{
    size_t start = begin(out, type);

    wr_u32(out, x);
    end(out, start, 8);
}

static void
put_nx_u8(struct wr *out, enum nxast subtype, uint8_t x)
{
    size_t start = begin_nx(out, subtype);

    wr_u8(out, x);
    end(out, start, 16);
}

static void
put_nx_u16(struct wr *out, enum nxast subtype, uint16_t x)
{
    size_t start = begin_nx(out, subtype);

    wr_u16(out, x);
    end(out, start, 16);
}

static void
put_nx_u32(struct wr *out, enum nxast subtype, uint32_t x)
{
    size_t start = begin_nx(out, subtype);

    wr_u16(out, 0);
    wr_u32(out, x);
    end(out, start, 16);
}

static uint16_t
ofs_nbits(const struct mf_subfield *sf)
{
    return (uint16_t) (sf->ofs << 6 | (sf->n_bits - 1));
}

/* Set-field, in all its forms. */

bool
action_next_load(const struct ofpact_set_field *a, unsigned int *next, struct mf_subfield *dst,
                 uint64_t *value)
{
    const uint8_t *mask = ofpact_set_field_mask(a), *v = ofpact_set_field_value(a);
    unsigned int n_bits = mf_from_id(a->field)->n_bits, ofs = *next, n = 0;

#define BIT_OF(P, I) ((P)[a->n_bytes - 1 - (I) / 8] >> ((I) % 8) & 1u)
    while (ofs < n_bits && !BIT_OF(mask, ofs)) {
        ofs++;
    }
    if (ofs >= n_bits) {
        return false;
    }
    *value = 0;
    for (; n < 64 && ofs + n < n_bits && BIT_OF(mask, ofs + n); n++) {
        *value |= (uint64_t) BIT_OF(v, ofs + n) << n;
    }
#undef BIT_OF
    *dst = (struct mf_subfield) { mf_from_id(a->field), (uint16_t) ofs, (uint16_t) n };
    *next = ofs + n;
    return true;
}

static bool
set_field_is_whole(const struct ofpact_set_field *a)
{
    union mf_value mask = { .w = { 0, 0 } };

    memcpy(mask.b, ofpact_set_field_mask(a), a->n_bytes);
    return mf_is_exact(mf_from_id(a->field), &mask);
}

static void
put_set_field(const struct ofpact_set_field *a, enum ofp_version version, struct wr *out)
{
    size_t start = begin(out, OFPAT12_SET_FIELD);
    union mf_value value = { .w = { 0, 0 } }, mask = { .w = { 0, 0 } };

    memcpy(value.b, ofpact_set_field_value(a), a->n_bytes);
    memcpy(mask.b, ofpact_set_field_mask(a), a->n_bytes);
    nxm_put_entry(out, mf_from_id(a->field), &value, &mask, version);
    end(out, start, 8);
}

static void
put_reg_load(const struct ofpact_set_field *a, struct wr *out)
{
    const struct mf_field *mf = mf_from_id(a->field);
    struct mf_subfield dst;
    unsigned int next = 0;
    uint64_t value;

    if (a->ofpact.raw == OFPACT_RAW_REG_LOAD2 || nxm_header_size(mf, 0) != 4) {
        size_t start = begin_nx(out, NXAST_REG_LOAD2);
        union mf_value v = { .w = { 0, 0 } }, m = { .w = { 0, 0 } };

        memcpy(v.b, ofpact_set_field_value(a), a->n_bytes);
        memcpy(m.b, ofpact_set_field_mask(a), a->n_bytes);
        wr_zeros(out, 6);
        nxm_put_entry(out, mf, &v, &m, 0);
        end(out, start, 16);
        return;
    }
    while (action_next_load(a, &next, &dst, &value)) {
        size_t start = begin_nx(out, NXAST_REG_LOAD);

        wr_u16(out, ofs_nbits(&dst));
        nxm_put_header(out, mf, false, 0);
        wr_u64(out, value);
        end(out, start, 24);
    }
}

static uint16_t
pick(enum ofp_version version, enum ofpat10 of10, enum ofpat11 of11)
{
    return version == OFP10_VERSION ? (uint16_t) of10 : (uint16_t) of11;
}

static void
put_mac(struct wr *out, uint16_t type, const uint8_t mac[6])
{
    size_t start = begin(out, type);

    wr_bytes(out, mac, 6);
    end(out, start, 16);
}

static void
put_ipv4(struct wr *out, uint16_t type, const void *ipv4)
{
    size_t start = begin(out, type);

    wr_bytes(out, ipv4, 4);
    end(out, start, 8);
}

static void
put_legacy_vlan(uint16_t tci, bool vid, bool pcp, enum ofp_version version, struct wr *out)
{
    if (!(tci & VLAN_CFI) && vid) {
        put_empty(out, pick(version, OFPAT10_STRIP_VLAN, OFPAT11_POP_VLAN));
        return;
    }
    if (vid) {
        put_u16(out, pick(version, OFPAT10_SET_VLAN_VID, OFPAT11_SET_VLAN_VID),
                tci & VLAN_VID_MASK);
    }
    if (pcp) {
        put_u8(out, pick(version, OFPAT10_SET_VLAN_PCP, OFPAT11_SET_VLAN_PCP),
               (uint8_t) (tci >> VLAN_PCP_SHIFT));
    }
}

/* OpenFlow 1.0 and 1.1 have actions of their own for a few whole fields; the rest is NXAST_REG_LOAD. */
static void
put_legacy_set_field(const struct ofpact_set_field *a, enum ofp_version version, struct wr *out)
{
    const uint8_t *v = ofpact_set_field_value(a);

    if (!set_field_is_whole(a)) {
        put_reg_load(a, out);
        return;
    }
    switch ((int) a->field) {
    case MF_VLAN_TCI:
        put_legacy_vlan((uint16_t) (v[0] << 8 | v[1]), true, true, version, out);
        break;
    case MF_VLAN_VID:
        put_legacy_vlan((uint16_t) (v[0] << 8 | v[1]), true, false, version, out);
        break;
    case MF_VLAN_PCP:
        put_legacy_vlan((uint16_t) (v[0] << VLAN_PCP_SHIFT) | VLAN_CFI, false, true, version, out);
        break;
    case MF_ETH_SRC:
        put_mac(out, pick(version, OFPAT10_SET_DL_SRC, OFPAT11_SET_DL_SRC), v);
        break;
    case MF_ETH_DST:
        put_mac(out, pick(version, OFPAT10_SET_DL_DST, OFPAT11_SET_DL_DST), v);
        break;
    case MF_IPV4_SRC:
        put_ipv4(out, pick(version, OFPAT10_SET_NW_SRC, OFPAT11_SET_NW_SRC), v);
        break;
    case MF_IPV4_DST:
        put_ipv4(out, pick(version, OFPAT10_SET_NW_DST, OFPAT11_SET_NW_DST), v);
        break;
    case MF_IP_DSCP:
        put_u8(out, pick(version, OFPAT10_SET_NW_TOS, OFPAT11_SET_NW_TOS), (uint8_t) (v[0] << 2));
        break;
    case MF_IP_TOS:
        put_u8(out, pick(version, OFPAT10_SET_NW_TOS, OFPAT11_SET_NW_TOS), v[0] & IP_DSCP_MASK);
        break;
    case MF_TCP_SRC:
    case MF_UDP_SRC:
        put_u16(out, pick(version, OFPAT10_SET_TP_SRC, OFPAT11_SET_TP_SRC),
                (uint16_t) (v[0] << 8 | v[1]));
        break;
    case MF_TCP_DST:
    case MF_UDP_DST:
        put_u16(out, pick(version, OFPAT10_SET_TP_DST, OFPAT11_SET_TP_DST),
                (uint16_t) (v[0] << 8 | v[1]));
        break;
    default:
        put_reg_load(a, out);
        break;
    }
}

static void
encode_set_field(const struct ofpact_set_field *a, enum ofp_version version, struct wr *out)
{
    bool load = a->ofpact.raw == OFPACT_RAW_REG_LOAD || a->ofpact.raw == OFPACT_RAW_REG_LOAD2;

    if (version >= OFP15_VERSION) {
        put_set_field(a, version, out);
    } else if (load) {
        put_reg_load(a, out);
    } else if (version < OFP12_VERSION) {
        put_legacy_set_field(a, version, out);
    } else if (set_field_is_whole(a)) {
        put_set_field(a, version, out);
    } else {
        put_reg_load(a, out);
    }
}

/* Sets a whole field of at most 8 bytes, by set_field or NXAST_REG_LOAD. */
static void
put_field(enum mf_id id, uint64_t x, enum ofp_version version, struct wr *out)
{
    struct ofpacts list = { 0 };
    uint8_t n = mf_from_id(id)->n_bytes;
    uint8_t value[8];

    for (int i = 0; i < n; i++) {
        value[i] = (uint8_t) (x >> (8 * (n - 1 - i)));
    }
    encode_set_field(ofpacts_put_set_field(&list, id, value, NULL), version, out);
    ofpacts_fini(&list);
}

/* A field that NXAST_REG_LOAD must set because this version's own action for it does not exist. */
static void
put_field_load(enum mf_id id, uint8_t x, struct wr *out)
{
    struct ofpacts list = { 0 };

    put_reg_load(ofpacts_put_set_field(&list, id, &x, NULL), out);
    ofpacts_fini(&list);
}

/* Output. */

static void
encode_output(ofp_port_t port, uint16_t max_len, enum ofp_version version, struct wr *out)
{
    size_t start = begin(out, 0);

    if (version == OFP10_VERSION) {
        wr_u16(out, (uint16_t) port);
        wr_u16(out, max_len);
        end(out, start, 8);
    } else {
        wr_u32(out, ofp_port_to_wire32(port));
        wr_u16(out, max_len);
        end(out, start, 16);
    }
}

static void
encode_set_queue(uint32_t queue, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        put_nx_u32(out, NXAST_SET_QUEUE, queue);
    } else {
        put_u32(out, OFPAT11_SET_QUEUE, queue);
    }
}

static void
encode_enqueue(const struct ofpact_enqueue *a, enum ofp_version version, struct wr *out)
{
    size_t start;

    if (version > OFP10_VERSION) {
        encode_set_queue(a->queue, version, out);
        encode_output(a->port, 0, version, out);
        put_empty_nx(out, NXAST_POP_QUEUE);
        return;
    }
    start = begin(out, OFPAT10_ENQUEUE);
    wr_u16(out, a->port);
    wr_zeros(out, 6);
    wr_u32(out, a->queue);
    end(out, start, 16);
}

static size_t
begin_prop(struct wr *out, enum nxac2pt type)
{
    size_t start = out->size;

    wr_u16(out, (uint16_t) type);
    wr_u16(out, 0);
    return start;
}

static void
end_prop(struct wr *out, size_t start)
{
    wr_set_u16(out, start + 2, (uint16_t) (out->size - start));
    wr_align(out, start, 8);
}

static void
put_prop_u16(struct wr *out, enum nxac2pt type, uint16_t x)
{
    size_t start = begin_prop(out, type);

    wr_u16(out, x);
    end_prop(out, start);
}

static void
encode_controller2(const struct ofpact_controller *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_CONTROLLER2);

    wr_zeros(out, 6);
    if (a->max_len != UINT16_MAX) {
        put_prop_u16(out, NXAC2PT_MAX_LEN, a->max_len);
    }
    if (a->controller_id) {
        put_prop_u16(out, NXAC2PT_CONTROLLER_ID, a->controller_id);
    }
    if (a->reason != OFPR_ACTION) {
        size_t prop = begin_prop(out, NXAC2PT_REASON);

        wr_u8(out, a->reason);
        end_prop(out, prop);
    }
    if (a->userdata_len) {
        size_t prop = begin_prop(out, NXAC2PT_USERDATA);

        wr_bytes(out, a->userdata, a->userdata_len);
        end_prop(out, prop);
    }
    if (a->pause) {
        end_prop(out, begin_prop(out, NXAC2PT_PAUSE));
    }
    if (a->meter_id != OFP_METER_NONE) {
        size_t prop = begin_prop(out, NXAC2PT_METER_ID);

        wr_u32(out, a->meter_id);
        end_prop(out, prop);
    }
    end(out, start, 16);
}

static void
encode_controller(const struct ofpact_controller *a, struct wr *out)
{
    size_t start;

    if (a->userdata_len || a->pause || a->meter_id != OFP_METER_NONE
        || a->ofpact.raw == OFPACT_RAW_CONTROLLER2) {
        encode_controller2(a, out);
        return;
    }
    start = begin_nx(out, NXAST_CONTROLLER);
    wr_u16(out, a->max_len);
    wr_u16(out, a->controller_id);
    wr_u8(out, a->reason);
    end(out, start, 16);
}

static void
encode_output_reg(const struct ofpact_output_reg *a, struct wr *out)
{
    bool wide = nxm_header_size(a->src.field, 0) != 4;
    size_t start = begin_nx(out, wide ? NXAST_OUTPUT_REG2 : NXAST_OUTPUT_REG);

    wr_u16(out, ofs_nbits(&a->src));
    if (wide) {
        wr_u16(out, a->max_len);
    }
    nxm_put_header(out, a->src.field, false, 0);
    if (!wide) {
        wr_u16(out, a->max_len);
    }
    end(out, start, 24);
}

static void
encode_output_trunc(const struct ofpact_output_trunc *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_OUTPUT_TRUNC);

    wr_u16(out, a->port);
    wr_u32(out, a->max_len);
    end(out, start, 16);
}

static void
encode_bundle(const struct ofpact_bundle *a, struct wr *out)
{
    size_t start = begin_nx(out, a->dst.n_bits ? NXAST_BUNDLE_LOAD : NXAST_BUNDLE);

    wr_u16(out, a->algorithm);
    wr_u16(out, a->fields);
    wr_u16(out, a->basis);
    nxm_put_header(out, mf_from_id(MF_IN_PORT), false, 0);
    wr_u16(out, a->n_members);
    if (a->dst.n_bits) {
        wr_u16(out, ofs_nbits(&a->dst));
        nxm_put_header(out, a->dst.field, false, 0);
    } else {
        wr_zeros(out, 6);
    }
    wr_zeros(out, 4);
    for (int i = 0; i < a->n_members; i++) {
        wr_u16(out, a->members[i]);
    }
    end(out, start, 32);
}

/* Header fields. */

static void
push_vlan_if_absent(bool push_if_needed, bool flow_has_vlan, struct wr *out)
{
    if (push_if_needed && !flow_has_vlan) {
        put_u16(out, OFPAT11_PUSH_VLAN, ETH_TYPE_VLAN);
    }
}

static void
encode_vlan_vid(const struct ofpact_vlan_vid *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        put_u16(out, OFPAT10_SET_VLAN_VID, a->vid);
        return;
    }
    push_vlan_if_absent(a->push_vlan_if_needed, a->flow_has_vlan, out);
    if (version == OFP11_VERSION) {
        put_u16(out, OFPAT11_SET_VLAN_VID, a->vid);
    } else {
        put_field(MF_VLAN_VID, a->vid | VLAN_CFI, version, out);
    }
}

static void
encode_vlan_pcp(const struct ofpact_vlan_pcp *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        put_u8(out, OFPAT10_SET_VLAN_PCP, a->pcp);
        return;
    }
    push_vlan_if_absent(a->push_vlan_if_needed, a->flow_has_vlan, out);
    if (version == OFP11_VERSION) {
        put_u8(out, OFPAT11_SET_VLAN_PCP, a->pcp);
    } else {
        put_field(MF_VLAN_PCP, a->pcp, version, out);
    }
}

static void
encode_eth(const struct ofpact_mac *a, enum ofp_version version, struct wr *out)
{
    bool src = a->ofpact.type == OFPACT_SET_ETH_SRC;

    if (version < OFP12_VERSION) {
        put_mac(out,
                src ? pick(version, OFPAT10_SET_DL_SRC, OFPAT11_SET_DL_SRC)
                    : pick(version, OFPAT10_SET_DL_DST, OFPAT11_SET_DL_DST),
                a->mac);
    } else {
        struct ofpacts list = { 0 };

        put_set_field(
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
        put_ipv4(out,
                 src ? pick(version, OFPAT10_SET_NW_SRC, OFPAT11_SET_NW_SRC)
                     : pick(version, OFPAT10_SET_NW_DST, OFPAT11_SET_NW_DST),
                 &a->ipv4);
    } else {
        put_field(src ? MF_IPV4_SRC : MF_IPV4_DST, rte_be_to_cpu_32(a->ipv4), version, out);
    }
}

static void
encode_dscp(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version < OFP12_VERSION) {
        put_u8(out, pick(version, OFPAT10_SET_NW_TOS, OFPAT11_SET_NW_TOS), a->value);
    } else {
        put_field(MF_IP_DSCP, a->value >> 2, version, out);
    }
}

static void
encode_ecn(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        put_field_load(MF_IP_ECN, a->value, out);
    } else if (version == OFP11_VERSION) {
        put_u8(out, OFPAT11_SET_NW_ECN, a->value);
    } else {
        put_field(MF_IP_ECN, a->value, version, out);
    }
}

static void
encode_ip_ttl(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        put_field_load(MF_IP_TTL, a->value, out);
    } else {
        put_u8(out, OFPAT11_SET_NW_TTL, a->value);
    }
}

static void
encode_l4_port(const struct ofpact_l4_port *a, enum ofp_version version, struct wr *out)
{
    bool src = a->ofpact.type == OFPACT_SET_L4_SRC_PORT;

    if (version < OFP12_VERSION) {
        put_u16(out,
                src ? pick(version, OFPAT10_SET_TP_SRC, OFPAT11_SET_TP_SRC)
                    : pick(version, OFPAT10_SET_TP_DST, OFPAT11_SET_TP_DST),
                a->port);
    } else if (a->flow_ip_proto == IP_PROTO_TCP) {
        put_field(src ? MF_TCP_SRC : MF_TCP_DST, a->port, version, out);
    } else if (a->flow_ip_proto == IP_PROTO_UDP) {
        put_field(src ? MF_UDP_SRC : MF_UDP_DST, a->port, version, out);
    } else if (a->flow_ip_proto == IP_PROTO_SCTP) {
        put_field(src ? MF_SCTP_SRC : MF_SCTP_DST, a->port, version, out);
    }
}

static void
encode_dec_ttl(const struct ofpact_cnt_ids *a, enum ofp_version version, struct wr *out)
{
    if (a->ofpact.raw == OFPACT_RAW_CNT_IDS || a->n_controllers > 1 || a->ids[0]) {
        size_t start = begin_nx(out, NXAST_DEC_TTL_CNT_IDS);

        wr_u16(out, (uint16_t) a->n_controllers);
        wr_zeros(out, 4);
        for (uint32_t i = 0; i < a->n_controllers; i++) {
            wr_u16(out, a->ids[i]);
        }
        end(out, start, 16);
    } else if (version == OFP10_VERSION) {
        put_empty_nx(out, NXAST_DEC_TTL);
    } else {
        put_empty(out, OFPAT11_DEC_NW_TTL);
    }
}

static void
encode_mpls_label(const struct ofpact_mpls_label *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        put_nx_u32(out, NXAST_SET_MPLS_LABEL, a->label);
    } else if (version == OFP11_VERSION) {
        put_u32(out, OFPAT11_SET_MPLS_LABEL, a->label);
    } else {
        put_field(MF_MPLS_LABEL, a->label, version, out);
    }
}

static void
encode_mpls_tc(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        put_nx_u8(out, NXAST_SET_MPLS_TC, a->value);
    } else if (version == OFP11_VERSION) {
        put_u8(out, OFPAT11_SET_MPLS_TC, a->value);
    } else {
        put_field(MF_MPLS_TC, a->value, version, out);
    }
}

static void
encode_mpls_ttl(const struct ofpact_u8 *a, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        put_nx_u8(out, NXAST_SET_MPLS_TTL, a->value);
    } else {
        put_u8(out, OFPAT11_SET_MPLS_TTL, a->value);
    }
}

static void
encode_ethertype(const struct ofpact_ethertype *a, enum ofp_version version, struct wr *out)
{
    bool push = a->ofpact.type == OFPACT_PUSH_MPLS;

    if (version == OFP10_VERSION) {
        put_nx_u16(out, push ? NXAST_PUSH_MPLS : NXAST_POP_MPLS, a->ethertype);
    } else {
        put_u16(out, push ? OFPAT11_PUSH_MPLS : OFPAT11_POP_MPLS, a->ethertype);
    }
}

static void
encode_set_tunnel(const struct ofpact_tunnel *a, enum ofp_version version, struct wr *out)
{
    if (version >= OFP12_VERSION) {
        put_field(MF_TUN_ID, a->tun_id, version, out);
    } else if (a->tun_id <= UINT32_MAX && a->ofpact.raw != OFPACT_RAW_SET_TUNNEL64) {
        put_nx_u32(out, NXAST_SET_TUNNEL, (uint32_t) a->tun_id);
    } else {
        size_t start = begin_nx(out, NXAST_SET_TUNNEL64);

        wr_zeros(out, 6);
        wr_u64(out, a->tun_id);
        end(out, start, 24);
    }
}

static void
encode_move(const struct ofpact_reg_move *a, enum ofp_version version, struct wr *out)
{
    bool copy = version >= OFP15_VERSION;
    size_t start = copy ? begin(out, OFPAT15_COPY_FIELD) : begin_nx(out, NXAST_REG_MOVE);

    wr_u16(out, a->dst.n_bits);
    wr_u16(out, a->src.ofs);
    wr_u16(out, a->dst.ofs);
    if (copy) {
        wr_u16(out, 0);
    }
    nxm_put_header(out, a->src.field, false, copy ? (uint8_t) version : 0);
    nxm_put_header(out, a->dst.field, false, copy ? (uint8_t) version : 0);
    end(out, start, copy ? 16 : 24);
}

static void
encode_stack(const struct ofpact_stack *a, struct wr *out)
{
    size_t start =
        begin_nx(out, a->ofpact.type == OFPACT_STACK_PUSH ? NXAST_STACK_PUSH : NXAST_STACK_POP);

    wr_u16(out, a->subfield.ofs);
    nxm_put_header(out, a->subfield.field, false, 0);
    wr_u16(out, a->subfield.n_bits);
    end(out, start, 24);
}

static void
encode_fin_timeout(const struct ofpact_fin_timeout *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_FIN_TIMEOUT);

    wr_u16(out, a->idle_timeout);
    wr_u16(out, a->hard_timeout);
    end(out, start, 16);
}

/* The pipeline. */

static void
put_resubmit(ofp_port_t port, uint8_t table_id, enum nxast subtype, struct wr *out)
{
    size_t start = begin_nx(out, subtype);

    wr_u16(out, (uint16_t) port);
    if (subtype != NXAST_RESUBMIT) {
        wr_u8(out, table_id);
    }
    end(out, start, 16);
}

static void
encode_resubmit(const struct ofpact_resubmit *a, struct wr *out)
{
    put_resubmit(a->port, a->table_id,
                 a->with_ct_orig ? NXAST_RESUBMIT_TABLE_CT
                 : a->table_id == OFP_TABLE_ALL && a->ofpact.raw != OFPACT_RAW_RESUBMIT_TABLE
                     ? NXAST_RESUBMIT
                     : NXAST_RESUBMIT_TABLE,
                 out);
}

static void
encode_conjunction(const struct ofpact_conjunction *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_CONJUNCTION);

    wr_u8(out, a->clause);
    wr_u8(out, a->n_clauses);
    wr_u32(out, a->id);
    end(out, start, 16);
}

static void
encode_multipath(const struct ofpact_multipath *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_MULTIPATH);

    wr_u16(out, a->fields);
    wr_u16(out, a->basis);
    wr_u16(out, 0);
    wr_u16(out, a->algorithm);
    wr_u16(out, a->max_link);
    wr_u32(out, a->arg);
    wr_u16(out, 0);
    wr_u16(out, ofs_nbits(&a->dst));
    nxm_put_header(out, a->dst.field, false, 0);
    end(out, start, 32);
}

static void
encode_note(const struct ofpact_note *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_NOTE);

    wr_bytes(out, a->data, a->n);
    end(out, start, 16);
}

static void
encode_sample(const struct ofpact_sample *a, struct wr *out)
{
    bool direction = a->ofpact.raw == OFPACT_RAW_SAMPLE3 || a->direction;
    bool port = a->ofpact.raw == OFPACT_RAW_SAMPLE2 || a->sampling_port != OFPP_NONE;
    size_t start = begin_nx(out, direction ? NXAST_SAMPLE3 : port ? NXAST_SAMPLE2 : NXAST_SAMPLE);

    wr_u16(out, a->probability);
    wr_u32(out, a->collector_set_id);
    wr_u32(out, a->obs_domain_id);
    wr_u32(out, a->obs_point_id);
    if (direction || port) {
        wr_u16(out, a->sampling_port);
        wr_u8(out, a->direction);
    }
    end(out, start, direction || port ? 32 : 24);
}

static void
encode_clone(const struct ofpact_nest *a, enum ofp_version version, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_CLONE);
    size_t size;
    const struct ofpact *acts = ofpact_nest_actions(a, &size);

    wr_zeros(out, 6);
    ofpacts_encode(acts, size, version, out);
    end(out, start, 16);
}

static void
encode_check_pkt(const struct ofpact_check_pkt *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_CHECK_PKT_LARGER);

    wr_u16(out, a->pkt_len);
    wr_u16(out, a->dst.ofs);
    nxm_put_header(out, a->dst.field, false, 0);
    end(out, start, 24);
}

static void
encode_delete_field(const struct ofpact_delete_field *a, struct wr *out)
{
    size_t start = begin_nx(out, NXAST_DELETE_FIELD);

    nxm_put_header(out, mf_from_id(a->field), false, 0);
    end(out, start, 24);
}

/* Only OpenFlow 1.0 has the metadata write as an action. */
static void
encode_metadata_action(const struct ofpact_metadata *a, enum ofp_version version, struct wr *out)
{
    size_t start;

    if (version > OFP10_VERSION) {
        return;
    }
    start = begin_nx(out, NXAST_WRITE_METADATA);
    wr_zeros(out, 6);
    wr_u64(out, a->metadata);
    wr_u64(out, a->mask);
    end(out, start, 32);
}

static void
encode_header_change(const struct ofpact *a, enum ofp_version version, struct wr *out)
{
    switch ((int) a->type) {
    case OFPACT_SET_VLAN_VID:
        encode_vlan_vid(OFPACT_CAST(ofpact_vlan_vid, a), version, out);
        break;
    case OFPACT_SET_VLAN_PCP:
        encode_vlan_pcp(OFPACT_CAST(ofpact_vlan_pcp, a), version, out);
        break;
    case OFPACT_STRIP_VLAN:
        put_empty(out, pick(version, OFPAT10_STRIP_VLAN, OFPAT11_POP_VLAN));
        break;
    case OFPACT_PUSH_VLAN:
        if (version > OFP10_VERSION) { /* OpenFlow 1.0 pushes when it sets the VLAN id. */
            put_u16(out, OFPAT11_PUSH_VLAN, OFPACT_CAST(ofpact_push_vlan, a)->ethertype);
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
            put_empty_nx(out, NXAST_DEC_MPLS_TTL);
        } else {
            put_empty(out, OFPAT11_DEC_MPLS_TTL);
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

static void
encode_one(const struct ofpact *a, enum ofp_version version, struct wr *out)
{
    switch ((enum ofpact_type) a->type) {
    case OFPACT_OUTPUT:
        encode_output(OFPACT_CAST(ofpact_output, a)->port, OFPACT_CAST(ofpact_output, a)->max_len,
                      version, out);
        break;
    case OFPACT_CONTROLLER:
        encode_controller(OFPACT_CAST(ofpact_controller, a), out);
        break;
    case OFPACT_ENQUEUE:
        encode_enqueue(OFPACT_CAST(ofpact_enqueue, a), version, out);
        break;
    case OFPACT_OUTPUT_REG:
        encode_output_reg(OFPACT_CAST(ofpact_output_reg, a), out);
        break;
    case OFPACT_OUTPUT_TRUNC:
        encode_output_trunc(OFPACT_CAST(ofpact_output_trunc, a), out);
        break;
    case OFPACT_BUNDLE:
        encode_bundle(OFPACT_CAST(ofpact_bundle, a), out);
        break;
    case OFPACT_GROUP:
        if (version == OFP10_VERSION) {
            put_nx_u32(out, NXAST_GROUP, OFPACT_CAST(ofpact_group, a)->group_id);
        } else {
            put_u32(out, OFPAT11_GROUP, OFPACT_CAST(ofpact_group, a)->group_id);
        }
        break;
    case OFPACT_SET_FIELD:
        encode_set_field(OFPACT_CAST(ofpact_set_field, a), version, out);
        break;
    case OFPACT_REG_MOVE:
        encode_move(OFPACT_CAST(ofpact_reg_move, a), version, out);
        break;
    case OFPACT_STACK_PUSH:
    case OFPACT_STACK_POP:
        encode_stack(OFPACT_CAST(ofpact_stack, a), out);
        break;
    case OFPACT_DELETE_FIELD:
        encode_delete_field(OFPACT_CAST(ofpact_delete_field, a), out);
        break;
    case OFPACT_SET_VLAN_VID:
    case OFPACT_SET_VLAN_PCP:
    case OFPACT_STRIP_VLAN:
    case OFPACT_PUSH_VLAN:
    case OFPACT_SET_ETH_SRC:
    case OFPACT_SET_ETH_DST:
    case OFPACT_SET_IPV4_SRC:
    case OFPACT_SET_IPV4_DST:
    case OFPACT_SET_IP_DSCP:
    case OFPACT_SET_IP_ECN:
    case OFPACT_SET_IP_TTL:
    case OFPACT_SET_L4_SRC_PORT:
    case OFPACT_SET_L4_DST_PORT:
    case OFPACT_DEC_TTL:
    case OFPACT_SET_MPLS_LABEL:
    case OFPACT_SET_MPLS_TC:
    case OFPACT_SET_MPLS_TTL:
    case OFPACT_DEC_MPLS_TTL:
    case OFPACT_PUSH_MPLS:
    case OFPACT_POP_MPLS:
        encode_header_change(a, version, out);
        break;
    case OFPACT_SET_TUNNEL:
        encode_set_tunnel(OFPACT_CAST(ofpact_tunnel, a), version, out);
        break;
    case OFPACT_SET_QUEUE:
        encode_set_queue(OFPACT_CAST(ofpact_queue, a)->queue_id, version, out);
        break;
    case OFPACT_POP_QUEUE:
        put_empty_nx(out, NXAST_POP_QUEUE);
        break;
    case OFPACT_FIN_TIMEOUT:
        encode_fin_timeout(OFPACT_CAST(ofpact_fin_timeout, a), out);
        break;
    case OFPACT_RESUBMIT:
        encode_resubmit(OFPACT_CAST(ofpact_resubmit, a), out);
        break;
    case OFPACT_LEARN:
        action_encode_learn(OFPACT_CAST(ofpact_learn, a), out);
        break;
    case OFPACT_CONJUNCTION:
        encode_conjunction(OFPACT_CAST(ofpact_conjunction, a), out);
        break;
    case OFPACT_MULTIPATH:
        encode_multipath(OFPACT_CAST(ofpact_multipath, a), out);
        break;
    case OFPACT_NOTE:
        encode_note(OFPACT_CAST(ofpact_note, a), out);
        break;
    case OFPACT_EXIT:
        put_empty_nx(out, NXAST_EXIT);
        break;
    case OFPACT_SAMPLE:
        encode_sample(OFPACT_CAST(ofpact_sample, a), out);
        break;
    case OFPACT_CLONE:
        encode_clone(OFPACT_CAST(ofpact_nest, a), version, out);
        break;
    case OFPACT_CHECK_PKT_LARGER:
        encode_check_pkt(OFPACT_CAST(ofpact_check_pkt, a), out);
        break;
    case OFPACT_CT:
        action_encode_ct(OFPACT_CAST(ofpact_ct, a), version, out);
        break;
    case OFPACT_CT_CLEAR:
        put_empty_nx(out, NXAST_CT_CLEAR);
        break;
    case OFPACT_NAT:
        action_encode_nat(OFPACT_CAST(ofpact_nat, a), out);
        break;
    case OFPACT_METER:
        if (version >= OFP15_VERSION) {
            put_u32(out, OFPAT15_METER, OFPACT_CAST(ofpact_meter, a)->meter_id);
        }
        break;
    case OFPACT_WRITE_METADATA:
        encode_metadata_action(OFPACT_CAST(ofpact_metadata, a), version, out);
        break;
    case OFPACT_GOTO_TABLE:
        if (version == OFP10_VERSION) {
            put_resubmit(OFPP_IN_PORT, OFPACT_CAST(ofpact_goto_table, a)->table_id,
                         NXAST_RESUBMIT_TABLE, out);
        }
        break;
    case OFPACT_CLEAR_ACTIONS:
    case OFPACT_WRITE_ACTIONS:
        break;
    }
}

void
ofpacts_encode(const struct ofpact *acts, size_t size, enum ofp_version version, struct wr *out)
{
    OFPACT_FOR_EACH (a, acts, size) {
        encode_one(a, version, out);
    }
}

static void
put_instruction(const struct ofpact *a, enum ofp_version version, struct wr *out)
{
    const struct ofpact *acts;
    size_t start, size;

    switch ((int) a->type) {
    case OFPACT_METER:
        if (version == OFP13_VERSION || version == OFP14_VERSION) {
            put_u32(out, OFPIT_METER, OFPACT_CAST(ofpact_meter, a)->meter_id);
        }
        break;
    case OFPACT_CLEAR_ACTIONS:
        put_empty(out, OFPIT_CLEAR_ACTIONS);
        break;
    case OFPACT_WRITE_ACTIONS:
        acts = ofpact_nest_actions(OFPACT_CAST(ofpact_nest, a), &size);
        start = begin(out, OFPIT_WRITE_ACTIONS);
        wr_zeros(out, 4);
        ofpacts_encode(acts, size, version, out);
        end(out, start, 8);
        break;
    case OFPACT_WRITE_METADATA:
        start = begin(out, OFPIT_WRITE_METADATA);
        wr_zeros(out, 4);
        wr_u64(out, OFPACT_CAST(ofpact_metadata, a)->metadata);
        wr_u64(out, OFPACT_CAST(ofpact_metadata, a)->mask);
        end(out, start, 24);
        break;
    case OFPACT_GOTO_TABLE:
        put_u8(out, OFPIT_GOTO_TABLE, OFPACT_CAST(ofpact_goto_table, a)->table_id);
        break;
    default:
        break;
    }
}

/* Whether this version has 'a' as an instruction: METER became an action in OpenFlow 1.5. */
static bool
is_instruction(const struct ofpact *a, enum ofp_version version)
{
    return ofpact_is_instruction(a->type)
           && (a->type != OFPACT_METER || version < OFP15_VERSION);
}

void
ofpacts_encode_instructions(const struct ofpact *acts, size_t size, enum ofp_version version,
                            struct wr *out)
{
    const struct ofpact *limit = ofpact_end(acts, size);
    const struct ofpact *a = acts;

    if (version == OFP10_VERSION) {
        ofpacts_encode(acts, size, version, out);
        return;
    }
    while (a < limit) {
        size_t start;

        if (is_instruction(a, version)) {
            put_instruction(a, version, out);
            a = ofpact_next(a);
            continue;
        }
        start = begin(out, OFPIT_APPLY_ACTIONS);
        wr_zeros(out, 4);
        for (; a < limit && !is_instruction(a, version); a = ofpact_next(a)) {
            encode_one(a, version, out);
        }
        end(out, start, 8);
    }
}
