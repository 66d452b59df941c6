// SPDX-License-Identifier: Apache-2.0
/*
 * The string map of smap.h over uthash.
 */
#include "base/smap.h"

#include <strings.h>

void
smap_init(struct smap *smap)
{
    smap->nodes = NULL;
}

static void
node_free(struct smap_node *node)
{
    free(node->key);
    free(node->value);
    free(node);
}

void
smap_clear(struct smap *smap)
{
    struct smap_node *node, *next;

    HASH_ITER (hh, smap->nodes, node, next) {
        HASH_DEL(smap->nodes, node);
        node_free(node);
    }
}

void
smap_destroy(struct smap *smap)
{
    smap_clear(smap);
}

static struct smap_node *
find_node(const struct smap *smap, const char *key)
{
    struct smap_node *node;

    HASH_FIND_STR(smap->nodes, key, node);
    return node;
}

/* Takes 'value'. */
static void
put_nocopy(struct smap *smap, const char *key, char *value)
{
    struct smap_node *node = find_node(smap, key);

    if (node != NULL) {
        free(node->value);
        node->value = value;
        return;
    }
    node = xzalloc(sizeof(*node));
    node->key = xstrdup(key);
    node->value = value;
    HASH_ADD_KEYPTR(hh, smap->nodes, node->key, strlen(node->key), node);
}

void
smap_put(struct smap *smap, const char *key, const char *value)
{
    put_nocopy(smap, key, xstrdup(value));
}

void
smap_put_format(struct smap *smap, const char *key, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put_nocopy(smap, key, xvasprintf(fmt, args));
    va_end(args);
}

bool
smap_del(struct smap *smap, const char *key)
{
    struct smap_node *node = find_node(smap, key);

    if (node == NULL) {
        return false;
    }
    HASH_DEL(smap->nodes, node);
    node_free(node);
    return true;
}

const char *
smap_get(const struct smap *smap, const char *key)
{
    const struct smap_node *node = find_node(smap, key);

    return node ? node->value : NULL;
}

const char *
smap_get_def(const struct smap *smap, const char *key, const char *def)
{
    const char *value = smap_get(smap, key);

    return value ? value : def;
}

int
smap_get_int(const struct smap *smap, const char *key, int def)
{
    int value;

    return str_to_int(smap_get(smap, key), 0, &value) ? value : def;
}

unsigned int
smap_get_uint(const struct smap *smap, const char *key, unsigned int def)
{
    unsigned int value;

    return str_to_uint(smap_get(smap, key), 0, &value) ? value : def;
}

uint64_t
smap_get_u64(const struct smap *smap, const char *key, uint64_t def)
{
    uint64_t value;

    return str_to_u64(smap_get(smap, key), 0, &value) ? value : def;
}

bool
smap_get_bool(const struct smap *smap, const char *key, bool def)
{
    const char *value = smap_get(smap, key);

    if (value == NULL) {
        return def;
    }
    return def ? strcasecmp(value, "false") != 0 : strcasecmp(value, "true") == 0;
}

size_t
smap_count(const struct smap *smap)
{
    return HASH_COUNT(smap->nodes);
}

void
smap_clone(struct smap *dst, const struct smap *src)
{
    struct smap copy = SMAP_INIT;

    SMAP_FOREACH (node, src) {
        smap_put(&copy, node->key, node->value);
    }
    smap_clear(dst);
    *dst = copy;
}

bool
smap_equal(const struct smap *a, const struct smap *b)
{
    if (smap_count(a) != smap_count(b)) {
        return false;
    }
    SMAP_FOREACH (node, a) {
        const char *value = smap_get(b, node->key);
        if (value == NULL || strcmp(value, node->value) != 0) {
            return false;
        }
    }
    return true;
}

uint64_t
smap_hash(const struct smap *smap)
{
    uint64_t hash = 0;

    /* A sum, so that the order of insertion does not matter. */
    SMAP_FOREACH (node, smap) {
        hash += hash_string(node->value, hash_string(node->key, 0));
    }
    return hash;
}

static int
compare_nodes(const void *a, const void *b)
{
    const struct smap_node *const *x = a;
    const struct smap_node *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

const struct smap_node **
smap_sort(const struct smap *smap)
{
    size_t n = 0;
    const struct smap_node **nodes = xcalloc(smap_count(smap), sizeof(*nodes));

    SMAP_FOREACH (node, smap) {
        nodes[n++] = node;
    }
    qsort(nodes, n, sizeof(*nodes), compare_nodes);
    return nodes;
}

void
smap_format(const struct smap *smap, struct str *out)
{
    const struct smap_node **nodes = smap_sort(smap);
    size_t n = smap_count(smap);

    for (size_t i = 0; i < n; i++) {
        str_printf(out, "%s%s=%s", i ? ", " : "", nodes[i]->key, nodes[i]->value);
    }
    free(nodes);
}
