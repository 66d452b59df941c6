// SPDX-License-Identifier: Apache-2.0
/* Bundle control and bundle add: OpenFlow 1.4 and later, and the ONF extension at 1.3.  Pure
 * functions; any thread. */
#ifndef OPENFLOW_OFP_BUNDLE_H
#define OPENFLOW_OFP_BUNDLE_H 1

#include "openflow/ofp_msg.h"

enum ofp_bundle_ctrl_type {
    OFPBCT_OPEN_REQUEST = 0,
    OFPBCT_OPEN_REPLY = 1,
    OFPBCT_CLOSE_REQUEST = 2,
    OFPBCT_CLOSE_REPLY = 3,
    OFPBCT_COMMIT_REQUEST = 4,
    OFPBCT_COMMIT_REPLY = 5,
    OFPBCT_DISCARD_REQUEST = 6,
    OFPBCT_DISCARD_REPLY = 7,
};
#define OFPBF_ATOMIC 0x1
#define OFPBF_ORDERED 0x2

struct ofp_bundle_ctrl {
    uint32_t bundle_id;
    uint16_t type; /* enum ofp_bundle_ctrl_type. */
    uint16_t flags;
};
enum ofperr ofp_bundle_ctrl_decode(const struct ofp_msg *msg, struct ofp_bundle_ctrl *bc);
void ofp_bundle_ctrl_encode(const struct ofp_bundle_ctrl *bc, enum ofp_version version,
                            uint32_t xid, struct wr *out);

struct ofp_bundle_add {
    uint32_t bundle_id;
    uint16_t flags;
    struct ofp_msg msg; /* The message inside, headers understood. */
};
/* Errors of the message inside and of the bundle: OFPBFC_MSG_BAD_LEN, _MSG_BAD_XID, _BAD_VERSION,
 * _MSG_UNSUP (a type that may not stand in a bundle: all but flow-mod, group-mod, port-mod,
 * packet-out), or what ofp_msg_decode() says. */
enum ofperr ofp_bundle_add_decode(const struct ofp_msg *msg, struct ofp_bundle_add *ba);

#endif
