// SPDX-License-Identifier: Apache-2.0
/* Messages about ports: descriptions, statistics, port-mod and port-status, in every version.
 *
 * Pure functions; any thread.
 */
#ifndef OPENFLOW_OFP_PORT_H
#define OPENFLOW_OFP_PORT_H 1

#include "openflow/ofp_msg.h"

/* Configuration bits: OpenFlow 1.0's numbers (later versions have a subset of them). */
#define OFPPC_PORT_DOWN 0x01
#define OFPPC_NO_STP 0x02
#define OFPPC_NO_RECV 0x04
#define OFPPC_NO_RECV_STP 0x08
#define OFPPC_NO_FLOOD 0x10
#define OFPPC_NO_FWD 0x20
#define OFPPC_NO_PACKET_IN 0x40

/* State bits. */
#define OFPPS_LINK_DOWN 0x001
#define OFPPS_BLOCKED 0x002 /* OpenFlow 1.1 and later. */
#define OFPPS_LIVE 0x004    /* OpenFlow 1.1 and later. */
#define OFPPS_STP_LISTEN 0x000
#define OFPPS_STP_LEARN 0x100
#define OFPPS_STP_FORWARD 0x200
#define OFPPS_STP_BLOCK 0x300
#define OFPPS_STP_MASK 0x300

/* Features, numbered as in OpenFlow 1.1 and later. */
#define OFPPF_10MB_HD 0x0001
#define OFPPF_10MB_FD 0x0002
#define OFPPF_100MB_HD 0x0004
#define OFPPF_100MB_FD 0x0008
#define OFPPF_1GB_HD 0x0010
#define OFPPF_1GB_FD 0x0020
#define OFPPF_10GB_FD 0x0040
#define OFPPF_40GB_FD 0x0080
#define OFPPF_100GB_FD 0x0100
#define OFPPF_1TB_FD 0x0200
#define OFPPF_OTHER 0x0400
#define OFPPF_COPPER 0x0800
#define OFPPF_FIBER 0x1000
#define OFPPF_AUTONEG 0x2000
#define OFPPF_PAUSE 0x4000
#define OFPPF_PAUSE_ASYM 0x8000

#define OFP_PORT_NAME_MAX 64 /* Kept names; versions 1.0-1.3 carry 15 characters. */

struct ofp_port {
    ofp_port_t port_no;
    uint8_t hw_addr[6];
    char name[OFP_PORT_NAME_MAX];
    uint32_t config; /* OFPPC_*. */
    uint32_t state;  /* OFPPS_*. */
    uint32_t curr;   /* OFPPF_*. */
    uint32_t advertised;
    uint32_t supported;
    uint32_t peer;
    uint32_t curr_speed; /* kb/s. */
    uint32_t max_speed;
};

/* Appends the port's struct in the form of 'version', as FEATURES_REPLY (1.0-1.2), PORT_DESC and
 * PORT_STATUS have it. */
void ofp_port_put(const struct ofp_port *port, enum ofp_version version, struct wr *out);

/* Appends one port to a PORT_DESC reply. */
void ofp_port_desc_encode(struct ofp_mp *mp, const struct ofp_port *port);
/* Which port a PORT_DESC request is about (OpenFlow 1.5), else OFPP_NONE: all. */
enum ofperr ofp_port_desc_request_decode(const struct ofp_msg *msg, ofp_port_t *port);

enum ofp_port_reason {
    OFPPR_ADD = 0,
    OFPPR_DELETE = 1,
    OFPPR_MODIFY = 2,
};
void ofp_port_status_encode(const struct ofp_port *port, enum ofp_port_reason reason,
                            enum ofp_version version, struct wr *out);

struct ofp_port_mod {
    ofp_port_t port_no;
    uint8_t hw_addr[6]; /* Must be the port's, or zero (OpenFlow 1.4 and later: any). */
    uint32_t config;    /* OFPPC_*. */
    uint32_t mask;
    uint32_t advertise; /* OFPPF_*; 0: unchanged. */
};
enum ofperr ofp_port_mod_decode(const struct ofp_msg *msg, struct ofp_port_mod *pm);

/* Counters; UINT64_MAX is "not known" and prints as '?'. */
struct ofp_port_stats {
    ofp_port_t port_no;
    uint64_t rx_packets, tx_packets;
    uint64_t rx_bytes, tx_bytes;
    uint64_t rx_dropped, tx_dropped;
    uint64_t rx_errors, tx_errors;
    uint64_t rx_frame_err, rx_over_err, rx_crc_err;
    uint64_t collisions;
    uint32_t duration_sec; /* UINT32_MAX: not known. */
    uint32_t duration_nsec;
    /* RFC 2819 counters, an extension of OpenFlow 1.4 and later; 'has_rfc2819': decoded, they came.
     */
    bool has_rfc2819;
    uint64_t rx_1_to_64_packets, rx_65_to_127_packets, rx_128_to_255_packets;
    uint64_t rx_256_to_511_packets, rx_512_to_1023_packets, rx_1024_to_1522_packets;
    uint64_t rx_1523_to_max_packets;
    uint64_t tx_1_to_64_packets, tx_65_to_127_packets, tx_128_to_255_packets;
    uint64_t tx_256_to_511_packets, tx_512_to_1023_packets, tx_1024_to_1522_packets;
    uint64_t tx_1523_to_max_packets;
    uint64_t tx_multicast_packets;
    uint64_t rx_broadcast_packets, tx_broadcast_packets;
    uint64_t rx_undersized_errors, rx_oversize_errors, rx_fragmented_errors, rx_jabber_errors;
    /* Counters with names of their own, in the same versions; borrowed.  Not decoded. */
    const struct ofp_custom_stat *custom;
    size_t n_custom;
};
#define OFP_CUSTOM_STAT_NAME_MAX 63
struct ofp_custom_stat {
    char name[OFP_CUSTOM_STAT_NAME_MAX + 1];
    uint64_t value;
};
/* Which port: OFPP_NONE is all. */
enum ofperr ofp_port_stats_request_decode(const struct ofp_msg *msg, ofp_port_t *port);
void ofp_port_stats_encode(struct ofp_mp *mp, const struct ofp_port_stats *stats);

#endif
