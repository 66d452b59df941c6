// SPDX-License-Identifier: Apache-2.0
/*
 * follow_fixture.h - a bridge and its datapath for tests of what follows the tables: random rules,
 * random changes of them, random packets, and megaflows as a handler would install them.
 */
#ifndef FOLLOW_FIXTURE_H
#define FOLLOW_FIXTURE_H 1

#include "../ofproto/xlate_fixture.h"

#include "../pmd/fake_ports.h"
#include "base/random.h"
#include "flow/key.h"
#include "slowpath/flow_index_int.h"
#include "slowpath/slowpath_int.h"

enum { N_PORTS = 3, N_RULES = 60, N_TABLES = 3 };

static struct fx fx;
static struct dp *dp;
static struct ofproto *br;
static struct slowpath *sp; /* NULL: the index is driven by the test */
static struct flow_index *flow_index;

/* Rules by text, so that they can be deleted again. */
static char *rules[N_RULES];
static unsigned next_priority;
static bool broad; /* many of them match nearly everything */

/* --- random rules and packets ----------------------------------------------------------------- */

static inline void
add_match(struct text *t)
{
    if (broad && random_range(4)) {
        text_printf(t, random_range(2) ? ",udp" : ",udp,tp_dst=%u", random_range(4));
        return;
    }
    if (random_range(3) == 0) {
        text_printf(t, ",in_port=%u", 1 + random_range(N_PORTS));
    }
    if (random_range(3) == 0) {
        text_printf(t, ",reg0=%u", random_range(3));
    }
    if (random_range(4) == 0) {
        text_printf(t, ",metadata=%u", random_range(2));
    }
    text_printf(t, ",udp");
    if (random_range(2)) {
        text_printf(t, ",nw_src=10.0.%u.%u/%u", random_range(4), random_range(4),
                    16 + 4 * random_range(5));
    }
    if (random_range(2)) {
        text_printf(t, ",nw_dst=10.1.%u.%u/%u", random_range(4), random_range(4),
                    16 + 4 * random_range(5));
    }
    if (random_range(3) == 0) {
        text_printf(t, ",tp_dst=%u", random_range(4));
    }
}

static inline void
add_actions(struct text *t, unsigned table)
{
    if (random_range(8) == 0) {
        text_printf(t, "drop");
        return;
    }
    switch (random_range(6)) {
    case 0:
        text_printf(t, "load:%u->NXM_NX_REG0[],", random_range(3));
        break;
    case 1:
        text_printf(t, "mod_nw_dst:10.1.%u.%u,", random_range(4), random_range(4));
        break;
    case 2:
        text_printf(t, "load:%u->OXM_OF_METADATA[],", random_range(2));
        break;
    default:
        break;
    }
    if (table + 1 < N_TABLES && random_range(2)) {
        text_printf(t, "resubmit(,%u)", table + 1);
    } else {
        text_printf(t, "output:%u", 1 + random_range(N_PORTS));
    }
}

/* Priorities are unique: between equals that overlap no one says which one wins. */
static inline void
change_rule(void)
{
    unsigned i = random_range(N_RULES), table = random_range(N_TABLES);
    struct text match = {0}, all = {0};

    if (rules[i] && random_range(3)) {
        text_printf(&all, "%s,actions=drop", rules[i]);
        fx_flow_mod(br, text_cstr(&all), OFPFC_DELETE_STRICT);
        text_fini(&all);
        free(rules[i]);
        rules[i] = NULL;
        return;
    }
    if (rules[i]) { /* Other actions for the same match. */
        text_printf(&all, "%s,actions=", rules[i]);
        add_actions(&all, (unsigned)atoi(rules[i] + strlen("table=")));
        fx_flow_mod(br, text_cstr(&all), OFPFC_MODIFY_STRICT);
        text_fini(&all);
        return;
    }
    /* A permutation of 1...65535, so that new rules come above and below old ones. */
    next_priority = next_priority % 65535 + 1;
    text_printf(&match, "table=%u,priority=%u", table, next_priority * 40503u % 65537 % 65536);
    add_match(&match);
    rules[i] = text_steal(&match);
    text_printf(&all, "%s,actions=", rules[i]);
    if (random_range(12) == 0) {
        text_printf(&all, "conjunction(%u,%u/2)", 1 + random_range(2), 1 + random_range(2));
    } else {
        add_actions(&all, table);
    }
    fx_flow_mod(br, text_cstr(&all), OFPFC_ADD);
    text_fini(&all);
}

static inline struct flow
random_packet(void)
{
    struct text t = {0};
    struct flow flow;

    text_printf(&t, "udp,nw_src=10.0.%u.%u,nw_dst=10.1.%u.%u,tp_src=%u,tp_dst=%u", random_range(4),
                random_range(4), random_range(4), random_range(4), random_range(100),
                random_range(4));
    flow = fx_flow_of(text_cstr(&t));
    flow.in_port = broad ? 1 : 1 + random_range(N_PORTS);
    text_fini(&t);
    return flow;
}

/* --- megaflows ---------------------------------------------------------------------------------
 */

static inline void
set_true(void *flag)
{
    *(bool *)flag = true;
}

static inline void
drop_changes(void)
{
    uint64_t seq;
    size_t n;
    struct ofproto_change *changes = ofprotos_take_changes(fx.all, &n, &seq);

    ofproto_changes_free(changes, n);
}

/* Until the flows are right for all changes: what a barrier waits for. */
static inline void
follow(void)
{
    bool done = false;

    if (!sp) {
        drop_changes();
        flow_index_set_seq(flow_index, ofprotos_seq(fx.all));
        return;
    }
    sync_follow(sp, set_true, &done);
    while (!done) {
        loop_run_once(fx.loop, -1);
    }
}

/* A megaflow of what the translation of 'flow' says. */
static inline int
put_translated(const struct flow *flow, struct xlate_out *out, struct dp_flow **dp_flow)
{
    struct dp_flow_put put = {
        .key = flow,
        .mask = &out->mask,
        .shape = flow_words_map(flow),
        .actions = &out->actions,
    };

    return dp_flow_put(dp, &put, dp_flow);
}

/* What a handler does; 'late': rules change between translation and installation. */
static inline void
install(bool late)
{
    uint64_t seq = ofprotos_seq(fx.all), state_seq = xlate_state_seq();
    struct flow flow = random_packet();
    struct xlate_in in = {.ofprotos = fx.all, .flow = &flow, .want_cache = true};
    struct xlate_out out;
    struct dp_flow *dp_flow;

    xlate(&in, &out);
    if (late) {
        change_rule();
        follow();
    }
    if (!put_translated(&flow, &out, &dp_flow)) {
        struct ukey *ukey = ukey_create(dp_flow, &out, seq, state_seq);

        assert_int_equal(flow_index_add(flow_index, ukey), late);
        dp_flow_set_aux(dp_flow, ukey);
    }
    xlate_out_fini(&out);
}

/* 'max_revalidator_ms': how long at most until the next pass. */
static inline void
start_slowpath(unsigned max_revalidator_ms)
{
    struct smap config = SMAP_INIT;
    char text[16];

    snprintf(text, sizeof text, "%u", max_revalidator_ms);
    smap_put(&config, "max-revalidator", text);
    smap_put(&config, "max-idle", "3600000"); /* an emulator takes its time to make many flows */
    sp = slowpath_create(fx.loop, fx.all);
    slowpath_start(sp, dp, &config);
    flow_index = sp->index;
    smap_destroy(&config);
}

static inline void
stop_slowpath(void)
{
    slowpath_destroy(sp);
    sp = NULL;
}

static inline int
follow_setup(void **state)
{
    int result = fx_group_setup(state);

    random_set_seed(3);
    fake_start();
    fx_init(&fx);
    dp = dp_create();
    br = fx_bridge(&fx, "br0");
    for (unsigned i = 1; i <= N_PORTS; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%u", i);
        assert_int_equal(fx_port(&fx, br, name, i, NULL, NULL), i);
    }
    return result;
}

static inline int
follow_teardown(void **state)
{
    for (unsigned i = 0; i < N_RULES; i++) {
        free(rules[i]);
    }
    dp_destroy(dp);
    fx_fini(&fx); // ends RCU, which the datapath's threads use
    return fx_group_teardown(state);
}

#endif
