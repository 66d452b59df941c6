// SPDX-License-Identifier: Apache-2.0
/*
 * A map from string to string: other_config, external_ids, options, status columns.
 * Zeroed memory (SMAP_INIT) is an empty map.  Not thread safe.
 */
#ifndef BASE_SMAP_H
#define BASE_SMAP_H

#include "base/str.h"
#include "base/uthash.h"

struct smap_node {
    char *key;
    char *value;
    UT_hash_handle hh;
};

struct smap {
    struct smap_node *nodes;
};

#define SMAP_INIT ((struct smap){NULL})
/* Order of insertion; the map must not change inside. */
#define SMAP_FOREACH(NODE, SMAP) \
    for (const struct smap_node *NODE = (SMAP)->nodes; NODE != NULL; NODE = NODE->hh.next)

void smap_init(struct smap *smap);
/* Frees the contents; the map is empty and usable again. */
void smap_clear(struct smap *smap);
void smap_destroy(struct smap *smap);

/* Sets 'key', in place of what it had.  Both strings are copied. */
void smap_put(struct smap *smap, const char *key, const char *value);
void smap_put_format(struct smap *smap, const char *key, const char *fmt, ...) PRINTF_FORMAT(3, 4);
bool smap_del(struct smap *smap, const char *key);

/* Borrowed until the map changes; NULL when missing. */
const char *smap_get(const struct smap *smap, const char *key);
const char *smap_get_def(const struct smap *smap, const char *key, const char *def);
/* Each gives 'def' when the key is missing or its text is not a number (in base 10, or with 0x). */
int smap_get_int(const struct smap *smap, const char *key, int def);
unsigned int smap_get_uint(const struct smap *smap, const char *key, unsigned int def);
uint64_t smap_get_u64(const struct smap *smap, const char *key, uint64_t def);
/* "true" and "false" in any case. */
bool smap_get_bool(const struct smap *smap, const char *key, bool def);

size_t smap_count(const struct smap *smap);
static inline bool
smap_is_empty(const struct smap *smap)
{
    return smap->nodes == NULL;
}
/* 'dst' must be initialised; its old contents go. */
void smap_clone(struct smap *dst, const struct smap *src);
bool smap_equal(const struct smap *a, const struct smap *b);
uint64_t smap_hash(const struct smap *smap);
/* Returns a new array of smap_count() nodes sorted by key; the nodes are borrowed. */
const struct smap_node **smap_sort(const struct smap *smap);
/* "k=v, k=v" sorted by key. */
void smap_format(const struct smap *smap, struct str *out);

#endif
