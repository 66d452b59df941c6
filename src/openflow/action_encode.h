// SPDX-License-Identifier: Apache-2.0
/* What action_encode.c and its neighbours share.  Private to the codec.
 *
 * An action begins with action_begin() or action_begin_nx(), which return its offset; action_end()
 * pads it to at least 'min' bytes and to a multiple of 8 and fixes its length.
 */
#ifndef OPENFLOW_ACTION_ENCODE_H
#define OPENFLOW_ACTION_ENCODE_H 1

#include "openflow/action_wire.h"

/* action_put.c */
size_t action_begin(struct wr *out, uint16_t type);
size_t action_begin_nx(struct wr *out, enum nxast subtype);
void action_end(struct wr *out, size_t start, size_t min);
void action_put_empty(struct wr *out, uint16_t type);
void action_put_empty_nx(struct wr *out, enum nxast subtype);
void action_put_u16(struct wr *out, uint16_t type, uint16_t x);
void action_put_u8(struct wr *out, uint16_t type, uint8_t x);
void action_put_u32(struct wr *out, uint16_t type, uint32_t x);
void action_put_nx_u8(struct wr *out, enum nxast subtype, uint8_t x);
void action_put_nx_u16(struct wr *out, enum nxast subtype, uint16_t x);
void action_put_nx_u32(struct wr *out, enum nxast subtype, uint32_t x);
uint16_t action_ofs_nbits(const struct mf_subfield *sf);
uint16_t action_pick(enum ofp_version version, enum ofpat10 of10, enum ofpat11 of11);
void action_put_mac(struct wr *out, uint16_t type, const void *mac);
void action_put_ipv4(struct wr *out, uint16_t type, const void *ipv4);

/* action_encode_field.c */
void action_encode_set_field(const struct ofpact_set_field *a, enum ofp_version version,
                             struct wr *out);
void action_put_set_field(const struct ofpact_set_field *a, enum ofp_version version,
                          struct wr *out);
void action_put_field(enum mf_id id, uint64_t x, enum ofp_version version, struct wr *out);
void action_put_field_load(enum mf_id id, uint8_t x, struct wr *out);
void action_encode_set_tunnel(const struct ofpact_tunnel *a, enum ofp_version version,
                              struct wr *out);
void action_encode_move(const struct ofpact_reg_move *a, enum ofp_version version, struct wr *out);
void action_encode_stack(const struct ofpact_stack *a, struct wr *out);
void action_encode_check_pkt(const struct ofpact_check_pkt *a, struct wr *out);
void action_encode_delete_field(const struct ofpact_delete_field *a, struct wr *out);
void action_encode_metadata_action(const struct ofpact_metadata *a, enum ofp_version version,
                                   struct wr *out);

/* action_encode_output.c */
void action_encode_output(ofp_port_t port, uint16_t max_len, enum ofp_version version,
                          struct wr *out);
void action_encode_set_queue(uint32_t queue, enum ofp_version version, struct wr *out);
void action_encode_enqueue(const struct ofpact_enqueue *a, enum ofp_version version,
                           struct wr *out);
void action_encode_controller(const struct ofpact_controller *a, struct wr *out);
void action_encode_output_reg(const struct ofpact_output_reg *a, struct wr *out);
void action_encode_output_trunc(const struct ofpact_output_trunc *a, struct wr *out);
void action_encode_bundle(const struct ofpact_bundle *a, struct wr *out);

/* action_encode_header.c */
void action_encode_header_change(const struct ofpact *a, enum ofp_version version, struct wr *out);

/* action_encode_pipeline.c */
void action_put_resubmit(ofp_port_t port, uint8_t table_id, enum nxast subtype, struct wr *out);
void action_encode_resubmit(const struct ofpact_resubmit *a, struct wr *out);
void action_encode_conjunction(const struct ofpact_conjunction *a, struct wr *out);
void action_encode_multipath(const struct ofpact_multipath *a, struct wr *out);
void action_encode_note(const struct ofpact_note *a, struct wr *out);
void action_encode_sample(const struct ofpact_sample *a, struct wr *out);
void action_encode_clone(const struct ofpact_nest *a, enum ofp_version version, struct wr *out);
void action_encode_fin_timeout(const struct ofpact_fin_timeout *a, struct wr *out);

/* action_encode.c */
void action_encode_one(const struct ofpact *a, enum ofp_version version, struct wr *out);

#endif
