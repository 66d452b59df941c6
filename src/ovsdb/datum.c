// SPDX-License-Identifier: Apache-2.0
/*
 * datum.c - making, comparing and combining column values; datum_json.c reads and prints them.
 */
#include "ovsdb/datum.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"

struct ovsdb_datum *
ovsdb_datum_create(enum ovsdb_atomic key_type, enum ovsdb_atomic value_type, uint32_t capacity)
{
    struct ovsdb_datum *datum = xzalloc(sizeof *datum);

    datum->refs = 1;
    datum->key_type = key_type;
    datum->value_type = value_type;
    if (capacity > 0) {
        datum->keys = xcalloc(capacity, sizeof *datum->keys);
        if (value_type != OVSDB_VOID) {
            datum->values = xcalloc(capacity, sizeof *datum->values);
        }
    }
    return datum;
}

void
ovsdb_datum_add(struct ovsdb_datum *datum, union ovsdb_atom key, const union ovsdb_atom *value)
{
    datum->keys[datum->n] = key;
    if (datum->values != NULL) {
        datum->values[datum->n] = *value;
    }
    datum->n++;
}

static void
atom_fini(union ovsdb_atom *atom, enum ovsdb_atomic type)
{
    if (type == OVSDB_STRING) {
        free(atom->string);
    }
}

static union ovsdb_atom
atom_copy(const union ovsdb_atom *atom, enum ovsdb_atomic type)
{
    union ovsdb_atom copy = *atom;

    if (type == OVSDB_STRING) {
        copy.string = xstrdup(atom->string);
    }
    return copy;
}

int
ovsdb_atom_compare(const union ovsdb_atom *a, const union ovsdb_atom *b, enum ovsdb_atomic type)
{
    switch (type) {
    case OVSDB_INTEGER:
        return (a->integer > b->integer) - (a->integer < b->integer);
    case OVSDB_REAL:
        return (a->real > b->real) - (a->real < b->real);
    case OVSDB_BOOLEAN:
        return (int)a->boolean - (int)b->boolean;
    case OVSDB_STRING:
        return strcmp(a->string, b->string);
    case OVSDB_UUID:
        return uuid_compare(&a->uuid, &b->uuid);
    case OVSDB_VOID:
        break;
    }
    return 0;
}

struct sort_item {
    union ovsdb_atom key;
    union ovsdb_atom value;
    uint32_t position; /* keeps equal keys in order of insertion */
};

static int
sort_compare(const void *a_, const void *b_, void *datum_)
{
    const struct sort_item *a = a_, *b = b_;
    const struct ovsdb_datum *datum = datum_;
    int order = ovsdb_atom_compare(&a->key, &b->key, datum->key_type);

    return order ? order : (a->position > b->position) - (a->position < b->position);
}

static bool
datum_is_sorted(const struct ovsdb_datum *datum)
{
    for (uint32_t i = 1; i < datum->n; i++) {
        if (ovsdb_atom_compare(&datum->keys[i - 1], &datum->keys[i], datum->key_type) >= 0) {
            return false;
        }
    }
    return true;
}

uint32_t
ovsdb_datum_finish(struct ovsdb_datum *datum)
{
    uint32_t n = datum->n, kept = 0;

    if (datum_is_sorted(datum)) {
        return 0;
    }

    struct sort_item *items = xcalloc(n, sizeof *items);
    for (uint32_t i = 0; i < n; i++) {
        items[i].key = datum->keys[i];
        items[i].position = i;
        if (datum->values != NULL) {
            items[i].value = datum->values[i];
        }
    }
    qsort_r(items, n, sizeof *items, sort_compare, datum);
    for (uint32_t i = 0; i < n; i++) {
        bool is_repeated =
            i + 1 < n && !ovsdb_atom_compare(&items[i].key, &items[i + 1].key, datum->key_type);
        if (is_repeated) {
            atom_fini(&items[i].key, datum->key_type);
            atom_fini(&items[i].value, datum->value_type);
            continue;
        }
        datum->keys[kept] = items[i].key;
        if (datum->values != NULL) {
            datum->values[kept] = items[i].value;
        }
        kept++;
    }
    datum->n = kept;
    free(items);
    return n - kept;
}

struct ovsdb_datum *
ovsdb_datum_ref(const struct ovsdb_datum *datum)
{
    struct ovsdb_datum *d = (struct ovsdb_datum *)datum;

    d->refs++;
    return d;
}

void
ovsdb_datum_unref(struct ovsdb_datum *datum)
{
    if (datum == NULL || --datum->refs > 0) {
        return;
    }
    for (uint32_t i = 0; i < datum->n; i++) {
        atom_fini(&datum->keys[i], datum->key_type);
        if (datum->values != NULL) {
            atom_fini(&datum->values[i], datum->value_type);
        }
    }
    free(datum->keys);
    free(datum->values);
    free(datum);
}

static struct ovsdb_datum *
datum_from_atom(enum ovsdb_atomic type, union ovsdb_atom atom)
{
    struct ovsdb_datum *datum = ovsdb_datum_create(type, OVSDB_VOID, 1);

    ovsdb_datum_add(datum, atom, NULL);
    return datum;
}

struct ovsdb_datum *
ovsdb_datum_from_uuid(const struct uuid *uuid)
{
    return datum_from_atom(OVSDB_UUID, (union ovsdb_atom){.uuid = *uuid});
}

struct ovsdb_datum *
ovsdb_datum_from_string(const char *string)
{
    return datum_from_atom(OVSDB_STRING, (union ovsdb_atom){.string = xstrdup(string)});
}

struct ovsdb_datum *
ovsdb_datum_from_boolean(bool boolean)
{
    return datum_from_atom(OVSDB_BOOLEAN, (union ovsdb_atom){.boolean = boolean});
}

static union ovsdb_atom
atom_default(enum ovsdb_atomic type)
{
    union ovsdb_atom atom;

    memset(&atom, 0, sizeof atom);
    if (type == OVSDB_STRING) {
        atom.string = xstrdup("");
    }
    return atom;
}

struct ovsdb_datum *
ovsdb_datum_default(const struct ovsdb_type *type)
{
    struct ovsdb_datum *datum = ovsdb_datum_create(type->key.type, type->value.type, type->n_min);

    if (type->n_min > 0) {
        union ovsdb_atom value = atom_default(type->value.type);

        ovsdb_datum_add(datum, atom_default(type->key.type), &value);
    }
    return datum;
}

static bool
atom_is_default(const union ovsdb_atom *atom, enum ovsdb_atomic type)
{
    static char empty[] = "";
    union ovsdb_atom zero;

    memset(&zero, 0, sizeof zero);
    if (type == OVSDB_STRING) {
        zero.string = empty;
    }
    return !ovsdb_atom_compare(atom, &zero, type);
}

bool
ovsdb_datum_is_default(const struct ovsdb_datum *datum, const struct ovsdb_type *type)
{
    if (datum->n != type->n_min) {
        return false;
    }
    for (uint32_t i = 0; i < datum->n; i++) {
        if (!atom_is_default(&datum->keys[i], datum->key_type) ||
            (datum->values != NULL && !atom_is_default(&datum->values[i], datum->value_type))) {
            return false;
        }
    }
    return true;
}

/* Comparing. */

static bool
values_equal(const struct ovsdb_datum *a, uint32_t i, const struct ovsdb_datum *b, uint32_t j)
{
    return a->values == NULL || b->values == NULL ||
           !ovsdb_atom_compare(&a->values[i], &b->values[j], a->value_type);
}

bool
ovsdb_datum_equals(const struct ovsdb_datum *a, const struct ovsdb_datum *b)
{
    if (a == b) {
        return true;
    }
    if (a->n != b->n || a->key_type != b->key_type || a->value_type != b->value_type) {
        return false;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        if (ovsdb_atom_compare(&a->keys[i], &b->keys[i], a->key_type) ||
            !values_equal(a, i, b, i)) {
            return false;
        }
    }
    return true;
}

uint32_t
ovsdb_datum_find(const struct ovsdb_datum *datum, const union ovsdb_atom *key)
{
    uint32_t low = 0, high = datum->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = ovsdb_atom_compare(key, &datum->keys[middle], datum->key_type);

        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return UINT32_MAX;
}

/* True if element (pair) 'i' of 'a' is in 'b'. */
static bool
datum_contains(const struct ovsdb_datum *b, const struct ovsdb_datum *a, uint32_t i)
{
    uint32_t j = ovsdb_datum_find(b, &a->keys[i]);

    return j != UINT32_MAX && values_equal(a, i, b, j);
}

bool
ovsdb_datum_is_subset(const struct ovsdb_datum *a, const struct ovsdb_datum *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (!datum_contains(b, a, i)) {
            return false;
        }
    }
    return true;
}

bool
ovsdb_datum_is_disjoint(const struct ovsdb_datum *a, const struct ovsdb_datum *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (datum_contains(b, a, i)) {
            return false;
        }
    }
    return true;
}

/* New data from old. */

static void
datum_add_copy(struct ovsdb_datum *to, const struct ovsdb_datum *from, uint32_t i)
{
    union ovsdb_atom key = atom_copy(&from->keys[i], from->key_type);

    if (from->values != NULL && to->value_type != OVSDB_VOID) {
        union ovsdb_atom value = atom_copy(&from->values[i], from->value_type);

        ovsdb_datum_add(to, key, &value);
    } else {
        ovsdb_datum_add(to, key, NULL);
    }
}

struct ovsdb_datum *
ovsdb_datum_union(const struct ovsdb_datum *a, const struct ovsdb_datum *b)
{
    struct ovsdb_datum *result = ovsdb_datum_create(a->key_type, a->value_type, a->n + b->n);

    for (uint32_t i = 0; i < a->n; i++) {
        datum_add_copy(result, a, i);
    }
    for (uint32_t i = 0; i < b->n; i++) {
        if (ovsdb_datum_find(a, &b->keys[i]) == UINT32_MAX) {
            datum_add_copy(result, b, i);
        }
    }
    ovsdb_datum_finish(result);
    return result;
}

struct ovsdb_datum *
ovsdb_datum_subtract(const struct ovsdb_datum *a, const struct ovsdb_datum *b)
{
    struct ovsdb_datum *result = ovsdb_datum_create(a->key_type, a->value_type, a->n);

    for (uint32_t i = 0; i < a->n; i++) {
        if (!datum_contains(b, a, i)) {
            datum_add_copy(result, a, i);
        }
    }
    return result;
}

struct ovsdb_datum *
ovsdb_datum_diff(const struct ovsdb_type *type, const struct ovsdb_datum *old,
                 const struct ovsdb_datum *new)
{
    if (type->n_max == 1) {
        return ovsdb_datum_ref(new);
    }

    struct ovsdb_datum *diff = ovsdb_datum_create(old->key_type, old->value_type, old->n + new->n);
    for (uint32_t i = 0; i < old->n; i++) {
        if (ovsdb_datum_find(new, &old->keys[i]) == UINT32_MAX) {
            datum_add_copy(diff, old, i);
        }
    }
    for (uint32_t i = 0; i < new->n; i++) {
        if (!datum_contains(old, new, i)) {
            datum_add_copy(diff, new, i);
        }
    }
    ovsdb_datum_finish(diff);
    return diff;
}

struct ovsdb_datum *
ovsdb_datum_apply_diff(const struct ovsdb_type *type, const struct ovsdb_datum *old,
                       const struct ovsdb_datum *diff)
{
    if (type->n_max == 1) {
        return ovsdb_datum_ref(diff);
    }

    struct ovsdb_datum *new = ovsdb_datum_create(old->key_type, old->value_type, old->n + diff->n);
    for (uint32_t i = 0; i < old->n; i++) {
        if (ovsdb_datum_find(diff, &old->keys[i]) == UINT32_MAX) {
            datum_add_copy(new, old, i);
        }
    }
    for (uint32_t i = 0; i < diff->n; i++) {
        if (!datum_contains(old, diff, i)) {
            datum_add_copy(new, diff, i);
        }
    }
    ovsdb_datum_finish(new);
    return new;
}

static void
atom_put_key(const union ovsdb_atom *atom, enum ovsdb_atomic type, struct str *key)
{
    double zero = 0.0;

    switch (type) {
    case OVSDB_INTEGER:
        str_put_mem(key, &atom->integer, sizeof atom->integer);
        break;
    case OVSDB_REAL:
        /* -0.0 equals 0.0 but has other bytes. */
        str_put_mem(key, atom->real == 0.0 ? &zero : &atom->real, sizeof atom->real);
        break;
    case OVSDB_BOOLEAN:
        str_putc(key, atom->boolean ? 1 : 0);
        break;
    case OVSDB_STRING:
        str_put_mem(key, atom->string, strlen(atom->string) + 1);
        break;
    case OVSDB_UUID:
        str_put_mem(key, &atom->uuid, sizeof atom->uuid);
        break;
    case OVSDB_VOID:
        break;
    }
}

void
ovsdb_datum_put_key(const struct ovsdb_datum *datum, struct str *key)
{
    str_put_mem(key, &datum->n, sizeof datum->n);
    for (uint32_t i = 0; i < datum->n; i++) {
        atom_put_key(&datum->keys[i], datum->key_type, key);
        if (datum->values != NULL) {
            atom_put_key(&datum->values[i], datum->value_type, key);
        }
    }
}
