// SPDX-License-Identifier: Apache-2.0
/*
 * pinsched.c - packet-ins that wait for a rate: a bucket of tokens, a queue for each port, and a
 * timer that sends what the bucket allows.  See pinsched.h.
 *
 * Main thread.
 */
#include "ofproto/pinsched.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/uthash.h"

/* What waits is bounded in bytes, too: a message has up to 64 kB. */
#define MAX_BYTES ((size_t)16 << 20)

struct waiting {
    struct waiting *next;
    size_t size;
    uint8_t data[];
};

struct queue {
    UT_hash_handle hh; /* in pinsched->queues, by port, in order of coming */
    ofp_port_t port;
    struct waiting *first, **last;
    size_t n;
};

struct pinsched {
    struct loop *loop;
    struct loop_timer timer; /* runs while something waits */
    pinsched_send_fn *send;
    void *aux;
    int64_t rate;      /* thousandths of packets that come each millisecond */
    int64_t burst;     /* packets */
    int64_t tokens;    /* thousandths of packets */
    int64_t filled_ms; /* when 'tokens' was right */
    struct queue *queues;
    struct queue *turn; /* is next; NULL: the first one */
    size_t n_bytes;
    struct pinsched_stats stats;
};

struct pinsched *
pinsched_create(struct loop *loop, int rate, int burst, pinsched_send_fn *send, void *aux)
{
    struct pinsched *ps = xzalloc(sizeof *ps);

    ps->loop = loop;
    ps->send = send;
    ps->aux = aux;
    ps->filled_ms = clock_now_ms();
    pinsched_set_limits(ps, rate, burst);
    ps->tokens = ps->burst * 1000;
    return ps;
}

/* The oldest message of 'q', taken; the queue goes with its last one. */
static struct waiting *
take(struct pinsched *ps, struct queue *q)
{
    struct waiting *w = q->first;

    q->first = w->next;
    ps->n_bytes -= w->size;
    ps->stats.backlog--;
    if (!--q->n) {
        ps->turn = ps->turn == q ? q->hh.next : ps->turn;
        HASH_DEL(ps->queues, q);
        free(q);
    }
    return w;
}

static void
drop_oldest_of_longest(struct pinsched *ps)
{
    struct queue *longest = ps->queues;

    for (struct queue *q = ps->queues; q; q = q->hh.next) {
        longest = q->n > longest->n ? q : longest;
    }
    free(take(ps, longest));
    ps->stats.dropped++;
}

void
pinsched_destroy(struct pinsched *ps)
{
    if (!ps) {
        return;
    }
    loop_timer_stop(&ps->timer);
    while (ps->queues) {
        free(take(ps, ps->queues));
    }
    free(ps);
}

static void
send_next(struct pinsched *ps)
{
    struct queue *q = ps->turn ? ps->turn : ps->queues;
    struct waiting *w;

    ps->turn = q->hh.next;
    w = take(ps, q);
    ps->send(ps->aux, w->data, w->size);
    free(w);
}

void
pinsched_flush(struct pinsched *ps)
{
    while (ps->queues) {
        send_next(ps);
    }
    loop_timer_stop(&ps->timer);
}

static bool
take_token(struct pinsched *ps)
{
    int64_t now = clock_now_ms();

    ps->tokens = MIN(ps->burst * 1000, ps->tokens + (now - ps->filled_ms) * ps->rate);
    ps->filled_ms = now;
    if (ps->tokens < 1000) {
        return false;
    }
    ps->tokens -= 1000;
    return true;
}

static void
run(void *ps_)
{
    struct pinsched *ps = ps_;

    while (ps->queues && take_token(ps)) {
        send_next(ps);
    }
    if (ps->queues) {
        int64_t missing = 1000 - ps->tokens;

        loop_timer_once(&ps->timer, ps->loop, (missing + ps->rate - 1) / ps->rate, run, ps);
    }
}

void
pinsched_set_limits(struct pinsched *ps, int rate, int burst)
{
    ps->rate = MAX(rate, 1);
    ps->burst = burst > 0 ? burst : MAX(ps->rate / 4, (int64_t)1);
    while (ps->stats.backlog > (uint64_t)ps->burst) {
        drop_oldest_of_longest(ps);
    }
}

static void
wait_in_queue(struct pinsched *ps, ofp_port_t port, const void *data, size_t size)
{
    struct waiting *w = xmalloc(sizeof *w + size);
    struct queue *q;

    HASH_FIND(hh, ps->queues, &port, sizeof port, q);
    if (!q) {
        q = xzalloc(sizeof *q);
        q->port = port;
        HASH_ADD(hh, ps->queues, port, sizeof q->port, q);
    }
    w->next = NULL;
    w->size = size;
    memcpy(w->data, data, size);
    *(q->first ? q->last : &q->first) = w;
    q->last = &w->next;
    q->n++;
    ps->n_bytes += size;
    ps->stats.backlog++;
    ps->stats.queued++;
}

void
pinsched_put(struct pinsched *ps, ofp_port_t port, const void *data, size_t size)
{
    if (!ps->queues && take_token(ps)) {
        ps->stats.bypassed++;
        ps->send(ps->aux, data, size);
        return;
    }
    while (ps->queues &&
           (ps->stats.backlog >= (uint64_t)ps->burst || ps->n_bytes + size > MAX_BYTES)) {
        drop_oldest_of_longest(ps);
    }
    wait_in_queue(ps, port, data, size);
    if (!loop_timer_is_running(&ps->timer)) {
        run(ps);
    }
}

void
pinsched_get_stats(const struct pinsched *ps, struct pinsched_stats *stats)
{
    *stats = ps->stats;
}
