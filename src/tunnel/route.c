// SPDX-License-Identifier: Apache-2.0
/*
 * See route.h.  A table is an array of routes sorted by rank, longer prefixes first, with a group
 * for each pair of rank and length: a lookup asks one group after the other by binary search.
 * There are as many groups as lengths in use, a handful.
 */
#include "tunnel/route.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/rcu.h"

enum { USER_RANK = 32, LOCAL_RANK = 64 };

struct group {
    uint8_t plen;
    size_t first, n; /* in the table's routes, sorted by address and mark */
};

/* Constant once it can be seen. */
struct table {
    struct group *groups;
    size_t n_groups;
    size_t n;
    struct route routes[];
};

struct routes {
    RCU_PTR(struct table) table; /* main: w, any: r */
    struct route *user;          /* main only, sorted as in the table */
    size_t n_user;
    struct route *cached; /* likewise */
    size_t n_cached;
};

static unsigned int
rank_of(const struct route *r)
{
    return r->plen + (r->kind == ROUTE_USER ? USER_RANK : r->kind == ROUTE_LOCAL ? LOCAL_RANK : 0);
}

static int
compare_u32(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

/* Within a group. */
static int
compare_keys(const struct in6_addr *a, uint32_t a_mark, const struct route *b)
{
    int cmp = memcmp(a, &b->dst, sizeof(*a));

    return cmp != 0 ? cmp : compare_u32(a_mark, b->mark);
}

static int
compare_routes(const void *a_, const void *b_)
{
    const struct route *a = a_, *b = b_;

    if (rank_of(a) != rank_of(b)) {
        return rank_of(a) > rank_of(b) ? -1 : 1;
    }
    if (a->plen != b->plen) {
        return a->plen > b->plen ? -1 : 1;
    }
    return compare_keys(&a->dst, a->mark, b);
}

/* The best of equals first. */
static int
compare_cached(const void *a_, const void *b_)
{
    const struct route *a = a_, *b = b_;
    int cmp = compare_routes(a, b);

    cmp = cmp != 0 ? cmp : compare_u32(a->metric, b->metric);
    return cmp != 0 ? cmp : compare_u32(b->order, a->order);
}

static struct table *
table_create(const struct routes *rs)
{
    size_t n = rs->n_user + rs->n_cached;
    struct table *t = xzalloc(sizeof(*t) + n * sizeof(t->routes[0]));

    t->n = n;
    for (size_t i = 0, u = 0, c = 0; i < n; i++) {
        struct route *r = &t->routes[i];
        bool is_user = u < rs->n_user &&
                       (c == rs->n_cached || compare_routes(&rs->user[u], &rs->cached[c]) < 0);

        *r = is_user ? rs->user[u++] : rs->cached[c++];
        if (i == 0 || rank_of(r) != rank_of(r - 1) || r->plen != r[-1].plen) {
            t->groups = xreallocarray(t->groups, t->n_groups + 1, sizeof(*t->groups));
            t->groups[t->n_groups++] = (struct group){.plen = r->plen, .first = i};
        }
        t->groups[t->n_groups - 1].n++;
    }
    return t;
}

static void
table_free(void *table)
{
    struct table *t = table;

    if (t != NULL) {
        free(t->groups);
        free(t);
    }
}

static void
routes_publish(struct routes *rs)
{
    struct table *old = rcu_get_protected(&rs->table);

    rcu_assign(&rs->table, table_create(rs));
    if (old != NULL) {
        rcu_defer(table_free, old);
    }
}

struct routes *
routes_create(void)
{
    struct routes *rs = xzalloc(sizeof(*rs));

    routes_publish(rs);
    return rs;
}

void
routes_destroy(struct routes *rs)
{
    if (rs != NULL) {
        table_free(rcu_get_protected(&rs->table));
        free(rs->user);
        free(rs->cached);
        free(rs);
    }
}

/* The first of the user's routes that is not before 'route'. */
static size_t
place_of_user(const struct routes *rs, const struct route *route)
{
    size_t low = 0, high = rs->n_user;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_routes(&rs->user[middle], route) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
is_user_at(const struct routes *rs, size_t i, const struct route *route)
{
    return i < rs->n_user && compare_routes(&rs->user[i], route) == 0;
}

int
routes_put_user(struct routes *rs, const struct route *route)
{
    struct route new = *route;

    new.dst = address_prefix(&route->dst, route->plen);
    new.kind = ROUTE_USER;
    size_t i = place_of_user(rs, &new);
    if (!is_user_at(rs, i, &new)) {
        if (rs->n_user >= ROUTES_MAX_USER) {
            return -ENOSPC;
        }
        rs->user = xreallocarray(rs->user, rs->n_user + 1, sizeof(*rs->user));
        memmove(&rs->user[i + 1], &rs->user[i], (rs->n_user - i) * sizeof(*rs->user));
        rs->n_user++;
    }
    rs->user[i] = new;
    routes_publish(rs);
    return 0;
}

bool
routes_del_user(struct routes *rs, const struct in6_addr *dst, unsigned int plen, uint32_t mark)
{
    const struct route key = {
        .dst = address_prefix(dst, plen), .plen = (uint8_t)plen, .mark = mark, .kind = ROUTE_USER};
    size_t i = place_of_user(rs, &key);

    if (!is_user_at(rs, i, &key)) {
        return false;
    }
    rs->n_user--;
    memmove(&rs->user[i], &rs->user[i + 1], (rs->n_user - i) * sizeof(*rs->user));
    routes_publish(rs);
    return true;
}

void
routes_set_cached(struct routes *rs, struct route *cached, size_t n)
{
    size_t n_kept = 0;

    for (size_t i = 0; i < n; i++) {
        cached[i].order = (uint32_t)i;
    }
    qsort(cached, n, sizeof(*cached), compare_cached);
    free(rs->cached);
    rs->cached = n > 0 ? xcalloc(n, sizeof(*cached)) : NULL;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || compare_routes(&cached[i - 1], &cached[i]) != 0) {
            rs->cached[n_kept++] = cached[i];
        }
    }
    rs->n_cached = n_kept;
    routes_publish(rs);
}

static const struct route *
group_find(const struct table *t, const struct group *g, const struct in6_addr *dst, uint32_t mark)
{
    struct in6_addr prefix = address_prefix(dst, g->plen);
    size_t low = g->first, high = g->first + g->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int cmp = compare_keys(&prefix, mark, &t->routes[middle]);

        if (cmp == 0) {
            return &t->routes[middle];
        }
        if (cmp < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct route *
routes_lookup(const struct routes *rs, uint32_t mark, const struct in6_addr *dst)
{
    const struct table *t = rcu_get(&rs->table);
    bool is_ip4 = address_is_ip4(dst);

    for (size_t i = 0; i < t->n_groups; i++) {
        const struct group *g = &t->groups[i];

        if (!is_ip4 || g->plen >= ADDRESS_IP4_PLEN) {
            const struct route *r = group_find(t, g, dst, mark);
            if (r != NULL) {
                return r;
            }
        }
    }
    return NULL;
}

void
routes_format(const struct routes *rs, struct str *s)
{
    const struct table *t = rcu_get(&rs->table);

    for (size_t i = 0; i < t->n; i++) {
        const struct route *r = &t->routes[i];

        str_put(s, r->kind == ROUTE_USER ? "User: " : "Cached: ");
        address_format(s, &r->dst);
        str_printf(s, "/%u",
                   address_is_ip4(&r->dst) ? r->plen - (unsigned)ADDRESS_IP4_PLEN : r->plen);
        if (r->mark != 0) {
            str_printf(s, " MARK %" PRIu32, r->mark);
        }
        str_printf(s, " dev %s", r->dev);
        if (address_is_set(&r->gw)) {
            str_put(s, " GW ");
            address_format(s, &r->gw);
        }
        str_put(s, " SRC ");
        address_format(s, &r->src);
        str_put(s, r->kind == ROUTE_LOCAL ? " local\n" : "\n");
    }
}
