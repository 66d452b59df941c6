// SPDX-License-Identifier: Apache-2.0
/*
 * mac_table.c - see mac_table.h: lookups, learning and life; mac_table_main.c has the commands.
 *
 * Entries hang in hash chains that readers follow under RCU; the lock guards every change.  Each
 * logical port with entries has a 'struct port_macs' with its entries in order of use: its head is
 * what eviction and aging look at.  The times of use are a second coarse.
 */
#include "ofproto/mac_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/bitmap.h"
#include "base/clock.h"
#include "base/coverage.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "base/uthash.h"
#include "ofproto/mac_table_int.h"

COVERAGE_DEFINE(rev_mac_learning);
COVERAGE_DEFINE(mac_learning_learned);
COVERAGE_DEFINE(mac_learning_evicted);
COVERAGE_DEFINE(mac_learning_moved);
COVERAGE_DEFINE(mac_learning_static_none_move);
COVERAGE_DEFINE(mac_learning_limited); /* may_evict() said no */

enum {
    GRAT_ARP_LOCK_MS = 5000,
    REFRESH_MS = 1000,
    EXPIRE_PERIOD_MS = 1000,
    CHURN_PER_MS = 1,  /* entries that a port may have replaced in a full table, */
    CHURN_BURST = 1024 /* and at once, or as many as the table has */
};

/* A counter of all tables' changes, which xlate_state_seq() reports. */
static _Atomic uint64_t global_seq = 1;

uint64_t
mac_table_global_seq(void)
{
    return atomic_load_explicit(&global_seq, memory_order_acquire);
}

static uint32_t
key_seq_index(uint64_t key)
{
    return (uint32_t)(hash_u64(key, 1) % MAC_TABLE_N_SEQS);
}

uint32_t
mac_table_seq_index(uint16_t vlan, struct rte_ether_addr mac)
{
    return key_seq_index(mac_key(vlan, mac));
}

uint32_t
mac_table_seq(const struct mac_table *mt, uint32_t index)
{
    return atomic_load_explicit(&mt->seqs[index], memory_order_acquire);
}

/* What depends on 'key' must be looked at again. */
static void
key_changed(struct mac_table *mt, uint64_t key)
{
    atomic_fetch_add_explicit(&mt->seqs[key_seq_index(key)], 1, memory_order_release);
    atomic_fetch_add_explicit(&global_seq, 1, memory_order_acq_rel);
}

/* --- chains ------------------------------------------------------------------------------------
 */

static struct mac_chains *
chains_create(size_t max)
{
    size_t n = 64;

    while (n < max / 2) {
        n *= 2;
    }
    struct mac_chains *c = xzalloc(sizeof *c + n * sizeof c->heads[0]);
    c->mask = n - 1;
    return c;
}

static void
chains_insert(struct mac_chains *c, struct mac_entry *e)
{
    RCU_PTR(struct mac_entry) *head = &c->heads[hash_u64(e->key, 0) & c->mask];

    rcu_assign(&e->next, rcu_get_protected(head));
    rcu_assign(head, e);
}

static void
chains_remove(struct mac_chains *c, struct mac_entry *e)
{
    RCU_PTR(struct mac_entry) *link = &c->heads[hash_u64(e->key, 0) & c->mask];
    struct mac_entry *p;

    while ((p = rcu_get_protected(link)) != e) {
        link = &p->next;
    }
    rcu_assign(link, rcu_get_protected(&e->next));
}

/* --- entries: under the lock -------------------------------------------------------------------
 */

static struct port_macs *
port_get(struct mac_table *mt, uint32_t bundle_id)
{
    struct port_macs *p;

    HASH_FIND(hh, mt->ports, &bundle_id, sizeof bundle_id, p);
    if (!p) {
        p = xzalloc(sizeof *p);
        p->bundle_id = bundle_id;
        TAILQ_INIT(&p->macs);
        TAILQ_INIT(&p->statics);
        HASH_ADD(hh, mt->ports, bundle_id, sizeof p->bundle_id, p);
    }
    return p;
}

static void
port_attach(struct mac_table *mt, struct mac_entry *e, uint32_t bundle_id)
{
    struct port_macs *p = port_get(mt, bundle_id);

    e->port = p;
    atomic_store_explicit(&e->bundle_id, bundle_id, memory_order_release);
    if (e->is_static) {
        TAILQ_INSERT_TAIL(&p->statics, e, by_use);
        p->n_static++;
    } else {
        TAILQ_INSERT_TAIL(&p->macs, e, by_use);
        p->n++;
    }
}

static void
port_detach(struct mac_table *mt, struct mac_entry *e)
{
    struct port_macs *p = e->port;

    if (e->is_static) {
        TAILQ_REMOVE(&p->statics, e, by_use);
        p->n_static--;
    } else {
        TAILQ_REMOVE(&p->macs, e, by_use);
        p->n--;
    }
    if (!p->n && !p->n_static) {
        HASH_DEL(mt->ports, p);
        free(p);
    }
}

void
mac_entry_remove(struct mac_table *mt, struct mac_entry *e)
{
    port_detach(mt, e);
    chains_remove(rcu_get_protected(&mt->chains), e);
    mt->n--;
    mt->n_static -= e->is_static;
    key_changed(mt, e->key);
    rcu_free(e);
}

/* Makes room for one more: the oldest entry of the port that learned the most goes. */
static bool
evict_one(struct mac_table *mt)
{
    struct port_macs *p, *tmp, *most = NULL;

    HASH_ITER (hh, mt->ports, p, tmp) {
        if (p->n && (!most || p->n > most->n)) {
            most = p;
        }
    }
    if (!most) {
        return false;
    }
    mt->evicted++;
    coverage_inc(mac_learning_evicted);
    mac_entry_remove(mt, TAILQ_FIRST(&most->macs));
    return true;
}

/* May an entry go so that 'bundle_id' gets one more?  Who sends from ever new addresses would have
 * the table changed with each packet, and what depends on it translated again and again. */
static bool
may_evict(const struct mac_table *mt, uint32_t bundle_id, int64_t now_ms)
{
    struct port_macs *p;

    HASH_FIND(hh, mt->ports, &bundle_id, sizeof bundle_id, p);
    if (!p) {
        return true;
    }
    p->churn = MAX(p->churn - (now_ms - p->churn_ms) * CHURN_PER_MS, (int64_t)0);
    p->churn_ms = now_ms;
    if (p->churn >= MAX((int64_t)mt->max, (int64_t)CHURN_BURST)) {
        coverage_inc(mac_learning_limited);
        return false;
    }
    p->churn++;
    return true;
}

struct mac_entry *
mac_entry_add(struct mac_table *mt, uint64_t key, uint32_t bundle_id, bool is_static)
{
    struct mac_entry *e = xzalloc(sizeof *e);

    e->key = key;
    e->is_static = is_static;
    atomic_store_explicit(&e->used_ms, clock_now_ms(), memory_order_relaxed);
    port_attach(mt, e, bundle_id);
    chains_insert(rcu_get_protected(&mt->chains), e);
    mt->n++;
    mt->n_static += is_static;
    mt->most = MAX(mt->most, mt->n - mt->n_static);
    key_changed(mt, key);
    return e;
}

/* --- life --------------------------------------------------------------------------------------
 */

static void
expire_timer(void *mt_)
{
    mac_table_expire(mt_);
}

struct mac_table *
mac_table_create(struct loop *loop)
{
    struct mac_table *mt = xzalloc(sizeof *mt);

    atomic_store_explicit(&mt->n_refs, 1, memory_order_relaxed);
    atomic_store_explicit(&mt->is_live, true, memory_order_relaxed);
    pthread_mutex_init(&mt->lock, NULL);
    mt->max = MAC_TABLE_DEFAULT_MAX;
    mt->aging_ms = MAC_TABLE_DEFAULT_AGING_S * 1000;
    rcu_assign(&mt->chains, chains_create(mt->max));
    if (loop) {
        loop_timer_every(&mt->timer, loop, EXPIRE_PERIOD_MS, expire_timer, mt);
    }
    return mt;
}

void
mac_table_remove_all(struct mac_table *mt, bool statics_too)
{
    struct port_macs *p, *tmp;

    HASH_ITER (hh, mt->ports, p, tmp) {
        size_t n = p->n, n_static = statics_too ? p->n_static : 0;

        /* The last removal frees 'p'. */
        for (; n; n--) {
            mac_entry_remove(mt, TAILQ_FIRST(&p->macs));
        }
        for (; n_static; n_static--) {
            mac_entry_remove(mt, TAILQ_FIRST(&p->statics));
        }
    }
}

void
mac_table_stop(struct mac_table *mt)
{
    loop_timer_stop(&mt->timer);
    atomic_store_explicit(&mt->is_live, false, memory_order_release);
    pthread_mutex_lock(&mt->lock);
    mac_table_remove_all(mt, true);
    pthread_mutex_unlock(&mt->lock);
}

bool
mac_table_is_live(const struct mac_table *mt)
{
    return atomic_load_explicit(&mt->is_live, memory_order_acquire);
}

static void
table_free(void *mt_)
{
    struct mac_table *mt = mt_;

    mac_table_remove_all(mt, true);
    free(rcu_get_protected(&mt->chains));
    free(atomic_load_explicit(&mt->flood_vlans, memory_order_relaxed));
    pthread_mutex_destroy(&mt->lock);
    free(mt);
}

void
mac_table_ref(struct mac_table *mt)
{
    atomic_fetch_add_explicit(&mt->n_refs, 1, memory_order_relaxed);
}

void
mac_table_unref(struct mac_table *mt)
{
    if (mt && atomic_fetch_sub_explicit(&mt->n_refs, 1, memory_order_acq_rel) == 1) {
        rcu_defer(table_free, mt);
    }
}

/* Moves all entries to chains that suit 'max'.  Readers may still walk the old ones, so entries are
 * copied. */
static void
rehash(struct mac_table *mt)
{
    struct mac_chains *old = rcu_get_protected(&mt->chains), *new = chains_create(mt->max);

    if (new->mask == old->mask) {
        free(new);
        return;
    }
    for (size_t i = 0; i <= old->mask; i++) {
        struct mac_entry *next;

        for (struct mac_entry *e = rcu_get_protected(&old->heads[i]); e; e = next) {
            struct mac_entry *copy = xzalloc(sizeof *copy);

            next = rcu_get_protected(&e->next);
            copy->key = e->key;
            copy->is_static = e->is_static;
            copy->grat_lock_until_ms = e->grat_lock_until_ms;
            atomic_store(&copy->used_ms, atomic_load(&e->used_ms));
            uint32_t bundle_id = atomic_load(&e->bundle_id);
            port_detach(mt, e);
            port_attach(mt, copy, bundle_id);
            chains_insert(new, copy);
            rcu_free(e);
        }
    }
    rcu_assign(&mt->chains, new);
    rcu_free(old);
}

void
mac_table_configure(struct mac_table *mt, int aging_s, int max_entries, const uint64_t *flood_vlans)
{
    uint64_t *old = atomic_load_explicit(&mt->flood_vlans, memory_order_relaxed), *new = NULL;

    if (flood_vlans) {
        new = xmemdup(flood_vlans, 4096 / 8);
    }
    atomic_store_explicit(&mt->flood_vlans, new, memory_order_release);
    rcu_free(old);

    pthread_mutex_lock(&mt->lock);
    mt->aging_ms = MIN(MAX(aging_s, 15), 3600) * INT64_C(1000);
    mt->max = (size_t)MIN(MAX(max_entries, (int)MAC_TABLE_MIN), (int)MAC_TABLE_MAX);
    while (mt->n - mt->n_static > mt->max && evict_one(mt)) {
        continue;
    }
    rehash(mt);
    pthread_mutex_unlock(&mt->lock);
}

/* --- lookup and learning: any thread -----------------------------------------------------------
 */

bool
mac_table_lookup(const struct mac_table *mt, uint16_t vlan, struct rte_ether_addr mac,
                 struct mac_where *where)
{
    const struct mac_entry *e = mac_chains_find(rcu_get(&mt->chains), mac_key(vlan, mac));

    if (!e) {
        return false;
    }
    where->bundle_id = atomic_load_explicit(&e->bundle_id, memory_order_acquire);
    where->is_static = e->is_static;
    return true;
}

static bool
may_learn(const struct mac_table *mt, const struct mac_source *src)
{
    const uint64_t *flood_vlans = atomic_load_explicit(&mt->flood_vlans, memory_order_acquire);

    return !(src->mac.addr_bytes[0] & 1) &&
           !(flood_vlans && bitmap_is_set(flood_vlans, src->vlan & 0xfff));
}

/* True if the entry, found without the lock, needs no write. */
static bool
is_fresh(const struct mac_entry *e, const struct mac_source *src, int64_t now_ms)
{
    if (e->is_static) {
        if (atomic_load_explicit(&e->bundle_id, memory_order_relaxed) != src->bundle_id) {
            coverage_inc(mac_learning_static_none_move);
        }
        return true;
    }
    return !src->is_grat_arp &&
           atomic_load_explicit(&e->bundle_id, memory_order_relaxed) == src->bundle_id &&
           now_ms - atomic_load_explicit(&e->used_ms, memory_order_relaxed) < REFRESH_MS;
}

/* Under the lock. */
static enum mac_learned
entry_update(struct mac_table *mt, struct mac_entry *e, const struct mac_source *src,
             int64_t now_ms)
{
    bool same = e->port->bundle_id == src->bundle_id;

    if (e->is_static) {
        return MAC_KNOWN;
    }
    if (src->is_grat_arp && !src->is_bond) {
        e->grat_lock_until_ms = now_ms + GRAT_ARP_LOCK_MS;
    } else if (!same && src->is_bond && now_ms < e->grat_lock_until_ms) {
        return MAC_KNOWN; /* The bond's peer sent the host's announcement back to us. */
    }
    atomic_store_explicit(&e->used_ms, now_ms, memory_order_relaxed);
    port_detach(mt, e);
    port_attach(mt, e, src->bundle_id);
    if (same) {
        return MAC_KNOWN;
    }
    mt->moved++;
    coverage_inc(mac_learning_moved);
    coverage_inc(rev_mac_learning);
    key_changed(mt, e->key);
    return MAC_MOVED;
}

enum mac_learned
mac_table_learn(struct mac_table *mt, const struct mac_source *src)
{
    uint64_t key = mac_key(src->vlan, src->mac);
    int64_t now_ms = clock_now_ms();
    enum mac_learned result = MAC_KNOWN;
    struct mac_entry *e;

    if (!may_learn(mt, src)) {
        return MAC_KNOWN;
    }
    e = mac_chains_find(rcu_get(&mt->chains), key);
    if (e && is_fresh(e, src, now_ms)) {
        return MAC_KNOWN;
    }
    pthread_mutex_lock(&mt->lock);
    e = mac_chains_find(rcu_get_protected(&mt->chains), key);
    if (e) {
        result = entry_update(mt, e, src, now_ms);
    } else if (mt->n - mt->n_static < mt->max ||
               (may_evict(mt, src->bundle_id, now_ms) && evict_one(mt))) {
        e = mac_entry_add(mt, key, src->bundle_id, false);
        if (src->is_grat_arp && !src->is_bond) {
            e->grat_lock_until_ms = now_ms + GRAT_ARP_LOCK_MS;
        }
        mt->learned++;
        coverage_inc(mac_learning_learned);
        result = MAC_NEW;
    }
    pthread_mutex_unlock(&mt->lock);
    return result;
}
