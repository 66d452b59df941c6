// SPDX-License-Identifier: Apache-2.0
//
// Megaflows and the structure that finds them, shared by all PMDs and read under RCU.
//
//   lane      all flows of one input port, recirculation id and packet shape (key map).  A packet
//             belongs to exactly one lane, so its lookup never meets the masks of others.
//   subtable  the flows of a lane with one mask: an array of buckets, hashed over the masked words.
//   dp_flow   one megaflow: two cache lines in a slab, addressed by slot; what only the control
//             path needs stands apart in struct flow_cold.
//
// A lane has at most LANE_MAX_MASKS masks plus two wide ones; see megaflow_choose_mask().  Writers
// hold dp->flow_lock; PMDs read without locks.  A slot is used again only a grace period after its
// flow was unlinked, and until then flow->subtable says "dead", so a cache word may be stale for
// any time: the comparison with the flow's own words decides.
#ifndef PMD_MEGAFLOW_H
#define PMD_MEGAFLOW_H

#include <pthread.h>

#include "base/rcu.h"
#include "pmd/bucket.h"
#include "pmd/dp.h"
#include "pmd/key_hash.h"
#include "pmd/plan.h"
#include "pmd/sieve.h"

enum {
    LANE_MAX_MASKS = 32, // narrow masks: bounds the probes of a lookup
    LANE_MAX_SUBTABLES = LANE_MAX_MASKS + 2,
    FLOW_INLINE_WORDS = 13,   // words after word 0 that fit the flow's two lines
    FLOW_MAX_SLOTS = 1 << 21, // ceiling of the flow limit
    LANE_HEADS = 1 << 14,
};

struct lane;
struct subtable;
struct flow_cold;

struct dp_flow {
    _Atomic(const struct subtable *)
        subtable;                    /* control: w, pmd: r; &dead_subtable when unlinked */
    RCU_PTR(const struct plan) plan; /* control: w, pmd: r */
    struct flow_cold *cold;          /* control only */
    // Words 1... of the lane's shape under the subtable's mask; those beyond FLOW_INLINE_WORDS are
    // in cold->more.
    uint64_t value[FLOW_INLINE_WORDS];
} CACHE_ALIGNED;

static_assert(sizeof(struct dp_flow) == 128, "two lines, and a shift from slot to address");
static_assert(offsetof(struct dp_flow, value) + 5 * 8 == 64, "IPv4 with VLAN fits the first line");

// Where the flows of a subtable are.  Word 7 of a bucket is how far the farthest flow of that home
// bucket lies from it.
struct subtable_map {
    struct bucket *b;
    uint32_t bucket_mask;
};

enum { SUBTABLE_BUCKET_FLOWS = BUCKET_WORDS - 1, SUBTABLE_FLOW_WORDS = 0x7f };

// A lookup that finds nothing asks all of a lane's, and takes two lines from other packets for
// each: this one, for the common shapes, and a bucket.
struct subtable {
    struct lane *lane;           // NULL: dead, or a table of flows for any shape (wild)
    uint64_t basis;              // of the hash
    _Atomic uintptr_t map;       /* control: w, pmd: r; see subtable_get_map() */
    uint64_t mask[FLOW_KEY_MAX]; // words 1... of the lane's shape
    uint32_t n_words;
    uint32_t n_flows;                   /* control only */
    uint32_t place;                     /* control only: in the lane's view */
    uint32_t n_resizes;                 /* control only: how often flows came to lie elsewhere */
    uint64_t ufid_basis[2];             // the halves' hashes of lane and mask; control only
    struct flow_key *wild_mask;         // wild only: sparse
    RCU_PTR(struct subtable) wild_next; /* wild only; control: w, pmd: r */
} CACHE_ALIGNED;

static_assert(offsetof(struct subtable, mask) + 5 * 8 == 64, "IPv4 with VLAN fits one line");

// The address of the buckets, which begin on a line, and in its lowest bits how many there are, as
// a power of two: a reader gets both at once, of one array.
static inline struct subtable_map
subtable_get_map(const struct subtable *st)
{
    uintptr_t word = atomic_load_explicit(&st->map, memory_order_consume);

    return (struct subtable_map){
        .b = (struct bucket *)(word & ~(uintptr_t)(CACHE_LINE_SIZE - 1)),
        .bucket_mask = (UINT32_C(1) << word % CACHE_LINE_SIZE % 32) - 1,
    };
}

// What a lookup in a lane needs, replaced as a whole when a mask comes or goes.
struct lane_view {
    uint64_t umask[FLOW_KEY_MAX]; // union of the masks of all subtables, words 1...
    uint64_t basis;               // of the cache hash
    uint64_t generation; // of all views of this process; addresses come again, these do not
    struct sieve *sieve; // of these subtables and later ones; NULL: ask all
    uint32_t n_subtables;
    struct subtable *subtables[LANE_MAX_SUBTABLES];
};

struct lane {
    uint64_t w0;                    // in_port and recirc_id
    uint64_t map;                   // shape
    uint32_t n_words;               // of the key, word 0 included
    RCU_PTR(struct lane_view) view; /* control: w, pmd: r */
    RCU_PTR(struct lane) next;      // in the hash chain
    size_t n_flows CACHE_ALIGNED;   /* control only, with each flow; not in line with 'view' */
    size_t n_changes;               /* control only: flows that came or went since the sieve */
    struct sieve_work *sieve_work;  /* control only: the keeper makes a sieve; or NULL */
    bool wants_sieve;               /* control only: the keeper shall make one */
    int64_t empty_since_ms;         /* control only; 0: has flows */
};

// Control-path side of a flow.
struct flow_cold {
    struct uuid ufid;
    uint32_t slot;
    uint32_t ufid_next; // slot; chain of the ufid index
    uint32_t hash;      // in its subtable
    bool dead;
    bool wild;
    _Atomic(void *) aux;    // the revalidator's
    struct flow_key *asked; // mask words of the put that lie outside the shape, or NULL
    struct flow_key *wild_value;
    uint64_t *more; // words beyond FLOW_INLINE_WORDS
    struct megaflows *mf;
};

// What PMDs read for each burst stands apart, from what writers touch for each flow that comes or
// goes, too: a line that another core has written is some hundred cycles away, and PMDs would meet
// that with the packets of all ports.
struct megaflows {
    // Read by PMDs, hardly ever written.
    struct dp_flow *slab; // FLOW_MAX_SLOTS, mapped, touched as used
    const struct key_secret *secret;
    RCU_PTR(struct subtable) wild; // list
    _Atomic uint64_t lane_gen;     // lanes were unlinked: PMDs forget the ones they cache
    RCU_PTR(struct lane) lanes[LANE_HEADS];
    // Of writers.
    pthread_mutex_t lock CACHE_ALIGNED; // "flow_lock": all writers of this struct
    uint32_t high_slot;                 /* control: w, walkers: r (atomic) */
    uint32_t *free_slots;               // stack
    uint32_t n_free;
    uint32_t *ufid_heads; // slots
    uint32_t ufid_mask;
    _Atomic size_t n_flows;
    _Atomic size_t limit;
    uint32_t *port_flows; // flows of each in_port
    // How much there was of each at once, ever, and flows refused for one port's share: w under
    // 'lock', main: r.
    _Atomic uint64_t most_flows, most_port_flows, most_masks, n_port_refused;
    struct plan_table plans;                      // under 'lock'
    _Atomic bool wants_sieves;                    // of some lane; w under 'lock', keeper: r
    void (*slot_freed)(void *aux, uint32_t slot); // before a slot is handed out again
    void *slot_freed_aux;
};

void megaflows_init(struct megaflows *, const struct key_secret *);
void megaflows_fini(struct megaflows *); // no readers left

struct lane *megaflow_find_lane(const struct megaflows *, uint64_t w0, uint64_t map);
uint32_t lane_hash(const struct megaflows *, uint64_t w0, uint64_t map);
// Frees lanes without flows, drops bits from the unions that no mask has any more, and makes sieves
// anew of which many flows came or went.  Takes long where there are many flows, but holds the lock
// for two milliseconds at most.  Keeper only; ends the caller's references.
void megaflows_tidy(struct megaflows *, int64_t now_ms);
// Makes the sieves that lanes with many flows wait for, in the same way.
void megaflows_make_sieves(struct megaflows *);

// Adds a reference to no one: the result is valid under RCU.
int megaflow_put(struct megaflows *, const struct dp_flow_put *, struct dp_flow **out);
bool megaflow_del(struct megaflows *, struct dp_flow *); // false: it was dead already
int megaflow_set_actions(struct megaflows *, struct dp_flow *, const struct dp_actions *);
int megaflow_share(struct megaflows *, struct dp_flow *, struct dp_shared *);
// The caller holds 'lock'.
struct lane *lane_get(struct megaflows *, uint64_t w0, uint64_t map);
struct subtable *lane_find_subtable(const struct lane *, const uint64_t *mask);
struct subtable *lane_choose_subtable(struct megaflows *, struct lane *, const uint64_t *mask);
void lane_remove_subtable(struct lane *, struct subtable *);
// Before the flow is published, with its masked words; and after it was unlinked.
void lane_note_put(struct lane *, const struct subtable *, const uint64_t *value);
void lane_note_del(struct lane *);
void lanes_destroy(struct megaflows *);
struct subtable *subtable_create(struct lane *, const uint64_t *mask, uint32_t n_words);
void subtable_free(void *subtable);
void subtable_insert(struct subtable *, uint32_t hash, uint32_t slot);
void subtable_remove(struct subtable *, uint32_t hash, uint32_t slot);
int megaflow_put_wild(struct megaflows *, const struct dp_flow_put *, struct dp_flow **out);
void megaflow_unlink_wild(struct megaflows *, struct dp_flow *);
struct dp_flow *flow_alloc(struct megaflows *);
void flow_publish(struct megaflows *, struct dp_flow *, struct subtable *,
                  const struct dp_actions *);
extern const struct subtable dead_subtable;
struct dp_flow *megaflow_find_key(struct megaflows *, const struct flow *);
struct dp_flow *megaflow_find_ufid(struct megaflows *, const struct uuid *);
void megaflow_get_key(const struct dp_flow *, struct flow *, struct flow_mask *);

static inline uint32_t
megaflow_slot(const struct megaflows *mf, const struct dp_flow *f)
{
    return (uint32_t)(f - mf->slab);
}

// --- lookup ---------------------------------------------------------------------------------

static inline __attribute__((always_inline)) bool
words_match(const uint64_t *value, const uint64_t *mask, const uint64_t *w, uint32_t n)
{
    uint64_t diff = 0;

    for (uint32_t i = 0; i < n; i++) {
        diff |= (w[i] & mask[i]) ^ value[i];
    }
    return !diff;
}

// 'w' are the packet's words after word 0; 'n' of them.
static inline bool
megaflow_matches(const struct dp_flow *f, const uint64_t *mask, const uint64_t *w, uint32_t n)
{
    if (LIKELY(n == 4)) {
        return words_match(f->value, mask, w, 4);
    }
    if (LIKELY(n <= FLOW_INLINE_WORDS)) {
        return words_match(f->value, mask, w, n);
    }
    return words_match(f->value, mask, w, FLOW_INLINE_WORDS) &&
           words_match(f->cold->more, mask + FLOW_INLINE_WORDS, w + FLOW_INLINE_WORDS,
                       n - FLOW_INLINE_WORDS);
}

// Does the flow of a cache's word match a packet of 'lane'?
static inline bool
megaflow_candidate_matches(const struct dp_flow *f, const struct lane *lane, const uint64_t *w,
                           uint32_t n)
{
    const struct subtable *st = atomic_load_explicit(&f->subtable, memory_order_acquire);

    return st->lane == lane && megaflow_matches(f, st->mask, w, n);
}

static inline struct dp_flow *
subtable_find(const struct subtable *st, const struct dp_flow *slab, const uint64_t *w, uint32_t n,
              uint32_t hash)
{
    struct subtable_map map = subtable_get_map(st);
    uint32_t i = hash & map.bucket_mask;
    uint64_t reach = bucket_get(&map.b[i], SUBTABLE_BUCKET_FLOWS);

    for (;; reach--, i = (i + 1) & map.bucket_mask) {
        unsigned hits = bucket_match(&map.b[i], hash) & SUBTABLE_FLOW_WORDS;
        while (UNLIKELY(hits)) {
            uint64_t word = bucket_get(&map.b[i], (unsigned)__builtin_ctz(hits));
            const struct dp_flow *f = &slab[bucket_word_slot(word)];
            hits &= hits - 1;
            if (atomic_load_explicit(&f->subtable, memory_order_acquire) == st &&
                megaflow_matches(f, st->mask, w, n)) {
                return (struct dp_flow *)f;
            }
        }
        if (LIKELY(!reach)) {
            return NULL;
        }
    }
}

// Wild flows: any shape, linear over their masks.
struct dp_flow *megaflow_find_wild(const struct megaflows *, const struct flow_key *);

#endif
