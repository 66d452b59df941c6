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
