// SPDX-License-Identifier: Apache-2.0
/* Actions that send a frame somewhere, from bytes: output in its forms, controller, group, bundle
 * and queues.
 *
 * Each function is the body of one row in action_decode.c.
 */
#include "openflow/action_decode.h"
#include "openflow/nxm.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_prop.h"

enum ofperr
action_decode_output10(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output *a = ofpacts_put_struct(out, OUTPUT, struct ofpact_output);

    a->port = rd_u16(in);
    a->max_len = rd_u16(in);
    return 0;
}

enum ofperr
action_decode_output11(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output *a = ofpacts_put_struct(out, OUTPUT, struct ofpact_output);
    ofp_port_t port;

    if (!ofp_port_from_wire32(rd_u32(in), &port)) {
        return OFPERR_OFPBAC_BAD_OUT_PORT;
    }
    a->port = (uint16_t)port;
    a->max_len = rd_u16(in);
    return 0;
}

enum ofperr
action_decode_enqueue(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_enqueue *a = ofpacts_put_struct(out, ENQUEUE, struct ofpact_enqueue);

    a->port = rd_u16(in);
    rd_skip(in, 6);
    a->queue = rd_u32(in);
    return 0;
}

enum ofperr
action_decode_output_reg(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output_reg *a = ofpacts_put_struct(out, OUTPUT_REG, struct ofpact_output_reg);
    enum ofperr error = action_pull_ofs_nbits(in, rd_u16(in), &a->src);

    a->max_len = rd_u16(in);
    return error ? error : rd_zeros(in, 6) ? 0 : OFPERR_OFPBAC_BAD_ARGUMENT;
}

enum ofperr
action_decode_output_reg2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output_reg *a = ofpacts_put_struct(out, OUTPUT_REG, struct ofpact_output_reg);
    uint16_t ofs_nbits = rd_u16(in);
    enum ofperr error;

    a->max_len = rd_u16(in);
    error = action_pull_ofs_nbits(in, ofs_nbits, &a->src);
    return error ? error : action_rest_is_zero(in);
}

enum ofperr
action_decode_output_trunc(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_output_trunc *a =
        ofpacts_put_struct(out, OUTPUT_TRUNC, struct ofpact_output_trunc);

    a->port = rd_u16(in);
    a->max_len = rd_u32(in);
    return a->max_len < 14 ? OFPERR_OFPBAC_BAD_ARGUMENT : 0; /* Shorter than an Ethernet header. */
}

enum ofperr
action_decode_group(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, GROUP, struct ofpact_group)->group_id = rd_u32(in);
    return 0;
}

enum ofperr
action_decode_nx_group(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    return action_decode_group(in, ctx, out);
}

enum ofperr
action_decode_controller(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
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
    struct ofp_prop prop;
    enum ofperr error = ofp_prop_pull(in, &prop);

    if (error) {
        return error;
    }
    switch (prop.type) {
    case NXAC2PT_MAX_LEN:
        return ofp_prop_u16(&prop, &a->max_len);
    case NXAC2PT_CONTROLLER_ID:
        return ofp_prop_u16(&prop, &a->controller_id);
    case NXAC2PT_REASON:
        error = ofp_prop_u8(&prop, &a->reason);
        return error ? error : a->reason < OFPR_N_REASONS ? 0 : OFPERR_OFPBPC_BAD_VALUE;
    case NXAC2PT_USERDATA:
        *userdata = prop.body;
        return 0;
    case NXAC2PT_PAUSE:
        a->pause = true;
        return 0;
    case NXAC2PT_METER_ID:
        return ofp_prop_u32(&prop, &a->meter_id);
    default:
        return ofp_prop_unknown(&prop);
    }
}

enum ofperr
action_decode_controller2(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    struct ofpact_controller fields = {
        .max_len = UINT16_MAX, .reason = OFPR_ACTION, .meter_id = OFP_METER_NONE};
    struct rd userdata = {0};
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
    a->userdata_len = (uint16_t)n;
    if (n) {
        rd_copy(&userdata, a->userdata, n);
    }
    return 0;
}

static enum ofperr
decode_bundle(struct rd *in, bool load, struct ofpacts *out)
{
    struct ofpact_bundle a = {.algorithm = 0};
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
    if (error || member_type->id != MF_IN_PORT || a.algorithm > OFP_BUNDLE_HRW ||
        !ofp_hash_fields_name(a.fields) || n > OFP_BUNDLE_MAX_MEMBERS) {
        return OFPERR_OFPBAC_BAD_ARGUMENT;
    }
    if (load) {
        error = action_pull_ofs_nbits(in, ofs_nbits, &a.dst);
        error = error ? error : action_check_writable(&a.dst);
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

enum ofperr
action_decode_bundle_output(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return decode_bundle(in, false, out);
}

enum ofperr
action_decode_bundle_load(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    return decode_bundle(in, true, out);
}

enum ofperr
action_decode_set_queue(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, SET_QUEUE, struct ofpact_queue)->queue_id = rd_u32(in);
    return 0;
}

enum ofperr
action_decode_nx_set_queue(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    rd_skip(in, 2);
    return action_decode_set_queue(in, ctx, out);
}

enum ofperr
action_decode_pop_queue(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out)
{
    ofpacts_put_struct(out, POP_QUEUE, struct ofpact_null);
    return 0;
}
