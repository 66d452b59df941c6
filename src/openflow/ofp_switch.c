// SPDX-License-Identifier: Apache-2.0
/* Hello, echo, features, configuration, description: the messages about the switch and the
 * connection as a whole.
 *
 * See ofp_switch.h; roles and asynchronous configuration are in ofp_role.c.
 */
#include "openflow/ofp_switch.h"

#include "base/str.h"

#define HELLO_VERSION_BITMAP 1u
#define FLAG_INVALID_TTL 0x4u
#define FLAG_FRAG_MASK 0x3u

void
ofp_hello_encode(uint32_t versions, uint32_t xid, struct wr *out)
{
    unsigned int highest = ofp_version_negotiate(versions, OFP_VERSIONS_ALL);
    size_t start = ofp_msg_begin(out, OFPRAW_OFPT_HELLO, highest, xid);

    if (versions != ofp_version_bitmap_up_to((uint8_t)highest)) {
        wr_u16(out, HELLO_VERSION_BITMAP);
        wr_u16(out, 8);
        wr_u32(out, versions);
    }
    ofp_msg_end(out, start);
}

/* OpenFlow 1.3.1 section A.5.1.  Only the first word counts: nobody speaks what the others stand
 * for.  False if the element says nothing. */
static bool
pull_bitmap(struct rd *body, uint32_t *versions)
{
    bool whole = rd_left(body) && rd_left(body) % 4 == 0;
    uint32_t bitmap = whole ? rd_u32(body) & ~OFP_VERSION_BIT(0) : 0;

    if (bitmap) {
        *versions = bitmap;
    }
    return bitmap != 0;
}

bool
ofp_hello_decode(const struct ofp_msg *msg, uint32_t *versions)
{
    struct rd in = msg->body;
    bool is_clean = true;

    *versions = ofp_version_bitmap_up_to(msg->version);
    while (rd_left(&in)) {
        uint16_t type = rd_u16(&in);
        uint16_t len = rd_u16(&in);
        struct rd body;

        if (!rd_ok(&in) || len < 4) {
            return false;
        }
        body = rd_sub(&in, len - 4u);
        rd_skip(&in, OFP_ROUND8(len) - len);
        if (!rd_ok(&in)) {
            return false;
        }
        is_clean = type == HELLO_VERSION_BITMAP && pull_bitmap(&body, versions) && is_clean;
    }
    return is_clean;
}

void
ofp_versions_format(uint32_t versions, struct str *s)
{
    unsigned int highest = versions ? 31 - (unsigned int)__builtin_clz(versions) : 0;
    bool is_one = versions == OFP_VERSION_BIT(highest);

    if (!versions) {
        str_put(s, "no version");
    } else if (is_one || versions == ofp_version_bitmap_up_to((uint8_t)highest)) {
        str_printf(s, "version 0x%02x%s", highest, is_one ? "" : " and earlier");
    } else {
        str_put(s, "versions ");
        for (unsigned int v = 0; v <= highest; v++) {
            if (versions & OFP_VERSION_BIT(v)) {
                str_printf(s, "0x%02x%s", v, v < highest ? ", " : "");
            }
        }
    }
}

void
ofp_hello_failed_encode(uint32_t ours, uint32_t theirs, uint32_t xid, struct wr *out)
{
    /* The peer should understand it: its highest version, or, if nobody knows that, 1.0. */
    unsigned int version = theirs >> (OFP_VERSION_MAX + 1)
                               ? OFP10_VERSION
                               : ofp_version_negotiate(theirs, OFP_VERSIONS_ALL);
    struct str s = STR_INIT;

    str_put(&s, "We support ");
    ofp_versions_format(ours, &s);
    str_put(&s, ", you support ");
    ofp_versions_format(theirs, &s);
    str_put(&s, ", no common versions.");
    ofperr_encode(OFPERR_OFPHFC_INCOMPATIBLE, version ? version : OFP10_VERSION, xid, str_cstr(&s),
                  s.len, out);
    str_free(&s);
}

void
ofp_echo_request_encode(enum ofp_version version, uint32_t xid, struct wr *out)
{
    ofp_msg_end(out, ofp_msg_begin(out, OFPRAW_OFPT_ECHO_REQUEST, version, xid));
}

void
ofp_echo_reply_encode(const struct ofp_msg *request, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_OFPT_ECHO_REPLY, request->version, request->xid);

    wr_bytes(out, request->body.p, rd_left(&request->body));
    ofp_msg_end(out, start);
}

void
ofp_features_init(struct ofp_features *f, enum ofp_version version)
{
    *f = (struct ofp_features){.n_tables = 254};
    f->capabilities = OFPC_FLOW_STATS | OFPC_TABLE_STATS | OFPC_PORT_STATS | OFPC_QUEUE_STATS;
    if (version > OFP10_VERSION) {
        f->capabilities |= OFPC_GROUP_STATS;
    } else {
        f->actions = 0xfff; /* OFPAT_OUTPUT to OFPAT_ENQUEUE. */
    }
    if (version <= OFP11_VERSION) {
        f->capabilities |= OFPC_ARP_MATCH_IP;
    }
    if (version >= OFP14_VERSION) {
        f->capabilities |= OFPC_BUNDLES | OFPC_FLOW_MONITORING;
    }
}

size_t
ofp_features_begin(const struct ofp_features *f, enum ofp_version version, uint32_t xid,
                   struct wr *out)
{
    enum ofp_raw raw = version == OFP10_VERSION  ? OFPRAW_OFPT10_FEATURES_REPLY
                       : version < OFP13_VERSION ? OFPRAW_OFPT11_FEATURES_REPLY
                                                 : OFPRAW_OFPT13_FEATURES_REPLY;
    size_t start = ofp_msg_begin(out, raw, version, xid);

    wr_u64(out, f->datapath_id);
    wr_u32(out, f->n_buffers);
    wr_u8(out, f->n_tables);
    wr_u8(out, version >= OFP13_VERSION ? f->auxiliary_id : 0);
    wr_u16(out, 0);
    wr_u32(out, f->capabilities);
    wr_u32(out, version == OFP10_VERSION ? f->actions : 0);
    return start;
}

void
ofp_features_put_port(const struct ofp_port *port, enum ofp_version version, size_t start,
                      struct wr *out)
{
    if (version < OFP13_VERSION && out->size - start + 64 <= OFP_MSG_MAX) {
        ofp_port_put(port, version, out);
    }
}

void
ofp_features_end(size_t start, struct wr *out)
{
    ofp_msg_end(out, start);
}

enum ofperr
ofp_config_decode(const struct ofp_msg *msg, struct ofp_config *c)
{
    uint16_t known = FLAG_FRAG_MASK;
    struct rd in = msg->body;
    uint16_t flags = rd_u16(&in);

    *c = (struct ofp_config){.frag = flags & FLAG_FRAG_MASK};
    c->has_invalid_ttl = msg->version < OFP13_VERSION;
    if (c->has_invalid_ttl) {
        known |= FLAG_INVALID_TTL;
        c->invalid_ttl_to_controller = (flags & FLAG_INVALID_TTL) != 0;
    }
    c->miss_send_len = rd_u16(&in);
    return flags & ~known ? OFPERR_OFPSCFC_BAD_FLAGS : 0;
}

void
ofp_config_encode(const struct ofp_config *c, enum ofp_type type, enum ofp_version version,
                  uint32_t xid, struct wr *out)
{
    enum ofp_raw raw =
        type == OFPTYPE_SET_CONFIG ? OFPRAW_OFPT_SET_CONFIG : OFPRAW_OFPT_GET_CONFIG_REPLY;
    size_t start = ofp_msg_begin(out, raw, version, xid);
    bool ttl = c->invalid_ttl_to_controller && version < OFP13_VERSION;

    wr_u16(out, (uint16_t)(c->frag | (ttl ? FLAG_INVALID_TTL : 0)));
    wr_u16(out, c->miss_send_len);
    ofp_msg_end(out, start);
}

void
ofp_desc_encode(const struct ofp_desc *desc, enum ofp_version version, uint32_t xid, struct wr *out)
{
    size_t start = ofp_msg_begin(out, OFPRAW_OFPST_DESC_REPLY, version, xid);

    wr_string(out, desc->mfr_desc, 256);
    wr_string(out, desc->hw_desc, 256);
    wr_string(out, desc->sw_desc, 256);
    wr_string(out, desc->serial_num, 32);
    wr_string(out, desc->dp_desc, 256);
    ofp_msg_end(out, start);
}

enum ofperr
ofp_controller_id_decode(const struct ofp_msg *msg, uint16_t *id)
{
    struct rd in = msg->body;

    if (!rd_zeros(&in, 6)) {
        return OFPERR_NXBRC_MUST_BE_ZERO;
    }
    *id = rd_u16(&in);
    return 0;
}
