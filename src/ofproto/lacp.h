// SPDX-License-Identifier: Apache-2.0
/*
 * lacp.h - the link aggregation control protocol (IEEE 802.1AX-2020, clause 6) for the members of
 * one logical port: who is at the other end of each link, and which links lead to the same place.
 *
 * A machine without clock, sockets or threads: the owner says what time it is, hands in what came,
 * and takes what is to be sent.  bond.c runs it in the main thread.
 */
#ifndef OFPROTO_LACP_H
#define OFPROTO_LACP_H 1

#include "ofproto/lacp_pdu.h"
#include "packet/types.h"

enum {
    LACP_FAST_MS = 1000,
    LACP_SLOW_MS = 30000,
    LACP_LOST = 3, /* so many times that without a word, and the partner is gone */
};

#define LACP_NEVER INT64_MAX

enum lacp_status {
    LACP_OFF,
    LACP_CONFIGURED, /* no partner on any link */
    LACP_NEGOTIATED,
};

enum lacp_member_status {
    LACP_MEMBER_DEFAULTED, /* no partner */
    LACP_MEMBER_EXPIRED,   /* waits for a word, but not much longer */
    LACP_MEMBER_CURRENT,
};

struct lacp_cfg {
    bool active; /* false: speaks when spoken to */
    bool fast;
    bool fallback_ab; /* links without partner may carry traffic while none has one */
    uint16_t sys_priority;
    struct rte_ether_addr sys_id;
};

struct lacp_member_cfg {
    uint16_t port_id, port_priority; /* lower priority is better */
    uint16_t key;                    /* 0: the first member's port_id */
};

struct lacp_counts {
    uint64_t tx, rx, rx_bad, rx_marker, expired, defaulted, carrier;
};

struct lacp_member {
    ofp_port_t port;
    char *name;
    struct lacp_member_cfg cfg;
    enum lacp_member_status status;
    bool attached;            /* to the aggregation */
    bool may_enable;          /* as lacp_run() left it */
    bool looped;              /* to another member: said in the log */
    struct lacp_info partner; /* as it says */
    struct lacp_info known;   /* what the partner is known to know of us */
    int64_t rx_ends;          /* when 'status' falls; LACP_NEVER */
    int64_t tx_next;          /* when a PDU is due whatever happens */
    struct lacp_counts counts;
};

struct lacp {
    struct lacp_cfg cfg;
    struct lacp_member *members;
    size_t n_members;
    ofp_port_t key_port; /* the member whose key, or port_id, is all members' */
    bool negotiated;
    uint64_t seq;        /* grows when lacp_status() or lacp_may_enable() change, and members */
    uint64_t status_seq; /* grows when a member gets or loses its partner */
};

struct lacp *lacp_create(void);
void lacp_destroy(struct lacp *); /* NULL is fine */
void lacp_configure(struct lacp *, const struct lacp_cfg *);
/* Adds the member, or changes it; a new one listens for a while before it gives up. */
void lacp_put_member(struct lacp *, ofp_port_t, const char *name, const struct lacp_member_cfg *,
                     int64_t now);
/* Forgets members but for these. */
void lacp_keep_members(struct lacp *, const ofp_port_t *ports, size_t n);

/* What came on a port, from behind the Ethernet type. */
void lacp_receive(struct lacp *, ofp_port_t, const void *data, size_t len, int64_t now);
/* The port lost its link, or has one again. */
void lacp_carrier_changed(struct lacp *, ofp_port_t, int64_t now);
/* Lets time pass and decides who is attached.  After any of the above. */
void lacp_run(struct lacp *, int64_t now);
/* The next PDU that is due; false if none is.  To be called until then. */
bool lacp_next_pdu(struct lacp *, int64_t now, ofp_port_t *port, uint8_t pdu[static LACP_PDU_SIZE]);
/* When lacp_run() and lacp_next_pdu() are to be called at the latest; LACP_NEVER. */
int64_t lacp_next_event(const struct lacp *);

/* NULL asks for a port without LACP. */
enum lacp_status lacp_status(const struct lacp *);
/* The link leads into the aggregation, and the partner agrees; true without LACP. */
bool lacp_may_enable(const struct lacp *, ofp_port_t);
const struct lacp_member *lacp_member(const struct lacp *, ofp_port_t); /* NULL: none */
uint16_t lacp_key(const struct lacp *);
/* What a member says of itself. */
struct lacp_info lacp_actor(const struct lacp *, const struct lacp_member *);

#endif /* ofproto/lacp.h */
