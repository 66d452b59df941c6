// SPDX-License-Identifier: Apache-2.0
/* Actions that send a frame somewhere, to bytes: output in its forms, controller, bundle and
 * queues. */
#include "openflow/action_encode.h"
#include "openflow/nxm.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_prop.h"

void
action_encode_output(ofp_port_t port, uint16_t max_len, enum ofp_version version, struct wr *out)
{
    size_t start = action_begin(out, 0);

    if (version == OFP10_VERSION) {
        wr_u16(out, (uint16_t)port);
        wr_u16(out, max_len);
        action_end(out, start, 8);
    } else {
        wr_u32(out, ofp_port_to_wire32(port));
        wr_u16(out, max_len);
        action_end(out, start, 16);
    }
}

void
action_encode_set_queue(uint32_t queue, enum ofp_version version, struct wr *out)
{
    if (version == OFP10_VERSION) {
        action_put_nx_u32(out, NXAST_SET_QUEUE, queue);
    } else {
        action_put_u32(out, OFPAT11_SET_QUEUE, queue);
    }
}

void
action_encode_enqueue(const struct ofpact_enqueue *a, enum ofp_version version, struct wr *out)
{
    size_t start;

    if (version > OFP10_VERSION) {
        action_encode_set_queue(a->queue, version, out);
        action_encode_output(a->port, 0, version, out);
        action_put_empty_nx(out, NXAST_POP_QUEUE);
        return;
    }
    start = action_begin(out, OFPAT10_ENQUEUE);
    wr_u16(out, a->port);
    wr_zeros(out, 6);
    wr_u32(out, a->queue);
    action_end(out, start, 16);
}

static void
encode_controller2(const struct ofpact_controller *a, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_CONTROLLER2);

    wr_zeros(out, 6);
    if (a->max_len != UINT16_MAX) {
        ofp_prop_put_u16(out, NXAC2PT_MAX_LEN, a->max_len);
    }
    if (a->controller_id) {
        ofp_prop_put_u16(out, NXAC2PT_CONTROLLER_ID, a->controller_id);
    }
    if (a->reason != OFPR_ACTION) {
        ofp_prop_put_u8(out, NXAC2PT_REASON, a->reason);
    }
    if (a->userdata_len) {
        ofp_prop_put(out, NXAC2PT_USERDATA, a->userdata, a->userdata_len);
    }
    if (a->pause) {
        ofp_prop_end(out, ofp_prop_begin(out, NXAC2PT_PAUSE));
    }
    if (a->meter_id != OFP_METER_NONE) {
        ofp_prop_put_u32(out, NXAC2PT_METER_ID, a->meter_id);
    }
    action_end(out, start, 16);
}

void
action_encode_controller(const struct ofpact_controller *a, struct wr *out)
{
    size_t start;

    if (a->userdata_len || a->pause || a->meter_id != OFP_METER_NONE ||
        a->ofpact.raw == OFPACT_RAW_CONTROLLER2) {
        encode_controller2(a, out);
        return;
    }
    start = action_begin_nx(out, NXAST_CONTROLLER);
    wr_u16(out, a->max_len);
    wr_u16(out, a->controller_id);
    wr_u8(out, a->reason);
    action_end(out, start, 16);
}

void
action_encode_output_reg(const struct ofpact_output_reg *a, struct wr *out)
{
    bool wide = nxm_header_size(a->src.field, 0) != 4;
    size_t start = action_begin_nx(out, wide ? NXAST_OUTPUT_REG2 : NXAST_OUTPUT_REG);

    wr_u16(out, action_ofs_nbits(&a->src));
    if (wide) {
        wr_u16(out, a->max_len);
    }
    nxm_put_header(out, a->src.field, false, 0);
    if (!wide) {
        wr_u16(out, a->max_len);
    }
    action_end(out, start, 24);
}

void
action_encode_output_trunc(const struct ofpact_output_trunc *a, struct wr *out)
{
    size_t start = action_begin_nx(out, NXAST_OUTPUT_TRUNC);

    wr_u16(out, a->port);
    wr_u32(out, a->max_len);
    action_end(out, start, 16);
}

void
action_encode_bundle(const struct ofpact_bundle *a, struct wr *out)
{
    size_t start = action_begin_nx(out, a->dst.n_bits ? NXAST_BUNDLE_LOAD : NXAST_BUNDLE);

    wr_u16(out, a->algorithm);
    wr_u16(out, a->fields);
    wr_u16(out, a->basis);
    nxm_put_header(out, mf_from_id(MF_IN_PORT), false, 0);
    wr_u16(out, a->n_members);
    if (a->dst.n_bits) {
        wr_u16(out, action_ofs_nbits(&a->dst));
        nxm_put_header(out, a->dst.field, false, 0);
    } else {
        wr_zeros(out, 6);
    }
    wr_zeros(out, 4);
    for (int i = 0; i < a->n_members; i++) {
        wr_u16(out, a->members[i]);
    }
    action_end(out, start, 32);
}
