// SPDX-License-Identifier: Apache-2.0
/*
 * type.c - parses and prints <type> and <base-type> of RFC 7047 paragraph 3.2, see type.h.
 */
#include "ovsdb/type.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/datum.h"
#include "ovsdb/error.h"

static const char *const atomic_names[] = {
    [OVSDB_VOID] = "void",       [OVSDB_INTEGER] = "integer", [OVSDB_REAL] = "real",
    [OVSDB_BOOLEAN] = "boolean", [OVSDB_STRING] = "string",   [OVSDB_UUID] = "uuid",
};

const char *
ovsdb_atomic_name(enum ovsdb_atomic type)
{
    return atomic_names[type];
}

void
ovsdb_base_init(struct ovsdb_base *base, enum ovsdb_atomic type)
{
    memset(base, 0, sizeof *base);
    base->type = type;
    if (type == OVSDB_INTEGER) {
        base->integer.min = INT64_MIN;
        base->integer.max = INT64_MAX;
    } else if (type == OVSDB_REAL) {
        base->real.min = -HUGE_VAL;
        base->real.max = HUGE_VAL;
    } else if (type == OVSDB_STRING) {
        base->string.max_len = UINT32_MAX;
    }
}

static void
base_fini(struct ovsdb_base *base)
{
    ovsdb_datum_unref(base->allowed);
    base->allowed = NULL;
    if (base->type == OVSDB_UUID) {
        free(base->uuid.ref_name);
        base->uuid.ref_name = NULL;
    }
}

static struct ovsdb_error *
atomic_from_json(const json_t *json, enum ovsdb_atomic *type)
{
    for (size_t i = OVSDB_INTEGER; i <= OVSDB_UUID && json_is_string(json); i++) {
        if (!strcmp(json_string_value(json), atomic_names[i])) {
            *type = (enum ovsdb_atomic)i;
            return NULL;
        }
    }
    return ovsdb_error_at(OVSDB_E_SYNTAX, json, "atomic-type expected");
}

/* Reads member 'name' of 'json' into '*value' if it is there. */
static struct ovsdb_error *
integer_member(const json_t *json, const char *name, int64_t *value)
{
    const json_t *member = json_object_get(json, name);

    if (member != NULL && !ovsdb_json_to_int64(member, value)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "member '%s' must be an integer", name);
    }
    return NULL;
}

static struct ovsdb_error *
integer_range_from_json(const json_t *json, struct ovsdb_base *base)
{
    struct ovsdb_error *error = integer_member(json, "minInteger", &base->integer.min);

    if (error == NULL) {
        error = integer_member(json, "maxInteger", &base->integer.max);
    }
    if (error == NULL && base->integer.min > base->integer.max) {
        error = ovsdb_error_at(OVSDB_E_SYNTAX, json, "minInteger exceeds maxInteger");
    }
    return error;
}

static struct ovsdb_error *
real_range_from_json(const json_t *json, struct ovsdb_base *base)
{
    const json_t *min = json_object_get(json, "minReal");
    const json_t *max = json_object_get(json, "maxReal");

    if ((min != NULL && !json_is_number(min)) || (max != NULL && !json_is_number(max))) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "minReal and maxReal must be numbers");
    }
    base->real.min = min != NULL ? json_number_value(min) : base->real.min;
    base->real.max = max != NULL ? json_number_value(max) : base->real.max;
    if (base->real.min > base->real.max) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "minReal exceeds maxReal");
    }
    return NULL;
}

static struct ovsdb_error *
length_range_from_json(const json_t *json, struct ovsdb_base *base)
{
    int64_t min = 0, max = UINT32_MAX;
    struct ovsdb_error *error = integer_member(json, "minLength", &min);

    if (error == NULL) {
        error = integer_member(json, "maxLength", &max);
    }
    if (error == NULL && (min < 0 || min > UINT32_MAX || max < 0 || max > UINT32_MAX)) {
        error = ovsdb_error_at(OVSDB_E_SYNTAX, json, "string length outside 0..%u", UINT32_MAX);
    }
    if (error == NULL && min > max) {
        error = ovsdb_error_at(OVSDB_E_SYNTAX, json, "minLength exceeds maxLength");
    }
    if (error == NULL) {
        base->string.min_len = (uint32_t)min;
        base->string.max_len = (uint32_t)max;
    }
    return error;
}

static struct ovsdb_error *
reference_from_json(const json_t *json, struct ovsdb_base *base)
{
    const json_t *table = json_object_get(json, "refTable");
    const json_t *kind = json_object_get(json, "refType");

    if (table == NULL) {
        return kind == NULL ? NULL
                            : ovsdb_error_at(OVSDB_E_SYNTAX, json, "refType without refTable");
    }
    if (!json_is_string(table)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "refTable must be a table's name");
    }
    base->uuid.ref_name = xstrdup(json_string_value(table));
    if (kind != NULL) {
        const char *text = json_is_string(kind) ? json_string_value(kind) : "";

        base->uuid.is_weak = !strcmp(text, "weak");
        if (!base->uuid.is_weak && strcmp(text, "strong")) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json, "refType must be \"strong\" or \"weak\"");
        }
    }
    return NULL;
}

/* Which constraints go with which atomic type. */
static const char *const base_members[][6] = {
    [OVSDB_INTEGER] = {"type", "enum", "minInteger", "maxInteger"},
    [OVSDB_REAL] = {"type", "enum", "minReal", "maxReal"},
    [OVSDB_BOOLEAN] = {"type", "enum"},
    [OVSDB_STRING] = {"type", "enum", "minLength", "maxLength"},
    [OVSDB_UUID] = {"type", "enum", "refTable", "refType"},
};

static struct ovsdb_error *
enum_from_json(const json_t *json, struct ovsdb_base *base)
{
    struct ovsdb_type type = {.n_min = 1, .n_max = OVSDB_UNLIMITED};

    ovsdb_base_init(&type.key, base->type);
    ovsdb_base_init(&type.value, OVSDB_VOID);
    return ovsdb_datum_from_json(&type, json_object_get(json, "enum"), NULL, &base->allowed);
}

static struct ovsdb_error *
base_from_json(const json_t *json, struct ovsdb_base *base)
{
    enum ovsdb_atomic atomic = OVSDB_VOID;
    struct ovsdb_error *error;

    ovsdb_base_init(base, OVSDB_VOID);
    error = atomic_from_json(json_is_object(json) ? json_object_get(json, "type") : json, &atomic);
    if (error != NULL) {
        return error;
    }
    ovsdb_base_init(base, atomic);
    if (!json_is_object(json)) {
        return NULL;
    }
    error = ovsdb_check_members(json, "ovsdb type", base_members[atomic]);
    if (error != NULL) {
        return error;
    }
    if (json_object_get(json, "enum") != NULL) {
        if (json_object_size(json) > 2) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json,
                                  "enum cannot be combined with other constraints");
        }
        return enum_from_json(json, base);
    }
    switch (atomic) {
    case OVSDB_INTEGER:
        return integer_range_from_json(json, base);
    case OVSDB_REAL:
        return real_range_from_json(json, base);
    case OVSDB_STRING:
        return length_range_from_json(json, base);
    case OVSDB_UUID:
        return reference_from_json(json, base);
    case OVSDB_BOOLEAN:
    case OVSDB_VOID:
        break;
    }
    return NULL;
}

static struct ovsdb_error *
n_from_json(const json_t *json, struct ovsdb_type *type)
{
    const json_t *max = json_object_get(json, "max");
    int64_t n_min = 1, n_max = 1;
    struct ovsdb_error *error = integer_member(json, "min", &n_min);

    if (error != NULL) {
        return error;
    }
    if (json_is_string(max) && !strcmp(json_string_value(max), "unlimited")) {
        n_max = OVSDB_UNLIMITED;
    } else if (max != NULL && !ovsdb_json_to_int64(max, &n_max)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "max must be an integer or \"unlimited\"");
    }
    if (n_min < 0 || n_min > 1 || n_max < 1 || n_max > OVSDB_UNLIMITED) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json,
                              "min must be 0 or 1 and max at least 1 or \"unlimited\"");
    }
    type->n_min = (uint32_t)n_min;
    type->n_max = (uint32_t)n_max;
    return NULL;
}

struct ovsdb_error *
ovsdb_type_from_json(const json_t *json, struct ovsdb_type *type)
{
    static const char *const members[] = {"key", "value", "min", "max", NULL};
    struct ovsdb_error *error;

    ovsdb_base_init(&type->value, OVSDB_VOID);
    type->n_min = type->n_max = 1;
    if (!json_is_object(json)) {
        return base_from_json(json, &type->key);
    }

    ovsdb_base_init(&type->key, OVSDB_VOID);
    error = ovsdb_check_members(json, "ovsdb type", members);
    if (error == NULL) {
        error = base_from_json(json_object_get(json, "key"), &type->key);
    }
    if (error == NULL && json_object_get(json, "value") != NULL) {
        error = base_from_json(json_object_get(json, "value"), &type->value);
    }
    if (error == NULL) {
        error = n_from_json(json, type);
    }
    return error;
}

void
ovsdb_type_fini(struct ovsdb_type *type)
{
    base_fini(&type->key);
    base_fini(&type->value);
}

static bool
base_is_trivial(const struct ovsdb_base *base)
{
    struct ovsdb_base trivial;

    if (base->allowed != NULL) {
        return false;
    }
    ovsdb_base_init(&trivial, base->type);
    switch (base->type) {
    case OVSDB_INTEGER:
        return base->integer.min == trivial.integer.min && base->integer.max == trivial.integer.max;
    case OVSDB_REAL:
        return base->real.min <= trivial.real.min && base->real.max >= trivial.real.max;
    case OVSDB_STRING:
        return base->string.min_len == 0 && base->string.max_len == UINT32_MAX;
    case OVSDB_UUID:
        return base->uuid.ref_name == NULL;
    case OVSDB_BOOLEAN:
    case OVSDB_VOID:
        break;
    }
    return true;
}

static void
base_constraints_to_json(const struct ovsdb_base *base, json_t *json)
{
    if (base->type == OVSDB_INTEGER) {
        if (base->integer.min != INT64_MIN) {
            json_object_set_new(json, "minInteger", json_integer(base->integer.min));
        }
        if (base->integer.max != INT64_MAX) {
            json_object_set_new(json, "maxInteger", json_integer(base->integer.max));
        }
    } else if (base->type == OVSDB_REAL) {
        if (isfinite(base->real.min)) {
            json_object_set_new(json, "minReal", json_real(base->real.min));
        }
        if (isfinite(base->real.max)) {
            json_object_set_new(json, "maxReal", json_real(base->real.max));
        }
    } else if (base->type == OVSDB_STRING) {
        if (base->string.min_len > 0) {
            json_object_set_new(json, "minLength", json_integer(base->string.min_len));
        }
        if (base->string.max_len != UINT32_MAX) {
            json_object_set_new(json, "maxLength", json_integer(base->string.max_len));
        }
    } else if (base->type == OVSDB_UUID && base->uuid.ref_name != NULL) {
        json_object_set_new(json, "refTable", json_string(base->uuid.ref_name));
        if (base->uuid.is_weak) {
            json_object_set_new(json, "refType", json_string("weak"));
        }
    }
}

static json_t *
base_to_json(const struct ovsdb_base *base)
{
    if (base_is_trivial(base)) {
        return json_string(atomic_names[base->type]);
    }

    json_t *json = json_object();
    json_object_set_new(json, "type", json_string(atomic_names[base->type]));
    if (base->allowed != NULL) {
        json_object_set_new(json, "enum", ovsdb_datum_to_json(base->allowed));
    } else {
        base_constraints_to_json(base, json);
    }
    return json;
}

json_t *
ovsdb_type_to_json(const struct ovsdb_type *type)
{
    if (ovsdb_type_is_scalar(type) && base_is_trivial(&type->key)) {
        return base_to_json(&type->key);
    }

    json_t *json = json_object();
    json_object_set_new(json, "key", base_to_json(&type->key));
    if (ovsdb_type_is_map(type)) {
        json_object_set_new(json, "value", base_to_json(&type->value));
    }
    if (type->n_min != 1) {
        json_object_set_new(json, "min", json_integer(type->n_min));
    }
    if (type->n_max == OVSDB_UNLIMITED) {
        json_object_set_new(json, "max", json_string("unlimited"));
    } else if (type->n_max != 1) {
        json_object_set_new(json, "max", json_integer(type->n_max));
    }
    return json;
}
