// SPDX-License-Identifier: Apache-2.0
/* Port descriptions, port-status, port-mod; port statistics are in ofp_port_stats.c.
 *
 * See ofp_port.h.  Three layouts: OpenFlow 1.0 (section 5.2.1 of its specification), 1.1 to 1.3,
 * and 1.4 with properties.
 */
#include "openflow/ofp_port.h"

#include "base/util.h"
#include "openflow/ofp_prop.h"

#define NAME_SIZE 16u /* On the wire. */
#define CONFIG10 0x7fu
#define CONFIG11 (OFPPC_PORT_DOWN | OFPPC_NO_RECV | OFPPC_NO_FWD | OFPPC_NO_PACKET_IN)
#define STATE11 (OFPPS_LINK_DOWN | OFPPS_BLOCKED | OFPPS_LIVE)
#define PROP_ETHERNET 0u

/* OpenFlow 1.0 lacks the speeds above 10 Gb/s: the media bits move down by four. */
static uint32_t
features_to_10(uint32_t f)
{
    return (f & 0x7f) | (f & 0xf800) >> 4;
}

static uint32_t
features_from_10(uint32_t f)
{
    return (f & 0x7f) | (f & 0xf80) << 4;
}

static void
put_features(struct wr *out, const struct ofp_port *p, enum ofp_version version)
{
    const uint32_t f[] = {p->curr, p->advertised, p->supported, p->peer};

    for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
        wr_u32(out, version == OFP10_VERSION ? features_to_10(f[i]) : f[i]);
    }
    if (version > OFP10_VERSION) {
        wr_u32(out, p->curr_speed);
        wr_u32(out, p->max_speed);
    }
}

void
ofp_port_put(const struct ofp_port *p, enum ofp_version version, struct wr *out)
{
    size_t start = out->size;

    if (version == OFP10_VERSION) {
        wr_u16(out, (uint16_t)p->port_no);
        wr_bytes(out, p->hw_addr, 6);
    } else {
        wr_u32(out, ofp_port_to_wire32(p->port_no));
        wr_zeros(out, 4);
        wr_bytes(out, p->hw_addr, 6);
        wr_zeros(out, 2);
    }
    wr_string(out, p->name, NAME_SIZE);
    wr_u32(out, p->config & (version == OFP10_VERSION ? CONFIG10 : CONFIG11));
    wr_u32(out, p->state & (version == OFP10_VERSION ? OFPPS_LINK_DOWN | OFPPS_STP_MASK : STATE11));
    if (version < OFP14_VERSION) {
        put_features(out, p, version);
    } else {
        size_t prop = ofp_prop_begin(out, PROP_ETHERNET);

        wr_zeros(out, 4);
        put_features(out, p, version);
        ofp_prop_end(out, prop);
        wr_set_u16(out, start + 4, (uint16_t)(out->size - start));
    }
}

void
ofp_port_desc_encode(struct ofp_mp *mp, const struct ofp_port *port)
{
    ofp_port_put(port, mp->version, mp->out);
    ofp_mp_commit(mp);
}

enum ofperr
ofp_port_desc_request_decode(const struct ofp_msg *msg, ofp_port_t *port)
{
    struct rd body = msg->body;

    *port = OFPP_NONE;
    if (msg->raw == OFPRAW_OFPST15_PORT_DESC_REQUEST &&
        !ofp_port_from_wire32(rd_u32(&body), port)) {
        return OFPERR_OFPBRC_BAD_PORT;
    }
    return 0;
}

void
ofp_port_status_encode(const struct ofp_port *port, enum ofp_port_reason reason,
                       enum ofp_version version, struct wr *out)
{
    enum ofp_raw raw;
    size_t start;

    if (!ofp_raw_for(OFPTYPE_PORT_STATUS, version, &raw)) {
        return;
    }
    start = ofp_msg_begin(out, raw, version, 0);
    wr_u8(out, (uint8_t)reason);
    wr_zeros(out, 7);
    ofp_port_put(port, version, out);
    ofp_msg_end(out, start);
}

static enum ofperr
pull_port_mod_props(struct rd *in, struct ofp_port_mod *pm)
{
    while (rd_left(in)) {
        struct ofp_prop prop;
        enum ofperr error = ofp_prop_pull(in, &prop);

        error = error                        ? error
                : prop.type == PROP_ETHERNET ? ofp_prop_u32(&prop, &pm->advertise)
                                             : ofp_prop_unknown(&prop);
        if (error) {
            return error;
        }
    }
    return 0;
}

enum ofperr
ofp_port_mod_decode(const struct ofp_msg *msg, struct ofp_port_mod *pm)
{
    bool of10 = msg->raw == OFPRAW_OFPT10_PORT_MOD;
    uint32_t known = of10 ? CONFIG10 : CONFIG11;
    struct rd in = msg->body;

    *pm = (struct ofp_port_mod){0};
    if (of10) {
        pm->port_no = rd_u16(&in);
        rd_copy(&in, pm->hw_addr, 6);
    } else {
        if (!ofp_port_from_wire32(rd_u32(&in), &pm->port_no)) {
            return OFPERR_OFPPMFC_BAD_PORT;
        }
        rd_skip(&in, 4);
        rd_copy(&in, pm->hw_addr, 6);
        rd_skip(&in, 2);
    }
    pm->config = rd_u32(&in) & known;
    pm->mask = rd_u32(&in) & known;
    if (msg->raw == OFPRAW_OFPT14_PORT_MOD) {
        return pull_port_mod_props(&in, pm);
    }
    pm->advertise = rd_u32(&in);
    if (of10) {
        pm->advertise = features_from_10(pm->advertise);
    }
    return 0;
}
