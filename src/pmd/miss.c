// SPDX-License-Identifier: Apache-2.0
//
// The slow stages, masked lookup and upcall, and how much of a PMD's time they may take.
//
// A packet that no megaflow matches asks every subtable of its lane and goes to a handler: some
// thousand cycles, against less than a hundred for an established flow.  Who sends nothing but such
// packets would take the core from the other ports that it serves.  So each queue has credit for
// misses, in cycles, which grows by pmd-miss-share (2 %) of the time.  While *other* queues of the
// PMD have packets waiting, a queue without credit has those packets dropped
// (datapath_drop_miss_share) that no cache knows and whose lane has found little of late: more than
// a quarter of its lookups were misses.  A lane whose lookups succeed is not limited, and neither
// is a queue that nobody waits behind.
//
// What a miss takes is more than the time until it is on its way.  It walks through some hundred
// lines of memory, which the packets after it find gone from the nearest cache: AFTERMATH_NS, from
// the difference between what misses were charged and what was missing of other queues' packets
// (docs/performance.md).  And its answer comes back, which is measured (pmd_note_answer()) and
// charged to who asks next: who floods asks most.  Packets that are refused were received in vain;
// that takes up to half of what the queue's credit grows by.
//
// What is left of a flood's cost is to receive it, and at some 100,000 packets a second a PMD that
// polls a million times meets each packet alone: all lines of memory are cold and nothing overlaps.
// So a queue that had packets refused rests for as long as a good burst takes to come, half a
// millisecond at most.
#include "base/coverage.h"
#include "base/clock.h"
#include "pmd/dp_int.h"

COVERAGE_DEFINE(miss_share_rest); // a queue in debt is not polled for a while

enum {
    REST_BURST = BURST_MAX * 3 / 4, // what a rest is meant to gather
    REST_MIN_SHARE = 8,             // of half a millisecond, the longest rest
    SHARE_UNIT = 1024,
    CREDIT_MAX_PER_SECOND = 256, // credit for so much of a second may be saved up
    AFTERMATH_NS = 1300,         // what a miss costs the packets after it
    REFUSED_NS = 300,            // to receive a packet, look into the caches and drop it
    REFUSED_KEPT_NS = 1000000,   // not charged yet
    MISS_MAX_NS = 3800,
    WAKE_MAX_NS = 20000,      // more, where a handler was asleep
    ANSWER_MAX_NS = 20000,    // of one miss; an answer may go to a hundred ports
    ANSWERS_KEPT_NS = 250000, // not charged yet
    DEBT_SHARE = 5,           // of half a millisecond: a burst of misses
    LANE_MIN_LOOKUPS = 64,    // before a lane is judged
};

// The counter runs with a few gigahertz on x86, with 25 to 1,000 MHz on Arm.
static uint64_t
tsc_of_ns(const struct pmd *pmd, uint64_t ns)
{
    return pmd->half_ms_cycles * ns / 500000;
}

void
pmd_note_backlog(struct pmd *pmd, const struct rxq *rxq)
{
    struct rxq_backlog *latest = &pmd->backlog[0];

    if (latest->rxq != rxq) {
        pmd->backlog[1] = *latest;
        latest->rxq = rxq;
    }
    latest->tsc = pmd->now_tsc;
}

// Did another queue have more than one burst in the last millisecond?
static bool
others_wait(const struct pmd *pmd)
{
    uint64_t recent = 2 * pmd->half_ms_cycles;

    for (unsigned i = 0; i < ARRAY_SIZE(pmd->backlog); i++) {
        const struct rxq_backlog *b = &pmd->backlog[i];
        if (b->rxq && b->rxq != pmd->polling && pmd->now_tsc - b->tsc < recent) {
            return true;
        }
    }
    return false;
}

static void
refill(struct pmd *pmd, struct rxq *rxq, uint32_t share)
{
    int64_t most = (int64_t)(pmd->half_ms_cycles * 2000 / CREDIT_MAX_PER_SECOND);
    uint64_t gone = pmd->now_tsc - rxq->miss_tsc;

    rxq->miss_tsc = pmd->now_tsc;
    // A long pause, the first look included, fills it to the brim.
    if (gone > pmd->half_ms_cycles * 2000) {
        rxq->miss_credit = most;
        rxq->refused_cycles = 0;
        return;
    }
    uint64_t gained = gone * share / SHARE_UNIT;
    uint64_t refused = MIN(rxq->refused_cycles, gained / 2);
    rxq->refused_cycles -= refused;
    rxq->miss_credit = MIN(rxq->miss_credit + (int64_t)(gained - refused), most);
}

// A debt is paid off within milliseconds: then a lane has another chance to show that it finds
// something, say when all flows were made anew.
static void
charge(const struct pmd *pmd, struct rxq *rxq, uint64_t cycles)
{
    int64_t most = (int64_t)(pmd->half_ms_cycles / DEBT_SHARE);

    rxq->miss_credit = MAX(rxq->miss_credit - (int64_t)cycles, -most);
}

void
pmd_note_answer(struct pmd *pmd, uint64_t cycles)
{
    pmd->answer_cycles = MIN(pmd->answer_cycles + cycles, tsc_of_ns(pmd, ANSWERS_KEPT_NS));
}

// What 'n' misses, measured at 'cycles', are charged: more than the bound was somebody else's, the
// kernel's or a hypervisor's.  To wake a handler is a system call and an interrupt to another core,
// which takes as long as ten misses.
static uint64_t
ask_cycles(struct pmd *pmd, uint32_t n, uint64_t cycles)
{
    uint64_t most = n * tsc_of_ns(pmd, MISS_MAX_NS);

    if (pmd->woke_handler) {
        pmd->woke_handler = false;
        most += tsc_of_ns(pmd, WAKE_MAX_NS);
    }
    return MIN(cycles, most);
}

// For 'n' misses on their way: what comes after them, and answers to earlier ones.
static uint64_t
later_cycles(struct pmd *pmd, uint32_t n)
{
    uint64_t answers = MIN(pmd->answer_cycles, n * tsc_of_ns(pmd, ANSWER_MAX_NS));

    pmd->answer_cycles -= answers;
    return answers + n * tsc_of_ns(pmd, AFTERMATH_NS);
}

// The queue rests for as long as a good burst takes to come, if packets go on coming as they did
// since the last burst of which some were refused: all of them, for those that are not refused
// come, too, and wait, and the device has no room for more than some hundred.
static void
begin_rest(struct pmd *pmd, struct rxq *rxq)
{
    uint64_t most = pmd->half_ms_cycles, least = most / REST_MIN_SHARE;
    uint64_t gap = MIN(pmd->now_tsc - rxq->refused_tsc, most);
    uint32_t n_now = pmd->burst.n; // of the queue, whatever recirculated since
    uint64_t seen = atomic_load_explicit(&rxq->n_packets, memory_order_relaxed) + n_now;
    uint64_t n = seen - rxq->refused_seen;

    rxq->refused_tsc = pmd->now_tsc;
    rxq->refused_seen = seen;
    if (n_now < BURST_MAX) { // else there is more already
        uint64_t rest = gap * REST_BURST / MAX(n, UINT64_C(1));
        rxq->rest_tsc = pmd->now_tsc + MIN(MAX(rest, least), most);
        coverage_inc(miss_share_rest);
    }
}

// 'n' packets of this burst are refused.
static void
note_refused(struct pmd *pmd, struct rxq *rxq, uint32_t n)
{
    uint64_t cycles = n * tsc_of_ns(pmd, REFUSED_NS);

    rxq->refused_cycles = MIN(rxq->refused_cycles + cycles, tsc_of_ns(pmd, REFUSED_KEPT_NS));
    if (rxq->rest_tsc <= pmd->now_tsc && !pmd->is_kernel) {
        begin_rest(pmd, rxq);
    }
}

bool
pmd_may_ask(struct pmd *pmd)
{
    uint32_t share = atomic_load_explicit(&pmd->miss_share, memory_order_relaxed);
    struct rxq *rxq = pmd->polling;

    if (!rxq || share >= SHARE_UNIT || !others_wait(pmd)) {
        return true;
    }
    refill(pmd, rxq, share);
    if (rxq->miss_credit > 0) {
        pmd->woke_handler = false;
        return true;
    }
    note_refused(pmd, rxq, 1);
    return false;
}

void
pmd_charge_ask(struct pmd *pmd, uint64_t cycles)
{
    if (pmd->polling) {
        charge(pmd, pmd->polling, ask_cycles(pmd, 1, cycles) + later_cycles(pmd, 1));
    }
}

// One failure in four is enough: who sends each new header twice or thrice finds the flow that the
// first one made.
static bool
lane_finds_little(const struct pmd_lane *l)
{
    return l->n_looked >= LANE_MIN_LOOKUPS && l->n_missed > l->n_looked / 4;
}

// Drops the trains of 'b' that would only use up more; returns their leaders.
static uint32_t
refuse(struct pmd *pmd, const struct burst *b)
{
    struct rte_mbuf *gone[BURST_MAX];
    uint32_t refused = 0, n = 0;

    BURST_FOREACH (leader, b->todo) {
        if (lane_finds_little(b->lane[leader])) {
            memcpy(&gone[n], &b->m[leader], b->run[leader] * sizeof gone[0]);
            n += b->run[leader];
            refused |= UINT32_C(1) << leader;
        }
    }
    if (n) {
        drop_packets(gone, n, DROP_MISS_SHARE);
        perf_add(&pmd->perf, PMD_STAT_LOST, n);
    }
    return refused;
}

static void
look_up_and_ask(struct pmd *pmd, struct burst *b)
{
    uint32_t looked = b->todo;

    dpcls_lookup(pmd, b);
    pmd_stage_end(pmd, PERF_STAGE_DPCLS, burst_count(b, looked));
    if (UNLIKELY(b->todo)) {
        uint64_t start = clock_tsc();
        pmd_upcall_misses(pmd, b);
        pmd_count_upcall_cycles(pmd, clock_tsc() - start);
        pmd_stage_end(pmd, PERF_STAGE_UPCALL, burst_count(b, b->todo));
    }
}

static void
ask_and_charge(struct pmd *pmd, struct burst *b, struct rxq *rxq)
{
    uint64_t start = clock_tsc();
    uint32_t n_looked = (uint32_t)__builtin_popcount(b->todo);

    pmd->woke_handler = false;
    look_up_and_ask(pmd, b);
    uint32_t n_missed = (uint32_t)__builtin_popcount(b->todo);
    if (n_missed) {
        uint64_t cycles = (clock_tsc() - start) * n_missed / n_looked;
        charge(pmd, rxq,
               ask_cycles(pmd, n_missed, cycles) + later_cycles(pmd, burst_count(b, b->todo)));
    }
}

static void
limited_slow_stages(struct pmd *pmd, struct burst *b, struct rxq *rxq)
{
    uint32_t refused = rxq->miss_credit > 0 ? 0 : refuse(pmd, b);

    if (refused) {
        note_refused(pmd, rxq, burst_count(b, refused));
    }
    b->todo &= ~refused;
    if (b->todo) {
        ask_and_charge(pmd, b, rxq);
    }
    b->todo |= refused; // gone, like those that went to a handler
}

void
pmd_slow_stages(struct pmd *pmd, struct burst *b)
{
    uint32_t share = atomic_load_explicit(&pmd->miss_share, memory_order_relaxed);
    struct rxq *rxq = pmd->polling;

    if (!rxq || share >= SHARE_UNIT || !others_wait(pmd)) {
        look_up_and_ask(pmd, b);
        return;
    }
    refill(pmd, rxq, share);
    limited_slow_stages(pmd, b, rxq);
}
