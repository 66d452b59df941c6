// SPDX-License-Identifier: Apache-2.0
/*
 * type.h - column types of RFC 7047 paragraph 3.2: the atomic types, base types with their
 * constraints, and sets and maps of them.  Used by schema.c, which owns all of them; read-only
 * after a schema has been parsed.
 */
#ifndef OVSDB_TYPE_H
#define OVSDB_TYPE_H 1

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct ovsdb_datum;
struct ovsdb_error;
struct ovsdb_table_schema;

enum ovsdb_atomic {
    OVSDB_VOID, /* the value type of a set */
    OVSDB_INTEGER,
    OVSDB_REAL,
    OVSDB_BOOLEAN,
    OVSDB_STRING,
    OVSDB_UUID,
};

const char *ovsdb_atomic_name(enum ovsdb_atomic type);

struct ovsdb_base {
    enum ovsdb_atomic type;
    struct ovsdb_datum *allowed; /* "enum": a set of the allowed values, or NULL */
    union {
        struct {
            int64_t min, max;
        } integer;
        struct {
            double min, max;
        } real;
        struct {
            uint32_t min_len, max_len; /* characters, not bytes */
        } string;
        struct {
            char *ref_name;                 /* "refTable", or NULL */
            struct ovsdb_table_schema *ref; /* set once all tables are known */
            bool is_weak;
        } uuid;
    };
};

#define OVSDB_UNLIMITED UINT32_MAX

struct ovsdb_type {
    struct ovsdb_base key;
    struct ovsdb_base value; /* OVSDB_VOID unless a map */
    uint32_t n_min;          /* 0 or 1 */
    uint32_t n_max;          /* >= 1, or OVSDB_UNLIMITED */
};

static inline bool
ovsdb_type_is_map(const struct ovsdb_type *type)
{
    return type->value.type != OVSDB_VOID;
}

/* Exactly one value, as opposed to an optional one, a set or a map. */
static inline bool
ovsdb_type_is_scalar(const struct ovsdb_type *type)
{
    return !ovsdb_type_is_map(type) && type->n_min == 1 && type->n_max == 1;
}

/* A base type without constraints. */
void ovsdb_base_init(struct ovsdb_base *base, enum ovsdb_atomic type);

/* Parses <type> into '*type', which ovsdb_type_fini() frees (also after an error). */
struct ovsdb_error *ovsdb_type_from_json(const json_t *json, struct ovsdb_type *type);
void ovsdb_type_fini(struct ovsdb_type *type);

/* The shortest <type> that says the same, a new reference. */
json_t *ovsdb_type_to_json(const struct ovsdb_type *type);

#endif /* ovsdb/type.h */
