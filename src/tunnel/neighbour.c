// SPDX-License-Identifier: Apache-2.0
/*
 * See neighbour.h.  Chains of entries in a fixed array of buckets.  An entry's key and MAC address
 * never change: a new MAC makes a new entry.  What has expired is not found, and goes when a
 * writer comes by.
 */
#include "tunnel/neighbour.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/rcu.h"

enum { N_BUCKETS = 4096, REFRESH_MS = 1000 };

struct neighbour {
    RCU_PTR(struct neighbour) next; /* under the lock: w, any: r */
    struct in6_addr ip;
    char bridge[IFNAMSIZ]; /* padded with zeros */
    struct rte_ether_addr mac;
    _Atomic int64_t expires_ms; /* any: r, w */
};

struct neighbours {
    pthread_mutex_t lock; /* writers */
    size_t n;             /* under the lock */
    _Atomic int64_t aging_ms;
    RCU_PTR(struct neighbour) buckets[N_BUCKETS];
};

typedef _Atomic(struct neighbour *) neighbour_link;

struct neighbours *
neighbours_create(void)
{
    struct neighbours *ns = xzalloc(sizeof(*ns));

    pthread_mutex_init(&ns->lock, NULL);
    atomic_init(&ns->aging_ms, NEIGHBOURS_AGING_S * 1000);
    return ns;
}

void
neighbours_destroy(struct neighbours *ns)
{
    if (ns != NULL) {
        for (size_t i = 0; i < N_BUCKETS; i++) {
            struct neighbour *n = rcu_get_protected(&ns->buckets[i]);

            while (n != NULL) {
                struct neighbour *next = rcu_get_protected(&n->next);
                free(n);
                n = next;
            }
        }
        pthread_mutex_destroy(&ns->lock);
        free(ns);
    }
}

static size_t
bucket_of(const char bridge[IFNAMSIZ], const struct in6_addr *ip)
{
    return hash_bytes(ip, sizeof(*ip), hash_bytes(bridge, IFNAMSIZ, 0)) % N_BUCKETS;
}

static void
copy_bridge(char key[IFNAMSIZ], const char *bridge)
{
    memset(key, 0, IFNAMSIZ);
    str_copy(key, bridge, IFNAMSIZ);
}

static bool
is_expired(const struct neighbour *n, int64_t now)
{
    return atomic_load_explicit(&n->expires_ms, memory_order_relaxed) <= now;
}

static bool
has_key(const struct neighbour *n, const char bridge[IFNAMSIZ], const struct in6_addr *ip)
{
    return memcmp(&n->ip, ip, sizeof(*ip)) == 0 && memcmp(n->bridge, bridge, IFNAMSIZ) == 0;
}

/* Needs the lock. */
static void
unlink_one(struct neighbours *ns, neighbour_link *link)
{
    struct neighbour *n = rcu_get_protected(link);

    rcu_assign(link, rcu_get_protected(&n->next));
    ns->n--;
    rcu_free(n);
}

/* Removes what has expired; with 'bridge' not NULL also what is of that one, with 'all' everything.
 * Needs the lock. */
static void
sweep(struct neighbours *ns, const char *bridge, bool all)
{
    int64_t now = clock_now_ms();

    for (size_t i = 0; i < N_BUCKETS && ns->n > 0; i++) {
        neighbour_link *link = &ns->buckets[i];

        for (struct neighbour *n; (n = rcu_get_protected(link)) != NULL;) {
            if (all || is_expired(n, now) ||
                (bridge != NULL && memcmp(n->bridge, bridge, IFNAMSIZ) == 0)) {
                unlink_one(ns, link);
            } else {
                link = &n->next;
            }
        }
    }
}

/* Needs the lock. */
static int
put_locked(struct neighbours *ns, struct neighbour *new)
{
    neighbour_link *link = &ns->buckets[bucket_of(new->bridge, &new->ip)];
    struct neighbour *n;

    while ((n = rcu_get_protected(link)) != NULL && !has_key(n, new->bridge, &new->ip)) {
        link = &n->next;
    }
    if (n != NULL) {
        /* In its place, so that a reader finds the one or the other. */
        rcu_assign(&new->next, rcu_get_protected(&n->next));
        rcu_assign(link, new);
        rcu_free(n);
        return 0;
    }
    if (ns->n >= NEIGHBOURS_MAX) {
        sweep(ns, NULL, false);
        if (ns->n >= NEIGHBOURS_MAX) {
            return -ENOSPC;
        }
        link = &ns->buckets[bucket_of(new->bridge, &new->ip)];
    }
    rcu_assign(&new->next, rcu_get_protected(link));
    rcu_assign(link, new);
    ns->n++;
    return 0;
}

int
neighbours_put(struct neighbours *ns, const char *bridge, const struct in6_addr *ip,
               const struct rte_ether_addr *mac)
{
    struct neighbour *new = xzalloc(sizeof(*new));

    copy_bridge(new->bridge, bridge);
    new->ip = *ip;
    new->mac = *mac;
    atomic_init(&new->expires_ms, clock_now_ms() + atomic_load(&ns->aging_ms));
    pthread_mutex_lock(&ns->lock);
    int error = put_locked(ns, new);
    pthread_mutex_unlock(&ns->lock);
    if (error != 0) {
        free(new);
    }
    return error;
}

bool
neighbours_find(const struct neighbours *ns, const char *bridge, const struct in6_addr *ip,
                struct rte_ether_addr *mac)
{
    char key[IFNAMSIZ];

    copy_bridge(key, bridge);
    for (struct neighbour *n = rcu_get(&ns->buckets[bucket_of(key, ip)]); n != NULL;
         n = rcu_get(&n->next)) {
        if (has_key(n, key, ip)) {
            int64_t now = clock_now_ms();
            int64_t expires_ms = now + atomic_load(&ns->aging_ms);

            if (is_expired(n, now)) {
                return false;
            }
            /* Readers on many threads: a cache line is not written for each. */
            if (expires_ms - atomic_load_explicit(&n->expires_ms, memory_order_relaxed) >=
                REFRESH_MS) {
                atomic_store_explicit(&n->expires_ms, expires_ms, memory_order_relaxed);
            }
            *mac = n->mac;
            return true;
        }
    }
    return false;
}

void
neighbours_flush(struct neighbours *ns, const char *bridge)
{
    char key[IFNAMSIZ];

    copy_bridge(key, bridge != NULL ? bridge : "");
    pthread_mutex_lock(&ns->lock);
    sweep(ns, bridge != NULL ? key : NULL, bridge == NULL);
    pthread_mutex_unlock(&ns->lock);
}

void
neighbours_set_aging(struct neighbours *ns, unsigned int seconds)
{
    int64_t aging_ms = (int64_t)seconds * 1000;
    int64_t latest_ms = clock_now_ms() + aging_ms;

    atomic_store(&ns->aging_ms, aging_ms);
    pthread_mutex_lock(&ns->lock);
    for (size_t i = 0; i < N_BUCKETS; i++) {
        for (struct neighbour *n = rcu_get_protected(&ns->buckets[i]); n != NULL;
             n = rcu_get_protected(&n->next)) {
            if (atomic_load(&n->expires_ms) > latest_ms) {
                atomic_store(&n->expires_ms, latest_ms);
            }
        }
    }
    pthread_mutex_unlock(&ns->lock);
}

unsigned int
neighbours_aging(const struct neighbours *ns)
{
    return (unsigned int)(atomic_load(&ns->aging_ms) / 1000);
}

static int
compare_neighbours(const void *a_, const void *b_)
{
    const struct neighbour *const *a = a_, *const *b = b_;
    int cmp = memcmp(&(*a)->ip, &(*b)->ip, sizeof((*a)->ip));

    return cmp != 0 ? cmp : strcmp((*a)->bridge, (*b)->bridge);
}

void
neighbours_format(struct neighbours *ns, struct str *s)
{
    size_t n_sorted = 0;

    str_put(s, "IP                                            MAC                 Bridge\n");
    str_putc_n(s, '=', 74);
    str_putc(s, '\n');
    pthread_mutex_lock(&ns->lock);
    sweep(ns, NULL, false);
    const struct neighbour **sorted = xcalloc(ns->n + 1, sizeof(struct neighbour *));
    for (size_t i = 0; i < N_BUCKETS; i++) {
        for (struct neighbour *n = rcu_get_protected(&ns->buckets[i]); n != NULL;
             n = rcu_get_protected(&n->next)) {
            sorted[n_sorted++] = n;
        }
    }
    qsort(sorted, n_sorted, sizeof(*sorted), compare_neighbours);
    for (size_t i = 0; i < n_sorted; i++) {
        size_t start = s->len;

        address_format(s, &sorted[i]->ip);
        str_putc_n(s, ' ', INET6_ADDRSTRLEN - (s->len - start));
        str_put_eth(s, sorted[i]->mac.addr_bytes);
        str_printf(s, "   %s\n", sorted[i]->bridge);
    }
    pthread_mutex_unlock(&ns->lock);
    free(sorted);
}
