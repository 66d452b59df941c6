// SPDX-License-Identifier: Apache-2.0
/*
 * lacp_pdu.h - the bytes of LACP (IEEE 802.1AX-2020, 6.4.2.3): what two ends of an aggregation tell
 * each other.  Pure functions; any thread.
 */
#ifndef OFPROTO_LACP_PDU_H
#define OFPROTO_LACP_PDU_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>

enum {
    LACP_PDU_SIZE = 110, /* from the subtype on, behind Ethernet type ETH_TYPE_SLOW */
};

/* Bits of a port's state. */
enum {
    LACP_STATE_ACTIVITY = 0x01,     /* speaks without being spoken to */
    LACP_STATE_TIMEOUT = 0x02,      /* wants to hear once a second, not every 30 s */
    LACP_STATE_AGGREGATION = 0x04,  /* may share an aggregation with other links */
    LACP_STATE_SYNC = 0x08,         /* is in the right aggregation */
    LACP_STATE_COLLECTING = 0x10,   /* takes frames */
    LACP_STATE_DISTRIBUTING = 0x20, /* sends frames */
    LACP_STATE_DEFAULTED = 0x40,    /* has no partner */
    LACP_STATE_EXPIRED = 0x80,      /* did not hear from it in time */
};

/* One end of a link; host byte order. */
struct lacp_info {
    uint16_t sys_priority; /* lower is better */
    struct rte_ether_addr sys_id;
    uint16_t key;
    uint16_t port_priority;
    uint16_t port_id;
    uint8_t state;
};

struct lacp_pdu {
    struct lacp_info actor;   /* who sends it */
    struct lacp_info partner; /* what it knows of who receives it */
};

enum lacp_pdu_kind {
    LACP_PDU_LACP,
    LACP_PDU_MARKER, /* of the marker protocol: '*pdu' is not set */
    LACP_PDU_BAD,    /* neither */
};

/* Takes apart what follows the Ethernet type. */
enum lacp_pdu_kind lacp_pdu_decode(const void *data, size_t len, struct lacp_pdu *pdu);
void lacp_pdu_encode(const struct lacp_pdu *pdu, uint8_t bytes[static LACP_PDU_SIZE]);

bool lacp_info_equal(const struct lacp_info *, const struct lacp_info *);

#endif /* ofproto/lacp_pdu.h */
