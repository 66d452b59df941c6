// SPDX-License-Identifier: Apache-2.0
/*
 * sync.c - "tell me when the datapath follows": barriers, revalidator/wait, fresh statistics.
 *
 * Main thread.  Each request asks for a revalidator pass that begins after it, and is answered from
 * the loop when that pass is over.  Many requests may be answered by one pass.
 */
#include <string.h>

#include "base/util.h"
#include "slowpath/slowpath_int.h"

static void
waiter_add(struct slowpath *sp, uint64_t pass, ofproto_sync_done_fn *done, void *aux)
{
    struct sync_waiter *w = xzalloc(sizeof *w);
    struct sync_waiter **last = &sp->waiters;

    w->pass = pass;
    w->done = done;
    w->aux = aux;
    while (*last) {
        last = &(*last)->next;
    }
    *last = w;
}

void
sync_passes_finished(void *slowpath_)
{
    struct slowpath *sp = slowpath_;
    uint64_t finished;

    pthread_mutex_lock(&sp->lock);
    finished = sp->finished;
    pthread_mutex_unlock(&sp->lock);
    while (sp->waiters && sp->waiters->pass <= finished) {
        struct sync_waiter *w = sp->waiters;

        sp->waiters = w->next;
        w->done(w->aux);
        free(w);
    }
}

/* Nothing is installed and no handler is about to install: the next packet is a miss, and will be
 * translated by the tables as they are now. */
bool
sync_is_idle(void *slowpath_)
{
    const struct slowpath *sp = slowpath_;

    return !sp->waiters && !dp_n_flows(sp->dp) && !handlers_lag(sp, ofprotos_seq(sp->ofprotos));
}

void
sync_request(void *slowpath_, ofproto_sync_done_fn *done, void *aux)
{
    struct slowpath *sp = slowpath_;

    if (sync_is_idle(sp)) {
        loop_post(sp->loop, done, aux);
        return;
    }
    waiter_add(sp, revalidators_request(sp, false), done, aux);
}

void
sync_purge(struct slowpath *sp, ofproto_sync_done_fn *done, void *aux)
{
    waiter_add(sp, revalidators_request(sp, true), done, aux);
}

void
sync_drop(struct slowpath *sp)
{
    loop_cancel(sp->loop, sync_passes_finished, sp);
    while (sp->waiters) {
        struct sync_waiter *w = sp->waiters;

        sp->waiters = w->next;
        free(w);
    }
}
