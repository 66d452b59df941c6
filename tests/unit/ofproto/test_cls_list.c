// SPDX-License-Identifier: Apache-2.0
/*
 * Rules with the same match, against a slow, obvious twin: an array.  They come for a version or
 * for none yet, one by one or many at once, are shown, removed, put back and unlinked at random;
 * what is found for a priority, and what a packet gets, must be what the array says.
 */
#include "cls_rules.h"

#include "base/random.h"

enum { MAX_RULES = 3000 };

struct twin {
    struct cls *cls;
    struct match match;
    uint32_t n_priorities;
    cls_version_t version;
    struct cls_rule *rules[MAX_RULES];
    size_t n;
};

static struct cls_rule *
twin_find(const struct twin *t, int priority)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->rules[i]->priority == priority && cls_rule_is_visible(t->rules[i], t->version)) {
            return t->rules[i];
        }
    }
    return NULL;
}

static const struct cls_rule *
twin_best(const struct twin *t)
{
    const struct cls_rule *best = NULL;

    for (size_t i = 0; i < t->n; i++) {
        const struct cls_rule *r = t->rules[i];

        if (cls_rule_is_visible(r, t->version) && (!best || r->priority > best->priority)) {
            best = r;
        }
    }
    return best;
}

static int
random_priority(const struct twin *t)
{
    return (int)random_range(t->n_priorities);
}

/* A rule as a flow-mod adds it: the one before it goes in the same version. */
static void
add_visible(struct twin *t)
{
    int priority = random_priority(t);
    struct cls_rule *old = twin_find(t, priority), *r = rule_create(&t->match);

    assert_ptr_equal(cls_find_exactly(t->cls, t->version, &t->match, priority), old);
    if (old) {
        cls_mark_removed(old, t->version);
    }
    cls_insert(t->cls, r, &t->match, priority, t->version);
    t->rules[t->n++] = r;
}

static void
add_prepared(struct twin *t)
{
    struct cls_rule *rules[CLS_LINK_MAX];
    size_t n = MIN(1 + random_range(CLS_LINK_MAX), MAX_RULES - t->n);

    for (size_t i = 0; i < n; i++) {
        rules[i] = t->rules[t->n++] = rule_create(&t->match);
        cls_rule_init(t->cls, rules[i], &t->match, random_priority(t), CLS_VERSION_NEVER);
    }
    cls_publish(t->cls); /* Must not take the mask away in between. */
    cls_link_many(t->cls, rules, n);
}

static void
show_one(struct twin *t, size_t i)
{
    struct cls_rule *r = t->rules[i], *old = twin_find(t, r->priority);

    if (atomic_load(&r->add) != CLS_VERSION_NEVER) {
        return;
    }
    assert_ptr_equal(cls_find_like(r, t->version), old);
    if (old) {
        cls_mark_removed(old, t->version);
    }
    if (random_range(8)) {
        cls_show(r, t->version);
    } else if (old) {
        cls_unmark_removed(old); /* As after an error. */
    }
}

static void
unlink_one(struct twin *t, size_t i)
{
    cls_unlink(t->cls, t->rules[i]);
    rcu_defer(rule_destroy, t->rules[i]);
    t->rules[i] = t->rules[--t->n];
}

static void
check(struct twin *t)
{
    int priority = random_priority(t);

    cls_publish(t->cls);
    assert_ptr_equal(cls_find_exactly(t->cls, t->version, &t->match, priority),
                     twin_find(t, priority));
    assert_ptr_equal(cls_lookup(t->cls, t->version, &t->match.flow, NULL), twin_best(t));
}

static bool
count_rule(struct cls_rule *r, void *n_)
{
    (*(size_t *)n_)++;
    return true;
}

static void
run(uint32_t n_priorities, int n_steps)
{
    struct twin *t = xzalloc(sizeof *t);
    size_t n_visible = 0, n = 0;

    t->cls = cls_create();
    t->n_priorities = n_priorities;
    t->version = CLS_VERSION_MIN;
    match_init_any(&t->match);
    match_set_in_port(&t->match, 7);
    for (int step = 0; step < n_steps; step++, t->version++) {
        switch (t->n < MAX_RULES ? random_range(5) : 4) {
        case 0:
            add_visible(t);
            break;
        case 1:
            add_prepared(t);
            break;
        case 2:
        case 3:
            for (size_t i = 0; i < t->n; i += 1 + random_range(3)) {
                show_one(t, i);
            }
            break;
        default:
            for (uint32_t k = random_range(t->n < MAX_RULES / 2 ? 4 : 300); t->n && k; k--) {
                unlink_one(t, random_range((uint32_t)t->n));
            }
            break;
        }
        check(t);
        rcu_quiesce();
    }
    for (size_t i = 0; i < t->n; i++) {
        n_visible += cls_rule_is_visible(t->rules[i], t->version);
    }
    cls_visit_loose(t->cls, t->version, NULL, count_rule, &n);
    assert_int_equal(n, n_visible);
    while (t->n) {
        unlink_one(t, random_range((uint32_t)t->n));
        check(t);
    }
    assert_int_equal(cls_n_subtables(t->cls), 0);
    cls_destroy(t->cls);
    rcu_quiesce();
    free(t);
}

static void
agrees_with_an_array(void **state)
{
    for (int round = 0; round < 4; round++) {
        run(3, 400);
        run(100, 400);
        run(65536, 400);
    }
}

/* A list that had an index must do without it when few rules are left, and the other way round. */
static void
long_lists_have_an_index(void **state)
{
    enum { N = 200 };
    struct cls *cls = cls_create();
    struct cls_rule *rules[N];
    struct match m;

    match_init_any(&m);
    match_set_in_port(&m, 7);
    for (int i = 0; i < N; i++) {
        rules[i] = rule_create(&m);
        cls_insert(cls, rules[i], &m, N - i, 1);
        assert_int_equal(rules[i]->subtable->longs != NULL, i > 32);
    }
    cls_publish(cls);
    for (int i = 0; i < N; i++) {
        const struct cls_subtable *st = rules[i]->subtable;

        assert_ptr_equal(cls_lookup(cls, 1, &m.flow, NULL), rules[i]);
        cls_unlink(cls, rules[i]);
        assert_int_equal(st->longs != NULL, N - 1 - i >= 8);
        rcu_defer(rule_destroy, rules[i]);
    }
    cls_publish(cls);
    cls_destroy(cls);
    rcu_quiesce();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_an_array),
        cmocka_unit_test(long_lists_have_an_index),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
