// SPDX-License-Identifier: Apache-2.0
/* Queues: configuration and statistics in every version.  See ofp_queue.h.
 *
 * Layouts: OpenFlow 1.0.0 sections 5.2.2 and 5.3.4, OpenFlow 1.2 section A.3.6, OpenFlow 1.4
 * section 7.3.5.8.
 */
#include "openflow/ofp_queue.h"

#include "openflow/ofp_prop.h"

#define PROP_MIN_RATE 1u
#define PROP_MAX_RATE 2u
#define RATE_MAX 1000u

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
ofp_queue_stats_encode(struct ofp_mp *mp, const struct ofp_queue_stats *s)
{
    struct wr *out = mp->out;

    if (mp->version >= OFP14_VERSION) {
        wr_u16(out, 48);
        wr_zeros(out, 6);
    }
    if (mp->version == OFP10_VERSION) {
        wr_u16(out, (uint16_t)s->port_no);
        wr_u16(out, 0);
    } else {
        wr_u32(out, ofp_port_to_wire32(s->port_no));
    }
    wr_u32(out, s->queue_id);
    wr_u64(out, s->tx_bytes);
    wr_u64(out, s->tx_packets);
    wr_u64(out, s->tx_errors);
    if (mp->version >= OFP13_VERSION) {
        wr_u32(out, s->duration_sec);
        wr_u32(out, s->duration_nsec);
    }
    ofp_mp_commit(mp);
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

static void
put_rate(struct wr *out, uint16_t type, uint16_t rate, enum ofp_version version)
{
    if (rate > RATE_MAX) {
        return;
    }
    if (version >= OFP14_VERSION) {
        wr_u16(out, type);
        wr_u16(out, 8);
        wr_u16(out, rate);
        wr_u16(out, 0);
    } else {
        wr_u16(out, type);
        wr_u16(out, 16);
        wr_u32(out, 0);
        wr_u16(out, rate);
        wr_zeros(out, 6);
    }
}

void
ofp_queue_config_encode(struct ofp_queue_reply *reply, const struct ofp_queue_config *c)
{
    enum ofp_version version = reply->mp.version;
    struct wr *out = reply->mp.out;
    size_t start = out->size, len_ofs;

    if (version >= OFP14_VERSION) {
        wr_u32(out, ofp_port_to_wire32(c->port_no));
        wr_u32(out, c->queue_id);
    } else {
        wr_u32(out, c->queue_id);
        if (version >= OFP12_VERSION) {
            wr_u32(out, ofp_port_to_wire32(c->port_no));
        }
    }
    len_ofs = out->size;
    wr_zeros(out, version >= OFP12_VERSION ? 8 : 4);
    put_rate(out, PROP_MIN_RATE, c->min_rate, version);
    put_rate(out, PROP_MAX_RATE, c->max_rate, version);
    wr_set_u16(out, len_ofs, (uint16_t)(out->size - start));
    if (reply->is_multipart) {
        ofp_mp_commit(&reply->mp);
    } else if (out->size - reply->start > OFP_MSG_MAX) {
        wr_truncate(out, start); /* One message is all that there may be. */
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
