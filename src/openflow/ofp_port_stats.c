// SPDX-License-Identifier: Apache-2.0
/* Port statistics; see ofp_port.h.  Counters that are not known travel as all ones, which the tools
 * print as '?'. */
#include "base/util.h"
#include "openflow/ofp_port.h"
#include "openflow/ofp_prop.h"

#define PROP_ETHERNET 0u
#define INTEL_RFC2819 1u
#define INTEL_CUSTOM 2u
/* With all else of a port they must fit into a message. */
#define MAX_CUSTOM 800u

/* The order of the counters is the wire's. */
static const size_t common[] = {
    offsetof(struct ofp_port_stats, rx_packets), offsetof(struct ofp_port_stats, tx_packets),
    offsetof(struct ofp_port_stats, rx_bytes),   offsetof(struct ofp_port_stats, tx_bytes),
    offsetof(struct ofp_port_stats, rx_dropped), offsetof(struct ofp_port_stats, tx_dropped),
    offsetof(struct ofp_port_stats, rx_errors),  offsetof(struct ofp_port_stats, tx_errors),
};
static const size_t ethernet[] = {
    offsetof(struct ofp_port_stats, rx_frame_err),
    offsetof(struct ofp_port_stats, rx_over_err),
    offsetof(struct ofp_port_stats, rx_crc_err),
    offsetof(struct ofp_port_stats, collisions),
};
#define RFC2819_FIRST offsetof(struct ofp_port_stats, rx_1_to_64_packets)
#define RFC2819_LAST offsetof(struct ofp_port_stats, rx_jabber_errors)

static uint64_t
get(const struct ofp_port_stats *s, size_t ofs)
{
    uint64_t x;

    memcpy(&x, (const uint8_t *)s + ofs, sizeof x);
    return x;
}

static void
put_counters(struct wr *out, const struct ofp_port_stats *s, const size_t ofs[], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        wr_u64(out, get(s, ofs[i]));
    }
}

enum ofperr
ofp_port_stats_request_decode(const struct ofp_msg *msg, ofp_port_t *port)
{
    struct rd body = msg->body;

    if (msg->raw == OFPRAW_OFPST10_PORT_REQUEST) {
        *port = rd_u16(&body);
        return 0;
    }
    return ofp_port_from_wire32(rd_u32(&body), port) ? 0 : OFPERR_OFPBRC_BAD_PORT;
}

static void
put_custom(struct wr *out, const struct ofp_port_stats *s)
{
    const size_t n = MIN(s->n_custom, (size_t)MAX_CUSTOM);
    size_t prop;

    if (!n) {
        return;
    }
    prop = ofp_prop_begin_exp(out, OFP_VENDOR_INTEL, INTEL_CUSTOM);
    wr_u16(out, 0);
    wr_u16(out, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        const size_t len = strnlen(s->custom[i].name, OFP_CUSTOM_STAT_NAME_MAX);

        wr_u8(out, (uint8_t)len);
        wr_bytes(out, s->custom[i].name, len);
        wr_u64(out, s->custom[i].value);
    }
    ofp_prop_end(out, prop);
}

static void
put14(struct wr *out, const struct ofp_port_stats *s)
{
    size_t start = out->size, prop;

    wr_u16(out, 0);
    wr_u16(out, 0);
    wr_u32(out, ofp_port_to_wire32(s->port_no));
    wr_u32(out, s->duration_sec);
    wr_u32(out, s->duration_nsec);
    put_counters(out, s, common, ARRAY_SIZE(common));
    prop = ofp_prop_begin(out, PROP_ETHERNET);
    wr_zeros(out, 4);
    put_counters(out, s, ethernet, ARRAY_SIZE(ethernet));
    ofp_prop_end(out, prop);
    prop = ofp_prop_begin_exp(out, OFP_VENDOR_INTEL, INTEL_RFC2819);
    wr_zeros(out, 4);
    for (size_t ofs = RFC2819_FIRST; ofs <= RFC2819_LAST; ofs += 8) {
        wr_u64(out, get(s, ofs));
    }
    ofp_prop_end(out, prop);
    put_custom(out, s);
    wr_set_u16(out, start, (uint16_t)(out->size - start));
}

void
ofp_port_stats_encode(struct ofp_mp *mp, const struct ofp_port_stats *s)
{
    struct wr *out = mp->out;

    if (mp->version >= OFP14_VERSION) {
        put14(out, s);
        ofp_mp_commit(mp);
        return;
    }
    if (mp->version == OFP10_VERSION) {
        wr_u16(out, (uint16_t)s->port_no);
        wr_zeros(out, 6);
    } else {
        wr_u32(out, ofp_port_to_wire32(s->port_no));
        wr_zeros(out, 4);
    }
    put_counters(out, s, common, ARRAY_SIZE(common));
    put_counters(out, s, ethernet, ARRAY_SIZE(ethernet));
    if (mp->version >= OFP13_VERSION) {
        wr_u32(out, s->duration_sec);
        wr_u32(out, s->duration_nsec);
    }
    ofp_mp_commit(mp);
}
