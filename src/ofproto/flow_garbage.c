// SPDX-License-Identifier: Apache-2.0
/*
 * flow_garbage.c - rules that are removed, but linked until a grace period has passed: a
 * translation that began with the version before must still find them.
 *
 * They wait in batches: a commit (flow_table.c) defers its batch by RCU, the reclaimer moves it to
 * the 'ripe' list, and main unlinks from the loop's hook.
 *
 * Main thread, but for flow_garbage_is_ripe().
 */
#include <stdlib.h>

#include "base/clock.h"
#include "ofproto/ofproto_priv.h"

/* Rules of one commit that wait for a grace period. */
struct flow_garbage {
    struct ofprotos *all;
    struct flow_garbage *next_ripe;   /* under all->lock; main, once taken */
    struct flow_garbage *prev, *next; /* in all->garbage */
    struct ofproto *ofproto;
    size_t n, done; /* rules; how many of them were let go */
    /* Of each table: how many are linked still, or ALL_UNLINKED; NULL if there are few. */
    uint32_t *n_linked;
    struct rule *rules[];
};

#define ALL_UNLINKED UINT32_MAX

/* Rules are counted by table if there are so many. */
#define MANY 256u

/* They are fetched from memory so many before they are let go. */
#define AHEAD 8u

/* How long one iteration of the loop may unlink. */
#define GARBAGE_US 2000

void
flow_garbage_is_ripe(void *g_)
{
    struct flow_garbage *g = g_;
    struct ofprotos *all = g->all;

    pthread_mutex_lock(&all->lock);
    g->next_ripe = all->ripe;
    all->ripe = g;
    pthread_mutex_unlock(&all->lock);
    loop_wake(all->loop);
}

/* Unlinks a rule; or all of its table at once if the batch has all that is linked there, without a
 * walk through the table's indexes for each: whoever deletes all flows likely waits to add others.
 */
static void
unlink_rule(struct flow_garbage *g, struct rule *r)
{
    struct cls *cls = r->ofproto->tables[r->table_id].cls;
    uint32_t *n = g->n_linked ? &g->n_linked[r->table_id] : NULL;

    if (n && *n == ALL_UNLINKED) {
        return;
    }
    if (n && *n == cls_n_rules(cls)) {
        cls_unlink_all(cls);
        *n = ALL_UNLINKED;
        return;
    }
    cls_unlink(cls, &r->cls);
    if (n) {
        --*n;
    }
}

/* Unlinks rules until all are done or 'deadline' (clock_now_us()) has come; true if all are. */
static bool
garbage_collect(struct flow_garbage *g, int64_t deadline)
{
    while (g->done < g->n) {
        struct rule *r = g->rules[g->done++];
        struct cls *cls = r->ofproto->tables[r->table_id].cls;
        bool stop = g->done % 32 == 0 && clock_now_us() >= deadline;

        if (g->done + AHEAD < g->n) {
            flow_mod_prefetch(g->rules[g->done + AHEAD]);
        }
        unlink_rule(g, r);
        if (stop || g->done >= g->n || g->rules[g->done]->table_id != r->table_id) {
            cls_publish(cls);
        }
        rule_unref(r);
        if (stop) {
            break;
        }
    }
    return g->done >= g->n;
}

static void
garbage_free(struct flow_garbage *g)
{
    if (g->prev) {
        g->prev->next = g->next;
    } else {
        g->all->garbage = g->next;
    }
    if (g->next) {
        g->next->prev = g->prev;
    }
    free(g->n_linked);
    free(g);
}

void
flow_garbage_run(struct ofprotos *all)
{
    int64_t deadline = clock_now_us() + GARBAGE_US;
    struct flow_garbage *g = all->unlinking;

    if (!g) {
        pthread_mutex_lock(&all->lock);
        g = all->ripe;
        all->ripe = NULL;
        pthread_mutex_unlock(&all->lock);
    }
    while (g && garbage_collect(g, deadline)) {
        struct flow_garbage *done = g;

        g = g->next_ripe;
        garbage_free(done);
        if (g && clock_now_us() >= deadline) {
            break;
        }
    }
    all->unlinking = g;
    if (g) {
        loop_wake(all->loop); /* The next iteration goes on. */
    }
}

struct flow_garbage *
flow_garbage_create(struct ofproto *ofproto, size_t n)
{
    struct flow_garbage *g = xzalloc(sizeof *g + n * sizeof g->rules[0]);
    struct ofprotos *all = ofproto->all;

    g->all = all;
    g->ofproto = ofproto;
    if (n >= MANY) {
        g->n_linked = xcalloc(ARRAY_SIZE(ofproto->tables), sizeof *g->n_linked);
    }
    g->next = all->garbage;
    if (g->next) {
        g->next->prev = g;
    }
    all->garbage = g;
    return g;
}

void
flow_garbage_put(struct flow_garbage *g, struct rule *r)
{
    g->rules[g->n++] = r;
    if (g->n_linked) {
        g->n_linked[r->table_id]++;
    }
}

void
flow_garbage_collect(struct ofproto *p)
{
    for (struct flow_garbage *g = p->all->garbage; g; g = g->next) {
        if (g->ofproto == p) {
            garbage_collect(g, INT64_MAX);
        }
    }
}
