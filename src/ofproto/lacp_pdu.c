// SPDX-License-Identifier: Apache-2.0
/*
 * lacp_pdu.c - see lacp_pdu.h.
 */
#include "ofproto/lacp_pdu.h"

#include <string.h>

enum {
    SUBTYPE_LACP = 1,
    SUBTYPE_MARKER = 2,
    VERSION = 1,
    TLV_ACTOR = 1,
    TLV_PARTNER = 2,
    TLV_COLLECTOR = 3,
    INFO_LEN = 20, /* of an actor's or partner's TLV, with its header */
    COLLECTOR_LEN = 16,
    ACTOR_OFFSET = 2,
    PARTNER_OFFSET = ACTOR_OFFSET + INFO_LEN,
    COLLECTOR_OFFSET = PARTNER_OFFSET + INFO_LEN,
};

static uint16_t
get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void
put16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static bool
get_info(const uint8_t *tlv, uint8_t type, struct lacp_info *info)
{
    if (tlv[0] != type || tlv[1] != INFO_LEN) {
        return false;
    }
    info->sys_priority = get16(tlv + 2);
    memcpy(info->sys_id.addr_bytes, tlv + 4, sizeof info->sys_id.addr_bytes);
    info->key = get16(tlv + 10);
    info->port_priority = get16(tlv + 12);
    info->port_id = get16(tlv + 14);
    info->state = tlv[16];
    return true;
}

static void
put_info(uint8_t *tlv, uint8_t type, const struct lacp_info *info)
{
    tlv[0] = type;
    tlv[1] = INFO_LEN;
    put16(tlv + 2, info->sys_priority);
    memcpy(tlv + 4, info->sys_id.addr_bytes, sizeof info->sys_id.addr_bytes);
    put16(tlv + 10, info->key);
    put16(tlv + 12, info->port_priority);
    put16(tlv + 14, info->port_id);
    tlv[16] = info->state;
}

/* The version is not looked at: newer ones keep these fields where they are (6.4.2.3). */
enum lacp_pdu_kind
lacp_pdu_decode(const void *data, size_t len, struct lacp_pdu *pdu)
{
    const uint8_t *p = data;

    if (len >= 1 && p[0] == SUBTYPE_MARKER) {
        return LACP_PDU_MARKER;
    }
    if (len < LACP_PDU_SIZE || p[0] != SUBTYPE_LACP ||
        !get_info(p + ACTOR_OFFSET, TLV_ACTOR, &pdu->actor) ||
        !get_info(p + PARTNER_OFFSET, TLV_PARTNER, &pdu->partner)) {
        return LACP_PDU_BAD;
    }
    return LACP_PDU_LACP;
}

void
lacp_pdu_encode(const struct lacp_pdu *pdu, uint8_t bytes[static LACP_PDU_SIZE])
{
    memset(bytes, 0, LACP_PDU_SIZE);
    bytes[0] = SUBTYPE_LACP;
    bytes[1] = VERSION;
    put_info(bytes + ACTOR_OFFSET, TLV_ACTOR, &pdu->actor);
    put_info(bytes + PARTNER_OFFSET, TLV_PARTNER, &pdu->partner);
    bytes[COLLECTOR_OFFSET] = TLV_COLLECTOR;
    bytes[COLLECTOR_OFFSET + 1] = COLLECTOR_LEN;
}

bool
lacp_info_equal(const struct lacp_info *a, const struct lacp_info *b)
{
    return a->sys_priority == b->sys_priority && rte_is_same_ether_addr(&a->sys_id, &b->sys_id) &&
           a->key == b->key && a->port_priority == b->port_priority && a->port_id == b->port_id &&
           a->state == b->state;
}
