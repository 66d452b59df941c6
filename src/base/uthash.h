// SPDX-License-Identifier: Apache-2.0
/*
 * Includes the uthash library set up our way: keyed hash (peers choose MACs, names and rows) and
 * allocation that aborts.  Always include this file, never <uthash.h>.
 * Control path only; sorted output by HASH_SRT().
 */
#ifndef BASE_UTHASH_H
#define BASE_UTHASH_H

#include "base/hash.h"

#define HASH_FUNCTION(keyptr, keylen, hashv)                   \
    do {                                                       \
        (hashv) = (unsigned int)hash_bytes(keyptr, keylen, 0); \
    } while (0)
#define uthash_malloc(size) xmalloc(size)
#define uthash_free(ptr, size) free(ptr)

#include <stdlib.h>
/* The library's header of the same name, also when this folder is in the search path. */
#include_next <uthash.h>

#endif
