// SPDX-License-Identifier: Apache-2.0
/*
 * group_stage.c - groups in a transaction: what it changes is beside the array of all groups until
 * it ends; then a new array takes the place of the old one.
 *
 * So a change costs the same however many groups there are and in whatever order they come, and the
 * end of a transaction one look at each group.  Main thread.
 */
#include <stdlib.h>

#include "ofproto/group_int.h"

struct staged {
    uint32_t id;
    struct ofgroup *group; /* a reference; NULL: there is to be none */
    UT_hash_handle hh;
};

struct group_stage {
    struct staged *changes;  /* by id */
    bool is_cleared;         /* of those that were there before only what 'changes' says counts */
    struct ofgroup_map *map; /* what came of it, once that is published; has the references */
    struct ofgroup_map *old; /* the map before it, then; may be NULL */
};

static struct staged *
find_staged(const struct group_stage *stage, uint32_t id)
{
    struct staged *s = NULL;

    if (stage) {
        HASH_FIND(hh, stage->changes, &id, sizeof id, s);
    }
    return s;
}

struct ofgroup *
group_stage_find(const struct ofproto *p, uint32_t id)
{
    const struct group_stage *stage = p->group_stage;
    const struct staged *s = find_staged(stage, id);

    if (s) {
        return s->group;
    }
    return stage && stage->is_cleared ? NULL : ofgroup_map_find(rcu_get_protected(&p->groups), id);
}

static struct group_stage *
stage_get(struct ofproto *p)
{
    if (!p->group_stage) {
        p->group_stage = xzalloc(sizeof *p->group_stage);
    }
    return p->group_stage;
}

void
group_stage_put(struct ofproto *p, uint32_t id, struct ofgroup *new)
{
    struct group_stage *stage = stage_get(p);
    struct staged *s = find_staged(stage, id);

    if (!s) {
        s = xzalloc(sizeof *s);
        s->id = id;
        HASH_ADD(hh, stage->changes, id, sizeof id, s);
    }
    ofgroup_unref(s->group);
    s->group = new;
}

static void
forget_changes(struct group_stage *stage, bool unref)
{
    struct staged *s, *next;

    HASH_ITER (hh, stage->changes, s, next) {
        HASH_DEL(stage->changes, s);
        if (unref) {
            ofgroup_unref(s->group);
        }
        free(s);
    }
}

void
group_stage_clear(struct ofproto *p)
{
    struct group_stage *stage = stage_get(p);

    forget_changes(stage, true);
    stage->is_cleared = true;
}

static void
stage_free(struct ofproto *p, bool unref)
{
    forget_changes(p->group_stage, unref);
    free(p->group_stage);
    p->group_stage = NULL;
}

void
groups_abort(struct ofproto *p)
{
    if (p->group_stage) {
        stage_free(p, true);
    }
}

/* --- the end of a transaction ------------------------------------------------------------------
 */

static int
compare_staged(const void *a_, const void *b_)
{
    const struct staged *const *a = a_, *const *b = b_;

    return (*a)->id < (*b)->id ? -1 : (*a)->id > (*b)->id;
}

static void
append(struct ofgroup_map *map, struct ofgroup *const *groups, size_t n)
{
    if (n) {
        memcpy(&map->groups[map->n], groups, n * sizeof map->groups[0]);
        map->n += n;
    }
}

/* A new array: what is changed, and what of 'old' (NULL: nothing) is not. */
static struct ofgroup_map *
merge(const struct group_stage *stage, const struct ofgroup_map *old)
{
    size_t n_changes = HASH_COUNT(stage->changes), n_old = old ? old->n : 0, n = 0, at = 0;
    struct staged **sorted = xcalloc(n_changes + 1, sizeof(struct staged *));
    struct ofgroup_map *map = xzalloc(sizeof *map + (n_old + n_changes) * sizeof map->groups[0]);

    for (struct staged *s = stage->changes; s; s = s->hh.next) {
        sorted[n++] = s;
    }
    qsort(sorted, n, sizeof(struct staged *), compare_staged);
    for (size_t i = 0; i < n; i++) {
        size_t to = ofgroup_map_place(old, sorted[i]->id);

        if (to > at) {
            append(map, &old->groups[at], to - at);
        }
        at = to + (ofgroup_map_find(old, sorted[i]->id) != NULL);
        append(map, &sorted[i]->group, sorted[i]->group != NULL);
    }
    if (at < n_old) {
        append(map, &old->groups[at], n_old - at);
    }
    free(sorted);
    return map;
}

void
groups_publish(struct ofproto *p, cls_version_t version)
{
    struct group_stage *stage = p->group_stage;

    if (stage) {
        stage->old = rcu_get_protected(&p->groups);
        stage->map = merge(stage, stage->is_cleared ? NULL : stage->old);
        stage->map->version = version;
        stage->map->earlier = stage->old;
        rcu_assign(&p->groups, stage->map);
    }
}

/* Group 'id' is another one now, or none. */
static void
tell_change(struct ofproto *p, uint32_t id, const struct ofgroup *now)
{
    flow_journal_group(p, id, now ? now->spec : NULL);
    changes_put(p->all, OFPROTO_CHANGE_GROUP, p, id);
}

/* Tells of each place where the arrays differ, and drops the references of 'old' that 'now' has not
 * taken over. */
static void
tell_changes(struct ofproto *p, const struct ofgroup_map *old, const struct ofgroup_map *now)
{
    size_t i = 0, j = 0, n_old = old ? old->n : 0;

    while (i < n_old || j < now->n) {
        struct ofgroup *gone = i < n_old ? old->groups[i] : NULL;
        struct ofgroup *here = j < now->n ? now->groups[j] : NULL;

        if (gone == here) { /* Most are: they are not looked at. */
            i++;
            j++;
        } else if (!gone || (here && here->group_id < gone->group_id)) {
            tell_change(p, here->group_id, here);
            j++;
        } else {
            bool is_changed = here && here->group_id == gone->group_id;

            tell_change(p, gone->group_id, is_changed ? here : NULL);
            ofgroup_unref(gone);
            i++;
            j += is_changed;
        }
    }
}

bool
groups_tell(struct ofproto *p)
{
    struct group_stage *stage = p->group_stage;

    if (!stage) {
        return false;
    }
    tell_changes(p, stage->old, stage->map);
    /* Not sooner: who begins before the version is there looks into the old map as well. */
    if (stage->old) {
        rcu_free(stage->old);
    }
    stage_free(p, false);
    return true;
}
