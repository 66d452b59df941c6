// SPDX-License-Identifier: Apache-2.0
//
// Lanes whose records would stand at one place of a PMD's table: packets of both in one burst are
// told apart all the same.  What a tag says must not depend on that.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "fake_ports.h"
#include "packet/build.h"

enum { PLAIN, TAGGED, N_SHAPES, IN_PORT = 1, FIRST_OUT = 11, TAG = 5 };

static struct dp *dp;
static struct pmd *pmd;
static struct netdev *out[N_SHAPES];
static unsigned n_out[N_SHAPES];

static void
count_sent(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m, uint16_t n)
{
    (void)qid;
    n_out[netdev == out[TAGGED]] += n;
    rte_pktmbuf_free_bulk(m, n);
}

static struct rte_mbuf *
packet(unsigned shape)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    static const uint8_t tag[] = {0x81, 0, 0, TAG};
    uint8_t buf[128];
    uint32_t n = compose_udp4(buf, sizeof buf - sizeof tag, &src, &dst, 1, 2, 3, 4, "x", 1);

    if (shape == TAGGED) {
        memmove(buf + 12 + sizeof tag, buf + 12, n - 12);
        memcpy(buf + 12, tag, sizeof tag);
        n += sizeof tag;
    }
    return fake_packet(buf, n);
}

static uint64_t
map_of(unsigned shape)
{
    struct rte_mbuf *m = packet(shape);

    fake_pmd_receive(pmd, IN_PORT, &m, 1); // nobody knows it
    return pmd->burst.key[0].map;
}

// A secret with which both shapes meet; what hashes by it comes later.
static void
make_them_meet(void)
{
    uint64_t maps[] = {map_of(PLAIN), map_of(TAGGED)};
    const struct flow f = {.in_port = IN_PORT};

    do {
        dp->secret.k[0] = random_u64();
    } while (lane_hash(&dp->mf, f.w[0], maps[PLAIN]) % PMD_LANES !=
             lane_hash(&dp->mf, f.w[0], maps[TAGGED]) % PMD_LANES);
}

// All of this shape leave by the shape's own port.
static void
put_flow(unsigned shape)
{
    struct rte_mbuf *m = packet(shape);
    struct dp_actions actions = {0};
    struct flow_mask mask = {0};
    struct flow flow;

    fake_pmd_receive(pmd, IN_PORT, &m, 1);
    flow_from_key(&pmd->burst.key[0], &flow);
    mask.bits.w[0] = UINT64_MAX;
    FLOW_MASK_SET(&mask, dl_type);
    if (shape == TAGGED) {
        FLOW_MASK_SET(&mask, vlans[0]);
    }
    dp_put_output(&actions, FIRST_OUT + shape);
    struct dp_flow_put put = {
        .key = &flow, .mask = &mask, .shape = pmd->burst.key[0].map, .actions = &actions};
    assert_int_equal(dp_flow_put(dp, &put, NULL), 0);
    dp_actions_fini(&actions);
}

static void
test_lanes_that_meet_are_told_apart(void **state)
{
    static const unsigned orders[][4] = {{PLAIN, TAGGED, PLAIN, TAGGED},
                                         {TAGGED, PLAIN, TAGGED, PLAIN},
                                         {PLAIN, PLAIN, TAGGED, TAGGED},
                                         {TAGGED, TAGGED, PLAIN, PLAIN}};

    for (unsigned caches = 0; caches < 2; caches++) {
        dp = dp_create();
        dp->set.smc_enable = caches;
        dp->set.emc_inv_prob = caches;
        pmd = fake_pmd(dp);
        make_them_meet();
        for (unsigned shape = 0; shape < N_SHAPES; shape++) {
            out[shape] = fake_netdev(shape ? "tagged" : "plain", count_sent);
            fake_pmd_connect(pmd, FIRST_OUT + shape, out[shape]);
            put_flow(shape);
        }
        for (unsigned round = 0; round < 16; round++) {
            struct rte_mbuf *m[4];
            for (unsigned i = 0; i < 4; i++) {
                m[i] = packet(orders[round % 4][i]);
            }
            n_out[PLAIN] = n_out[TAGGED] = 0;
            fake_pmd_receive(pmd, IN_PORT, m, 4);
            fake_pmd_settle(pmd);
            assert_int_equal(n_out[PLAIN], 2);
            assert_int_equal(n_out[TAGGED], 2);
        }
        fake_pmd_free(dp, pmd);
        dp_destroy(dp);
        fake_netdev_free(out[PLAIN]);
        fake_netdev_free(out[TAGGED]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes_that_meet_are_told_apart),
    };

    rcu_init(64);
    rcu_thread_register();
    fake_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
