// SPDX-License-Identifier: Apache-2.0
/*
 * recheck.c - translates an installed megaflow anew.  Whoever holds pass_lock, or a revalidator in
 * its part of a pass.
 */
#include <string.h>

#include "base/coverage.h"
#include "slowpath/memo.h"
#include "slowpath/slowpath_int.h"

COVERAGE_DEFINE(revalidator_translated);
COVERAGE_DEFINE(revalidator_shared);
COVERAGE_DEFINE(revalidator_changed);

/* True if the installed megaflow looks at every bit that the new translation consulted. */
bool
key_mask_is_subset(const struct flow_mask *part, const struct flow_mask *whole)
{
    uint64_t missing = 0;

    for (unsigned i = 0; i < FLOW_KEY_WORDS; i++) {
        missing |= part->bits.w[i] & ~whole->bits.w[i];
    }
    return !missing;
}

bool
dp_actions_equal(const struct dp_actions *a, const struct dp_actions *b)
{
    return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

/* Takes 'cache' and 'deps' on success. */
static bool
ukey_take(struct slowpath *sp, struct ukey *ukey, const struct dp_actions *actions,
          struct xlate_cache *cache, struct xlate_deps *deps)
{
    bool equal = dp_actions_equal(actions, dp_flow_actions(ukey->flow));

    if (!equal || ukey->cohort) {
        if (!equal) {
            coverage_inc(revalidator_changed);
        }
        if (dp_flow_set_actions(sp->dp, ukey->flow, actions)) {
            return false;
        }
    }
    if (ukey->cohort) {
        cohort_part(sp->index, ukey);
    }
    xlate_cache_destroy(ukey->cache);
    xlate_deps_destroy(ukey->deps);
    ukey->cache = cache;
    ukey->deps = deps;
    return true;
}

static bool
ukey_share(struct slowpath *sp, struct ukey *ukey, struct memo_entry *e)
{
    struct xlate_cache *cache;
    struct xlate_deps *deps;
    bool gone;

    coverage_inc(revalidator_shared);
    if (cohort_join(sp, ukey, e, &gone)) {
        return !gone;
    }
    cache = xlate_cache_ref(e->cache);
    deps = xlate_deps_ref(e->deps);
    if (ukey_take(sp, ukey, &e->actions, cache, deps)) {
        return true;
    }
    xlate_cache_destroy(cache);
    xlate_deps_destroy(deps);
    return false;
}

/* Where one new rule made the megaflow a suspect and takes all of its packets, tables need not be
 * asked again, and the result depends on what the rule's actions look at only. */
static struct rule *
first_rule(const struct ukey *ukey, const struct flow *key, const struct flow_mask *mask)
{
    return ukey->by && xlate_deps_first_is(ukey_deps(ukey), key, mask, ukey->by) ? ukey->by : NULL;
}

bool
ukey_recheck(struct slowpath *sp, struct ukey *ukey, struct memo *memo)
{
    struct flow_mask mask;
    struct flow key;
    struct xlate_in in = {.ofprotos = sp->ofprotos, .flow = &key, .want_cache = true};
    struct xlate_out out;
    struct memo_entry *e;
    struct dp_actions slow;
    bool keep;

    dp_flow_get_key(ukey->flow, &key, &mask);
    in.first_rule = first_rule(ukey, &key, &mask);
    e = memo_find(memo, in.first_rule, &key, &mask);
    if (e) {
        return ukey_share(sp, ukey, e);
    }
    xlate(&in, &out);
    coverage_inc(revalidator_translated);
    keep = !out.drop_unknown && key_mask_is_subset(&out.mask, &mask);
    if (keep) {
        memo_put(memo, in.first_rule, &key, &out);
        keep = ukey_take(sp, ukey, slowpath_actions(&out, &slow), out.cache, out.deps);
        dp_actions_fini(&slow);
    }
    if (keep) {
        out.cache = NULL;
        out.deps = NULL;
    }
    xlate_out_fini(&out);
    return keep;
}
