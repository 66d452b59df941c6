// SPDX-License-Identifier: Apache-2.0
//
// dpif-netdev/pmd-perf-show: where the cycles of each thread go, as sums, as histograms and, asked
// for with -it and -ms, for the latest iterations and milliseconds (with pmd-perf-metrics=true).
// Main thread.
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "pmd/dp_int.h"
#include "pmd/pmd_ctl.h"
#include "rpc/unixctl.h"

static double
per(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double
percent(uint64_t a, uint64_t b)
{
    return per((double)a * 100, (double)b);
}

static void
put_iterations(struct str *s, const struct pmd_perf *p, double seconds)
{
    uint64_t idle = perf_get(p, PMD_STAT_IDLE_ITER), busy = perf_get(p, PMD_STAT_BUSY_ITER);
    uint64_t idle_cycles = perf_get(p, PMD_STAT_IDLE_CYCLES);
    uint64_t busy_cycles = perf_get(p, PMD_STAT_BUSY_CYCLES);
    uint64_t sleeps = perf_get(p, PMD_STAT_SLEEP_ITER);
    uint64_t used = idle_cycles + busy_cycles;
    double hz = (double)clock_tsc_hz();
    double sleep_us = (double)perf_get(p, PMD_STAT_SLEEP_CYCLES) / hz * 1e6;

    str_printf(s, "  Iterations:         %12" PRIu64 "  (%.2f us/it)\n", idle + busy,
               per((double)used / hz * 1e6, (double)(idle + busy)));
    str_printf(s, "  - Used TSC cycles:  %12" PRIu64 "  (%5.1f %% of total cycles)\n", used,
               per((double)used * 100, seconds * hz));
    str_printf(s, "  - idle iterations:  %12" PRIu64 "  (%5.1f %% of used cycles)\n", idle,
               percent(idle_cycles, used));
    str_printf(s, "  - busy iterations:  %12" PRIu64 "  (%5.1f %% of used cycles)\n", busy,
               percent(busy_cycles, used));
    str_printf(s, "  - sleep iterations: %12" PRIu64 "  (%5.1f %% of iterations)\n", sleeps,
               percent(sleeps, idle + busy));
    str_printf(s, "  Sleep time (us):    %12.0f  (%3.0f us/iteration avg.)\n", sleep_us,
               per(sleep_us, (double)sleeps));
}

static void
put_hits(struct str *s, const char *name, uint64_t n, uint64_t passes)
{
    str_printf(s, "  - %-18s%12" PRIu64 "  (%5.1f %%)\n", name, n, percent(n, passes));
}

static void
put_rx(struct str *s, const struct pmd_perf *p, double seconds)
{
    uint64_t rx = perf_get(p, PMD_STAT_RX);
    uint64_t passes = rx + perf_get(p, PMD_STAT_RECIRC);
    uint64_t megaflow = perf_get(p, PMD_STAT_DPCLS_HIT);
    uint64_t upcalls = perf_get(p, PMD_STAT_MISS);
    double upcall_us = (double)perf_get(p, PMD_STAT_UPCALL_CYCLES) / (double)clock_tsc_hz() * 1e6;

    if (!rx) {
        str_printf(s, "  Rx packets:         %12d\n", 0);
        return;
    }
    str_printf(s, "  Rx packets:         %12" PRIu64 "  (%.0f Kpps, %.0f cycles/pkt)\n", rx,
               per((double)rx / 1000, seconds),
               per((double)perf_get(p, PMD_STAT_BUSY_CYCLES), (double)rx));
    str_printf(s, "  Datapath passes:    %12" PRIu64 "  (%.2f passes/pkt)\n", passes,
               per((double)passes, (double)rx));
    put_hits(s, "PHWOL hits:", 0, passes);
    put_hits(s, "MFEX Opt hits:", 0, passes);
    put_hits(s, "Simple Match hits:", 0, passes);
    put_hits(s, "EMC hits:", perf_get(p, PMD_STAT_EMC_HIT), passes);
    put_hits(s, "SMC hits:", perf_get(p, PMD_STAT_SMC_HIT), passes);
    str_printf(s, "  - Megaflow hits:    %12" PRIu64 "  (%5.1f %%, %.2f subtbl lookups/hit)\n",
               megaflow, percent(megaflow, passes),
               per((double)perf_get(p, PMD_STAT_LOOKUPS), (double)megaflow));
    str_printf(s, "  - Upcalls:          %12" PRIu64 "  (%5.1f %%, %.1f us/upcall)\n", upcalls,
               percent(upcalls, passes), per(upcall_us, (double)upcalls));
    put_hits(s, "Lost upcalls:", perf_get(p, PMD_STAT_LOST), passes);
}

static void
put_tx(struct str *s, const struct pmd_perf *p, double seconds)
{
    uint64_t tx = perf_get(p, PMD_STAT_TX), batches = perf_get(p, PMD_STAT_TX_BATCHES);

    if (!tx) {
        str_printf(s, "  Tx packets:         %12d\n\n", 0);
        return;
    }
    str_printf(s, "  Tx packets:         %12" PRIu64 "  (%.0f Kpps)\n", tx,
               per((double)tx / 1000, seconds));
    str_printf(s, "  Tx batches:         %12" PRIu64 "  (%.2f pkts/batch)\n", batches,
               per((double)tx, (double)batches));
}

static const char *const histogram_names[PERF_N_HISTOGRAMS] = {
    [PERF_CYCLES_PER_IT] = "cycles/it",   [PERF_PKTS_PER_IT] = "packets/it",
    [PERF_CYCLES_PER_PKT] = "cycles/pkt", [PERF_PKTS_PER_BATCH] = "pkts/batch",
    [PERF_UPCALLS_PER_IT] = "upcalls/it", [PERF_CYCLES_PER_UPCALL] = "cycles/upcall",
};

// Queues have a maximum in the histogram and a mean below it.
static void
put_histogram_names(struct str *s, const char *qlen_name)
{
    for (unsigned i = 0; i < PERF_N_HISTOGRAMS; i++) {
        str_printf(s, "%s%-21s", i ? "  " : "   ",
                   i == PERF_MAX_VHOST_QLEN ? qlen_name : histogram_names[i]);
    }
    str_trim_end(s);
    str_putc(s, '\n');
}

static double
total(const _Atomic uint64_t *sum)
{
    return (double)atomic_load_explicit(sum, memory_order_relaxed);
}

static void
put_averages(struct str *s, const struct pmd_perf *p)
{
    const struct perf_totals *t = &p->totals;
    double its = total(&t->its), packets = total(&t->packets), upcalls = total(&t->upcalls);

    str_put(s, "-----------------------------------------------------"
               "-----------------------------------------------------"
               "------------------------------------------------\n");
    put_histogram_names(s, "vhost qlen");
    str_printf(s, "   %-21.0f  %-21.5f  %-21.0f  %-21.5f  %-21.5f  %-21.5f  %-21.0f\n",
               per(total(&t->cycles), its), per(packets, its), per(total(&t->busy_cycles), packets),
               per(packets, total(&t->batches)), per(total(&t->vhost_qlen), its), per(upcalls, its),
               per(total(&t->upcall_cycles), upcalls));
}

static void
put_histograms(struct str *s, const struct pmd_perf *p)
{
    str_put(s, "Histograms\n");
    put_histogram_names(s, "max vhost qlen");
    for (unsigned bin = 0; bin < PERF_BINS; bin++) {
        for (unsigned i = 0; i < PERF_N_HISTOGRAMS; i++) {
            const struct perf_histogram *h = &p->histogram[i];
            uint64_t n = atomic_load_explicit(&h->bin[bin], memory_order_relaxed);
            str_put(s, i ? "  " : "   ");
            if (bin + 1 < PERF_BINS) {
                str_printf(s, "%-9u %-11" PRIu64, h->wall[bin], n);
            } else {
                str_printf(s, "%-9s %-11" PRIu64, ">", n);
            }
        }
        str_trim_end(s);
        str_putc(s, '\n');
    }
    put_averages(s, p);
}

static void
put_record_tail(struct str *s, const struct perf_record *r)
{
    str_printf(s, "   %-10.0f   %-10.0f   %-10u   %-10u   %-10.0f\n",
               per((double)r->cycles, r->n_packets), per(r->n_packets, r->n_batches),
               r->max_vhost_qlen, r->n_upcalls, per((double)r->upcall_cycles, r->n_upcalls));
}

void
perf_put_iteration_header(struct str *s)
{
    str_printf(s, "   %-17s   %-10s   %-10s   %-10s   %-10s   %-10s   %-10s   %-10s\n", "iter",
               "cycles", "packets", "cycles/pkt", "pkts/batch", "vhost qlen", "upcalls",
               "cycles/upcall");
}

void
perf_put_iteration(struct str *s, const struct perf_record *r)
{
    str_printf(s, "   %-17" PRIu64 "   %-11" PRIu64 "  %-11u", r->number, r->cycles, r->n_packets);
    put_record_tail(s, r);
}

static void
put_iteration_history(struct str *s, const struct pmd_perf *p, unsigned n)
{
    uint64_t idx = atomic_load_explicit(&p->iteration_idx, memory_order_acquire);

    perf_put_iteration_header(s);
    for (unsigned i = 0; i < MIN(n, (unsigned)PERF_HISTORY) && i < idx; i++) {
        struct perf_record r = p->iterations[(idx - i) % PERF_HISTORY];
        perf_put_iteration(s, &r);
    }
}

static void
put_millisecond_history(struct str *s, const struct pmd_perf *p, unsigned n)
{
    uint64_t idx = atomic_load_explicit(&p->millisecond_idx, memory_order_acquire);

    str_printf(s, "   %-12s   %-10s   %-10s   %-10s   %-10s   %-10s   %-10s   %-10s   %-10s\n",
               "ms", "iterations", "cycles/it", "Kpps", "cycles/pkt", "pkts/batch", "vhost qlen",
               "upcalls", "cycles/upcall");
    for (unsigned i = 0; i < MIN(n, (unsigned)PERF_HISTORY) && i < idx; i++) {
        struct perf_record r = p->milliseconds[(idx - i) % PERF_HISTORY];
        str_printf(s, "   %-12" PRIu64 "   %-10u   %-11.0f  %-11u", r.tsc * 1000 / clock_tsc_hz(),
                   r.n_its, per((double)r.cycles, r.n_its), r.n_packets);
        put_record_tail(s, &r);
    }
}

static void
put_perf(struct str *s, struct pmd *pmd, const struct pmd_ctl_args *args)
{
    struct pmd_perf *p = &pmd->perf;
    int64_t wall_ms = clock_wall_ms();
    time_t t = (time_t)(wall_ms / 1000);
    double seconds = (double)(clock_now_ms() - p->cleared_ms) / 1000;
    struct tm tm;
    char hms[16];

    localtime_r(&t, &tm);
    strftime(hms, sizeof hms, "%H:%M:%S", &tm);
    str_printf(s, "\nTime: %s.%03d\nMeasurement duration: %.3f s\n\n", hms, (int)(wall_ms % 1000),
               seconds);
    pmd_ctl_put_header(s, pmd);
    str_putc(s, '\n');
    put_iterations(s, p, seconds);
    put_rx(s, p, seconds);
    put_tx(s, p, seconds);
    if (!atomic_load(&p->detailed)) {
        return;
    }
    str_putc(s, '\n');
    if (!args->no_histograms) {
        put_histograms(s, p);
    }
    if (args->n_iterations) {
        str_putc(s, '\n');
        put_iteration_history(s, p, args->n_iterations);
    }
    if (args->n_milliseconds) {
        str_putc(s, '\n');
        put_millisecond_history(s, p, args->n_milliseconds);
    }
}

static void
pmd_perf_show(struct unixctl_conn *conn, int argc, const char *argv[], void *dpp)
{
    struct dp *dp = pmd_ctl_dp_or_error(conn, dpp);
    struct pmd_ctl_args args;

    if (!dp || !pmd_ctl_parse(conn, dp, argc, argv, &args)) {
        return;
    }
    pmd_ctl_show(conn, dp, &args, put_perf);
}

void
perf_ctl_init(struct dp **dpp)
{
    unixctl_register("dpif-netdev/pmd-perf-show",
                     "[-nh] [-it iter-history-len] [-ms ms-history-len] [-pmd core] [dp]", 0, 8,
                     pmd_perf_show, dpp);
    perf_log_ctl_init(dpp);
}
