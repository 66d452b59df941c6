// SPDX-License-Identifier: Apache-2.0
/*
 * conj.c - conjunctive matches (ovs-fields(7)): rules with conjunction(id, k/n) are clauses.  When
 * for some id a packet matches a clause of each dimension 1..n at one priority, it matches the
 * rules that say conj_id=id; clauses alone match nothing.
 *
 * Any thread under RCU.  Called only when the best match is a clause, so tables without
 * conjunctions never come here.
 */
#include <stdlib.h>

#include "ofproto/ofproto_priv.h"

/* What is known of one id at one priority. */
struct conj {
    uint32_t id;
    uint64_t clauses; /* bitmap of those that matched */
    unsigned n_clauses;
};

static const struct rule_actions *
actions_of(const struct cls_rule *r)
{
    return rule_from_cls(r)->actions;
}

/* Adds the clauses of one rule. */
static void
add_clauses(struct conj **conjs, size_t *n, const struct rule_actions *a)
{
    OFPACT_FOR_EACH(act, rule_acts(a), a->size)
    {
        const struct ofpact_conjunction *c = OFPACT_CAST(ofpact_conjunction, act);
        size_t i = 0;

        if (act->type != OFPACT_CONJUNCTION || c->clause >= 64) {
            continue;
        }
        while (i < *n && (*conjs)[i].id != c->id) {
            i++;
        }
        if (i == *n) {
            *conjs = xreallocarray(*conjs, *n + 1, sizeof **conjs);
            (*conjs)[(*n)++] = (struct conj){.id = c->id, .n_clauses = c->n_clauses};
        }
        (*conjs)[i].clauses |= UINT64_C(1) << c->clause;
    }
}

static bool
is_complete(const struct conj *c)
{
    uint64_t all = c->n_clauses >= 64 ? UINT64_MAX : (UINT64_C(1) << c->n_clauses) - 1;

    return c->n_clauses && (c->clauses & all) == all;
}

/* The best rule that is no clause. */
static const struct cls_rule *
best_ordinary(const struct cls *cls, cls_version_t version, const struct flow *flow,
              struct flow_mask *wc)
{
    size_t n, i = 0;
    const struct cls_rule **rules = cls_lookup_all(cls, version, flow, wc, &n), *found;

    while (i < n && actions_of(rules[i])->has_conj) {
        i++;
    }
    found = i < n ? rules[i] : NULL;
    free(rules);
    return found;
}

/* The rule for the first id that the clauses in rules[from, to) make up, or NULL. */
static const struct cls_rule *
resolve(const struct cls *cls, cls_version_t version, const struct flow *flow, struct flow_mask *wc,
        const struct cls_rule **rules, size_t from, size_t to)
{
    const struct cls_rule *found = NULL;
    struct conj *conjs = NULL;
    struct flow with_id = *flow;
    size_t n = 0;

    for (size_t i = from; i < to; i++) {
        add_clauses(&conjs, &n, actions_of(rules[i]));
    }
    for (size_t i = 0; i < n && !found; i++) {
        if (is_complete(&conjs[i])) {
            with_id.conj_id = conjs[i].id;
            found = best_ordinary(cls, version, &with_id, wc);
        }
    }
    free(conjs);
    return found;
}

const struct cls_rule *
conj_lookup(const struct cls *cls, cls_version_t version, const struct flow *flow,
            struct flow_mask *wc)
{
    const struct cls_rule *found = NULL;
    size_t n, from = 0;
    const struct cls_rule **rules = cls_lookup_all(cls, version, flow, wc, &n);

    while (from < n && !found) {
        size_t to = from;

        /* An ordinary rule wins over clauses of its own priority. */
        while (to < n && rules[to]->priority == rules[from]->priority) {
            if (!actions_of(rules[to])->has_conj) {
                found = rules[to];
            }
            to++;
        }
        if (!found) {
            found = resolve(cls, version, flow, wc, rules, from, to);
        }
        from = to;
    }
    free(rules);
    return found;
}
