// SPDX-License-Identifier: Apache-2.0
/*
 * evict.c - which rule makes room in a full table that may evict: one of the largest group; there,
 * of those with a timeout the least important one, and of these the one that ends soonest.
 *
 * A group is the rules with a timeout that have the same values in the subfields of
 * Flow_Table.groups (whoever adds most then pays for it); without subfields there is one.  Each has
 * a heap, by importance and the end as it was last looked at.  Ends move away as packets come, and
 * nothing is told of that: the top is looked at again, and goes back to its place if its end has
 * moved.  So the rule that is chosen is the right one, and a choice costs little more than those
 * whose ends moved since.  Groups of equal size are in one list, and a rule that comes or goes
 * moves its group to the next list: the largest one is known at any time.
 *
 * Main thread.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/hash.h"
#include "base/log.h"

#include "flow/field.h"
#include "ofproto/ofproto_priv.h"

LOG_MODULE(ofproto);

struct evict_entry {
    uint64_t key; /* importance << 48 | end, when last looked at */
    struct rule *rule;
};

struct evict_group {
    UT_hash_handle hh;               /* in evict_groups.all, by 'id' */
    uint64_t id;                     /* hash of the subfields' values */
    struct evict_group *prev, *next; /* of the same size */
    size_t n, allocated;
    struct evict_entry *e; /* of rule r: e[r->evict_pos - 1] */
};

struct evict_groups {
    struct evict_group *all;
    struct evict_group **by_size; /* lists; those of size n at n - 1 */
    size_t largest, allocated;    /* sizes */
};

static uint64_t
key_of(const struct rule *r)
{
    uint8_t reason;

    return (uint64_t)r->importance << 48 | (uint64_t)flow_rule_deadline(r, &reason);
}

/* --- the heap of one group ------------------------------------------------------------------ */

static void
place(struct evict_group *g, size_t i, struct evict_entry entry)
{
    g->e[i] = entry;
    entry.rule->evict_pos = (uint32_t)i + 1;
}

static void
sift_up(struct evict_group *g, size_t i, struct evict_entry entry)
{
    while (i && g->e[(i - 1) / 2].key > entry.key) {
        place(g, i, g->e[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(g, i, entry);
}

static void
sift_down(struct evict_group *g, size_t i, struct evict_entry entry)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < g->n && g->e[child + 1].key < g->e[child].key) {
            child++;
        }
        if (child >= g->n || g->e[child].key >= entry.key) {
            break;
        }
        place(g, i, g->e[child]);
        i = child;
    }
    place(g, i, entry);
}

static void
heap_put(struct evict_group *g, struct rule *r)
{
    if (g->n >= g->allocated) {
        g->allocated = MAX(g->allocated * 2, (size_t)4);
        g->e = xreallocarray(g->e, g->allocated, sizeof *g->e);
    }
    sift_up(g, g->n++, (struct evict_entry){.key = key_of(r), .rule = r});
}

static void
heap_take(struct evict_group *g, struct rule *r)
{
    size_t i = r->evict_pos - 1;
    struct evict_entry last = g->e[--g->n];

    r->evict_pos = 0;
    if (last.rule == r) {
        return;
    }
    if (i && g->e[(i - 1) / 2].key > last.key) {
        sift_up(g, i, last);
    } else {
        sift_down(g, i, last);
    }
}

/* --- groups --------------------------------------------------------------------------------- */

/* A field that a rule cannot have counts as zero, as one that it does not match. */
static uint64_t
group_id(const struct oftable *t, const struct rule *r)
{
    struct match match;
    uint64_t id = 0;

    if (!t->n_groups) {
        return 0;
    }
    cls_rule_get_match(&r->cls, &match);
    for (size_t i = 0; i < t->n_groups; i++) {
        union mf_value value = {0};

        if (mf_prereqs_ok(t->groups[i].field, &match.flow, NULL)) {
            mf_read_subfield(&t->groups[i], &match.flow, &value);
        }
        id = hash_bytes(&value, sizeof value, id);
    }
    return id;
}

static void
size_list_add(struct evict_groups *gs, struct evict_group *g)
{
    if (!g->n) {
        return;
    }
    if (g->n > gs->allocated) {
        size_t n = MAX(gs->allocated * 2, g->n);

        gs->by_size = xreallocarray(gs->by_size, n, sizeof *gs->by_size);
        memset(gs->by_size + gs->allocated, 0, (n - gs->allocated) * sizeof *gs->by_size);
        gs->allocated = n;
    }
    DL_APPEND(gs->by_size[g->n - 1], g);
    gs->largest = MAX(gs->largest, g->n);
}

static void
size_list_del(struct evict_groups *gs, struct evict_group *g)
{
    if (g->n) {
        DL_DELETE(gs->by_size[g->n - 1], g);
    }
}

static void
settle_largest(struct evict_groups *gs)
{
    while (gs->largest && !gs->by_size[gs->largest - 1]) {
        gs->largest--;
    }
}

static void
group_put(struct oftable *t, struct rule *r)
{
    struct evict_groups *gs = t->evictable;
    uint64_t id = group_id(t, r);
    struct evict_group *g;

    HASH_FIND(hh, gs->all, &id, sizeof id, g);
    if (!g) {
        g = xzalloc(sizeof *g);
        g->id = id;
        HASH_ADD(hh, gs->all, id, sizeof id, g);
    }
    size_list_del(gs, g);
    heap_put(g, r);
    size_list_add(gs, g);
}

static void
group_take(struct evict_groups *gs, struct evict_group *g, struct rule *r)
{
    size_list_del(gs, g);
    heap_take(g, r);
    size_list_add(gs, g);
    settle_largest(gs);
    if (!g->n) {
        HASH_DEL(gs->all, g);
        free(g->e);
        free(g);
    }
}

void
evict_set_groups(struct oftable *t, const char *groups, const char *bridge, int table_id)
{
    if (!strcmp(groups ? groups : "", t->groups_text ? t->groups_text : "")) {
        return;
    }
    evict_forget(t);
    free(t->groups_text);
    t->groups_text = xstrdup(groups ? groups : "");
    t->n_groups = 0;
    for (const char *line = t->groups_text; *line; line = strchr(line, '\n') + 1) {
        char *text = xasprintf("%.*s", (int)strcspn(line, "\n"), line);
        struct mf_subfield sf;
        char *error = mf_parse_subfield(&sf, text, NULL);

        if (error) {
            log_warn("bridge %s table %d: error parsing 'groups' (%s)", bridge, table_id, error);
            free(error);
        } else {
            t->groups = xreallocarray(t->groups, t->n_groups + 1, sizeof *t->groups);
            t->groups[t->n_groups++] = sf;
        }
        free(text);
    }
}

void
evict_put(struct oftable *t, struct rule *r)
{
    if (t->evictable) {
        evict_take(t, r);
        group_put(t, r);
    }
}

void
evict_take(struct oftable *t, struct rule *r)
{
    if (r->evict_pos) {
        uint64_t id = group_id(t, r);
        struct evict_group *g;

        HASH_FIND(hh, t->evictable->all, &id, sizeof id, g);
        group_take(t->evictable, g, r);
    }
}

void
evict_forget(struct oftable *t)
{
    struct evict_groups *gs = t->evictable;
    struct evict_group *g, *next;

    if (!gs) {
        return;
    }
    HASH_ITER (hh, gs->all, g, next) {
        for (size_t i = 0; i < g->n; i++) {
            g->e[i].rule->evict_pos = 0;
        }
        HASH_DEL(gs->all, g);
        free(g->e);
        free(g);
    }
    free(gs->by_size);
    free(gs);
    t->evictable = NULL;
}

/* The first time: of all rules with a timeout, those of this table that did not go yet. */
static void
create(struct ofproto *p, struct oftable *t, cls_version_t version)
{
    t->evictable = xzalloc(sizeof *t->evictable);
    for (size_t i = 0; i < p->n_expirable; i++) {
        struct rule *r = p->expirable[i];

        if (&p->tables[r->table_id] == t && !rule_is_removed(r, version)) {
            group_put(t, r);
        }
    }
}

struct rule *
evict_choose(struct ofproto *p, struct oftable *t, cls_version_t version)
{
    struct evict_groups *gs;

    if (!t->evictable) {
        create(p, t, version);
    }
    gs = t->evictable;
    while (gs->largest) {
        struct evict_group *g = gs->by_size[gs->largest - 1];
        struct rule *r = g->e[0].rule;
        uint64_t key = key_of(r);

        if (rule_is_removed(r, version)) {
            group_take(gs, g, r); /* By this very transaction; evict_put() if that is undone. */
        } else if (key > g->e[0].key) {
            sift_down(g, 0, (struct evict_entry){.key = key, .rule = r});
        } else {
            return r;
        }
    }
    return NULL;
}
