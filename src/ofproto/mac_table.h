// SPDX-License-Identifier: Apache-2.0
/*
 * mac_table.h - which MAC address was last seen on which logical port, per VLAN: what NORMAL
 * learns.
 *
 * Lookups take no lock (RCU).  Learning takes the table's lock only when something changes: a new
 * address, a move, or an entry whose time of last use is more than a second old.  So handlers that
 * see the same hosts do not wait for each other.
 *
 * Megaflows that depend on an entry remember the sequence number of its bucket (mac_dep); whoever
 * adds, moves or removes an entry advances it.  Only flows to or from such a bucket are translated
 * again.
 *
 * A full table evicts the oldest entry of the logical port that has the most, so that one port
 * cannot push out what others learned.  In a full table a port has a thousand entries replaced in a
 * second, once as many as the table has at a time; what it sends from more addresses is forwarded
 * without being learned.
 */
#ifndef OFPROTO_MAC_TABLE_H
#define OFPROTO_MAC_TABLE_H 1

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>

struct loop;
struct mac_table;

enum {
    MAC_TABLE_DEFAULT_MAX = 8192,
    MAC_TABLE_MIN = 10,
    MAC_TABLE_MAX = 1000000,
    MAC_TABLE_DEFAULT_AGING_S = 300,
    MAC_TABLE_N_SEQS = 4096,
};

/* 'loop' (may be NULL) gets a timer that ages entries.  One reference, the caller's.  Main. */
struct mac_table *mac_table_create(struct loop *);
/* Any thread; the memory goes with the last reference, after a grace period. */
void mac_table_ref(struct mac_table *);
void mac_table_unref(struct mac_table *); /* NULL is fine */
/* Stops aging and forgets everything; main, before the grace period after which the bridge is taken
 * apart, and before its reference goes. */
void mac_table_stop(struct mac_table *);
/* False once it was stopped: the bridge goes away, but is there until the caller's next quiescent
 * state if this was true.  Any thread under RCU. */
bool mac_table_is_live(const struct mac_table *);

/* 'flood_vlans': 4096 bits of VLANs where nothing is learned, or NULL; copied.  Main. */
void mac_table_configure(struct mac_table *, int aging_s, int max_entries,
                         const uint64_t *flood_vlans);

/* A place in the table: what mac_table_lookup() says. */
struct mac_where {
    uint32_t bundle_id;
    bool is_static;
};
/* False if the address is not known.  Any thread under RCU. */
bool mac_table_lookup(const struct mac_table *, uint16_t vlan, struct rte_ether_addr,
                      struct mac_where *);

enum mac_learned {
    MAC_KNOWN, /* nothing to do: same place, or static, or must not be learned */
    MAC_NEW,
    MAC_MOVED,
};
struct mac_source {
    struct rte_ether_addr mac;
    uint16_t vlan;
    uint32_t bundle_id;
    bool is_grat_arp; /* a gratuitous ARP: locks the entry for 5 s against a bond's reflections */
    bool is_bond;     /* came in on a bond */
};
/* Learns, moves or refreshes.  Any thread. */
enum mac_learned mac_table_learn(struct mac_table *, const struct mac_source *);

/* What a megaflow remembers of an address it depends on. */
uint32_t mac_table_seq_index(uint16_t vlan, struct rte_ether_addr);
uint32_t mac_table_seq(const struct mac_table *, uint32_t index);
/* Grows with every change of any table. */
uint64_t mac_table_global_seq(void);

/* --- main: commands and configuration ----------------------------------------------------------
 */

/* Removes what was learned, not static entries. */
void mac_table_flush(struct mac_table *);
/* Removes everything on a logical port. */
void mac_table_forget_bundle(struct mac_table *, uint32_t bundle_id);
/* Ages out: the timer does it each second. */
void mac_table_expire(struct mac_table *);

/* Adds a static entry.  True if there was one, whose port is then in '*old_bundle'. */
bool mac_table_add_static(struct mac_table *, uint16_t vlan, struct rte_ether_addr,
                          uint32_t bundle_id, uint32_t *old_bundle);
/* False if there is no such static entry. */
bool mac_table_del_static(struct mac_table *, uint16_t vlan, struct rte_ether_addr);

struct mac_row {
    struct rte_ether_addr mac;
    uint16_t vlan;
    uint32_t bundle_id;
    bool is_static;
    int64_t used_ms;
    int age_s;
};
/* A new array, least recently used first, that the caller frees. */
struct mac_row *mac_table_rows(struct mac_table *, size_t *n);

struct mac_table_stats {
    uint64_t learned, expired, evicted, moved;
    size_t n, n_static, max;
    size_t most; /* learned at once, ever: not cleared */
};
void mac_table_get_stats(struct mac_table *, struct mac_table_stats *);
void mac_table_clear_stats(struct mac_table *);

#endif /* ofproto/mac_table.h */
