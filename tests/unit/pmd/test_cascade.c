// SPDX-License-Identifier: Apache-2.0
//
// The cascade against a slow twin: a list of rules by priority says what happens to a packet;
// misses are "translated" by walking that list and installing a megaflow with the bits that the
// walk looked at. Whatever stage then finds the flow, each of a million packets must leave by the
// port that the list says, with every combination of caches on and off, while flows are deleted at
// random and packets come in trains, shuffled, tagged, in three protocols.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "fake_ports.h"
#include "packet/build.h"

enum {
    N_RULES = 60,
    N_OUT = 4, // ports 11...; verdict 0 is a drop
    FIRST_OUT = 11,
    PACKETS_PER_ROUND = 125000,
    PACKETS_OF_COLLISIONS = 25000,
    STAMP_OFS = 80, // where the expected verdict stands in a frame, behind any headers
};

struct rule {
    uint32_t src, src_mask, dst, dst_mask;
    int dst_port; // -1: any
    int proto;    // -1: any
    unsigned verdict;
};

static struct twin {
    struct dp *dp;
    struct pmd *pmd;
    struct rule rules[N_RULES];
    uint64_t n_sent, n_wrong, n_upcalls;
    struct netdev *netdevs[N_OUT];
} twin;

// The walk: the verdict, and in 'mask' (may be NULL) all bits that it depends on.
static unsigned
verdict_of(const struct flow *f, struct flow_mask *mask)
{
    for (unsigned i = 0; i < N_RULES; i++) {
        const struct rule *r = &twin.rules[i];
        if (mask) {
            mask->bits.nw_src |= rte_cpu_to_be_32(r->src_mask);
        }
        if ((rte_be_to_cpu_32(f->nw_src) & r->src_mask) != r->src) {
            continue;
        }
        if (mask) {
            mask->bits.nw_dst |= rte_cpu_to_be_32(r->dst_mask);
        }
        if ((rte_be_to_cpu_32(f->nw_dst) & r->dst_mask) != r->dst) {
            continue;
        }
        if (r->proto >= 0 && mask) {
            FLOW_MASK_SET(mask, nw_proto);
        }
        if (r->proto >= 0 && f->nw_proto != r->proto) {
            continue;
        }
        if (r->dst_port >= 0 && mask) {
            FLOW_MASK_SET(mask, tp_dst);
        }
        if (r->dst_port < 0 || rte_be_to_cpu_16(f->tp_dst) == r->dst_port) {
            return r->verdict;
        }
    }
    return 1;
}

static void
make_rules(void)
{
    for (unsigned i = 0; i < N_RULES; i++) {
        struct rule *r = &twin.rules[i];
        r->src_mask = random_range(3) ? UINT32_MAX << random_range(8) : 0;
        r->dst_mask = random_range(2) ? UINT32_MAX << random_range(8) : 0;
        r->src = (0x0a000000 | random_range(256)) & r->src_mask;
        r->dst = (0x0b000000 | random_range(256)) & r->dst_mask;
        r->dst_port = random_range(2) ? (int)random_range(8) : -1;
        r->proto = random_range(3) ? -1 : random_range(2) ? IP_PROTO_UDP : IP_PROTO_TCP;
        r->verdict = random_range(N_OUT + 1);
    }
}

static void
translate(struct upcall **up, unsigned n, void *aux)
{
    for (unsigned i = 0; i < n; i++) {
        struct dp_actions actions = {0};
        struct flow_mask mask;
        struct flow flow;

        memset(&mask, 0, sizeof mask);
        mask.bits.w[0] = UINT64_MAX;
        FLOW_MASK_SET(&mask, dl_type);
        FLOW_MASK_SET(&mask, nw_frag);
        flow_from_key(&up[i]->key, &flow);
        unsigned verdict = verdict_of(&flow, &mask);
        if (verdict) {
            dp_put_output(&actions, FIRST_OUT + verdict - 1);
        }
        struct dp_flow_put put = {
            .key = &flow, .mask = &mask, .shape = up[i]->key.map, .actions = &actions};
        dp_flow_put(twin.dp, &put, NULL);
        // Half of the answers run the actions, half are looked up again.
        dp_inject(twin.dp, up[i]->pmd_index, &up[i]->mbuf, 1, &up[i]->key,
                  random_range(2) ? &actions : NULL);
        up[i]->mbuf = NULL;
        upcall_free(twin.dp, up[i]);
        dp_actions_fini(&actions);
        twin.n_upcalls++;
    }
}

static void
check_sent(struct netdev *netdev, uint16_t qid, struct rte_mbuf **m, uint16_t n)
{
    unsigned verdict = (unsigned)(netdev->name[0] - '0');

    for (uint16_t i = 0; i < n; i++) {
        const uint8_t *stamp = rte_pktmbuf_mtod_offset(m[i], const uint8_t *, STAMP_OFS);
        twin.n_wrong += *stamp != verdict;
        twin.n_sent++;
        rte_pktmbuf_free(m[i]);
    }
}

// A random frame with its verdict in the payload; '*verdict' for the count.
static struct rte_mbuf *
random_frame(unsigned *verdict)
{
    struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    uint8_t payload[64] = {0}, buf[256];
    struct packet_layers ly;
    struct packet_md md = {.in_port = 1};
    struct flow flow;

    uint32_t size =
        compose_udp4(buf, sizeof buf, &src, &dst, rte_cpu_to_be_32(0x0a000000 | random_range(256)),
                     rte_cpu_to_be_32(0x0b000000 | random_range(256)), (uint16_t)random_range(1000),
                     (uint16_t)random_range(8), payload, sizeof payload);
    if (random_range(8) == 0) {
        buf[23] = random_range(2) ? IP_PROTO_TCP : IP_PROTO_ICMP;
        buf[46] = 0x50; // a TCP header without options
    }
    if (random_range(8) == 0) {
        memmove(buf + 16, buf + 12, size - 12);
        memcpy(buf + 12, "\x81\x00\x00\x05", 4);
        size += 4;
    }
    if (flow_extract_bytes(buf, size, &md, &flow, &ly) != EXTRACT_OK) {
        abort();
    }
    *verdict = verdict_of(&flow, NULL);
    struct rte_mbuf *m = fake_packet(buf, size);
    // The stamp lies in the payload of an untagged UDP frame and somewhere harmless in the others.
    rte_pktmbuf_mtod(m, uint8_t *)[STAMP_OFS] = (uint8_t)*verdict;
    flow_extract(m, &md, &flow, &ly);
    if (verdict_of(&flow, NULL) != *verdict) {
        abort();
    }
    return m;
}

static bool
delete_some(struct dp *dp, struct dp_flow *f, void *aux)
{
    if (random_range(20) == 0) {
        dp_flow_del(dp, f, NULL);
    }
    return true;
}

static void
run_traffic(uint64_t n_packets)
{
    uint64_t n = 0, n_forwarded = 0;
    struct rte_mbuf *m[BURST_MAX];
    unsigned verdict;

    twin.n_sent = twin.n_wrong = 0;
    while (n < n_packets) {
        unsigned burst = 1 + random_range(BURST_MAX);
        for (unsigned i = 0; i < burst;) {
            struct rte_mbuf *frame = random_frame(&verdict);
            unsigned train = random_range(3) ? 1 : 1 + random_range(6);
            for (; train && i < burst; train--, i++) {
                m[i] = rte_pktmbuf_copy(frame, netdev_default_pool(), 0, UINT32_MAX);
                n_forwarded += verdict != 0;
            }
            rte_pktmbuf_free(frame);
        }
        fake_pmd_receive(twin.pmd, 1, m, burst);
        n += burst;
        if (random_range(300) == 0) {
            dp_flow_walk(twin.dp, 0, 1, delete_some, NULL);
        }
    }
    fake_pmd_settle(twin.pmd);
    assert_int_equal(twin.n_wrong, 0);
    assert_int_equal(twin.n_sent, n_forwarded);
}

// With operands of zero, hashes of most keys are equal.
static void
weaken_hashes(struct dp *dp)
{
    memset(&dp->secret, 0, sizeof dp->secret);
}

static void
run_with(unsigned emc_inv_prob, bool smc, bool weak)
{
    const struct pmd_perf *p;

    twin.dp = dp_create();
    twin.dp->set.emc_inv_prob = emc_inv_prob;
    twin.dp->set.emc_entries = (uint32_t)EMC_ENTRIES_MIN << random_range(11);
    twin.dp->set.smc_enable = smc;
    if (weak) {
        weaken_hashes(twin.dp);
    }
    twin.pmd = fake_pmd(twin.dp);
    upcall_set_inline(twin.dp, translate, NULL);
    for (unsigned i = 0; i < N_OUT; i++) {
        char name[] = {(char)('1' + i), '\0'};
        twin.netdevs[i] = fake_netdev(name, check_sent);
        fake_pmd_connect(twin.pmd, FIRST_OUT + i, twin.netdevs[i]);
    }
    make_rules();
    run_traffic(weak ? PACKETS_OF_COLLISIONS : PACKETS_PER_ROUND);
    p = &twin.pmd->perf;
    // A stage that is off has no hits; one that is fed with everything has some.
    assert_true(emc_inv_prob > 0 || perf_get(p, PMD_STAT_EMC_HIT) == 0);
    assert_true(emc_inv_prob != 1 || perf_get(p, PMD_STAT_EMC_HIT) > 0);
    assert_true(smc || perf_get(p, PMD_STAT_SMC_HIT) == 0);
    assert_true(!smc || emc_inv_prob == 1 || perf_get(p, PMD_STAT_SMC_HIT) > 0);
    assert_true(perf_get(p, PMD_STAT_DPCLS_HIT) > 0);
    assert_int_equal(perf_get(p, PMD_STAT_LOST), 0);
    fake_pmd_free(twin.dp, twin.pmd);
    dp_destroy(twin.dp);
    for (unsigned i = 0; i < N_OUT; i++) {
        fake_netdev_free(twin.netdevs[i]);
    }
}

static void
test_all_stages(void **state)
{
    run_with(1, true, false);
    run_with(100, true, false);
}

static void
test_emc_only(void **state)
{
    run_with(1, false, false);
    run_with(20, false, false);
}

static void
test_smc_only(void **state)
{
    run_with(0, true, false);
    run_with(0, true, false);
}

static void
test_dpcls_only(void **state)
{
    run_with(0, false, false);
    run_with(0, false, false);
}

// What hashes agree on is only a guess, in every stage.
static void
test_hashes_that_collide(void **state)
{
    run_with(1, true, true);
    run_with(1, false, true);
    run_with(0, true, true);
    run_with(0, false, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_stages),
        cmocka_unit_test(test_emc_only),
        cmocka_unit_test(test_smc_only),
        cmocka_unit_test(test_dpcls_only),
        cmocka_unit_test(test_hashes_that_collide),
    };
    return cmocka_run_group_tests(tests, fake_group_start, NULL);
}
