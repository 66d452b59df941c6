// SPDX-License-Identifier: Apache-2.0
//
// Maps of bonds from bucket to port (see bonds.h).  A map is replaced as a whole and lives on until
// no PMD looks at it; its counters stay with the bond.  There are few bonds: they stand in a chain
// for each of some hashes of their numbers.
#include "pmd/bonds.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/rcu.h"
#include "base/util.h"
#include "pmd/dp_int.h"

enum {
    N_CHAINS = 64,
    N_LANES = 16, // threads beyond so many share counters, which are atomic for their sake
};

struct bond_counts {
    _Atomic uint64_t bytes[N_LANES][DP_BOND_BUCKETS]; /* pmd: w, main: r */
} __attribute__((aligned(CACHE_LINE_SIZE)));

struct bond_map {
    struct dp_bond_config cfg;
    struct bond_counts *counts;
    bool is_hidden;                /* main */
    RCU_PTR(struct bond_map) next; /* main: w, pmd: r */
};

struct bonds {
    RCU_PTR(struct bond_map) chains[N_CHAINS]; /* main: w, pmd: r */
};

struct bonds *
bonds_create(void)
{
    return xzalloc(sizeof(struct bonds));
}

static void
map_free(void *map_)
{
    struct bond_map *map = map_;

    free(map->counts);
    free(map);
}

void
bonds_destroy(struct bonds *bonds)
{
    for (unsigned i = 0; bonds && i < N_CHAINS; i++) {
        for (struct bond_map *map = rcu_get_protected(&bonds->chains[i]), *next; map; map = next) {
            next = rcu_get_protected(&map->next);
            map_free(map);
        }
    }
    free(bonds);
}

const struct bond_map *
bonds_find(const struct bonds *bonds, uint32_t id)
{
    const struct bond_map *map = rcu_get(&bonds->chains[id % N_CHAINS]);

    while (map && map->cfg.id != id) {
        map = rcu_get(&map->next);
    }
    return map;
}

uint32_t
bond_map_basis(const struct bond_map *map)
{
    return map->cfg.hash_basis;
}

odp_port_t
bond_map_choose(const struct bond_map *map, unsigned lane, uint32_t hash, uint32_t bytes)
{
    unsigned bucket = hash % DP_BOND_BUCKETS;

    atomic_fetch_add_explicit(&map->counts->bytes[lane % N_LANES][bucket], bytes,
                              memory_order_relaxed);
    return map->cfg.ports[bucket];
}

// --- main ----------------------------------------------------------------------------------

// The place that leads to the bond, or to where it is to be put.
static struct bond_map *
find_place(struct bonds *bonds, uint32_t id, struct bond_map **before)
{
    struct bond_map *map = rcu_get_protected(&bonds->chains[id % N_CHAINS]);

    *before = NULL;
    while (map && map->cfg.id != id) {
        *before = map;
        map = rcu_get_protected(&map->next);
    }
    return map;
}

static void
link_map(struct bonds *bonds, uint32_t id, struct bond_map *before, struct bond_map *map)
{
    if (before) {
        rcu_assign(&before->next, map);
    } else {
        rcu_assign(&bonds->chains[id % N_CHAINS], map);
    }
}

void
dp_bond_set(struct dp *dp, const struct dp_bond_config *cfg)
{
    struct bond_map *before, *old = find_place(dp->bonds, cfg->id, &before), *map;

    if (old && !memcmp(&old->cfg, cfg, sizeof *cfg)) {
        old->is_hidden = false;
        return;
    }
    map = xzalloc(sizeof *map);
    map->cfg = *cfg;
    map->counts = old ? old->counts : xzalloc_cacheline(sizeof *map->counts);
    if (old) {
        rcu_assign(&map->next, rcu_get_protected(&old->next));
    }
    link_map(dp->bonds, cfg->id, before, map);
    if (old) {
        rcu_free(old);
    }
}

void
dp_bond_hide(struct dp *dp, uint32_t id)
{
    struct bond_map *before, *map = find_place(dp->bonds, id, &before);

    if (map) {
        map->is_hidden = true;
    }
}

void
dp_bond_del(struct dp *dp, uint32_t id)
{
    struct bond_map *before, *old = find_place(dp->bonds, id, &before);

    if (old) {
        link_map(dp->bonds, id, before, rcu_get_protected(&old->next));
        rcu_defer(map_free, old);
    }
}

bool
dp_bond_get_bytes(struct dp *dp, uint32_t id, uint64_t bytes[DP_BOND_BUCKETS])
{
    struct bond_map *before, *map = find_place(dp->bonds, id, &before);

    memset(bytes, 0, DP_BOND_BUCKETS * sizeof *bytes);
    for (unsigned lane = 0; map && lane < N_LANES; lane++) {
        for (unsigned i = 0; i < DP_BOND_BUCKETS; i++) {
            bytes[i] += atomic_load_explicit(&map->counts->bytes[lane][i], memory_order_relaxed);
        }
    }
    return map != NULL;
}

void
bonds_show(const struct bonds *bonds, struct str *out)
{
    bool any = false;

    for (unsigned i = 0; i < N_CHAINS; i++) {
        for (const struct bond_map *map = rcu_get_protected(&bonds->chains[i]); map;
             map = rcu_get_protected(&map->next)) {
            if (map->is_hidden) {
                continue;
            }
            str_put(out, any ? "" : "Bonds:\n");
            any = true;
            str_printf(out, "  bond-id %u:\n", map->cfg.id);
            for (unsigned b = 0; b < DP_BOND_BUCKETS; b++) {
                str_printf(out, "    bucket %u - member %u\n", b, (unsigned)map->cfg.ports[b]);
            }
        }
    }
}
