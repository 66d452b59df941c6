// SPDX-License-Identifier: Apache-2.0
/*
 * flow_mark.c - which megaflows a rule that came or went can matter to.
 *
 * Cohorts are asked first.  The members of one that the change matters to as a whole, or not at
 * all, need no look of their own, and a group that has nothing else is not scanned.
 */
#include "flow/match.h"
#include "ofproto/ofproto_int.h"
#include "ofproto/rule.h"
#include "slowpath/flow_index_int.h"

/* What a rule's match says about the words of one group. */
struct probe {
    uint32_t n;
    struct probe_word {
        const uint64_t *values;
        uint64_t mask, value;
    } word[FLOW_KEY_WORDS];
};

/* The word that tells most comes first. */
static void
probe_init(struct probe *p, const struct flow_group *g, const struct match *match)
{
    uint32_t i = 0;
    int most = 0;

    p->n = 0;
    p->word[0] = (struct probe_word){0};
    for (uint64_t map = g->map; map; map &= map - 1, i++) {
        unsigned k = (unsigned)__builtin_ctzll(map);
        uint64_t mask = g->mask[i] & match->mask.bits.w[k];

        if (!mask) {
            continue;
        }
        p->word[p->n] = (struct probe_word){g->values[i], mask, match->flow.w[k] & mask};
        if (__builtin_popcountll(mask) > most) {
            struct probe_word first = p->word[0];

            most = __builtin_popcountll(mask);
            p->word[0] = p->word[p->n];
            p->word[p->n] = first;
        }
        p->n++;
    }
}

static bool
probe_matches(const struct probe *p, uint32_t pos)
{
    for (uint32_t i = 0; i < p->n; i++) {
        if ((p->word[i].values[pos] ^ p->word[i].value) & p->word[i].mask) {
            return false;
        }
    }
    return true;
}

enum { BLOCK = 16 };

/* The first block from 'pos' on in which the first word of some flow agrees. */
static uint32_t
skip_blocks(const struct probe *p, uint32_t pos, uint32_t n)
{
    const uint64_t mask = p->word[0].mask, value = p->word[0].value;
    const uint64_t *v = p->word[0].values;

    if (!p->n) {
        return pos;
    }
    for (; pos + BLOCK <= n; pos += BLOCK) {
        uint64_t hit = 0;

        for (uint32_t i = 0; i < BLOCK; i++) { /* Without a branch: for the vectorizer. */
            hit |= (v[pos + i] & mask) == value ? UINT64_MAX : 0;
        }
        if (hit) {
            break;
        }
    }
    return pos;
}

static bool
is_affected(const struct ukey *ukey, const struct ofproto_change *change)
{
    struct flow_mask mask;
    struct flow key;

    dp_flow_get_key(ukey->flow, &key, &mask);
    return xlate_deps_affected(ukey_deps(ukey), &key, &mask, change, 1);
}

/* --- cohorts ---------------------------------------------------------------------------------- */

/* A cohort is asked as if it were one megaflow.  A rule that comes matters to it as a whole if it
 * takes all of its packets; one that goes, because all found it.  What marked a suspect alone does
 * so no longer when there is a second change, even if that takes back the first. */
static void
mark_cohort(struct flow_index *x, struct cohort *c, const struct ofproto_change *change)
{
    bool added = change->kind == OFPROTO_CHANGE_RULE_ADDED;

    c->partly = false;
    if (c->suspect && !added) {
        cohort_suspect(x, c, NULL);
    }
    if (!xlate_deps_affected(c->deps, &c->key, &c->mask, change, 1)) {
        return;
    }
    if (!added) {
        cohort_suspect(x, c, NULL);
    } else if (xlate_deps_first_is(c->deps, &c->key, &c->mask, change->rule)) {
        cohort_suspect(x, c, change->rule);
    } else {
        c->partly = true;
    }
}

/* Returns true if members have to be looked at one by one. */
static bool
mark_cohorts(struct flow_index *x, const struct ofproto_change *change)
{
    /* Suspects must learn of a rule that goes: it may be the one that made them suspects. */
    bool scan = x->n_suspects && change->kind != OFPROTO_CHANGE_RULE_ADDED;

    for (uint32_t i = 0; i < x->n_cohorts; i++) {
        mark_cohort(x, x->cohorts[i], change);
        scan = scan || x->cohorts[i]->partly;
    }
    return scan;
}

/* --- groups ----------------------------------------------------------------------------------- */

/* From afar: is there nothing that the change could do to the megaflow in this place? */
static bool
place_is_safe(const struct flow_index *x, const struct flow_group *g, uint32_t pos,
              const struct xlate_deps_sum *sum)
{
    unsigned c = g->cohort_of[pos];

    if (c) {
        return !x->cohorts[c - 1]->partly && !g->ukeys[pos]->suspect;
    }
    return !(g->tables[pos] & sum->tables) || sum->priority < g->priority[pos];
}

enum { SCANS_PER_LOWEST = 64 };

/* Can the change matter to those of the group that are in no cohort?  Not if it is below everything
 * that they found: then nothing is scanned.  The bound is made exact again once in a while. */
static bool
group_may_matter(struct flow_group *g, const struct xlate_deps_sum *sum)
{
    if (g->n == g->n_members || sum->priority < g->lowest) {
        return false;
    }
    if (++g->n_scans < SCANS_PER_LOWEST) {
        return true;
    }
    g->n_scans = 0;
    g->lowest = UINT32_MAX;
    for (uint32_t pos = 0; pos < g->n; pos++) {
        if (!g->cohort_of[pos]) {
            g->lowest = MIN(g->lowest, g->priority[pos]);
        }
    }
    return sum->priority >= g->lowest;
}

static void
mark_ukey(struct flow_index *x, struct ukey *ukey, const struct ofproto_change *change)
{
    if (ukey->suspect) {
        suspect_set_by(ukey, NULL);
    } else if (is_affected(ukey, change)) {
        suspect_add(x, ukey);
        suspect_set_by(ukey, change->kind == OFPROTO_CHANGE_RULE_ADDED ? change->rule : NULL);
    }
}

static void
mark_group(struct flow_index *x, const struct flow_group *g, const struct ofproto_change *change,
           const struct xlate_deps_sum *sum, const struct match *match)
{
    struct probe p;

    probe_init(&p, g, match);
    for (uint32_t pos = skip_blocks(&p, 0, g->n); pos < g->n; pos = skip_blocks(&p, pos, g->n)) {
        uint32_t end = MIN(pos + BLOCK, g->n);

        for (; pos < end; pos++) {
            if (probe_matches(&p, pos) && !place_is_safe(x, g, pos, sum)) {
                mark_ukey(x, g->ukeys[pos], change);
            }
        }
    }
}

static void
mark(struct flow_index *x, const struct ofproto_change *change)
{
    struct xlate_deps_sum sum = xlate_change_sum(change);
    bool scan = mark_cohorts(x, change);
    struct match match;

    cls_rule_get_match(&change->rule->cls, &match);
    for (struct flow_group *g = x->groups; g; g = g->hh.next) {
        if (scan || group_may_matter(g, &sum)) {
            mark_group(x, g, change, &sum, &match);
        }
    }
}

/* Between two changes handlers get at the index.  What they put there was translated after all of
 * the changes, or is a suspect for no one rule's sake: flow_index_set_seq() came before. */
size_t
flow_index_mark(struct flow_index *x, const struct ofproto_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        index_lock(x);
        mark(x, &changes[i]);
        pthread_mutex_unlock(&x->lock);
    }
    return flow_index_n_suspects(x);
}
