// SPDX-License-Identifier: Apache-2.0
/*
 * evict.c - which rule makes room in a full table that may evict: of those with a timeout the least
 * important one, and of these the one that ends soonest.
 *
 * A heap for each table that needs one, by importance and the end as it was last looked at.  Ends
 * move away as packets come, and nothing is told of that: the top is looked at again, and goes back
 * to its place if its end has moved.  So the rule that is chosen is the right one, and a choice
 * costs little more than those whose ends moved since.
 *
 * Main thread.
 */
#include <stdlib.h>

#include "ofproto/ofproto_priv.h"

struct evict_entry {
    uint64_t key; /* importance << 48 | end, when last looked at */
    struct rule *rule;
};

struct evict_heap {
    size_t n, allocated;
    struct evict_entry *e; /* of rule r: e[r->evict_pos - 1] */
};

static uint64_t
key_of(const struct rule *r)
{
    uint8_t reason;

    return (uint64_t)r->importance << 48 | (uint64_t)flow_rule_deadline(r, &reason);
}

static void
place(struct evict_heap *h, size_t i, struct evict_entry entry)
{
    h->e[i] = entry;
    entry.rule->evict_pos = (uint32_t)i + 1;
}

static void
sift_up(struct evict_heap *h, size_t i, struct evict_entry entry)
{
    while (i && h->e[(i - 1) / 2].key > entry.key) {
        place(h, i, h->e[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(h, i, entry);
}

static void
sift_down(struct evict_heap *h, size_t i, struct evict_entry entry)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < h->n && h->e[child + 1].key < h->e[child].key) {
            child++;
        }
        if (child >= h->n || h->e[child].key >= entry.key) {
            break;
        }
        place(h, i, h->e[child]);
        i = child;
    }
    place(h, i, entry);
}

static void
put(struct evict_heap *h, struct rule *r)
{
    if (h->n >= h->allocated) {
        h->allocated = MAX(h->allocated * 2, (size_t)64);
        h->e = xreallocarray(h->e, h->allocated, sizeof *h->e);
    }
    sift_up(h, h->n++, (struct evict_entry){.key = key_of(r), .rule = r});
}

static void
take(struct evict_heap *h, struct rule *r)
{
    size_t i = r->evict_pos - 1;
    struct evict_entry last = h->e[--h->n];

    r->evict_pos = 0;
    if (last.rule == r) {
        return;
    }
    if (i && h->e[(i - 1) / 2].key > last.key) {
        sift_up(h, i, last);
    } else {
        sift_down(h, i, last);
    }
}

void
evict_put(struct oftable *t, struct rule *r)
{
    if (t->evictable) {
        evict_take(t, r);
        put(t->evictable, r);
    }
}

void
evict_take(struct oftable *t, struct rule *r)
{
    if (r->evict_pos) {
        take(t->evictable, r);
    }
}

void
evict_forget(struct oftable *t)
{
    struct evict_heap *h = t->evictable;

    if (!h) {
        return;
    }
    for (size_t i = 0; i < h->n; i++) {
        h->e[i].rule->evict_pos = 0;
    }
    free(h->e);
    free(h);
    t->evictable = NULL;
}

/* The first time: of all rules with a timeout, those of this table. */
static void
create(struct ofproto *p, struct oftable *t)
{
    t->evictable = xzalloc(sizeof *t->evictable);
    for (size_t i = 0; i < p->n_expirable; i++) {
        if (&p->tables[p->expirable[i]->table_id] == t) {
            put(t->evictable, p->expirable[i]);
        }
    }
}

struct rule *
evict_choose(struct ofproto *p, struct oftable *t, cls_version_t version)
{
    struct evict_heap *h;

    if (!t->evictable) {
        create(p, t);
    }
    h = t->evictable;
    while (h->n) {
        struct rule *r = h->e[0].rule;
        uint64_t key = key_of(r);

        if (rule_is_removed(r, version)) {
            take(h, r); /* By this very transaction; evict_put() if that is undone. */
        } else if (key > h->e[0].key) {
            sift_down(h, 0, (struct evict_entry){.key = key, .rule = r});
        } else {
            return r;
        }
    }
    return NULL;
}
