// SPDX-License-Identifier: Apache-2.0
/* Bundles: OpenFlow 1.4 section 7.3.9, and the ONF extension (experimenter types 2300 and 2301)
 * at 1.3.
 *
 * See ofp_bundle.h.
 */
#include "openflow/ofp_bundle.h"

enum ofperr
ofp_bundle_ctrl_decode(const struct ofp_msg *msg, struct ofp_bundle_ctrl *bc)
{
    struct rd in = msg->body;

    bc->bundle_id = rd_u32(&in);
    bc->type = rd_u16(&in);
    bc->flags = rd_u16(&in);
    if (bc->type > OFPBCT_DISCARD_REPLY) {
        return OFPERR_OFPBFC_BAD_TYPE;
    }
    return bc->flags & ~(OFPBF_ATOMIC | OFPBF_ORDERED) ? OFPERR_OFPBFC_BAD_FLAGS : 0;
}

void
ofp_bundle_ctrl_encode(const struct ofp_bundle_ctrl *bc, enum ofp_version version, uint32_t xid,
                       struct wr *out)
{
    enum ofp_raw raw;
    size_t start;

    if (!ofp_raw_for(OFPTYPE_BUNDLE_CONTROL, version, &raw)) {
        return;
    }
    start = ofp_msg_begin(out, raw, version, xid);
    wr_u32(out, bc->bundle_id);
    wr_u16(out, bc->type);
    wr_u16(out, bc->flags);
    ofp_msg_end(out, start);
}

static bool
may_be_bundled(enum ofp_type type)
{
    return type == OFPTYPE_FLOW_MOD || type == OFPTYPE_GROUP_MOD || type == OFPTYPE_PORT_MOD ||
           type == OFPTYPE_PACKET_OUT;
}

enum ofperr
ofp_bundle_add_decode(const struct ofp_msg *msg, struct ofp_bundle_add *ba)
{
    struct rd in = msg->body;
    size_t inner_size;
    enum ofperr error;

    *ba = (struct ofp_bundle_add){.bundle_id = rd_u32(&in)};
    rd_skip(&in, 2);
    ba->flags = rd_u16(&in);
    if (rd_left(&in) < OFP_HEADER_SIZE) {
        return OFPERR_OFPBFC_MSG_BAD_LEN;
    }
    inner_size = ofp_msg_size(in.p);
    if (inner_size < OFP_HEADER_SIZE || inner_size > rd_left(&in)) {
        return OFPERR_OFPBFC_MSG_BAD_LEN;
    }
    error = ofp_msg_decode(in.p, inner_size, &ba->msg);
    ba->msg.body.options = msg->body.options;
    if (ba->msg.version != msg->version) {
        return OFPERR_OFPBFC_BAD_VERSION;
    }
    if (ba->msg.xid != msg->xid) {
        return OFPERR_OFPBFC_MSG_BAD_XID;
    }
    if (ba->flags & ~(OFPBF_ATOMIC | OFPBF_ORDERED)) {
        return OFPERR_OFPBFC_BAD_FLAGS;
    }
    return error ? error : may_be_bundled(ba->msg.type) ? 0 : OFPERR_OFPBFC_MSG_UNSUP;
}
