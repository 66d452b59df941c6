// SPDX-License-Identifier: Apache-2.0
/* Actions on any field, to bytes.
 *
 * set_field is what the versions differ in most: NXAST_REG_LOAD before OpenFlow 1.2, actions of
 * their own for a few whole fields before that, masked set_field since 1.5.
 */
#include "flow/option.h"
#include "openflow/action_encode.h"
#include "openflow/nxm.h"

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
        *value |= (uint64_t)BIT_OF(v, ofs + n) << n;
    }
#undef BIT_OF
    *dst = (struct mf_subfield){mf_from_id(a->field), (uint16_t)ofs, (uint16_t)n};
    *next = ofs + n;
    return true;
}

static bool
set_field_is_whole(const struct ofpact_set_field *a)
{
    union mf_value mask = {.w = {0, 0}};

    memcpy(mask.b, ofpact_set_field_mask(a), a->n_bytes);
    return mf_is_exact(mf_from_id(a->field), &mask);
}

void
action_put_set_field(const struct ofpact_set_field *a, enum ofp_version version, struct wr *out)
{
    size_t start = action_begin(out, OFPAT12_SET_FIELD);
    union mf_value value = {.w = {0, 0}}, mask = {.w = {0, 0}};

    memcpy(value.b, ofpact_set_field_value(a), a->n_bytes);
    memcpy(mask.b, ofpact_set_field_mask(a), a->n_bytes);
    nxm_put_entry(out, mf_from_id(a->field), &value, &mask, version);
    action_end(out, start, 8);
}

static void
put_reg_load(const struct ofpact_set_field *a, struct wr *out)
{
    const struct mf_field *mf = mf_from_id(a->field);
    struct mf_subfield dst;
    unsigned int next = 0;
    uint64_t value;

    /* Options vary in length, which NXAST_REG_LOAD cannot say. */
    if (a->ofpact.raw == OFPACT_RAW_REG_LOAD2 || nxm_header_size(mf, 0) != 4 || mf_is_option(mf)) {
        size_t start = action_begin_nx(out, NXAST_REG_LOAD2);
        union mf_value v = {.w = {0, 0}}, m = {.w = {0, 0}};

        memcpy(v.b, ofpact_set_field_value(a), a->n_bytes);
        memcpy(m.b, ofpact_set_field_mask(a), a->n_bytes);
        nxm_put_entry(out, mf, &v, &m, 0);
        action_end(out, start, 16);
        return;
    }
    while (action_next_load(a, &next, &dst, &value)) {
        size_t start = action_begin_nx(out, NXAST_REG_LOAD);

        wr_u16(out, action_ofs_nbits(&dst));
        nxm_put_header(out, mf, false, 0);
        wr_u64(out, value);
        action_end(out, start, 24);
    }
}

static void
put_legacy_vlan(uint16_t tci, bool vid, bool pcp, enum ofp_version version, struct wr *out)
{
    if (!(tci & VLAN_CFI) && vid) {
        action_put_empty(out, action_pick(version, OFPAT10_STRIP_VLAN, OFPAT11_POP_VLAN));
        return;
    }
    if (vid) {
        action_put_u16(out, action_pick(version, OFPAT10_SET_VLAN_VID, OFPAT11_SET_VLAN_VID),
                       tci & VLAN_VID_MASK);
    }
    if (pcp) {
        action_put_u8(out, action_pick(version, OFPAT10_SET_VLAN_PCP, OFPAT11_SET_VLAN_PCP),
                      (uint8_t)(tci >> VLAN_PCP_SHIFT));
    }
}

/* OpenFlow 1.0 and 1.1 have actions of their own for a few whole fields; the rest is
 * NXAST_REG_LOAD. */
static void
put_legacy_set_field(const struct ofpact_set_field *a, enum ofp_version version, struct wr *out)
{
    const uint8_t *v = ofpact_set_field_value(a);

    if (!set_field_is_whole(a)) {
        put_reg_load(a, out);
        return;
    }
    switch ((int)a->field) {
    case MF_VLAN_TCI:
        put_legacy_vlan((uint16_t)(v[0] << 8 | v[1]), true, true, version, out);
        break;
    case MF_VLAN_VID:
        put_legacy_vlan((uint16_t)(v[0] << 8 | v[1]), true, false, version, out);
        break;
    case MF_VLAN_PCP:
        put_legacy_vlan((uint16_t)(v[0] << VLAN_PCP_SHIFT) | VLAN_CFI, false, true, version, out);
        break;
    case MF_ETH_SRC:
        action_put_mac(out, action_pick(version, OFPAT10_SET_DL_SRC, OFPAT11_SET_DL_SRC), v);
        break;
    case MF_ETH_DST:
        action_put_mac(out, action_pick(version, OFPAT10_SET_DL_DST, OFPAT11_SET_DL_DST), v);
        break;
    case MF_IPV4_SRC:
        action_put_ipv4(out, action_pick(version, OFPAT10_SET_NW_SRC, OFPAT11_SET_NW_SRC), v);
        break;
    case MF_IPV4_DST:
        action_put_ipv4(out, action_pick(version, OFPAT10_SET_NW_DST, OFPAT11_SET_NW_DST), v);
        break;
    case MF_IP_DSCP:
        action_put_u8(out, action_pick(version, OFPAT10_SET_NW_TOS, OFPAT11_SET_NW_TOS),
                      (uint8_t)(v[0] << 2));
        break;
    case MF_IP_TOS:
        action_put_u8(out, action_pick(version, OFPAT10_SET_NW_TOS, OFPAT11_SET_NW_TOS),
                      v[0] & IP_DSCP_MASK);
        break;
    case MF_IP_ECN:
        if (version == OFP10_VERSION) {
            put_reg_load(a, out);
        } else {
            action_put_u8(out, OFPAT11_SET_NW_ECN, v[0]);
        }
        break;
    case MF_TCP_SRC:
    case MF_UDP_SRC:
        action_put_u16(out, action_pick(version, OFPAT10_SET_TP_SRC, OFPAT11_SET_TP_SRC),
                       (uint16_t)(v[0] << 8 | v[1]));
        break;
    case MF_TCP_DST:
    case MF_UDP_DST:
        action_put_u16(out, action_pick(version, OFPAT10_SET_TP_DST, OFPAT11_SET_TP_DST),
                       (uint16_t)(v[0] << 8 | v[1]));
        break;
    default:
        put_reg_load(a, out);
        break;
    }
}

void
action_encode_set_field(const struct ofpact_set_field *a, enum ofp_version version, struct wr *out)
{
    bool load = a->ofpact.raw == OFPACT_RAW_REG_LOAD || a->ofpact.raw == OFPACT_RAW_REG_LOAD2;

    if (version >= OFP15_VERSION) {
        action_put_set_field(a, version, out);
    } else if (load) {
        put_reg_load(a, out);
    } else if (version < OFP12_VERSION) {
        put_legacy_set_field(a, version, out);
    } else if (set_field_is_whole(a)) {
        action_put_set_field(a, version, out);
    } else {
        put_reg_load(a, out);
    }
}

/* Sets a whole field of at most 8 bytes, by set_field or NXAST_REG_LOAD. */
void
action_put_field(enum mf_id id, uint64_t x, enum ofp_version version, struct wr *out)
{
    struct ofpacts list = {0};
    uint8_t n = mf_from_id(id)->n_bytes;
    uint8_t value[8];

    for (int i = 0; i < n; i++) {
        value[i] = (uint8_t)(x >> (8 * (n - 1 - i)));
    }
    action_encode_set_field(ofpacts_put_set_field(&list, id, value, NULL), version, out);
    ofpacts_fini(&list);
}

/* A field that NXAST_REG_LOAD must set because this version's own action for it does not exist. */
void
action_put_field_load(enum mf_id id, uint8_t x, struct wr *out)
{
    struct ofpacts list = {0};

    put_reg_load(ofpacts_put_set_field(&list, id, &x, NULL), out);
    ofpacts_fini(&list);
}

void
action_encode_set_tunnel(const struct ofpact_tunnel *a, enum ofp_version version, struct wr *out)
{
    if (version >= OFP12_VERSION) {
        action_put_field(MF_TUN_ID, a->tun_id, version, out);
    } else if (a->tun_id <= UINT32_MAX && a->ofpact.raw != OFPACT_RAW_SET_TUNNEL64) {
        action_put_nx_u32(out, NXAST_SET_TUNNEL, (uint32_t)a->tun_id);
    } else {
        size_t start = action_begin_nx(out, NXAST_SET_TUNNEL64);

        wr_zeros(out, 6);
        wr_u64(out, a->tun_id);
        action_end(out, start, 24);
    }
}

void
action_encode_move(const struct ofpact_reg_move *a, enum ofp_version version, struct wr *out)
{
    bool copy = version >= OFP15_VERSION;
    size_t start =
        copy ? action_begin(out, OFPAT15_COPY_FIELD) : action_begin_nx(out, NXAST_REG_MOVE);

    wr_u16(out, a->dst.n_bits);
    wr_u16(out, a->src.ofs);
    wr_u16(out, a->dst.ofs);
    if (copy) {
        wr_u16(out, 0);
    }
    nxm_put_header(out, a->src.field, false, copy ? (uint8_t)version : 0);
    nxm_put_header(out, a->dst.field, false, copy ? (uint8_t)version : 0);
    action_end(out, start, copy ? 16 : 24);
}

void
action_encode_stack(const struct ofpact_stack *a, struct wr *out)
{
    size_t start = action_begin_nx(out, a->ofpact.type == OFPACT_STACK_PUSH ? NXAST_STACK_PUSH
                                                                            : NXAST_STACK_POP);

    wr_u16(out, a->subfield.ofs);
    nxm_put_header(out, a->subfield.field, false, 0);
    wr_u16(out, a->subfield.n_bits);
    action_end(out, start, 24);
}

void
action_encode_check_pkt(const struct ofpact_check_pkt *a, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_CHECK_PKT_LARGER);

    wr_u16(out, a->pkt_len);
    wr_u16(out, a->dst.ofs);
    nxm_put_header(out, a->dst.field, false, 0);
    action_end(out, start, 24);
}

void
action_encode_delete_field(const struct ofpact_delete_field *a, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_DELETE_FIELD);

    nxm_put_header(out, mf_from_id(a->field), false, 0);
    action_end(out, start, 24);
}

/* Only OpenFlow 1.0 has the metadata write as an action. */
void
action_encode_metadata_action(const struct ofpact_metadata *a, enum ofp_version version,
                              struct wr *out)
{
    size_t start;

    if (version > OFP10_VERSION) {
        return;
    }
    start = action_begin_nx(out, NXAST_WRITE_METADATA);
    wr_zeros(out, 6);
    wr_u64(out, a->metadata);
    wr_u64(out, a->mask);
    action_end(out, start, 32);
}
