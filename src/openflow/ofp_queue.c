// SPDX-License-Identifier: Apache-2.0
/* Queues: configuration and statistics in every version.  See ofp_queue.h.
 *
 * Layouts: OpenFlow 1.0.0 sections 5.2.2 and 5.3.4, OpenFlow 1.2 section A.3.6, OpenFlow 1.4
 * section 7.3.5.8.
 */
#include "openflow/ofp_queue.h"

enum ofperr
ofp_queue_stats_request_decode(const struct ofp_msg *msg, struct ofp_queue_request *qr)
{
    struct rd in = msg->body;

    if (msg->raw == OFPRAW_OFPST10_QUEUE_REQUEST) {
        qr->port_no = rd_u16(&in);
        rd_skip(&in, 2);
        if (qr->port_no == OFPP_ALL) {
            qr->port_no = OFPP_NONE; /* OpenFlow 1.0's "every port". */
        }
    } else if (!ofp_port_from_wire32(rd_u32(&in), &qr->port_no)) {
        return OFPERR_OFPQOFC_BAD_PORT;
    }
    qr->queue_id = rd_u32(&in);
    return 0;
}

enum ofperr
ofp_queue_config_request_decode(const struct ofp_msg *msg, struct ofp_queue_request *qr)
{
    struct rd in = msg->body;

    qr->queue_id = OFP_QUEUE_ALL;
    if (msg->raw == OFPRAW_OFPT10_QUEUE_GET_CONFIG_REQUEST) {
        qr->port_no = rd_u16(&in);
        return 0;
    }
    if (!ofp_port_from_wire32(rd_u32(&in), &qr->port_no)) {
        return OFPERR_OFPQOFC_BAD_PORT;
    }
    if (msg->raw == OFPRAW_OFPST14_QUEUE_DESC_REQUEST) {
        qr->queue_id = rd_u32(&in);
    }
    return 0;
}

void
ofp_queue_config_reply_begin(struct ofp_queue_reply *reply, const struct ofp_msg *request,
                             ofp_port_t port_no, struct wr *out)
{
    enum ofp_version version = request->version;

    *reply = (struct ofp_queue_reply){.is_multipart = version >= OFP14_VERSION};
    if (reply->is_multipart) {
        ofp_mp_begin(&reply->mp, out, OFPRAW_OFPST14_QUEUE_DESC_REPLY, version, request->xid);
        return;
    }
    reply->mp.out = out;
    reply->mp.version = version;
    reply->start = ofp_msg_begin(out,
                                 version == OFP10_VERSION ? OFPRAW_OFPT10_QUEUE_GET_CONFIG_REPLY
                                                          : OFPRAW_OFPT11_QUEUE_GET_CONFIG_REPLY,
                                 version, request->xid);
    if (version == OFP10_VERSION) {
        wr_u16(out, (uint16_t)port_no);
        wr_zeros(out, 6);
    } else {
        wr_u32(out, ofp_port_to_wire32(port_no));
        wr_zeros(out, 4);
    }
}

void
ofp_queue_config_reply_end(struct ofp_queue_reply *reply)
{
    if (reply->is_multipart) {
        ofp_mp_end(&reply->mp);
    } else {
        ofp_msg_end(reply->mp.out, reply->start);
    }
}
