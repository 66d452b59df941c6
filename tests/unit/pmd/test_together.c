// SPDX-License-Identifier: Apache-2.0
//
// Random lists of actions on packets of a burst, which go through them together, beside the same
// lists on each packet alone: every packet leaves by the same ports, with the same bytes and in the
// same order of its own copies, and the same drops are counted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/coverage.h"
#include "fake_ports.h"
#include "packet/build.h"

enum { PORTS = 3, ROUNDS = 3000, MAX_SENT = 4096, MARK = 0xa5 };

static struct dp *dp;
static struct pmd *pmd;
static struct netdev *devs[PORTS];

static struct sent {
    unsigned id, port;
    uint32_t size;
    uint8_t data[512];
} sent[2][MAX_SENT]; // together, alone
static unsigned n_sent[2], which;

// The number of a packet stands behind two marks in its payload.
static unsigned
number_of(const uint8_t *data, uint32_t size)
{
    for (uint32_t i = size; i >= 3; i--) { // what lies before them may be random
        if (data[i - 3] == MARK && data[i - 2] == MARK) {
            return data[i - 1];
        }
    }
    return UINT_MAX;
}

static void
record(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m, uint16_t n)
{
    for (uint16_t i = 0; i < n; i++) {
        assert_true(n_sent[which] < MAX_SENT);
        struct sent *s = &sent[which][n_sent[which]++];
        s->port = (unsigned)(netdev->name[0] - '0');
        s->size = rte_pktmbuf_pkt_len(m[i]);
        assert_true(s->size <= sizeof s->data);
        const void *data = rte_pktmbuf_read(m[i], 0, s->size, s->data);
        memmove(s->data, data, s->size);
        s->id = number_of(s->data, s->size);
        rte_pktmbuf_free(m[i]);
    }
}

static int
setup(void **state)
{
    dp = dp_create();
    pmd = fake_pmd(dp);
    for (unsigned i = 0; i < PORTS; i++) {
        char name[] = {(char)('1' + i), '\0'};
        devs[i] = fake_netdev(name, record);
        fake_pmd_connect(pmd, i + 1, devs[i]);
    }
    return 0;
}

static int
teardown(void **state)
{
    fake_pmd_free(dp, pmd);
    dp_destroy(dp);
    for (unsigned i = 0; i < PORTS; i++) {
        fake_netdev_free(devs[i]);
    }
    return 0;
}

static unsigned
any(unsigned n)
{
    return (unsigned)rand() % n;
}

static void
fill(void *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)p)[i] = (uint8_t)any(256);
    }
}

// --- packets ---------------------------------------------------------------------------------

static struct rte_mbuf *
packet(unsigned id, unsigned shape, uint32_t payload)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    // Behind what a header of another protocol would have there.
    uint8_t body[200] = {[12] = MARK, [13] = MARK, [14] = (uint8_t)id}, buf[256];
    uint32_t size = compose_udp4(buf, sizeof buf, &src, &dst, rte_cpu_to_be_32(0x0a000001),
                                 rte_cpu_to_be_32(0x0a000002), 1000, 2000, body, payload);

    if (shape == 1) {
        buf[23] = 6; // TCP, by what its header says
    }
    struct rte_mbuf *m = fake_packet(buf, size);
    if (shape == 2) { // no room for a tag
        memmove(m->buf_addr, rte_pktmbuf_mtod(m, void *), size);
        m->data_off = 0;
    } else if (shape == 3) { // room for two
        rte_pktmbuf_adj(m, (uint16_t)size);
        memmove((uint8_t *)m->buf_addr + 8, buf, size);
        m->data_off = 8;
        m->data_len = (uint16_t)size;
        m->pkt_len = size;
    }
    return m;
}

// --- lists -----------------------------------------------------------------------------------

#define PUT_SET(TYPE, STRUCT)                                              \
    do {                                                                   \
        struct STRUCT *s = dp_actions_put(a, TYPE, sizeof(struct STRUCT)); \
        fill(&s->value, sizeof s->value);                                  \
        fill(&s->mask, sizeof s->mask);                                    \
        for (size_t k = 0; k < sizeof s->value; k++) {                     \
            ((uint8_t *)&s->value)[k] &= ((const uint8_t *)&s->mask)[k];   \
        }                                                                  \
    } while (0)

// Of headers that the packets do not have; a list made by hand may ask for it.
static void
put_foreign(struct dp_actions *a)
{
    switch (any(4)) {
    case 0:
        PUT_SET(DP_ACT_SET_IPV6, dp_act_set_ipv6);
        break;
    case 1:
        PUT_SET(DP_ACT_SET_SCTP, dp_act_set_tp);
        break;
    case 2:
        PUT_SET(DP_ACT_SET_ARP, dp_act_set_arp);
        break;
    case 3:
        PUT_SET(DP_ACT_SET_ICMP, dp_act_set_icmp);
        break;
    }
}

static void put_list(struct dp_actions *a, unsigned n, unsigned depth);

static void
put_nested(struct dp_actions *a, unsigned depth)
{
    uint32_t pos;

    if (any(2)) {
        pos = dp_begin_clone(a);
        put_list(a, any(4), depth + 1);
    } else {
        pos = dp_begin_check_pkt_len(a, 80 + any(100));
        put_list(a, any(3), depth + 1);
        dp_check_pkt_len_else(a, pos);
        put_list(a, any(3), depth + 1);
    }
    dp_end_nested(a, pos);
}

static void
put_any(struct dp_actions *a, unsigned depth)
{
    switch (any(depth < 2 ? 17 : 16)) {
    case 0 ... 3:
        dp_put_output(a, 1 + any(PORTS));
        break;
    case 4:
        dp_put_output(a, 77); // nowhere
        break;
    case 5 ... 6:
        dp_put_push_vlan(a, rte_cpu_to_be_16(any(2) ? ETH_TYPE_VLAN : ETH_TYPE_QINQ),
                         rte_cpu_to_be_16((uint16_t)(VLAN_CFI | any(4096))));
        break;
    case 7:
        dp_put_pop_vlan(a);
        break;
    case 8:
        PUT_SET(DP_ACT_SET_ETH, dp_act_set_eth);
        break;
    case 9:
        PUT_SET(DP_ACT_SET_IPV4, dp_act_set_ipv4);
        break;
    case 10:
        PUT_SET(any(2) ? DP_ACT_SET_UDP : DP_ACT_SET_TCP, dp_act_set_tp);
        break;
    case 11:
        dp_put_trunc(a, 120 + any(60));
        dp_put_output(a, 1 + any(PORTS));
        break;
    case 12:
        dp_put_push_mpls(a, rte_cpu_to_be_32(0x1000140), rte_cpu_to_be_16(ETH_TYPE_MPLS));
        break;
    case 13:
        dp_put_pop_mpls(a, rte_cpu_to_be_16(ETH_TYPE_IP));
        break;
    case 14:
        PUT_SET(DP_ACT_SET_MPLS, dp_act_set_mpls);
        break;
    case 15:
        put_foreign(a);
        break;
    case 16:
        put_nested(a, depth);
        break;
    }
}

static void
put_list(struct dp_actions *a, unsigned n, unsigned depth)
{
    while (n--) {
        put_any(a, depth);
    }
}

// Whether a packet without room for a tag would find some: what was sent and waits is another
// owner's, so the tag goes into a copy, and whether it still waits depends on the packets around.
static bool
sends_before_its_end(const struct dp_actions *list)
{
    const struct dp_action *end = (const struct dp_action *)(list->data + list->size);

    DP_ACTION_FOREACH (a, list->data, list->size) {
        if (a->type == DP_ACT_OUTPUT && dp_action_next(a) < end) {
            return true;
        }
    }
    return false;
}

// --- the comparison --------------------------------------------------------------------------

static int
by_packet_and_port(const void *a_, const void *b_)
{
    const struct sent *a = a_, *b = b_;

    if (a->id != b->id) {
        return a->id < b->id ? -1 : 1;
    }
    return a->port != b->port ? (a->port < b->port ? -1 : 1) : 0;
}

// A stable sort, so that copies of one packet at one port stay in order.
static void
sort(struct sent *s, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        struct sent one = s[i];
        unsigned k = i;
        for (; k > 0 && by_packet_and_port(&s[k - 1], &one) > 0; k--) {
            s[k] = s[k - 1];
        }
        s[k] = one;
    }
}

static uint64_t
drops(const char *name)
{
    uint64_t n = 0;

    assert_true(coverage_read(name, &n));
    return n;
}

// The packets of a burst.  Those of 'run' go through the list.
struct load {
    unsigned n;
    uint32_t run;
    unsigned shapes[BURST_MAX];
    uint32_t sizes[BURST_MAX];
};

static void
run_together(const struct dp_actions *a, const struct load *load)
{
    struct packet_md md = {.in_port = 1};
    struct burst *b = &pmd->burst;
    uint8_t idx[BURST_MAX];
    unsigned n = 0;

    memset(b, 0, sizeof *b);
    b->n = load->n;
    b->in_port = 1;
    for (unsigned i = 0; i < load->n; i++) {
        b->m[i] = packet(i, load->shapes[i], load->sizes[i]);
        assert_int_equal(key_extract_md(b->m[i], &md, &b->key[i], &b->ly[i]), EXTRACT_OK);
        if (load->run >> i & 1) {
            idx[n++] = (uint8_t)i;
        }
    }
    which = 0;
    pmd_execute_burst_list(pmd, b, idx, n, a);
    fake_pmd_settle(pmd);
    for (unsigned i = 0; i < load->n; i++) {
        if (!(load->run >> i & 1)) {
            assert_int_equal(rte_mbuf_refcnt_read(b->m[i]), 1);
            rte_pktmbuf_free(b->m[i]);
        }
    }
}

static void
run_alone(const struct dp_actions *a, const struct load *load)
{
    struct packet_md md = {.in_port = 1};

    which = 1;
    for (unsigned i = 0; i < load->n; i++) {
        if (load->run >> i & 1) {
            struct rte_mbuf *m = packet(i, load->shapes[i], load->sizes[i]);
            pmd_execute_list(pmd, m, &md, a, 0);
        }
    }
    fake_pmd_settle(pmd);
}

static void
compare(void)
{
    assert_int_equal(n_sent[0], n_sent[1]);
    sort(sent[0], n_sent[0]);
    sort(sent[1], n_sent[1]);
    for (unsigned i = 0; i < n_sent[0]; i++) {
        const struct sent *t = &sent[0][i], *s = &sent[1][i];
        assert_int_equal(t->id, s->id);
        assert_int_equal(t->port, s->port);
        assert_int_equal(t->size, s->size);
        assert_memory_equal(t->data, s->data, t->size);
    }
}

static void
test_together_is_as_alone(void **state)
{
    static const char *const names[] = {"datapath_drop_invalid_port",
                                        "datapath_drop_no_header_room"};
    unsigned total = 0;
    uint64_t first[2];

    for (unsigned i = 0; i < 2; i++) {
        first[i] = drops(names[i]);
    }
    for (unsigned seed = 1; seed <= ROUNDS; seed++) {
        unsigned in_use = rte_mempool_in_use_count(netdev_default_pool());
        uint64_t before[2], between[2];
        struct dp_actions a = {0};
        struct load load;

        srand(seed);
        load.n = 1 + any(BURST_MAX);
        load.run = any(2) ? UINT32_MAX : (uint32_t)rand() ^ (uint32_t)rand() << 16;
        put_list(&a, any(9), 0);
        bool has_room = sends_before_its_end(&a);
        for (unsigned i = 0; i < load.n; i++) {
            load.shapes[i] = has_room || any(8) ? any(2) : 2 + any(2);
            load.sizes[i] = 20 + any(150);
        }
        n_sent[0] = n_sent[1] = 0;
        for (unsigned i = 0; i < 2; i++) {
            before[i] = drops(names[i]);
        }
        run_together(&a, &load);
        for (unsigned i = 0; i < 2; i++) {
            between[i] = drops(names[i]);
        }
        run_alone(&a, &load);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(drops(names[i]) - between[i], between[i] - before[i]);
        }
        compare();
        total += n_sent[0];
        assert_int_equal(rte_mempool_in_use_count(netdev_default_pool()), in_use);
        dp_actions_fini(&a);
    }
    assert_true(total > 5 * ROUNDS);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(drops(names[i]) > first[i]);
    }
}

// At each port packets are in the order in which they came.
static void
test_order_is_kept(void **state)
{
    struct load load = {.n = BURST_MAX, .run = UINT32_MAX ^ 0x100};
    unsigned last[PORTS + 1] = {0}, n[PORTS + 1] = {0};
    struct dp_actions a = {0};

    for (unsigned i = 0; i < BURST_MAX; i++) {
        load.sizes[i] = 20 + i;
    }
    dp_put_output(&a, 1);
    dp_put_push_vlan(&a, rte_cpu_to_be_16(ETH_TYPE_VLAN), rte_cpu_to_be_16(VLAN_CFI | 5));
    dp_put_output(&a, 2);
    n_sent[0] = 0;
    run_together(&a, &load);
    assert_int_equal(n_sent[0], 2 * (BURST_MAX - 1));
    for (unsigned i = 0; i < n_sent[0]; i++) {
        const struct sent *s = &sent[0][i];
        assert_true(n[s->port]++ == 0 || s->id > last[s->port]);
        assert_int_equal(s->size, 62 + s->id + (s->port == 2 ? 4 : 0));
        last[s->port] = s->id;
    }
    assert_int_equal(n[1], BURST_MAX - 1);
    dp_actions_fini(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_together_is_as_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_is_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
