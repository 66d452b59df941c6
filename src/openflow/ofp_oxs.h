// SPDX-License-Identifier: Apache-2.0
/* OXS: the counters of a flow as type-length-value, OpenFlow 1.5 section 7.2.4.  Private to the
 * codec. */
#ifndef OPENFLOW_OFP_OXS_H
#define OPENFLOW_OFP_OXS_H 1

#include "openflow/ofp_error.h"
#include "openflow/ofp_wire.h"

/* Counters; 'has' says which. */
#define OFP_OXS_DURATION 0x01u
#define OFP_OXS_IDLE_TIME 0x02u
#define OFP_OXS_FLOW_COUNT 0x08u
#define OFP_OXS_PACKET_COUNT 0x10u
#define OFP_OXS_BYTE_COUNT 0x20u

struct ofp_oxs {
    unsigned int has;
    uint32_t duration_sec, duration_nsec;
    uint32_t idle_sec, idle_nsec;
    uint32_t n_flows;
    uint64_t n_packets;
    uint64_t n_bytes;
};

/* Appends struct ofp_stats with its padding. */
void ofp_oxs_put(struct wr *out, const struct ofp_oxs *oxs);

#endif
