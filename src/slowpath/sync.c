// SPDX-License-Identifier: Apache-2.0
/*
 * sync.c - "tell me when the datapath follows": barriers, revalidator/wait, fresh statistics.
 *
 * Main thread.  A barrier is answered at once where main itself can make the flows follow
 * (revalidator_follow()).  Else a request asks for a revalidator pass that begins after it, and is
 * answered from the loop when that pass is over.  Many requests may be answered by one pass.
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
sync_is_idle(const struct slowpath *sp)
{
    return !sp->waiters && !dp_n_flows(sp->dp) && !handlers_lag(sp, ofprotos_seq(sp->ofprotos));
}

bool
sync_try(void *slowpath_)
{
    struct slowpath *sp = slowpath_;
    uint64_t seq = ofprotos_seq(sp->ofprotos);

    if (atomic_load_explicit(&sp->followed_seq, memory_order_acquire) >= seq) {
        return true;
    }
    if (!dp_n_flows(sp->dp)) {
        /* In this order: a flow of an older translation is counted before it is put in the index.
         */
        flow_index_set_seq(sp->index, seq);
        if (sync_is_idle(sp)) {
            return true;
        }
    }
    return revalidator_follow(sp);
}

static void
request(struct slowpath *sp, enum pass_kind kind, ofproto_sync_done_fn *done, void *aux)
{
    sp->asked_seq = ofprotos_seq(sp->ofprotos);
    waiter_add(sp, revalidators_request(sp, kind), done, aux);
}

void
sync_follow(void *slowpath_, ofproto_sync_done_fn *done, void *aux)
{
    struct slowpath *sp = slowpath_;

    if (sync_try(sp)) {
        loop_post(sp->loop, done, aux);
    } else {
        request(sp, PASS_FOLLOW, done, aux);
    }
}

/* All changes of one turn of the loop together, unless a barrier's pass takes them first.  Many
 * turns together where one comes after the other, if rules are all that they change: who waits for
 * ovs-vsctl expects that the packets follow, too. */
static void
follow_later(void *slowpath_)
{
    struct slowpath *sp = slowpath_;

    if (atomic_load_explicit(&sp->followed_seq, memory_order_acquire) >=
        ofprotos_seq(sp->ofprotos)) {
        return; /* A barrier came with the changes. */
    }
    if (pace_rests(&sp->pace) && dp_n_flows(sp->dp) && !ofprotos_has_other_changes(sp->ofprotos)) {
        revalidators_request_soon(sp);
    } else if (!sync_try(sp) && sp->asked_seq < ofprotos_seq(sp->ofprotos)) {
        sp->asked_seq = ofprotos_seq(sp->ofprotos);
        revalidators_request(sp, PASS_FOLLOW);
    }
}

void
sync_changed(void *slowpath_)
{
    struct slowpath *sp = slowpath_;

    loop_defer(sp->loop, follow_later, sp);
}

void
sync_request(void *slowpath_, ofproto_sync_done_fn *done, void *aux)
{
    struct slowpath *sp = slowpath_;

    if (sync_is_idle(sp)) {
        loop_post(sp->loop, done, aux);
    } else {
        request(sp, PASS_WALK, done, aux);
    }
}

void
sync_purge(struct slowpath *sp, ofproto_sync_done_fn *done, void *aux)
{
    waiter_add(sp, revalidators_request(sp, PASS_PURGE), done, aux);
}

void
sync_drop(struct slowpath *sp)
{
    loop_cancel(sp->loop, sync_passes_finished, sp);
    loop_cancel(sp->loop, follow_later, sp);
    while (sp->waiters) {
        struct sync_waiter *w = sp->waiters;

        sp->waiters = w->next;
        free(w);
    }
}
