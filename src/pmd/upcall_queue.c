// SPDX-License-Identifier: Apache-2.0
//
// Misses between PMDs and handlers (see upcall.h).  Each port owns its upcalls: a ring of free
// ones, a ring of waiting ones, and the memory of both, so that a port that floods runs out of its
// own.  A bitmap says which ports have work; a handler serves the ports whose number modulo the
// number of handlers is its own, which also keeps the packets of a port in order.  PMDs never
// block: where no upcall is free, the packet is dropped and counted.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/limits_report.h"
#include "base/thread.h"
#include "pmd/dp_int.h"
#include "pmd/ring.h"

COVERAGE_DEFINE(handler_woken); // by a PMD: a system call, and an interrupt to the other core

enum {
    UPCALL_RING = UPCALL_MAX_WAITING + 1,
    UPCALL_PORTS = DP_MAX_PORTS + 1, // the last: packets from no port of ours
    UPCALL_MAX_HANDLERS = 64,
    UPCALL_INLINE_BATCH = 64,
};

struct upcall_slot {
    struct upcall up; // first: upcall_free() gets its address
    struct upcall_port *home;
};

struct upcall_port {
    struct rte_ring *free, *waiting;
    struct upcall_slot *slots; // mapped, touched as used
    _Atomic bool gone;         // its port is deleted
    _Atomic uint32_t n_refs;   // upcalls not in 'free', and the port until it is deleted
    _Atomic uint64_t most;     /* that waited at once; pmd: w, main: r */
};

struct upcall_handler {
    int event_fd;
    _Atomic bool asleep;
    uint32_t cursor;
} CACHE_ALIGNED;

struct upcall_queues {
    RCU_PTR(struct upcall_port) ports[UPCALL_PORTS];
    _Atomic uint64_t pending[DIV_ROUND_UP(UPCALL_PORTS, 64)]; // ports with work
    _Atomic unsigned n_handlers;
    _Atomic uint64_t wake_seq;
    upcall_inline_fn *inline_fn;
    void *inline_aux;
    struct upcall_handler handlers[UPCALL_MAX_HANDLERS];
};

static struct upcall_port *
port_create(void)
{
    struct upcall_port *p = xzalloc(sizeof *p);

    atomic_init(&p->n_refs, 1);
    p->free = ring_create(UPCALL_RING, 0);
    p->waiting = ring_create(UPCALL_RING, 0);
    p->slots = mmap(NULL, UPCALL_RING * sizeof *p->slots, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p->slots == MAP_FAILED) {
        abort();
    }
    for (unsigned i = 0; i < UPCALL_RING - 1; i++) {
        ring_put(p->free, &p->slots[i]);
    }
    return p;
}

static void
port_free(void *p_)
{
    struct upcall_port *p = p_;

    munmap(p->slots, UPCALL_RING * sizeof *p->slots);
    ring_destroy(p->free);
    ring_destroy(p->waiting);
    free(p);
}

struct upcall_queues *
upcall_queues_create(void)
{
    struct upcall_queues *q = xzalloc_cacheline(sizeof *q);

    for (unsigned i = 0; i < UPCALL_MAX_HANDLERS; i++) {
        q->handlers[i].event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    rcu_assign(&q->ports[DP_MAX_PORTS], port_create());
    return q;
}

static void
port_drain(struct upcall_port *p)
{
    struct upcall_slot *s;

    while ((s = ring_take(p->waiting))) {
        drop_packet(s->up.mbuf, DROP_UPCALL_ERROR);
        atomic_fetch_sub(&p->n_refs, 1); // never the last: the caller has one
    }
}

void
upcall_queues_destroy(struct upcall_queues *q)
{
    for (unsigned i = 0; i < UPCALL_PORTS; i++) {
        struct upcall_port *p = rcu_get_protected(&q->ports[i]);
        if (p) {
            port_drain(p);
            port_free(p);
        }
    }
    for (unsigned i = 0; i < UPCALL_MAX_HANDLERS; i++) {
        close(q->handlers[i].event_fd);
    }
    free(q);
}

void
upcall_port_add(struct dp *dp, odp_port_t odp)
{
    rcu_assign(&dp->upcalls->ports[odp], port_create());
}

static void
port_unref(struct upcall_port *p, uint32_t n)
{
    if (atomic_fetch_sub(&p->n_refs, n) == n) {
        rcu_defer(port_free, p);
    }
}

void
upcall_ports_del(struct dp *dp, const odp_port_t *odps, size_t n)
{
    struct upcall_port **gone = xcalloc(n, sizeof *gone);

    for (size_t i = 0; i < n; i++) {
        gone[i] = rcu_get_protected(&dp->upcalls->ports[odps[i]]);
        rcu_assign(&dp->upcalls->ports[odps[i]], NULL);
    }
    rcu_synchronize();
    for (size_t i = 0; i < n; i++) {
        atomic_store(&gone[i]->gone, true);
        port_drain(gone[i]);
        port_unref(gone[i], 1);
    }
    free(gone);
}

unsigned
upcall_port_waiting(const struct dp *dp, odp_port_t odp, uint64_t *most)
{
    const struct upcall_port *p = rcu_get(&dp->upcalls->ports[odp]);

    *most = p ? atomic_load_explicit(&p->most, memory_order_relaxed) : 0;
    return p ? rte_ring_count(p->waiting) : 0;
}

// --- PMD side -------------------------------------------------------------------------------

static unsigned
port_index(odp_port_t in_port)
{
    return in_port < DP_MAX_PORTS ? in_port : DP_MAX_PORTS;
}

static struct upcall_port *
port_for(struct upcall_queues *q, unsigned *index)
{
    struct upcall_port *p = rcu_get(&q->ports[*index]);

    if (!p) {
        *index = DP_MAX_PORTS;
        p = rcu_get(&q->ports[DP_MAX_PORTS]);
    }
    return p;
}

static void
handler_notify(struct pmd *pmd, struct upcall_queues *q, unsigned index)
{
    unsigned n_handlers = atomic_load_explicit(&q->n_handlers, memory_order_acquire);

    if (n_handlers) {
        struct upcall_handler *h = &q->handlers[index % n_handlers];
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&h->asleep, memory_order_relaxed) &&
            atomic_exchange(&h->asleep, false)) {
            thread_wake(h->event_fd);
            coverage_inc(handler_woken);
            pmd->woke_handler = true;
        }
    }
}

// An upcall to fill, or NULL with the packet dropped and counted.
static struct upcall_slot *
upcall_alloc(struct pmd *pmd, struct upcall_port *p, struct rte_mbuf *m)
{
    struct upcall_slot *s = ring_take(p->free);

    if (UNLIKELY(!s)) {
        drop_packet(m, DROP_UPCALL_ERROR);
        return NULL;
    }
    atomic_fetch_add_explicit(&p->n_refs, 1, memory_order_relaxed);
    s->home = p;
    s->up.mbuf = m;
    s->up.pmd_index = (uint16_t)pmd->index;
    return s;
}

static void
upcall_enqueue(struct upcall_queues *q, unsigned index, struct upcall_slot *s)
{
    uint64_t bit = UINT64_C(1) << (index % 64);

    ring_put(s->home->waiting, s);
    limit_note(&s->home->most, rte_ring_count(s->home->waiting));
    // Who finds the bit set counts on a handler that takes it away before it looks into the ring,
    // so the packet must be there before the look at the bit.  Pairs with the fence in port_take().
    atomic_thread_fence(memory_order_seq_cst);
    if (!(atomic_load(&q->pending[index / 64]) & bit)) {
        atomic_fetch_or(&q->pending[index / 64], bit);
    }
}

static unsigned
upcall_miss(struct pmd *pmd, struct upcall_queues *q, const struct burst *b, uint32_t i)
{
    const struct flow_key *k = &b->key[i];
    unsigned index = port_index((odp_port_t)k->w[0]);
    struct upcall_slot *s = upcall_alloc(pmd, port_for(q, &index), b->m[i]);

    if (s) {
        s->up.type = UPCALL_MISS;
        s->up.depth = b->depth;
        s->up.layers = b->ly[i];
        memcpy(&s->up.key, k, flow_key_size(k));
        upcall_enqueue(q, index, s);
        pmd->perf.current.n_upcalls++;
    }
    perf_add(&pmd->perf, s ? PMD_STAT_MISS : PMD_STAT_LOST, 1);
    return index;
}

// Takes the packets of the trains in b->todo; all came from one port, or from recirculation.
void
pmd_upcall_misses(struct pmd *pmd, struct burst *b)
{
    struct upcall_queues *q = pmd->dp->upcalls;
    unsigned index = UPCALL_PORTS;

    BURST_FOREACH (leader, b->todo) {
        for (uint32_t i = leader; i < leader + b->run[leader]; i++) {
            unsigned to = upcall_miss(pmd, q, b, i);
            if (index != UPCALL_PORTS && to != index) {
                handler_notify(pmd, q, index);
            }
            index = to;
        }
    }
    handler_notify(pmd, q, index);
}

void
pmd_upcall_action(struct pmd *pmd, struct rte_mbuf *m, const struct packet_md *md,
                  const struct dp_act_userspace *act, uint8_t depth)
{
    struct upcall_queues *q = pmd->dp->upcalls;
    unsigned index = port_index(md->in_port);
    struct upcall_slot *s = upcall_alloc(pmd, port_for(q, &index), m);

    if (!s) {
        return;
    }
    s->up.type = UPCALL_ACTION;
    s->up.depth = depth;
    s->up.userspace = *act;
    if (key_extract_md(m, md, &s->up.key, &s->up.layers) != EXTRACT_OK) {
        s->up.mbuf = NULL;
        upcall_free(pmd->dp, &s->up);
        drop_packet(m, DROP_USERSPACE_ACTION);
        return;
    }
    upcall_enqueue(q, index, s);
    handler_notify(pmd, q, index);
}

// --- handler side ---------------------------------------------------------------------------

static unsigned
port_take(struct upcall_queues *q, unsigned index, struct upcall **out, unsigned max)
{
    atomic_fetch_and(&q->pending[index / 64], ~(UINT64_C(1) << (index % 64)));
    // Pairs with the fence in upcall_enqueue(): either we see its packet, or it sees the bit gone
    // and sets it again.  The fetch_and alone does not keep later loads of other places from being
    // done before its store (aarch64).
    atomic_thread_fence(memory_order_seq_cst);
    struct upcall_port *p = rcu_get(&q->ports[index]);
    if (!p) {
        return 0;
    }
    unsigned n = ring_take_burst(p->waiting, (void **)out, max);
    if (!rte_ring_empty(p->waiting)) {
        atomic_fetch_or(&q->pending[index / 64], UINT64_C(1) << (index % 64));
    }
    return n;
}

// The next port with work from 'from' on (cyclic) that is handler 'h's, or UPCALL_PORTS.
static unsigned
next_pending(struct upcall_queues *q, unsigned h, unsigned n_handlers, unsigned from)
{
    const unsigned n_words = ARRAY_SIZE(q->pending);

    for (unsigned k = 0; k <= n_words; k++) {
        unsigned word = (from / 64 + k) % n_words;
        uint64_t bits = atomic_load(&q->pending[word]);
        if (k == 0) {
            bits &= UINT64_MAX << (from % 64);
        }
        for (; bits; bits &= bits - 1) {
            unsigned index = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (index % n_handlers == h) {
                return index;
            }
        }
    }
    return UPCALL_PORTS;
}

static unsigned
count_pending(struct upcall_queues *q, unsigned h, unsigned n_handlers)
{
    unsigned n = 0;

    for (unsigned word = 0; word < ARRAY_SIZE(q->pending); word++) {
        for (uint64_t bits = atomic_load(&q->pending[word]); bits; bits &= bits - 1) {
            n += (word * 64 + (unsigned)__builtin_ctzll(bits)) % n_handlers == h;
        }
    }
    return n;
}

static unsigned
upcalls_take(struct upcall_queues *q, unsigned h, unsigned n_handlers, uint32_t *cursor,
             struct upcall **out, unsigned max)
{
    unsigned n_ports = count_pending(q, h, n_handlers);
    unsigned n = 0;

    if (!n_ports) {
        return 0;
    }
    unsigned share = MAX(max / n_ports, 1u);
    while (n < max) {
        unsigned index = next_pending(q, h, n_handlers, *cursor);
        if (index == UPCALL_PORTS) {
            break;
        }
        n += port_take(q, index, &out[n], MIN(share, max - n));
        *cursor = (index + 1) % UPCALL_PORTS;
    }
    return n;
}

unsigned
upcall_wait(struct dp *dp, unsigned handler, struct upcall **out, unsigned max, int timeout_ms)
{
    struct upcall_queues *q = dp->upcalls;
    struct upcall_handler *h = &q->handlers[handler % UPCALL_MAX_HANDLERS];
    unsigned n_handlers = MAX(atomic_load(&q->n_handlers), 1u);
    uint64_t seq = atomic_load(&q->wake_seq);
    unsigned n = upcalls_take(q, handler, n_handlers, &h->cursor, out, max);

    if (n || !timeout_ms) {
        return n;
    }
    atomic_store(&h->asleep, true);
    n = upcalls_take(q, handler, n_handlers, &h->cursor, out, max);
    if (!n && seq == atomic_load(&q->wake_seq)) {
        struct pollfd pfd = {.fd = h->event_fd, .events = POLLIN};
        eventfd_t ignored;
        rcu_offline();
        poll(&pfd, 1, timeout_ms);
        eventfd_read(h->event_fd, &ignored);
        rcu_online();
        n_handlers = MAX(atomic_load(&q->n_handlers), 1u);
        n = upcalls_take(q, handler, n_handlers, &h->cursor, out, max);
    }
    atomic_store(&h->asleep, false);
    return n;
}

void
upcall_wake(struct dp *dp)
{
    struct upcall_queues *q = dp->upcalls;

    atomic_fetch_add(&q->wake_seq, 1);
    for (unsigned i = 0; i < UPCALL_MAX_HANDLERS; i++) {
        thread_wake(q->handlers[i].event_fd);
    }
}

void
upcall_free(struct dp *dp, struct upcall *up)
{
    upcall_free_all(dp, &up, 1);
}

static struct upcall_port *
upcall_home(const struct upcall *up)
{
    return ((const struct upcall_slot *)up)->home;
}

void
upcall_free_all(struct dp *dp, struct upcall **ups, unsigned n)
{
    for (unsigned i = 0, first = 0; i < n; first = i) {
        struct upcall_port *p = upcall_home(ups[i]);
        for (; i < n && upcall_home(ups[i]) == p; i++) {
            rte_pktmbuf_free(ups[i]->mbuf);
        }
        if (!atomic_load(&p->gone)) {
            ring_put_all(p->free, (void *const *)&ups[first], i - first);
        }
        port_unref(p, i - first);
    }
}

void
upcall_set_inline(struct dp *dp, upcall_inline_fn *fn, void *aux)
{
    dp->upcalls->inline_aux = aux;
    __atomic_store_n(&dp->upcalls->inline_fn, fn, __ATOMIC_RELEASE);
}

void
upcall_set_n_handlers(struct dp *dp, unsigned n)
{
    atomic_store(&dp->upcalls->n_handlers, MIN(n, (unsigned)UPCALL_MAX_HANDLERS));
    upcall_wake(dp);
}

// Without handlers: what the PMD's bursts left is translated here and now.
void
pmd_run_inline_upcalls(struct pmd *pmd)
{
    struct upcall_queues *q = pmd->dp->upcalls;
    upcall_inline_fn *fn = __atomic_load_n(&q->inline_fn, __ATOMIC_ACQUIRE);
    struct upcall *up[UPCALL_INLINE_BATCH];
    uint32_t cursor = 0;
    unsigned n;

    if (!fn || atomic_load_explicit(&q->n_handlers, memory_order_relaxed)) {
        return;
    }
    n = upcalls_take(q, 0, 1, &cursor, up, UPCALL_INLINE_BATCH);
    if (n) {
        uint64_t start = clock_tsc();
        fn(up, n, q->inline_aux);
        pmd_count_upcall_cycles(pmd, clock_tsc() - start);
    }
}
