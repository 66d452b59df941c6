// SPDX-License-Identifier: Apache-2.0
/*
 * Which tunnel options may leave a bridge's map, against lists that are searched from end to end:
 * flows that match on some, flows and groups whose actions name some, in two bridges that share
 * lists of actions and have maps of their own.
 */
#include "../unit.h"

#include "flow/option.h"
#include "xlate_fixture.h"

enum { N_OPTIONS = 6, N_FLOWS = 8, N_GROUPS = 3 };

/* What a bridge should have: options by number, as bits. */
struct twin {
    struct ofproto *p;
    uint64_t mapped;
    uint64_t flows[N_FLOWS]; /* by cookie - 1; their matches and actions together */
    uint64_t groups[N_GROUPS];
};

static unsigned int
pick(uint64_t *seed, unsigned int n)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned int)(*seed >> 33) % n;
}

/* 4 or 8 bytes. */
static struct ofp_tlv_map
entry(uint16_t index)
{
    return (struct ofp_tlv_map){0x102, (uint8_t)index, (uint8_t)(4 + 4 * (index % 2)), index};
}

/* Adds or removes those in 'options', in one message. */
static enum ofperr
change_map(struct twin *t, enum ofp_tlv_command command, uint64_t options)
{
    struct ofp_tlv_map maps[N_OPTIONS];
    struct ofp_tlv_table_mod tm = {.command = command, .maps = maps};

    for (uint16_t i = 0; i < N_OPTIONS; i++) {
        if (options >> i & 1) {
            maps[tm.n++] = entry(i);
        }
    }
    return tlv_map_mod(t->p, &tm);
}

/* One of the mapped options, mostly none. */
static uint64_t
pick_option(const struct twin *t, uint64_t *seed)
{
    return (pick(seed, 3) ? 0 : UINT64_C(1) << pick(seed, N_OPTIONS)) & t->mapped;
}

/* Names the option in one of several ways, some of them inside of other actions. */
static void
make_actions(const struct twin *t, uint64_t option, uint64_t *seed, struct ofpacts *acts)
{
    const struct mf_port_names names = {.options = ofproto_options(t->p)};
    const int i = option ? __builtin_ctzll(option) : 0;
    char text[96];

    switch (option ? pick(seed, 3) : 3) {
    case 0:
        snprintf(text, sizeof text, "set_field:1->tun_metadata%d", i);
        break;
    case 1:
        snprintf(text, sizeof text, "clone(set_field:1->tun_metadata%d),output:2", i);
        break;
    case 2:
        snprintf(text, sizeof text, "move:NXM_NX_TUN_METADATA%d[0..15]->NXM_NX_REG0[0..15]", i);
        break;
    default:
        snprintf(text, sizeof text, "output:1");
    }
    assert_null(ofpacts_parse(text, &names, false, acts));
}

static void
change_flow(struct twin *t, uint64_t *seed)
{
    const unsigned int k = pick(seed, N_FLOWS);
    const uint64_t matched = pick_option(t, seed), named = pick_option(t, seed);
    const struct mf_port_names names = {.options = ofproto_options(t->p)};
    struct ofp_flow_mod fm = {
        .command = OFPFC_DELETE,
        .table_id = OFP_TABLE_ALL,
        .cookie = k + 1,
        .cookie_mask = UINT64_MAX,
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };
    char text[64];

    match_init_any(&fm.match);
    assert_int_equal(flow_mod_run(t->p, &fm), 0);
    t->flows[k] = 0;
    if (!pick(seed, 3)) {
        return;
    }
    fm = (struct ofp_flow_mod){
        .command = OFPFC_ADD,
        .table_id = (uint8_t)pick(seed, 3),
        .priority = (uint16_t)(k + 1),
        .new_cookie = k + 1,
        .modify_cookie = true,
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };
    snprintf(text, sizeof text, "reg0=%u", pick(seed, 2));
    if (matched) { /* Its presence, or some of its value as well. */
        snprintf(text + strlen(text), sizeof text - strlen(text), ",tun_metadata%d%s",
                 __builtin_ctzll(matched), pick(seed, 2) ? "" : "=0x5/0xff");
    }
    assert_null(match_parse(&fm.match, text, &names, NULL));
    make_actions(t, named, seed, &fm.actions);
    assert_int_equal(flow_mod_run(t->p, &fm), 0);
    t->flows[k] = matched | named;
    ofp_flow_mod_fini(&fm);
}

static void
change_group(struct twin *t, uint64_t *seed)
{
    const unsigned int k = pick(seed, N_GROUPS);
    const uint64_t named = pick_option(t, seed);
    struct ofp_bucket bucket = {
        .bucket_id = 1, .weight = 1, .watch_port = OFPP_NONE, .watch_group = OFP_GROUP_ANY};
    struct ofp_group group = {
        .command = (uint16_t)(pick(seed, 3) ? OFPGC_ADD_OR_MOD : OFPGC_DELETE),
        .group_id = k + 1,
        .type = OFPGT_ALL,
        .command_bucket_id = OFPG_BUCKET_ALL,
        .buckets = &bucket,
        .n_buckets = 1,
    };
    struct flow_txn txn;

    make_actions(t, named, seed, &bucket.actions);
    flow_txn_begin(&txn, t->p);
    assert_int_equal(group_mod_apply(&txn, &group), 0);
    flow_txn_commit(&txn);
    t->groups[k] = group.command == OFPGC_DELETE ? 0 : named;
    ofpacts_fini(&bucket.actions);
}

static uint64_t
in_use(const struct twin *t)
{
    uint64_t used = 0;

    for (int i = 0; i < N_FLOWS; i++) {
        used |= t->flows[i];
    }
    for (int i = 0; i < N_GROUPS; i++) {
        used |= t->groups[i];
    }
    return used;
}

/* Takes some away, or all, and gives some back. */
static void
change_options(struct twin *t, uint64_t *seed)
{
    const bool clear = !pick(seed, 4);
    const uint64_t asked = pick(seed, 1u << N_OPTIONS) & pick(seed, 1u << N_OPTIONS);
    const uint64_t gone = (clear ? UINT64_MAX : asked) & t->mapped;
    const enum ofperr error = change_map(t, clear ? OFP_TLV_CLEAR : OFP_TLV_DELETE, asked);
    uint64_t back;

    assert_int_equal(error, gone & in_use(t) ? OFPERR_NXTTMFC_INVALID_TLV_DEL : OFPERR_OK);
    t->mapped &= error ? UINT64_MAX : ~gone;
    back = pick(seed, 1u << N_OPTIONS) & ~t->mapped;
    assert_int_equal(change_map(t, OFP_TLV_ADD, back), OFPERR_OK);
    t->mapped |= back;
    for (unsigned i = 0; i < N_OPTIONS; i++) {
        assert_int_equal(mf_option_find(ofproto_options(t->p), i) != NULL, t->mapped >> i & 1);
    }
}

static void
agrees_with_a_list(void **state)
{
    uint64_t seed = 20261121;
    struct twin twins[2] = {{NULL}};
    struct fx fx;

    fx_init(&fx);
    twins[0].p = fx_bridge(&fx, "br0");
    twins[1].p = fx_bridge(&fx, "br1");
    for (int i = 0; i < 20000; i++) {
        struct twin *t = &twins[pick(&seed, 2)];

        switch (pick(&seed, 3)) {
        case 0:
            change_flow(t, &seed);
            break;
        case 1:
            change_group(t, &seed);
            break;
        default:
            change_options(t, &seed);
        }
    }
    fx_fini(&fx);
}

/* What the lists of actions of all bridges name is known without a look at the rules. */
static void
lists_count_what_they_name(void **state)
{
    uint64_t seed = 1;
    struct twin t = {NULL};
    const struct rule_actions *lists[4];
    struct fx fx;

    fx_init(&fx);
    t.p = fx_bridge(&fx, "br0");
    assert_int_equal(change_map(&t, OFP_TLV_ADD, 0x3f), 0);
    assert_true(rule_actions_options(fx.all) == 0);
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) { /* 0 twice, 3, and none */
        static const uint64_t named[] = {1, 1, 8, 0};
        struct ofpacts acts = {0};

        make_actions(&t, named[i], &seed, &acts);
        lists[i] = rule_actions_get(fx.all, ofpacts_data(&acts), acts.size);
        assert_int_equal(lists[i]->has_options, named[i] != 0);
        ofpacts_fini(&acts);
    }
    assert_true(rule_actions_options(fx.all) == 9);
    rule_actions_unref(lists[0]);
    rule_actions_unref(lists[3]);
    assert_true(rule_actions_options(fx.all) == 9);
    rule_actions_unref(lists[1]);
    assert_true(rule_actions_options(fx.all) == 8);
    rule_actions_unref(lists[2]);
    assert_true(rule_actions_options(fx.all) == 0);
    fx_fini(&fx);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_list),
        cmocka_unit_test(lists_count_what_they_name),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
