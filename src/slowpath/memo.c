// SPDX-License-Identifier: Apache-2.0
/*
 * memo.c - see memo.h.  A few entries, tried one after the other: consecutive suspects are
 * neighbours.
 */
#include "slowpath/memo.h"

#include <string.h>

#include "base/util.h"

static void
entry_fini(struct memo_entry *e)
{
    dp_actions_fini(&e->actions);
    xlate_cache_destroy(e->cache);
    xlate_deps_destroy(e->deps);
}

void
memo_fini(struct memo *m)
{
    for (unsigned i = 0; i < m->n; i++) {
        entry_fini(&m->e[i]);
    }
    m->n = m->next = 0;
}

/* Port and recirculation are compared whether a translation looked at them or not. */
static bool
entry_covers(const struct memo_entry *e, const struct flow *key, const struct flow_mask *mask)
{
    uint64_t diff = e->key.w[0] ^ key->w[0];

    for (uint64_t map = e->map; map && !diff; map &= map - 1) {
        unsigned k = (unsigned)__builtin_ctzll(map);

        diff = ((e->key.w[k] ^ key->w[k]) & e->mask.bits.w[k]) |
               (e->mask.bits.w[k] & ~mask->bits.w[k]);
    }
    return !diff;
}

void
memo_init_copy(struct memo *dst, const struct memo *src)
{
    *dst = (struct memo){0};
    for (unsigned i = 0; src && i < src->n; i++) {
        struct memo_entry *e = &dst->e[dst->n++];

        *e = src->e[i];
        e->actions = (struct dp_actions){0};
        dp_actions_append(&e->actions, src->e[i].actions.data, src->e[i].actions.size);
        xlate_cache_ref(e->cache);
        xlate_deps_ref(e->deps);
    }
    dst->next = src ? src->next : 0;
}

struct memo_entry *
memo_find(struct memo *m, const struct rule *by, const struct flow *key,
          const struct flow_mask *mask)
{
    for (unsigned i = 0; i < m->n; i++) {
        if (m->e[i].by == by && entry_covers(&m->e[i], key, mask)) {
            return &m->e[i];
        }
    }
    return NULL;
}

void
memo_put(struct memo *m, const struct rule *by, const struct flow *key, const struct xlate_out *out)
{
    struct memo_entry *e = &m->e[m->next];

    if (!xlate_out_is_shareable(out)) {
        return;
    }
    if (m->next < m->n) {
        entry_fini(e);
    } else {
        m->n++;
    }
    m->next = (m->next + 1) % MEMO_ENTRIES;
    e->by = by;
    e->mask = out->mask;
    e->key = *key;
    e->map = flow_words_map(&out->mask.bits) & FLOW_KEY_WORDS_MAP;
    e->n_shared = 0;
    e->founded = NULL;
    e->actions = (struct dp_actions){0};
    dp_actions_append(&e->actions, out->actions.data, out->actions.size);
    e->cache = xlate_cache_ref(out->cache);
    e->deps = xlate_deps_ref(out->deps);
}
