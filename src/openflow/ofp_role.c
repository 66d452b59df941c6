// SPDX-License-Identifier: Apache-2.0
/* Roles, role-status, asynchronous message configuration and requestforward; see ofp_switch.h.
 *
 * OpenFlow 1.2 section A.3.9 and 1.3 section A.3.10 for the standard messages, OpenFlow 1.4
 * section 7.3.10 for the properties.  Nicira's role message numbers the roles from OTHER (0),
 * PRIMARY (1), SECONDARY (2).
 */
#include "openflow/ofp_flow.h"
#include "openflow/ofp_prop.h"
#include "openflow/ofp_switch.h"

enum ofperr
ofp_role_request_decode(const struct ofp_msg *msg, struct ofp_role_request *rr)
{
    struct rd in = msg->body;
    uint32_t role = rd_u32(&in);

    *rr = (struct ofp_role_request){.role = OFPCR_ROLE_NOCHANGE};
    if (msg->raw == OFPRAW_NXT_ROLE_REQUEST || msg->raw == OFPRAW_NXT_ROLE_REPLY) {
        if (role > 2) {
            return OFPERR_OFPRRFC_BAD_ROLE;
        }
        rr->role = role + 1;
        return 0;
    }
    if (role > OFPCR_ROLE_SECONDARY) {
        return OFPERR_OFPRRFC_BAD_ROLE;
    }
    rd_skip(&in, 4);
    rr->role = role;
    rr->generation_id = rd_u64(&in);
    rr->has_generation_id = role == OFPCR_ROLE_PRIMARY || role == OFPCR_ROLE_SECONDARY;
    return 0;
}

void
ofp_role_reply_encode(const struct ofp_role_request *reply, const struct ofp_msg *request,
                      struct wr *out)
{
    bool nx = request->raw == OFPRAW_NXT_ROLE_REQUEST;
    size_t start = ofp_msg_begin(out, nx ? OFPRAW_NXT_ROLE_REPLY : OFPRAW_OFPT12_ROLE_REPLY,
                                 request->version, request->xid);

    if (nx) {
        wr_u32(out, reply->role ? (uint32_t)reply->role - 1 : 0);
    } else {
        wr_u32(out, reply->role);
        wr_u32(out, 0);
        wr_u64(out, reply->has_generation_id ? reply->generation_id : UINT64_MAX);
    }
    ofp_msg_end(out, start);
}

void
ofp_role_status_encode(enum ofp_role role, uint64_t generation_id, enum ofp_role_reason reason,
                       enum ofp_version version, struct wr *out)
{
    enum ofp_raw raw;
    size_t start;

    if (!ofp_raw_for(OFPTYPE_ROLE_STATUS, version, &raw)) {
        return;
    }
    start = ofp_msg_begin(out, raw, version, 0);
    wr_u32(out, role);
    wr_u8(out, (uint8_t)reason);
    wr_zeros(out, 3);
    wr_u64(out, generation_id);
    ofp_msg_end(out, start);
}

#define BIT(N) (1u << (N))
#define PACKET_IN_BITS                                                                      \
    (BIT(OFPR_NO_MATCH) | BIT(OFPR_ACTION) | BIT(OFPR_INVALID_TTL) | BIT(OFPR_ACTION_SET) | \
     BIT(OFPR_GROUP) | BIT(OFPR_PACKET_OUT))
#define PORT_STATUS_BITS 0x7u

/* The reasons of a kind that a controller may name on the wire. */
static uint32_t
known_bits(enum ofp_async_type type)
{
    switch (type) {
    case OFP_ASYNC_PACKET_IN:
        return PACKET_IN_BITS;
    case OFP_ASYNC_PORT_STATUS:
        return PORT_STATUS_BITS;
    case OFP_ASYNC_FLOW_REMOVED:
        return 0x3f;
    case OFP_ASYNC_ROLE_STATUS:
        return 0x7;
    case OFP_ASYNC_TABLE_STATUS:
        return 0x18;
    case OFP_ASYNC_REQUESTFORWARD:
        return 0x3;
    case OFP_ASYNC_N:
        break;
    }
    return 0;
}

void
ofp_async_config_init(struct ofp_async_config *ac, enum ofp_version version)
{
    *ac = (struct ofp_async_config){.primary = {0}};
    /* Reasons that OpenFlow 1.4 split off from others count in every version: they are sent under
     * their old name. */
    ac->primary[OFP_ASYNC_PACKET_IN] =
        (PACKET_IN_BITS & ~BIT(OFPR_INVALID_TTL)) | BIT(OFPR_EXPLICIT_MISS);
    if (version <= OFP12_VERSION) {
        ac->primary[OFP_ASYNC_PACKET_IN] |= BIT(OFPR_IMPLICIT_MISS);
    }
    ac->primary[OFP_ASYNC_PORT_STATUS] = PORT_STATUS_BITS;
    ac->secondary[OFP_ASYNC_PORT_STATUS] = PORT_STATUS_BITS;
    ac->primary[OFP_ASYNC_FLOW_REMOVED] = version >= OFP14_VERSION   ? 0x3f
                                          : version == OFP13_VERSION ? 0x0f
                                                                     : 0x07;
}

/* Keeps the two kinds of miss, which the wire has one bit for, in step with it. */
static uint32_t
from_wire(enum ofp_async_type type, uint32_t bits, enum ofp_version version)
{
    bits &= known_bits(type);
    if (type == OFP_ASYNC_PACKET_IN) {
        if (bits & BIT(OFPR_NO_MATCH)) {
            bits |= BIT(OFPR_EXPLICIT_MISS);
            bits |= version <= OFP12_VERSION ? BIT(OFPR_IMPLICIT_MISS) : 0;
        }
        if (version < OFP14_VERSION && bits & BIT(OFPR_ACTION)) {
            bits |= BIT(OFPR_ACTION_SET) | BIT(OFPR_GROUP) | BIT(OFPR_PACKET_OUT);
        }
    }
    return bits;
}

static enum ofperr
decode_props(struct rd *in, enum ofp_version version, struct ofp_async_config *ac)
{
    while (rd_left(in)) {
        struct ofp_prop prop;
        uint32_t bits = 0;
        enum ofp_async_type type;
        enum ofperr error = ofp_prop_pull(in, &prop);

        if (!error && prop.type >= 2 * OFP_ASYNC_N) {
            error = OFPERR_OFPACFC_UNSUPPORTED;
        }
        error = error ? error : ofp_prop_u32(&prop, &bits);
        if (error) {
            return error;
        }
        type = prop.type / 2;
        if (bits & ~known_bits(type)) {
            return OFPERR_OFPACFC_INVALID;
        }
        /* Even types are of the secondary role, odd ones of the others. */
        (prop.type & 1 ? ac->primary : ac->secondary)[type] = from_wire(type, bits, version);
    }
    return 0;
}

enum ofperr
ofp_async_config_decode(const struct ofp_msg *msg, struct ofp_async_config *ac)
{
    struct rd in = msg->body;

    if (msg->raw == OFPRAW_OFPT14_SET_ASYNC || msg->raw == OFPRAW_NXT_SET_ASYNC_CONFIG2 ||
        msg->raw == OFPRAW_OFPT14_GET_ASYNC_REPLY) {
        struct ofp_async_config copy = *ac;
        enum ofperr error = decode_props(&in, msg->version, &copy);

        if (!error) {
            *ac = copy;
        }
        return error;
    }
    for (int type = OFP_ASYNC_PACKET_IN; type <= OFP_ASYNC_FLOW_REMOVED; type++) {
        ac->primary[type] = from_wire(type, rd_u32(&in), msg->version);
        ac->secondary[type] = from_wire(type, rd_u32(&in), msg->version);
    }
    return 0;
}

void
ofp_async_config_reply_encode(const struct ofp_async_config *ac, enum ofp_version version,
                              uint32_t xid, struct wr *out)
{
    enum ofp_raw raw;
    size_t start;

    if (!ofp_raw_for(OFPTYPE_GET_ASYNC_REPLY, version, &raw)) {
        return;
    }
    start = ofp_msg_begin(out, raw, version, xid);
    if (version >= OFP14_VERSION) {
        for (uint16_t type = 0; type < OFP_ASYNC_N; type++) {
            ofp_prop_put_u32(out, 2 * type, ac->secondary[type] & known_bits(type));
            ofp_prop_put_u32(out, 2 * type + 1, ac->primary[type] & known_bits(type));
        }
    } else {
        for (int type = OFP_ASYNC_PACKET_IN; type <= OFP_ASYNC_FLOW_REMOVED; type++) {
            uint32_t known = type == OFP_ASYNC_FLOW_REMOVED ? 0x3f : 0x07;

            wr_u32(out, ac->primary[type] & known);
            wr_u32(out, ac->secondary[type] & known);
        }
    }
    ofp_msg_end(out, start);
}

void
ofp_requestforward_encode(const void *request, size_t request_size, enum ofp_version version,
                          struct wr *out)
{
    enum ofp_raw raw;
    size_t start;

    if (!ofp_raw_for(OFPTYPE_REQUESTFORWARD, version, &raw) ||
        request_size > OFP_MSG_MAX - 2 * OFP_HEADER_SIZE) {
        return;
    }
    start = ofp_msg_begin(out, raw, version, 0);
    wr_bytes(out, request, request_size);
    ofp_msg_end(out, start);
}
