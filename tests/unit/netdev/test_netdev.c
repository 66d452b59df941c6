// SPDX-License-Identifier: Apache-2.0
//
// The registry and the device types that need neither root nor a kernel device: patch, dummy, and
// DPDK's virtual devices on ordinary pages.
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "netdev/netdev.h"
#include "netdev/netdev_dummy.h"
#include "netdev/netdev_kif.h"
#include "rpc/unixctl.h"

static struct loop *loop;

// Opens, configures and gives queues; NULL and the text when one step fails.
static struct netdev *
make(const char *name, const char *type, const char *options, char **errorp)
{
    struct smap map = SMAP_INIT, other = SMAP_INIT;
    struct netdev *netdev = netdev_open(name, type, errorp);
    char *copy = xstrdup(options), *rest = copy;
    bool needs;

    for (char *o; (o = strsep(&rest, ";")) != NULL;) {
        char *value = strchr(o, '=');
        if (value != NULL) {
            *value++ = '\0';
            smap_put(&map, o, value);
        }
    }
    if (netdev != NULL && (netdev_set_config(netdev, &map, &other, &needs, errorp) != 0 ||
                           netdev_reconfigure(netdev, 2, errorp) != 0)) {
        netdev_close(netdev);
        netdev = NULL;
    }
    smap_destroy(&map);
    free(copy);
    return netdev;
}

static void
expect_error(const char *name, const char *type, const char *options, const char *text)
{
    char *error = NULL;

    assert_null(make(name, type, options, &error));
    assert_string_equal(error, text);
    free(error);
}

static struct netdev *
make_ok(const char *name, const char *type, const char *options)
{
    char *error = NULL;
    struct netdev *netdev = make(name, type, options, &error);

    if (netdev == NULL) {
        fail_msg("%s: %s", name, error);
    }
    return netdev;
}

static void
test_types(void **state)
{
    size_t n;
    const char **types = netdev_types(&n);
    bool dpdk = false, patch = false;

    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || strcmp(types[i - 1], types[i]) < 0);
        dpdk |= strcmp(types[i], "dpdk") == 0;
        patch |= strcmp(types[i], "patch") == 0;
    }
    assert_true(dpdk && patch);
    free(types);
}

static void
test_errors(void **state)
{
    expect_error("x", "nosuch", "",
                 "could not open network device x (Address family not supported by protocol)");
    expect_error("ovs-netdev", "patch", "peer=a",
                 "could not open network device ovs-netdev (the name is reserved)");
    expect_error("p0", "patch", "", "p0: patch type requires valid 'peer' argument");
    expect_error("p0", "patch", "peer=p0", "p0: patch peer must not be self");
    expect_error("nosuch0", "system", "", "could not open network device nosuch0 (No such device)");
    expect_error("d", "dpdk", "", "'d' is missing 'options:dpdk-devargs', which names the device");
    expect_error("d", "dpdk", "dpdk-devargs=0000:99:00.0",
                 "Error attaching device '0000:99:00.0' to DPDK (No such device)");
    assert_null(netdev_find("d"));
}

static void
test_patch(void **state)
{
    struct netdev *netdev = make_ok("p0", "patch", "peer=p1");
    struct netdev_stats stats;
    char *error = NULL;

    assert_int_equal(netdev_poll(netdev), NETDEV_POLL_NONE);
    netdev_count_rx(netdev, 3, 200);
    netdev_count_tx(netdev, 1, 60);
    netdev_get_stats(netdev, &stats);
    assert_int_equal(stats.rx_packets, 3);
    assert_int_equal(stats.rx_bytes, 200);
    assert_int_equal(stats.tx_packets, 1);
    assert_int_equal(stats.tx_bytes, 60);
    assert_true(stats.rx_errors == UINT64_MAX);
    assert_null(netdev_open("p0", "patch", &error));
    assert_string_equal(error, "could not open network device p0 (File exists)");
    free(error);
    netdev_close(netdev);
}

static bool
fd_is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static void
test_dummy(void **state)
{
    char dir[] = "/tmp/netdev-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *path = xasprintf("%s/tx.pcap", dir), *options = xasprintf("tx_pcap=%s", path);
    struct netdev *netdev = make_ok("d0", "dummy", options);
    struct rte_mbuf *mbufs[NETDEV_MAX_BURST];
    uint8_t frame[60];
    struct netdev_stats stats;
    struct stat st;

    memset(frame, 0x5a, sizeof(frame));
    assert_false(fd_is_readable(netdev_rx_fd(netdev, 0)));
    for (int i = 0; i < 40; i++) {
        assert_int_equal(netdev_dummy_receive(netdev, 0, frame, sizeof(frame)), 0);
    }
    assert_true(fd_is_readable(netdev_rx_fd(netdev, 0)));
    assert_int_equal(netdev_rx_burst(netdev, 0, mbufs), 32);
    assert_memory_equal(rte_pktmbuf_mtod(mbufs[0], void *), frame, sizeof(frame));
    netdev_tx_burst(netdev, 0, mbufs, 32);
    // The rest still shows, and then no more.
    assert_true(fd_is_readable(netdev_rx_fd(netdev, 0)));
    assert_int_equal(netdev_rx_burst(netdev, 0, mbufs), 8);
    netdev_tx_burst(netdev, 1, mbufs, 8);
    assert_int_equal(netdev_rx_burst(netdev, 0, mbufs), 0);
    assert_false(fd_is_readable(netdev_rx_fd(netdev, 0)));
    netdev_get_stats(netdev, &stats);
    assert_int_equal(stats.rx_packets, 40);
    assert_int_equal(stats.rx_bytes, 40 * 60);
    assert_int_equal(stats.tx_packets, 40);
    assert_int_equal(stats.tx_bytes, 40 * 60);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 24 + 40 * (16 + 60));

    assert_int_equal(netdev_dummy_receive(netdev, 1, frame, sizeof(frame)), -22);
    netdev_set_flags(netdev, NETDEV_UP, 0);
    assert_int_equal(netdev_dummy_receive(netdev, 0, frame, sizeof(frame)), -100);
    netdev_close(netdev);
    unlink(path);
    rmdir(dir);
    free(path);
    free(options);
}

static void
test_dummy_commands(void **state)
{
    struct netdev *netdev = make_ok("d1", "dummy-pmd", "n_rxq=2");
    struct rte_mbuf *mbufs[NETDEV_MAX_BURST];
    const char *good[] = {"netdev-dummy/receive",           "d1",    "--qid", "1",
                          "010203040506070809101112080045", "--len", "64",    NULL};
    const char *bad[] = {"netdev-dummy/receive", "d1", "xyz", NULL};
    bool ok;

    assert_int_equal(netdev_poll(netdev), NETDEV_POLL_SPIN);
    assert_int_equal(netdev_queues(netdev)->n_rxq, 2);
    char *text = unixctl_run(7, good, &ok);
    assert_true(ok);
    free(text);
    assert_int_equal(netdev_rx_burst(netdev, 0, mbufs), 0);
    assert_int_equal(netdev_rx_burst(netdev, 1, mbufs), 1);
    assert_int_equal(mbufs[0]->pkt_len, 64);
    assert_int_equal(rte_pktmbuf_mtod(mbufs[0], uint8_t *)[5], 6);
    assert_int_equal(rte_pktmbuf_mtod(mbufs[0], uint8_t *)[63], 0);
    rte_pktmbuf_free(mbufs[0]);
    text = unixctl_run(3, bad, &ok);
    assert_false(ok);
    assert_non_null(strstr(text, "bad packet or flow syntax"));
    free(text);
    netdev_close(netdev);
}

static void
find_tx_drops(const char *name, uint64_t value, void *aux)
{
    if (strcmp(name, "ovs_tx_mtu_exceeded_drops") == 0 ||
        strcmp(name, "ovs_tx_failure_drops") == 0) {
        *(uint64_t *)aux += value;
    }
}

static void
test_dpdk_ring(void **state)
{
    struct netdev *netdev = make_ok("r0", "dpdk", "dpdk-devargs=net_ring7;n_rxq_desc=1024");
    struct rte_mempool *pool = netdev_default_pool();
    struct rte_mbuf *mbufs[NETDEV_MAX_BURST];
    uint64_t drops = 0;

    expect_error("r1", "dpdk", "dpdk-devargs=net_ring7",
                 "'r1' is trying to use device 'net_ring7' which is already in use by 'r0'");
    assert_int_equal(netdev_queues(netdev)->n_rxq_desc, 1024);
    for (int i = 0; i < 32; i++) {
        mbufs[i] = rte_pktmbuf_alloc(pool);
        rte_pktmbuf_append(mbufs[i], 100);
    }
    // One is beyond the MTU, one comes in two pieces and is joined.
    rte_pktmbuf_append(mbufs[3], 1500);
    struct rte_mbuf *tail = rte_pktmbuf_alloc(pool);
    rte_pktmbuf_append(tail, 50);
    rte_pktmbuf_chain(mbufs[4], tail);
    netdev_tx_burst(netdev, 0, mbufs, 32);
    assert_int_equal(netdev_rx_burst(netdev, 0, mbufs), 31);
    assert_int_equal(mbufs[3]->pkt_len, 150);
    assert_int_equal(mbufs[3]->nb_segs, 1);
    rte_pktmbuf_free_bulk(mbufs, 31);
    netdev_get_custom_stats(netdev, find_tx_drops, &drops);
    assert_int_equal(drops, 1);

    // Administratively down nothing comes; a larger MTU takes a reconfiguration.
    netdev_set_flags(netdev, NETDEV_UP, 0);
    assert_int_equal(netdev->ethdev_id, NETDEV_NO_ETHDEV);
    netdev_set_flags(netdev, 0, NETDEV_UP);
    assert_false(netdev_wants_reconfigure(netdev));
    assert_int_equal(netdev_set_mtu(netdev, 9000), 0);
    assert_true(netdev_wants_reconfigure(netdev));
    char *error = NULL;
    assert_int_equal(netdev_reconfigure(netdev, 40, &error), 0);
    assert_int_equal(netdev_get_mtu(netdev), 9000);
    // net_ring has 16 queues: the rest of the threads share them.
    assert_int_equal(netdev_queues(netdev)->n_txq, 16);
    assert_true(netdev_queues(netdev)->txq_shared);
    assert_int_equal(netdev_set_mtu(netdev, 100000), -22);
    netdev_close(netdev);
    // The device went with the port: its name is free.
    netdev_close(make_ok("r2", "dpdk", "dpdk-devargs=net_ring7"));
}

// A frame of connection 'number'; whether it is TCP or UDP, in which IP, and tagged, follows from
// that.
static struct rte_mbuf *
make_packet(unsigned int number)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(netdev_default_pool());
    uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, 100);
    bool is_v6 = (number & 1) != 0;

    memset(p, 0, 100);
    p += 12;
    if ((number & 2) != 0) {
        memcpy(p, "\x81\0\0\5", 4);
        p += 4;
    }
    memcpy(p, is_v6 ? "\x86\xdd\x60" : "\x08\0\x45", 3);
    p += 2;
    p[is_v6 ? 6 : 9] = (number & 4) != 0 ? 6 : 17;
    memcpy(p + (is_v6 ? 40 : 20), &number, sizeof(number));
    return m;
}

// Sends four packets of each of 'n' connections from 'first' on, by two threads' numbers; the
// queues in which they come back, by the order of the connections.  Those of one stay together.
static void
find_queues(struct netdev *netdev, unsigned int first, unsigned int n, unsigned int queues[])
{
    unsigned int n_got = 0;

    for (unsigned int i = 0; i < n; i++) {
        struct rte_mbuf *sent[4], *got[NETDEV_MAX_BURST];
        for (unsigned int k = 0; k < 4; k++) {
            sent[k] = make_packet(first + i);
        }
        netdev_tx_burst(netdev, 0, sent, 2);
        netdev_tx_burst(netdev, 1, sent + 2, 2);
        for (uint16_t q = 0; q < 4; q++) {
            uint16_t n_now = netdev_rx_burst(netdev, q, got);
            assert_true(n_now == 0 || n_now == 4);
            queues[i] = n_now != 0 ? q : queues[i];
            n_got += n_now;
            rte_pktmbuf_free_bulk(got, n_now);
        }
    }
    assert_int_equal(n_got, 4 * n);
}

static void
steer(struct netdev *netdev, const char *mode)
{
    struct smap options = SMAP_INIT, other = SMAP_INIT;
    char *error = NULL;
    bool needs;

    smap_put(&options, "dpdk-devargs", "net_ring8");
    smap_put(&options, "n_rxq", "4");
    smap_put(&other, "tx-steering", mode);
    assert_int_equal(netdev_set_config(netdev, &options, &other, &needs, &error), 0);
    assert_true(needs);
    assert_int_equal(netdev_reconfigure(netdev, 4, &error), 0);
    assert_int_equal(netdev_set_config(netdev, &options, &other, &needs, &error), 0);
    assert_false(needs);
    smap_destroy(&options);
    smap_destroy(&other);
}

static void
test_steering(void **state)
{
    struct netdev *netdev = make_ok("r3", "dpdk", "dpdk-devargs=net_ring8;n_rxq=4");
    struct rte_mbuf *mbufs[NETDEV_MAX_BURST];
    unsigned int queues[64], n_on[4] = {0};

    steer(netdev, "hash");
    find_queues(netdev, 0, 64, queues);
    for (unsigned int i = 0; i < 64; i++) {
        n_on[queues[i]]++;
    }
    for (unsigned int q = 0; q < 4; q++) {
        assert_in_range(n_on[q], 1, 63);
    }
    // Mixed in one burst each goes to its queue, those of a connection in order.
    for (unsigned int i = 0; i < 32; i++) {
        mbufs[i] = make_packet(i % 16);
        rte_pktmbuf_mtod(mbufs[i], uint8_t *)[0] = (uint8_t)i;
    }
    netdev_tx_burst(netdev, 0, mbufs, 32);
    for (uint16_t q = 0; q < 4; q++) {
        uint16_t n = netdev_rx_burst(netdev, q, mbufs);
        for (uint16_t i = 0; i < n; i++) {
            unsigned int at = rte_pktmbuf_mtod(mbufs[i], uint8_t *)[0];
            assert_int_equal(queues[at % 16], q);
            assert_true(i == 0 || rte_pktmbuf_mtod(mbufs[i - 1], uint8_t *)[0] < at);
        }
        rte_pktmbuf_free_bulk(mbufs, n);
    }
    // What a NIC has hashed is not hashed again.
    for (uint16_t q = 0; q < 4; q++) {
        mbufs[0] = make_packet(q);
        mbufs[0]->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
        mbufs[0]->hash.rss = 400u + q;
        netdev_tx_burst(netdev, 0, mbufs, 1);
        assert_int_equal(netdev_rx_burst(netdev, q, mbufs), 1);
        rte_pktmbuf_free(mbufs[0]);
    }
    // By thread again.
    steer(netdev, "thread");
    mbufs[0] = make_packet(0);
    mbufs[1] = make_packet(5);
    netdev_tx_burst(netdev, 3, mbufs, 2);
    assert_int_equal(netdev_rx_burst(netdev, 3, mbufs), 2);
    rte_pktmbuf_free_bulk(mbufs, 2);
    netdev_close(netdev);
}

// Whatever the last look saw counts until the next one, also for the number of changes.
static void
test_only_looks_ask_the_phy(void **state)
{
    unsigned n_changes = 0;

    for (int seen = 0; seen < 2; seen++) {
        struct netdev_link link = {0};
        struct netdev_kif kif;

        assert_int_equal(netdev_kif_init(&kif, "lo"), 0);
        kif.asks_phy = true;
        kif.last_carrier = seen;
        netdev_kif_get_link(&kif, &link);
        assert_int_equal(link.carrier, seen);
        assert_int_equal(link.resets, 0);
        netdev_kif_look(&kif);
        netdev_kif_get_link(&kif, &link);
        assert_int_equal(link.carrier, netdev_kif_carrier(&kif));
        assert_int_equal(link.resets, link.carrier != seen);
        n_changes += (unsigned)link.resets;
        netdev_kif_fini(&kif);
    }
    assert_int_equal(n_changes, 1);
}

static int
setup(void **state)
{
    struct smap config = SMAP_INIT;
    char *error = NULL;

    loop = loop_create("test");
    netdev_enable_dummy(NETDEV_DUMMY_TYPE);
    netdev_init(loop);
    netdev_ctl_register();
    smap_put(&config, "dpdk-init", "try");
    smap_put(&config, "dpdk-extra", "--no-huge"); // whatever others have left of those
    int result = dpdk_set_config(&config, &error);
    free(error);
    smap_destroy(&config);
    return result;
}

static int
teardown(void **state)
{
    netdev_fini();
    dpdk_stop();
    loop_destroy(loop);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),          cmocka_unit_test(test_errors),
        cmocka_unit_test(test_patch),          cmocka_unit_test(test_dummy),
        cmocka_unit_test(test_dummy_commands), cmocka_unit_test(test_dpdk_ring),
        cmocka_unit_test(test_steering),       cmocka_unit_test(test_only_looks_ask_the_phy),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
