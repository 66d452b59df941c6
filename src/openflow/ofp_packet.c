// SPDX-License-Identifier: Apache-2.0
/* Packet-in in its six encodings, packet-out in its three, and NXT_RESUME.
 *
 * See ofp_packet.h.  Packet-ins are made by ofproto for each connection; nothing here is on the
 * forwarding path.
 */
#include "openflow/ofp_packet.h"

#include "base/util.h"
#include "openflow/nxm.h"
#include "openflow/ofp_prop.h"

/* Properties of NXT_PACKET_IN2 and NXT_RESUME. */
enum nxpint {
    NXPINT_PACKET = 0,
    NXPINT_FULL_LEN = 1,
    NXPINT_BUFFER_ID = 2,
    NXPINT_TABLE_ID = 3,
    NXPINT_COOKIE = 4,
    NXPINT_REASON = 5,
    NXPINT_METADATA = 6,
    NXPINT_USERDATA = 7,
    NXPINT_CONTINUATION = 8,
};

static const char *const reason_names[OFPR_N_REASONS] = {
    [OFPR_NO_MATCH] = "no_match",     [OFPR_ACTION] = "action",  [OFPR_INVALID_TTL] = "invalid_ttl",
    [OFPR_ACTION_SET] = "action_set", [OFPR_GROUP] = "group",    [OFPR_PACKET_OUT] = "packet_out",
    [OFPR_EXPLICIT_MISS] = "",        [OFPR_IMPLICIT_MISS] = "",
};

const char *
ofp_packet_in_reason_name(enum ofp_packet_in_reason reason)
{
    return reason < OFPR_N_REASONS ? reason_names[reason] : NULL;
}

bool
ofp_packet_in_reason_from_name(const char *name, enum ofp_packet_in_reason *reason)
{
    for (int i = 0; i < OFPR_EXPLICIT_MISS; i++) {
        if (!strcmp(reason_names[i], name)) {
            *reason = i;
            return true;
        }
    }
    return false;
}

enum ofperr
ofp_set_packet_in_format_decode(const struct ofp_msg *msg, enum ofp_packet_in_format *format)
{
    struct rd body = msg->body;
    uint32_t x = rd_u32(&body);

    if (x > OFP_PACKET_IN_NXT2) {
        return OFPERR_OFPBRC_EPERM;
    }
    *format = x;
    return 0;
}

/* Older versions know fewer reasons, and none tells the two kinds of miss apart.  Before OpenFlow
 * 1.3 the flow that takes all misses is a flow like others. */
static uint8_t
reason_to_wire(uint8_t reason, enum ofp_version version)
{
    if (reason == OFPR_EXPLICIT_MISS) {
        return version < OFP13_VERSION ? OFPR_ACTION : OFPR_NO_MATCH;
    }
    if (reason == OFPR_IMPLICIT_MISS) {
        return OFPR_NO_MATCH;
    }
    return version < OFP14_VERSION && reason > OFPR_INVALID_TTL ? OFPR_ACTION : reason;
}

static uint16_t
total_len(const struct ofp_packet_in *pin)
{
    return pin->full_size > UINT16_MAX ? UINT16_MAX : (uint16_t)pin->full_size;
}

static void
encode_std(const struct ofp_packet_in *pin, enum ofp_version version, struct wr *out)
{
    uint8_t reason = reason_to_wire(pin->reason, version);
    ofp_port_t in_port = pin->metadata.flow.ofp_in_port;

    wr_u32(out, pin->buffer_id);
    if (version == OFP11_VERSION) {
        wr_u32(out, ofp_port_to_wire32(in_port));
        wr_u32(out, ofp_port_to_wire32(in_port));
    }
    wr_u16(out, total_len(pin));
    if (version == OFP10_VERSION) {
        wr_u16(out, (uint16_t)in_port);
    }
    wr_u8(out, reason);
    wr_u8(out, version == OFP10_VERSION ? 0 : pin->table_id);
    if (version >= OFP13_VERSION) {
        wr_u64(out, pin->cookie);
    }
    if (version >= OFP12_VERSION) {
        oxm_put_match(out, &pin->metadata, version);
        wr_u16(out, 0);
    }
}

static void
encode_nxt(const struct ofp_packet_in *pin, enum ofp_version version, struct wr *out)
{
    size_t len_ofs, match;

    wr_u32(out, pin->buffer_id);
    wr_u16(out, total_len(pin));
    wr_u8(out, reason_to_wire(pin->reason, version));
    wr_u8(out, pin->table_id);
    wr_u64(out, pin->cookie);
    len_ofs = out->size;
    wr_zeros(out, 8);
    match = out->size;
    nxm_put_match(out, &pin->metadata, 0, 0, 0);
    wr_set_u16(out, len_ofs, (uint16_t)(out->size - match));
    wr_align(out, match, 8);
    wr_u16(out, 0);
}

static void
encode_nxt2(const struct ofp_packet_in *pin, enum ofp_version version, size_t n, struct wr *out)
{
    size_t prop;

    if (n) {
        ofp_prop_put(out, NXPINT_PACKET, pin->packet, n);
    }
    if (n != pin->full_size) {
        ofp_prop_put_u32(out, NXPINT_FULL_LEN, (uint32_t)pin->full_size);
    }
    if (pin->buffer_id != OFP_BUFFER_NONE) {
        ofp_prop_put_u32(out, NXPINT_BUFFER_ID, pin->buffer_id);
    }
    ofp_prop_put_u8(out, NXPINT_TABLE_ID, pin->table_id);
    if (pin->cookie != UINT64_MAX) {
        ofp_prop_put_u64(out, NXPINT_COOKIE, pin->cookie);
    }
    ofp_prop_put_u8(out, NXPINT_REASON, reason_to_wire(pin->reason, version));
    prop = ofp_prop_begin(out, NXPINT_METADATA);
    nxm_put_match(out, &pin->metadata, version, 0, 0);
    ofp_prop_end(out, prop);
    if (pin->continuation) {
        prop = ofp_prop_begin(out, NXPINT_CONTINUATION);
        wr_u32(out, 0); /* What is inside are properties again, aligned to 8. */
        wr_bytes(out, pin->continuation, pin->continuation_size);
        ofp_prop_end(out, prop);
    }
    if (pin->userdata_size) {
        ofp_prop_put(out, NXPINT_USERDATA, pin->userdata, pin->userdata_size);
    }
}

void
ofp_packet_in_encode(const struct ofp_packet_in *pin, enum ofp_version version,
                     enum ofp_packet_in_format format, uint16_t max_len, struct wr *out)
{
    enum ofp_raw std = version == OFP10_VERSION   ? OFPRAW_OFPT10_PACKET_IN
                       : version == OFP11_VERSION ? OFPRAW_OFPT11_PACKET_IN
                       : version == OFP12_VERSION ? OFPRAW_OFPT12_PACKET_IN
                                                  : OFPRAW_OFPT13_PACKET_IN;
    enum ofp_raw raw = format == OFP_PACKET_IN_NXT2  ? OFPRAW_NXT_PACKET_IN2
                       : format == OFP_PACKET_IN_NXT ? OFPRAW_NXT_PACKET_IN
                                                     : std;
    size_t start = ofp_msg_begin(out, raw, version, 0);
    size_t n = max_len == OFP_MAX_LEN_NO_BUFFER ? pin->packet_size
                                                : MIN(pin->packet_size, (size_t)max_len);

    /* Leave room for the headers and what else a message may hold. */
    n = MIN(n, (size_t)(OFP_MSG_MAX - 4096));
    if (raw == OFPRAW_NXT_PACKET_IN2) {
        encode_nxt2(pin, version, n, out);
    } else {
        if (raw == OFPRAW_NXT_PACKET_IN) {
            encode_nxt(pin, version, out);
        } else {
            encode_std(pin, version, out);
        }
        wr_bytes(out, pin->packet, n);
    }
    if (out->size - start > OFP_MSG_MAX) {
        wr_truncate(
            out, start); /* Userdata and continuation alone are too long: nobody can receive it. */
        return;
    }
    ofp_msg_end(out, start);
}

static enum ofperr
decode_std(const struct ofp_msg *msg, struct rd *in, struct ofp_packet_in *pin)
{
    enum ofperr error = 0;
    uint32_t in_port = 0;

    pin->buffer_id = rd_u32(in);
    if (msg->version == OFP11_VERSION) {
        in_port = rd_u32(in);
        rd_skip(in, 4);
    }
    pin->full_size = rd_u16(in);
    if (msg->version == OFP10_VERSION) {
        in_port = rd_u16(in);
    }
    pin->reason = rd_u8(in);
    pin->table_id = rd_u8(in);
    if (msg->version >= OFP13_VERSION) {
        pin->cookie = rd_u64(in);
    }
    if (msg->version >= OFP12_VERSION) {
        error = oxm_pull_match(in, true, &pin->metadata);
        rd_skip(in, 2);
    } else {
        ofp_port_t port = in_port;

        if (msg->version == OFP11_VERSION && !ofp_port_from_wire32(in_port, &port)) {
            return OFPERR_OFPBRC_BAD_PORT;
        }
        match_set_in_port(&pin->metadata, port);
    }
    return error;
}

static enum ofperr
decode_nxt(struct rd *in, struct ofp_packet_in *pin)
{
    uint16_t match_len;
    struct rd match;

    pin->buffer_id = rd_u32(in);
    pin->full_size = rd_u16(in);
    pin->reason = rd_u8(in);
    pin->table_id = rd_u8(in);
    pin->cookie = rd_u64(in);
    match_len = rd_u16(in);
    rd_skip(in, 6);
    match = rd_sub(in, match_len);
    rd_skip(in, OFP_ROUND8(match_len) - match_len + 2);
    return rd_ok(in) ? nxm_pull_match(&match, true, &pin->metadata, NULL, NULL)
                     : OFPERR_OFPBRC_BAD_LEN;
}

static enum ofperr
decode_nxt2_prop(struct ofp_prop *prop, struct ofp_packet_in *pin)
{
    enum ofperr error;
    uint32_t x;

    switch (prop->type) {
    case NXPINT_PACKET:
        pin->packet = prop->body.p;
        pin->packet_size = rd_left(&prop->body);
        return 0;
    case NXPINT_FULL_LEN:
        error = ofp_prop_u32(prop, &x);
        pin->full_size = x;
        return error;
    case NXPINT_BUFFER_ID:
        return ofp_prop_u32(prop, &pin->buffer_id);
    case NXPINT_TABLE_ID:
        return ofp_prop_u8(prop, &pin->table_id);
    case NXPINT_COOKIE:
        return ofp_prop_u64(prop, &pin->cookie);
    case NXPINT_REASON:
        error = ofp_prop_u8(prop, &pin->reason);
        return error ? error : pin->reason < OFPR_N_REASONS ? 0 : OFPERR_OFPBPC_BAD_VALUE;
    case NXPINT_METADATA:
        return nxm_pull_match(&prop->body, true, &pin->metadata, NULL, NULL);
    case NXPINT_USERDATA:
        pin->userdata = prop->body.p;
        pin->userdata_size = rd_left(&prop->body);
        return 0;
    case NXPINT_CONTINUATION:
        rd_skip(&prop->body, 4);
        pin->continuation = prop->body.p;
        pin->continuation_size = rd_left(&prop->body);
        return rd_ok(&prop->body) ? 0 : OFPERR_OFPBPC_BAD_LEN;
    default:
        return ofp_prop_unknown(prop);
    }
}

static enum ofperr
decode_nxt2(struct rd *in, struct ofp_packet_in *pin)
{
    while (rd_left(in)) {
        struct ofp_prop prop;
        enum ofperr error = ofp_prop_pull(in, &prop);

        error = error ? error : decode_nxt2_prop(&prop, pin);
        if (error) {
            return error;
        }
    }
    if (!pin->full_size) {
        pin->full_size = pin->packet_size;
    }
    return pin->full_size < pin->packet_size ? OFPERR_OFPBRC_BAD_LEN : 0;
}

static void
packet_in_init(struct ofp_packet_in *pin)
{
    *pin = (struct ofp_packet_in){
        .buffer_id = OFP_BUFFER_NONE, .reason = OFPR_ACTION, .cookie = UINT64_MAX};
}

enum ofperr
ofp_packet_in_decode(const struct ofp_msg *msg, struct ofp_packet_in *pin)
{
    struct rd in = msg->body;
    enum ofperr error;

    packet_in_init(pin);
    if (msg->raw == OFPRAW_NXT_PACKET_IN2) {
        return decode_nxt2(&in, pin);
    }
    error = msg->raw == OFPRAW_NXT_PACKET_IN ? decode_nxt(&in, pin) : decode_std(msg, &in, pin);
    if (error || !rd_ok(&in)) {
        return error ? error : OFPERR_OFPBRC_BAD_LEN;
    }
    pin->packet = in.p;
    pin->packet_size = rd_left(&in);
    return 0;
}

enum ofperr
ofp_resume_decode(const struct ofp_msg *msg, struct ofp_packet_in *pin)
{
    struct rd in = msg->body;
    enum ofperr error;

    packet_in_init(pin);
    error = decode_nxt2(&in, pin);
    return error ? error : pin->continuation ? 0 : OFPERR_NXR_STALE;
}

/* Packet-out. */

void
ofp_packet_out_fini(struct ofp_packet_out *po)
{
    ofpacts_fini(&po->actions);
}

/* A packet-out may set what OpenFlow's pipeline carries beside the packet, but neither a header
 * field nor what the datapath found out. */
static bool
is_pipeline_field(enum mf_id id)
{
    return (id >= MF_TUN_ID && id <= MF_PACKET_TYPE) || (id >= MF_REG0 && id <= MF_XXREG3);
}

static enum ofperr
set_metadata15(const struct match *match, struct flow *flow)
{
    for (int id = 0; id < MF_N_IDS; id++) {
        const struct mf_field *mf = mf_from_id(id);

        if (!is_pipeline_field(id) && mf_match_prereqs_ok(mf, match) &&
            !mf_is_all_wild(mf, &match->mask)) {
            return OFPERR_OFPBRC_PIPELINE_FIELDS_ONLY;
        }
    }
    *flow = match->flow;
    return match->mask.bits.ofp_in_port ? 0 : OFPERR_OFPBRC_BAD_PORT;
}

static bool
in_port_is_valid(ofp_port_t port)
{
    return port < OFPP_MAX || port == OFPP_LOCAL || port == OFPP_NONE || port == OFPP_CONTROLLER;
}

enum ofperr
ofp_packet_out_decode(const struct ofp_msg *msg, struct ofp_packet_out *po)
{
    struct ofpacts actions = po->actions;
    struct rd in = msg->body, acts;
    enum ofperr error = 0;
    uint16_t actions_len;

    *po = (struct ofp_packet_out){.actions = actions};
    ofpacts_clear(&po->actions);
    po->buffer_id = rd_u32(&in);
    if (msg->raw == OFPRAW_OFPT15_PACKET_OUT) {
        struct match match;

        actions_len = rd_u16(&in);
        rd_skip(&in, 2);
        error = oxm_pull_match(&in, false, &match);
        error = error ? error : set_metadata15(&match, &po->flow);
    } else if (msg->raw == OFPRAW_OFPT11_PACKET_OUT) {
        if (!ofp_port_from_wire32(rd_u32(&in), &po->flow.ofp_in_port)) {
            error = OFPERR_OFPBRC_BAD_PORT;
        }
        actions_len = rd_u16(&in);
        rd_skip(&in, 6);
    } else {
        po->flow.ofp_in_port = rd_u16(&in);
        actions_len = rd_u16(&in);
    }
    if (!error && !in_port_is_valid(po->flow.ofp_in_port)) {
        error = OFPERR_OFPBRC_BAD_PORT;
    }
    acts = rd_sub(&in, actions_len);
    if (error || !rd_ok(&in)) {
        return error ? error : OFPERR_OFPBRC_BAD_LEN;
    }
    if (po->buffer_id == OFP_BUFFER_NONE) {
        po->packet = in.p;
        po->packet_size = rd_left(&in);
    }
    return ofpacts_decode(&acts, msg->version, &po->actions);
}
