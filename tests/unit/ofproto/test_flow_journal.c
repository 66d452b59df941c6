// SPDX-License-Identifier: Apache-2.0
/*
 * test_flow_journal.c - a bridge that is restored from another one's journal has its flows, groups
 * and meters, whatever was done to it before; and what becomes of damaged journals.
 */
#include "xlate_fixture.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/keep.h"
#include "base/memlog.h"
#include "ofproto/flow_journal.h"

#define NAME "journal:test"

static unsigned int
pick(uint64_t *seed, unsigned int n)
{
    *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned int)(*seed >> 33) % n;
}

/* --- changes of all kinds ----------------------------------------------------------------------
 */

/* A tunnel option that is mapped, or NULL. */
static const struct mf_field *
some_option(const struct ofproto *p, uint64_t *seed)
{
    return mf_option_find(&p->options, pick(seed, 6));
}

static void
make_match(const struct ofproto *p, uint64_t *seed, struct match *m)
{
    static const struct {
        const char *before, *after; /* of a number */
    } texts[] = {
        {"priority=0x", ""},
        {"in_port=", ""},
        {"ip,nw_src=10.0.", ".0/24"},
        {"tcp,tp_dst=80,nw_dst=10.0.0.", ""},
        {"udp6,ipv6_dst=fc00::", "/127"},
        {"vlan_tci=0x", "/0x1fff"},
        {"reg5=", "/0xff00ff"},
        {"arp,metadata=0x1234567890ab", ""},
        {"tcp,dl_src=02:00:00:00:00:01/ff:00:00:00:00:ff,tp_src=0x8", "0/0xfff0"},
    };
    unsigned int i = pick(seed, ARRAY_SIZE(texts));
    struct match_extra extra;
    char text[128];

    snprintf(text, sizeof text, "%s%u%s", texts[i].before, 1 + pick(seed, 9), texts[i].after);
    char *error = match_parse(m, text, NULL, &extra);
    assert_null(error);
    const struct mf_field *option = pick(seed, 3) ? NULL : some_option(p, seed);
    if (option) {
        union mf_value value = {.b = {0, 0, (uint8_t)pick(seed, 4)}}, zero = {.b = {0}};

        mf_set(option, &value, pick(seed, 3) ? NULL : &zero, m); /* a value, or presence */
    }
}

static void
make_actions(const struct ofproto *p, uint64_t *seed, struct ofpacts *acts)
{
    unsigned int kind = pick(seed, 6), group_id = 1 + pick(seed, 4);
    const struct mf_field *option = kind ? NULL : some_option(p, seed);

    if (option) {
        const uint8_t value[16] = {0, (uint8_t)pick(seed, 9)};

        ofpacts_put_set_field(acts, option->id, value, NULL);
    }

    if (kind == 1 && group_exists(p, group_id)) {
        ofpacts_put_struct(acts, GROUP, struct ofpact_group)->group_id = group_id;
    } else if (kind > 1) {
        ofpacts_put_struct(acts, OUTPUT, struct ofpact_output)->port =
            (uint16_t)(1 + pick(seed, 60));
    }
}

static void
change_flows(struct ofproto *p, uint64_t *seed)
{
    static const uint16_t commands[] = {OFPFC_ADD,    OFPFC_ADD,          OFPFC_ADD,
                                        OFPFC_ADD,    OFPFC_MODIFY,       OFPFC_MODIFY_STRICT,
                                        OFPFC_DELETE, OFPFC_DELETE_STRICT};
    struct ofp_flow_mod fm = {
        .command = commands[pick(seed, ARRAY_SIZE(commands))],
        .table_id = (uint8_t)pick(seed, 4),
        .priority = (uint16_t)pick(seed, 5),
        .new_cookie = pick(seed, 3) ? pick(seed, 9) : UINT64_C(0x123456789a) + pick(seed, 9),
        .modify_cookie = pick(seed, 2),
        .idle_timeout = (uint16_t)(pick(seed, 8) ? 0 : 1000),
        .hard_timeout = (uint16_t)(pick(seed, 8) ? 0 : 2000 + pick(seed, 9)),
        .importance = (uint16_t)(pick(seed, 8) ? 0 : 7),
        .flags = (uint16_t)(pick(seed, 4) ? 0 : OFPFF_CHECK_OVERLAP | OFPFF_SEND_FLOW_REM),
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };

    make_match(p, seed, &fm.match);
    if (fm.command == OFPFC_DELETE && pick(seed, 4)) {
        fm.out_port = (ofp_port_t)(1 + pick(seed, 60));
    }
    make_actions(p, seed, &fm.actions);
    (void)flow_mod_run(p, &fm); /* Refused or not: the tables are what counts. */
    ofp_flow_mod_fini(&fm);
}

/* Several at once, which are undone now and then. */
static void
change_groups(struct ofproto *p, uint64_t *seed)
{
    struct flow_txn txn;

    flow_txn_begin(&txn, p);
    for (unsigned int n = 1 + pick(seed, 3); n; n--) {
        struct ofp_bucket bucket = {
            .bucket_id = 1, .weight = 1, .watch_port = OFPP_NONE, .watch_group = OFP_GROUP_ANY};
        struct ofp_group group = {
            .command = (uint16_t)(pick(seed, 3) ? OFPGC_ADD_OR_MOD : OFPGC_DELETE),
            .group_id = 1 + pick(seed, 4),
            .type = OFPGT_ALL,
            .command_bucket_id = OFPG_BUCKET_ALL,
            .buckets = &bucket,
            .n_buckets = 1,
        };

        ofpacts_put_struct(&bucket.actions, OUTPUT, struct ofpact_output)->port =
            (uint16_t)(1 + pick(seed, 60));
        assert_int_equal(group_mod_apply(&txn, &group), 0);
        ofpacts_fini(&bucket.actions);
    }
    if (pick(seed, 3)) {
        flow_txn_commit(&txn);
    } else {
        flow_txn_abort(&txn);
    }
}

static void
change_meters(struct ofproto *p, uint64_t *seed)
{
    struct ofp_meter_band band = {.type = OFPMBT_DROP, .rate = 1 + pick(seed, 999)};
    struct ofp_meter_config config = {.meter_id = 1 + pick(seed, 5), .flags = OFPMF_KBPS};
    struct flow_txn txn;

    config.bands = xmemdup(&band, sizeof band);
    config.n_bands = 1;
    flow_txn_begin(&txn, p);
    (void)meter_mod(&txn, (enum ofp_meter_command)pick(seed, 3), &config);
    flow_txn_commit(&txn);
    ofp_meter_config_fini(&config);
}

static void
change_tlv_map(struct ofproto *p, uint64_t *seed)
{
    const uint16_t index = (uint16_t)pick(seed, 6);
    struct ofp_tlv_map map = {0x102, (uint8_t)index, (uint8_t)(4 * (1 + pick(seed, 4))), index};
    const struct ofp_tlv_table_mod tm = {(enum ofp_tlv_command)pick(seed, 3), 1, &map};

    (void)tlv_map_mod(p, &tm); /* What is in use stays. */
    flow_journal_commit(p);
}

static void
change(struct ofproto *p, uint64_t *seed)
{
    unsigned int what = pick(seed, 40);

    if (what == 0) {
        change_groups(p, seed);
    } else if (what == 1) {
        change_meters(p, seed);
    } else if (what == 3) {
        change_tlv_map(p, seed);
    } else if (what == 2 && !pick(seed, 20)) {
        ofproto_flush(p);
    } else {
        change_flows(p, seed);
    }
}

/* --- what there is -----------------------------------------------------------------------------
 */

static int
compare_bytes(const void *a_, const void *b_)
{
    const uint8_t *a = *(const uint8_t *const *)a_, *b = *(const uint8_t *const *)b_;
    size_t size_a = ofp_msg_size(a), size_b = ofp_msg_size(b);

    return size_a != size_b ? (size_a < size_b ? -1 : 1) : memcmp(a, b, size_a);
}

/* The messages that would make all of a bridge, in an order of their own. */
static const uint8_t **
messages_of(const struct ofproto *p, uint8_t **data, size_t *n)
{
    size_t size;

    *data = ofproto_save_flows(p, &size);
    const uint8_t **msgs = xcalloc(size / OFP_HEADER_SIZE + 1, sizeof *msgs);
    *n = 0;
    for (size_t ofs = 0; ofs < size; ofs += ofp_msg_size(*data + ofs)) {
        msgs[(*n)++] = *data + ofs;
    }
    qsort(msgs, *n, sizeof *msgs, compare_bytes);
    return msgs;
}

static void
assert_same(const struct ofproto *a, const struct ofproto *b)
{
    uint8_t *data_a, *data_b;
    size_t n_a, n_b;
    const uint8_t **msgs_a = messages_of(a, &data_a, &n_a);
    const uint8_t **msgs_b = messages_of(b, &data_b, &n_b);

    assert_int_equal(n_a, n_b);
    for (size_t i = 0; i < n_a; i++) {
        assert_int_equal(ofp_msg_size(msgs_a[i]), ofp_msg_size(msgs_b[i]));
        assert_memory_equal(msgs_a[i], msgs_b[i], ofp_msg_size(msgs_a[i]));
    }
    free(msgs_a);
    free(msgs_b);
    free(data_a);
    free(data_b);
}

/* What the next process would find; to be unmapped. */
static void *
map_journal(size_t *size)
{
    struct stat st;

    keep_turn();
    int fd = keep_take(NAME);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *size = (size_t)st.st_size;
    void *data = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    assert_true(data != MAP_FAILED);
    close(fd);
    return data;
}

static void
restore(struct ofproto *p)
{
    size_t size, n_flows, n_refused;
    void *data = map_journal(&size);

    assert_int_equal(ofproto_journal_restore(p, data, size, &n_flows, &n_refused), 0);
    assert_int_equal(n_refused, 0);
    munmap(data, size);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void
restores_whatever_was_done(void **state)
{
    for (uint64_t round = 0; round < 4; round++) {
        uint64_t seed = 20261121 + round;
        struct ofproto *a, *b;
        size_t largest = 0;
        struct fx fx;

        fx_init(&fx);
        a = fx_bridge(&fx, "br0");
        b = fx_bridge(&fx, "br1");
        for (unsigned int i = pick(&seed, 30); i; i--) {
            change(a, &seed); /* What is there before the journal. */
        }
        ofproto_journal_start(a, NAME, 0);
        flow_journal_run(a);
        for (int i = 0; i < 4000; i++) {
            change(a, &seed);
            largest = MAX(largest, ofproto_journal_size(a));
            if (!pick(&seed, 50)) {
                restore(b);
                assert_same(a, b);
            }
        }
        /* Some hundred flows at a time: what is gone does not pile up. */
        assert_in_range(largest, 1000, 400000);
        ofproto_journal_stop(a);
        keep_turn();
        fx_fini(&fx);
        keep_detach();
    }
}

static struct rule *
find(struct ofproto *p, int priority)
{
    struct match any;
    const struct cls_rule *c;

    match_init_any(&any);
    c = cls_find_exactly(p->tables[0].cls, ofproto_version(p), &any, priority);
    return c ? rule_from_cls(c) : NULL;
}

/* An ADD of a flow for all packets, to be filled and given to run(). */
static struct ofp_flow_mod
flow_of(uint16_t priority)
{
    struct ofp_flow_mod fm = {
        .command = OFPFC_ADD,
        .priority = priority,
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };

    match_init_any(&fm.match);
    return fm;
}

static void
run(struct ofproto *p, struct ofp_flow_mod *fm)
{
    assert_int_equal(flow_mod_run(p, fm), 0);
    ofp_flow_mod_fini(fm);
}

static void
add(struct ofproto *p, uint16_t priority, uint16_t idle, uint16_t hard)
{
    struct ofp_flow_mod fm = flow_of(priority);

    fm.idle_timeout = idle;
    fm.hard_timeout = hard;
    run(p, &fm);
}

static void
hard_timeouts_go_on_and_idle_ones_begin_anew(void **state)
{
    struct ofproto *a, *b;
    struct fx fx;

    fx_init(&fx);
    a = fx_bridge(&fx, "br0");
    b = fx_bridge(&fx, "br1");
    ofproto_journal_start(a, NAME, 0);
    add(a, 1, 0, 100);
    add(a, 2, 100, 0);
    add(a, 3, 0, 50);
    clock_warp(60000);
    flow_tables_expire(a);         /* 3 */
    find(a, 1)->idle_timeout = 70; /* As fin_timeout() lowers it. */
    flow_journal_times(find(a, 1));
    restore(b);
    assert_same(a, b);
    assert_null(find(b, 3));
    assert_int_equal(find(b, 1)->idle_timeout, 70);
    assert_true(find(b, 1)->modified_ms == find(a, 1)->modified_ms);
    assert_true(find(b, 2)->own_stats.used_ms >= find(a, 2)->own_stats.used_ms + 60000);
    clock_warp(41000);
    flow_tables_expire(b);
    assert_null(find(b, 1));
    assert_non_null(find(b, 2));
    clock_warp(60000);
    flow_tables_expire(b);
    assert_null(find(b, 2));
    ofproto_journal_stop(a);
    fx_fini(&fx);
    keep_detach();
}

/* Any damage to what counts is seen, and then nothing is changed. */
static void
a_damaged_journal_restores_nothing(void **state)
{
    uint64_t seed = 7;
    struct ofproto *a, *b, *empty;
    size_t size, n_flows, n_refused;
    struct fx fx;

    fx_init(&fx);
    a = fx_bridge(&fx, "br0");
    b = fx_bridge(&fx, "br1");
    empty = fx_bridge(&fx, "br2");
    ofproto_journal_start(a, NAME, 0);
    for (int i = 0; i < 100; i++) {
        change(a, &seed);
    }
    uint8_t *data = map_journal(&size);
    for (size_t i = 0; i < ofproto_journal_size(a); i++) {
        if (i >= offsetof(struct memlog_header, notes) && i < sizeof(struct memlog_header)) {
            continue;
        }
        data[i] ^= 0x10;
        int result = ofproto_journal_restore(b, data, size, &n_flows, &n_refused);
        /* A mark between two blocks is one that was there. */
        assert_true(result == -EPROTO || result == -EBADMSG);
        data[i] ^= 0x10;
        if (i % 100 == 0) {
            assert_same(b, empty);
        }
    }
    struct memlog_header *header = (struct memlog_header *)(void *)data;
    header->notes[FLOW_JOURNAL_NOTE_CONTEXT] ^= 1; /* It had a controller. */
    assert_int_equal(ofproto_journal_restore(b, data, size, &n_flows, &n_refused), -ESTALE);
    header->notes[FLOW_JOURNAL_NOTE_CONTEXT] ^= 1;
    assert_int_equal(ofproto_journal_note_restore(data, size), 0);
    assert_int_equal(ofproto_journal_note_restore(data, size), 1);
    assert_int_equal(ofproto_journal_restore(b, data, size, &n_flows, &n_refused), 0);
    assert_same(a, b);
    munmap(data, size);
    ofproto_journal_stop(a);
    fx_fini(&fx);
    keep_detach();
}

/* A flow whose actions fit into an OpenFlow 1.0 message, but not into one of 1.5. */
static void
add_long(struct ofproto *p, uint16_t priority, unsigned int n_outputs, unsigned int out)
{
    struct ofp_flow_mod fm = flow_of(priority);

    while (n_outputs--) {
        ofpacts_put_struct(&fm.actions, OUTPUT, struct ofpact_output)->port =
            (uint16_t)(1 + out % 60000);
        out /= 7;
    }
    run(p, &fm);
}

static void
add_to_group(struct ofproto *p, uint16_t priority, uint32_t group_id)
{
    struct ofp_flow_mod fm = flow_of(priority);

    ofpacts_put_struct(&fm.actions, GROUP, struct ofpact_group)->group_id = group_id;
    run(p, &fm);
}

/* A group of more than a message: in the switch these come by insert-buckets. */
static void
add_long_group(struct ofproto *p, uint32_t group_id)
{
    enum { N = 4000 };
    struct ofp_bucket *buckets = xcalloc(N, sizeof *buckets);
    struct ofp_group group = {
        .command = OFPGC_ADD,
        .group_id = group_id,
        .type = OFPGT_ALL,
        .command_bucket_id = OFPG_BUCKET_ALL,
        .buckets = buckets,
        .n_buckets = N,
    };
    struct flow_txn txn;

    for (unsigned int i = 0; i < N; i++) {
        buckets[i] = (struct ofp_bucket){
            .bucket_id = i, .weight = 1, .watch_port = OFPP_NONE, .watch_group = OFP_GROUP_ANY};
        ofpacts_put_struct(&buckets[i].actions, OUTPUT, struct ofpact_output)->port = 1;
    }
    flow_txn_begin(&txn, p);
    assert_int_equal(group_mod_apply(&txn, &group), 0);
    flow_txn_commit(&txn);
    for (unsigned int i = 0; i < N; i++) {
        ofpacts_fini(&buckets[i].actions);
    }
    free(buckets);
}

/* What is too long for a message is lost, and nothing else: after a crash and when handed on. */
static void
only_what_is_too_long_is_lost(void **state)
{
    size_t size, n_flows, n_refused;
    struct ofproto *a, *b, *c;
    struct fx fx;

    fx_init(&fx);
    a = fx_bridge(&fx, "br0");
    b = fx_bridge(&fx, "br1");
    c = fx_bridge(&fx, "br2");
    ofproto_journal_start(a, NAME, 0);
    flow_journal_run(a);
    add_long_group(a, 1);
    add(a, 1, 0, 0);
    add_long(a, 2, 8000, 1);
    add(a, 3, 0, 0);
    add_to_group(a, 4, 1);

    void *data = map_journal(&size);
    assert_int_equal(ofproto_journal_restore(b, data, size, &n_flows, &n_refused), 0);
    assert_int_equal(n_flows, 2);
    /* The long flow, and the one to the group, which was left out when it was written. */
    assert_int_equal(n_refused, 2);
    munmap(data, size);
    assert_true(find(b, 1) && !find(b, 2) && find(b, 3));

    uint8_t *saved = ofproto_save_flows(a, &size);
    assert_int_equal(ofproto_restore_flows(c, saved, size), 1);
    free(saved);
    assert_true(find(c, 1) && !find(c, 2) && find(c, 3));
    assert_false(group_exists(c, 1));
    ofproto_journal_stop(a);
    fx_fini(&fx);
    keep_detach();
}

/* A flow whose actions change again and again does not fill memory with those that it had. */
static void
actions_that_are_gone_are_garbage(void **state)
{
    struct ofproto *a;
    size_t largest = 0;
    struct fx fx;

    fx_init(&fx);
    a = fx_bridge(&fx, "br0");
    ofproto_journal_start(a, NAME, 0);
    flow_journal_run(a);
    for (unsigned int i = 0; i < 3000; i++) {
        add_long(a, 1, 20, 1 + i * 7919);
        largest = MAX(largest, ofproto_journal_size(a));
    }
    assert_in_range(largest, 1000, 300000); /* of a megabyte that was written */
    ofproto_journal_stop(a);
    fx_fini(&fx);
    keep_detach();
}

/* A keeper that was not told still has the log of a journal that ended or began anew. */
static void
a_log_that_is_over_restores_nothing(void **state)
{
    size_t size, n_flows, n_refused;
    struct ofproto *a, *b;
    struct fx fx;

    fx_init(&fx);
    a = fx_bridge(&fx, "br0");
    b = fx_bridge(&fx, "br1");
    ofproto_journal_start(a, NAME, 0);
    flow_journal_run(a);
    add(a, 1, 0, 0);
    keep_turn();
    int fd = keep_take(NAME);
    assert_true(fd >= 0);
    ofproto_journal_stop(a);
    size = (size_t)lseek(fd, 0, SEEK_END);
    void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    assert_true(data != MAP_FAILED);
    assert_int_equal(ofproto_journal_restore(b, data, size, &n_flows, &n_refused), -ENODATA);
    assert_null(find(b, 1));
    munmap(data, size);
    close(fd);
    fx_fini(&fx);
    keep_detach();
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restores_whatever_was_done),
        cmocka_unit_test(hard_timeouts_go_on_and_idle_ones_begin_anew),
        cmocka_unit_test(a_damaged_journal_restores_nothing),
        cmocka_unit_test(only_what_is_too_long_is_lost),
        cmocka_unit_test(actions_that_are_gone_are_garbage),
        cmocka_unit_test(a_log_that_is_over_restores_nothing),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
