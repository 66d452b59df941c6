// SPDX-License-Identifier: Apache-2.0
/* Actions that steer the translation, from bytes: resubmit, conjunction, multipath, clone, sample,
 * note and their like.
 *
 * Each function is the body of one row in action_decode.c.
 */
#include "openflow/action_decode.h"

enum ofperr
action_decode_resubmit(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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

enum ofperr
action_decode_resubmit_table(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_resubmit_table(in, false, out);
}

enum ofperr
action_decode_resubmit_table_ct(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_resubmit_table(in, true, out);
}

enum ofperr
action_decode_conjunction(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_conjunction *a = ofpacts_put_struct(out, CONJUNCTION, struct ofpact_conjunction);

    a->clause = rd_u8(in);
    a->n_clauses = rd_u8(in);
    a->id = rd_u32(in);
    return a->n_clauses < 2 || a->n_clauses > 64 || a->clause >= a->n_clauses
               ? OFPERR_NXBAC_BAD_CONJUNCTION
               : 0;
}

enum ofperr
action_decode_multipath(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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
    error = action_pull_ofs_nbits(in, ofs_nbits, &a->dst);
    error = error ? error : action_check_writable(&a->dst);
    if (error) {
        return error;
    }
    if (!ofp_hash_fields_name(a->fields) || a->algorithm > OFP_MP_ITER_HASH ||
        (a->dst.n_bits < 16 && a->max_link >= 1u << a->dst.n_bits)) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return 0;
}

enum ofperr
action_decode_note(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    size_t n = rd_left(in);
    struct ofpact_note *a = ofpacts_put(out, OFPACT_NOTE, sizeof *a + n);

    a->n = (uint32_t)n;
    rd_copy(in, a->data, n);
    return 0;
}

enum ofperr
action_decode_exit(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, EXIT, struct ofpact_null);
    return 0;
}

enum ofperr
action_decode_debug_recirc(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, DEBUG_RECIRC, struct ofpact_null);
    return 0;
}

enum ofperr
action_decode_fin_timeout(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_fin_timeout *a = ofpacts_put_struct(out, FIN_TIMEOUT, struct ofpact_fin_timeout);

    a->idle_timeout = rd_u16(in);
    a->hard_timeout = rd_u16(in);
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

enum ofperr
action_decode_sample(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return put_sample(in, out)->probability ? 0 : OFPERR_OFPBAC_BAD_ARGUMENT;
}

enum ofperr
action_decode_sample2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_sample *a = put_sample(in, out);

    a->ofpact.raw = OFPACT_RAW_SAMPLE2;
    a->sampling_port = rd_u16(in);
    if (rd_u8(in)) {
        return OFPERR_NXBAC_MUST_BE_ZERO;
    }
    return a->probability ? action_rest_is_zero(in) : OFPERR_OFPBAC_BAD_ARGUMENT;
}

enum ofperr
action_decode_sample3(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_sample *a = put_sample(in, out);

    a->ofpact.raw = OFPACT_RAW_SAMPLE3;
    a->sampling_port = rd_u16(in);
    a->direction = rd_u8(in);
    if (!a->probability || a->direction > 2) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    return action_rest_is_zero(in);
}

enum ofperr
action_decode_clone(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct action_ctx inner = {ctx->version, ctx->depth + 1};
    size_t ofs = ofpacts_open(out, OFPACT_CLONE, sizeof(struct ofpact_nest));
    enum ofperr error;

    rd_skip(in, 6);
    error = action_decode_list(in, &inner, out);
    ofpacts_close(out, ofs);
    return error;
}

enum ofperr
action_decode_ct_clear(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, CT_CLEAR, struct ofpact_null);
    return 0;
}

enum ofperr
action_decode_meter(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_meter *a = ofpacts_put_struct(out, METER, struct ofpact_meter);

    a->ofpact.raw = OFPACT_RAW_METER_ACTION;
    a->meter_id = rd_u32(in);
    return a->meter_id ? 0 : OFPERR_OFPBAC_BAD_METER;
}
