// SPDX-License-Identifier: Apache-2.0
/* What action_decode.c and the files of its rows share.  Private to the codec. */
#ifndef OPENFLOW_ACTION_DECODE_H
#define OPENFLOW_ACTION_DECODE_H 1

#include "openflow/action_wire.h"

/* Takes the body of one action, after its header, and appends the struct.  The rest of the body
 * must be consumed or checked by the function itself. */
typedef enum ofperr decode_fn(struct rd *in, const struct action_ctx *ctx, struct ofpacts *out);

/* action_decode_output.c */
decode_fn action_decode_output10, action_decode_output11, action_decode_enqueue,
    action_decode_output_reg, action_decode_output_reg2, action_decode_output_trunc,
    action_decode_group, action_decode_nx_group, action_decode_controller,
    action_decode_controller2, action_decode_bundle_output, action_decode_bundle_load,
    action_decode_set_queue, action_decode_nx_set_queue, action_decode_pop_queue;

/* action_decode_header.c */
decode_fn action_decode_vlan_vid10, action_decode_vlan_vid11, action_decode_vlan_pcp10,
    action_decode_vlan_pcp11, action_decode_strip_vlan, action_decode_push_vlan,
    action_decode_dl_src, action_decode_dl_dst, action_decode_nw_src, action_decode_nw_dst,
    action_decode_nw_tos, action_decode_nw_ecn, action_decode_nw_ttl, action_decode_mpls_tc,
    action_decode_mpls_ttl, action_decode_tp_src, action_decode_tp_dst, action_decode_mpls_label,
    action_decode_nx_mpls_label, action_decode_dec_mpls_ttl, action_decode_push_mpls,
    action_decode_pop_mpls, action_decode_dec_ttl, action_decode_dec_ttl_cnt_ids;

/* action_decode_field.c */
decode_fn action_decode_set_field, action_decode_reg_load2, action_decode_reg_load,
    action_decode_reg_move, action_decode_copy_field, action_decode_onf_copy_field,
    action_decode_stack_push, action_decode_stack_pop, action_decode_delete_field,
    action_decode_check_pkt, action_decode_set_tunnel, action_decode_set_tunnel64,
    action_decode_write_metadata;

/* action_decode_pipeline.c */
decode_fn action_decode_resubmit, action_decode_resubmit_table, action_decode_resubmit_table_ct,
    action_decode_conjunction, action_decode_multipath, action_decode_note, action_decode_exit,
    action_decode_fin_timeout, action_decode_sample, action_decode_sample2, action_decode_sample3,
    action_decode_clone, action_decode_ct_clear, action_decode_meter, action_decode_debug_recirc;

/* action_learn.c, action_ct.c */
decode_fn action_decode_learn, action_decode_learn2, action_decode_ct, action_decode_nat;

/* 0 where a subfield may be written, else the error. */
enum ofperr action_check_writable(const struct mf_subfield *sf);
/* A subfield by its header, with the offset in the high 10 bits of 'ofs_nbits', the number of bits
 * minus 1 in the low 6. */
enum ofperr action_pull_ofs_nbits(struct rd *in, uint16_t ofs_nbits, struct mf_subfield *sf);
/* 0 where all that is left is zero, else the error. */
enum ofperr action_rest_is_zero(struct rd *in);
/* The value and mask of a metadata write. */
enum ofperr action_pull_metadata(struct rd *in, struct ofpacts *out);

#endif
