// SPDX-License-Identifier: Apache-2.0
/*
 * group.c - OpenFlow groups: what group-mods mean, and how others find groups.
 *
 * They are in a sorted array, replaced as a whole with each transaction that changes some, so that
 * handlers search it without a lock.  Like rules, groups of a transaction become visible in one
 * version: group_stage.c.  Translations that began in an earlier version find the array of theirs
 * behind the new one.
 *
 * Main writes; group.h says what others may do.
 */
#include "ofproto/group.h"

#include <stdlib.h>

#include "base/clock.h"
#include "ofproto/group_int.h"

/* How many groups the walks of one transaction may meet, about a second's worth. */
enum { MAX_WALK = 16 << 20 };

/* --- reading
 * ------------------------------------------------------------------------------------------ */

size_t
ofgroup_map_place(const struct ofgroup_map *map, uint32_t id)
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

struct ofgroup *
ofgroup_map_find(const struct ofgroup_map *map, uint32_t id)
{
    size_t i = ofgroup_map_place(map, id);

    return map && i < map->n && map->groups[i]->group_id == id ? map->groups[i] : NULL;
}

struct ofgroup *
ofproto_group_lookup(const struct ofproto *p, cls_version_t version, uint32_t group_id)
{
    const struct ofgroup_map *map = rcu_get(&p->groups);

    while (map && map->version > version) {
        map = map->earlier;
    }
    return ofgroup_map_find(map, group_id);
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

bool
group_exists(const struct ofproto *p, uint32_t group_id)
{
    return group_stage_find(p, group_id) != NULL;
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

/* Groups that a walk has yet to follow; each is followed once, however many ways lead to it. */
struct walk {
    struct ofproto *ofproto;
    uint64_t number; /* of the walk, which the groups have that it met */
    struct ofgroup **todo;
    size_t n_todo, allocated;
    size_t n_met;
};

static void
walk_to(struct walk *w, uint32_t group_id)
{
    struct ofgroup *g = group_stage_find(w->ofproto, group_id);

    w->n_met++;
    if (!g || g->walk == w->number) {
        return;
    }
    g->walk = w->number;
    if (w->n_todo >= w->allocated) {
        w->allocated = MAX(w->allocated * 2, (size_t)16);
        w->todo = xreallocarray(w->todo, w->allocated, sizeof(struct ofgroup *));
    }
    w->todo[w->n_todo++] = g;
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

/* Following groups from 'spec' must not lead back to it. */
static enum ofperr
check_loop(struct flow_txn *txn, const struct ofp_group *spec)
{
    struct walk w = {.ofproto = txn->ofproto, .number = ++txn->ofproto->group_walks};
    bool found = walk_buckets(&w, spec, spec->group_id);

    while (!found && w.n_todo && txn->n_walked + w.n_met <= MAX_WALK) {
        found = walk_buckets(&w, w.todo[--w.n_todo]->spec, spec->group_id);
    }
    free(w.todo);
    txn->n_walked += w.n_met;
    return found                      ? OFPERR_OFPGMFC_LOOP
           : txn->n_walked > MAX_WALK ? OFPERR_OFPGMFC_CHAINING_UNSUPPORTED
                                      : OFPERR_OK;
}

static enum ofperr
check_group(struct flow_txn *txn, const struct ofp_group *spec)
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
    return txn->is_restore ? OFPERR_OK : check_loop(txn, spec);
}

/* Rules whose actions lead to a group go with it. */
static void
group_delete(struct flow_txn *txn, uint32_t group_id)
{
    if (group_id == OFP_GROUP_ALL) {
        flow_txn_remove_by_group(txn, group_id);
        group_stage_clear(txn->ofproto);
    } else if (group_exists(txn->ofproto, group_id)) {
        flow_txn_remove_by_group(txn, group_id);
        group_stage_put(txn->ofproto, group_id, NULL);
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
        for (size_t i = 0; i < cmd->n_buckets; i++) {
            if (bucket_index(old, cmd->buckets[i].bucket_id) < old->n_buckets) {
                return OFPERR_OFPGMFC_BUCKET_EXISTS;
            }
        }
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
replace_group(struct flow_txn *txn, const struct ofp_group *spec, const struct ofgroup *old)
{
    enum ofperr error = check_group(txn, spec);

    if (!error) {
        struct ofgroup *g = group_create(txn->ofproto, spec);

        if (old) {
            g->created_ms = old->created_ms;
        }
        group_stage_put(txn->ofproto, spec->group_id, g);
    }
    return error;
}

enum ofperr
group_mod_apply(struct flow_txn *txn, const struct ofp_group *cmd)
{
    const struct ofgroup *old = group_stage_find(txn->ofproto, cmd->group_id);
    struct ofp_group spec;
    enum ofperr error = OFPERR_OFPGMFC_BAD_COMMAND;

    switch ((enum ofp_group_command)cmd->command) {
    case OFPGC_ADD:
        error = old ? OFPERR_OFPGMFC_GROUP_EXISTS : replace_group(txn, cmd, NULL);
        break;
    case OFPGC_MODIFY:
        error = old ? replace_group(txn, cmd, old) : OFPERR_OFPGMFC_UNKNOWN_GROUP;
        break;
    case OFPGC_ADD_OR_MOD:
        error = replace_group(txn, cmd, old);
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
            error = replace_group(txn, &spec, old);
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
