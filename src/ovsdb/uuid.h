// SPDX-License-Identifier: Apache-2.0
/*
 * uuid.h - row identifiers of RFC 7047: 128 bits, kept in the order in which they are printed, so
 * that memcmp() sorts as text does.  Value types; no ownership, any thread.
 */
#ifndef OVSDB_UUID_H
#define OVSDB_UUID_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct uuid {
    uint8_t b[16];
};

#define UUID_TEXT_LEN 36

/* A new random (version 4) UUID. */
struct uuid uuid_random(void);

/* Writes the text form, NUL-terminated, into 'buf' and returns 'buf'. */
char *uuid_to_text(const struct uuid *uuid, char buf[UUID_TEXT_LEN + 1]);

/* Parses exactly the 36-character form, either case.  '*uuid' is untouched on failure. */
bool uuid_from_text(const char *text, struct uuid *uuid);

static inline int
uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a, b, sizeof *a);
}

static inline bool
uuid_equals(const struct uuid *a, const struct uuid *b)
{
    return !memcmp(a, b, sizeof *a);
}

static inline bool
uuid_is_zero(const struct uuid *uuid)
{
    static const struct uuid zero;

    return uuid_equals(uuid, &zero);
}

#endif /* ovsdb/uuid.h */
