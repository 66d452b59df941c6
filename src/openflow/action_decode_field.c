// SPDX-License-Identifier: Apache-2.0
/* Actions on any field, from bytes: set_field, load, move, the stack, and the few that write one
 * given field.
 *
 * Each function is the body of one row in action_decode.c.  What they share stands first.
 */
#include "flow/option.h"
#include "openflow/action_decode.h"
#include "openflow/nxm.h"

enum ofperr
action_field_error(enum ofperr error)
{
    return error == OFPERR_OFPBMC_BAD_FIELD       ? OFPERR_OFPBAC_BAD_SET_TYPE
           : error == OFPERR_OFPBMC_BAD_LEN       ? OFPERR_OFPBAC_BAD_SET_LEN
           : error == OFPERR_OFPBMC_BAD_MASK      ? OFPERR_OFPBAC_BAD_SET_MASK
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

enum ofperr
action_check_writable(const struct mf_subfield *sf)
{
    return sf->field->writable ? 0 : OFPERR_OFPBAC_BAD_SET_ARGUMENT;
}

/* ofs_nbits: offset in the high 10 bits, number of bits minus 1 in the low 6. */
enum ofperr
action_pull_ofs_nbits(struct rd *in, uint16_t ofs_nbits, struct mf_subfield *sf)
{
    return action_pull_subfield(in, ofs_nbits >> 6, (ofs_nbits & 0x3f) + 1, sf);
}

enum ofperr
action_rest_is_zero(struct rd *in)
{
    return rd_zeros(in, rd_left(in)) ? 0 : OFPERR_NXBAC_MUST_BE_ZERO;
}

enum ofperr
action_pull_metadata(struct rd *in, struct ofpacts *out)
{
    struct ofpact_metadata *a = ofpacts_put_struct(out, WRITE_METADATA, struct ofpact_metadata);

    a->metadata = rd_u64(in);
    a->mask = rd_u64(in);
    return 0;
}

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
    if (!mf->writable || !(raw == OFPACT_RAW_DEFAULT ? nxm_is_set_field_valid(mf, &value, &mask)
                                                     : mf_is_value_valid(mf, &value))) {
        return OFPERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    ofpacts_put_set_field(out, mf->id, value.b, mask.b)->ofpact.raw = (uint8_t)raw;
    return action_rest_is_zero(in);
}

enum ofperr
action_decode_set_field(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_set_field(in, ctx->version >= OFP15_VERSION, OFPACT_RAW_DEFAULT, out);
}

/* The field stands right behind the subtype, and is padded to 8. */
enum ofperr
action_decode_reg_load2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_set_field(in, true, OFPACT_RAW_REG_LOAD2, out);
}

enum ofperr
action_decode_reg_load(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct mf_subfield dst;
    union mf_value bits = {.w = {0, 0}}, value, mask;
    enum ofperr error = action_pull_ofs_nbits(in, rd_u16(in), &dst);
    uint64_t x = rd_u64(in);

    error = error ? error : action_check_writable(&dst);
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
    error = error ? error : action_check_writable(&a->dst);
    return error ? error : action_rest_is_zero(in);
}

enum ofperr
action_decode_reg_move(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    uint16_t n_bits = rd_u16(in), src_ofs = rd_u16(in), dst_ofs = rd_u16(in);

    return put_move(in, n_bits, src_ofs, dst_ofs, out);
}

enum ofperr
action_decode_copy_field(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    uint16_t n_bits = rd_u16(in), src_ofs = rd_u16(in), dst_ofs = rd_u16(in);

    rd_skip(in, 2);
    return put_move(in, n_bits, src_ofs, dst_ofs, out);
}

enum ofperr
action_decode_onf_copy_field(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    return action_decode_copy_field(in, ctx, out);
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
    return action_rest_is_zero(in);
}

enum ofperr
action_decode_stack_push(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_stack(in, OFPACT_STACK_PUSH, out);
}

enum ofperr
action_decode_stack_pop(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_stack(in, OFPACT_STACK_POP, out);
}

/* Only tunnel options can be absent. */
enum ofperr
action_decode_delete_field(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    const struct mf_field *mf;
    enum ofperr error = nxm_pull_header(in, &mf, NULL);

    if (error) {
        return action_field_error(error);
    }
    if (!mf_is_option(mf)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    ofpacts_put_struct(out, DELETE_FIELD, struct ofpact_delete_field)->field = (uint16_t)mf->id;
    return action_rest_is_zero(in);
}

enum ofperr
action_decode_check_pkt(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_check_pkt *a = ofpacts_put_struct(out, CHECK_PKT_LARGER, struct ofpact_check_pkt);
    uint16_t ofs;
    enum ofperr error;

    a->pkt_len = rd_u16(in);
    ofs = rd_u16(in);
    error = action_pull_subfield(in, ofs, 1, &a->dst);
    error = error ? error : action_check_writable(&a->dst);
    return error ? error : action_rest_is_zero(in);
}

enum ofperr
action_decode_set_tunnel(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    ofpacts_put_struct(out, SET_TUNNEL, struct ofpact_tunnel)->tun_id = rd_u32(in);
    return 0;
}

enum ofperr
action_decode_set_tunnel64(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_tunnel *a = ofpacts_put_struct(out, SET_TUNNEL, struct ofpact_tunnel);

    a->ofpact.raw = OFPACT_RAW_SET_TUNNEL64;
    rd_skip(in, 6);
    a->tun_id = rd_u64(in);
    return 0;
}

enum ofperr
action_decode_write_metadata(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return rd_zeros(in, 6) ? action_pull_metadata(in, out) : OFPERR_NXBAC_MUST_BE_ZERO;
}
