// SPDX-License-Identifier: Apache-2.0
//
// What a PMD remembers of lanes, views and flows while others change them: between its iterations,
// and in the middle of a burst.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_ports.h"
#include "netdev/netdev_provider.h"
#include "packet/build.h"
#include "pmd/input.c" // its stages one by one

enum { IN_PORT = 1, FIRST_OUT = 11, N_OUT = 2, SHAPE = 0x1f };

static struct dp *dp;
static struct netdev *out[N_OUT];
static _Atomic unsigned n_sent[N_OUT];

static void
count_sent(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m, uint16_t n)
{
    atomic_fetch_add(&n_sent[netdev->name[0] - '0'], n);
    rte_pktmbuf_free_bulk(m, n);
}

static int
setup(void **state)
{
    dp = dp_create();
    for (unsigned i = 0; i < N_OUT; i++) {
        char name[] = {(char)('0' + i), '\0'};
        out[i] = fake_netdev(name, count_sent);
        n_sent[i] = 0;
    }
    return 0;
}

static int
teardown(void **state)
{
    dp_destroy(dp);
    for (unsigned i = 0; i < N_OUT; i++) {
        fake_netdev_free(out[i]);
    }
    return 0;
}

static struct rte_mbuf *
packet(uint16_t dst_port)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    uint8_t buf[128];

    return fake_packet(buf, compose_udp4(buf, sizeof buf, &src, &dst, 1, 2, 3, dst_port, "x", 1));
}

// The packet's flow; those to other ports are of it, too, unless 'one_port'.
static struct dp_flow *
put_flow(uint32_t recirc_id, uint16_t dst_port, bool one_port, unsigned to)
{
    struct dp_actions actions = {0};
    struct flow_mask mask = {0};
    struct rte_mbuf *m = packet(dst_port);
    struct packet_md md = {.in_port = IN_PORT, .recirc_id = recirc_id};
    struct packet_layers ly;
    struct dp_flow *f;
    struct flow flow;

    assert_int_equal(flow_extract(m, &md, &flow, &ly), EXTRACT_OK);
    rte_pktmbuf_free(m);
    mask.bits.w[0] = UINT64_MAX;
    FLOW_MASK_SET(&mask, dl_type);
    if (one_port) {
        FLOW_MASK_SET(&mask, tp_dst);
    }
    dp_put_output(&actions, FIRST_OUT + to);
    struct dp_flow_put put = {.key = &flow, .mask = &mask, .shape = SHAPE, .actions = &actions};
    assert_int_equal(dp_flow_put(dp, &put, &f), 0);
    dp_actions_fini(&actions);
    return f;
}

static void
del_flow(struct dp_flow *f)
{
    struct dp_flow_stats stats;

    dp_flow_del(dp, f, &stats);
    rcu_barrier();
    rcu_barrier(); // what was deferred by what was deferred
}

// --- a thread that sleeps ---------------------------------------------------------------------

static struct {
    int fd;
    _Atomic(struct rte_mbuf *) m;
} source;

static uint16_t
source_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m)
{
    eventfd_t ignored;

    eventfd_read(source.fd, &ignored);
    m[0] = atomic_exchange(&source.m, NULL);
    return m[0] != NULL;
}

static int
source_fd(const struct netdev *netdev, uint16_t qid)
{
    return source.fd;
}

static int
reconfigure(struct netdev *netdev, uint16_t n_txq, char **errorp)
{
    netdev->queues.n_rxq = 1;
    netdev->queues.n_txq = n_txq;
    netdev->queues.numa_id = -1;
    return 0;
}

static uint16_t
nothing_rx(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m)
{
    return 0;
}

static int
no_fd(const struct netdev *netdev, uint16_t qid)
{
    return -1;
}

static void
add_port(struct netdev *netdev, const struct netdev_class *class, odp_port_t wanted)
{
    odp_port_t odp;
    char *error = NULL;

    netdev->class = class;
    netdev->type = (char *)"fake";
    netdev->ethdev_id = NETDEV_NO_ETHDEV;
    if (!netdev->rx) {
        netdev->rx = nothing_rx;
    }
    assert_int_equal(dp_port_add(dp, netdev, wanted, &odp, &error), 0);
    assert_int_equal(odp, wanted);
}

// Returns when the thread has taken it and sent what it sends.
static void
give_packet(unsigned n_expected)
{
    atomic_store(&source.m, packet(7));
    eventfd_write(source.fd, 1);
    rcu_offline();
    for (unsigned ms = 0; ms < 10000 && n_sent[0] + n_sent[1] < n_expected; ms++) {
        usleep(1000);
    }
    rcu_online();
}

static unsigned n_missed;

static void
count_miss(struct upcall **up, unsigned n, void *aux)
{
    n_missed += n;
    for (unsigned i = 0; i < n; i++) {
        atomic_fetch_add(&n_sent[1], 1);
        upcall_free(dp, up[i]);
    }
}

// Its lane goes and comes back while the thread of kernel devices waits for packets.  What it knew
// of the old one is no more, and another lane stands there.
static void
test_a_lane_that_went_during_a_sleep_is_forgotten(void **state)
{
    static const struct netdev_class source_class = {
        .type = "fake", .poll = NETDEV_POLL_EPOLL, .reconfigure = reconfigure, .rx_fd = source_fd};
    static const struct netdev_class sink_class = {
        .type = "fake", .poll = NETDEV_POLL_EPOLL, .reconfigure = reconfigure, .rx_fd = no_fd};
    struct netdev *in = fake_netdev("source", count_sent);

    source.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    in->rx = source_rx;
    n_missed = 0;
    upcall_set_inline(dp, count_miss, NULL);
    add_port(out[0], &sink_class, FIRST_OUT);
    add_port(in, &source_class, IN_PORT);
    for (unsigned i = 0; i < 10; i++) {
        struct dp_flow *f = put_flow(0, 7, false, 0);
        give_packet(2 * i + 1);
        del_flow(f);
        megaflows_tidy(&dp->mf, INT64_MAX / 2);
        rcu_barrier();
        // Memory of the same size is given out again: to lanes of other packets first.
        struct dp_flow *others[4];
        for (unsigned j = 0; j < ARRAY_SIZE(others); j++) {
            others[j] = put_flow(5 + j, 7, false, 1);
        }
        f = put_flow(0, 7, false, 0);
        give_packet(2 * i + 2);
        del_flow(f);
        for (unsigned j = 0; j < ARRAY_SIZE(others); j++) {
            del_flow(others[j]);
        }
    }
    dp_port_del(dp, IN_PORT);
    dp_port_del(dp, FIRST_OUT);
    assert_int_equal(n_missed, 0);
    assert_int_equal(n_sent[0], 20);
    fake_netdev_free(in);
    close(source.fd);
}

// --- changes in the middle of a burst ---------------------------------------------------------

static void
fill(struct burst *b, const uint16_t *dst_ports, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        b->m[i] = packet(dst_ports[i]);
    }
    b->n = n;
    b->in_port = IN_PORT;
}

// A cache's word leads to the slot of a flow that went; a new one has that slot, and tells packets
// apart that were one train for the burst.
static void
test_a_flow_that_came_after_the_trains_does_not_take_them(void **state)
{
    static const uint16_t ports[] = {1, 2, 3, 4};

    for (unsigned smc = 0; smc < 2; smc++) {
        dp->set.smc_enable = smc;
        dp->set.emc_inv_prob = !smc;
        n_sent[0] = n_sent[1] = 0;
        struct pmd *pmd = fake_pmd(dp);
        struct burst *b = &pmd->burst;
        for (unsigned i = 0; i < N_OUT; i++) {
            fake_pmd_connect(pmd, FIRST_OUT + i, out[i]);
        }
        struct dp_flow *f = put_flow(0, 1, false, 0);
        struct rte_mbuf *m[4];
        for (unsigned round = 0; round < 2; round++) {
            for (unsigned i = 0; i < 4; i++) {
                m[i] = packet(ports[i]);
            }
            fake_pmd_receive(pmd, IN_PORT, m, 4);
        }
        fake_pmd_settle(pmd);
        assert_int_equal(n_sent[0], 8);
        uint32_t slot = megaflow_slot(&dp->mf, f);
        del_flow(f);
        rcu_quiesce();

        fill(b, ports, 4);
        extract(b);
        hash_keys(pmd, b);
        assert_int_equal(b->run[0], 4);
        f = put_flow(0, 1, true, 1);
        assert_int_equal(megaflow_slot(&dp->mf, f), slot);
        emc_lookup(pmd, b, b->known);
        smc_lookup(pmd, b, b->todo & b->known);
        pmd_slow_stages(pmd, b);
        pmd_execute(pmd, b);
        fake_pmd_settle(pmd);
        assert_int_equal(n_sent[1], 0);
        del_flow(f);
        megaflows_tidy(&dp->mf, INT64_MAX / 2); // the lane with its bits
        fake_pmd_free(dp, pmd);
    }
}

// A record is of one view from a burst's begin to its end, however often its lane is looked for.
static void
test_a_view_is_good_for_a_burst(void **state)
{
    struct pmd *pmd = fake_pmd(dp);
    struct burst *b = &pmd->burst;
    static const uint16_t port = 1;
    struct dp_flow *f = put_flow(0, 1, false, 0), *g;

    fill(b, &port, 1);
    extract(b);
    hash_keys(pmd, b);
    const struct lane_view *view = b->lane[0]->view;
    g = put_flow(0, 1, true, 1);
    assert_ptr_equal(pmd_find_lane(pmd, &b->key[0]), b->lane[0]);
    assert_ptr_equal(b->lane[0]->view, view);
    hash_keys(pmd, b);
    assert_ptr_not_equal(b->lane[0]->view, view);
    rte_pktmbuf_free(b->m[0]);
    del_flow(f);
    del_flow(g);
    fake_pmd_free(dp, pmd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_lane_that_went_during_a_sleep_is_forgotten, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_flow_that_came_after_the_trains_does_not_take_them,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_view_is_good_for_a_burst, setup, teardown),
    };
    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
