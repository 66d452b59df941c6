// SPDX-License-Identifier: Apache-2.0
/*
 * group.c - OpenFlow groups: a sorted array of them, replaced as a whole with each transaction that
 * changes some, so that handlers search it without a lock.
 *
 * Like rules, groups of a transaction become visible in one version: it works on an array of its
 * own, which takes the place of the old one when it ends.  Translations that began in an earlier
 * version find the array of theirs behind the new one.
 *
 * Main writes; group.h says what others may do.
 */
#include "ofproto/group.h"

#include <stdlib.h>

#include "base/clock.h"
#include "ofproto/ofproto_priv.h"

struct ofgroup_map {
    cls_version_t version;             /* the first that it is for */
    const struct ofgroup_map *earlier; /* for those before; gone when nobody can ask for one */
    size_t n;
    struct ofgroup *groups[]; /* by group_id, each with a reference */
};

/* What a transaction makes of the groups. */
struct group_stage {
    struct ofgroup_map *map; /* references of those that were there before are the old map's */
    struct ofgroup_map *old; /* the map before it, once it is published; may be NULL */
    size_t allocated;
    struct ofgroup **gone; /* were there before */
    size_t n_gone, allocated_gone;
    uint32_t *changed; /* ids, some of them more than once */
    size_t n_changed, allocated_changed;
};

/* --- reading
 * ------------------------------------------------------------------------------------------ */

/* Place of the first group whose id is not below 'id'. */
static size_t
lower_bound(const struct ofgroup_map *map, uint32_t id)
{
    size_t lo = 0, hi = map ? map->n : 0;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (map->groups[mid]->group_id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static struct ofgroup *
map_find(const struct ofgroup_map *map, uint32_t id)
{
    size_t i = lower_bound(map, id);

    return map && i < map->n && map->groups[i]->group_id == id ? map->groups[i] : NULL;
}

struct ofgroup *
ofproto_group_lookup(const struct ofproto *p, cls_version_t version, uint32_t group_id)
{
    const struct ofgroup_map *map = rcu_get(&p->groups);

    while (map && map->version > version) {
        map = map->earlier;
    }
    return map_find(map, group_id);
}

bool
ofgroup_ref(struct ofgroup *g)
{
    uint32_t n = atomic_load_explicit(&g->n_refs, memory_order_relaxed);

    while (n) {
        if (atomic_compare_exchange_weak_explicit(&g->n_refs, &n, n + 1, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

static void
group_free(void *g_)
{
    struct ofgroup *g = g_;

    for (size_t i = 0; i < g->n_buckets; i++) {
        rule_actions_unref(g->buckets[i].actions);
    }
    ofp_group_fini(g->spec);
    free(g->spec);
    free(g->slots);
    free(g);
}

void
ofgroup_unref(struct ofgroup *g)
{
    if (g && atomic_fetch_sub_explicit(&g->n_refs, 1, memory_order_acq_rel) == 1) {
        rcu_defer(group_free, g);
    }
}

static void
credit(struct rule_stats *s, uint64_t packets, uint64_t bytes)
{
    atomic_fetch_add_explicit(&s->packets, packets, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->bytes, bytes, memory_order_relaxed);
}

void
ofgroup_credit(struct ofgroup *g, struct ofbucket *bucket, uint64_t packets, uint64_t bytes)
{
    if (bucket) {
        credit(&bucket->stats, packets, bytes);
    } else {
        credit(&g->stats, packets, bytes);
    }
}

/* --- writing: main
 * ------------------------------------------------------------------------------------ */

/* The groups as the transaction that is under way, if any, has them. */
static const struct ofgroup_map *
groups_now(const struct ofproto *p)
{
    return p->group_stage ? p->group_stage->map : rcu_get_protected(&p->groups);
}

bool
group_exists(const struct ofproto *p, uint32_t group_id)
{
    return map_find(groups_now(p), group_id) != NULL;
}

/* Weights that no table can show make a group choose for each flow, whatever is asked for. */
static void
set_method(struct ofgroup *g, const struct ofp_group *spec)
{
    bool says_dp_hash = !strcmp(spec->selection_method, "dp_hash");
    uint64_t alg = spec->selection_method_param >> 32;

    g->hash_basis = (uint32_t)spec->selection_method_param;
    if (!strcmp(spec->selection_method, "hash")) {
        g->method = OFGROUP_METHOD_HASH;
        g->hash_fields = spec->hash_mask.mask;
    } else if (g->type == OFGROUP_SELECT && group_hash_init(g)) {
        g->method = OFGROUP_METHOD_DP_HASH;
        g->hash_alg = !says_dp_hash || alg == DP_HASH_SYM_L4 ? DP_HASH_SYM_L4 : DP_HASH_L4;
        g->hash_basis = says_dp_hash ? g->hash_basis : 0;
    }
}

static struct ofgroup *
group_create(struct ofproto *p, const struct ofp_group *spec)
{
    struct ofgroup *g = xzalloc(sizeof *g + spec->n_buckets * sizeof g->buckets[0]);

    g->ofproto = p;
    g->group_id = spec->group_id;
    g->type = spec->type;
    g->created_ms = g->modified_ms = clock_now_ms();
    atomic_init(&g->n_refs, 1);
    g->spec = xzalloc(sizeof *g->spec);
    ofp_group_copy(g->spec, spec);
    g->n_buckets = spec->n_buckets;
    for (size_t i = 0; i < spec->n_buckets; i++) {
        const struct ofp_bucket *b = &spec->buckets[i];

        g->buckets[i].bucket_id = b->bucket_id;
        g->buckets[i].weight = b->weight;
        g->buckets[i].watch_port = b->watch_port;
        g->buckets[i].watch_group = b->watch_group;
        g->buckets[i].actions =
            rule_actions_get(p->all, ofpacts_data(&b->actions), b->actions.size);
    }
    set_method(g, spec);
    return g;
}

static struct group_stage *
stage_get(struct ofproto *p)
{
    const struct ofgroup_map *map = rcu_get_protected(&p->groups);
    struct group_stage *stage = p->group_stage;
    size_t n = map ? map->n : 0;

    if (!stage) {
        stage = p->group_stage = xzalloc(sizeof *stage);
        stage->allocated = n + 8;
        stage->map = xmalloc(sizeof *map + stage->allocated * sizeof map->groups[0]);
        stage->map->n = n;
        if (n) {
            memcpy(stage->map->groups, map->groups, n * sizeof map->groups[0]);
        }
    }
    return stage;
}

/* A group is not to be in the stage any more. */
static void
stage_drop(struct group_stage *stage, struct ofgroup *g)
{
    if (g->is_staged) {
        ofgroup_unref(g);
        return;
    }
    if (stage->n_gone >= stage->allocated_gone) {
        stage->allocated_gone = MAX(stage->allocated_gone * 2, (size_t)8);
        stage->gone = xreallocarray(stage->gone, stage->allocated_gone, sizeof *stage->gone);
    }
    stage->gone[stage->n_gone++] = g;
}

static void
stage_mark_changed(struct group_stage *stage, uint32_t id)
{
    if (stage->n_changed >= stage->allocated_changed) {
        stage->allocated_changed = MAX(stage->allocated_changed * 2, (size_t)8);
        stage->changed =
            xreallocarray(stage->changed, stage->allocated_changed, sizeof *stage->changed);
    }
    stage->changed[stage->n_changed++] = id;
}

/* From the next version on 'new' (taken, may be NULL) stands for the group 'id'. */
static void
stage_replace(struct ofproto *p, uint32_t id, struct ofgroup *new)
{
    struct group_stage *stage = stage_get(p);
    struct ofgroup_map *map = stage->map;
    size_t at = lower_bound(map, id);
    struct ofgroup *old = map_find(map, id);

    if (new && !old && map->n >= stage->allocated) {
        stage->allocated *= 2;
        map = stage->map = xrealloc(map, sizeof *map + stage->allocated * sizeof map->groups[0]);
    }
    if (!old != !new) {
        size_t from = at + (old != NULL), to = at + (new != NULL);

        memmove(&map->groups[to], &map->groups[from], (map->n - from) * sizeof map->groups[0]);
        map->n += to - from;
    }
    if (new) {
        new->is_staged = true;
        map->groups[at] = new;
    }
    if (old) {
        stage_drop(stage, old);
    }
    stage_mark_changed(stage, id);
}

static void
stage_free(struct ofproto *p)
{
    free(p->group_stage->gone);
    free(p->group_stage->changed);
    free(p->group_stage);
    p->group_stage = NULL;
}

void
groups_publish(struct ofproto *p, cls_version_t version)
{
    struct group_stage *stage = p->group_stage;
    struct ofgroup_map *old = rcu_get_protected(&p->groups);

    if (stage) {
        stage->map->version = version;
        stage->map->earlier = old;
        rcu_assign(&p->groups, stage->map);
        stage->old = old;
    }
}

static int
compare_ids(const void *a_, const void *b_)
{
    const uint32_t *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

bool
groups_tell(struct ofproto *p)
{
    struct group_stage *stage = p->group_stage;

    if (!stage) {
        return false;
    }
    /* Not sooner: who begins before the version is there looks into the old map as well. */
    if (stage->old) {
        rcu_free(stage->old);
    }
    qsort(stage->changed, stage->n_changed, sizeof *stage->changed, compare_ids);
    for (size_t i = 0; i < stage->n_changed; i++) {
        uint32_t id = stage->changed[i];
        struct ofgroup *g = map_find(stage->map, id);

        if (i && id == stage->changed[i - 1]) {
            continue;
        }
        if (g) {
            g->is_staged = false;
        }
        flow_journal_group(p, id, g ? g->spec : NULL);
        changes_put(p->all, OFPROTO_CHANGE_GROUP, p, id);
    }
    for (size_t i = 0; i < stage->n_gone; i++) {
        ofgroup_unref(stage->gone[i]);
    }
    stage_free(p);
    return true;
}

void
groups_abort(struct ofproto *p)
{
    struct group_stage *stage = p->group_stage;

    if (stage) {
        for (size_t i = 0; i < stage->map->n; i++) {
            if (stage->map->groups[i]->is_staged) {
                ofgroup_unref(stage->map->groups[i]);
            }
        }
        free(stage->map);
        stage_free(p);
    }
}

/* Groups that a walk has yet to follow; each is followed once, however many ways lead to it. */
struct walk {
    const struct ofgroup_map *map;
    uint64_t *seen;
    struct ofgroup **todo; /* no more than there are groups */
    size_t n_todo;
};

static void
walk_to(struct walk *w, uint32_t group_id)
{
    size_t at = lower_bound(w->map, group_id);

    if (!w->map || at >= w->map->n || w->map->groups[at]->group_id != group_id) {
        return;
    }
    if (!w->seen) {
        w->seen = xcalloc(w->map->n / 64 + 1, sizeof *w->seen);
        w->todo = xcalloc(w->map->n, sizeof *w->todo);
    }
    if (!(w->seen[at / 64] >> at % 64 & 1)) {
        w->seen[at / 64] |= UINT64_C(1) << at % 64;
        w->todo[w->n_todo++] = w->map->groups[at];
    }
}

/* True if a bucket of 'spec' leads to 'id'; else the groups that its buckets lead to come next. */
static bool
walk_buckets(struct walk *w, const struct ofp_group *spec, uint32_t id)
{
    for (size_t i = 0; i < spec->n_buckets; i++) {
        const struct ofpacts *acts = &spec->buckets[i].actions;

        OFPACT_FOR_EACH(a, ofpacts_data(acts), acts->size)
        {
            if (a->type == OFPACT_GROUP) {
                uint32_t next_id = OFPACT_CAST(ofpact_group, a)->group_id;

                if (next_id == id) {
                    return true;
                }
                walk_to(w, next_id);
            }
        }
    }
    return false;
}

/* Does following groups from 'spec' lead back to it? */
static bool
is_loop(const struct ofproto *p, const struct ofp_group *spec)
{
    struct walk w = {.map = groups_now(p)};
    bool found = walk_buckets(&w, spec, spec->group_id);

    while (!found && w.n_todo) {
        found = walk_buckets(&w, w.todo[--w.n_todo]->spec, spec->group_id);
    }
    free(w.seen);
    free(w.todo);
    return found;
}

static enum ofperr
check_group(const struct ofproto *p, const struct ofp_group *spec)
{
    if (spec->group_id > OFP_GROUP_MAX) {
        return OFPERR_OFPGMFC_INVALID_GROUP;
    }
    if (spec->type > OFPGT_FF) {
        return OFPERR_OFPGMFC_BAD_TYPE;
    }
    if (spec->type == OFPGT_INDIRECT && spec->n_buckets != 1) {
        return OFPERR_OFPGMFC_INVALID_GROUP;
    }
    if (is_loop(p, spec)) {
        return OFPERR_OFPGMFC_LOOP;
    }
    return OFPERR_OK;
}

/* Rules whose actions lead to a group go with it. */
static void
group_delete(struct flow_txn *txn, uint32_t group_id)
{
    struct ofproto *p = txn->ofproto;
    const struct ofgroup_map *map = groups_now(p);

    if (group_id == OFP_GROUP_ALL) {
        flow_txn_remove_by_group(txn, group_id);
        for (size_t n = map ? map->n : 0; n > 0; n--) {
            stage_replace(p, groups_now(p)->groups[n - 1]->group_id, NULL);
        }
    } else if (map_find(map, group_id)) {
        flow_txn_remove_by_group(txn, group_id);
        stage_replace(p, group_id, NULL);
    }
}

void
groups_destroy(struct ofproto *p)
{
    struct ofgroup_map *map = rcu_get_protected(&p->groups);

    rcu_assign(&p->groups, NULL);
    if (map) {
        for (size_t i = 0; i < map->n; i++) {
            changes_put(p->all, OFPROTO_CHANGE_GROUP, p, map->groups[i]->group_id);
            flow_journal_group(p, map->groups[i]->group_id, NULL);
            ofgroup_unref(map->groups[i]);
        }
        rcu_free(map);
        changes_publish(p->all);
    }
}

static size_t
bucket_index(const struct ofp_group *g, uint32_t bucket_id)
{
    size_t i = 0;

    while (i < g->n_buckets && g->buckets[i].bucket_id != bucket_id) {
        i++;
    }
    return i;
}

/* Copies the buckets [from, to) of 'src' to the end of 'dst', which has room for them. */
static void
copy_buckets(struct ofp_group *dst, const struct ofp_group *src, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        struct ofp_bucket *b = &dst->buckets[dst->n_buckets++];

        *b = src->buckets[i];
        memset(&b->actions, 0, sizeof b->actions);
        ofpacts_append(&b->actions, ofpacts_data(&src->buckets[i].actions),
                       src->buckets[i].actions.size);
    }
}

/* The description that follows from inserting or removing buckets. */
static enum ofperr
edit_buckets(const struct ofp_group *old, const struct ofp_group *cmd, struct ofp_group *spec)
{
    size_t at = old->n_buckets, skip = 0;

    if (cmd->command == OFPGC_INSERT_BUCKET) {
        for (size_t i = 0; i < cmd->n_buckets; i++) {
            if (bucket_index(old, cmd->buckets[i].bucket_id) < old->n_buckets) {
                return OFPERR_OFPGMFC_BUCKET_EXISTS;
            }
        }
    }
    if (cmd->command_bucket_id == OFPG_BUCKET_FIRST) {
        at = 0;
        skip = old->n_buckets ? 1 : 0;
    } else if (cmd->command_bucket_id == OFPG_BUCKET_LAST) {
        at = old->n_buckets;
        if (cmd->command == OFPGC_REMOVE_BUCKET && at) {
            at--;
            skip = 1;
        }
    } else if (cmd->command_bucket_id == OFPG_BUCKET_ALL) {
        at = 0;
        skip = old->n_buckets;
    } else {
        at = bucket_index(old, cmd->command_bucket_id);
        if (at == old->n_buckets) {
            return OFPERR_OFPGMFC_UNKNOWN_BUCKET;
        }
        skip = 1;
        at += cmd->command == OFPGC_INSERT_BUCKET;
    }
    if (cmd->command == OFPGC_INSERT_BUCKET) {
        skip = 0;
    }

    *spec = *old;
    spec->buckets = xcalloc(old->n_buckets + cmd->n_buckets + 1, sizeof *spec->buckets);
    spec->n_buckets = 0;
    copy_buckets(spec, old, 0, at);
    if (cmd->command == OFPGC_INSERT_BUCKET) {
        copy_buckets(spec, cmd, 0, cmd->n_buckets);
    }
    copy_buckets(spec, old, at + skip, old->n_buckets);
    return OFPERR_OK;
}

static enum ofperr
replace_group(struct ofproto *p, const struct ofp_group *spec, const struct ofgroup *old)
{
    enum ofperr error = check_group(p, spec);

    if (!error) {
        struct ofgroup *g = group_create(p, spec);

        if (old) {
            g->created_ms = old->created_ms;
        }
        stage_replace(p, spec->group_id, g);
    }
    return error;
}

enum ofperr
group_mod_apply(struct flow_txn *txn, const struct ofp_group *cmd)
{
    struct ofproto *p = txn->ofproto;
    const struct ofgroup *old = map_find(groups_now(p), cmd->group_id);
    struct ofp_group spec;
    enum ofperr error = OFPERR_OFPGMFC_BAD_COMMAND;

    switch ((enum ofp_group_command)cmd->command) {
    case OFPGC_ADD:
        error = old ? OFPERR_OFPGMFC_GROUP_EXISTS : replace_group(p, cmd, NULL);
        break;
    case OFPGC_MODIFY:
        error = old ? replace_group(p, cmd, old) : OFPERR_OFPGMFC_UNKNOWN_GROUP;
        break;
    case OFPGC_ADD_OR_MOD:
        error = replace_group(p, cmd, old);
        break;
    case OFPGC_DELETE:
        group_delete(txn, cmd->group_id);
        error = OFPERR_OK;
        break;
    case OFPGC_INSERT_BUCKET:
    case OFPGC_REMOVE_BUCKET:
        if (!old) {
            error = OFPERR_OFPGMFC_UNKNOWN_GROUP;
            break;
        }
        error = edit_buckets(old->spec, cmd, &spec);
        if (!error) {
            error = replace_group(p, &spec, old);
            ofp_group_fini(&spec);
        }
        break;
    }
    return error;
}

/* --- replies
 * ------------------------------------------------------------------------------------------- */

void
groups_visit(const struct ofproto *p, uint32_t group_id,
             void (*cb)(const struct ofgroup *, void *aux), void *aux)
{
    const struct ofgroup_map *map = rcu_get_protected(&p->groups);

    for (size_t i = 0; map && i < map->n; i++) {
        if (group_id == OFP_GROUP_ALL || map->groups[i]->group_id == group_id) {
            cb(map->groups[i], aux);
        }
    }
}
