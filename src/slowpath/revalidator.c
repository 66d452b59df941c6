// SPDX-License-Identifier: Apache-2.0
/*
 * revalidator.c - revalidator threads: passes over the flow table.
 *
 * The first thread leads: it waits until a pass is due (by the clock, or because rules changed and
 * somebody waits for the datapath to follow), takes the list of changes, and then all threads go
 * through their parts of the table together.  A flow is translated anew only if one of the changes
 * can matter to it (xlate_deps_affected()).  When a pass is over, the flow table is right for all
 * changes that had been committed when it began; that is what a barrier waits for.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/rcu.h"
#include "base/util.h"
#include "flow/extract.h"
#include "flow/key.h"
#include "slowpath/slowpath_int.h"

LOG_MODULE(ofproto_dpif_upcall);

COVERAGE_DEFINE(revalidator_translated);
COVERAGE_DEFINE(revalidator_changed);
COVERAGE_DEFINE(revalidator_deleted);
COVERAGE_DEFINE(revalidator_expired);

enum {
    LIMIT_STEP = 1000,
    LIMIT_MIN = 1000,
    SLOW_DUMP_MS = 1300,       /* a pass longer than this lowers the limit */
    VERY_SLOW_DUMP_MS = 2000,
    QUICK_DUMP_MS = 1000,
    OVER_LIMIT_IDLE_MS = 100,  /* idle time allowed above the limit */
    COSTLY_DUMP_MS = 200,      /* from here on min-revalidate-pps counts */
};

/* --- one flow ----------------------------------------------------------------------------- */

struct part_ctx {
    struct slowpath *sp;
    uint64_t n;
};

static void
flow_delete(struct slowpath *sp, struct dp_flow *flow, struct ukey *ukey)
{
    struct dp_flow_stats stats;

    dp_flow_set_aux(flow, NULL);
    dp_flow_del(sp->dp, flow, &stats);
    if (ukey) {
        ukey_push(ukey, &stats);
        rcu_defer(ukey_destroy, ukey);
    }
    coverage_inc(revalidator_deleted);
}

void
revalidator_expel(struct dp *dp, struct dp_flow *flow, void *slowpath_)
{
    struct slowpath *sp = slowpath_;

    (void)dp;
    pthread_mutex_lock(&sp->pass_lock);
    if (!dp_flow_is_dead(flow)) {
        flow_delete(sp, flow, dp_flow_aux(flow));
    }
    pthread_mutex_unlock(&sp->pass_lock);
}

/* True if the installed megaflow looks at every bit that the new translation consulted. */
static bool
mask_is_subset(const struct flow_mask *part, const struct flow_mask *whole)
{
    uint64_t missing = 0;

    for (unsigned i = 0; i < FLOW_KEY_WORDS; i++) {
        missing |= part->bits.w[i] & ~whole->bits.w[i];
    }
    return !missing;
}

static bool
actions_equal(const struct dp_actions *a, const struct dp_actions *b)
{
    return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

/* Translates the megaflow anew.  False if it has to go. */
static bool
flow_retranslate(struct slowpath *sp, struct dp_flow *flow, struct ukey *ukey)
{
    struct flow_mask mask;
    struct flow key;
    struct xlate_in in = {.ofprotos = sp->ofprotos, .flow = &key, .want_cache = true};
    struct xlate_out out;
    struct dp_actions slow;
    const struct dp_actions *actions;
    bool keep;

    dp_flow_get_key(flow, &key, &mask);
    xlate(&in, &out);
    coverage_inc(revalidator_translated);
    keep = !out.drop_unknown && mask_is_subset(&out.mask, &mask);
    if (keep) {
        actions = slowpath_actions(&out, &slow);
        if (!actions_equal(actions, dp_flow_actions(flow))) {
            coverage_inc(revalidator_changed);
            keep = !dp_flow_set_actions(sp->dp, flow, actions);
        }
        dp_actions_fini(&slow);
        xlate_cache_destroy(ukey->cache);
        xlate_deps_destroy(ukey->deps);
        ukey->cache = out.cache;
        ukey->deps = out.deps;
        out.cache = NULL;
        out.deps = NULL;
    }
    xlate_out_fini(&out);
    return keep;
}

static bool
flow_is_affected(const struct pass *pass, struct dp_flow *flow, const struct ukey *ukey)
{
    struct flow_mask mask;
    struct flow key;

    if (ukey->seq >= pass->seq && ukey->state_seq == pass->state_seq) {
        return false;
    }
    if (ukey->seq < pass->prev_seq) {
        return true; /* It came between: the list of changes does not go back far enough. */
    }
    dp_flow_get_key(flow, &key, &mask);
    return xlate_deps_affected(ukey->deps, &key, &mask, pass->changes, pass->n_changes);
}

/* A flow that hardly carries anything is not worth a translation when passes take long. */
static bool
flow_is_too_quiet(struct slowpath *sp, const struct ukey *ukey, const struct dp_flow_stats *stats)
{
    int min_pps = atomic_load_explicit(&sp->settings.min_revalidate_pps, memory_order_relaxed);
    int64_t age_ms = sp->pass.now_ms - ukey->created_ms;

    return min_pps > 0 && age_ms > 1000
           && atomic_load_explicit(&sp->dump_duration_ms, memory_order_relaxed) > COSTLY_DUMP_MS
           && stats->n_packets * 1000 / (uint64_t)age_ms < (uint64_t)min_pps;
}

static bool
revalidate_flow(struct dp *dp, struct dp_flow *flow, void *ctx_)
{
    struct part_ctx *ctx = ctx_;
    struct slowpath *sp = ctx->sp;
    const struct pass *pass = &sp->pass;
    struct ukey *ukey = dp_flow_aux(flow);
    struct dp_flow_stats stats;
    int64_t used_ms;

    (void)dp;
    ctx->n++;
    if (!ukey) {
        /* A handler is about to finish it, or it was put by hand (dpctl/add-flow): such flows stay
         * until somebody deletes them. */
        if (pass->purge) {
            flow_delete(sp, flow, NULL);
        }
        return true;
    }
    dp_flow_get_stats(flow, &stats);
    ukey_push(ukey, &stats);
    used_ms = stats.used_ms ? (int64_t)stats.used_ms : ukey->created_ms;
    if (pass->purge) {
        flow_delete(sp, flow, ukey);
    } else if (pass->now_ms - used_ms > pass->max_idle_ms) {
        coverage_inc(revalidator_expired);
        flow_delete(sp, flow, ukey);
    } else if (flow_is_affected(pass, flow, ukey)
               && (flow_is_too_quiet(sp, ukey, &stats) || !flow_retranslate(sp, flow, ukey))) {
        flow_delete(sp, flow, ukey);
    } else {
        ukey->seq = MAX(ukey->seq, pass->seq);
        ukey->state_seq = pass->state_seq;
    }
    return true;
}

void
revalidate_part(struct slowpath *sp, struct revalidator *r, unsigned n_parts)
{
    struct part_ctx ctx = {.sp = sp};

    dp_flow_walk(sp->dp, r->index, n_parts, revalidate_flow, &ctx);
    atomic_store_explicit(&r->n_keys, ctx.n, memory_order_relaxed);
}

/* --- the limit on flows ------------------------------------------------------------------- */

/* A pass that takes long lowers the number of flows that may be installed, quick ones raise it
 * again up to the configured limit. */
static void
adapt_limit(struct slowpath *sp, int64_t duration_ms)
{
    uint64_t ceiling = atomic_load_explicit(&sp->settings.flow_limit, memory_order_relaxed);
    uint64_t limit = dp_flow_limit(sp->dp);

    if (duration_ms > VERY_SLOW_DUMP_MS) {
        limit = limit * 1000 / (uint64_t)duration_ms;
    } else if (duration_ms > SLOW_DUMP_MS) {
        limit = limit / 4 * 3;
    } else if (duration_ms < QUICK_DUMP_MS) {
        limit += LIMIT_STEP + limit / 8;
    }
    limit = MAX(limit, (uint64_t)LIMIT_MIN);
    dp_set_flow_limit(sp->dp, MIN(limit, ceiling));
}

static void
count_flows(struct slowpath *sp)
{
    uint64_t n = dp_n_flows(sp->dp);
    uint64_t avg = atomic_load_explicit(&sp->avg_flows, memory_order_relaxed);

    atomic_store_explicit(&sp->n_flows, n, memory_order_relaxed);
    atomic_store_explicit(&sp->avg_flows, (avg + n) / 2, memory_order_relaxed);
    if (n > atomic_load_explicit(&sp->max_flows, memory_order_relaxed)) {
        atomic_store_explicit(&sp->max_flows, n, memory_order_relaxed);
    }
}

/* --- passes ------------------------------------------------------------------------------- */

/* Sleeps until a pass is due.  Returns false when the threads are to end; else the number of
 * requests that the pass answers is in '*answers'. */
static bool
wait_for_work(struct slowpath *sp, uint64_t *answers)
{
    int period_ms = atomic_load_explicit(&sp->settings.max_revalidator_ms, memory_order_relaxed);
    struct timespec until;
    bool go_on;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += period_ms / 1000;
    until.tv_nsec += (long)(period_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&sp->lock);
    while (!sp->stop_revalidators
           && (sp->paused || (sp->requested == sp->finished))) {
        if (pthread_cond_timedwait(&sp->wanted, &sp->lock, &until) == ETIMEDOUT && !sp->paused) {
            break;
        }
        if (sp->paused && !sp->stop_revalidators) {
            pthread_cond_wait(&sp->wanted, &sp->lock);
        }
    }
    go_on = !sp->stop_revalidators;
    *answers = sp->requested;
    sp->pass.purge = sp->purge_requested;
    sp->purge_requested = false;
    pthread_mutex_unlock(&sp->lock);
    return go_on;
}

static void
pass_begin(struct slowpath *sp)
{
    struct pass *pass = &sp->pass;
    bool over_limit = dp_n_flows(sp->dp) > dp_flow_limit(sp->dp);

    pthread_mutex_lock(&sp->pass_lock);
    pass->prev_seq = pass->seq;
    pass->changes = ofprotos_take_changes(sp->ofprotos, &pass->n_changes, &pass->seq);
    if (!pass->n_changes) {
        pass->seq = MAX(pass->seq, pass->prev_seq);
    }
    pass->state_seq = xlate_state_seq();
    pass->now_ms = clock_now_ms();
    pass->max_idle_ms = over_limit ? OVER_LIMIT_IDLE_MS
                                   : atomic_load_explicit(&sp->settings.max_idle_ms,
                                                          memory_order_relaxed);
    /* What a handler translated before the changes must be in the table before it is walked. */
    while (handlers_lag(sp, pass->seq)) {
        sched_yield();
    }
}

static void
pass_end(struct slowpath *sp, uint64_t answers)
{
    struct pass *pass = &sp->pass;
    int64_t duration_ms = clock_now_ms() - pass->now_ms;

    for (size_t i = 0; i < pass->n_changes; i++) {
        rule_unref(pass->changes[i].rule);
    }
    free(pass->changes);
    pass->changes = NULL;
    pass->n_changes = 0;
    atomic_store_explicit(&sp->dump_duration_ms, (uint64_t)duration_ms, memory_order_relaxed);
    adapt_limit(sp, duration_ms);
    count_flows(sp);
    pthread_mutex_unlock(&sp->pass_lock);
    pthread_mutex_lock(&sp->lock);
    bool answered = answers != sp->finished;
    sp->finished = answers;
    pthread_mutex_unlock(&sp->lock);
    if (answered) {
        loop_post(sp->loop, sync_passes_finished, sp);
    }
}

static void *
revalidator_main(void *revalidator_)
{
    struct revalidator *r = revalidator_;
    struct slowpath *sp = r->slowpath;
    bool leads = r->index == 0;
    uint64_t answers = 0;
    char name[16];

    snprintf(name, sizeof name, "revalidator%u", r->index);
    pthread_setname_np(pthread_self(), name);
    rcu_thread_register();
    for (;;) {
        rcu_offline();
        if (leads) {
            sp->pass.stop = !wait_for_work(sp, &answers);
            if (!sp->pass.stop) {
                pass_begin(sp);
            }
        }
        pthread_barrier_wait(&sp->start);
        rcu_online();
        if (sp->pass.stop) {
            break;
        }
        revalidate_part(sp, r, sp->n_revalidators);
        rcu_offline();
        pthread_barrier_wait(&sp->end);
        if (leads) {
            pass_end(sp, answers);
        }
        rcu_online();
    }
    rcu_thread_unregister();
    return NULL;
}

uint64_t
revalidators_request(struct slowpath *sp, bool purge)
{
    uint64_t pass;

    pthread_mutex_lock(&sp->lock);
    pass = ++sp->requested;
    sp->purge_requested |= purge;
    pthread_cond_signal(&sp->wanted);
    pthread_mutex_unlock(&sp->lock);
    return pass;
}

void
revalidators_start(struct slowpath *sp, unsigned n)
{
    sp->n_revalidators = n;
    sp->stop_revalidators = false;
    pthread_barrier_init(&sp->start, NULL, n);
    pthread_barrier_init(&sp->end, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        struct revalidator *r = &sp->revalidators[i];

        r->slowpath = sp;
        r->index = i;
        if (pthread_create(&r->thread, NULL, revalidator_main, r)) {
            log_emer("cannot create a revalidator thread");
            abort();
        }
    }
}

void
revalidators_stop(struct slowpath *sp)
{
    pthread_mutex_lock(&sp->lock);
    sp->stop_revalidators = true;
    pthread_cond_signal(&sp->wanted);
    pthread_mutex_unlock(&sp->lock);
    for (unsigned i = 0; i < sp->n_revalidators; i++) {
        pthread_join(sp->revalidators[i].thread, NULL);
    }
    pthread_barrier_destroy(&sp->start);
    pthread_barrier_destroy(&sp->end);
    sp->n_revalidators = 0;
}
