// SPDX-License-Identifier: Apache-2.0
/* Instructions, bytes to structs.
 *
 * Collected first, because they run in the specification's order, not in the order of the bytes.
 */
#include "openflow/action_decode.h"

#define VAR 0x8000u /* The instruction may be longer than the size in its row. */

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
    if (type == 0 || type >= OFPIT_N ||
        (type == OFPIT_METER && (version < OFP13_VERSION || version > OFP14_VERSION))) {
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
    struct action_ctx inner = {ctx->version, ctx->depth + 1};
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
        error = action_pull_metadata(&ins->body[OFPIT_WRITE_METADATA], out);
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
    struct action_ctx ctx = {version, 0};
    struct instructions ins = {0};
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
