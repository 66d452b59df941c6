// SPDX-License-Identifier: Apache-2.0
/*
 * 128-bit identifiers (RFC 4122), random ones (version 4) for rows and ufids.
 * Bytes stand in network order, so comparing bytes sorts like the text.
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/str.h"

#define UUID_LEN 36 /* Characters of the text form. */

struct uuid {
    uint8_t b[16];
};

/* A new random one, from the kernel's generator. */
void uuid_generate(struct uuid *uuid);
/* Exactly 36 characters, either case.  False leaves '*uuid' alone. */
bool uuid_from_string(struct uuid *uuid, const char *s);
/* Like uuid_from_string(), for a uuid at the start of a longer text. */
bool uuid_from_prefix(struct uuid *uuid, const char *s);
/* Writes 36 characters and a null byte. */
void uuid_format(const struct uuid *uuid, char buf[UUID_LEN + 1]);

static inline int
uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->b, b->b, sizeof(a->b));
}

static inline bool
uuid_equals(const struct uuid *a, const struct uuid *b)
{
    return uuid_compare(a, b) == 0;
}

/* For tables in memory; seeded per process. */
uint64_t uuid_hash(const struct uuid *uuid);

#endif
