// SPDX-License-Identifier: Apache-2.0
/*
 * frozen.h - translations that stopped in the middle, by the number of the recirculation that goes
 * on with them.
 *
 * A translation that cannot go on before the datapath looked at the packet anew (L3 below a popped
 * MPLS stack, a hash that the datapath computes) freezes: what is left to do becomes a "struct
 * frozen", and the packet comes back with its number as recirc_id.  Equal states are one and have
 * one number, so that translating a megaflow again gives the same actions.
 *
 * Who needs a state holds a reference: the megaflow whose actions recirculate, and those of the
 * recirculated packets, through their xlate_cache; a bond.  A state that nobody refers to is kept
 * for FROZEN_LINGER_MS, in which packets on their way still find it and an equal one gets its
 * number again.  Numbers are given in order and come again after 2^32 of them at the earliest.
 *
 * A state is the port's whose packet brought it about first.  Once three quarters of the places or
 * of the memory are taken, a port that has half or more gets no more, so that others find some; and
 * who can do without a state does: frozens_are_many().
 *
 * Any thread, but where noted; "frozen lock" is a leaf.
 */
#ifndef OFPROTO_FROZEN_H
#define OFPROTO_FROZEN_H 1

#include "flow/flow.h"
#include "openflow/ofp_continuation.h"

struct frozens;
struct mac_table;
struct ofproto;

enum {
    FROZEN_LINGER_MS = 1000,
    FROZEN_MAX = 65536,
    FROZEN_MAX_SIZE = 64 << 20, /* bytes of all states */
    FROZEN_PORTS = 4096,        /* ports are told apart up to here */
    FROZEN_PIPELINE = FLOW_WORDS - FLOW_KEY_WORDS,
};
#define FROZEN_NO_BUNDLE UINT32_MAX
#define FROZEN_NO_PORT UINT32_MAX /* no packet brought it about */

/* What a thawed translation begins with. */
struct frozen_state {
    struct ofproto *ofproto; /* valid only under RCU and while 'macs' is live */
    struct mac_table *macs;  /* the bridge's */
    struct ofp_continuation left;
    uint64_t pipeline[FROZEN_PIPELINE]; /* the flow's words from FLOW_KEY_WORDS on */
    struct flow_tnl tunnel;             /* valid if has_tunnel: actions had changed it */
    bool has_tunnel;
    bool is_hashed; /* the packet has a dp_hash, though the bits that a megaflow matches may be 0 */
    bool looks_up;  /* look up in table 0 first: a packet that just came in */
    uint32_t bundle; /* sends to this bundle's member for dp_hash, no more;
                      * FROZEN_NO_BUNDLE: the rest counts */
};

struct frozen {
    uint32_t id;               /* not 0 */
    struct frozen_state state; /* constant */
};

struct frozens *frozens_create(void);
/* The memory goes with the last state. */
void frozens_destroy(struct frozens *);
/* The state equal to '*state', whose 'left' is taken, on behalf of a datapath port or
 * FROZEN_NO_PORT.  A reference, or NULL if there are too many already.  The caller is online in RCU
 * and 'macs' live.
 */
struct frozen *frozen_get(struct frozens *, uint32_t port, struct frozen_state *state);
/* A reference, or NULL: nobody knows the number (any more). */
struct frozen *frozen_find(struct frozens *, uint32_t id);
struct frozen *frozen_ref(struct frozen *);
void frozen_unref(struct frozen *); /* NULL is fine */
/* The bridge to go on in, until the caller's next quiescent state; NULL: it is gone. */
struct ofproto *frozen_bridge(const struct frozen *);
/* Frees what nobody referred to for a while; frozen_get() does the same. */
void frozens_tidy(struct frozens *, int64_t now_ms);
/* The port's packets do without a state if they can: three quarters of all are taken, or half of
 * all and a quarter by the port.
 */
bool frozens_are_many(struct frozens *, uint32_t port);
/* How full the table is and was; 'size' is in bytes.  It is one for all ports and bridges. */
struct frozens_use {
    uint32_t now, most;
    size_t size, most_size;
    uint64_t n_refused; /* frozen_get() said NULL */
    uint32_t full_port, of_full_port,
        most_of_port; /* the port that has most (FROZEN_NO_PORT too), and what any ever had */
    uint64_t n_port_refused; /* of n_refused: to ports that had half or more */
};
struct frozens_use frozens_use(struct frozens *);

#endif /* ofproto/frozen.h */
