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

#include "base/uthash.h"
#include "ofproto/ofproto_priv.h"

/* What is known of one id at one priority. */
struct conj {
    UT_hash_handle hh; /* by id, in order of appearance */
    uint32_t id;
    uint64_t clauses; /* bitmap of those that matched */
    unsigned n_clauses;
};

static const struct rule_actions *
actions_of(const struct cls_rule *r)
{
    return rule_from_cls(r)->actions;
}

/* Adds the clauses of one rule: there may be thousands of ids, in each of many rules. */
static void
add_clauses(struct conj **conjs, const struct rule_actions *a)
{
    OFPACT_FOR_EACH(act, rule_acts(a), a->size)
    {
        const struct ofpact_conjunction *c = OFPACT_CAST(ofpact_conjunction, act);
        struct conj *conj;

        if (act->type != OFPACT_CONJUNCTION || c->clause >= 64) {
            continue;
        }
        HASH_FIND(hh, *conjs, &c->id, sizeof c->id, conj);
        if (!conj) {
            conj = xzalloc(sizeof *conj);
            conj->id = c->id;
            conj->n_clauses = c->n_clauses;
            HASH_ADD(hh, *conjs, id, sizeof conj->id, conj);
        }
        conj->clauses |= UINT64_C(1) << c->clause;
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
    struct conj *conjs = NULL, *conj, *next;
    struct flow with_id = *flow;

    for (size_t i = from; i < to; i++) {
        add_clauses(&conjs, actions_of(rules[i]));
    }
    HASH_ITER (hh, conjs, conj, next) {
        if (!found && is_complete(conj)) {
            with_id.conj_id = conj->id;
            found = best_ordinary(cls, version, &with_id, wc);
        }
        HASH_DEL(conjs, conj);
        free(conj);
    }
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
