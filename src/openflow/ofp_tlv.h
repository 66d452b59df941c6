// SPDX-License-Identifier: Apache-2.0
/* The tunnel option table (NXT_TLV_TABLE_*) and the conntrack flush messages.  Pure functions; any
 * thread. */
#ifndef OPENFLOW_OFP_TLV_H
#define OPENFLOW_OFP_TLV_H 1

#include "flow/option.h"
#include "openflow/ofp_msg.h"

#include <netinet/in.h>

#define OFP_TUN_METADATA_FIELDS MF_N_OPTIONS
#define OFP_TUN_METADATA_SPACE (FLOW_OPTION_SLOTS * MF_OPTION_UNIT)

struct ofp_tlv_map {
    uint16_t option_class;
    uint8_t option_type;
    uint8_t option_len; /* Bytes: 4...124, a multiple of 4. */
    uint16_t index;     /* tun_metadata<index>. */
};
enum ofp_tlv_command {
    OFP_TLV_ADD = 0,
    OFP_TLV_DELETE = 1,
    OFP_TLV_CLEAR = 2,
};
struct ofp_tlv_table_mod {
    enum ofp_tlv_command command;
    size_t n;
    struct ofp_tlv_map *maps; /* Owned: free(). */
};
enum ofperr ofp_tlv_table_mod_decode(const struct ofp_msg *msg, struct ofp_tlv_table_mod *tm);
void ofp_tlv_table_mod_encode(enum ofp_tlv_command command, const struct ofp_tlv_map *maps,
                              size_t n, enum ofp_version version, uint32_t xid, struct wr *out);
void ofp_tlv_table_reply_encode(const struct ofp_tlv_map *maps, size_t n, enum ofp_version version,
                                uint32_t xid, struct wr *out);

/* One direction of a connection to flush; zero means any. */
struct ofp_ct_tuple {
    struct in6_addr src; /* IPv4 as ::ffff:a.b.c.d. */
    struct in6_addr dst;
    uint16_t src_port;
    uint16_t dst_port;
    uint16_t icmp_id;
    uint8_t icmp_type;
    uint8_t icmp_code;
    bool has_icmp;
};
struct ofp_ct_flush {
    uint8_t ip_proto; /* 0: any. */
    bool has_zone;
    uint16_t zone;
    struct ofp_ct_tuple orig;
    struct ofp_ct_tuple reply;
};
/* Both NXT_CT_FLUSH and NXT_CT_FLUSH_ZONE. */
enum ofperr ofp_ct_flush_decode(const struct ofp_msg *msg, struct ofp_ct_flush *flush);

#endif
