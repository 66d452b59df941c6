// SPDX-License-Identifier: Apache-2.0
//
// The fast path alone: net_pcap in endless repetition -> datapath -> net_null in one process, with
// megaflows put straight through dp_flow_put().  Prints cycles per packet of the best window and
// the hits of each stage.  Arguments are key=value: flows=N (five-tuples), mega=port|l3|exact|tuple
// (what the megaflows match) or mega=prefix (sources that differ from 10.0.0.10 at some bit, as in
// the published attack), masks=N (how many prefixes for "tuple" and "prefix"), size=N, emc=N
// (inverse probability), emc_entries=N, smc=0|1, core=N, windows=N, ms=N (of a window), packets=N
// (of the warm-up and of a window, in place of time), pcap=FILE (where to write the traffic).
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "flow/extract.h"
#include "netdev/netdev.h"
#include "packet/build.h"
#include "pmd/dp.h"
#include "pmd/dp_int.h"

struct options {
    unsigned flows, masks, size, emc, emc_entries, smc, core, windows, ms, packets;
    char mega[16];
    char pcap[256];
};

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "bench_dp: %s: %s\n", what, why ? why : "failed");
    exit(1);
}

static void
parse_options(struct options *o, int argc, char *argv[])
{
    *o = (struct options){.flows = 1,
                          .masks = 1,
                          .size = 60,
                          .emc = 100,
                          .emc_entries = EMC_ENTRIES_DEFAULT,
                          .smc = 1,
                          .core = 1,
                          .windows = 40,
                          .ms = 50,
                          .mega = "port"};
    snprintf(o->pcap, sizeof o->pcap, "/tmp/bench_dp.%d.pcap", (int)getpid());
    for (int i = 1; i < argc; i++) {
        if (sscanf(argv[i], "flows=%u", &o->flows) != 1 &&
            sscanf(argv[i], "masks=%u", &o->masks) != 1 &&
            sscanf(argv[i], "size=%u", &o->size) != 1 && sscanf(argv[i], "emc=%u", &o->emc) != 1 &&
            sscanf(argv[i], "emc_entries=%u", &o->emc_entries) != 1 &&
            sscanf(argv[i], "smc=%u", &o->smc) != 1 && sscanf(argv[i], "core=%u", &o->core) != 1 &&
            sscanf(argv[i], "windows=%u", &o->windows) != 1 &&
            sscanf(argv[i], "ms=%u", &o->ms) != 1 && sscanf(argv[i], "mega=%15s", o->mega) != 1 &&
            sscanf(argv[i], "packets=%u", &o->packets) != 1 &&
            sscanf(argv[i], "pcap=%255s", o->pcap) != 1) {
            die(argv[i], "not an option");
        }
    }
}

// Packet 'i': sources over two octets, 200 destinations, source ports from 1024 up.
static uint32_t
make_packet(const struct options *o, uint32_t i, uint8_t *buf)
{
    static const struct rte_ether_addr src = {{2, 0, 0, 0, 0, 1}}, dst = {{2, 0, 0, 0, 0, 2}};
    static const uint8_t payload[2048];
    uint32_t ip_src = 0x0a000000 | (i % 65536);
    uint32_t ip_dst = 0xc0a80000 | (i % 200);
    uint32_t flip = UINT32_C(1) << (31 - i % o->masks % 32);

    if (!strcmp(o->mega, "prefix")) {
        ip_src = ((0x0a00000a ^ flip) & ~(flip - 1)) | (i * UINT32_C(0x9e3779b9) & (flip - 1));
    }

    return compose_udp4(buf, 2048, &src, &dst, rte_cpu_to_be_32(ip_src), rte_cpu_to_be_32(ip_dst),
                        (uint16_t)(1024 + i / 200 % 60000), 80, payload, o->size - 42);
}

static uint32_t
shuffled(uint32_t i, uint32_t n)
{
    // A walk with a step coprime to n visits every packet once.
    uint64_t step = 1000003;
    while (n % step == 0) {
        step += 2;
    }
    return (uint32_t)(i * step % n);
}

static void
write_pcap(const struct options *o)
{
    FILE *f = fopen(o->pcap, "wb");
    uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
    uint8_t buf[2048];

    if (!f) {
        die(o->pcap, "cannot be written");
    }
    fwrite(head, sizeof head, 1, f);
    for (uint32_t i = 0; i < o->flows; i++) {
        uint32_t size = make_packet(o, shuffled(i, o->flows), buf);
        uint32_t rec[4] = {0, 0, size, size};
        fwrite(rec, sizeof rec, 1, f);
        fwrite(buf, size, 1, f);
    }
    fclose(f);
}

static void
make_mask(const struct options *o, uint32_t i, struct flow_mask *mask)
{
    memset(mask, 0, sizeof *mask);
    mask->bits.w[0] = UINT64_MAX;
    FLOW_MASK_SET(mask, dl_type);
    FLOW_MASK_SET(mask, nw_frag);
    if (!strcmp(o->mega, "l3")) {
        FLOW_MASK_SET(mask, nw_dst);
    } else if (!strcmp(o->mega, "exact")) {
        FLOW_MASK_SET(mask, nw_proto);
        FLOW_MASK_SET(mask, nw_src);
        FLOW_MASK_SET(mask, nw_dst);
        FLOW_MASK_SET(mask, tp_src);
        FLOW_MASK_SET(mask, tp_dst);
    } else if (!strcmp(o->mega, "tuple")) {
        uint32_t bits = 32 - i % o->masks % 16;
        mask->bits.nw_src = rte_cpu_to_be_32((uint32_t)(UINT64_MAX << (32 - bits)));
        FLOW_MASK_SET(mask, nw_dst);
        mask->bits.tp_src = rte_cpu_to_be_16((uint16_t)(0xffff << i % o->masks / 16));
    } else if (!strcmp(o->mega, "prefix")) {
        mask->bits.nw_src = rte_cpu_to_be_32(UINT32_MAX << (31 - i % o->masks % 32));
    }
}

static void
put_flows(struct dp *dp, const struct options *o, odp_port_t in, odp_port_t out)
{
    struct dp_actions actions = {0};
    uint8_t buf[2048];

    dp_set_flow_limit(dp, 2000000);
    dp_put_output(&actions, out);
    for (uint32_t i = 0; i < o->flows; i++) {
        struct packet_md md = {.in_port = in};
        struct packet_layers ly;
        struct flow_mask mask;
        struct flow flow;
        uint32_t size = make_packet(o, i, buf);
        if (flow_extract_bytes(buf, size, &md, &flow, &ly) != EXTRACT_OK) {
            die("packet", NULL);
        }
        make_mask(o, i, &mask);
        struct dp_flow_put put = {.key = &flow, .mask = &mask, .shape = 0x1f, .actions = &actions};
        int rc = dp_flow_put(dp, &put, NULL);
        if (rc && rc != -EEXIST) {
            die("dp_flow_put", err_str(rc));
        }
    }
    dp_actions_fini(&actions);
}

static odp_port_t
add_port(struct dp *dp, const char *name, const char *devargs)
{
    struct smap options = SMAP_INIT, other = SMAP_INIT;
    odp_port_t odp = ODPP_NONE;
    bool needs = false;
    char *error = NULL;

    smap_put(&options, "dpdk-devargs", devargs);
    struct netdev *netdev = netdev_open(name, "dpdk", &error);
    if (!netdev || netdev_set_config(netdev, &options, &other, &needs, &error) ||
        dp_port_add(dp, netdev, 0, &odp, &error)) {
        die(name, error);
    }
    netdev_set_flags(netdev, 0, NETDEV_UP);
    smap_destroy(&options);
    return odp;
}

static struct pmd *
find_pmd(struct dp *dp)
{
    DP_FOREACH_PMD (pmd, dp) {
        if (!pmd->is_kernel) {
            return pmd;
        }
    }
    die("no PMD thread", NULL);
    return NULL;
}

// Cycles that the thread itself had: on a busy machine others take some of the core's.
static double
thread_cycles(const struct pmd *pmd)
{
    struct timespec ts;
    clockid_t clock;

    pthread_getcpuclockid(pmd->thread, &clock);
    clock_gettime(clock, &ts);
    return ((double)ts.tv_sec + (double)ts.tv_nsec * 1e-9) * (double)rte_get_tsc_hz();
}

// Until o->packets more came in, or for 'us' where that is 0.
static void
let_run(const struct pmd *pmd, const struct options *o, unsigned us)
{
    uint64_t start = atomic_load(&pmd->perf.stat[PMD_STAT_RX]);

    do {
        usleep(o->packets ? 1000 : us);
    } while (atomic_load(&pmd->perf.stat[PMD_STAT_RX]) - start < o->packets);
}

// Not inlined: budget.py has callgrind count from the call on.
static __rte_noinline void
measure(struct dp *dp, struct pmd *pmd, const struct options *o)
{
    uint64_t before[PMD_N_STATS];
    double best = 1e9;

    for (unsigned w = 0; w < o->windows; w++) {
        for (unsigned i = 0; i < PMD_N_STATS; i++) {
            before[i] = atomic_load(&pmd->perf.stat[i]);
        }
        double start = thread_cycles(pmd);
        let_run(pmd, o, o->ms * 1000);
        double cycles = thread_cycles(pmd) - start;
        double n[PMD_N_STATS];
        for (unsigned i = 0; i < PMD_N_STATS; i++) {
            n[i] = (double)(atomic_load(&pmd->perf.stat[i]) - before[i]);
        }
        double rx = n[PMD_STAT_RX] > 0 ? n[PMD_STAT_RX] : 1;
        double cost = cycles / rx;
        // On a busy machine the PMD may not have run at all.
        if (n[PMD_STAT_RX] > 0 && cost < best) {
            best = cost;
        }
        if (w + 1 == o->windows) {
            printf("flows=%u mega=%s megaflows=%zu: best %.1f last %.1f cycles/packet "
                   "(%.2f Mpps), emc %.3f smc %.3f dpcls %.4f miss %.4f lookups/hit %.2f smc "
                   "buckets %u\n",
                   o->flows, o->mega, dp_n_flows(dp), best, cost,
                   rx / cycles * (double)rte_get_tsc_hz() / 1e6, n[PMD_STAT_EMC_HIT] / rx,
                   n[PMD_STAT_SMC_HIT] / rx, n[PMD_STAT_DPCLS_HIT] / rx, n[PMD_STAT_MISS] / rx,
                   n[PMD_STAT_DPCLS_HIT] > 0 ? n[PMD_STAT_LOOKUPS] / n[PMD_STAT_DPCLS_HIT] : 0,
                   rcu_get(&pmd->smc) ? rcu_get(&pmd->smc)->n_buckets : 0);
            printf("packets=%" PRIu64 "\n", atomic_load(&pmd->perf.stat[PMD_STAT_RX]));
        }
    }
}

int
main(int argc, char *argv[])
{
    struct smap cfg = SMAP_INIT;
    struct options o;
    char devargs[400];
    char *error = NULL;

    parse_options(&o, argc, argv);
    log_init("bench_dp");
    rcu_init(64);
    rcu_thread_register();
    struct loop *loop = loop_create("bench");
    netdev_init(loop);
    smap_put(&cfg, "dpdk-init", "true");
    smap_put(&cfg, "dpdk-extra", "--no-huge -m 2048 --no-pci");
    if (dpdk_set_config(&cfg, &error)) {
        die("DPDK", error);
    }
    write_pcap(&o);
    struct dp *dp = dp_create();
    smap_put_format(&cfg, "pmd-cpu-mask", "%x", 1u << o.core);
    smap_put_format(&cfg, "emc-insert-inv-prob", "%u", o.emc);
    smap_put_format(&cfg, "emc-entries", "%u", o.emc_entries);
    smap_put(&cfg, "smc-enable", o.smc ? "true" : "false");
    dp_set_config(dp, &cfg);
    odp_port_t out = add_port(dp, "sink", "net_null0,no-rx=1");
    // Ports are numbered in order; the flows come first, so that nothing misses.
    put_flows(dp, &o, out + 1, out);
    snprintf(devargs, sizeof devargs, "net_pcap0,rx_pcap=%s,infinite_rx=1", o.pcap);
    add_port(dp, "source", devargs);
    unlink(o.pcap);
    rcu_offline();
    struct pmd *pmd = find_pmd(dp);
    let_run(pmd, &o, 1500000);
    measure(dp, pmd, &o);
    fflush(stdout);
    // The process ends with its threads: nothing here is worth an orderly end.
    _exit(0);
}
