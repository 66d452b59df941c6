// SPDX-License-Identifier: Apache-2.0
/*
 * mac_table_int.h - the MAC table's own structures, shared by mac_table.c (lookups, learning, life)
 * and mac_table_main.c (commands and configuration).
 */
#ifndef OFPROTO_MAC_TABLE_INT_H
#define OFPROTO_MAC_TABLE_INT_H 1

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "base/uthash.h"
#include "ofproto/mac_table.h"

struct mac_entry {
    RCU_PTR(struct mac_entry) next;
    uint64_t key;                  /* constant: vlan << 48 | MAC */
    _Atomic uint32_t bundle_id;    /* w under the lock, r all */
    bool is_static;                /* constant: a change makes a new entry */
    _Atomic int64_t used_ms;       /* w under the lock, r all */
    int64_t grat_lock_until_ms;    /* under the lock */
    struct port_macs *port;        /* under the lock */
    TAILQ_ENTRY(mac_entry) by_use; /* in port->macs; under the lock */
};

struct port_macs {
    uint32_t bundle_id;
    size_t n, n_static;
    int64_t churn;    /* entries that went to make room for this port's, less CHURN_PER_MS */
    int64_t churn_ms; /* when that was taken off last */
    TAILQ_HEAD(, mac_entry) macs; /* least recently used first, static ones nowhere */
    TAILQ_HEAD(, mac_entry) statics;
    UT_hash_handle hh;
};

struct mac_chains {
    size_t mask;
    RCU_PTR(struct mac_entry) heads[];
};

struct mac_table {
    _Atomic uint32_t n_refs;
    _Atomic bool is_live;              /* w main, r all */
    RCU_PTR(struct mac_chains) chains; /* w under the lock, r all */
    _Atomic(uint64_t *) flood_vlans;   /* w main, r all under RCU; NULL: none */
    _Atomic uint32_t seqs[MAC_TABLE_N_SEQS];
    pthread_mutex_t lock; /* the members below */
    struct port_macs *ports;
    size_t n, n_static, max, most;
    int64_t aging_ms;
    uint64_t learned, expired, evicted, moved;
    struct loop_timer timer; /* main */
};

static inline uint64_t
mac_key(uint16_t vlan, struct rte_ether_addr mac)
{
    uint64_t key = (uint64_t)vlan << 48;

    for (int i = 0; i < 6; i++) {
        key |= (uint64_t)mac.addr_bytes[i] << (40 - 8 * i);
    }
    return key;
}

static inline struct rte_ether_addr
mac_of_key(uint64_t key)
{
    struct rte_ether_addr mac;

    for (int i = 0; i < 6; i++) {
        mac.addr_bytes[i] = (uint8_t)(key >> (40 - 8 * i));
    }
    return mac;
}

static inline struct mac_entry *
mac_chains_find(const struct mac_chains *c, uint64_t key)
{
    struct mac_entry *e = rcu_get(&c->heads[hash_u64(key, 0) & c->mask]);

    while (e && e->key != key) {
        e = rcu_get(&e->next);
    }
    return e;
}

/* --- with the table's lock ---------------------------------------------------------------------
 */

/* There must be none of this key.  The entry is the table's. */
struct mac_entry *mac_entry_add(struct mac_table *, uint64_t key, uint32_t bundle_id,
                                bool is_static);
/* Readers may have it until the grace period's end; its port's record goes with its last entry. */
void mac_entry_remove(struct mac_table *, struct mac_entry *);
void mac_table_remove_all(struct mac_table *, bool statics_too);

#endif /* ofproto/mac_table_int.h */
