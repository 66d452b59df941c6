// SPDX-License-Identifier: Apache-2.0
/* Actions, bytes to structs.
 *
 * One row per wire code says where the code exists, how long the action is, and which function
 * takes its body; see ofp_action.h for what comes out and action_wire.h for the numbers.  The
 * functions are in action_decode_output.c, _header.c, _field.c and _pipeline.c, action_learn.c and
 * action_ct.c; instructions are in instruction_decode.c.
 */
#include "openflow/action_decode.h"

#include <stdatomic.h>

#define VAR 0x8000u /* The action may be longer than the size in the row. */

struct action_row {
    decode_fn *decode;
    uint16_t size; /* Of the whole action, with its header. */
    uint8_t min_version;
    uint8_t max_version;
};

static const struct action_row rows10[OFPAT10_N] = {
    [OFPAT10_OUTPUT] = {action_decode_output10, 8, 1, 1},
    [OFPAT10_SET_VLAN_VID] = {action_decode_vlan_vid10, 8, 1, 1},
    [OFPAT10_SET_VLAN_PCP] = {action_decode_vlan_pcp10, 8, 1, 1},
    [OFPAT10_STRIP_VLAN] = {action_decode_strip_vlan, 8, 1, 1},
    [OFPAT10_SET_DL_SRC] = {action_decode_dl_src, 16, 1, 1},
    [OFPAT10_SET_DL_DST] = {action_decode_dl_dst, 16, 1, 1},
    [OFPAT10_SET_NW_SRC] = {action_decode_nw_src, 8, 1, 1},
    [OFPAT10_SET_NW_DST] = {action_decode_nw_dst, 8, 1, 1},
    [OFPAT10_SET_NW_TOS] = {action_decode_nw_tos, 8, 1, 1},
    [OFPAT10_SET_TP_SRC] = {action_decode_tp_src, 8, 1, 1},
    [OFPAT10_SET_TP_DST] = {action_decode_tp_dst, 8, 1, 1},
    [OFPAT10_ENQUEUE] = {action_decode_enqueue, 16, 1, 1},
};

static const struct action_row rows11[OFPAT11_N] = {
    [OFPAT11_OUTPUT] = {action_decode_output11, 16, 2, 6},
    [OFPAT11_SET_VLAN_VID] = {action_decode_vlan_vid11, 8, 2, 6},
    [OFPAT11_SET_VLAN_PCP] = {action_decode_vlan_pcp11, 8, 2, 6},
    [OFPAT11_SET_DL_SRC] = {action_decode_dl_src, 16, 2, 6},
    [OFPAT11_SET_DL_DST] = {action_decode_dl_dst, 16, 2, 6},
    [OFPAT11_SET_NW_SRC] = {action_decode_nw_src, 8, 2, 6},
    [OFPAT11_SET_NW_DST] = {action_decode_nw_dst, 8, 2, 6},
    [OFPAT11_SET_NW_TOS] = {action_decode_nw_tos, 8, 2, 6},
    [OFPAT11_SET_NW_ECN] = {action_decode_nw_ecn, 8, 2, 6},
    [OFPAT11_SET_TP_SRC] = {action_decode_tp_src, 8, 2, 6},
    [OFPAT11_SET_TP_DST] = {action_decode_tp_dst, 8, 2, 6},
    [OFPAT11_SET_MPLS_LABEL] = {action_decode_mpls_label, 8, 2, 6},
    [OFPAT11_SET_MPLS_TC] = {action_decode_mpls_tc, 8, 2, 6},
    [OFPAT11_SET_MPLS_TTL] = {action_decode_mpls_ttl, 8, 2, 6},
    [OFPAT11_DEC_MPLS_TTL] = {action_decode_dec_mpls_ttl, 8, 2, 6},
    [OFPAT11_PUSH_VLAN] = {action_decode_push_vlan, 8, 2, 6},
    [OFPAT11_POP_VLAN] = {action_decode_strip_vlan, 8, 2, 6},
    [OFPAT11_PUSH_MPLS] = {action_decode_push_mpls, 8, 2, 6},
    [OFPAT11_POP_MPLS] = {action_decode_pop_mpls, 8, 2, 6},
    [OFPAT11_SET_QUEUE] = {action_decode_set_queue, 8, 2, 6},
    [OFPAT11_GROUP] = {action_decode_group, 8, 2, 6},
    [OFPAT11_SET_NW_TTL] = {action_decode_nw_ttl, 8, 2, 6},
    [OFPAT11_DEC_NW_TTL] = {action_decode_dec_ttl, 8, 2, 6},
    [OFPAT12_SET_FIELD] = {action_decode_set_field, 8 | VAR, 3, 6},
    [OFPAT15_COPY_FIELD] = {action_decode_copy_field, 16 | VAR, 6, 6},
    [OFPAT15_METER] = {action_decode_meter, 8, 6, 6},
};

static const struct action_row rows_nx[NXAST_N] = {
    [NXAST_RESUBMIT] = {action_decode_resubmit, 16, 1, 6},
    [NXAST_SET_TUNNEL] = {action_decode_set_tunnel, 16, 1, 6},
    [NXAST_SET_QUEUE] = {action_decode_nx_set_queue, 16, 1, 6},
    [NXAST_POP_QUEUE] = {action_decode_pop_queue, 16, 1, 6},
    [NXAST_REG_MOVE] = {action_decode_reg_move, 24 | VAR, 1, 6},
    [NXAST_REG_LOAD] = {action_decode_reg_load, 24, 1, 6},
    [NXAST_NOTE] = {action_decode_note, 16 | VAR, 1, 6},
    [NXAST_SET_TUNNEL64] = {action_decode_set_tunnel64, 24, 1, 6},
    [NXAST_MULTIPATH] = {action_decode_multipath, 32, 1, 6},
    [NXAST_BUNDLE] = {action_decode_bundle_output, 32 | VAR, 1, 6},
    [NXAST_BUNDLE_LOAD] = {action_decode_bundle_load, 32 | VAR, 1, 6},
    [NXAST_RESUBMIT_TABLE] = {action_decode_resubmit_table, 16, 1, 6},
    [NXAST_OUTPUT_REG] = {action_decode_output_reg, 24, 1, 6},
    [NXAST_LEARN] = {action_decode_learn, 32 | VAR, 1, 6},
    [NXAST_EXIT] = {action_decode_exit, 16, 1, 6},
    [NXAST_DEC_TTL] = {action_decode_dec_ttl, 16, 1, 6},
    [NXAST_FIN_TIMEOUT] = {action_decode_fin_timeout, 16, 1, 6},
    [NXAST_CONTROLLER] = {action_decode_controller, 16, 1, 6},
    [NXAST_DEC_TTL_CNT_IDS] = {action_decode_dec_ttl_cnt_ids, 16 | VAR, 1, 6},
    [NXAST_WRITE_METADATA] = {action_decode_write_metadata, 32, 1, 6},
    [NXAST_PUSH_MPLS] = {action_decode_push_mpls, 16, 1, 6},
    [NXAST_POP_MPLS] = {action_decode_pop_mpls, 16, 1, 6},
    [NXAST_SET_MPLS_TTL] = {action_decode_mpls_ttl, 16, 1, 6},
    [NXAST_DEC_MPLS_TTL] = {action_decode_dec_mpls_ttl, 16, 1, 6},
    [NXAST_STACK_PUSH] = {action_decode_stack_push, 24, 1, 6},
    [NXAST_STACK_POP] = {action_decode_stack_pop, 24, 1, 6},
    [NXAST_SAMPLE] = {action_decode_sample, 24, 1, 6},
    [NXAST_SET_MPLS_LABEL] = {action_decode_nx_mpls_label, 16, 1, 6},
    [NXAST_SET_MPLS_TC] = {action_decode_mpls_tc, 16, 1, 6},
    [NXAST_OUTPUT_REG2] = {action_decode_output_reg2, 24, 1, 6},
    [NXAST_REG_LOAD2] = {action_decode_reg_load2, 16 | VAR, 1, 6},
    [NXAST_CONJUNCTION] = {action_decode_conjunction, 16, 1, 6},
    [NXAST_CT] = {action_decode_ct, 24 | VAR, 1, 6},
    [NXAST_NAT] = {action_decode_nat, 16 | VAR, 1, 6},
    [NXAST_CONTROLLER2] = {action_decode_controller2, 16 | VAR, 1, 6},
    [NXAST_SAMPLE2] = {action_decode_sample2, 32, 1, 6},
    [NXAST_OUTPUT_TRUNC] = {action_decode_output_trunc, 16, 1, 6},
    [NXAST_GROUP] = {action_decode_nx_group, 16, 1, 6},
    [NXAST_SAMPLE3] = {action_decode_sample3, 32, 1, 6},
    [NXAST_CLONE] = {action_decode_clone, 16 | VAR, 1, 6},
    [NXAST_CT_CLEAR] = {action_decode_ct_clear, 16, 1, 6},
    [NXAST_RESUBMIT_TABLE_CT] = {action_decode_resubmit_table_ct, 16, 1, 6},
    [NXAST_LEARN2] = {action_decode_learn2, 40 | VAR, 1, 6},
    [NXAST_CHECK_PKT_LARGER] = {action_decode_check_pkt, 24, 1, 6},
    [NXAST_DELETE_FIELD] = {action_decode_delete_field, 24, 1, 6},
};

static const struct action_row row_debug_recirc = {action_decode_debug_recirc, 16, 1, 6};
static const struct action_row row_onf_copy_field = {action_decode_onf_copy_field, 24 | VAR, 4, 5};

/* Set once, at start. */
static _Atomic bool debug_actions;

void
ofpacts_enable_debug(void)
{
    atomic_store(&debug_actions, true);
}

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
        } else if (vendor == OFP_VENDOR_NX && subtype == NXAST_DEBUG_RECIRC &&
                   atomic_load_explicit(&debug_actions, memory_order_relaxed)) {
            *row = &row_debug_recirc;
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
    if (!*row || !(*row)->decode || version < (*row)->min_version ||
        version > (*row)->max_version) {
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
    struct action_ctx ctx = {version, 0};
    size_t size = out->size;
    enum ofperr error = action_decode_list(in, &ctx, out);

    if (error) {
        out->size = size;
    }
    return error;
}
