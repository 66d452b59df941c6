// SPDX-License-Identifier: Apache-2.0
/*
 * connmgr_tell.c - what all connections of a bridge are told: packets, flows, ports, tables, and
 * what others asked for.  Each decides for itself if it wants to know.  Main thread.
 */
#include "ofproto/connmgr_int.h"

void
connmgr_send_flow_removed(struct connmgr *mgr, const struct rule *r, uint8_t reason)
{
    for (struct ofconn *c = mgr ? mgr->conns : NULL; c; c = c->next) {
        ofconn_send_flow_removed(c, r, reason);
    }
}

void
connmgr_forward_request(struct connmgr *mgr, const struct ofconn *from, const struct ofp_msg *msg)
{
    bool is_group = msg->type == OFPTYPE_GROUP_MOD;

    if (!is_group && msg->type != OFPTYPE_METER_MOD) {
        return;
    }
    for (struct ofconn *c = mgr->conns; c; c = c->next) {
        /* The request goes on as it came, so only to those who speak that version. */
        if (c != from && c->version == msg->version &&
            ofconn_wants(c, OFP_ASYNC_REQUESTFORWARD,
                         is_group ? OFPRFR_GROUP_MOD : OFPRFR_METER_MOD)) {
            ofp_requestforward_encode(msg->data, msg->size, (enum ofp_version)c->version, &c->out);
            ofconn_flush(c);
        }
    }
}

bool
connmgr_has_monitors(const struct connmgr *mgr)
{
    for (const struct ofconn *c = mgr->conns; c; c = c->next) {
        if (c->monitors) {
            return true;
        }
    }
    return false;
}

void
connmgr_for_each_of(struct connmgr *mgr, const struct controller *ctl, void (*fn)(struct ofconn *))
{
    for (struct ofconn *c = mgr->conns; c; c = c->next) {
        if (c->controller == ctl) {
            fn(c);
        }
    }
}

void
connmgr_set_request(struct connmgr *mgr, const struct ofconn *c, uint32_t xid)
{
    mgr->requester = c;
    mgr->request_xid = xid;
}

void
connmgr_monitor_report(struct connmgr *mgr, struct rule_event event)
{
    struct match match;

    event.requester = mgr->requester;
    event.request_xid = mgr->request_xid;
    cls_rule_get_match(&event.rule->cls, &match);
    for (struct ofconn *c = mgr->conns; c; c = c->next) {
        ofconn_monitor_report(c, &event, &match);
    }
}

void
connmgr_monitor_flush(struct connmgr *mgr)
{
    for (struct ofconn *c = mgr->conns; c; c = c->next) {
        ofconn_monitor_flush(c);
    }
}

void
connmgr_send_table_status(struct connmgr *mgr, const struct ofp_table_desc *desc, uint8_t reason)
{
    for (struct ofconn *c = mgr ? mgr->conns : NULL; c; c = c->next) {
        ofconn_send_table_status(c, desc, reason);
    }
}

void
connmgr_send_port_status(struct connmgr *mgr, const struct ofp_port *port,
                         enum ofp_port_reason reason)
{
    for (struct ofconn *c = mgr->conns; c; c = c->next) {
        ofconn_send_port_status(c, port, reason);
    }
}

size_t
connmgr_most_backlog(const struct connmgr *mgr)
{
    size_t most = 0;

    for (const struct ofconn *c = mgr ? mgr->conns : NULL; c; c = c->next) {
        most = MAX(most, c->stream ? stream_backlog(c->stream) : 0);
    }
    return most;
}

void
connmgr_send_packet_in(struct connmgr *mgr, const struct ofproto_packet_in *pin)
{
    for (struct ofconn *c = mgr->conns; c; c = c->next) {
        ofconn_send_packet_in(c, pin);
    }
}
