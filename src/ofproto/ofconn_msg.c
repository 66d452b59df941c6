// SPDX-License-Identifier: Apache-2.0
/*
 * ofconn_msg.c - which message does what; and those about the switch and the connection itself.
 *
 * Main thread.
 */
#include <stdlib.h>

#include "base/dirs.h"
#include "base/log.h"
#include "ofproto/ofconn.h"
#include "openflow/ofp_tlv.h"

LOG_MODULE(connmgr);

static enum ofp_version
version_of(const struct ofp_msg *msg)
{
    return (enum ofp_version)msg->version;
}

/* --- the switch
 * ---------------------------------------------------------------------------------------- */

static enum ofperr
handle_echo(struct ofconn *c, const struct ofp_msg *msg)
{
    ofp_echo_reply_encode(msg, &c->out);
    return OFPERR_OK;
}

static enum ofperr
handle_features(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_features f;
    size_t start, n;
    struct ofport **ports = ofports_sorted(c->ofproto, &n);

    ofp_features_init(&f, version_of(msg));
    f.datapath_id = c->ofproto->dpid;
    f.n_buffers = 0;
    f.n_tables = OFPROTO_N_TABLES;
    start = ofp_features_begin(&f, version_of(msg), msg->xid, &c->out);
    for (size_t i = 0; i < n; i++) {
        ofp_features_put_port(&ports[i]->desc, version_of(msg), start, &c->out);
    }
    ofp_features_end(start, &c->out);
    free(ports);
    return OFPERR_OK;
}

static enum ofperr
handle_get_config(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_config config = {
        .frag = (enum ofp_frag_handling)c->ofproto->frag,
        .invalid_ttl_to_controller = ofconn_wants_invalid_ttl(c),
        .has_invalid_ttl = msg->version < OFP13_VERSION,
        .miss_send_len = c->miss_send_len,
    };

    ofp_config_encode(&config, OFPTYPE_GET_CONFIG_REPLY, version_of(msg), msg->xid, &c->out);
    return OFPERR_OK;
}

static enum ofperr
handle_set_config(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofproto *p = c->ofproto;
    struct ofp_config config;
    enum ofperr error = ofp_config_decode(msg, &config);

    if (error) {
        return error;
    }
    if (!c->is_primary || c->role != OFPCR_ROLE_SECONDARY) {
        /* Reassembly is not offered: like the deployed switch, keep what was set before. */
        if (config.frag != OFPC_FRAG_REASM && (int)config.frag != (int)p->frag) {
            p->frag = (enum ofproto_frag)config.frag;
            ofproto_view_changed(p);
            ofproto_commit(p);
            c->mod_seq = ofprotos_seq(p->all);
        }
    }
    if (config.has_invalid_ttl) {
        ofconn_set_invalid_ttl(c, config.invalid_ttl_to_controller);
    }
    c->miss_send_len = config.miss_send_len;
    connmgr_miss_changed(c->mgr);
    return OFPERR_OK;
}

static enum ofperr
handle_desc(struct ofconn *c, const struct ofp_msg *msg)
{
    const struct ofproto *p = c->ofproto;
    struct ofp_desc desc = {
        .mfr_desc = "Nicira, Inc.",
        .hw_desc = "Open vSwitch",
        .sw_desc = COMPAT_VERSION,
        .serial_num = p->dp_sn ? p->dp_sn : "None",
        .dp_desc = p->dp_desc ? p->dp_desc : "None",
    };

    ofp_desc_encode(&desc, version_of(msg), msg->xid, &c->out);
    return OFPERR_OK;
}

/* --- the connection
 * --------------------------------------------------------------------------------------- */

static enum ofperr
handle_role(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_role_request rr, reply;
    enum ofperr error = ofp_role_request_decode(msg, &rr);

    if (error) {
        return error;
    }
    if (rr.role != OFPCR_ROLE_NOCHANGE) {
        if (rr.has_generation_id) {
            error = connmgr_check_generation(c->mgr, rr.generation_id);
            if (error) {
                return error;
            }
        }
        c->role = rr.role;
        if (rr.role == OFPCR_ROLE_PRIMARY) {
            connmgr_demote_others(c->mgr, c);
        }
        connmgr_miss_changed(c->mgr);
    }
    reply = (struct ofp_role_request){
        .role = c->role,
        .has_generation_id = connmgr_generation(c->mgr) != UINT64_MAX,
        .generation_id = connmgr_generation(c->mgr),
    };
    ofp_role_reply_encode(&reply, msg, &c->out);
    return OFPERR_OK;
}

static enum ofperr
handle_set_flow_format(struct ofconn *c, const struct ofp_msg *msg)
{
    return ofp_set_flow_format_decode(msg, &c->flow_format);
}

static enum ofperr
handle_flow_mod_table_id(struct ofconn *c, const struct ofp_msg *msg)
{
    return ofp_flow_mod_table_id_decode(msg, &c->table_id_in_command);
}

static enum ofperr
handle_packet_in_format(struct ofconn *c, const struct ofp_msg *msg)
{
    return ofp_set_packet_in_format_decode(msg, &c->pin_format);
}

static enum ofperr
handle_flow_age(struct ofconn *c, const struct ofp_msg *msg)
{
    (void)msg;
    c->flow_age = true;
    return OFPERR_OK;
}

static enum ofperr
handle_controller_id(struct ofconn *c, const struct ofp_msg *msg)
{
    return ofp_controller_id_decode(msg, &c->controller_id);
}

static enum ofperr
handle_set_async(struct ofconn *c, const struct ofp_msg *msg)
{
    enum ofperr error = ofp_async_config_decode(msg, &c->async);

    c->async_is_set |= !error;
    if (!error && !c->is_primary && !c->miss_send_len) {
        c->miss_send_len =
            OFP_DEFAULT_MISS_SEND_LEN; /* Who says what to tell it wants to be told. */
    }
    connmgr_miss_changed(c->mgr);
    return error;
}

static enum ofperr
handle_get_async(struct ofconn *c, const struct ofp_msg *msg)
{
    ofp_async_config_reply_encode(&c->async, version_of(msg), msg->xid, &c->out);
    return OFPERR_OK;
}

static enum ofperr
handle_nothing(struct ofconn *c, const struct ofp_msg *msg)
{
    (void)c;
    (void)msg;
    return OFPERR_OK;
}

/* The first one is for negotiate(); a version once agreed on stays. */
static enum ofperr
handle_hello_again(struct ofconn *c, const struct ofp_msg *msg)
{
    (void)c;
    return msg->version ? OFPERR_OFPBRC_BAD_TYPE : OFPERR_OFPBRC_BAD_VERSION;
}

static enum ofperr
handle_peer_error(struct ofconn *c, const struct ofp_msg *msg)
{
    enum ofperr error = OFPERR_OK;
    struct rd payload;

    if (!ofp_msg_size(msg->data) || ofperr_decode(msg->data, msg->size, &error, &payload)) {
        return OFPERR_OK;
    }
    log_dbg("%s: peer sent error %s", stream_name(c->stream), error ? ofperr_name(error) : "?");
    return OFPERR_OK;
}

/* No connections are tracked by this datapath, so that there are none to forget. */
static enum ofperr
handle_ct_flush(struct ofconn *c, const struct ofp_msg *msg)
{
    struct ofp_ct_flush flush;

    (void)c;
    return ofp_ct_flush_decode(msg, &flush);
}

static enum ofperr
handle_ipfix(struct ofconn *c, const struct ofp_msg *msg)
{
    (void)c;
    (void)msg;
    return OFPERR_NXST_NOT_CONFIGURED;
}

/* --- dispatch
 * ------------------------------------------------------------------------------------------- */

typedef enum ofperr handler_fn(struct ofconn *, const struct ofp_msg *);

static const struct {
    handler_fn *fn;
    bool modifies; /* refused in role secondary; a barrier waits for its effect */
} handlers[] = {
    [OFPTYPE_HELLO] = {handle_hello_again, false},
    [OFPTYPE_ERROR] = {handle_peer_error, false},
    [OFPTYPE_ECHO_REQUEST] = {handle_echo, false},
    [OFPTYPE_ECHO_REPLY] = {handle_nothing, false},
    [OFPTYPE_FEATURES_REQUEST] = {handle_features, false},
    [OFPTYPE_GET_CONFIG_REQUEST] = {handle_get_config, false},
    [OFPTYPE_SET_CONFIG] = {handle_set_config, false},
    [OFPTYPE_PACKET_OUT] = {handle_packet_out, true},
    [OFPTYPE_RESUME] = {handle_resume, false},
    [OFPTYPE_FLOW_MOD] = {handle_flow_mod, true},
    [OFPTYPE_GROUP_MOD] = {handle_group_mod, true},
    [OFPTYPE_PORT_MOD] = {handle_port_mod, true},
    [OFPTYPE_TABLE_MOD] = {handle_table_mod, true},
    [OFPTYPE_QUEUE_GET_CONFIG_REQUEST] = {handle_queue_config, false},
    [OFPTYPE_METER_MOD] = {handle_meter_mod, true},
    [OFPTYPE_METER_STATS_REQUEST] = {handle_meter_request, false},
    [OFPTYPE_METER_CONFIG_REQUEST] = {handle_meter_request, false},
    [OFPTYPE_METER_FEATURES_REQUEST] = {handle_meter_features, false},
    [OFPTYPE_ROLE_REQUEST] = {handle_role, false},
    [OFPTYPE_GET_ASYNC_REQUEST] = {handle_get_async, false},
    [OFPTYPE_SET_ASYNC_CONFIG] = {handle_set_async, false},
    [OFPTYPE_BUNDLE_CONTROL] = {handle_bundle_control, true},
    [OFPTYPE_BUNDLE_ADD_MESSAGE] = {handle_bundle_add, true},
    [OFPTYPE_DESC_REQUEST] = {handle_desc, false},
    [OFPTYPE_FLOW_STATS_REQUEST] = {handle_flow_stats, false},
    [OFPTYPE_AGGREGATE_STATS_REQUEST] = {handle_aggregate_stats, false},
    [OFPTYPE_TABLE_STATS_REQUEST] = {handle_table_stats, false},
    [OFPTYPE_PORT_STATS_REQUEST] = {handle_port_stats, false},
    [OFPTYPE_QUEUE_STATS_REQUEST] = {handle_queue_stats, false},
    [OFPTYPE_GROUP_STATS_REQUEST] = {handle_group_stats, false},
    [OFPTYPE_GROUP_DESC_REQUEST] = {handle_group_desc, false},
    [OFPTYPE_GROUP_FEATURES_REQUEST] = {handle_group_features, false},
    [OFPTYPE_TABLE_FEATURES_REQUEST] = {handle_table_features, false},
    [OFPTYPE_PORT_DESC_REQUEST] = {handle_port_desc, false},
    [OFPTYPE_TABLE_DESC_REQUEST] = {handle_table_desc, false},
    [OFPTYPE_FLOW_MONITOR_REQUEST] = {handle_flow_monitor, false},
    [OFPTYPE_FLOW_MONITOR_CANCEL] = {handle_flow_monitor_cancel, false},
    [OFPTYPE_IPFIX_BRIDGE_REQUEST] = {handle_ipfix, false},
    [OFPTYPE_IPFIX_FLOW_REQUEST] = {handle_ipfix, false},
    [OFPTYPE_TLV_TABLE_MOD] = {handle_tlv_table_mod, true},
    [OFPTYPE_TLV_TABLE_REQUEST] = {handle_tlv_table_request, false},
    [OFPTYPE_CT_FLUSH_ZONE] = {handle_ct_flush, true},
    [OFPTYPE_CT_FLUSH] = {handle_ct_flush, true},
    [OFPTYPE_SET_FLOW_FORMAT] = {handle_set_flow_format, false},
    [OFPTYPE_FLOW_MOD_TABLE_ID] = {handle_flow_mod_table_id, false},
    [OFPTYPE_SET_PACKET_IN_FORMAT] = {handle_packet_in_format, false},
    [OFPTYPE_FLOW_AGE] = {handle_flow_age, false},
    [OFPTYPE_SET_CONTROLLER_ID] = {handle_controller_id, false},
};

enum ofperr
ofconn_handle(struct ofconn *c, const struct ofp_msg *msg)
{
    enum ofperr error;

    if ((size_t)msg->type >= ARRAY_SIZE(handlers) || !handlers[msg->type].fn) {
        return OFPERR_OFPBRC_BAD_TYPE;
    }
    if (handlers[msg->type].modifies && c->role == OFPCR_ROLE_SECONDARY) {
        return OFPERR_OFPBRC_IS_SECONDARY;
    }
    error = handlers[msg->type].fn(c, msg);
    if (handlers[msg->type].modifies && !c->dead) {
        c->mod_seq = ofprotos_seq(c->ofproto->all);
    }
    if (!error) {
        connmgr_forward_request(c->mgr, c, msg);
    }
    return error;
}
