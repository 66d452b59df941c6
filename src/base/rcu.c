// SPDX-License-Identifier: Apache-2.0
/*
 * Quiescent states by rte_rcu_qsbr, deferred work by one reclaimer thread.
 *
 * rcu_defer() appends to a queue under a lock.  The reclaimer takes the whole queue, starts a grace
 * period for it, waits by polling with a growing sleep (nobody waits for memory to come back), and
 * runs the batch.  'n_queued' and 'n_done' count entries for rcu_barrier().
 */
#include "base/rcu.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <rte_rcu_qsbr.h>

#include "base/bitmap.h"
#include "base/thread.h"

#define GATHER_US 1000

/* Work comes in blocks, so that a million rules are not a million more allocations. */
#define BLOCK_ENTRIES 62

struct deferred {
    rcu_fn *fn;
    void *arg;
};

struct block {
    struct block *next;
    size_t n;
    struct deferred entries[BLOCK_ENTRIES];
};

static struct {
    struct rte_rcu_qsbr *qsbr; /* NULL until rcu_init(). */
    unsigned int max_threads;
    pthread_t reclaimer;
    /* One thread at a time looks whether a grace period is over.  Locks are written on other cores
     * all the time; the line that rcu_quiesce() reads shall not be theirs. */
    pthread_mutex_t check_lock CACHE_ALIGNED;

    pthread_mutex_t lock;      /* Guards the rest. */
    pthread_cond_t work;       /* Something was queued, or 'stop'. */
    pthread_cond_t done;       /* 'n_done' grew. */
    uint64_t *ids;             /* Bitmap of the thread ids in use. */
    struct block *head, *last; /* 'last' may have room for more */
    uint64_t n_queued;
    uint64_t n_done;
    bool stop;
} rcu = {
    .check_lock = PTHREAD_MUTEX_INITIALIZER,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .done = PTHREAD_COND_INITIALIZER,
};

/* What this thread is to the QSBR variable. */
static _Thread_local struct {
    uint32_t id_plus_1; /* 0: not registered */
    unsigned int n_registered;
    bool online;
} self;

static inline uint32_t
self_id(void)
{
    return self.id_plus_1 - 1;
}

static struct block *
take_queue(void)
{
    struct block *batch = rcu.head;

    rcu.head = rcu.last = NULL;
    return batch;
}

static uint64_t
run_batch(struct block *batch)
{
    uint64_t n = 0;

    while (batch != NULL) {
        struct block *b = batch;
        batch = b->next;
        for (size_t i = 0; i < b->n; i++) {
            b->entries[i].fn(b->entries[i].arg);
        }
        n += b->n;
        free(b);
    }
    return n;
}

/* For the time before rcu_init() and after rcu_fini(), when one thread is all there is. */
static void
run_in_place(void)
{
    pthread_mutex_lock(&rcu.lock);
    while (rcu.head != NULL) {
        struct block *batch = take_queue();
        pthread_mutex_unlock(&rcu.lock);
        uint64_t n = run_batch(batch);
        pthread_mutex_lock(&rcu.lock);
        rcu.n_done += n;
    }
    pthread_mutex_unlock(&rcu.lock);
}

static void
wait_grace_period(void)
{
    uint64_t token = rte_rcu_qsbr_start(rcu.qsbr);
    useconds_t sleep_us = 10;

    for (;;) {
        /* DPDK reads and writes the acknowledged token without agreeing on it between checkers. */
        pthread_mutex_lock(&rcu.check_lock);
        bool over = rte_rcu_qsbr_check(rcu.qsbr, token, false) != 0;
        pthread_mutex_unlock(&rcu.check_lock);
        if (over) {
            return;
        }
        usleep(sleep_us);
        sleep_us = MIN(sleep_us * 2, (useconds_t)5000);
    }
}

static void *
reclaimer_main(void *arg)
{
    pthread_mutex_lock(&rcu.lock);
    for (;;) {
        while (rcu.head == NULL && !rcu.stop) {
            pthread_cond_wait(&rcu.work, &rcu.lock);
        }
        if (rcu.head == NULL) {
            break;
        }
        if (!rcu.stop) {
            /* A writer in full swing defers often: let work gather, so that it does not wake this
             * thread each time.  Nobody waits for memory to come back. */
            pthread_mutex_unlock(&rcu.lock);
            usleep(GATHER_US);
            pthread_mutex_lock(&rcu.lock);
        }
        struct block *batch = take_queue();
        pthread_mutex_unlock(&rcu.lock);

        wait_grace_period();
        rcu_online();
        uint64_t n = run_batch(batch);
        rcu_offline();

        pthread_mutex_lock(&rcu.lock);
        rcu.n_done += n;
        pthread_cond_broadcast(&rcu.done);
    }
    pthread_mutex_unlock(&rcu.lock);
    rcu_online();
    return NULL;
}

/* The thread comes up registered and online; it must not hold up the first grace period. */
static void *
reclaimer_start(void *arg)
{
    rcu_offline();
    return reclaimer_main(arg);
}

int
rcu_init(unsigned int max_threads)
{
    size_t size = rte_rcu_qsbr_get_memsize(max_threads);

    if (rcu.qsbr != NULL) {
        return -EALREADY;
    }
    struct rte_rcu_qsbr *qsbr = xzalloc_cacheline(size);
    if (rte_rcu_qsbr_init(qsbr, max_threads) != 0) {
        free(qsbr);
        return -EINVAL;
    }
    rcu.max_threads = max_threads;
    rcu.ids = bitmap_create(max_threads);
    rcu.stop = false;
    rcu.qsbr = qsbr;
    rcu.reclaimer = thread_create("urcu", reclaimer_start, NULL);
    return 0;
}

void
rcu_fini(void)
{
    if (rcu.qsbr == NULL) {
        run_in_place();
        return;
    }
    if (self.online) {
        rcu_offline();
    }
    pthread_mutex_lock(&rcu.lock);
    rcu.stop = true;
    pthread_cond_signal(&rcu.work);
    pthread_mutex_unlock(&rcu.lock);
    pthread_join(rcu.reclaimer, NULL);
    while (self.n_registered > 0) {
        rcu_thread_unregister();
    }
    free(rcu.qsbr);
    free(rcu.ids);
    rcu.qsbr = NULL;
    rcu.ids = NULL;
    run_in_place();
}

void
rcu_thread_register(void)
{
    if (self.n_registered++ > 0 || rcu.qsbr == NULL) {
        return;
    }
    pthread_mutex_lock(&rcu.lock);
    size_t id = bitmap_scan(rcu.ids, false, 0, rcu.max_threads);
    if (id == rcu.max_threads) {
        fprintf(stderr, "ovs-vswitchd: more than %u threads use RCU\n", rcu.max_threads);
        abort();
    }
    bitmap_set(rcu.ids, id);
    rte_rcu_qsbr_thread_register(rcu.qsbr, (unsigned int)id);
    pthread_mutex_unlock(&rcu.lock);
    self.id_plus_1 = (uint32_t)id + 1;
    rcu_online();
}

void
rcu_thread_unregister(void)
{
    if (self.n_registered == 0 || --self.n_registered > 0 || self.id_plus_1 == 0) {
        return;
    }
    rcu_offline();
    pthread_mutex_lock(&rcu.lock);
    rte_rcu_qsbr_thread_unregister(rcu.qsbr, self_id());
    bitmap_clear(rcu.ids, self_id());
    pthread_mutex_unlock(&rcu.lock);
    self.id_plus_1 = 0;
}

void
rcu_online(void)
{
    if (self.id_plus_1 != 0 && !self.online) {
        rte_rcu_qsbr_thread_online(rcu.qsbr, self_id());
    }
    self.online = self.id_plus_1 != 0;
}

void
rcu_offline(void)
{
    if (self.id_plus_1 != 0 && self.online) {
        rte_rcu_qsbr_thread_offline(rcu.qsbr, self_id());
    }
    self.online = false;
}

bool
rcu_is_online(void)
{
    return self.online;
}

void
rcu_quiesce(void)
{
    if (self.online) {
        rte_rcu_qsbr_quiescent(rcu.qsbr, self_id());
    } else if (UNLIKELY(rcu.qsbr == NULL)) {
        run_in_place();
    }
}

void
rcu_defer(rcu_fn *fn, void *arg)
{
    pthread_mutex_lock(&rcu.lock);
    if (rcu.last == NULL || rcu.last->n == BLOCK_ENTRIES) {
        struct block *b = xmalloc(sizeof(*b));

        b->next = NULL;
        b->n = 0;
        if (rcu.last == NULL) {
            rcu.head = b;
            pthread_cond_signal(&rcu.work);
        } else {
            rcu.last->next = b;
        }
        rcu.last = b;
    }
    rcu.last->entries[rcu.last->n++] = (struct deferred){.fn = fn, .arg = arg};
    rcu.n_queued++;
    pthread_mutex_unlock(&rcu.lock);
}

void
rcu_synchronize(void)
{
    if (rcu.qsbr == NULL) {
        run_in_place();
        return;
    }
    bool online = self.online;
    if (online) {
        rcu_offline();
    }
    wait_grace_period();
    if (online) {
        rcu_online();
    }
}

void
rcu_barrier(void)
{
    if (rcu.qsbr == NULL) {
        run_in_place();
        return;
    }
    bool online = self.online;
    if (online) {
        rcu_offline();
    }
    pthread_mutex_lock(&rcu.lock);
    uint64_t target = rcu.n_queued;
    while (rcu.n_done < target) {
        pthread_cond_wait(&rcu.done, &rcu.lock);
    }
    pthread_mutex_unlock(&rcu.lock);
    if (online) {
        rcu_online();
    }
}
