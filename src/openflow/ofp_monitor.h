// SPDX-License-Identifier: Apache-2.0
/* Flow monitors: Nicira's at OpenFlow 1.0-1.2, ONF's at 1.3, the standard's since 1.4.  Pure
 * functions; any thread. */
#ifndef OPENFLOW_OFP_MONITOR_H
#define OPENFLOW_OFP_MONITOR_H 1

#include "flow/match.h"
#include "openflow/ofp_action.h"
#include "openflow/ofp_msg.h"

#define OFPFMF_INITIAL 0x01
#define OFPFMF_ADD 0x02
#define OFPFMF_REMOVED 0x04
#define OFPFMF_MODIFY 0x08
#define OFPFMF_INSTRUCTIONS 0x10
#define OFPFMF_NO_ABBREV 0x20
/* ONLY_OWN, 0x40, is taken for NO_ABBREV: so do the deployed switch and the ovs-ofctl that goes
 * with it, for which a monitor without it would have own changes abbreviated and one with it would
 * miss all others. */

enum ofp_flow_monitor_command {
    OFPFMC_ADD = 0,
    OFPFMC_MODIFY = 1,
    OFPFMC_DELETE = 2,
};
struct ofp_flow_monitor_request {
    uint32_t id;
    uint8_t command; /* enum ofp_flow_monitor_command. */
    uint16_t flags;  /* OFPFMF_*. */
    ofp_port_t out_port;
    uint32_t out_group;
    uint8_t table_id; /* 255: all. */
    struct match match;
};
/* The next request in the message's body: 0, an error, or EOF (-1). */
int ofp_flow_monitor_request_decode(const struct ofp_msg *msg, struct rd *body,
                                    struct ofp_flow_monitor_request *fmr);
enum ofperr ofp_flow_monitor_cancel_decode(const struct ofp_msg *msg, uint32_t *id);

enum ofp_flow_update_event {
    OFPFME_INITIAL = 0,
    OFPFME_ADDED = 1,
    OFPFME_REMOVED = 2,
    OFPFME_MODIFIED = 3,
    OFPFME_ABBREV = 4,
    OFPFME_PAUSED = 5, /* This and the next are updates since OpenFlow 1.4, messages before. */
    OFPFME_RESUMED = 6,
};
struct ofp_flow_update {
    uint8_t event;  /* enum ofp_flow_update_event. */
    uint8_t reason; /* enum ofp_flow_removed_reason, for REMOVED. */
    uint8_t table_id;
    uint16_t priority;
    uint16_t idle_timeout;
    uint16_t hard_timeout;
    uint64_t cookie;
    uint32_t xid; /* For ABBREV: of the request that made the change. */
    const struct match *match;
    const struct ofpact *actions; /* NULL: not sent. */
    size_t actions_size;
};
void ofp_flow_update_encode(struct ofp_mp *mp, const struct ofp_flow_update *update);

/* The encoding of updates that 'version' uses. */
enum ofp_raw ofp_flow_update_raw(enum ofp_version version);

#endif
