// SPDX-License-Identifier: Apache-2.0
/*
 * condition.c - parses and evaluates conditions, see condition.h.
 */
#include "ovsdb/condition.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/error.h"

enum clause_function {
    CLAUSE_FALSE,
    CLAUSE_TRUE,
    CLAUSE_LT,
    CLAUSE_LE,
    CLAUSE_EQ,
    CLAUSE_NE,
    CLAUSE_GE,
    CLAUSE_GT,
    CLAUSE_INCLUDES,
    CLAUSE_EXCLUDES,
};

static const char *const function_names[] = {
    [CLAUSE_FALSE] = "false",
    [CLAUSE_TRUE] = "true",
    [CLAUSE_LT] = "<",
    [CLAUSE_LE] = "<=",
    [CLAUSE_EQ] = "==",
    [CLAUSE_NE] = "!=",
    [CLAUSE_GE] = ">=",
    [CLAUSE_GT] = ">",
    [CLAUSE_INCLUDES] = "includes",
    [CLAUSE_EXCLUDES] = "excludes",
};

struct ovsdb_clause {
    enum clause_function function;
    const struct ovsdb_column *column; /* NULL for the booleans */
    struct ovsdb_datum *arg;
};

static struct ovsdb_error *
function_from_name(const char *name, enum clause_function *function)
{
    for (size_t i = 0; i < ARRAY_SIZE(function_names); i++) {
        if (!strcmp(name, function_names[i])) {
            *function = (enum clause_function)i;
            return NULL;
        }
    }
    return ovsdb_error_create("unknown function", "No function named %.64s.", name);
}

/* Adapts the column's type to what the function takes: an ordering takes one number, "includes"
 * fewer elements than the column needs, "excludes" any number. */
static struct ovsdb_error *
argument_type(const struct ovsdb_clause *clause, const json_t *json, struct ovsdb_type *type)
{
    *type = clause->column->type;
    switch (clause->function) {
    case CLAUSE_LT:
    case CLAUSE_LE:
    case CLAUSE_GE:
    case CLAUSE_GT:
        if (ovsdb_type_is_map(type) || type->n_max != 1 ||
            (type->key.type != OVSDB_INTEGER && type->key.type != OVSDB_REAL)) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json,
                                  "Type mismatch: \"%s\" needs a column of one integer or real",
                                  function_names[clause->function]);
        }
        type->n_min = 1;
        break;
    case CLAUSE_INCLUDES:
        type->n_min = ovsdb_type_is_scalar(type) ? 1 : 0;
        break;
    case CLAUSE_EXCLUDES:
        if (!ovsdb_type_is_scalar(type)) {
            type->n_min = 0;
            type->n_max = OVSDB_UNLIMITED;
        }
        break;
    case CLAUSE_EQ:
    case CLAUSE_NE:
    case CLAUSE_TRUE:
    case CLAUSE_FALSE:
        break;
    }
    return NULL;
}

static struct ovsdb_error *
clause_from_json(const struct ovsdb_table_schema *table, const json_t *json,
                 struct ovsdb_symtab *symtab, struct ovsdb_clause *clause)
{
    struct ovsdb_type type;
    struct ovsdb_error *error;

    if (json_is_boolean(json)) {
        clause->function = json_is_true(json) ? CLAUSE_TRUE : CLAUSE_FALSE;
        return NULL;
    }

    const char *column = json_string_value(json_array_get(json, 0));
    const char *function = json_string_value(json_array_get(json, 1));
    if (json_array_size(json) != 3 || column == NULL || function == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "Parse error in condition.");
    }
    clause->column = ovsdb_table_column(table, column);
    if (clause->column == NULL) {
        return ovsdb_error_at(OVSDB_E_NO_COLUMN, json, "No column %.64s in table %s.", column,
                              table->name);
    }
    error = function_from_name(function, &clause->function);
    if (error == NULL) {
        error = argument_type(clause, json, &type);
    }
    if (error == NULL) {
        error = ovsdb_datum_from_json(&type, json_array_get(json, 2), symtab, &clause->arg);
    }
    return error;
}

struct ovsdb_error *
ovsdb_condition_from_json(const struct ovsdb_table_schema *table, const json_t *json,
                          struct ovsdb_symtab *symtab, struct ovsdb_condition *condition)
{
    struct ovsdb_error *error = NULL;

    memset(condition, 0, sizeof *condition);
    if (!json_is_array(json)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "a condition must be an array");
    }
    condition->clauses = xcalloc(json_array_size(json) + 1, sizeof *condition->clauses);
    for (size_t i = 0; i < json_array_size(json) && error == NULL; i++) {
        error = clause_from_json(table, json_array_get(json, i), symtab, &condition->clauses[i]);
        condition->n++;
    }
    if (error != NULL) {
        ovsdb_condition_fini(condition);
    }
    return error;
}

void
ovsdb_condition_fini(struct ovsdb_condition *condition)
{
    for (size_t i = 0; i < condition->n; i++) {
        ovsdb_datum_unref(condition->clauses[i].arg);
    }
    free(condition->clauses);
    memset(condition, 0, sizeof *condition);
}

static bool
clause_matches(const struct ovsdb_clause *clause, struct ovsdb_datum *const *data)
{
    if (clause->column == NULL) {
        return clause->function == CLAUSE_TRUE;
    }

    const struct ovsdb_datum *field = data[clause->column->index];
    const struct ovsdb_datum *arg = clause->arg;
    switch (clause->function) {
    case CLAUSE_EQ:
        return ovsdb_datum_equals(field, arg);
    case CLAUSE_NE:
        return !ovsdb_datum_equals(field, arg);
    case CLAUSE_INCLUDES:
        return ovsdb_datum_is_subset(arg, field);
    case CLAUSE_EXCLUDES:
        return ovsdb_datum_is_disjoint(arg, field);
    case CLAUSE_TRUE:
    case CLAUSE_FALSE:
        return clause->function == CLAUSE_TRUE;
    case CLAUSE_LT:
    case CLAUSE_LE:
    case CLAUSE_GE:
    case CLAUSE_GT:
        break;
    }

    /* An absent optional is neither below nor above anything. */
    if (field->n != 1 || arg->n != 1) {
        return false;
    }
    int order = ovsdb_atom_compare(&field->keys[0], &arg->keys[0], field->key_type);
    return clause->function == CLAUSE_LT   ? order < 0
           : clause->function == CLAUSE_LE ? order <= 0
           : clause->function == CLAUSE_GE ? order >= 0
                                           : order > 0;
}

bool
ovsdb_condition_all(const struct ovsdb_condition *condition, struct ovsdb_datum *const *data)
{
    for (size_t i = 0; i < condition->n; i++) {
        if (!clause_matches(&condition->clauses[i], data)) {
            return false;
        }
    }
    return true;
}

bool
ovsdb_condition_any(const struct ovsdb_condition *condition, struct ovsdb_datum *const *data)
{
    for (size_t i = 0; i < condition->n; i++) {
        if (clause_matches(&condition->clauses[i], data)) {
            return true;
        }
    }
    return condition->n == 0;
}

const struct uuid *
ovsdb_condition_uuid(const struct ovsdb_condition *condition)
{
    for (size_t i = 0; i < condition->n; i++) {
        const struct ovsdb_clause *clause = &condition->clauses[i];

        if (clause->column != NULL && clause->column->index == OVSDB_COL_UUID &&
            (clause->function == CLAUSE_EQ || clause->function == CLAUSE_INCLUDES)) {
            return &clause->arg->keys[0].uuid;
        }
    }
    return NULL;
}
