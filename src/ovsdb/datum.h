// SPDX-License-Identifier: Apache-2.0
/*
 * datum.h - column values of RFC 7047 paragraph 5.1: a sorted set of atoms, or a sorted map between
 * atoms.  A scalar is a set of one, an absent optional a set of none.
 *
 * A datum is immutable once it is finished and is shared by counting references (one thread, no
 * atomics), so that rows, monitors and undo records hold the same memory, and two pointers that are
 * equal mean equal values.
 */
#ifndef OVSDB_DATUM_H
#define OVSDB_DATUM_H 1

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/uuid.h"
#include "ovsdb/type.h"

struct ovsdb_error;
struct ovsdb_symtab;
struct str;

union ovsdb_atom {
    int64_t integer;
    double real;
    bool boolean;
    char *string; /* UTF-8, owned by the datum */
    struct uuid uuid;
};

struct ovsdb_datum {
    uint32_t refs;
    uint32_t n;
    enum ovsdb_atomic key_type;
    enum ovsdb_atomic value_type; /* OVSDB_VOID: a set */
    union ovsdb_atom *keys;       /* ascending, all different */
    union ovsdb_atom *values;     /* NULL for a set */
};

/* Making one.  Keys may be added in any order; ovsdb_datum_finish() sorts them, drops pairs that
 * are repeated exactly or by key (the last one wins), and returns how many it dropped. */
struct ovsdb_datum *ovsdb_datum_create(enum ovsdb_atomic key_type, enum ovsdb_atomic value_type,
                                       uint32_t capacity);
/* Take the strings in 'key' and 'value' ('value' NULL for a set).  At most 'capacity' times. */
void ovsdb_datum_add(struct ovsdb_datum *datum, union ovsdb_atom key,
                     const union ovsdb_atom *value);
uint32_t ovsdb_datum_finish(struct ovsdb_datum *datum);

struct ovsdb_datum *ovsdb_datum_ref(const struct ovsdb_datum *datum);
void ovsdb_datum_unref(struct ovsdb_datum *datum);

/* What a column holds when nobody said otherwise (RFC 7047 paragraph 5.2.1). */
struct ovsdb_datum *ovsdb_datum_default(const struct ovsdb_type *type);
bool ovsdb_datum_is_default(const struct ovsdb_datum *datum, const struct ovsdb_type *type);

/* Finished values of one element. */
struct ovsdb_datum *ovsdb_datum_from_uuid(const struct uuid *uuid);
struct ovsdb_datum *ovsdb_datum_from_string(const char *string);
struct ovsdb_datum *ovsdb_datum_from_boolean(bool boolean);

/* JSON.  'symtab' resolves ["named-uuid", ...] and may be NULL where names are not allowed.  The
 * result satisfies all constraints of 'type'. */
struct ovsdb_error *ovsdb_datum_from_json(const struct ovsdb_type *type, const json_t *json,
                                          struct ovsdb_symtab *symtab, struct ovsdb_datum **datump);
/* The same without limits on the number of elements: for conditions, mutations and diffs. */
struct ovsdb_error *ovsdb_datum_from_json_any_n(const struct ovsdb_type *type, const json_t *json,
                                                struct ovsdb_symtab *symtab,
                                                struct ovsdb_datum **datump);
json_t *ovsdb_datum_to_json(const struct ovsdb_datum *datum);
json_t *ovsdb_atom_to_json(const union ovsdb_atom *atom, enum ovsdb_atomic type);

/* Checks values that did not come from JSON (results of mutations). */
struct ovsdb_error *ovsdb_datum_check(const struct ovsdb_datum *datum,
                                      const struct ovsdb_type *type);

/* Comparing. */
int ovsdb_atom_compare(const union ovsdb_atom *a, const union ovsdb_atom *b,
                       enum ovsdb_atomic type);
bool ovsdb_datum_equals(const struct ovsdb_datum *a, const struct ovsdb_datum *b);
/* Position of 'key', or UINT32_MAX. */
uint32_t ovsdb_datum_find(const struct ovsdb_datum *datum, const union ovsdb_atom *key);
/* Every element (pair) of 'a' is in 'b'; none is. */
bool ovsdb_datum_is_subset(const struct ovsdb_datum *a, const struct ovsdb_datum *b);
bool ovsdb_datum_is_disjoint(const struct ovsdb_datum *a, const struct ovsdb_datum *b);

/* New data from old; the arguments keep their references. */

/* 'a' and what of 'b' has no key in 'a'. */
struct ovsdb_datum *ovsdb_datum_union(const struct ovsdb_datum *a, const struct ovsdb_datum *b);
/* 'a' without the elements of 'b'; if 'a' is a map and 'b' a set, without those keys. */
struct ovsdb_datum *ovsdb_datum_subtract(const struct ovsdb_datum *a, const struct ovsdb_datum *b);
/* The difference that update2 notifications and the journal carry.  For a type of at most one
 * element it is the new value.  For sets, the elements that are in just one of the two.  For maps,
 * pairs whose key is in just one of the two, and the new pair of a key whose value differs. */
struct ovsdb_datum *ovsdb_datum_diff(const struct ovsdb_type *type, const struct ovsdb_datum *old,
                                     const struct ovsdb_datum *new);
/* The inverse: diff applied to old gives new. */
struct ovsdb_datum *ovsdb_datum_apply_diff(const struct ovsdb_type *type,
                                           const struct ovsdb_datum *old,
                                           const struct ovsdb_datum *diff);

/* Appends bytes that are equal exactly for equal data: a key for hash tables. */
void ovsdb_datum_put_key(const struct ovsdb_datum *datum, struct str *key);

/* The value for people: "[a, b]", "{k=v}", "a". */
void ovsdb_datum_format(const struct ovsdb_datum *datum, struct str *out);

/* Parses a JSON number that has an exact 64-bit integer value. */
bool ovsdb_json_to_int64(const json_t *json, int64_t *value);

#endif /* ovsdb/datum.h */
