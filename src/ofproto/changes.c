// SPDX-License-Identifier: Apache-2.0
/*
 * changes.c - the list of what changed, for the revalidators: main puts, one other thread takes.
 *
 * The list is bounded: beyond OFPROTO_MAX_CHANGES one OFPROTO_CHANGE_ALL stands for everything.
 *
 * The number of changes grows with each of them, under the lock under which they are taken: a flow
 * that was translated before the change has a lower number than a pass that took it, also when that
 * pass began in the middle of a commit.
 */
#include <stdlib.h>

#include "base/coverage.h"
#include "ofproto/ofproto_priv.h"

COVERAGE_DEFINE(rev_reconfigure); /* changes of ports, bridges and their settings */

uint64_t
ofprotos_seq(const struct ofprotos *all)
{
    return atomic_load_explicit(&all->seq, memory_order_acquire);
}

static void
drop_all(struct ofprotos *all)
{
    for (size_t i = 0; i < all->n_changes; i++) {
        rule_unref(all->changes[i].rule);
    }
    all->n_changes = 0;
}

/* Under all->lock; what changed can be seen already. */
static void
put_locked(struct ofprotos *all, struct ofproto_change change)
{
    atomic_fetch_add_explicit(&all->seq, 1, memory_order_acq_rel);
    if (all->n_changes == 1 && all->changes[0].kind == OFPROTO_CHANGE_ALL) {
        rule_unref(change.rule);
        return;
    }
    if (change.kind == OFPROTO_CHANGE_ALL || all->n_changes >= OFPROTO_MAX_CHANGES) {
        drop_all(all);
        rule_unref(change.rule);
        change = (struct ofproto_change){.kind = OFPROTO_CHANGE_ALL};
    }
    if (all->n_changes >= all->allocated_changes) {
        all->allocated_changes = MAX(all->allocated_changes * 2, (size_t)16);
        all->changes = xreallocarray(all->changes, all->allocated_changes, sizeof *all->changes);
    }
    all->changes[all->n_changes++] = change;
}

void
changes_put_rule(struct ofprotos *all, struct rule *r, bool added, cls_version_t version)
{
    if (!rule_ref(r)) {
        return;
    }
    pthread_mutex_lock(&all->lock);
    put_locked(all, (struct ofproto_change){
                        .kind = added ? OFPROTO_CHANGE_RULE_ADDED : OFPROTO_CHANGE_RULE_REMOVED,
                        .ofproto = r->ofproto,
                        .rule = r,
                        .version = version,
                    });
    pthread_mutex_unlock(&all->lock);
}

void
changes_put(struct ofprotos *all, enum ofproto_change_kind kind, struct ofproto *ofproto,
            uint32_t group_id)
{
    if (kind == OFPROTO_CHANGE_VIEW || kind == OFPROTO_CHANGE_ALL) {
        coverage_inc(rev_reconfigure);
    }
    pthread_mutex_lock(&all->lock);
    all->has_other_changes = true;
    put_locked(all, (struct ofproto_change){
                        .kind = kind,
                        .ofproto = ofproto,
                        .group_id = group_id,
                        .version = ofproto ? ofproto_version(ofproto) : 0,
                    });
    pthread_mutex_unlock(&all->lock);
}

void
changes_publish(struct ofprotos *all)
{
    if (all->hooks.changed) {
        all->hooks.changed(all->hooks_aux);
    }
}

struct ofproto_change *
ofprotos_take_changes(struct ofprotos *all, size_t *n, uint64_t *seq)
{
    struct ofproto_change *changes = NULL;

    pthread_mutex_lock(&all->lock);
    *seq = ofprotos_seq(all);
    *n = all->n_changes;
    if (*n) {
        changes = all->changes;
        all->changes = NULL;
        all->n_changes = all->allocated_changes = 0;
    }
    all->has_other_changes = false;
    pthread_mutex_unlock(&all->lock);
    return changes;
}

bool
ofprotos_has_other_changes(struct ofprotos *all)
{
    bool has;

    pthread_mutex_lock(&all->lock);
    has = all->has_other_changes;
    pthread_mutex_unlock(&all->lock);
    return has;
}

size_t
ofprotos_n_changes(struct ofprotos *all, bool *of_rules)
{
    size_t n;

    pthread_mutex_lock(&all->lock);
    n = all->n_changes;
    *of_rules = true;
    for (size_t i = 0; i < n && *of_rules; i++) {
        *of_rules = all->changes[i].rule != NULL;
    }
    pthread_mutex_unlock(&all->lock);
    return n;
}

void
ofproto_changes_free(struct ofproto_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rule_unref(changes[i].rule);
    }
    free(changes);
}

void
changes_forget(struct ofprotos *all, const struct ofproto *ofproto)
{
    bool found = !ofproto;

    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->n_changes; i++) {
        found = found || all->changes[i].ofproto == ofproto;
    }
    if (found) {
        drop_all(all);
    }
    if (ofproto) {
        put_locked(all, (struct ofproto_change){.kind = OFPROTO_CHANGE_ALL});
    } else {
        free(all->changes);
        all->changes = NULL;
        all->allocated_changes = 0;
    }
    pthread_mutex_unlock(&all->lock);
}
