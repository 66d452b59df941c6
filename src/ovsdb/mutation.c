// SPDX-License-Identifier: Apache-2.0
/*
 * mutation.c - parses and applies mutations, see mutation.h.
 */
#include "ovsdb/mutation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/error.h"

enum mutator {
    MUTATE_ADD,
    MUTATE_SUB,
    MUTATE_MUL,
    MUTATE_DIV,
    MUTATE_MOD,
    MUTATE_INSERT,
    MUTATE_DELETE
};

static const char *const mutator_names[] = {
    [MUTATE_ADD] = "+=",        [MUTATE_SUB] = "-=", [MUTATE_MUL] = "*=",
    [MUTATE_DIV] = "/=",        [MUTATE_MOD] = "%=", [MUTATE_INSERT] = "insert",
    [MUTATE_DELETE] = "delete",
};

struct ovsdb_mutation {
    enum mutator mutator;
    const struct ovsdb_column *column;
    struct ovsdb_datum *arg;
};

static struct ovsdb_error *
mutator_from_name(const char *name, enum mutator *mutator)
{
    for (size_t i = 0; i < ARRAY_SIZE(mutator_names); i++) {
        if (!strcmp(name, mutator_names[i])) {
            *mutator = (enum mutator)i;
            return NULL;
        }
    }
    return ovsdb_error_create("unknown mutator", "No mutator named %.64s.", name);
}

static struct ovsdb_error *
type_mismatch(const struct ovsdb_mutation *mutation, const json_t *json)
{
    return ovsdb_error_at(OVSDB_E_SYNTAX, json,
                          "Type mismatch: \"%s\" operator may not be applied to column %s.",
                          mutator_names[mutation->mutator], mutation->column->name);
}

/* Arithmetic takes one number without the column's limits. */
static struct ovsdb_error *
arithmetic_arg(struct ovsdb_mutation *mutation, const json_t *json, struct ovsdb_symtab *symtab)
{
    const struct ovsdb_type *type = &mutation->column->type;
    struct ovsdb_type arg_type = {.n_min = 1, .n_max = 1};

    if (ovsdb_type_is_map(type) ||
        !(type->key.type == OVSDB_INTEGER ||
          (type->key.type == OVSDB_REAL && mutation->mutator != MUTATE_MOD))) {
        return type_mismatch(mutation, json);
    }
    ovsdb_base_init(&arg_type.key, type->key.type);
    ovsdb_base_init(&arg_type.value, OVSDB_VOID);
    return ovsdb_datum_from_json(&arg_type, json_array_get(json, 2), symtab, &mutation->arg);
}

static struct ovsdb_error *
delete_arg(struct ovsdb_mutation *mutation, const struct ovsdb_type *type, const json_t *json,
           struct ovsdb_symtab *symtab)
{
    struct ovsdb_error *error = ovsdb_datum_from_json(type, json, symtab, &mutation->arg);

    if (error != NULL && ovsdb_type_is_map(type)) {
        struct ovsdb_type keys = *type;
        struct ovsdb_error *second;

        /* From a map, a set of keys may be deleted too. */
        ovsdb_base_init(&keys.value, OVSDB_VOID);
        second = ovsdb_datum_from_json(&keys, json, symtab, &mutation->arg);
        ovsdb_error_free(error);
        return second;
    }
    return error;
}

static struct ovsdb_error *
mutation_from_json(const struct ovsdb_table_schema *table, const json_t *json,
                   struct ovsdb_symtab *symtab, struct ovsdb_mutation *mutation)
{
    const char *column = json_string_value(json_array_get(json, 0));
    const char *mutator = json_string_value(json_array_get(json, 1));
    struct ovsdb_error *error;

    if (json_array_size(json) != 3 || column == NULL || mutator == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "Parse error in mutation.");
    }
    mutation->column = ovsdb_table_column(table, column);
    if (mutation->column == NULL) {
        return ovsdb_error_at(OVSDB_E_NO_COLUMN, json, "No column %.64s in table %s.", column,
                              table->name);
    }
    if (!mutation->column->is_mutable) {
        return ovsdb_error_at(OVSDB_E_CONSTRAINT, json,
                              "Cannot mutate immutable column %s in table %s.", column,
                              table->name);
    }
    error = mutator_from_name(mutator, &mutation->mutator);
    if (error != NULL) {
        return error;
    }
    if (mutation->mutator < MUTATE_INSERT) {
        return arithmetic_arg(mutation, json, symtab);
    }

    struct ovsdb_type type = mutation->column->type;
    if (ovsdb_type_is_scalar(&type)) {
        return type_mismatch(mutation, json);
    }
    type.n_min = 0;
    if (mutation->mutator == MUTATE_INSERT) {
        return ovsdb_datum_from_json(&type, json_array_get(json, 2), symtab, &mutation->arg);
    }
    type.n_max = OVSDB_UNLIMITED;
    return delete_arg(mutation, &type, json_array_get(json, 2), symtab);
}

struct ovsdb_error *
ovsdb_mutations_from_json(const struct ovsdb_table_schema *table, const json_t *json,
                          struct ovsdb_symtab *symtab, struct ovsdb_mutations *mutations)
{
    struct ovsdb_error *error = NULL;

    memset(mutations, 0, sizeof *mutations);
    if (!json_is_array(json)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "mutations must be an array");
    }
    mutations->list = xcalloc(json_array_size(json) + 1, sizeof *mutations->list);
    for (size_t i = 0; i < json_array_size(json) && error == NULL; i++) {
        error = mutation_from_json(table, json_array_get(json, i), symtab, &mutations->list[i]);
        mutations->n++;
    }
    if (error != NULL) {
        ovsdb_mutations_fini(mutations);
    }
    return error;
}

void
ovsdb_mutations_fini(struct ovsdb_mutations *mutations)
{
    for (size_t i = 0; i < mutations->n; i++) {
        ovsdb_datum_unref(mutations->list[i].arg);
    }
    free(mutations->list);
    memset(mutations, 0, sizeof *mutations);
}

/* Arithmetic. */

static struct ovsdb_error *
out_of_range(enum mutator mutator)
{
    return ovsdb_error_create(OVSDB_E_RANGE, "Result of \"%s\" operation is out of range.",
                              mutator_names[mutator]);
}

static struct ovsdb_error *
mutate_integer(int64_t *x, int64_t y, enum mutator mutator)
{
    bool overflows = false;

    if ((mutator == MUTATE_DIV || mutator == MUTATE_MOD) && y == 0) {
        return ovsdb_error_create(OVSDB_E_DOMAIN, "Division by zero.");
    }
    if (mutator == MUTATE_ADD) {
        overflows = __builtin_add_overflow(*x, y, x);
    } else if (mutator == MUTATE_SUB) {
        overflows = __builtin_sub_overflow(*x, y, x);
    } else if (mutator == MUTATE_MUL) {
        overflows = __builtin_mul_overflow(*x, y, x);
    } else if (mutator == MUTATE_DIV) {
        /* The one quotient that does not fit; the processor would trap. */
        overflows = *x == INT64_MIN && y == -1;
        *x = overflows ? 0 : *x / y;
    } else {
        *x = y == -1 ? 0 : *x % y;
    }
    return overflows ? out_of_range(mutator) : NULL;
}

static struct ovsdb_error *
mutate_real(double *x, double y, enum mutator mutator)
{
    if (mutator == MUTATE_DIV && y == 0.0) {
        return ovsdb_error_create(OVSDB_E_DOMAIN, "Division by zero.");
    }
    *x = mutator == MUTATE_ADD   ? *x + y
         : mutator == MUTATE_SUB ? *x - y
         : mutator == MUTATE_MUL ? *x * y
                                 : *x / y;
    return isfinite(*x) ? NULL : out_of_range(mutator);
}

static struct ovsdb_error *
apply_arithmetic(const struct ovsdb_mutation *mutation, const struct ovsdb_datum *old,
                 struct ovsdb_datum **newp)
{
    struct ovsdb_datum *new = ovsdb_datum_create(old->key_type, OVSDB_VOID, old->n);
    struct ovsdb_error *error = NULL;

    for (uint32_t i = 0; i < old->n && error == NULL; i++) {
        union ovsdb_atom atom = old->keys[i];

        error =
            old->key_type == OVSDB_INTEGER
                ? mutate_integer(&atom.integer, mutation->arg->keys[0].integer, mutation->mutator)
                : mutate_real(&atom.real, mutation->arg->keys[0].real, mutation->mutator);
        ovsdb_datum_add(new, atom, NULL);
    }
    if (error == NULL && ovsdb_datum_finish(new) > 0) {
        error = ovsdb_error_create(OVSDB_E_CONSTRAINT,
                                   "Result of \"%s\" operation contains duplicates.",
                                   mutator_names[mutation->mutator]);
    }
    *newp = new;
    return error;
}

static struct ovsdb_error *
mutation_apply(const struct ovsdb_mutation *mutation, struct db_row *row)
{
    const struct ovsdb_datum *old = row->data[mutation->column->index];
    struct ovsdb_error *error = NULL;
    struct ovsdb_datum *new;

    if (mutation->mutator == MUTATE_INSERT) {
        new = ovsdb_datum_union(old, mutation->arg);
    } else if (mutation->mutator == MUTATE_DELETE) {
        new = ovsdb_datum_subtract(old, mutation->arg);
    } else {
        error = apply_arithmetic(mutation, old, &new);
    }
    if (error == NULL) {
        error = ovsdb_datum_check(new, &mutation->column->type);
    }
    if (error != NULL) {
        ovsdb_datum_unref(new);
        return error;
    }
    ovsdb_row_set(row, mutation->column->index, new);
    return NULL;
}

struct ovsdb_error *
ovsdb_mutations_apply(const struct ovsdb_mutations *mutations, struct db_row *row)
{
    struct ovsdb_error *error = NULL;

    for (size_t i = 0; i < mutations->n && error == NULL; i++) {
        error = mutation_apply(&mutations->list[i], row);
    }
    return error;
}
