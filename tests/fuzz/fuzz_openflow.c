// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as an OpenFlow message of any version: an error, or structs.  What a flow-mod says must
 * survive being written and read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/option.h"
#include "flow/text.h"
#include "openflow/nxm.h"
#include "openflow/ofp_bundle.h"
#include "openflow/ofp_continuation.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_group.h"
#include "openflow/ofp_meter.h"
#include "openflow/ofp_monitor.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_port.h"
#include "openflow/ofp_queue.h"
#include "openflow/ofp_switch.h"
#include "openflow/ofp_table.h"
#include "openflow/ofp_text.h"
#include "openflow/ofp_tlv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A bridge's map: tun_metadata0 to 2, and 7, of 4, 8, 16 and 4 bytes. */
static const struct mf_options options = {
    .at = {[0] = {0, 1}, [1] = {1, 2}, [2] = {3, 4}, [7] = {24, 1}},
};

static void
format_actions(const struct ofpacts *acts)
{
    struct text t = {0};

    ofpacts_format(ofpacts_data(acts), acts->size, NULL, &t);
    text_fini(&t);
}

/* What a match says of tunnel options survives. */
static void
try_match(const struct match *match)
{
    const size_t ofs = offsetof(struct flow, option_values), n = sizeof(struct flow) - ofs;
    struct match only, back;
    struct wr out = {0};
    struct rd in;

    match_init_any(&only);
    memcpy((char *)&only.flow + ofs, (const char *)&match->flow + ofs, n);
    memcpy((char *)&only.mask + ofs, (const char *)&match->mask + ofs, n);
    oxm_put_match(&out, &only, OFP15_VERSION);
    in = rd_init(out.data, out.size);
    in.options = &options;
    if (oxm_pull_match(&in, false, &back) || !match_equal(&only, &back)) {
        fprintf(stderr, "the options of a match do not survive\n");
        abort();
    }
    wr_fini(&out);
}

static void
try_flow_mod(const struct ofp_msg *msg)
{
    struct ofp_flow_mod fm = {0};

    if (!ofp_flow_mod_decode(msg, true, &fm)) {
        struct ofpacts_check check = {.match = &fm.match,
                                      .max_ports = OFPP_MAX,
                                      .table_id = 0,
                                      .n_tables = 254,
                                      .version = msg->version};
        struct wr out = {0};

        format_actions(&fm.actions);
        ofpacts_options(ofpacts_data(&fm.actions), fm.actions.size);
        ofpacts_check((struct ofpact *)(void *)fm.actions.data, fm.actions.size, &check);
        ofp_flow_mod_encode(&fm, msg->version, true, true, msg->xid, &out);
        wr_fini(&out);
        try_match(&fm.match);
    }
    ofp_flow_mod_fini(&fm);
}

static void
try_resume(const struct ofp_msg *msg)
{
    struct ofp_continuation c = {0};
    struct ofp_packet_in pin = {0};
    struct wr out = {0};
    struct rd in;

    if (ofp_resume_decode(msg, &pin)) {
        return;
    }
    in = rd_init(pin.continuation, pin.continuation_size);
    in.options = &options;
    if (!ofp_continuation_decode(&in, msg->version, &c)) {
        for (size_t i = 0; i < c.n_parts; i++) {
            format_actions(&c.parts[i].actions);
        }
        ofp_continuation_encode(&c, msg->version, &options, &out);
    }
    wr_fini(&out);
    ofp_continuation_fini(&c);
}

static void
try_packet(const struct ofp_msg *msg)
{
    struct ofp_packet_out po = {0};
    struct ofp_packet_in pin = {0};

    if (msg->type == OFPTYPE_PACKET_OUT) {
        if (!ofp_packet_out_decode(msg, &po)) {
            format_actions(&po.actions);
        }
        ofp_packet_out_fini(&po);
    } else if (msg->type == OFPTYPE_RESUME) {
        try_resume(msg);
    } else {
        ofp_packet_in_decode(msg, &pin);
    }
}

static void
try_group_or_meter(const struct ofp_msg *msg)
{
    struct ofp_group group = {0};
    struct ofp_meter_config config = {0};
    enum ofp_meter_command command;

    if (msg->type == OFPTYPE_GROUP_MOD) {
        ofp_group_mod_decode(msg, &group);
        ofp_group_fini(&group);
    } else {
        ofp_meter_mod_decode(msg, &command, &config);
        ofp_meter_config_fini(&config);
    }
}

/* Requests for statistics and descriptions. */
static void
try_request(const struct ofp_msg *msg)
{
    union {
        struct ofp_flow_stats_request flows;
        struct ofp_flow_monitor_request monitor;
        struct ofp_queue_request queue;
        ofp_port_t port;
        uint32_t id;
        size_t n;
    } u;
    struct rd body = msg->body;

    memset(&u, 0, sizeof u);
    switch ((int)msg->type) {
    case OFPTYPE_FLOW_STATS_REQUEST:
    case OFPTYPE_AGGREGATE_STATS_REQUEST:
        ofp_flow_stats_request_decode(msg, &u.flows);
        break;
    case OFPTYPE_FLOW_MONITOR_REQUEST:
        while (!ofp_flow_monitor_request_decode(msg, &body, &u.monitor)) {
        }
        break;
    case OFPTYPE_FLOW_MONITOR_CANCEL:
        ofp_flow_monitor_cancel_decode(msg, &u.id);
        break;
    case OFPTYPE_PORT_STATS_REQUEST:
        ofp_port_stats_request_decode(msg, &u.port);
        break;
    case OFPTYPE_PORT_DESC_REQUEST:
        ofp_port_desc_request_decode(msg, &u.port);
        break;
    case OFPTYPE_QUEUE_STATS_REQUEST:
        ofp_queue_stats_request_decode(msg, &u.queue);
        break;
    case OFPTYPE_QUEUE_GET_CONFIG_REQUEST:
        ofp_queue_config_request_decode(msg, &u.queue);
        break;
    case OFPTYPE_GROUP_STATS_REQUEST:
        ofp_group_stats_request_decode(msg, &u.id);
        break;
    case OFPTYPE_GROUP_DESC_REQUEST:
        ofp_group_desc_request_decode(msg, &u.id);
        break;
    case OFPTYPE_METER_STATS_REQUEST:
    case OFPTYPE_METER_CONFIG_REQUEST:
        ofp_meter_request_decode(msg, &u.id);
        break;
    case OFPTYPE_TABLE_FEATURES_REQUEST:
        ofp_table_features_request_decode(msg, &u.n);
        break;
    default:
        break;
    }
}

/* What a connection says of itself, and flushes. */
static void
try_setting(const struct ofp_msg *msg)
{
    union {
        struct ofp_ct_flush flush;
        enum ofp_flow_format flow_format;
        enum ofp_packet_in_format packet_in_format;
        uint16_t id;
        bool enable;
    } u;
    enum ofperr error;
    struct rd payload;

    memset(&u, 0, sizeof u);
    switch ((int)msg->type) {
    case OFPTYPE_ERROR:
        ofperr_decode(msg->data, msg->size, &error, &payload);
        break;
    case OFPTYPE_SET_FLOW_FORMAT:
        ofp_set_flow_format_decode(msg, &u.flow_format);
        break;
    case OFPTYPE_FLOW_MOD_TABLE_ID:
        ofp_flow_mod_table_id_decode(msg, &u.enable);
        break;
    case OFPTYPE_SET_PACKET_IN_FORMAT:
        ofp_set_packet_in_format_decode(msg, &u.packet_in_format);
        break;
    case OFPTYPE_SET_CONTROLLER_ID:
        ofp_controller_id_decode(msg, &u.id);
        break;
    case OFPTYPE_CT_FLUSH_ZONE:
    case OFPTYPE_CT_FLUSH:
        ofp_ct_flush_decode(msg, &u.flush);
        break;
    default:
        break;
    }
}

static void
try_small(const struct ofp_msg *msg)
{
    union {
        struct ofp_port_mod port_mod;
        struct ofp_config config;
        struct ofp_role_request role;
        struct ofp_async_config async;
        struct ofp_bundle_ctrl ctrl;
        struct ofp_bundle_add add;
        struct ofp_table_mod table_mod;
        struct ofp_tlv_table_mod tlv_table_mod;
        uint32_t versions;
    } u;

    memset(&u, 0, sizeof u);
    ofp_hello_decode(msg, &u.versions);
    switch ((int)msg->type) {
    case OFPTYPE_PORT_MOD:
        ofp_port_mod_decode(msg, &u.port_mod);
        break;
    case OFPTYPE_SET_CONFIG:
        ofp_config_decode(msg, &u.config);
        break;
    case OFPTYPE_ROLE_REQUEST:
        ofp_role_request_decode(msg, &u.role);
        break;
    case OFPTYPE_SET_ASYNC_CONFIG:
        ofp_async_config_decode(msg, &u.async);
        break;
    case OFPTYPE_BUNDLE_CONTROL:
        ofp_bundle_ctrl_decode(msg, &u.ctrl);
        break;
    case OFPTYPE_BUNDLE_ADD_MESSAGE:
        ofp_bundle_add_decode(msg, &u.add);
        break;
    case OFPTYPE_TABLE_MOD:
        ofp_table_mod_decode(msg, &u.table_mod);
        break;
    case OFPTYPE_TLV_TABLE_MOD:
        ofp_tlv_table_mod_decode(msg, &u.tlv_table_mod);
        free(u.tlv_table_mod.maps);
        break;
    default:
        break;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ofp_msg msg;
    uint8_t *copy;

    if (size < 8 || size > UINT16_MAX) {
        return 0;
    }
    /* A message of just this size, so that one byte too far is seen. */
    copy = malloc(size);
    memcpy(copy, data, size);
    copy[0] = (uint8_t)(1 + copy[0] % 6);
    copy[2] = (uint8_t)(size >> 8);
    copy[3] = (uint8_t)size;
    if (!ofp_msg_decode(copy, size, &msg)) {
        msg.body.options = &options;
        switch ((int)msg.type) {
        case OFPTYPE_FLOW_MOD:
            try_flow_mod(&msg);
            break;
        case OFPTYPE_PACKET_OUT:
        case OFPTYPE_PACKET_IN:
        case OFPTYPE_RESUME:
            try_packet(&msg);
            break;
        case OFPTYPE_GROUP_MOD:
        case OFPTYPE_METER_MOD:
            try_group_or_meter(&msg);
            break;
        default:
            try_small(&msg);
            try_request(&msg);
            try_setting(&msg);
            break;
        }
    }
    free(copy);
    return 0;
}
