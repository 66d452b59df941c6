// SPDX-License-Identifier: Apache-2.0
/*
 * revalidator.c - revalidator threads: passes over the flow table.
 *
 * The first thread leads: it waits until a pass is due (by the clock, or because rules changed and
 * somebody waits for the datapath to follow), takes the list of changes, and asks the index for the
 * flows that they can matter to, the suspects.  Then all threads translate suspects anew, or, if it
 * is time to look after counters and idle flows as well, go through their parts of the table
 * together. When a pass is over, the flow table is right for all changes that had been committed
 * when it began; that is what a barrier waits for.
 *
 * Few changes with few suspects are followed by main itself, without waking anybody.
 */
#include <errno.h>
#include <malloc.h>
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
#include "ofproto/frozen.h"
#include "slowpath/memo.h"
#include "slowpath/slowpath_int.h"

LOG_MODULE(ofproto_dpif_upcall);

COVERAGE_DEFINE(revalidator_deleted);
COVERAGE_DEFINE(revalidator_expired);
COVERAGE_DEFINE(revalidator_walk);
COVERAGE_DEFINE(revalidator_follow);
COVERAGE_DEFINE(revalidator_follow_in_main);
COVERAGE_DEFINE(revalidator_trim); /* memory was given back */

enum {
    LIMIT_STEP = 1000,
    LIMIT_MIN = 1000,
    SLOW_DUMP_MS = 1300, /* a pass longer than this lowers the limit */
    VERY_SLOW_DUMP_MS = 2000,
    QUICK_DUMP_MS = 1000,
    OVER_LIMIT_IDLE_MS = 100, /* idle time allowed above the limit */
    COSTLY_DUMP_MS = 200,     /* from here on min-revalidate-pps counts */
    MOVED_REST = 4,           /* between walks because MACs moved, in durations of the last walk */
    CHANGES_MAX = 1024,       /* with more than that all flows are translated anew */
    MAIN_CHANGES_MAX = 64,    /* what main does itself */
    MAIN_SUSPECTS_MAX = 64,
};

/* --- one flow ----------------------------------------------------------------------------- */

struct part_ctx {
    struct slowpath *sp;
    uint64_t n;
    struct memo memo;
};

/* Who finds the ukey in the flow once that is dead frees it: a handler may just be giving it one.
 */
static void
flow_delete(struct slowpath *sp, struct dp_flow *flow)
{
    struct dp_flow_stats stats;
    struct ukey *ukey;

    dp_flow_del(sp->dp, flow, &stats);
    ukey = dp_flow_swap_aux(flow, NULL);
    if (ukey) {
        ukey_push(ukey, &stats);
        flow_index_remove(sp->index, ukey);
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
        flow_delete(sp, flow);
    }
    pthread_mutex_unlock(&sp->pass_lock);
}

static bool
flow_is_affected(const struct pass *pass, struct dp_flow *flow, const struct ukey *ukey)
{
    bool state_moved = ukey->state_seq != pass->state_seq;
    struct flow_mask mask;
    struct flow key;

    if (ukey->suspect) {
        return true;
    }
    if (ukey->seq >= pass->seq && !state_moved) {
        return false;
    }
    if (pass->all) {
        return true;
    }
    if (!pass->n_changes && !state_moved) {
        return false;
    }
    dp_flow_get_key(flow, &key, &mask);
    return xlate_deps_affected(ukey_deps(ukey), &key, &mask, pass->changes, pass->n_changes);
}

/* A flow that hardly carries anything is not worth a translation when passes take long. */
static bool
flow_is_too_quiet(struct slowpath *sp, const struct ukey *ukey, const struct dp_flow_stats *stats,
                  int64_t now_ms)
{
    int min_pps = atomic_load_explicit(&sp->settings.min_revalidate_pps, memory_order_relaxed);
    int64_t age_ms = now_ms - ukey->created_ms;

    return min_pps > 0 && age_ms > 1000 &&
           atomic_load_explicit(&sp->dump_duration_ms, memory_order_relaxed) > COSTLY_DUMP_MS &&
           stats->n_packets * 1000 / (uint64_t)age_ms < (uint64_t)min_pps;
}

/* Translates a flow anew whose counters, 'stats', were pushed; deletes it if that is the answer. */
static void
flow_recheck(struct slowpath *sp, struct ukey *ukey, const struct dp_flow_stats *stats,
             const struct pass *pass, struct memo *memo)
{
    if (flow_is_too_quiet(sp, ukey, stats, pass->now_ms) || !ukey_recheck(sp, ukey, memo)) {
        flow_delete(sp, ukey->flow);
        return;
    }
    ukey->seq = MAX(ukey->seq, pass->seq);
    ukey->state_seq = pass->state_seq;
    if (ukey->place.group) {
        flow_index_update(sp->index, ukey);
    } else {
        ukey->suspect = false;
        flow_index_add(sp->index, ukey);
    }
}

static void
recheck_suspects(struct slowpath *sp, const struct pass *pass, size_t first, size_t step)
{
    struct memo memo;

    memo_init_copy(&memo, pass->memo);
    for (size_t i = first; i < pass->n_suspects; i += step) {
        struct ukey *ukey = pass->suspects[i];
        struct dp_flow_stats stats;

        if (!dp_flow_is_dead(ukey->flow)) {
            dp_flow_get_stats(ukey->flow, &stats);
            ukey_push(ukey, &stats);
            flow_recheck(sp, ukey, &stats, pass, &memo);
        }
    }
    memo_fini(&memo);
}

static bool
visit_flow(struct dp *dp, struct dp_flow *flow, void *ctx_)
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
        /* A handler is about to finish it. */
        if (pass->kind == PASS_PURGE) {
            flow_delete(sp, flow);
        }
        return true;
    }
    dp_flow_get_stats(flow, &stats);
    ukey_push(ukey, &stats);
    used_ms = stats.used_ms ? (int64_t)stats.used_ms : ukey->created_ms;
    if (pass->kind == PASS_PURGE) {
        flow_delete(sp, flow);
    } else if (pass->now_ms - used_ms > pass->max_idle_ms) {
        coverage_inc(revalidator_expired);
        flow_delete(sp, flow);
    } else if (flow_is_affected(pass, flow, ukey)) {
        flow_recheck(sp, ukey, &stats, pass, &ctx->memo);
    } else {
        ukey->seq = MAX(ukey->seq, pass->seq);
        ukey->state_seq = pass->state_seq;
    }
    return true;
}

/* One thread's part of a pass. */
static void
pass_run(struct slowpath *sp, struct revalidator *r)
{
    struct part_ctx ctx = {.sp = sp};

    if (sp->pass.kind == PASS_FOLLOW) {
        recheck_suspects(sp, &sp->pass, r->index, sp->n_revalidators);
        return;
    }
    memo_init_copy(&ctx.memo, sp->pass.memo);
    dp_flow_walk(sp->dp, r->index, sp->n_revalidators, visit_flow, &ctx);
    memo_fini(&ctx.memo);
    atomic_store_explicit(&r->n_keys, ctx.n, memory_order_relaxed);
}

/* --- the limit on flows ------------------------------------------------------------------- */

static int64_t
thread_cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A pass that takes long lowers the number of flows that may be installed, quick ones raise it
 * again up to the configured limit.  What counts is the thread's own time: on a busy machine fewer
 * flows would not help, and the configured number is to be held. */
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

/* Sleeps until a pass is due, by the clock at 'walk_due'.  Returns false when the threads are to
 * end; else what kind of pass it is, and in '*answers' the number of requests that it answers. */
static bool
wait_for_work(struct slowpath *sp, const struct timespec *walk_due, enum pass_kind *kind,
              uint64_t *answers)
{
    bool go_on, is_due = false;

    pthread_mutex_lock(&sp->lock);
    while (!sp->stop_revalidators && (sp->paused || (sp->requested == sp->finished && !is_due))) {
        struct timespec due = sp->soon ? pace_or(&sp->pace, *walk_due) : *walk_due;

        if (sp->paused) {
            pthread_cond_wait(&sp->wanted, &sp->lock);
        } else {
            is_due = pthread_cond_timedwait(&sp->wanted, &sp->lock, &due) == ETIMEDOUT;
        }
    }
    sp->soon = false;
    go_on = !sp->stop_revalidators;
    *answers = sp->requested;
    *kind = sp->wanted_kind;
    sp->wanted_kind = PASS_FOLLOW;
    pthread_mutex_unlock(&sp->lock);
    return go_on;
}

/* When the next walk is due.  Requests to follow do not put it off. */
static struct timespec
next_walk(const struct slowpath *sp)
{
    int ms = atomic_load_explicit(&sp->settings.max_revalidator_ms, memory_order_relaxed);
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static bool
is_past(const struct timespec *t)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

/* Takes the changes that this pass is about.  Under pass_lock. */
static void
take_changes(struct slowpath *sp, struct pass *pass)
{
    pass->state_seq = xlate_state_seq();
    pass->now_ms = clock_now_ms();
    pass->changes = ofprotos_take_changes(sp->ofprotos, &pass->n_changes, &pass->seq);
    pass->all = pass->n_changes > CHANGES_MAX;
}

static void
changes_done(struct pass *pass)
{
    ofproto_changes_free(pass->changes, pass->n_changes);
    pass->changes = NULL;
    pass->n_changes = 0;
}

static bool
changes_are_of_rules(const struct pass *pass)
{
    for (size_t i = 0; i < pass->n_changes; i++) {
        if (!pass->changes[i].rule) {
            return false;
        }
    }
    return true;
}

/* Lets the index say which flows the changes can matter to.  Changes of another kind take a walk
 * that asks each flow. */
static void
find_suspects(struct slowpath *sp, struct pass *pass)
{
    flow_index_set_seq(sp->index, pass->seq);
    if (!pass->all && changes_are_of_rules(pass)) {
        flow_index_mark(sp->index, pass->changes, pass->n_changes);
        changes_done(pass);
    } else {
        flow_index_forget_rules(sp->index);
        if (pass->kind == PASS_FOLLOW) {
            pass->kind = PASS_WALK;
        }
    }
    pass->memo = xzalloc(sizeof *pass->memo);
    cohorts_follow(sp, pass->memo);
    if (pass->kind == PASS_FOLLOW) {
        pass->suspects = flow_index_take_suspects(sp->index, &pass->n_suspects);
    }
}

/* The leader comes offline and leaves online: from now on what it finds in the index stays. */
static void
pass_begin(struct slowpath *sp, enum pass_kind kind)
{
    struct pass *pass = &sp->pass;
    bool over_limit = dp_n_flows(sp->dp) > dp_flow_limit(sp->dp);

    pthread_mutex_lock(&sp->pass_lock);
    pass->began_ns = pace_now_ns();
    pass->cpu_ms = thread_cpu_ms();
    pass->kind = kind;
    take_changes(sp, pass);
    pass->max_idle_ms = over_limit
                            ? OVER_LIMIT_IDLE_MS
                            : atomic_load_explicit(&sp->settings.max_idle_ms, memory_order_relaxed);
    /* What a handler translated before the changes must be in the table before it is looked at. */
    while (handlers_lag(sp, pass->seq)) {
        sched_yield();
    }
    rcu_online();
    find_suspects(sp, pass);
}

static void
pass_end(struct slowpath *sp, uint64_t answers)
{
    struct pass *pass = &sp->pass;
    bool walked = pass->kind != PASS_FOLLOW;

    if (walked) {
        int64_t now_ms = clock_now_ms(), duration_ms = now_ms - pass->now_ms;

        atomic_store(&sp->moved_walk_ms, now_ms + MOVED_REST * duration_ms);
        atomic_store_explicit(&sp->dump_duration_ms, (uint64_t)duration_ms, memory_order_relaxed);
        adapt_limit(sp, thread_cpu_ms() - pass->cpu_ms);
        count_flows(sp);
        frozens_tidy(ofprotos_frozens(sp->ofprotos), now_ms);
        coverage_inc(revalidator_walk);
    } else {
        coverage_inc(revalidator_follow);
    }
    changes_done(pass);
    free(pass->suspects);
    pass->suspects = NULL;
    pass->n_suspects = 0;
    memo_fini(pass->memo);
    free(pass->memo);
    pass->memo = NULL;
    atomic_store_explicit(&sp->followed_seq, pass->seq, memory_order_release);
    pace_worked(&sp->pace, pass->began_ns, PACE_REST_FACTOR, PACE_REST_MIN_MS);
    pthread_mutex_unlock(&sp->pass_lock);
    pthread_mutex_lock(&sp->lock);
    bool answered = answers != sp->finished;
    sp->finished = answers;
    pthread_mutex_unlock(&sp->lock);
    if (answered) {
        loop_post(sp->loop, sync_passes_finished, sp);
    }
    if (walked &&
        trim_is_due(&sp->trim, dp_n_flows(sp->dp),
                    atomic_load_explicit(&sp->n_upcalls, memory_order_relaxed), clock_now_ms())) {
        malloc_trim(0);
        coverage_inc(revalidator_trim);
    }
}

/* Under pass_lock, which main has got. */
static bool
follow_locked(struct slowpath *sp)
{
    struct memo memo = {0};
    struct pass pass = {.kind = PASS_FOLLOW, .began_ns = pace_now_ns(), .memo = &memo};
    bool of_rules;
    size_t n = ofprotos_n_changes(sp->ofprotos, &of_rules);

    if (!of_rules || n > MAIN_CHANGES_MAX || handlers_lag(sp, ofprotos_seq(sp->ofprotos))) {
        return false;
    }
    take_changes(sp, &pass);
    flow_index_set_seq(sp->index, pass.seq);
    flow_index_mark(sp->index, pass.changes, pass.n_changes);
    changes_done(&pass);
    cohorts_follow(sp, &memo);
    n = flow_index_n_suspects(sp->index);
    if (n && n <= MAIN_SUSPECTS_MAX) {
        pass.suspects = flow_index_take_suspects(sp->index, &pass.n_suspects);
        recheck_suspects(sp, &pass, 0, 1);
        free(pass.suspects);
    }
    memo_fini(&memo);
    if (n > MAIN_SUSPECTS_MAX) {
        return false; /* They wait in the index. */
    }
    atomic_store_explicit(&sp->followed_seq, pass.seq, memory_order_release);
    pace_worked(&sp->pace, pass.began_ns, PACE_REST_FACTOR, PACE_REST_MIN_MS);
    coverage_inc(revalidator_follow_in_main);
    return true;
}

bool
revalidator_follow(struct slowpath *sp)
{
    bool done, paused;

    pthread_mutex_lock(&sp->lock);
    paused = sp->paused;
    pthread_mutex_unlock(&sp->lock);
    if (paused || pthread_mutex_trylock(&sp->pass_lock)) {
        return false;
    }
    done = follow_locked(sp);
    pthread_mutex_unlock(&sp->pass_lock);
    return done;
}

static void *
revalidator_main(void *revalidator_)
{
    struct revalidator *r = revalidator_;
    struct slowpath *sp = r->slowpath;
    bool leads = r->index == 0;
    struct timespec walk_due = next_walk(sp);
    uint64_t answers = 0;
    char name[16];

    snprintf(name, sizeof name, "revalidator%u", r->index);
    pthread_setname_np(pthread_self(), name);
    rcu_thread_register();
    for (;;) {
        rcu_offline();
        if (leads) {
            enum pass_kind kind;

            sp->pass.stop = !wait_for_work(sp, &walk_due, &kind, &answers);
            if (!sp->pass.stop) {
                pass_begin(sp, kind == PASS_FOLLOW && is_past(&walk_due) ? PASS_WALK : kind);
                if (sp->pass.kind != PASS_FOLLOW) {
                    walk_due = next_walk(sp);
                }
            }
        }
        pthread_barrier_wait(&sp->start);
        rcu_online();
        if (sp->pass.stop) {
            break;
        }
        pass_run(sp, r);
        if (!leads) {
            rcu_offline();
        }
        pthread_barrier_wait(&sp->end);
        if (leads) {
            rcu_offline();
            pass_end(sp, answers);
        }
    }
    rcu_thread_unregister();
    return NULL;
}

uint64_t
revalidators_request(struct slowpath *sp, enum pass_kind kind)
{
    uint64_t pass;

    pthread_mutex_lock(&sp->lock);
    pass = ++sp->requested;
    sp->wanted_kind = MAX(sp->wanted_kind, kind);
    pthread_cond_signal(&sp->wanted);
    pthread_mutex_unlock(&sp->lock);
    return pass;
}

void
revalidators_request_soon(struct slowpath *sp)
{
    pthread_mutex_lock(&sp->lock);
    if (!sp->soon) {
        sp->soon = true;
        pthread_cond_signal(&sp->wanted);
    }
    pthread_mutex_unlock(&sp->lock);
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
