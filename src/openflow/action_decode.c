// SPDX-License-Identifier: Apache-2.0
/* Actions and instructions, bytes to structs.
 *
 * One row per wire code says where the code exists, how long the action is, and which function takes its body; see
 * ofp_action.h for what comes out and action_wire.h for the numbers.  Instructions are at the end.  What needs more than
 * a few lines has a file: action_learn.c, action_ct.c.
 */
#include "openflow/action_wire.h"
#include "openflow/nxm.h"
#include "openflow/ofp_packet.h"

#define VAR 0x8000u /* The action may be longer than the size in the row. */

typedef enum ofperr decode_fn(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out);

struct action_row {
    decode_fn *decode;
    uint16_t size; /* Of the whole action, with its header. */
    uint8_t min_version;
    uint8_t max_version;
};

enum ofperr
action_field_error(enum ofperr error)
{
    return error == OFPERR_OFPBMC_BAD_FIELD  ? OFPERR_OFPBAC_BAD_SET_TYPE
           : error == OFPERR_OFPBMC_BAD_LEN  ? OFPERR_OFPBAC_BAD_SET_LEN
           : error == OFPERR_OFPBMC_BAD_MASK ? OFPERR_OFPBAC_BAD_SET_MASK
           : error == OFPERR_OFPBMC_BAD_WILDCARDS ? OFPERR_OFPBAC_BAD_SET_ARGUMENT
                                                  : error;
}

enum ofperr
action_pull_subfield(struct rd *in, uint16_t ofs, uint16_t n_bits, struct mf_subfield *sf)
{
    enum ofperr error = nxm_pull_header(in, &sf->field, NULL);

    sf->ofs = ofs;
    sf->n_bits = n_bits;
    if (error) {
        return action_field_error(error);
    }
    if (!n_bits || ofs + n_bits > sf->field->n_bits) {
        return OFPERR_OFPBAC_BAD_SET_LEN;
    }
    return 0;
}

static enum ofperr
writable(const struct mf_subfield *sf)
{
    return sf->field->writable ? 0 : OFPERR_OFPBAC_BAD_SET_ARGUMENT;
}

/* ofs_nbits: offset in the high 10 bits, number of bits minus 1 in the low 6. */
static enum ofperr
pull_ofs_nbits_subfield(struct rd *in, uint16_t ofs_nbits, struct mf_subfield *sf)
{
    return action_pull_subfield(in, ofs_nbits >> 6, (ofs_nbits & 0x3f) + 1, sf);
}

static enum ofperr
rest_must_be_zero(struct rd *in)
{
    return rd_zeros(in, rd_left(in)) ? 0 : OFPERR_NXBAC_MUST_BE_ZERO;
}

/* Output. */

static enum ofperr
decode_output10(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output *a = ofpacts_put_struct(out, OUTPUT, struct ofpact_output);

    a->port = rd_u16(in);
    a->max_len = rd_u16(in);
    return 0;
}

static enum ofperr
decode_output11(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output *a = ofpacts_put_struct(out, OUTPUT, struct ofpact_output);
    ofp_port_t port;

    if (!ofp_port_from_wire32(rd_u32(in), &port)) {
        return OFPERR_OFPBAC_BAD_OUT_PORT;
    }
    a->port = (uint16_t) port;
    a->max_len = rd_u16(in);
    return 0;
}

static enum ofperr
decode_enqueue(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_enqueue *a = ofpacts_put_struct(out, ENQUEUE, struct ofpact_enqueue);

    a->port = rd_u16(in);
    rd_skip(in, 6);
    a->queue = rd_u32(in);
    return 0;
}

static enum ofperr
decode_output_reg(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output_reg *a = ofpacts_put_struct(out, OUTPUT_REG, struct ofpact_output_reg);
    enum ofperr error = pull_ofs_nbits_subfield(in, rd_u16(in), &a->src);

    a->max_len = rd_u16(in);
    return error ? error : rd_zeros(in, 6) ? 0 : OFPERR_OFPBAC_BAD_ARGUMENT;
}

static enum ofperr
decode_output_reg2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output_reg *a = ofpacts_put_struct(out, OUTPUT_REG, struct ofpact_output_reg);
    uint16_t ofs_nbits = rd_u16(in);
    enum ofperr error;

    a->max_len = rd_u16(in);
    error = pull_ofs_nbits_subfield(in, ofs_nbits, &a->src);
    return error ? error : rest_must_be_zero(in);
}

static enum ofperr
decode_output_trunc(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output_trunc *a =
        ofpacts_put_struct(out, OUTPUT_TRUNC, struct ofpact_output_trunc);

    a->port = rd_u16(in);
    a->max_len = rd_u32(in);
    return a->max_len < 14 ? OFPERR_OFPBAC_BAD_ARGUMENT : 0; /* Shorter than an Ethernet header. */
}

static enum ofperr
decode_group(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, GROUP, struct ofpact_group)->group_id = rd_u32(in);
    return 0;
}

static enum ofperr
decode_nx_group(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    return decode_group(in, ctx, out);
}

static enum ofperr
decode_controller(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_controller *a = ofpacts_put_struct(out, CONTROLLER, struct ofpact_controller);

    a->max_len = rd_u16(in);
    a->controller_id = rd_u16(in);
    a->reason = rd_u8(in);
    a->meter_id = OFP_METER_NONE;
    return a->reason < OFPR_N_REASONS ? 0 : OFPERR_OFPBAC_BAD_ARGUMENT;
}

/* One property of NXAST_CONTROLLER2; 'userdata' receives where those bytes are. */
static enum ofperr
pull_controller_prop(struct rd *in, struct ofpact_controller *a, struct rd *userdata)
{
    uint16_t type = rd_u16(in);
    uint16_t len = rd_u16(in);
    struct rd body;

    if (!rd_ok(in) || len < 4) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    body = rd_sub(in, len - 4u);
    rd_skip(in, OFP_ROUND8(len) - len);
    if (!rd_ok(in)) {
        return OFPERR_OFPBPC_BAD_LEN;
    }
    switch (type) {
    case NXAC2PT_MAX_LEN:
        a->max_len = rd_u16(&body);
        break;
    case NXAC2PT_CONTROLLER_ID:
        a->controller_id = rd_u16(&body);
        break;
    case NXAC2PT_REASON:
        a->reason = rd_u8(&body);
        if (a->reason >= OFPR_N_REASONS) {
            return OFPERR_OFPBPC_BAD_VALUE;
        }
        break;
    case NXAC2PT_USERDATA:
        *userdata = body;
        return 0;
    case NXAC2PT_PAUSE:
        a->pause = true;
        break;
    case NXAC2PT_METER_ID:
        a->meter_id = rd_u32(&body);
        break;
    default:
        return OFPERR_OFPBPC_BAD_TYPE;
    }
    return rd_ok(&body) && !rd_left(&body) ? 0 : OFPERR_OFPBPC_BAD_LEN;
}

static enum ofperr
decode_controller2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_controller fields = { .max_len = UINT16_MAX, .reason = OFPR_ACTION,
                                        .meter_id = OFP_METER_NONE };
    struct rd userdata = { 0 };
    struct ofpact_controller *a;
    struct ofpact header;
    size_t n;

    if (!rd_zeros(in, 6)) {
        return OFPERR_NXBAC_MUST_BE_ZERO;
    }
    while (rd_left(in)) {
        enum ofperr error = pull_controller_prop(in, &fields, &userdata);

        if (error) {
            return error;
        }
    }
    n = userdata.p ? rd_left(&userdata) : 0;
    a = ofpacts_put(out, OFPACT_CONTROLLER, sizeof *a + n);
    header = a->ofpact;
    *a = fields;
    a->ofpact = header;
    a->ofpact.raw = OFPACT_RAW_CONTROLLER2;
    a->userdata_len = (uint16_t) n;
    if (n) {
        rd_copy(&userdata, a->userdata, n);
    }
    return 0;
}

static enum ofperr
decode_bundle(struct rd *in, bool load, struct ofpacts *out)
{
    struct ofpact_bundle a = { .algorithm = 0 };
    const struct mf_field *member_type;
    uint16_t n, ofs_nbits;
    struct ofpact_bundle *p;
    struct ofpact header;
    enum ofperr error;

    a.algorithm = rd_u16(in);
    a.fields = rd_u16(in);
    a.basis = rd_u16(in);
    error = nxm_pull_header(in, &member_type, NULL);
    n = rd_u16(in);
    ofs_nbits = rd_u16(in);
    if (error || member_type->id != MF_IN_PORT || a.algorithm > OFP_BUNDLE_HRW
        || !ofp_hash_fields_name(a.fields) || n > OFP_BUNDLE_MAX_MEMBERS) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (load) {
        error = pull_ofs_nbits_subfield(in, ofs_nbits, &a.dst);
        error = error ? error : writable(&a.dst);
        if (error) {
            return error;
        }
        if (a.dst.n_bits < 16) {
            return OFPERR_OFPBAC_BAD_ARGUMENT;
        }
    } else if (ofs_nbits || rd_u32(in)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (!rd_zeros(in, 4)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (rd_left(in) < n * 2u) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    p = ofpacts_put(out, OFPACT_BUNDLE, sizeof *p + n * 2u);
    header = p->ofpact;
    *p = a;
    p->ofpact = header;
    p->n_members = n;
    for (int i = 0; i < n; i++) {
        p->members[i] = rd_u16(in);
    }
    return 0;
}

static enum ofperr
decode_bundle_output(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return decode_bundle(in, false, out);
}

static enum ofperr
decode_bundle_load(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return decode_bundle(in, true, out);
}

/* Header fields of OpenFlow 1.0 and 1.1. */

static enum ofperr
put_vlan_vid(struct rd *in, bool push, struct ofpacts *out)
{
    struct ofpact_vlan_vid *a = ofpacts_put_struct(out, SET_VLAN_VID, struct ofpact_vlan_vid);

    a->vid = rd_u16(in);
    a->push_vlan_if_needed = push;
    return a->vid & ~VLAN_VID_MASK ? OFPERR_OFPBAC_BAD_ARGUMENT : 0;
}

static enum ofperr
decode_vlan_vid10(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_vlan_vid(in, true, out);
}

static enum ofperr
decode_vlan_vid11(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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

static enum ofperr
decode_vlan_pcp10(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_vlan_pcp(in, true, out);
}

static enum ofperr
decode_vlan_pcp11(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_vlan_pcp(in, false, out);
}

static enum ofperr
decode_strip_vlan(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_null *a = ofpacts_put_struct(out, STRIP_VLAN, struct ofpact_null);

    a->ofpact.raw = ctx->version > OFP10_VERSION ? OFPACT_RAW_POP_VLAN : OFPACT_RAW_DEFAULT;
    return 0;
}

static enum ofperr
decode_push_vlan(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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

static enum ofperr
decode_dl_src(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_mac(in, OFPACT_SET_ETH_SRC, out);
}

static enum ofperr
decode_dl_dst(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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

static enum ofperr
decode_nw_src(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_ipv4(in, OFPACT_SET_IPV4_SRC, out);
}

static enum ofperr
decode_nw_dst(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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

static enum ofperr
decode_nw_tos(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_IP_DSCP, IP_ECN_MASK, out);
}

static enum ofperr
decode_nw_ecn(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_IP_ECN, (uint8_t) ~IP_ECN_MASK, out);
}

static enum ofperr
decode_nw_ttl(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_IP_TTL, 0, out);
}

static enum ofperr
decode_mpls_tc(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_u8(in, OFPACT_SET_MPLS_TC, 0xf8, out);
}

static enum ofperr
decode_mpls_ttl(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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

static enum ofperr
decode_tp_src(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_l4_port(in, OFPACT_SET_L4_SRC_PORT, out);
}

static enum ofperr
decode_tp_dst(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_l4_port(in, OFPACT_SET_L4_DST_PORT, out);
}

static enum ofperr
decode_mpls_label(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_mpls_label *a = ofpacts_put_struct(out, SET_MPLS_LABEL, struct ofpact_mpls_label);

    a->label = rd_u32(in);
    return a->label > 0xfffff ? OFPERR_OFPBAC_BAD_ARGUMENT : 0;
}

static enum ofperr
decode_nx_mpls_label(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    return decode_mpls_label(in, ctx, out);
}

static enum ofperr
decode_dec_mpls_ttl(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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

static enum ofperr
decode_push_mpls(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct rd peek = *in;
    uint16_t ethertype = rd_u16(&peek);

    if (ethertype != ETH_TYPE_MPLS && ethertype != ETH_TYPE_MPLS_MCAST) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return put_ethertype(in, OFPACT_PUSH_MPLS, out);
}

static enum ofperr
decode_pop_mpls(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_ethertype(in, OFPACT_POP_MPLS, out);
}

static enum ofperr
decode_dec_ttl(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_cnt_ids *a = ofpacts_put(out, OFPACT_DEC_TTL, sizeof *a + sizeof a->ids[0]);

    a->n_controllers = 1;
    return 0;
}

static enum ofperr
decode_dec_ttl_cnt_ids(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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

/* Fields of any kind. */

static enum ofperr
put_set_field(struct rd *in, bool may_mask, enum ofpact_raw raw, struct ofpacts *out)
{
    const struct mf_field *mf;
    union mf_value value, mask;
    bool masked = false;
    enum ofperr error = nxm_pull_entry(in, &mf, &value, &mask, &masked);

    if (error) {
        return action_field_error(error);
    }
    if (masked && !may_mask) {
        return OFPERR_OFPBAC_BAD_SET_MASK;
    }
    if (!mf->writable || !mf_is_value_valid(mf, &value)) {
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    ofpacts_put_set_field(out, mf->id, value.b, mask.b)->ofpact.raw = (uint8_t) raw;
    return rest_must_be_zero(in);
}

static enum ofperr
decode_set_field(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_set_field(in, ctx->version >= OFP15_VERSION, OFPACT_RAW_DEFAULT, out);
}

static enum ofperr
decode_reg_load2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    if (!rd_zeros(in, 6)) {
        return OFPERR_NXBAC_MUST_BE_ZERO;
    }
    return put_set_field(in, true, OFPACT_RAW_REG_LOAD2, out);
}

static enum ofperr
decode_reg_load(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct mf_subfield dst;
    union mf_value bits = { .w = { 0, 0 } }, value, mask;
    enum ofperr error = pull_ofs_nbits_subfield(in, rd_u16(in), &dst);
    uint64_t x = rd_u64(in);

    error = error ? error : writable(&dst);
    if (error) {
        return error;
    }
    if (dst.n_bits < 64 && x >> dst.n_bits) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    bits.w[1] = rte_cpu_to_be_64(x);
    mf_subfield_to_field(&dst, &bits, &value, &mask);
    ofpacts_put_set_field(out, dst.field->id, value.b, mask.b)->ofpact.raw = OFPACT_RAW_REG_LOAD;
    return 0;
}

static enum ofperr
put_move(struct rd *in, uint16_t n_bits, uint16_t src_ofs, uint16_t dst_ofs, struct ofpacts *out)
{
    struct ofpact_reg_move *a = ofpacts_put_struct(out, REG_MOVE, struct ofpact_reg_move);
    enum ofperr error = action_pull_subfield(in, src_ofs, n_bits, &a->src);

    error = error ? error : action_pull_subfield(in, dst_ofs, n_bits, &a->dst);
    error = error ? error : writable(&a->dst);
    return error ? error : rest_must_be_zero(in);
}

static enum ofperr
decode_reg_move(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    uint16_t n_bits = rd_u16(in), src_ofs = rd_u16(in), dst_ofs = rd_u16(in);

    return put_move(in, n_bits, src_ofs, dst_ofs, out);
}

static enum ofperr
decode_copy_field(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    uint16_t n_bits = rd_u16(in), src_ofs = rd_u16(in), dst_ofs = rd_u16(in);

    rd_skip(in, 2);
    return put_move(in, n_bits, src_ofs, dst_ofs, out);
}

static enum ofperr
decode_onf_copy_field(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    return decode_copy_field(in, ctx, out);
}

static enum ofperr
put_stack(struct rd *in, enum ofpact_type type, struct ofpacts *out)
{
    struct ofpact_stack *a = ofpacts_put(out, type, sizeof *a);
    uint16_t ofs = rd_u16(in);
    enum ofperr error = nxm_pull_header(in, &a->subfield.field, NULL);

    if (error) {
        return action_field_error(error);
    }
    a->subfield.ofs = ofs;
    a->subfield.n_bits = rd_u16(in);
    if (!a->subfield.n_bits || ofs + a->subfield.n_bits > a->subfield.field->n_bits) {
        return OFPERR_OFPBAC_BAD_SET_LEN;
    }
    if (type == OFPACT_STACK_POP && !a->subfield.field->writable) {
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    return rest_must_be_zero(in);
}

static enum ofperr
decode_stack_push(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_stack(in, OFPACT_STACK_PUSH, out);
}

static enum ofperr
decode_stack_pop(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_stack(in, OFPACT_STACK_POP, out);
}

static enum ofperr
decode_set_tunnel(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    ofpacts_put_struct(out, SET_TUNNEL, struct ofpact_tunnel)->tun_id = rd_u32(in);
    return 0;
}

static enum ofperr
decode_set_tunnel64(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_tunnel *a = ofpacts_put_struct(out, SET_TUNNEL, struct ofpact_tunnel);

    a->ofpact.raw = OFPACT_RAW_SET_TUNNEL64;
    rd_skip(in, 6);
    a->tun_id = rd_u64(in);
    return 0;
}

static enum ofperr
decode_set_queue(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, SET_QUEUE, struct ofpact_queue)->queue_id = rd_u32(in);
    return 0;
}

static enum ofperr
decode_nx_set_queue(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    return decode_set_queue(in, ctx, out);
}

static enum ofperr
decode_pop_queue(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, POP_QUEUE, struct ofpact_null);
    return 0;
}

static enum ofperr
decode_fin_timeout(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_fin_timeout *a = ofpacts_put_struct(out, FIN_TIMEOUT, struct ofpact_fin_timeout);

    a->idle_timeout = rd_u16(in);
    a->hard_timeout = rd_u16(in);
    return 0;
}

/* The pipeline. */

static enum ofperr
decode_resubmit(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_resubmit *a = ofpacts_put_struct(out, RESUBMIT, struct ofpact_resubmit);

    a->port = rd_u16(in);
    a->table_id = OFP_TABLE_ALL;
    return 0;
}

static enum ofperr
put_resubmit_table(struct rd *in, bool ct, struct ofpacts *out)
{
    struct ofpact_resubmit *a = ofpacts_put_struct(out, RESUBMIT, struct ofpact_resubmit);

    a->ofpact.raw = OFPACT_RAW_RESUBMIT_TABLE;
    a->port = rd_u16(in);
    a->table_id = rd_u8(in);
    a->with_ct_orig = ct;
    return rd_zeros(in, 3) ? 0 : OFPERR_OFPBAC_BAD_ARGUMENT;
}

static enum ofperr
decode_resubmit_table(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_resubmit_table(in, false, out);
}

static enum ofperr
decode_resubmit_table_ct(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_resubmit_table(in, true, out);
}

static enum ofperr
decode_learn(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return action_decode_learn(in, false, out);
}

static enum ofperr
decode_learn2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return action_decode_learn(in, true, out);
}

static enum ofperr
decode_conjunction(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_conjunction *a = ofpacts_put_struct(out, CONJUNCTION, struct ofpact_conjunction);

    a->clause = rd_u8(in);
    a->n_clauses = rd_u8(in);
    a->id = rd_u32(in);
    return a->n_clauses < 2 || a->n_clauses > 64 || a->clause >= a->n_clauses
               ? OFPERR_NXBAC_BAD_CONJUNCTION
               : 0;
}

static enum ofperr
decode_multipath(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_multipath *a = ofpacts_put_struct(out, MULTIPATH, struct ofpact_multipath);
    uint16_t ofs_nbits;
    enum ofperr error;

    a->fields = rd_u16(in);
    a->basis = rd_u16(in);
    rd_skip(in, 2);
    a->algorithm = rd_u16(in);
    a->max_link = rd_u16(in);
    a->arg = rd_u32(in);
    rd_skip(in, 2);
    ofs_nbits = rd_u16(in);
    error = pull_ofs_nbits_subfield(in, ofs_nbits, &a->dst);
    error = error ? error : writable(&a->dst);
    if (error) {
        return error;
    }
    if (!ofp_hash_fields_name(a->fields) || a->algorithm > OFP_MP_ITER_HASH
        || (a->dst.n_bits < 16 && a->max_link >= 1u << a->dst.n_bits)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return 0;
}

static enum ofperr
decode_note(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    size_t n = rd_left(in);
    struct ofpact_note *a = ofpacts_put(out, OFPACT_NOTE, sizeof *a + n);

    a->n = (uint32_t) n;
    rd_copy(in, a->data, n);
    return 0;
}

static enum ofperr
decode_exit(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, EXIT, struct ofpact_null);
    return 0;
}

static struct ofpact_sample *
put_sample(struct rd *in, struct ofpacts *out)
{
    struct ofpact_sample *a = ofpacts_put_struct(out, SAMPLE, struct ofpact_sample);

    a->probability = rd_u16(in);
    a->collector_set_id = rd_u32(in);
    a->obs_domain_id = rd_u32(in);
    a->obs_point_id = rd_u32(in);
    a->sampling_port = OFPP_NONE;
    return a;
}

static enum ofperr
decode_sample(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_sample(in, out)->probability ? 0 : OFPERR_OFPBAC_BAD_ARGUMENT;
}

static enum ofperr
decode_sample2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_sample *a = put_sample(in, out);

    a->ofpact.raw = OFPACT_RAW_SAMPLE2;
    a->sampling_port = rd_u16(in);
    if (rd_u8(in)) {
        return OFPERR_NXBAC_MUST_BE_ZERO;
    }
    return a->probability ? rest_must_be_zero(in) : OFPERR_OFPBAC_BAD_ARGUMENT;
}

static enum ofperr
decode_sample3(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_sample *a = put_sample(in, out);

    a->ofpact.raw = OFPACT_RAW_SAMPLE3;
    a->sampling_port = rd_u16(in);
    a->direction = rd_u8(in);
    if (!a->probability || a->direction > 2) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return rest_must_be_zero(in);
}

static enum ofperr
decode_clone(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct action_ctx inner = { ctx->version, ctx->depth + 1 };
    size_t ofs = ofpacts_open(out, OFPACT_CLONE, sizeof(struct ofpact_nest));
    enum ofperr error;

    rd_skip(in, 6);
    error = action_decode_list(in, &inner, out);
    ofpacts_close(out, ofs);
    return error;
}

static enum ofperr
decode_check_pkt(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_check_pkt *a = ofpacts_put_struct(out, CHECK_PKT_LARGER, struct ofpact_check_pkt);
    uint16_t ofs;
    enum ofperr error;

    a->pkt_len = rd_u16(in);
    ofs = rd_u16(in);
    error = action_pull_subfield(in, ofs, 1, &a->dst);
    error = error ? error : writable(&a->dst);
    return error ? error : rest_must_be_zero(in);
}

static enum ofperr
decode_ct_clear(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, CT_CLEAR, struct ofpact_null);
    return 0;
}

static enum ofperr
decode_nat(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return action_decode_nat(in, out);
}

/* Every field that we have is of fixed presence: there is nothing to delete. */
static enum ofperr
decode_delete_field(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    const struct mf_field *mf;
    enum ofperr error = nxm_pull_header(in, &mf, NULL);

    return error ? action_field_error(error) : OFPERR_OFPBAC_BAD_ARGUMENT;
}

static enum ofperr
decode_meter(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_meter *a = ofpacts_put_struct(out, METER, struct ofpact_meter);

    a->ofpact.raw = OFPACT_RAW_METER_ACTION;
    a->meter_id = rd_u32(in);
    return a->meter_id ? 0 : OFPERR_OFPBAC_BAD_METER;
}

static enum ofperr
put_metadata(struct rd *in, struct ofpacts *out)
{
    struct ofpact_metadata *a = ofpacts_put_struct(out, WRITE_METADATA, struct ofpact_metadata);

    a->metadata = rd_u64(in);
    a->mask = rd_u64(in);
    return 0;
}

static enum ofperr
decode_write_metadata(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return rd_zeros(in, 6) ? put_metadata(in, out) : OFPERR_NXBAC_MUST_BE_ZERO;
}

static const struct action_row rows10[OFPAT10_N] = {
    [OFPAT10_OUTPUT] = { decode_output10, 8, 1, 1 },
    [OFPAT10_SET_VLAN_VID] = { decode_vlan_vid10, 8, 1, 1 },
    [OFPAT10_SET_VLAN_PCP] = { decode_vlan_pcp10, 8, 1, 1 },
    [OFPAT10_STRIP_VLAN] = { decode_strip_vlan, 8, 1, 1 },
    [OFPAT10_SET_DL_SRC] = { decode_dl_src, 16, 1, 1 },
    [OFPAT10_SET_DL_DST] = { decode_dl_dst, 16, 1, 1 },
    [OFPAT10_SET_NW_SRC] = { decode_nw_src, 8, 1, 1 },
    [OFPAT10_SET_NW_DST] = { decode_nw_dst, 8, 1, 1 },
    [OFPAT10_SET_NW_TOS] = { decode_nw_tos, 8, 1, 1 },
    [OFPAT10_SET_TP_SRC] = { decode_tp_src, 8, 1, 1 },
    [OFPAT10_SET_TP_DST] = { decode_tp_dst, 8, 1, 1 },
    [OFPAT10_ENQUEUE] = { decode_enqueue, 16, 1, 1 },
};

static const struct action_row rows11[OFPAT11_N] = {
    [OFPAT11_OUTPUT] = { decode_output11, 16, 2, 6 },
    [OFPAT11_SET_VLAN_VID] = { decode_vlan_vid11, 8, 2, 2 },
    [OFPAT11_SET_VLAN_PCP] = { decode_vlan_pcp11, 8, 2, 2 },
    [OFPAT11_SET_DL_SRC] = { decode_dl_src, 16, 2, 2 },
    [OFPAT11_SET_DL_DST] = { decode_dl_dst, 16, 2, 2 },
    [OFPAT11_SET_NW_SRC] = { decode_nw_src, 8, 2, 2 },
    [OFPAT11_SET_NW_DST] = { decode_nw_dst, 8, 2, 2 },
    [OFPAT11_SET_NW_TOS] = { decode_nw_tos, 8, 2, 2 },
    [OFPAT11_SET_NW_ECN] = { decode_nw_ecn, 8, 2, 2 },
    [OFPAT11_SET_TP_SRC] = { decode_tp_src, 8, 2, 2 },
    [OFPAT11_SET_TP_DST] = { decode_tp_dst, 8, 2, 2 },
    [OFPAT11_SET_MPLS_LABEL] = { decode_mpls_label, 8, 2, 2 },
    [OFPAT11_SET_MPLS_TC] = { decode_mpls_tc, 8, 2, 2 },
    [OFPAT11_SET_MPLS_TTL] = { decode_mpls_ttl, 8, 2, 6 },
    [OFPAT11_DEC_MPLS_TTL] = { decode_dec_mpls_ttl, 8, 2, 6 },
    [OFPAT11_PUSH_VLAN] = { decode_push_vlan, 8, 2, 6 },
    [OFPAT11_POP_VLAN] = { decode_strip_vlan, 8, 2, 6 },
    [OFPAT11_PUSH_MPLS] = { decode_push_mpls, 8, 2, 6 },
    [OFPAT11_POP_MPLS] = { decode_pop_mpls, 8, 2, 6 },
    [OFPAT11_SET_QUEUE] = { decode_set_queue, 8, 2, 6 },
    [OFPAT11_GROUP] = { decode_group, 8, 2, 6 },
    [OFPAT11_SET_NW_TTL] = { decode_nw_ttl, 8, 2, 6 },
    [OFPAT11_DEC_NW_TTL] = { decode_dec_ttl, 8, 2, 6 },
    [OFPAT12_SET_FIELD] = { decode_set_field, 8 | VAR, 3, 6 },
    [OFPAT15_COPY_FIELD] = { decode_copy_field, 16 | VAR, 6, 6 },
    [OFPAT15_METER] = { decode_meter, 8, 6, 6 },
};

static const struct action_row rows_nx[NXAST_N] = {
    [NXAST_RESUBMIT] = { decode_resubmit, 16, 1, 6 },
    [NXAST_SET_TUNNEL] = { decode_set_tunnel, 16, 1, 6 },
    [NXAST_SET_QUEUE] = { decode_nx_set_queue, 16, 1, 6 },
    [NXAST_POP_QUEUE] = { decode_pop_queue, 16, 1, 6 },
    [NXAST_REG_MOVE] = { decode_reg_move, 24 | VAR, 1, 6 },
    [NXAST_REG_LOAD] = { decode_reg_load, 24, 1, 6 },
    [NXAST_NOTE] = { decode_note, 16 | VAR, 1, 6 },
    [NXAST_SET_TUNNEL64] = { decode_set_tunnel64, 24, 1, 6 },
    [NXAST_MULTIPATH] = { decode_multipath, 32, 1, 6 },
    [NXAST_BUNDLE] = { decode_bundle_output, 32 | VAR, 1, 6 },
    [NXAST_BUNDLE_LOAD] = { decode_bundle_load, 32 | VAR, 1, 6 },
    [NXAST_RESUBMIT_TABLE] = { decode_resubmit_table, 16, 1, 6 },
    [NXAST_OUTPUT_REG] = { decode_output_reg, 24, 1, 6 },
    [NXAST_LEARN] = { decode_learn, 32 | VAR, 1, 6 },
    [NXAST_EXIT] = { decode_exit, 16, 1, 6 },
    [NXAST_DEC_TTL] = { decode_dec_ttl, 16, 1, 6 },
    [NXAST_FIN_TIMEOUT] = { decode_fin_timeout, 16, 1, 6 },
    [NXAST_CONTROLLER] = { decode_controller, 16, 1, 6 },
    [NXAST_DEC_TTL_CNT_IDS] = { decode_dec_ttl_cnt_ids, 16 | VAR, 1, 6 },
    [NXAST_WRITE_METADATA] = { decode_write_metadata, 32, 1, 6 },
    [NXAST_PUSH_MPLS] = { decode_push_mpls, 16, 1, 6 },
    [NXAST_POP_MPLS] = { decode_pop_mpls, 16, 1, 6 },
    [NXAST_SET_MPLS_TTL] = { decode_mpls_ttl, 16, 1, 6 },
    [NXAST_DEC_MPLS_TTL] = { decode_dec_mpls_ttl, 16, 1, 6 },
    [NXAST_STACK_PUSH] = { decode_stack_push, 24, 1, 6 },
    [NXAST_STACK_POP] = { decode_stack_pop, 24, 1, 6 },
    [NXAST_SAMPLE] = { decode_sample, 24, 1, 6 },
    [NXAST_SET_MPLS_LABEL] = { decode_nx_mpls_label, 16, 1, 6 },
    [NXAST_SET_MPLS_TC] = { decode_mpls_tc, 16, 1, 6 },
    [NXAST_OUTPUT_REG2] = { decode_output_reg2, 24, 1, 6 },
    [NXAST_REG_LOAD2] = { decode_reg_load2, 16 | VAR, 1, 6 },
    [NXAST_CONJUNCTION] = { decode_conjunction, 16, 1, 6 },
    [NXAST_CT] = { action_decode_ct, 24 | VAR, 1, 6 },
    [NXAST_NAT] = { decode_nat, 16 | VAR, 1, 6 },
    [NXAST_CONTROLLER2] = { decode_controller2, 16 | VAR, 1, 6 },
    [NXAST_SAMPLE2] = { decode_sample2, 32, 1, 6 },
    [NXAST_OUTPUT_TRUNC] = { decode_output_trunc, 16, 1, 6 },
    [NXAST_GROUP] = { decode_nx_group, 16, 1, 6 },
    [NXAST_SAMPLE3] = { decode_sample3, 32, 1, 6 },
    [NXAST_CLONE] = { decode_clone, 16 | VAR, 1, 6 },
    [NXAST_CT_CLEAR] = { decode_ct_clear, 16, 1, 6 },
    [NXAST_RESUBMIT_TABLE_CT] = { decode_resubmit_table_ct, 16, 1, 6 },
    [NXAST_LEARN2] = { decode_learn2, 40 | VAR, 1, 6 },
    [NXAST_CHECK_PKT_LARGER] = { decode_check_pkt, 24, 1, 6 },
    [NXAST_DELETE_FIELD] = { decode_delete_field, 24, 1, 6 },
};

static const struct action_row row_onf_copy_field = { decode_onf_copy_field, 24 | VAR, 4, 5 };

/* Finds the row of one action and leaves 'in' at its body. */
static enum ofperr
find_row(struct rd *in, uint16_t type, enum ofp_version version, const struct action_row **row)
{
    *row = NULL;
    if (type == OFPAT_EXPERIMENTER) {
        uint32_t vendor = rd_u32(in);
        uint16_t subtype = rd_u16(in);

        if (!rd_ok(in)) {
            return OFPERR_OFPBAC_BAD_LEN;
        }
        if (vendor == OFP_VENDOR_NX && subtype < NXAST_N) {
            *row = &rows_nx[subtype];
        } else if (vendor == OFP_VENDOR_ONF && subtype == ONFACT_COPY_FIELD) {
            *row = &row_onf_copy_field;
        } else if (vendor != OFP_VENDOR_NX && vendor != OFP_VENDOR_ONF) {
            return OFPERR_OFPBAC_BAD_VENDOR;
        }
    } else if (version == OFP10_VERSION) {
        *row = type < OFPAT10_N ? &rows10[type] : NULL;
    } else {
        *row = type < OFPAT11_N ? &rows11[type] : NULL;
    }
    if (!*row || !(*row)->decode || version < (*row)->min_version
        || version > (*row)->max_version) {
        return type == OFPAT_EXPERIMENTER ? OFPERR_OFPBAC_BAD_VENDOR_TYPE : OFPERR_OFPBAC_BAD_TYPE;
    }
    return 0;
}

static enum ofperr
decode_one(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct rd header = *in;
    const struct action_row *row;
    uint16_t type, len;
    enum ofperr error;
    struct rd body;

    type = rd_u16(&header);
    len = rd_u16(&header);
    if (!rd_ok(&header) || len < 8 || len % 8 || len > rd_left(in)) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    body = rd_sub(in, len);
    rd_skip(&body, 4);
    error = find_row(&body, type, ctx->version, &row);
    if (error) {
        return error;
    }
    if (row->size & VAR ? len < (row->size & ~VAR) : len != row->size) {
        return OFPERR_OFPBAC_BAD_LEN;
    }
    error = row->decode(&body, ctx, out);
    return error ? error : rd_ok(&body) ? 0 : OFPERR_OFPBAC_BAD_LEN;
}

enum ofperr
action_decode_list(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    if (ctx->depth > OFPACTS_MAX_DEPTH) {
        return OFPERR_OFPBAC_TOO_MANY;
    }
    while (rd_left(in)) {
        enum ofperr error = decode_one(in, ctx, out);

        if (error) {
            return error;
        }
    }
    return 0;
}

enum ofperr
ofpacts_decode(struct rd *in, enum ofp_version version, struct ofpacts *out)
{
    struct action_ctx ctx = { version, 0 };
    size_t size = out->size;
    enum ofperr error = action_decode_list(in, &ctx, out);

    if (error) {
        out->size = size;
    }
    return error;
}

/* Instructions: collected first, because they run in the specification's order, not in the order of the bytes. */

struct instructions {
    struct rd body[OFPIT_N];
    bool present[OFPIT_N];
};

static enum ofperr
check_instruction(uint16_t type, uint16_t len, enum ofp_version version)
{
    static const uint16_t sizes[OFPIT_N] = {
        [OFPIT_GOTO_TABLE] = 8,          [OFPIT_WRITE_METADATA] = 24,
        [OFPIT_WRITE_ACTIONS] = 8 | VAR, [OFPIT_APPLY_ACTIONS] = 8 | VAR,
        [OFPIT_CLEAR_ACTIONS] = 8,       [OFPIT_METER] = 8,
    };

    if (type == OFPAT_EXPERIMENTER) {
        return OFPERR_OFPBIC_BAD_EXPERIMENTER;
    }
    if (type == 0 || type >= OFPIT_N
        || (type == OFPIT_METER && (version < OFP13_VERSION || version > OFP14_VERSION))) {
        return OFPERR_OFPBIC_UNKNOWN_INST;
    }
    if (sizes[type] & VAR ? len < (sizes[type] & ~VAR) : len != sizes[type]) {
        return OFPERR_OFPBIC_BAD_LEN;
    }
    return 0;
}

static enum ofperr
collect_instructions(struct rd *in, enum ofp_version version, struct instructions *ins)
{
    while (rd_left(in)) {
        struct rd header = *in;
        uint16_t type = rd_u16(&header);
        uint16_t len = rd_u16(&header);
        enum ofperr error;

        if (!rd_ok(&header) || len < 8 || len % 8 || len > rd_left(in)) {
            return OFPERR_OFPBIC_BAD_LEN;
        }
        error = check_instruction(type, len, version);
        if (error) {
            return error;
        }
        if (ins->present[type]) {
            return OFPERR_OFPBIC_DUP_INST;
        }
        ins->present[type] = true;
        ins->body[type] = rd_sub(in, len);
        rd_skip(&ins->body[type], 4);
    }
    return 0;
}

static enum ofperr
put_write_actions(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct action_ctx inner = { ctx->version, ctx->depth + 1 };
    size_t ofs = ofpacts_open(out, OFPACT_WRITE_ACTIONS, sizeof(struct ofpact_nest));
    enum ofperr error;

    rd_skip(in, 4);
    error = action_decode_list(in, &inner, out);
    ofpacts_close(out, ofs);
    return error;
}

static enum ofperr
put_instructions(struct instructions *ins, const struct action_ctx *ctx, struct ofpacts *out)
{
    enum ofperr error = 0;

    if (ins->present[OFPIT_METER]) {
        struct ofpact_meter *a = ofpacts_put_struct(out, METER, struct ofpact_meter);

        a->meter_id = rd_u32(&ins->body[OFPIT_METER]);
        if (!a->meter_id) {
            return OFPERR_OFPMMFC_INVALID_METER;
        }
    }
    if (ins->present[OFPIT_APPLY_ACTIONS]) {
        rd_skip(&ins->body[OFPIT_APPLY_ACTIONS], 4);
        error = action_decode_list(&ins->body[OFPIT_APPLY_ACTIONS], ctx, out);
    }
    if (!error && ins->present[OFPIT_CLEAR_ACTIONS]) {
        ofpacts_put_struct(out, CLEAR_ACTIONS, struct ofpact_null);
    }
    if (!error && ins->present[OFPIT_WRITE_ACTIONS]) {
        error = put_write_actions(&ins->body[OFPIT_WRITE_ACTIONS], ctx, out);
    }
    if (!error && ins->present[OFPIT_WRITE_METADATA]) {
        rd_skip(&ins->body[OFPIT_WRITE_METADATA], 4);
        error = put_metadata(&ins->body[OFPIT_WRITE_METADATA], out);
    }
    if (!error && ins->present[OFPIT_GOTO_TABLE]) {
        ofpacts_put_struct(out, GOTO_TABLE, struct ofpact_goto_table)->table_id =
            rd_u8(&ins->body[OFPIT_GOTO_TABLE]);
    }
    return error;
}

enum ofperr
ofpacts_decode_instructions(struct rd *in, enum ofp_version version, struct ofpacts *out)
{
    struct action_ctx ctx = { version, 0 };
    struct instructions ins = { 0 };
    size_t size = out->size;
    enum ofperr error;

    if (version == OFP10_VERSION) {
        return ofpacts_decode(in, version, out);
    }
    error = collect_instructions(in, version, &ins);
    error = error ? error : put_instructions(&ins, &ctx, out);
    if (error) {
        out->size = size;
    }
    return error;
}
