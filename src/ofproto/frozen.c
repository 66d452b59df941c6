// SPDX-License-Identifier: Apache-2.0
/*
 * frozen.c - see frozen.h.  One table by number, one by content, and a queue of those that nobody
 * refers to, oldest first.
 */
#include "ofproto/frozen.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/hash.h"
#include "base/util.h"
#include "ofproto/mac_table.h"

COVERAGE_DEFINE(frozen_full);

enum { N_HEADS = 4096 };

/* A state with what the table keeps beside it. */
struct node {
    struct frozen pub; /* first: node_of() */
    struct frozens *all;
    uint32_t n_refs; /* under the lock */
    size_t size;
    struct share *share;
    uint64_t hash;
    int64_t idle_since_ms;
    struct node *next_by_id, *next_by_hash;
    struct node *next_idle, *prev_idle; /* while n_refs is 0 */
};

/* What the states of one port take. */
struct share {
    uint32_t n;
    size_t size;
};

struct frozens {
    pthread_mutex_t lock; /* all below */
    uint32_t n, most, most_of_port;
    size_t most_size;
    uint32_t last_id;
    uint64_t n_refused, n_port_refused;
    size_t size;
    struct share shares[FROZEN_PORTS + 1]; /* the last one is FROZEN_NO_PORT's */
    bool destroyed;
    struct node *by_id[N_HEADS], *by_hash[N_HEADS];
    struct node *idle_first, *idle_last;
};

static struct share *
share_of(struct frozens *all, uint32_t port)
{
    return &all->shares[port == FROZEN_NO_PORT ? FROZEN_PORTS : port % FROZEN_PORTS];
}

/* --- contents ----------------------------------------------------------------------------------
 */

static uint64_t
acts_hash(const struct ofpacts *acts, uint64_t h)
{
    return hash_add(h, hash_bytes(ofpacts_data(acts), acts->size, acts->size));
}

static uint64_t
state_hash(const struct frozen_state *s)
{
    const struct ofp_continuation *c = &s->left;
    uint64_t h = hash_bytes(s->pipeline, sizeof s->pipeline, c->mirrors);

    h = hash_add(h, (uint64_t)(uintptr_t)s->macs);
    h = hash_add(h, (uint64_t)s->bundle << 3 | (uint64_t)c->conntracked << 2 |
                        (uint64_t)s->is_hashed << 1 | s->looks_up);
    h = hash_add(h, s->has_tunnel ? hash_bytes(&s->tunnel, sizeof s->tunnel, 0) : 0);
    h = hash_add(h, c->n_stack ? hash_bytes(c->stack, c->n_stack * sizeof *c->stack, 0) : 0);
    h = acts_hash(&c->action_set, h);
    for (size_t i = 0; i < c->n_parts; i++) {
        h = hash_add(h, c->parts[i].table_id ^ c->parts[i].cookie << 8);
        h = acts_hash(&c->parts[i].actions, h);
    }
    return hash_finish(h);
}

static bool
acts_equal(const struct ofpacts *a, const struct ofpacts *b)
{
    return a->size == b->size && (!a->size || !memcmp(ofpacts_data(a), ofpacts_data(b), a->size));
}

static bool
state_equal(const struct frozen_state *a, const struct frozen_state *b)
{
    const struct ofp_continuation *ca = &a->left, *cb = &b->left;

    if (a->ofproto != b->ofproto || a->macs != b->macs || a->looks_up != b->looks_up ||
        a->is_hashed != b->is_hashed || a->bundle != b->bundle || a->has_tunnel != b->has_tunnel ||
        (a->has_tunnel && memcmp(&a->tunnel, &b->tunnel, sizeof a->tunnel)) ||
        ca->mirrors != cb->mirrors || ca->conntracked != cb->conntracked ||
        ca->n_stack != cb->n_stack || ca->n_parts != cb->n_parts ||
        memcmp(a->pipeline, b->pipeline, sizeof a->pipeline) ||
        (ca->n_stack && memcmp(ca->stack, cb->stack, ca->n_stack * sizeof *ca->stack)) ||
        !acts_equal(&ca->action_set, &cb->action_set)) {
        return false;
    }
    for (size_t i = 0; i < ca->n_parts; i++) {
        const struct ofp_frozen_part *pa = &ca->parts[i], *pb = &cb->parts[i];

        if (pa->table_id != pb->table_id || pa->cookie != pb->cookie || pa->tells != pb->tells ||
            !acts_equal(&pa->actions, &pb->actions)) {
            return false;
        }
    }
    return true;
}

static size_t
state_size(const struct frozen_state *s)
{
    const struct ofp_continuation *c = &s->left;
    size_t size = sizeof(struct node) + c->n_stack * sizeof *c->stack + c->action_set.size +
                  c->n_parts * sizeof *c->parts;

    for (size_t i = 0; i < c->n_parts; i++) {
        size += c->parts[i].actions.size;
    }
    return size;
}

/* --- the tables --------------------------------------------------------------------------------
 */

static void
idle_add(struct frozens *all, struct node *node)
{
    node->idle_since_ms = clock_now_ms();
    node->next_idle = NULL;
    node->prev_idle = all->idle_last;
    *(all->idle_last ? &all->idle_last->next_idle : &all->idle_first) = node;
    all->idle_last = node;
}

static void
idle_remove(struct frozens *all, struct node *node)
{
    *(node->prev_idle ? &node->prev_idle->next_idle : &all->idle_first) = node->next_idle;
    *(node->next_idle ? &node->next_idle->prev_idle : &all->idle_last) = node->prev_idle;
}

static void
node_ref(struct node *node)
{
    if (!node->n_refs++) {
        idle_remove(node->all, node);
    }
}

static struct node *
find_by_id(const struct frozens *all, uint32_t id)
{
    struct node *node = all->by_id[id % N_HEADS];

    while (node && node->pub.id != id) {
        node = node->next_by_id;
    }
    return node;
}

static struct node *
find_by_content(const struct frozens *all, const struct frozen_state *s, uint64_t hash)
{
    struct node *node = all->by_hash[hash % N_HEADS];

    while (node && (node->hash != hash || !state_equal(&node->pub.state, s))) {
        node = node->next_by_hash;
    }
    return node;
}

static void
node_insert(struct frozens *all, struct node *node)
{
    struct node **by_id, **by_hash = &all->by_hash[node->hash % N_HEADS];

    do {
        all->last_id++;
    } while (!all->last_id || find_by_id(all, all->last_id));
    node->pub.id = all->last_id;
    by_id = &all->by_id[node->pub.id % N_HEADS];
    node->next_by_id = *by_id;
    *by_id = node;
    node->next_by_hash = *by_hash;
    *by_hash = node;
    all->n++;
    all->most = MAX(all->most, all->n);
    all->size += node->size;
    all->most_size = MAX(all->most_size, all->size);
    node->share->n++;
    node->share->size += node->size;
    all->most_of_port = MAX(all->most_of_port, node->share->n);
}

static void
node_destroy(struct frozens *all, struct node *node)
{
    struct node **p;

    for (p = &all->by_id[node->pub.id % N_HEADS]; *p != node; p = &(*p)->next_by_id) {
    }
    *p = node->next_by_id;
    for (p = &all->by_hash[node->hash % N_HEADS]; *p != node; p = &(*p)->next_by_hash) {
    }
    *p = node->next_by_hash;
    all->n--;
    all->size -= node->size;
    node->share->n--;
    node->share->size -= node->size;
    mac_table_unref(node->pub.state.macs);
    ofp_continuation_fini(&node->pub.state.left);
    free(node);
}

static void
tidy(struct frozens *all, int64_t now_ms)
{
    struct node *node;

    while ((node = all->idle_first) != NULL &&
           (all->destroyed || now_ms - node->idle_since_ms >= FROZEN_LINGER_MS)) {
        idle_remove(all, node);
        node_destroy(all, node);
    }
}

/* --- for all -----------------------------------------------------------------------------------
 */

struct frozens *
frozens_create(void)
{
    struct frozens *all = xzalloc(sizeof *all);

    pthread_mutex_init(&all->lock, NULL);
    return all;
}

/* With the lock, which goes with the memory if that does. */
static void
unlock(struct frozens *all)
{
    bool is_last = all->destroyed && !all->n;

    pthread_mutex_unlock(&all->lock);
    if (is_last) {
        pthread_mutex_destroy(&all->lock);
        free(all);
    }
}

void
frozens_destroy(struct frozens *all)
{
    if (all) {
        pthread_mutex_lock(&all->lock);
        all->destroyed = true;
        tidy(all, 0);
        unlock(all);
    }
}

static struct node *
node_create(struct frozens *all, struct share *share, struct frozen_state *state, uint64_t hash,
            size_t size)
{
    struct node *node = xzalloc(sizeof *node);

    node->all = all;
    node->share = share;
    node->n_refs = 1;
    node->hash = hash;
    node->size = size;
    node->pub.state = *state;
    mac_table_ref(state->macs);
    state->left = (struct ofp_continuation){0};
    node_insert(all, node);
    return node;
}

static bool
are_quarters(uint32_t n, size_t size, unsigned quarters)
{
    return n >= FROZEN_MAX / 4 * quarters || size >= (size_t)FROZEN_MAX_SIZE / 4 * quarters;
}

/* Under the lock; counts what it says no to. */
static bool
has_room(struct frozens *all, const struct share *share, size_t size)
{
    bool has = all->n < FROZEN_MAX && all->size + size <= FROZEN_MAX_SIZE;
    bool is_late = are_quarters(all->n, all->size + size, 3);
    bool has_half = are_quarters(share->n, share->size + size, 2);

    if (has && is_late && has_half) {
        all->n_port_refused++;
        has = false;
    }
    if (!has) {
        all->n_refused++;
        coverage_inc(frozen_full);
    }
    return has;
}

struct frozen *
frozen_get(struct frozens *all, uint32_t port, struct frozen_state *state)
{
    struct share *share = share_of(all, port);
    uint64_t hash = state_hash(state);
    size_t size = state_size(state);
    struct node *node;

    pthread_mutex_lock(&all->lock);
    tidy(all, clock_now_ms());
    node = find_by_content(all, state, hash);
    if (node) {
        node_ref(node);
    } else if (has_room(all, share, size)) {
        node = node_create(all, share, state, hash, size);
    }
    pthread_mutex_unlock(&all->lock);
    ofp_continuation_fini(&state->left);
    return node ? &node->pub : NULL;
}

struct frozen *
frozen_find(struct frozens *all, uint32_t id)
{
    struct node *node;

    pthread_mutex_lock(&all->lock);
    node = find_by_id(all, id);
    if (node) {
        node_ref(node);
    }
    pthread_mutex_unlock(&all->lock);
    return node ? &node->pub : NULL;
}

static struct node *
node_of(struct frozen *frozen)
{
    return (struct node *)(void *)frozen; /* its first member */
}

struct frozen *
frozen_ref(struct frozen *frozen)
{
    struct node *node = node_of(frozen);

    pthread_mutex_lock(&node->all->lock);
    node->n_refs++;
    pthread_mutex_unlock(&node->all->lock);
    return frozen;
}

void
frozen_unref(struct frozen *frozen)
{
    struct node *node;
    struct frozens *all;

    if (!frozen) {
        return;
    }
    node = node_of(frozen);
    all = node->all;
    pthread_mutex_lock(&all->lock);
    if (!--node->n_refs) {
        idle_add(all, node);
        tidy(all, node->idle_since_ms);
    }
    unlock(all);
}

struct ofproto *
frozen_bridge(const struct frozen *frozen)
{
    return mac_table_is_live(frozen->state.macs) ? frozen->state.ofproto : NULL;
}

void
frozens_tidy(struct frozens *all, int64_t now_ms)
{
    pthread_mutex_lock(&all->lock);
    tidy(all, now_ms);
    pthread_mutex_unlock(&all->lock);
}

bool
frozens_are_many(struct frozens *all, uint32_t port)
{
    const struct share *share = share_of(all, port);
    bool many;

    pthread_mutex_lock(&all->lock);
    many = are_quarters(all->n, all->size, 3) ||
           (are_quarters(all->n, all->size, 2) && are_quarters(share->n, share->size, 1));
    pthread_mutex_unlock(&all->lock);
    return many;
}

struct frozens_use
frozens_use(struct frozens *all)
{
    struct frozens_use use;

    pthread_mutex_lock(&all->lock);
    use = (struct frozens_use){.now = all->n,
                               .most = all->most,
                               .size = all->size,
                               .most_size = all->most_size,
                               .n_refused = all->n_refused,
                               .most_of_port = all->most_of_port,
                               .n_port_refused = all->n_port_refused};
    for (uint32_t port = 0; port <= FROZEN_PORTS; port++) {
        if (all->shares[port].n > use.of_full_port) {
            use.of_full_port = all->shares[port].n;
            use.full_port = port < FROZEN_PORTS ? port : FROZEN_NO_PORT;
        }
    }
    pthread_mutex_unlock(&all->lock);
    return use;
}
