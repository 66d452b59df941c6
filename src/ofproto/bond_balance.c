// SPDX-License-Identifier: Apache-2.0
/*
 * bond_balance.c - which member of a balanced bond each of its 256 buckets uses: as many buckets
 * for each at first, and then what they carry decides.  Main thread; translations count what they
 * carry.
 */
#include <inttypes.h>

#include "base/log.h"
#include "ofproto/bond.h"
#include "ofproto/ofproto_priv.h"

LOG_MODULE(bond);

enum {
    LITTLE = 100000,    /* bytes: a difference that is not worth a move */
    LITTLE_PART = 32,   /* likewise, as a part of what the less loaded member carries */
    WORTH_IT_PART = 10, /* a move takes at least this part of the difference away */
};

/* --- by number ----------------------------------------------------------------------------------
 */

/* The enabled member with the fewest buckets; -1: none. */
static int
least_loaded(const struct bond *bond, const unsigned *count)
{
    int best = -1;

    for (size_t i = 0; i < bond->n_members; i++) {
        if (bond->members[i].enabled && (best < 0 || count[i] < count[best])) {
            best = (int)i;
        }
    }
    return best;
}

void
bond_spread(struct bond *bond)
{
    unsigned count[BOND_MAX_MEMBERS] = {0};

    for (int i = 0; i < BOND_BUCKETS; i++) {
        uint8_t m = bond->bucket[i];

        if (m != BOND_NO_MEMBER && bond->members[m].enabled) {
            count[m]++;
        } else {
            bond->bucket[i] = BOND_NO_MEMBER;
        }
    }
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < BOND_BUCKETS; i++) {
            uint8_t m = bond->bucket[i];
            int least = least_loaded(bond, count);

            if (least >= 0 && (m == BOND_NO_MEMBER || (pass && count[m] > count[least] + 1))) {
                count[least]++;
                bond->bucket[i] = (uint8_t)least;
                if (m != BOND_NO_MEMBER) {
                    count[m]--;
                }
            }
        }
    }
}

/* --- by load ------------------------------------------------------------------------------------
 */

bool
bond_falls_back(const struct ofbundle *b)
{
    return b->bond.lacp_fallback_ab && lacp_status(b->lacp) == LACP_CONFIGURED;
}

bool
bond_is_rebalanced(const struct ofbundle *b)
{
    return b->bond.mode != OFPROTO_BOND_ACTIVE_BACKUP && b->bond.rebalance_ms > 0 &&
           !bond_falls_back(b);
}

uint64_t
bond_load(const struct bond *bond, int bucket)
{
    uint64_t bytes = atomic_load_explicit(&bond->loads->bytes[bucket], memory_order_relaxed);

    return bond->old_load[bucket] + (bytes - bond->counted[bucket]);
}

/* The enabled member that carries most, among those in 'candidates', or least; -1: none. */
static int
extreme(const struct bond *bond, const uint64_t *load, uint64_t candidates, bool most)
{
    int best = -1;

    for (size_t i = 0; i < bond->n_members; i++) {
        if (bond->members[i].enabled && candidates >> i & 1 &&
            (best < 0 || (most ? load[i] > load[best] : load[i] < load[best]))) {
            best = (int)i;
        }
    }
    return best;
}

/* The bucket of 'from' that makes the difference to 'to' the smallest; -1: none is worth it.  A
 * member's only loaded bucket would only take the load elsewhere. */
static int
choose_bucket(const struct bond *bond, const uint64_t *bucket_load, const bool *moved, int from,
              uint64_t difference)
{
    uint64_t smallest = difference - difference / WORTH_IT_PART;
    int best = -1, n_loaded = 0;

    for (int i = 0; i < BOND_BUCKETS; i++) {
        uint64_t twice = 2 * bucket_load[i];
        uint64_t left = twice > difference ? twice - difference : difference - twice;

        if (bond->bucket[i] != from || !bucket_load[i]) {
            continue;
        }
        n_loaded++;
        if (!moved[i] && left < smallest) {
            smallest = left;
            best = i;
        }
    }
    return n_loaded > 1 ? best : -1;
}

static void
shift(struct bond *bond, const char *name, int bucket, int to, uint64_t bucket_load, uint64_t *load)
{
    int from = bond->bucket[bucket];

    bond->bucket[bucket] = (uint8_t)to;
    load[from] -= bucket_load;
    load[to] += bucket_load;
    log_info_rl(&bond->moves,
                "bond %s: shift %" PRIu64 "kB of load (with hash %d) from %s to %s (now carrying "
                "%" PRIu64 "kB and %" PRIu64 "kB load, respectively)",
                name, bucket_load / 1024, bucket, bond->members[from].name, bond->members[to].name,
                load[from] / 1024, load[to] / 1024);
}

bool
bond_rebalance(struct bond *bond, const char *name)
{
    uint64_t bucket_load[BOND_BUCKETS], load[BOND_MAX_MEMBERS] = {0}, givers = UINT64_MAX;
    bool moved[BOND_BUCKETS] = {false}, any = false;

    for (int i = 0; i < BOND_BUCKETS; i++) {
        bucket_load[i] = bond_load(bond, i);
        if (bond->bucket[i] != BOND_NO_MEMBER) {
            load[bond->bucket[i]] += bucket_load[i];
        }
    }
    for (;;) {
        int from = extreme(bond, load, givers, true);
        int to = extreme(bond, load, UINT64_MAX, false);
        int bucket;

        if (from < 0 || load[from] - load[to] < MAX(load[to] / LITTLE_PART, (uint64_t)LITTLE)) {
            break;
        }
        bucket = choose_bucket(bond, bucket_load, moved, from, load[from] - load[to]);
        if (bucket < 0) {
            givers &= ~(UINT64_C(1) << from);
            continue;
        }
        moved[bucket] = any = true;
        shift(bond, name, bucket, to, bucket_load[bucket], load);
    }
    /* What was counts half each time: after seven times it is gone. */
    for (int i = 0; i < BOND_BUCKETS; i++) {
        bond->counted[i] += bucket_load[i] - bond->old_load[i];
        bond->old_load[i] = bucket_load[i] / 2;
    }
    return any;
}
