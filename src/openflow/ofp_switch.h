// SPDX-License-Identifier: Apache-2.0
/* Messages about the switch and the connection: hello, echo, features, configuration, description,
 * roles, asynchronous message configuration, controller ids.
 *
 * Pure functions; any thread.
 */
#ifndef OPENFLOW_OFP_SWITCH_H
#define OPENFLOW_OFP_SWITCH_H 1

#include "openflow/ofp_msg.h"
#include "openflow/ofp_packet.h"
#include "openflow/ofp_port.h"

struct str;

/* HELLO: the header's version is the highest of 'versions', and the bitmap is sent where it says
 * more than that. */
void ofp_hello_encode(uint32_t versions, uint32_t xid, struct wr *out);
/* The versions that the peer speaks: what the last version bitmap says that is sound, else all up
 * to the header's.  False if there was something else, or damaged, which changes nothing. */
bool ofp_hello_decode(const struct ofp_msg *msg, uint32_t *versions);
/* "version 0x04 and earlier", for people. */
void ofp_versions_format(uint32_t versions, struct str *);
/* The ERROR that ends a connection without a common version. */
void ofp_hello_failed_encode(uint32_t ours, uint32_t theirs, uint32_t xid, struct wr *out);

/* ECHO: the reply repeats the request's body. */
void ofp_echo_request_encode(enum ofp_version version, uint32_t xid, struct wr *out);
void ofp_echo_reply_encode(const struct ofp_msg *request, struct wr *out);

#define OFPC_FLOW_STATS 0x01
#define OFPC_TABLE_STATS 0x02
#define OFPC_PORT_STATS 0x04
#define OFPC_STP 0x08         /* OpenFlow 1.0. */
#define OFPC_GROUP_STATS 0x08 /* OpenFlow 1.1 and later; see 'capabilities'. */
#define OFPC_IP_REASM 0x20
#define OFPC_QUEUE_STATS 0x40
#define OFPC_ARP_MATCH_IP 0x80  /* OpenFlow 1.0 and 1.1. */
#define OFPC_PORT_BLOCKED 0x100 /* OpenFlow 1.2 and later. */
#define OFPC_BUNDLES 0x200      /* OpenFlow 1.4 and later. */
#define OFPC_FLOW_MONITORING 0x400

/* FEATURES_REPLY without its ports, which the caller appends with ofp_features_put_port(). */
struct ofp_features {
    uint64_t datapath_id;
    uint32_t n_buffers;
    uint8_t n_tables;
    uint8_t auxiliary_id;
    uint32_t capabilities; /* The wire's bits of that version. */
    uint32_t actions;      /* OpenFlow 1.0's bitmap of action types. */
};
/* What a switch like ours says in 'version' about itself, 'n_tables' of 254 included. */
void ofp_features_init(struct ofp_features *features, enum ofp_version version);
size_t ofp_features_begin(const struct ofp_features *features, enum ofp_version version,
                          uint32_t xid, struct wr *out);
/* Appends a port where the version has ports in FEATURES_REPLY and it fits into the message; else
 * does nothing. */
void ofp_features_put_port(const struct ofp_port *port, enum ofp_version version, size_t start,
                           struct wr *out);
void ofp_features_end(size_t start, struct wr *out);

enum ofp_frag_handling {
    OFPC_FRAG_NORMAL = 0,
    OFPC_FRAG_DROP = 1,
    OFPC_FRAG_REASM = 2,
    OFPC_FRAG_NX_MATCH = 3,
};
#define OFP_DEFAULT_MISS_SEND_LEN 128
struct ofp_config {
    enum ofp_frag_handling frag;
    bool invalid_ttl_to_controller; /* OpenFlow 1.0...1.2 flag; -1 'has' below. */
    bool has_invalid_ttl;           /* The version has that flag. */
    uint16_t miss_send_len;
};
enum ofperr ofp_config_decode(const struct ofp_msg *msg, struct ofp_config *config);
void ofp_config_encode(const struct ofp_config *config, enum ofp_type type,
                       enum ofp_version version, uint32_t xid, struct wr *out);

struct ofp_desc {
    const char *mfr_desc;
    const char *hw_desc;
    const char *sw_desc;
    const char *serial_num;
    const char *dp_desc;
};
void ofp_desc_encode(const struct ofp_desc *desc, enum ofp_version version, uint32_t xid,
                     struct wr *out);

enum ofp_role {
    OFPCR_ROLE_NOCHANGE = 0,
    OFPCR_ROLE_EQUAL = 1,
    OFPCR_ROLE_PRIMARY = 2,
    OFPCR_ROLE_SECONDARY = 3,
};
struct ofp_role_request {
    enum ofp_role role;
    bool has_generation_id;
    uint64_t generation_id;
};
enum ofperr ofp_role_request_decode(const struct ofp_msg *msg, struct ofp_role_request *rr);
/* Answers 'request' in its own encoding. */
void ofp_role_reply_encode(const struct ofp_role_request *reply, const struct ofp_msg *request,
                           struct wr *out);

enum ofp_role_reason {
    OFPCRR_PRIMARY_REQUEST = 0,
    OFPCRR_CONFIG = 1,
    OFPCRR_EXPERIMENTER = 2,
};
/* Tells a controller that its role changed; writes nothing in versions that cannot say it. */
void ofp_role_status_encode(enum ofp_role role, uint64_t generation_id, enum ofp_role_reason reason,
                            enum ofp_version version, struct wr *out);

/* Which asynchronous messages a controller wants: a bitmap of reasons for each kind, [0] in role
 * other or primary, [1] in role secondary. */
enum ofp_async_type {
    OFP_ASYNC_PACKET_IN,
    OFP_ASYNC_PORT_STATUS,
    OFP_ASYNC_FLOW_REMOVED,
    OFP_ASYNC_ROLE_STATUS,
    OFP_ASYNC_TABLE_STATUS,
    OFP_ASYNC_REQUESTFORWARD,
    OFP_ASYNC_N,
};
struct ofp_async_config {
    uint32_t primary[OFP_ASYNC_N];
    uint32_t secondary[OFP_ASYNC_N];
};
/* Defaults of a fresh connection of 'version'. */
void ofp_async_config_init(struct ofp_async_config *ac, enum ofp_version version);
/* Changes of 'ac' what the message sets. */
enum ofperr ofp_async_config_decode(const struct ofp_msg *msg, struct ofp_async_config *ac);
void ofp_async_config_reply_encode(const struct ofp_async_config *ac, enum ofp_version version,
                                   uint32_t xid, struct wr *out);

/* NXT_SET_CONTROLLER_ID. */
enum ofperr ofp_controller_id_decode(const struct ofp_msg *msg, uint16_t *id);

/* REQUESTFORWARD of a group-mod or meter-mod (a whole encoded message); nothing where the version
 * has none. */
enum ofp_requestforward_reason {
    OFPRFR_GROUP_MOD = 0,
    OFPRFR_METER_MOD = 1,
};
void ofp_requestforward_encode(const void *request, size_t request_size, enum ofp_version version,
                               struct wr *out);

#endif
