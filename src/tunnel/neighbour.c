// SPDX-License-Identifier: Apache-2.0
/*
 * See neighbour.h.  Chains of entries in a fixed array of buckets.  What has expired goes when
 * somebody comes by.
 */
#include "tunnel/neighbour.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"

enum { N_BUCKETS = 4096 };

struct neighbour {
    struct neighbour *next;
    struct in6_addr ip;
    char bridge[IFNAMSIZ]; /* padded with zeros */
    struct rte_ether_addr mac;
    int64_t expires_ms;
};

struct neighbours {
    size_t n;
    int64_t aging_ms;
    struct neighbour *buckets[N_BUCKETS];
};

/* Removes what has expired, with 'all' everything. */
static void
sweep(struct neighbours *ns, bool all)
{
    int64_t now = clock_now_ms();

    for (size_t i = 0; i < N_BUCKETS && ns->n > 0; i++) {
        struct neighbour **link = &ns->buckets[i];

        for (struct neighbour *n; (n = *link) != NULL;) {
            if (all || n->expires_ms <= now) {
                *link = n->next;
                ns->n--;
                free(n);
            } else {
                link = &n->next;
            }
        }
    }
}

struct neighbours *
neighbours_create(void)
{
    struct neighbours *ns = xzalloc(sizeof(*ns));

    ns->aging_ms = NEIGHBOURS_AGING_S * 1000;
    return ns;
}

void
neighbours_destroy(struct neighbours *ns)
{
    if (ns != NULL) {
        sweep(ns, true);
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
has_key(const struct neighbour *n, const char bridge[IFNAMSIZ], const struct in6_addr *ip)
{
    return memcmp(&n->ip, ip, sizeof(*ip)) == 0 && memcmp(n->bridge, bridge, IFNAMSIZ) == 0;
}

int
neighbours_put(struct neighbours *ns, const char *bridge, const struct in6_addr *ip,
               const struct rte_ether_addr *mac)
{
    char key[IFNAMSIZ];

    copy_bridge(key, bridge);
    struct neighbour **bucket = &ns->buckets[bucket_of(key, ip)];
    struct neighbour *n = *bucket;
    while (n != NULL && !has_key(n, key, ip)) {
        n = n->next;
    }
    if (n == NULL) {
        if (ns->n >= NEIGHBOURS_MAX) {
            sweep(ns, false);
        }
        if (ns->n >= NEIGHBOURS_MAX) {
            return -ENOSPC;
        }
        n = xzalloc(sizeof(*n));
        memcpy(n->bridge, key, sizeof(n->bridge));
        n->ip = *ip;
        n->next = *bucket;
        *bucket = n;
        ns->n++;
    }
    n->mac = *mac;
    n->expires_ms = clock_now_ms() + ns->aging_ms;
    return 0;
}

void
neighbours_flush(struct neighbours *ns)
{
    sweep(ns, true);
}

void
neighbours_set_aging(struct neighbours *ns, unsigned int seconds)
{
    ns->aging_ms = (int64_t)seconds * 1000;
    int64_t latest_ms = clock_now_ms() + ns->aging_ms;
    for (size_t i = 0; i < N_BUCKETS; i++) {
        for (struct neighbour *n = ns->buckets[i]; n != NULL; n = n->next) {
            n->expires_ms = MIN(n->expires_ms, latest_ms);
        }
    }
}

unsigned int
neighbours_aging(const struct neighbours *ns)
{
    return (unsigned int)(ns->aging_ms / 1000);
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
    sweep(ns, false);
    const struct neighbour **sorted = xcalloc(ns->n + 1, sizeof(struct neighbour *));
    for (size_t i = 0; i < N_BUCKETS; i++) {
        for (struct neighbour *n = ns->buckets[i]; n != NULL; n = n->next) {
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
    free(sorted);
}
