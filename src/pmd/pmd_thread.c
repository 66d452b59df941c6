// SPDX-License-Identifier: Apache-2.0
//
// The two loops of a forwarding thread: one spins over its queues on a core of its own, the other
// sleeps in epoll until a kernel device has frames.  Both do the same with what they find.
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/thread.h"
#include "pmd/dp_int.h"
#include "pmd/policer.h"

LOG_MODULE(dpif_netdev);

// Bursts, as dashboards know them.
COVERAGE_DEFINE(netdev_received);

enum {
    KERNEL_EVENTS = 64,
    KERNEL_ROUNDS = 8,      // bursts of one device before the others have their turn
    KERNEL_WAIT_MS = 100,   // upper bound of a sleep, so that settings and time are looked at
    SLEEP_MIN_PACKETS = 16, // an iteration with fewer lets a PMD sleep longer next time
};

struct pmd *
pmd_create(struct dp *dp, unsigned index, int core_id, int numa_id)
{
    struct pmd *pmd = xzalloc_cacheline(ROUND_UP(sizeof *pmd, CACHE_LINE_SIZE));

    pmd->dp = dp;
    pmd->mf = &dp->mf;
    pmd->index = index;
    pmd->core_id = core_id;
    pmd->numa_id = numa_id;
    pmd->is_kernel = index == PMD_KERNEL;
    pmd->counters = dp_map_counters();
    pmd->inject = inject_create();
    pmd->wake_fd = pmd->is_kernel ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
    pmd->epoll_fd = -1;
    pmd->half_ms_cycles = clock_tsc_hz() / 2000;
    rcu_assign(&pmd->emc.table, emc_table_create(EMC_ENTRIES_DEFAULT));
    atomic_init(&pmd->smc_max_buckets, SMC_MAX_BUCKETS_DEFAULT);
    perf_init(&pmd->perf);
    rcu_assign(&pmd->poll, xzalloc(sizeof(struct poll_list)));
    pmd_refresh_time(pmd);
    return pmd;
}

void
pmd_destroy(struct pmd *pmd)
{
    inject_destroy(pmd->inject, &pmd->dp->mf);
    dp_unmap_counters(pmd->counters);
    emc_table_free(rcu_get_protected(&pmd->emc.table));
    smc_free(rcu_get_protected(&pmd->smc));
    free(rcu_get_protected(&pmd->poll));
    for (unsigned i = 0; i < DP_MAX_PORTS; i++) {
        free(rcu_get_protected(&pmd->tx[i]));
    }
    if (pmd->wake_fd >= 0) {
        close(pmd->wake_fd);
    }
    free(pmd);
}

void
pmd_start(struct pmd *pmd)
{
    char name[16];

    if (pmd->is_kernel) {
        pmd->thread = thread_create("kernel-ports", pmd_kernel_main, pmd);
    } else {
        snprintf(name, sizeof name, "pmd-c%02d/id:%u", pmd->core_id, pmd->index);
        pmd->thread = thread_create(name, pmd_spin_main, pmd);
        log_info("PMD thread on numa_id: %d, core id: %2d created.", pmd->numa_id, pmd->core_id);
    }
    pmd->running = true;
}

void
pmd_stop(struct pmd *pmd)
{
    if (pmd->running) {
        atomic_store(&pmd->stop, true);
        pmd_wake(pmd);
        thread_join(pmd->thread);
        pmd->running = false;
        if (!pmd->is_kernel) {
            log_info("PMD thread on numa_id: %d, core id: %2d destroyed.", pmd->numa_id,
                     pmd->core_id);
        }
    }
}

// Any thread.  A thread that spins needs no call.
void
pmd_wake(struct pmd *pmd)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (pmd->wake_fd >= 0 && atomic_exchange(&pmd->asleep, false)) {
        thread_wake(pmd->wake_fd);
    }
}

// --- one iteration --------------------------------------------------------------------------

void
pmd_refresh_time(struct pmd *pmd)
{
    pmd->now_tsc = clock_tsc();
    // A system call's worth of work: not more often than the clock can have moved.
    if (pmd->now_tsc - pmd->ms_tsc > pmd->half_ms_cycles || !pmd->ms_tsc) {
        pmd->now_ms = (uint64_t)clock_now_ms();
        pmd->ms_tsc = pmd->now_tsc;
    }
}

// With pmd-perf-metrics: the burst, and how many frames the guest had ready, those just taken
// included.
static __rte_noinline void
note_burst(struct pmd *pmd, const struct rxq *rxq, uint16_t n)
{
    int left = netdev_rxq_length(rxq->netdev, rxq->qid);
    struct perf_record *r = &pmd->perf.current;

    perf_note_batch(&pmd->perf, n);
    if (left >= 0) {
        r->max_vhost_qlen = MAX(r->max_vhost_qlen, (uint32_t)left + n);
    }
}

// Those that may come in are at the beginning of 'm'; returns how many.
static __rte_noinline uint16_t
rx_police(const struct pmd *pmd, const struct rxq *rxq, struct rte_mbuf **m, uint16_t n)
{
    const struct policer_call call = {
        .netdev = rxq->netdev,
        .direction = POLICER_RX,
        .now_tsc = pmd->now_tsc,
    };

    return (uint16_t)policer_run(rcu_get(&rxq->policer), &call, m, n);
}

// One burst of a queue.  The cycles since the last look at the counter are the queue's.
static unsigned
pmd_poll_rxq(struct pmd *pmd, struct rxq *rxq)
{
    struct burst *b = &pmd->burst;

    if (UNLIKELY(rxq->rest_tsc > pmd->now_tsc)) {
        return 0; // in debt for its misses (miss.c)
    }
    pmd_stage_begin(pmd);
    uint16_t n = netdev_rx_burst(rxq->netdev, rxq->qid, b->m);
    if (!n) {
        return 0;
    }
    coverage_inc(netdev_received);
    pmd_stage_end(pmd, PERF_STAGE_RECEIVE, n);
    if (n == NETDEV_MAX_BURST) {
        pmd_note_backlog(pmd, rxq);
    }
    if (UNLIKELY(pmd->timed)) {
        note_burst(pmd, rxq, n);
    }
    uint16_t n_received = n;
    drop_begin_port(rxq->drops);
    if (UNLIKELY(rcu_get(&rxq->policer) != NULL)) {
        n = rx_police(pmd, rxq, b->m, n);
    }
    b->n = n;
    b->in_port = rxq->odp;
    pmd->polling = rxq;
    pmd_input(pmd, b);
    recirc_drain(pmd);
    pmd_run_inline_upcalls(pmd);
    pmd_flush(pmd);
    drop_begin_port(NULL);
    pmd->polling = NULL;
    pmd_stage_end(pmd, PERF_STAGE_SEND, n);
    perf_add(&pmd->perf, PMD_STAT_RX, n);

    uint64_t start = pmd->now_tsc;
    pmd_refresh_time(pmd);
    uint64_t cycles = atomic_load_explicit(&rxq->cycles, memory_order_relaxed);
    atomic_store_explicit(&rxq->cycles, cycles + pmd->now_tsc - start, memory_order_relaxed);
    uint64_t packets = atomic_load_explicit(&rxq->n_packets, memory_order_relaxed);
    atomic_store_explicit(&rxq->n_packets, packets + n, memory_order_relaxed);
    return n_received;
}

// What control threads ask of the loop.  First of all in an iteration: lanes that went while this
// thread slept, or between its last look and its quiescent state, are freed by now.
void
pmd_obey(struct pmd *pmd)
{
    uint64_t gen = atomic_load_explicit(&pmd->mf->lane_gen, memory_order_acquire);
    uint32_t seq = atomic_load_explicit(&pmd->tx_seq, memory_order_acquire);

    if (UNLIKELY(gen != pmd->lane_gen_seen)) {
        pmd_forget_lanes(pmd);
        pmd->lane_gen_seen = gen;
    }
    if (UNLIKELY(seq != pmd->tx_seq_seen)) {
        pmd_flush_all(pmd);
        pmd->tx_seq_seen = seq;
    }
}

bool
pmd_run_side_work(struct pmd *pmd)
{
    bool injected = inject_drain(pmd);

    if (UNLIKELY(injected)) {
        pmd_run_inline_upcalls(pmd);
    }
    if (UNLIKELY(pmd->n_dirty)) {
        pmd_flush(pmd);
    }
    return injected;
}

// 'n' packets were received; 'injected': there were answers of handlers, or packet-outs.
static void
pmd_end_iteration(struct pmd *pmd, uint64_t start, unsigned n, bool injected)
{
    const bool busy = n || injected;

    if (!n) {
        pmd_refresh_time(pmd);
    }
    uint64_t cycles = pmd->now_tsc - start;
    perf_add(&pmd->perf, busy ? PMD_STAT_BUSY_CYCLES : PMD_STAT_IDLE_CYCLES, cycles);
    perf_add(&pmd->perf, busy ? PMD_STAT_BUSY_ITER : PMD_STAT_IDLE_ITER, 1);
    if (UNLIKELY(atomic_load_explicit(&pmd->perf.detailed, memory_order_relaxed))) {
        perf_end_iteration(&pmd->perf, pmd->now_tsc, cycles, n, busy);
    }
}

// --- the spinning loop ----------------------------------------------------------------------

static void
pmd_register_lcore(bool *registered)
{
    if (!*registered && dpdk_started() && rte_lcore_id() == LCORE_ID_ANY) {
        *registered = rte_thread_register() == 0;
    }
}

static void
pmd_pin(const struct pmd *pmd)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)pmd->core_id, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

// Idle iterations make the next sleep longer, up to the limit; a busy one ends them.
static uint64_t
pmd_sleep(struct pmd *pmd, uint64_t sleep_us, unsigned n)
{
    uint32_t max_us = atomic_load_explicit(&pmd->max_sleep_us, memory_order_relaxed);
    uint64_t start = pmd->now_tsc;

    if (!max_us || n >= SLEEP_MIN_PACKETS || pmd->n_dirty) {
        return 0;
    }
    sleep_us = MIN(sleep_us + 1, (uint64_t)max_us);
    struct timespec ts = {.tv_nsec = (long)(sleep_us * 1000)};
    rcu_offline();
    nanosleep(&ts, NULL);
    rcu_online();
    pmd_refresh_time(pmd);
    perf_add(&pmd->perf, PMD_STAT_SLEEP_ITER, 1);
    perf_add(&pmd->perf, PMD_STAT_SLEEP_CYCLES, pmd->now_tsc - start);
    return sleep_us;
}

void *
pmd_spin_main(void *pmd_)
{
    struct pmd *pmd = pmd_;
    bool registered = false;
    uint64_t sleep_us = 0;

    pmd_pin(pmd);
    pmd_register_lcore(&registered);
    while (!atomic_load_explicit(&pmd->stop, memory_order_relaxed)) {
        const struct poll_list *list = rcu_get(&pmd->poll);
        uint64_t start = pmd->now_tsc;
        unsigned n = 0;

        pmd_obey(pmd);
        for (unsigned i = 0; i < list->n; i++) {
            n += pmd_poll_rxq(pmd, list->rxq[i]);
        }
        bool injected = pmd_run_side_work(pmd);
        pmd_end_iteration(pmd, start, n, injected);
        rcu_quiesce();
        sleep_us = pmd_sleep(pmd, sleep_us, n);
    }
    pmd_flush_all(pmd);
    if (registered) {
        rte_thread_unregister();
    }
    return NULL;
}

// --- the loop of kernel devices -------------------------------------------------------------

static void
epoll_watch(int epoll_fd, int fd, uint32_t index)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = index};

    if (fd >= 0) {
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
    }
}

// A new set for a new list: descriptors that are gone need no farewell.
static void
kernel_watch_list(struct pmd *pmd, const struct poll_list *list)
{
    if (pmd->epoll_fd >= 0) {
        close(pmd->epoll_fd);
    }
    pmd->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_watch(pmd->epoll_fd, pmd->wake_fd, UINT32_MAX);
    for (unsigned i = 0; i < list->n; i++) {
        epoll_watch(pmd->epoll_fd, netdev_rx_fd(list->rxq[i]->netdev, list->rxq[i]->qid), i);
    }
}

// Waits offline.  The result speaks of the list that was watched, which may be gone by now.
static int
kernel_wait(struct pmd *pmd, struct epoll_event *ev, bool work)
{
    work = work || !rte_ring_empty(inject_ring(pmd->inject)) || pmd->n_dirty;
    eventfd_t ignored;
    int n;

    atomic_store(&pmd->asleep, true);
    // As in pmd_wake(): the ring is looked at by plain loads, which Arm may do first.
    atomic_thread_fence(memory_order_seq_cst);
    if (!rte_ring_empty(inject_ring(pmd->inject))) {
        work = true;
    }
    rcu_offline();
    n = epoll_wait(pmd->epoll_fd, ev, KERNEL_EVENTS, work ? 0 : KERNEL_WAIT_MS);
    rcu_online();
    atomic_store(&pmd->asleep, false);
    eventfd_read(pmd->wake_fd, &ignored);
    return n;
}

// Queues to look at although their descriptors may not say so: a device that gives a full burst may
// hold more frames (segments of a super-frame) that the kernel has already delivered.
struct kernel_again {
    unsigned n;
    uint32_t index[2 * KERNEL_EVENTS];
};

static unsigned
kernel_poll(struct pmd *pmd, const struct poll_list *list, uint32_t index,
            struct kernel_again *again)
{
    unsigned total = 0;

    if (index >= list->n) {
        return 0;
    }
    for (int i = 0; i < KERNEL_ROUNDS; i++) {
        unsigned n = pmd_poll_rxq(pmd, list->rxq[index]);
        total += n;
        if (n < NETDEV_MAX_BURST) {
            return total;
        }
    }
    if (again->n < 2 * KERNEL_EVENTS) {
        again->index[again->n++] = index;
    }
    return total;
}

void *
pmd_kernel_main(void *pmd_)
{
    struct pmd *pmd = pmd_;
    const struct poll_list *watched = NULL;
    struct epoll_event ev[KERNEL_EVENTS];
    struct kernel_again again = {0}, now;
    uint64_t watched_seq = 0;
    bool registered = false;

    while (!atomic_load_explicit(&pmd->stop, memory_order_relaxed)) {
        int n_events = watched ? kernel_wait(pmd, ev, again.n > 0) : 0;
        uint64_t seq = atomic_load(&pmd->poll_seq);
        const struct poll_list *list = rcu_get(&pmd->poll);

        pmd_refresh_time(pmd);
        if (!watched || seq != watched_seq) {
            pmd_register_lcore(&registered);
            kernel_watch_list(pmd, list);
            watched = list;
            watched_seq = seq;
            n_events = 0;
            again.n = 0;
            for (uint32_t i = 0; i < list->n && i < KERNEL_EVENTS; i++) {
                again.index[again.n++] = i;
            }
        }
        uint64_t start = pmd->now_tsc;
        unsigned n = 0;
        pmd_obey(pmd);
        now = again;
        again.n = 0;
        for (unsigned i = 0; i < now.n; i++) {
            n += kernel_poll(pmd, list, now.index[i], &again);
        }
        for (int i = 0; i < n_events; i++) {
            n += kernel_poll(pmd, list, ev[i].data.u32, &again);
        }
        bool injected = pmd_run_side_work(pmd);
        pmd_end_iteration(pmd, start, n, injected);
        rcu_quiesce();
    }
    pmd_flush_all(pmd);
    if (pmd->epoll_fd >= 0) {
        close(pmd->epoll_fd);
    }
    if (registered) {
        rte_thread_unregister();
    }
    return NULL;
}
