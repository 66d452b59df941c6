// SPDX-License-Identifier: Apache-2.0
/* Messages about queues: configuration (QUEUE_GET_CONFIG, QUEUE_DESC) and statistics.  Pure
 * functions; any thread. */
#ifndef OPENFLOW_OFP_QUEUE_H
#define OPENFLOW_OFP_QUEUE_H 1

#include "openflow/ofp_msg.h"

/* A request for a port's queues; OFPP_NONE and OFP_QUEUE_ALL mean all. */
struct ofp_queue_request {
    ofp_port_t port_no;
    uint32_t queue_id;
};
enum ofperr ofp_queue_stats_request_decode(const struct ofp_msg *msg, struct ofp_queue_request *qr);
enum ofperr ofp_queue_config_request_decode(const struct ofp_msg *msg,
                                            struct ofp_queue_request *qr);

/* The reply is one message up to OpenFlow 1.3 and a multipart since; these write either.  'port_no'
 * is the request's. */
struct ofp_queue_reply {
    struct ofp_mp mp;
    bool is_multipart;
    size_t start;
};
void ofp_queue_config_reply_begin(struct ofp_queue_reply *reply, const struct ofp_msg *request,
                                  ofp_port_t port_no, struct wr *out);
void ofp_queue_config_reply_end(struct ofp_queue_reply *reply);

#endif
