// SPDX-License-Identifier: Apache-2.0
/*
 * mac_table_main.c - see mac_table.h: what the main thread does with a MAC table.
 */
#include "ofproto/mac_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/mac_table_int.h"

COVERAGE_DEFINE(mac_learning_expired);

void
mac_table_flush(struct mac_table *mt)
{
    pthread_mutex_lock(&mt->lock);
    mac_table_remove_all(mt, false);
    pthread_mutex_unlock(&mt->lock);
}

void
mac_table_forget_bundle(struct mac_table *mt, uint32_t bundle_id)
{
    struct port_macs *p;

    pthread_mutex_lock(&mt->lock);
    HASH_FIND(hh, mt->ports, &bundle_id, sizeof bundle_id, p);
    for (size_t left = p ? p->n + p->n_static : 0; left; left--) {
        mac_entry_remove(mt, p->n ? TAILQ_FIRST(&p->macs) : TAILQ_FIRST(&p->statics));
    }
    pthread_mutex_unlock(&mt->lock);
}

void
mac_table_expire(struct mac_table *mt)
{
    int64_t now_ms = clock_now_ms();
    struct port_macs *p, *tmp;

    pthread_mutex_lock(&mt->lock);
    HASH_ITER (hh, mt->ports, p, tmp) {
        for (size_t left = p->n; left; left--) {
            struct mac_entry *e = TAILQ_FIRST(&p->macs);
            bool last = left == 1 && !p->n_static;

            if (atomic_load_explicit(&e->used_ms, memory_order_relaxed) + mt->aging_ms > now_ms) {
                break;
            }
            mt->expired++;
            coverage_inc(mac_learning_expired);
            mac_entry_remove(mt, e);
            if (last) {
                break; /* 'p' is gone. */
            }
        }
    }
    pthread_mutex_unlock(&mt->lock);
}

bool
mac_table_add_static(struct mac_table *mt, uint16_t vlan, struct rte_ether_addr mac,
                     uint32_t bundle_id, uint32_t *old_bundle)
{
    uint64_t key = mac_key(vlan, mac);
    bool overrides = false;
    struct mac_entry *e;

    pthread_mutex_lock(&mt->lock);
    e = mac_chains_find(rcu_get_protected(&mt->chains), key);
    if (e) {
        overrides = e->is_static;
        *old_bundle = e->port->bundle_id;
        mac_entry_remove(mt, e);
    }
    mac_entry_add(mt, key, bundle_id, true);
    pthread_mutex_unlock(&mt->lock);
    return overrides;
}

bool
mac_table_del_static(struct mac_table *mt, uint16_t vlan, struct rte_ether_addr mac)
{
    struct mac_entry *e;
    bool found;

    pthread_mutex_lock(&mt->lock);
    e = mac_chains_find(rcu_get_protected(&mt->chains), mac_key(vlan, mac));
    found = e && e->is_static;
    if (found) {
        mac_entry_remove(mt, e);
    }
    pthread_mutex_unlock(&mt->lock);
    return found;
}

static int
compare_rows(const void *a_, const void *b_)
{
    const struct mac_row *a = a_, *b = b_;

    if (a->used_ms != b->used_ms) {
        return a->used_ms < b->used_ms ? -1 : 1;
    }
    if (a->vlan != b->vlan) {
        return a->vlan < b->vlan ? -1 : 1;
    }
    return memcmp(&a->mac, &b->mac, sizeof a->mac);
}

struct mac_row *
mac_table_rows(struct mac_table *mt, size_t *n)
{
    int64_t now_ms = clock_now_ms();
    struct mac_row *rows;

    pthread_mutex_lock(&mt->lock);
    const struct mac_chains *c = rcu_get_protected(&mt->chains);
    rows = xcalloc(mt->n + 1, sizeof *rows);
    *n = 0;
    for (size_t i = 0; i <= c->mask; i++) {
        for (const struct mac_entry *e = rcu_get_protected(&c->heads[i]); e;
             e = rcu_get_protected(&e->next)) {
            int64_t used_ms = atomic_load(&e->used_ms);

            rows[(*n)++] = (struct mac_row){
                .mac = mac_of_key(e->key),
                .vlan = (uint16_t)(e->key >> 48),
                .bundle_id = e->port->bundle_id,
                .is_static = e->is_static,
                .used_ms = used_ms,
                .age_s = (int)((now_ms - used_ms) / 1000),
            };
        }
    }
    pthread_mutex_unlock(&mt->lock);
    qsort(rows, *n, sizeof *rows, compare_rows);
    return rows;
}

void
mac_table_get_stats(struct mac_table *mt, struct mac_table_stats *s)
{
    pthread_mutex_lock(&mt->lock);
    *s = (struct mac_table_stats){mt->learned, mt->expired,  mt->evicted, mt->moved,
                                  mt->n,       mt->n_static, mt->max,     mt->most};
    pthread_mutex_unlock(&mt->lock);
}

void
mac_table_clear_stats(struct mac_table *mt)
{
    pthread_mutex_lock(&mt->lock);
    mt->learned = mt->expired = mt->evicted = mt->moved = 0;
    pthread_mutex_unlock(&mt->lock);
}
