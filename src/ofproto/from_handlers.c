// SPDX-License-Identifier: Apache-2.0
/*
 * from_handlers.c - what translations in other threads ask of main: packets for controllers,
 * learned flows, lower timeouts.
 *
 * Any thread puts a job on a bounded queue; main runs them from the loop's hook, in order.  A full
 * queue drops and counts: a flood of misses must not fill the memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "ofproto/ofproto_priv.h"
#include "openflow/ofp_continuation.h"

COVERAGE_DEFINE(ofproto_job_dropped);

struct handler_job {
    struct handler_job *next;
    enum { JOB_PACKET_IN, JOB_LEARN, JOB_TIMEOUTS, JOB_DIRTY } kind;
    struct ofproto *ofproto;
    struct ofproto_packet_in pin; /* pointers lead into 'bytes' */
    struct flow flow;
    struct ofproto_learned learned;
    struct match match;
    struct rule *rule; /* JOB_TIMEOUTS: a reference */
    uint16_t idle, hard;
    uint64_t bytes[];
};

static void
job_free(struct handler_job *job)
{
    rule_unref(job->rule);
    if (job->kind == JOB_LEARN && job->learned.tells_room) {
        learn_limit_kept(job->ofproto, &job->learned);
    }
    ofp_continuation_destroy(job->pin.continuation);
    free(job);
}

/* Takes 'job'. */
static void
put(struct ofproto *p, struct handler_job *job)
{
    struct ofprotos *all = p->all;
    bool was_empty = false, full;

    job->ofproto = p;
    pthread_mutex_lock(&all->lock);
    /* Packets for controllers may fill half of the queue: what they were to teach fits behind them.
     */
    full = all->n_jobs >= (job->kind == JOB_PACKET_IN ? OFPROTO_MAX_PACKET_JOBS : OFPROTO_MAX_JOBS);
    if (full) {
        all->n_packet_jobs_dropped += job->kind == JOB_PACKET_IN;
    } else {
        was_empty = !all->n_jobs++;
        all->most_jobs = MAX(all->most_jobs, all->n_jobs);
        *all->last_job = job;
        all->last_job = &job->next;
    }
    pthread_mutex_unlock(&all->lock);
    if (full) {
        coverage_inc(ofproto_job_dropped);
        job_free(job);
    } else if (was_empty) {
        loop_wake(all->loop);
    }
}

void
ofproto_packet_in(struct ofproto *p, const struct ofproto_packet_in *pin)
{
    size_t size = pin->len + pin->userdata_len;
    struct handler_job *job = xzalloc(sizeof *job + size);
    uint8_t *b = (uint8_t *)job->bytes;

    job->kind = JOB_PACKET_IN;
    job->pin = *pin;
    job->flow = *pin->flow;
    job->pin.flow = &job->flow;
    if (pin->len) {
        job->pin.data = memcpy(b, pin->data, pin->len);
    }
    b += pin->len;
    if (pin->userdata_len) {
        job->pin.userdata = memcpy(b, pin->userdata, pin->userdata_len);
    }
    put(p, job);
}

void
ofproto_learn(struct ofproto *p, const struct ofproto_learned *learned)
{
    struct handler_job *job = xzalloc(sizeof *job + learned->acts_size);

    job->kind = JOB_LEARN;
    job->learned = *learned;
    job->match = *learned->match;
    job->learned.match = &job->match;
    if (learned->acts_size) {
        memcpy(job->bytes, learned->acts, learned->acts_size);
    }
    job->learned.acts = (const struct ofpact *)(const void *)job->bytes;
    put(p, job);
}

void
ofproto_reduce_timeouts(struct rule *rule, uint16_t idle, uint16_t hard)
{
    struct handler_job *job;

    if (!rule_ref(rule)) {
        return;
    }
    job = xzalloc(sizeof *job);
    job->kind = JOB_TIMEOUTS;
    job->rule = rule;
    job->idle = idle;
    job->hard = hard;
    put(rule->ofproto, job);
}

void
ofproto_mark_dirty(struct ofproto *p)
{
    struct handler_job *job = xzalloc(sizeof *job);

    job->kind = JOB_DIRTY;
    put(p, job);
}

/* --- main
 * -------------------------------------------------------------------------------------------- */

struct cookie_count {
    uint64_t cookie;
    uint32_t n, limit;
};

static bool
count_if_cookie(struct cls_rule *c, void *count_)
{
    struct cookie_count *count = count_;
    const struct rule *r = rule_from_cls(c);

    count->n += r->cookie == count->cookie && r->cls.priority <= UINT16_MAX;
    return count->n < count->limit;
}

/* Has the table as many flows of the cookie as may be learned?  Looks no further than the last. */
static bool
is_limit_reached(struct ofproto *p, const struct ofproto_learned *l)
{
    struct cookie_count count = {.cookie = l->cookie, .limit = l->limit};

    cls_visit_loose(p->tables[l->table_id].cls, ofproto_version(p), NULL, count_if_cookie, &count);
    return count.n >= count.limit;
}

/* As a modify of that one flow: one that is there already keeps its counters, age and timeouts, and
 * if nothing else is new only counts as modified now. */
static void
run_learn(struct ofproto *p, const struct ofproto_learned *l)
{
    struct oftable *t;
    const struct cls_rule *c;
    struct ofp_flow_mod fm = {
        .match = *l->match,
        .new_cookie = l->cookie,
        .modify_cookie = l->cookie != UINT64_MAX,
        .command = OFPFC_MODIFY_STRICT,
        .table_id = l->table_id,
        .priority = l->priority,
        .idle_timeout = l->idle_timeout,
        .hard_timeout = l->hard_timeout,
        .flags = l->flags,
        .buffer_id = OFP_BUFFER_NONE,
        .out_port = OFPP_NONE,
        .out_group = OFP_GROUP_ANY,
    };

    if (l->table_id >= OFPROTO_N_TABLES) {
        return;
    }
    t = &p->tables[l->table_id];
    c = cls_find_exactly(t->cls, ofproto_version(p), l->match, l->priority);
    if (c) {
        struct rule *r = rule_from_cls(c);

        if ((r->cookie == l->cookie || !fm.modify_cookie) &&
            ofpacts_equal(rule_acts(r->actions), r->actions->size, l->acts, l->acts_size)) {
            r->modified_ms = clock_now_ms();
            if (r->hard_timeout) {
                flow_journal_times(r);
            }
            return;
        }
    }
    if (l->limit && !l->tells_room && is_limit_reached(p, l)) {
        return;
    }
    ofpacts_append(&fm.actions, l->acts, l->acts_size);
    flow_mod_run(p, &fm);
    ofp_flow_mod_fini(&fm);
}

static void
lower(uint16_t *timeout, uint16_t to)
{
    if (to && (!*timeout || to < *timeout)) {
        *timeout = to;
    }
}

static void
run_job(struct handler_job *job)
{
    switch (job->kind) {
    case JOB_PACKET_IN:
        connmgr_send_packet_in(job->ofproto->connmgr, &job->pin);
        break;
    case JOB_LEARN:
        run_learn(job->ofproto, &job->learned);
        break;
    case JOB_TIMEOUTS:
        if (!rule_is_removed(job->rule, ofproto_version(job->ofproto))) {
            lower(&job->rule->idle_timeout, job->idle);
            lower(&job->rule->hard_timeout, job->hard);
            flow_rule_made_expirable(job->rule);
            flow_journal_times(job->rule);
        }
        break;
    case JOB_DIRTY:
        ofproto_view_changed(job->ofproto);
        ofproto_commit(job->ofproto);
        break;
    }
}

static struct handler_job *
take_all(struct ofprotos *all)
{
    struct handler_job *jobs;

    pthread_mutex_lock(&all->lock);
    jobs = all->jobs;
    all->jobs = NULL;
    all->last_job = &all->jobs;
    all->n_jobs = 0;
    pthread_mutex_unlock(&all->lock);
    return jobs;
}

void
handler_jobs_run(struct ofprotos *all)
{
    struct handler_job *job, *next;

    lacp_in_run(all);
    for (job = take_all(all); job; job = next) {
        next = job->next;
        run_job(job);
        job_free(job);
    }
}

void
handler_jobs_forget(struct ofprotos *all, const struct ofproto *p)
{
    struct handler_job **link, *job;

    lacp_in_forget(all, p);
    pthread_mutex_lock(&all->lock);
    for (link = &all->jobs; (job = *link) != NULL;) {
        if (p && job->ofproto != p) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        all->n_jobs--;
        job_free(job);
    }
    all->last_job = link;
    pthread_mutex_unlock(&all->lock);
}
