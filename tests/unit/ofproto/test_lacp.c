// SPDX-License-Identifier: Apache-2.0
/*
 * The PDUs of LACP, cut and bent, and the machine: two of them on simulated links, with losses,
 * against what the standard promises.
 */
#include "../unit.h"

#include <stdio.h>

#include "ofproto/lacp.h"

static const struct rte_ether_addr sys_a = {{2, 0, 0, 0, 0, 0xa}}, sys_b = {{2, 0, 0, 0, 0, 0xb}},
                                   sys_c = {{2, 0, 0, 0, 0, 0xc}};

/* --- bytes --------------------------------------------------------------------------------------
 */

static const struct lacp_pdu sample = {
    .actor = {0x1234, {{1, 2, 3, 4, 5, 6}}, 0x5678, 0x9abc, 0xdef0, 0x3d},
    .partner = {0xfedc, {{9, 8, 7, 6, 5, 4}}, 0xba98, 0x7654, 0x3210, 0xc2},
};

static void
pdu_as_the_standard_has_it(void **state)
{
    static const uint8_t want[LACP_PDU_SIZE] = {
        1,    1,    1,    20,   0x12, 0x34, 1,    2,    3,    4,    5,    6, 0x56, 0x78, 0x9a,
        0xbc, 0xde, 0xf0, 0x3d, 0,    0,    0,    2,    20,   0xfe, 0xdc, 9, 8,    7,    6,
        5,    4,    0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 0xc2, 0,    0,    0, 3,    16,
    };
    uint8_t bytes[LACP_PDU_SIZE];
    struct lacp_pdu pdu;

    (void)state;
    lacp_pdu_encode(&sample, bytes);
    assert_memory_equal(bytes, want, sizeof want);
    assert_int_equal(lacp_pdu_decode(bytes, sizeof bytes, &pdu), LACP_PDU_LACP);
    assert_true(lacp_info_equal(&pdu.actor, &sample.actor));
    assert_true(lacp_info_equal(&pdu.partner, &sample.partner));
}

static void
pdu_cut_anywhere_is_bad(void **state)
{
    uint8_t bytes[LACP_PDU_SIZE];
    struct lacp_pdu pdu;

    (void)state;
    lacp_pdu_encode(&sample, bytes);
    for (size_t len = 0; len < LACP_PDU_SIZE; len++) {
        uint8_t *cut = malloc(len ? len : 1); /* A sanitizer sees what is read beyond it. */

        memcpy(cut, bytes, len);
        assert_int_equal(lacp_pdu_decode(cut, len, &pdu), LACP_PDU_BAD);
        free(cut);
    }
}

static void
pdu_with_wrong_tlvs_is_bad(void **state)
{
    static const size_t places[] = {0, 2, 3, 22, 23};
    uint8_t bytes[LACP_PDU_SIZE];
    struct lacp_pdu pdu;

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        for (unsigned delta = 1; delta < 256; delta++) {
            enum lacp_pdu_kind want = LACP_PDU_BAD;

            lacp_pdu_encode(&sample, bytes);
            bytes[places[i]] = (uint8_t)(bytes[places[i]] + delta);
            if (places[i] == 0 && bytes[0] == 2) {
                want = LACP_PDU_MARKER;
            }
            assert_int_equal(lacp_pdu_decode(bytes, sizeof bytes, &pdu), want);
        }
    }
}

/* --- the machine --------------------------------------------------------------------------------
 */

enum { LINKS = 4 };

struct ends {
    struct lacp *end[2];
    int n;
    bool cut[LINKS];
    int64_t now;
    unsigned sent[2];
};

static void
put(struct lacp *lacp, int link, int64_t now)
{
    const struct lacp_member_cfg cfg = {.port_id = (uint16_t)(link + 1), .port_priority = 0xffff};
    char name[8];

    snprintf(name, sizeof name, "l%d", link);
    lacp_put_member(lacp, (ofp_port_t)link + 1, name, &cfg, now);
}

static void
start(struct ends *e, int n, struct lacp_cfg a, struct lacp_cfg b)
{
    *e = (struct ends){.n = n, .now = 1000};
    for (int i = 0; i < 2; i++) {
        e->end[i] = lacp_create();
        lacp_configure(e->end[i], i ? &b : &a);
        for (int l = 0; l < n; l++) {
            put(e->end[i], l, e->now);
        }
        lacp_run(e->end[i], e->now);
    }
}

static void
stop(struct ends *e)
{
    lacp_destroy(e->end[0]);
    lacp_destroy(e->end[1]);
}

/* All that is to be said now, in turns; it must come to an end. */
static void
talk(struct ends *e)
{
    uint8_t pdu[LACP_PDU_SIZE];
    ofp_port_t port;
    bool more = true;

    for (int turns = 0; more; turns++) {
        assert_true(turns < 10);
        more = false;
        for (int i = 0; i < 2; i++) {
            lacp_run(e->end[i], e->now);
            while (lacp_next_pdu(e->end[i], e->now, &port, pdu)) {
                e->sent[i]++;
                more = true;
                if (!e->cut[port - 1]) {
                    lacp_receive(e->end[!i], port, pdu, sizeof pdu, e->now);
                    lacp_run(e->end[!i], e->now);
                }
            }
        }
    }
}

/* Goes from event to event. */
static void
pass(struct ends *e, int64_t ms)
{
    int64_t until = e->now + ms;

    while (e->now <= until) {
        int64_t next = lacp_next_event(e->end[0]), other = lacp_next_event(e->end[1]);

        talk(e);
        next = lacp_next_event(e->end[0]);
        other = lacp_next_event(e->end[1]);
        next = other < next ? other : next;
        assert_true(next > e->now); /* Nothing is due for ever. */
        e->now = next;
    }
    e->now = until;
    talk(e);
}

static int
n_enabled(const struct ends *e, int i)
{
    int n = 0;

    for (int l = 0; l < e->n; l++) {
        n += lacp_may_enable(e->end[i], (ofp_port_t)l + 1);
    }
    return n;
}

static struct lacp_cfg
cfg(bool active, bool fast, struct rte_ether_addr id)
{
    return (struct lacp_cfg){.active = active, .fast = fast, .sys_priority = 0xfffe, .sys_id = id};
}

static void
two_ends_find_each_other(void **state)
{
    (void)state;
    for (int kinds = 0; kinds < 16; kinds++) {
        struct ends e;
        bool speaks = kinds & 3;

        start(&e, 3, cfg(kinds & 1, kinds & 4, sys_a), cfg(kinds & 2, kinds & 8, sys_b));
        talk(&e);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(n_enabled(&e, i), speaks ? 3 : 0);
            assert_int_equal(lacp_status(e.end[i]), speaks ? LACP_NEGOTIATED : LACP_CONFIGURED);
            assert_true(speaks || !e.sent[i]); /* Two passive ends never say a word. */
        }
        pass(&e, 200000);
        assert_int_equal(n_enabled(&e, 0), speaks ? 3 : 0);
        assert_int_equal(n_enabled(&e, 1), speaks ? 3 : 0);
        stop(&e);
    }
}

/* The partner's wish decides how often one speaks. */
static void
as_often_as_the_partner_wants(void **state)
{
    struct ends e;

    (void)state;
    start(&e, 1, cfg(true, true, sys_a), cfg(true, false, sys_b));
    talk(&e);
    e.sent[0] = e.sent[1] = 0;
    pass(&e, 60000);
    assert_in_range(e.sent[0], 2, 3);
    assert_in_range(e.sent[1], 59, 61);
    stop(&e);
}

static void
a_silent_link_leaves_and_comes_back(void **state)
{
    struct ends e;

    (void)state;
    start(&e, 3, cfg(true, true, sys_a), cfg(true, true, sys_b));
    pass(&e, 5000);
    e.cut[1] = true;
    pass(&e, 1900);
    assert_int_equal(n_enabled(&e, 0), 3);
    pass(&e, 1200); /* Three seconds without a word. */
    assert_int_equal(n_enabled(&e, 0), 2);
    assert_false(lacp_may_enable(e.end[0], 2));
    assert_int_equal(lacp_member(e.end[0], 2)->status, LACP_MEMBER_EXPIRED);
    pass(&e, 3000);
    assert_int_equal(lacp_member(e.end[0], 2)->status, LACP_MEMBER_DEFAULTED);
    assert_int_equal(lacp_member(e.end[0], 2)->counts.expired, 1);
    assert_int_equal(lacp_member(e.end[0], 2)->counts.defaulted, 1);
    assert_int_equal(lacp_status(e.end[0]), LACP_NEGOTIATED);
    e.cut[1] = false;
    pass(&e, 31000);
    assert_int_equal(n_enabled(&e, 0), 3);
    assert_int_equal(n_enabled(&e, 1), 3);
    stop(&e);
}

static void
nobody_there(void **state)
{
    for (int fallback = 0; fallback < 2; fallback++) {
        struct lacp_cfg a = cfg(true, false, sys_a);
        struct ends e;

        (void)state;
        a.fallback_ab = fallback;
        start(&e, 2, a, cfg(true, false, sys_b));
        e.cut[0] = e.cut[1] = true;
        pass(&e, 2900);
        assert_int_equal(n_enabled(&e, 0), 0);
        pass(&e, 200);
        assert_int_equal(lacp_status(e.end[0]), LACP_CONFIGURED);
        assert_int_equal(n_enabled(&e, 0), fallback ? 2 : 0);
        e.cut[0] = false; /* One link has a partner now: the other one is out. */
        pass(&e, 31000);
        assert_int_equal(n_enabled(&e, 0), 1);
        assert_true(lacp_may_enable(e.end[0], 1));
        stop(&e);
    }
}

/* Links to two systems: one of them is the aggregation, and it stays when the other gets better. */
static void
two_partners(void **state)
{
    struct lacp_pdu pdu = {.actor = {1, sys_c, 7, 1, 1, LACP_STATE_SYNC | LACP_STATE_ACTIVITY}};
    uint8_t bytes[LACP_PDU_SIZE];
    struct lacp *lacp = lacp_create();
    const struct lacp_cfg a = cfg(true, false, sys_a);

    (void)state;
    lacp_configure(lacp, &a);
    put(lacp, 0, 0);
    put(lacp, 1, 0);
    put(lacp, 2, 0);
    for (ofp_port_t port = 1; port <= 3; port++) {
        pdu.actor.sys_id = port == 2 ? sys_b : sys_c; /* b is the better one */
        lacp_pdu_encode(&pdu, bytes);
        lacp_receive(lacp, port, bytes, sizeof bytes, 0);
    }
    lacp_run(lacp, 0);
    assert_false(lacp_may_enable(lacp, 1));
    assert_true(lacp_may_enable(lacp, 2));
    assert_false(lacp_may_enable(lacp, 3));
    pdu.actor.sys_id = sys_c; /* The same place by another link, of another key: still alone. */
    pdu.actor.sys_priority = 0;
    lacp_pdu_encode(&pdu, bytes);
    lacp_receive(lacp, 1, bytes, sizeof bytes, 1);
    lacp_run(lacp, 1);
    assert_true(lacp_may_enable(lacp, 2)); /* It works: it stays. */
    assert_false(lacp_may_enable(lacp, 1));
    lacp_keep_members(lacp, (const ofp_port_t[]){1, 3}, 2);
    lacp_run(lacp, 1);
    assert_true(lacp_may_enable(lacp, 1));
    assert_true(lacp_may_enable(lacp, 3));
    lacp_destroy(lacp);
}

/* What came on 'port' at 'now' from 'sys_id', which says that it is 'state'. */
static void
hear(struct lacp *lacp, ofp_port_t port, struct rte_ether_addr sys_id, uint8_t state, int64_t now)
{
    const struct lacp_pdu pdu = {.actor = {1, sys_id, 7, 1, 1, state | LACP_STATE_ACTIVITY}};
    uint8_t bytes[LACP_PDU_SIZE];

    lacp_pdu_encode(&pdu, bytes);
    lacp_receive(lacp, port, bytes, sizeof bytes, now);
    lacp_run(lacp, now);
}

/* Links to two systems: the better one's is taken out of service, and goes on saying so. */
static void
a_partner_out_of_sync(void **state)
{
    const struct lacp_cfg a = cfg(true, false, sys_a);
    struct lacp *lacp = lacp_create();

    (void)state;
    lacp_configure(lacp, &a);
    put(lacp, 0, 0);
    put(lacp, 1, 0);
    hear(lacp, 1, sys_b, 0, 0); /* in sync from the start on: nobody but link 2 */
    assert_false(lacp_may_enable(lacp, 1));
    hear(lacp, 2, sys_c, LACP_STATE_SYNC, 0);
    assert_false(lacp_may_enable(lacp, 1));
    assert_true(lacp_may_enable(lacp, 2));
    hear(lacp, 2, sys_c, 0, 1); /* none; the better one's comes back first */
    hear(lacp, 1, sys_b, LACP_STATE_SYNC, 1);
    hear(lacp, 2, sys_c, LACP_STATE_SYNC, 1);
    assert_true(lacp_may_enable(lacp, 1));
    assert_false(lacp_may_enable(lacp, 2));
    hear(lacp, 1, sys_b, 0, 2); /* drained: in use until now, and its PDUs come as ever */
    assert_false(lacp_may_enable(lacp, 1));
    assert_true(lacp_may_enable(lacp, 2));
    lacp_destroy(lacp);
}

static void
a_loop_is_no_partner(void **state)
{
    struct ends e;

    (void)state;
    start(&e, 2, cfg(true, false, sys_a), cfg(true, false, sys_a));
    pass(&e, 10000);
    assert_int_equal(n_enabled(&e, 0), 0);
    stop(&e);
}

static void
keys_and_bad_frames(void **state)
{
    static const uint8_t marker[] = {2, 1};
    const struct lacp_member_cfg with_key = {.port_id = 9, .port_priority = 1, .key = 77};
    struct lacp *lacp = lacp_create();
    uint64_t seq;

    (void)state;
    assert_int_equal(lacp_key(lacp), 0);
    put(lacp, 4, 0);
    assert_int_equal(lacp_key(lacp), 5); /* the first one's port_id */
    lacp_put_member(lacp, 6, "x", &with_key, 0);
    assert_int_equal(lacp_key(lacp), 5);
    lacp_keep_members(lacp, (const ofp_port_t[]){6}, 1);
    assert_int_equal(lacp_key(lacp), 77);
    seq = lacp->seq;
    lacp_receive(lacp, 6, "", 0, 0);
    lacp_receive(lacp, 6, marker, sizeof marker, 0);
    lacp_receive(lacp, 99, marker, sizeof marker, 0);
    lacp_run(lacp, 0);
    assert_int_equal(lacp->seq, seq);
    assert_int_equal(lacp_member(lacp, 6)->counts.rx, 2);
    assert_int_equal(lacp_member(lacp, 6)->counts.rx_bad, 1);
    assert_int_equal(lacp_member(lacp, 6)->counts.rx_marker, 1);
    assert_int_equal(lacp_member(lacp, 6)->status, LACP_MEMBER_DEFAULTED);
    lacp_destroy(lacp);
}

/* Whatever is lost: once nothing is, both ends agree within the slow timeout and a bit. */
static void
losses_heal(void **state)
{
    unsigned x = 1;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct ends e;

        start(&e, LINKS, cfg(true, round & 1, sys_a), cfg(round & 2, round & 4, sys_b));
        for (int step = 0; step < 20; step++) {
            x = x * 1103515245 + 12345;
            e.cut[x >> 16 & 3] = x >> 20 & 1;
            if (x >> 24 & 1) {
                lacp_carrier_changed(e.end[x >> 25 & 1], (x >> 26 & 3) + 1, e.now);
            }
            pass(&e, x >> 8 & 0x3fff);
        }
        memset(e.cut, 0, sizeof e.cut);
        pass(&e, 100000);
        assert_int_equal(n_enabled(&e, 0), LINKS);
        assert_int_equal(n_enabled(&e, 1), LINKS);
        stop(&e);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pdu_as_the_standard_has_it),
        cmocka_unit_test(pdu_cut_anywhere_is_bad),
        cmocka_unit_test(pdu_with_wrong_tlvs_is_bad),
        cmocka_unit_test(two_ends_find_each_other),
        cmocka_unit_test(as_often_as_the_partner_wants),
        cmocka_unit_test(a_silent_link_leaves_and_comes_back),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(two_partners),
        cmocka_unit_test(a_partner_out_of_sync),
        cmocka_unit_test(a_loop_is_no_partner),
        cmocka_unit_test(keys_and_bad_frames),
        cmocka_unit_test(losses_heal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
