// SPDX-License-Identifier: Apache-2.0
/* OXS counters; see ofp_oxs.h.  Used by flow statistics, aggregates and flow-removed of
 * OpenFlow 1.5. */
#include "openflow/ofp_oxs.h"

#define OXS_CLASS 0x8002u

enum {
    OXS_DURATION = 0,
    OXS_IDLE_TIME = 1,
    OXS_FLOW_COUNT = 3,
    OXS_PACKET_COUNT = 4,
    OXS_BYTE_COUNT = 5
};

static void
put_header(struct wr *out, unsigned int field, unsigned int size)
{
    wr_u32(out, OXS_CLASS << 16 | field << 9 | size);
}

void
ofp_oxs_put(struct wr *out, const struct ofp_oxs *oxs)
{
    size_t start = out->size;

    wr_u16(out, 0);
    wr_u16(out, 0);
    if (oxs->has & OFP_OXS_DURATION) {
        put_header(out, OXS_DURATION, 8);
        wr_u32(out, oxs->duration_sec);
        wr_u32(out, oxs->duration_nsec);
    }
    if (oxs->has & OFP_OXS_IDLE_TIME) {
        put_header(out, OXS_IDLE_TIME, 8);
        wr_u32(out, oxs->idle_sec);
        wr_u32(out, oxs->idle_nsec);
    }
    if (oxs->has & OFP_OXS_FLOW_COUNT) {
        put_header(out, OXS_FLOW_COUNT, 4);
        wr_u32(out, oxs->n_flows);
    }
    if (oxs->has & OFP_OXS_PACKET_COUNT) {
        put_header(out, OXS_PACKET_COUNT, 8);
        wr_u64(out, oxs->n_packets);
    }
    if (oxs->has & OFP_OXS_BYTE_COUNT) {
        put_header(out, OXS_BYTE_COUNT, 8);
        wr_u64(out, oxs->n_bytes);
    }
    wr_set_u16(out, start + 2, (uint16_t)(out->size - start));
    wr_align(out, start, 8);
}

static enum ofperr
pull_field(struct rd *in, struct ofp_oxs *oxs)
{
    uint32_t header = rd_u32(in);
    struct rd body = rd_sub(in, header & 0xff);
    unsigned int field = (header >> 9) & 0x7f;

    if (!rd_ok(in)) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    if (header >> 16 != OXS_CLASS) {
        return 0;
    }
    switch (field) {
    case OXS_DURATION:
        oxs->duration_sec = rd_u32(&body);
        oxs->duration_nsec = rd_u32(&body);
        break;
    case OXS_IDLE_TIME:
        oxs->idle_sec = rd_u32(&body);
        oxs->idle_nsec = rd_u32(&body);
        break;
    case OXS_FLOW_COUNT:
        oxs->n_flows = rd_u32(&body);
        break;
    case OXS_PACKET_COUNT:
        oxs->n_packets = rd_u64(&body);
        break;
    case OXS_BYTE_COUNT:
        oxs->n_bytes = rd_u64(&body);
        break;
    default:
        return 0;
    }
    oxs->has |= 1u << field;
    return rd_ok(&body) && !rd_left(&body) ? 0 : OFPERR_OFPBRC_BAD_LEN;
}

enum ofperr
ofp_oxs_pull(struct rd *in, struct ofp_oxs *oxs)
{
    uint16_t len;
    struct rd body;

    *oxs = (struct ofp_oxs){0};
    rd_skip(in, 2);
    len = rd_u16(in);
    if (!rd_ok(in) || len < 4) {
        return OFPERR_OFPBRC_BAD_LEN;
    }
    body = rd_sub(in, len - 4u);
    rd_skip(in, OFP_ROUND8(len) - len);
    while (rd_ok(in) && rd_left(&body)) {
        enum ofperr error = pull_field(&body, oxs);

        if (error) {
            return error;
        }
    }
    return rd_ok(in) ? 0 : OFPERR_OFPBRC_BAD_LEN;
}
