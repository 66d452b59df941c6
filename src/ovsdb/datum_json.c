// SPDX-License-Identifier: Apache-2.0
/*
 * datum_json.c - <value>, <set>, <map> and <atom> of RFC 7047 paragraph 5.1, and the constraints
 * of paragraph 3.2.  The JSON comes from peers: everything is checked.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"
#include "ovsdb/datum.h"
#include "ovsdb/error.h"
#include "ovsdb/symtab.h"

bool
ovsdb_json_to_int64(const json_t *json, int64_t *value)
{
    if (json_is_integer(json)) {
        *value = json_integer_value(json);
        return true;
    }
    if (json_is_real(json)) {
        double real = json_real_value(json);

        /* 2^63 itself does not fit; -2^63 does. */
        if (real >= -9223372036854775808.0 && real < 9223372036854775808.0 && real == floor(real)) {
            *value = (int64_t)real;
            return true;
        }
    }
    return false;
}

/* ["uuid", TEXT] or ["named-uuid", NAME]. */
static struct ovsdb_error *
uuid_from_json(const json_t *json, struct ovsdb_symtab *symtab, struct uuid *uuid)
{
    const json_t *tag = json_array_get(json, 0);
    const json_t *text = json_array_get(json, 1);

    if (json_array_size(json) == 2 && json_is_string(tag) && json_is_string(text)) {
        const char *s = json_string_value(text);

        if (!strcmp(json_string_value(tag), "uuid")) {
            return uuid_from_string(uuid, s)
                       ? NULL
                       : ovsdb_error_at(OVSDB_E_SYNTAX, json, "\"%.64s\" is not a valid UUID", s);
        }
        if (!strcmp(json_string_value(tag), "named-uuid") && symtab != NULL) {
            *uuid = ovsdb_symtab_get(symtab, s)->uuid;
            return NULL;
        }
    }
    return ovsdb_error_at(OVSDB_E_SYNTAX, json, "expected [\"uuid\", <string>]%s",
                          symtab != NULL ? " or [\"named-uuid\", <string>]" : "");
}

static struct ovsdb_error *
atom_from_json(enum ovsdb_atomic type, const json_t *json, struct ovsdb_symtab *symtab,
               union ovsdb_atom *atom)
{
    memset(atom, 0, sizeof *atom);
    switch (type) {
    case OVSDB_INTEGER:
        if (ovsdb_json_to_int64(json, &atom->integer)) {
            return NULL;
        }
        break;
    case OVSDB_REAL:
        if (json_is_number(json)) {
            atom->real = json_number_value(json);
            return NULL;
        }
        break;
    case OVSDB_BOOLEAN:
        if (json_is_boolean(json)) {
            atom->boolean = json_is_true(json);
            return NULL;
        }
        break;
    case OVSDB_STRING:
        if (json_is_string(json)) {
            const char *s = json_string_value(json);

            /* jansson has refused invalid UTF-8 when it parsed, but not \u0000. */
            if (strlen(s) != json_string_length(json)) {
                return ovsdb_error_at(OVSDB_E_SYNTAX, json, "strings cannot contain null bytes");
            }
            atom->string = xstrdup(s);
            return NULL;
        }
        break;
    case OVSDB_UUID:
        return uuid_from_json(json, symtab, &atom->uuid);
    case OVSDB_VOID:
        break;
    }
    return ovsdb_error_at(OVSDB_E_SYNTAX, json, "expected %s", ovsdb_atomic_name(type));
}

/* Constraints. */

static size_t
utf8_length(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++) {
        n += ((unsigned char)*s & 0xc0) != 0x80;
    }
    return n;
}

static struct ovsdb_error *
check_integer(int64_t value, int64_t min, int64_t max)
{
    if (value >= min && value <= max) {
        return NULL;
    }
    if (max == INT64_MAX) {
        return ovsdb_error_create(OVSDB_E_CONSTRAINT,
                                  "%" PRId64 " is less than minimum allowed value %" PRId64, value,
                                  min);
    }
    if (min == INT64_MIN) {
        return ovsdb_error_create(OVSDB_E_CONSTRAINT,
                                  "%" PRId64 " is greater than maximum allowed value %" PRId64,
                                  value, max);
    }
    return ovsdb_error_create(OVSDB_E_CONSTRAINT,
                              "%" PRId64 " is not in the valid range %" PRId64 " to %" PRId64
                              " (inclusive)",
                              value, min, max);
}

static struct ovsdb_error *
check_atom(const union ovsdb_atom *atom, const struct ovsdb_base *base)
{
    if (base->allowed != NULL) {
        if (ovsdb_datum_find(base->allowed, atom) != UINT32_MAX) {
            return NULL;
        }
        struct str allowed = STR_INIT;
        json_t *json = ovsdb_atom_to_json(atom, base->type);
        char *text = json_is_string(json) ? xstrdup(json_string_value(json))
                                          : json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

        ovsdb_datum_format(base->allowed, &allowed);
        struct ovsdb_error *error =
            ovsdb_error_create(OVSDB_E_CONSTRAINT, "%.256s is not one of the allowed values (%s)",
                               text, str_cstr(&allowed));
        free(text);
        json_decref(json);
        str_free(&allowed);
        return error;
    }
    if (base->type == OVSDB_INTEGER) {
        return check_integer(atom->integer, base->integer.min, base->integer.max);
    }
    if (base->type == OVSDB_REAL && (atom->real < base->real.min || atom->real > base->real.max)) {
        return ovsdb_error_create(OVSDB_E_CONSTRAINT,
                                  "%.15g is not in the valid range %.15g to %.15g (inclusive)",
                                  atom->real, base->real.min, base->real.max);
    }
    if (base->type == OVSDB_STRING &&
        (base->string.min_len > 0 || base->string.max_len != UINT32_MAX)) {
        size_t n = utf8_length(atom->string);

        if (n < base->string.min_len || n > base->string.max_len) {
            return ovsdb_error_create(OVSDB_E_CONSTRAINT,
                                      "a string of %zu characters where %u to %u are allowed", n,
                                      base->string.min_len, base->string.max_len);
        }
    }
    return NULL;
}

/* Checks element (pair) 'i'. */
static struct ovsdb_error *
check_element(const struct ovsdb_datum *datum, uint32_t i, const struct ovsdb_type *type)
{
    struct ovsdb_error *error = check_atom(&datum->keys[i], &type->key);

    if (error == NULL && datum->values != NULL) {
        error = check_atom(&datum->values[i], &type->value);
    }
    return error;
}

/* "set must have ..." with the limits of 'type', about 'n' elements; NULL if they are kept. */
static struct ovsdb_error *
check_n(const struct ovsdb_type *type, size_t n, const char *tag, const json_t *json)
{
    char max[24] = "unlimited";

    if (n >= type->n_min && n <= type->n_max) {
        return NULL;
    }
    if (type->n_max != OVSDB_UNLIMITED) {
        snprintf(max, sizeof max, "%u", type->n_max);
    }
    return ovsdb_error_at(tag, json, "%s must have %u to %s members but %zu are present",
                          ovsdb_type_is_map(type) ? "map" : "set", type->n_min, max, n);
}

struct ovsdb_error *
ovsdb_datum_check(const struct ovsdb_datum *datum, const struct ovsdb_type *type)
{
    struct ovsdb_error *error = check_n(type, datum->n, OVSDB_E_CONSTRAINT, NULL);

    for (uint32_t i = 0; i < datum->n && error == NULL; i++) {
        error = check_element(datum, i, type);
    }
    return error;
}

/* Parsing. */

static struct ovsdb_error *
pair_from_json(const struct ovsdb_type *type, const json_t *json, struct ovsdb_symtab *symtab,
               struct ovsdb_datum *datum)
{
    union ovsdb_atom key, value;
    struct ovsdb_error *error;

    if (!json_is_array(json) || json_array_size(json) != 2) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "expected 2-element array");
    }
    error = atom_from_json(type->key.type, json_array_get(json, 0), symtab, &key);
    if (error != NULL) {
        return error;
    }
    error = atom_from_json(type->value.type, json_array_get(json, 1), symtab, &value);
    if (error != NULL) {
        if (type->key.type == OVSDB_STRING) {
            free(key.string);
        }
        return error;
    }
    ovsdb_datum_add(datum, key, &value);
    return NULL;
}

/* The elements of ["set", [...]] or ["map", [...]]; NULL if 'json' is not of that form. */
static const json_t *
elements_of(const json_t *json, const char *tag)
{
    const json_t *first = json_array_get(json, 0);
    const json_t *second = json_array_get(json, 1);

    if (json_array_size(json) == 2 && json_is_string(first) &&
        !strcmp(json_string_value(first), tag) && json_is_array(second)) {
        return second;
    }
    return NULL;
}

static struct ovsdb_error *
elements_from_json(const struct ovsdb_type *type, const json_t *elements,
                   struct ovsdb_symtab *symtab, struct ovsdb_datum *datum)
{
    bool is_map = ovsdb_type_is_map(type);

    for (size_t i = 0; i < json_array_size(elements); i++) {
        const json_t *element = json_array_get(elements, i);
        struct ovsdb_error *error;

        if (is_map) {
            error = pair_from_json(type, element, symtab, datum);
        } else {
            union ovsdb_atom atom;

            error = atom_from_json(type->key.type, element, symtab, &atom);
            if (error == NULL) {
                ovsdb_datum_add(datum, atom, NULL);
            }
        }
        if (error == NULL) {
            error = check_element(datum, datum->n - 1, type);
        }
        if (error != NULL) {
            return error;
        }
    }
    if (ovsdb_datum_finish(datum) > 0) {
        /* The tag that existing servers use here; the standard names none. */
        return ovsdb_error_create("ovsdb error",
                                  is_map ? "map contains duplicate key" : "set contains duplicate");
    }
    return NULL;
}

static struct ovsdb_error *
datum_from_json(const struct ovsdb_type *type, const json_t *json, struct ovsdb_symtab *symtab,
                bool is_n_checked, struct ovsdb_datum **datump)
{
    bool is_map = ovsdb_type_is_map(type);
    const json_t *elements = elements_of(json, is_map ? "map" : "set");
    struct ovsdb_error *error = NULL;
    json_t *wrapped = NULL;

    *datump = NULL;
    if (elements == NULL) {
        if (is_map) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json, "expected [\"map\", <array>]");
        }
        /* A single atom stands for the set of it. */
        elements = wrapped = json_pack("[O]", json);
    } else if (is_n_checked) {
        error = check_n(type, json_array_size(elements), OVSDB_E_SYNTAX, json);
    }
    if (error == NULL && json_array_size(elements) >= UINT32_MAX) {
        error = ovsdb_error_create(OVSDB_E_RESOURCES, "too many elements");
    }
    if (error == NULL) {
        struct ovsdb_datum *datum = ovsdb_datum_create(type->key.type, type->value.type,
                                                       (uint32_t)json_array_size(elements));

        error = elements_from_json(type, elements, symtab, datum);
        if (error == NULL) {
            *datump = datum;
        } else {
            ovsdb_datum_unref(datum);
        }
    }
    json_decref(wrapped);
    return error;
}

struct ovsdb_error *
ovsdb_datum_from_json(const struct ovsdb_type *type, const json_t *json,
                      struct ovsdb_symtab *symtab, struct ovsdb_datum **datump)
{
    return datum_from_json(type, json, symtab, true, datump);
}

struct ovsdb_error *
ovsdb_datum_from_json_any_n(const struct ovsdb_type *type, const json_t *json,
                            struct ovsdb_symtab *symtab, struct ovsdb_datum **datump)
{
    return datum_from_json(type, json, symtab, false, datump);
}

/* Printing. */

json_t *
ovsdb_atom_to_json(const union ovsdb_atom *atom, enum ovsdb_atomic type)
{
    char text[UUID_LEN + 1];

    switch (type) {
    case OVSDB_INTEGER:
        return json_integer(atom->integer);
    case OVSDB_REAL:
        return json_real(atom->real);
    case OVSDB_BOOLEAN:
        return json_boolean(atom->boolean);
    case OVSDB_STRING:
        return json_string_nocheck(atom->string);
    case OVSDB_UUID:
        uuid_format(&atom->uuid, text);
        return json_pack("[s,s]", "uuid", text);
    case OVSDB_VOID:
        break;
    }
    return json_null();
}

json_t *
ovsdb_datum_to_json(const struct ovsdb_datum *datum)
{
    bool is_map = datum->value_type != OVSDB_VOID;

    if (!is_map && datum->n == 1) {
        return ovsdb_atom_to_json(&datum->keys[0], datum->key_type);
    }

    json_t *elements = json_array();
    for (uint32_t i = 0; i < datum->n; i++) {
        json_t *element = ovsdb_atom_to_json(&datum->keys[i], datum->key_type);

        if (is_map) {
            element = json_pack("[o,o]", element,
                                ovsdb_atom_to_json(&datum->values[i], datum->value_type));
        }
        json_array_append_new(elements, element);
    }
    return json_pack("[s,o]", is_map ? "map" : "set", elements);
}

static void
atom_format(const union ovsdb_atom *atom, enum ovsdb_atomic type, struct str *out)
{
    switch (type) {
    case OVSDB_INTEGER:
        str_printf(out, "%" PRId64, atom->integer);
        break;
    case OVSDB_REAL:
        str_printf(out, "%.15g", atom->real);
        break;
    case OVSDB_BOOLEAN:
        str_put(out, atom->boolean ? "true" : "false");
        break;
    case OVSDB_STRING:
        str_put(out, atom->string);
        break;
    case OVSDB_UUID:
        str_put_uuid(out, atom->uuid.b);
        break;
    case OVSDB_VOID:
        break;
    }
}

void
ovsdb_datum_format(const struct ovsdb_datum *datum, struct str *out)
{
    bool is_map = datum->value_type != OVSDB_VOID;
    bool is_bracketed = is_map || datum->n != 1;

    str_put(out, !is_bracketed ? "" : is_map ? "{" : "[");
    for (uint32_t i = 0; i < datum->n; i++) {
        str_put(out, i > 0 ? ", " : "");
        atom_format(&datum->keys[i], datum->key_type, out);
        if (is_map) {
            str_putc(out, '=');
            atom_format(&datum->values[i], datum->value_type, out);
        }
    }
    str_put(out, !is_bracketed ? "" : is_map ? "}" : "]");
}
