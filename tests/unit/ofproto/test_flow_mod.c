// SPDX-License-Identifier: Apache-2.0
/*
 * test_flow_mod.c - what flow-mods do to a table, against a list that is searched from end to end;
 * and the limits of tables.
 */
#include "xlate_fixture.h"

enum { N_PORTS = 3, N_PRIORITIES = 3, N_COOKIES = 3, MAX_TWIN = 64 };

/* A flow of the twin: 0 in 'in_port' or 'proto' matches all. */
struct twin_flow {
    unsigned int in_port, proto, priority, out;
    uint64_t cookie;
};
struct twin {
    struct twin_flow f[MAX_TWIN];
    size_t n;
};

static unsigned int
pick(uint64_t *seed, unsigned int n)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned int)(*seed >> 33) % n;
}

static void
make_match(const struct twin_flow *f, struct match *m)
{
    char text[64] = "";
    char *error;

    if (f->proto) {
        snprintf(text, sizeof text, "ip,nw_proto=%u", f->proto);
    }
    if (f->in_port) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%sin_port=%u", *text ? "," : "",
                 f->in_port);
    }
    error = match_parse(m, text, NULL, NULL);
    assert_null(error);
}

/* Every packet of 'narrow' is one of 'wide'. */
static bool
contains(const struct twin_flow *wide, const struct twin_flow *narrow)
{
    return (!wide->in_port || wide->in_port == narrow->in_port) &&
           (!wide->proto || wide->proto == narrow->proto);
}

static bool
overlaps(const struct twin_flow *a, const struct twin_flow *b)
{
    return a->priority == b->priority && (!a->in_port || !b->in_port || a->in_port == b->in_port) &&
           (!a->proto || !b->proto || a->proto == b->proto);
}

static bool
is_meant(const struct ofp_flow_mod *fm, const struct twin_flow *want, const struct twin_flow *f)
{
    bool strict = fm->command == OFPFC_MODIFY_STRICT || fm->command == OFPFC_DELETE_STRICT;

    if ((f->cookie ^ fm->cookie) & fm->cookie_mask) {
        return false;
    }
    if (fm->command >= OFPFC_DELETE && fm->out_port != OFPP_NONE && fm->out_port != f->out) {
        return false;
    }
    return strict ? f->priority == want->priority && f->in_port == want->in_port &&
                        f->proto == want->proto
                  : contains(want, f);
}

/* What the flow-mod should answer; changes the twin.  A flow that is replaced does not overlap. */
static enum ofperr
twin_run(struct twin *t, const struct ofp_flow_mod *fm, const struct twin_flow *want)
{
    size_t kept = 0;

    if (fm->command == OFPFC_ADD) {
        for (size_t i = 0; i < t->n; i++) {
            if (t->f[i].priority == want->priority && t->f[i].in_port == want->in_port &&
                t->f[i].proto == want->proto) {
                t->f[i] = *want;
                return 0;
            }
        }
        for (size_t i = 0; i < t->n; i++) {
            if (fm->flags & OFPFF_CHECK_OVERLAP && overlaps(want, &t->f[i])) {
                return OFPERR_OFPFMFC_OVERLAP;
            }
        }
        t->f[t->n++] = *want;
        return 0;
    }
    for (size_t i = 0; i < t->n; i++) {
        bool meant = is_meant(fm, want, &t->f[i]);

        if (meant && fm->command < OFPFC_DELETE) {
            t->f[i].out = want->out; /* A modification keeps the cookie. */
        }
        if (!meant || fm->command < OFPFC_DELETE) {
            t->f[kept++] = t->f[i];
        }
    }
    t->n = kept;
    return 0;
}

static void
check_equal(struct ofproto *p, const struct twin *t)
{
    struct ofp_flow_stats_request fsr = {
        .out_port = OFPP_NONE, .out_group = OFP_GROUP_ANY, .table_id = 0};
    struct rule **rules;
    size_t n;

    match_init_any(&fsr.match);
    assert_int_equal(rules_collect(p, &fsr, &rules, &n), 0);
    assert_int_equal(n, t->n);
    assert_int_equal(p->tables[0].n_flows, t->n);
    rules_unref(rules, n);
    for (size_t i = 0; i < t->n; i++) {
        const struct cls_rule *c;
        const struct rule *r;
        struct match m;

        make_match(&t->f[i], &m);
        c = cls_find_exactly(p->tables[0].cls, ofproto_version(p), &m, (int)t->f[i].priority);
        assert_non_null(c);
        r = rule_from_cls(c);
        assert_true(r->cookie == t->f[i].cookie);
        assert_true(ofpacts_output_to_port(rule_acts(r->actions), r->actions->size,
                                           (ofp_port_t)t->f[i].out));
    }
}

static void
run_one(struct ofproto *p, struct twin *t, uint64_t *seed)
{
    static const uint8_t protos[] = {0, 6, 17};
    struct twin_flow want = {
        .in_port = pick(seed, N_PORTS + 1),
        .proto = protos[pick(seed, 3)],
        .priority = 1 + pick(seed, N_PRIORITIES),
        .out = 10 + pick(seed, 3),
        .cookie = pick(seed, N_COOKIES),
    };
    struct ofp_flow_mod fm = {
        .command = (uint16_t)pick(seed, 5),
        .priority = (uint16_t)want.priority,
        .new_cookie = want.cookie,
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };

    if (fm.command == OFPFC_ADD) {
        fm.flags = pick(seed, 4) ? 0 : OFPFF_CHECK_OVERLAP;
        fm.modify_cookie = true;
    } else {
        fm.cookie = pick(seed, N_COOKIES);
        fm.cookie_mask = pick(seed, 2) ? UINT64_MAX : 0;
        /* Without a cookie to look for, a modification of nothing adds a flow: not asked here. */
        if (fm.command < OFPFC_DELETE) {
            fm.cookie_mask = UINT64_MAX;
        } else if (!pick(seed, 3)) {
            fm.out_port = (ofp_port_t)(10 + pick(seed, 3));
        }
    }
    make_match(&want, &fm.match);
    ofpacts_put_struct(&fm.actions, OUTPUT, struct ofpact_output)->port = (uint16_t)want.out;
    assert_int_equal(flow_mod_run(p, &fm), twin_run(t, &fm, &want));
    ofp_flow_mod_fini(&fm);
}

static void
agrees_with_a_list(void **state)
{
    uint64_t seed = 20261121;
    struct twin twin = {.n = 0};
    struct ofproto *p;
    struct fx fx;

    (void)state;
    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    for (int i = 0; i < 3000; i++) {
        run_one(p, &twin, &seed);
        check_equal(p, &twin);
    }
    fx_fini(&fx);
}

static enum ofperr
add(struct ofproto *p, uint16_t priority, uint16_t hard_timeout)
{
    struct ofp_flow_mod fm = {
        .command = OFPFC_ADD,
        .priority = priority,
        .hard_timeout = hard_timeout,
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };
    enum ofperr error;

    match_init_any(&fm.match);
    error = flow_mod_run(p, &fm);
    ofp_flow_mod_fini(&fm);
    return error;
}

static bool
has(struct ofproto *p, int priority)
{
    struct match any;

    match_init_any(&any);
    return cls_find_exactly(p->tables[0].cls, ofproto_version(p), &any, priority);
}

static void
full_tables_refuse_or_evict(void **state)
{
    struct ofproto *p;
    struct fx fx;

    (void)state;
    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    p->tables[0].max_flows = 3;
    assert_int_equal(add(p, 1, 0), 0);
    assert_int_equal(add(p, 2, 100), 0);
    assert_int_equal(add(p, 3, 50), 0);
    assert_int_equal(add(p, 4, 0), OFPERR_OFPFMFC_TABLE_FULL);
    assert_int_equal(add(p, 3, 60), 0); /* It replaces. */
    assert_int_equal(p->tables[0].n_flows, 3);
    p->tables[0].evict_by_config = true;
    assert_int_equal(add(p, 4, 0), 0);
    assert_false(has(p, 3)); /* Of those that expire, the soonest. */
    assert_int_equal(add(p, 5, 0), 0);
    assert_false(has(p, 2));
    assert_int_equal(add(p, 6, 0), OFPERR_OFPFMFC_TABLE_FULL); /* Nobody else may go. */
    assert_true(has(p, 1) && has(p, 4) && has(p, 5));
    fx_fini(&fx);
}

static void
room_is_told_once(void **state)
{
    struct ofproto *p;
    struct fx fx;

    (void)state;
    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    p->tables[0].max_flows = 4;
    oftable_set_vacancy(&p->tables[0], true, 30, 70);
    assert_int_equal(p->tables[0].vacancy_event, OFPTR_VACANCY_DOWN);
    for (uint16_t i = 1; i <= 2; i++) {
        assert_int_equal(add(p, i, 0), 0);
        assert_int_equal(p->tables[0].vacancy_event, OFPTR_VACANCY_DOWN);
    }
    assert_int_equal(oftable_desc(p, 0).vacancy_now, 50);
    assert_int_equal(add(p, 3, 0), 0);
    assert_int_equal(p->tables[0].vacancy_event, OFPTR_VACANCY_UP);
    assert_int_equal(oftable_desc(p, 0).vacancy_now, 25);
    oftable_set_vacancy(&p->tables[0], false, 0, 0);
    assert_false(oftable_desc(p, 0).vacancy);
    fx_fini(&fx);
}

static void
change(struct ofproto *p, enum ofp_flow_mod_command command, uint8_t table_id, uint32_t nw_dst)
{
    struct ofp_flow_mod fm = {
        .command = command,
        .table_id = table_id,
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };

    match_init_any(&fm.match);
    if (command == OFPFC_ADD) {
        FLOW_MASK_SET(&fm.match.mask, dl_type);
        fm.match.flow.dl_type = htobe16_(ETH_TYPE_IP);
        fm.match.mask.bits.nw_dst = htobe32_(UINT32_MAX << nw_dst % 4);
        fm.match.flow.nw_dst = htobe32_(nw_dst << 8);
    }
    assert_int_equal(flow_mod_run(p, &fm), 0);
    ofp_flow_mod_fini(&fm);
}

/* What is deleted is unlinked, of all tables, in whatever way; a flow that came meanwhile stays. */
static void
all_flows_go_and_one_stays(void **state)
{
    struct ofproto *p;
    struct fx fx;

    (void)state;
    fx_init(&fx);
    p = fx_bridge(&fx, "br0");
    for (uint8_t late = 0; late < 4; late++) {
        for (uint32_t i = 0; i < 900; i++) {
            change(p, OFPFC_ADD, (uint8_t)(i % 3), i);
        }
        change(p, OFPFC_DELETE, OFP_TABLE_ALL, 0);
        if (late < 3) {
            change(p, OFPFC_ADD, late, 12345);
        }
        rcu_barrier();
        for (int i = 0; p->all->garbage && i < 10000; i++) {
            flow_garbage_run(p->all);
        }
        assert_null(p->all->garbage);
        for (uint8_t i = 0; i < 3; i++) {
            assert_int_equal(cls_n_rules(p->tables[i].cls), i == late);
            assert_int_equal(cls_n_subtables(p->tables[i].cls), i == late);
            assert_int_equal(p->tables[i].n_flows, i == late);
        }
        if (late < 3) {
            struct flow f = {.dl_type = htobe16_(ETH_TYPE_IP), .nw_dst = htobe32_(12345 << 8)};

            assert_non_null(cls_lookup(p->tables[late].cls, ofproto_version(p), &f, NULL));
        }
    }
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(full_tables_refuse_or_evict),
        cmocka_unit_test(room_is_told_once),
        cmocka_unit_test(all_flows_go_and_one_stays),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
