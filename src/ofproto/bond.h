// SPDX-License-Identifier: Apache-2.0
/*
 * bond.h - which members of a bond carry traffic, and which one is the active one.
 *
 * Main thread only; translation sees what came of it in views (view.c).  A bond is run when a
 * device of the bridge, its configuration or a command moved something, and when a delay ends.
 * Names of modes and the meaning of delays are those of ovs-vswitchd.conf.db(5).
 */
#ifndef OFPROTO_BOND_H
#define OFPROTO_BOND_H 1

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>

#include "base/log.h"
#include "ofproto/ofproto.h"

struct frozen;
struct mac_row;
struct ofbundle;
struct ofprotos;

enum { BOND_BUCKETS = 256, BOND_NO_MEMBER = 0xff, BOND_MAX_MEMBERS = 64 };

#define BOND_NO_DELAY INT64_MAX

/* What the buckets of a balanced bond sent so far; w any thread, r main.  The bond has a reference
 * and each view that leads to it: a view may stay in force after the bond, until the next one. */
struct bond_loads {
    _Atomic uint64_t bytes[BOND_BUCKETS];
    _Atomic uint32_t n_refs;
};

struct bond_loads *bond_loads_ref(struct bond_loads *);
void bond_loads_unref(struct bond_loads *); /* NULL is fine */

struct bond_member {
    ofp_port_t port;
    char *name;
    struct rte_ether_addr mac;
    bool has_link;      /* may be enabled */
    bool enabled;       /* carries traffic */
    int64_t delay_ends; /* clock_now_ms() when 'enabled' follows 'has_link'; BOND_NO_DELAY: as is */
};

struct bond {
    struct bond_member *members; /* in the order of their names */
    size_t n_members;
    int active;                       /* index; -1: none */
    struct rte_ether_addr active_mac; /* of the last active member; zero: none */
    enum ofproto_bond_mode mode;      /* that it ran in last */
    struct frozen *recirc;  /* of a balanced bond: what hashed packets come back to; NULL: none,
                             * or no room for one, then translations hash themselves */
    int64_t next_rebalance; /* clock_now_ms(), of a balanced bond */
    uint8_t bucket[BOND_BUCKETS]; /* balanced: index of a member, or BOND_NO_MEMBER */
    struct bond_loads *loads;
    uint64_t counted[BOND_BUCKETS];  /* of them, up to the last rebalancing */
    uint64_t old_load[BOND_BUCKETS]; /* what is left of the load before it */
    bool teach;                      /* neighbours must learn anew where our hosts are */
    struct mac_row *lessons;         /* what is still to be taught */
    size_t n_lessons, lesson;
    struct ofprotos *lb_all; /* bond_lb.c: whose datapath has the buckets, too; NULL: none */
    uint64_t lb_taken[BOND_BUCKETS]; /* of what it counted: is in 'loads' */
    struct log_rate events, moves;   /* of the lines about members, and about buckets */
};

/* Looks at the members' links and the configuration of 'b', which has or had a bond; publishes with
 * ofproto_view_changed() when something moved. */
void bond_run(struct ofproto *, struct ofbundle *b);
void bond_destroy(struct bond *); /* NULL is fine */
/* All bonds; sends learning packets; waits for the next delay.  After devices changed. */
void bonds_run(struct ofprotos *);
/* The same of one logical port alone, whose partner said something. */
void bundle_run(struct ofproto *, struct ofbundle *);
void bonds_stop(struct ofprotos *);

/* What commands ask for; bonds_run() is to follow. */
void bond_set_enabled(struct ofproto *, struct ofbundle *, struct bond_member *, bool enabled);
void bond_set_active(struct ofproto *, struct ofbundle *, struct bond_member *);
/* Before a command has its effects: the lines that these bring are not held back for what links
 * did before. */
void bond_log_all(struct bond *);
/* The number of its recirculation; 0: none. */
uint32_t bond_recirc_id(const struct bond *);
/* Without a partner it runs as active-backup, whatever its mode. */
bool bond_falls_back(const struct ofbundle *);
const char *bond_mode_name(enum ofproto_bond_mode);

/* The bucket of a source address in a VLAN is this hash's lowest 8 bits. */
uint32_t bond_hash_mac(struct rte_ether_addr, uint16_t vlan, uint32_t basis);

/* bond_teach.c.  Sends the next part of the lessons; true if some are left. */
bool bond_teach(struct ofproto *, struct ofbundle *);

/* bond_lb.c.  The bond's number for lb_output; 0: its packets recirculate. */
uint32_t bond_lb_id(const struct ofbundle *);
/* Gives the datapath the buckets as they are, if it is to have them. */
void bond_lb_sync(const struct ofproto *, struct ofbundle *);
/* Adds what the datapath counted to the bond's loads. */
void bond_lb_take(struct bond *);
/* Takes them from the datapath, once that has no use for them; before the recirculation goes, and
 * a commit is to follow. */
void bond_lb_stop(struct bond *);
/* After a commit: what the bridge stopped is in its view no more.  Once a second.  At the end, when
 * nobody translates. */
void bonds_lb_published(struct ofproto *);
void bonds_lb_run(struct ofprotos *);
void bonds_lb_fini(struct ofprotos *);

/* bond_balance.c.  Buckets of members that are out go to others, and new members get their share;
 * all others stay, also where bond/migrate or load put them. */
void bond_spread(struct bond *);
/* Moves buckets from members that carry much to those that carry little; true if one moved. */
bool bond_rebalance(struct bond *, const char *name);
/* Whether that is done now and then. */
bool bond_is_rebalanced(const struct ofbundle *);
/* Bytes, those before the last rebalancings counted for less. */
uint64_t bond_load(const struct bond *, int bucket);

/* Registers bond/... (bond_ctl.c), lacp/... (lacp_ctl.c). */
void bond_ctl_init(struct ofprotos *);
void lacp_ctl_init(struct ofprotos *);

#endif /* ofproto/bond.h */
