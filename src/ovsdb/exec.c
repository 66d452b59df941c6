// SPDX-License-Identifier: Apache-2.0
/*
 * exec.c - parses and runs the operations of a transaction, see exec.h; exec_read.c has "select"
 * and "wait".
 */
#include "ovsdb/exec.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "ovsdb/condition.h"
#include "ovsdb/error.h"
#include "ovsdb/exec_op.h"
#include "ovsdb/mutation.h"
#include "ovsdb/symtab.h"

/* What operations share: parsing their members. */

struct ovsdb_error *
ovsdb_op_table(struct ovsdb_op *op)
{
    const char *name = json_string_value(json_object_get(op->json, "table"));

    if (name == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: no string member 'table'.");
    }
    op->table = ovsdb_database_table(op->exec->db, name);
    if (op->table == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: No table named %.64s.", name);
    }
    return NULL;
}

struct ovsdb_error *
ovsdb_op_where(struct ovsdb_op *op)
{
    return ovsdb_condition_from_json(op->table->schema, json_object_get(op->json, "where"),
                                     op->symtab, &op->where);
}

struct ovsdb_error *
ovsdb_op_row(struct ovsdb_op *op, const json_t *json, struct ovsdb_datum **data)
{
    const struct ovsdb_table_schema *schema = op->table->schema;
    const char *name;
    json_t *value;

    if (!json_is_object(json)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json, "a row must be a JSON object");
    }
    json_object_foreach ((json_t *)json, name, value) {
        const struct ovsdb_column *column = ovsdb_table_column(schema, name);

        if (column == NULL) {
            return ovsdb_error_at(OVSDB_E_NO_COLUMN, json, "No column %.64s in table %s.", name,
                                  schema->name);
        }
        struct ovsdb_error *error =
            ovsdb_datum_from_json(&column->type, value, op->symtab, &data[column->index]);
        if (error != NULL) {
            return error;
        }
    }
    return NULL;
}

void
ovsdb_op_free_row(struct ovsdb_op *op, struct ovsdb_datum **data)
{
    for (uint32_t i = 0; i < op->table->schema->n_columns; i++) {
        ovsdb_datum_unref(data[i]);
    }
    free(data);
}

struct db_row **
ovsdb_op_matches(struct ovsdb_op *op, size_t *np)
{
    const struct uuid *uuid = ovsdb_condition_uuid(&op->where);
    struct db_row **rows, *row;
    size_t n = 0;

    if (uuid != NULL) {
        rows = xcalloc(1, sizeof(struct db_row *));
        row = ovsdb_table_row(op->table, uuid);
        if (row != NULL && ovsdb_condition_all(&op->where, row->data)) {
            rows[n++] = row;
        }
    } else {
        rows = xcalloc(HASH_COUNT(op->table->rows) + 1, sizeof(struct db_row *));
        for (row = op->table->rows; row != NULL; row = row->hh.next) {
            if (ovsdb_condition_all(&op->where, row->data)) {
                rows[n++] = row;
            }
        }
    }
    *np = n;
    return rows;
}

/* insert */

static struct ovsdb_error *
insert_uuid(struct ovsdb_op *op, struct uuid *uuid)
{
    const json_t *name = json_object_get(op->json, "uuid-name");
    const json_t *given = json_object_get(op->json, "uuid");

    if (given != NULL &&
        (!json_is_string(given) || !uuid_from_string(uuid, json_string_value(given)))) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, given, "\"uuid\" must be a UUID as a string");
    }
    if (given != NULL && !ovsdb_txn_uuid_is_free(op->txn, op->table, uuid)) {
        return ovsdb_error_at(OVSDB_E_DUPLICATE_UUID, given,
                              "A row with this UUID is in the table, or was deleted by the same "
                              "transaction.");
    }
    if (given == NULL) {
        uuid_generate(uuid);
    }
    if (name == NULL) {
        return NULL;
    }
    if (!json_is_string(name) || !ovsdb_is_id(json_string_value(name))) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: 'uuid-name' is not an identifier.");
    }

    struct ovsdb_symbol *symbol = ovsdb_symtab_get(op->symtab, json_string_value(name));
    if (symbol->is_declared) {
        return ovsdb_error_at(OVSDB_E_DUPLICATE_NAME, name,
                              "This \"uuid-name\" appeared on an earlier \"insert\" operation.");
    }
    if (given != NULL) {
        symbol->uuid = *uuid;
    }
    symbol->is_declared = true;
    *uuid = symbol->uuid;
    return NULL;
}

static struct ovsdb_error *
exec_insert(struct ovsdb_op *op)
{
    uint32_t n = op->table->schema->n_columns;
    struct ovsdb_datum **data;
    struct ovsdb_error *error;
    struct uuid uuid;

    error = insert_uuid(op, &uuid);
    if (error != NULL) {
        return error;
    }
    data = xcalloc(n, sizeof(struct ovsdb_datum *));
    error = ovsdb_op_row(op, json_object_get(op->json, "row"), data);
    if (error == NULL) {
        struct db_row *row = ovsdb_txn_insert(op->txn, op->table, &uuid);

        for (uint32_t i = OVSDB_N_STD_COLS; i < n; i++) {
            if (data[i] != NULL) {
                ovsdb_row_set(row, i, ovsdb_datum_ref(data[i]));
            }
        }
        json_object_set_new(op->result, "uuid",
                            ovsdb_atom_to_json(&(union ovsdb_atom){.uuid = uuid}, OVSDB_UUID));
    }
    ovsdb_op_free_row(op, data);
    return error;
}

/* update, mutate, delete */

static struct ovsdb_error *
check_mutable(struct ovsdb_op *op, struct ovsdb_datum *const *data)
{
    const struct ovsdb_table_schema *schema = op->table->schema;

    for (uint32_t i = 0; i < schema->n_columns; i++) {
        if (data[i] != NULL && !schema->columns[i]->is_mutable) {
            return ovsdb_error_at(OVSDB_E_CONSTRAINT, op->json,
                                  "Cannot update immutable column %s in table %s.",
                                  schema->columns[i]->name, schema->name);
        }
    }
    return NULL;
}

static void
set_count(struct ovsdb_op *op, size_t n)
{
    json_object_set_new(op->result, "count", json_integer((json_int_t)n));
}

static struct ovsdb_error *
exec_update(struct ovsdb_op *op)
{
    uint32_t n_columns = op->table->schema->n_columns;
    struct ovsdb_datum **data = xcalloc(n_columns, sizeof(struct ovsdb_datum *));
    struct ovsdb_error *error = ovsdb_op_row(op, json_object_get(op->json, "row"), data);

    if (error == NULL) {
        error = check_mutable(op, data);
    }
    if (error == NULL) {
        error = ovsdb_op_where(op);
    }
    if (error == NULL) {
        size_t n;
        struct db_row **rows = ovsdb_op_matches(op, &n);

        for (size_t i = 0; i < n; i++) {
            ovsdb_txn_modify(op->txn, rows[i]);
            for (uint32_t j = 0; j < n_columns; j++) {
                if (data[j] != NULL) {
                    ovsdb_row_set(rows[i], j, ovsdb_datum_ref(data[j]));
                }
            }
        }
        free(rows);
        set_count(op, n);
    }
    ovsdb_op_free_row(op, data);
    return error;
}

static struct ovsdb_error *
exec_mutate(struct ovsdb_op *op)
{
    struct ovsdb_mutations mutations;
    struct ovsdb_error *error = ovsdb_mutations_from_json(
        op->table->schema, json_object_get(op->json, "mutations"), op->symtab, &mutations);

    if (error != NULL) {
        return error;
    }
    error = ovsdb_op_where(op);
    if (error == NULL) {
        size_t n;
        struct db_row **rows = ovsdb_op_matches(op, &n);

        for (size_t i = 0; i < n && error == NULL; i++) {
            ovsdb_txn_modify(op->txn, rows[i]);
            error = ovsdb_mutations_apply(&mutations, rows[i]);
        }
        free(rows);
        set_count(op, n);
    }
    ovsdb_mutations_fini(&mutations);
    return error;
}

static struct ovsdb_error *
exec_delete(struct ovsdb_op *op)
{
    struct ovsdb_error *error = ovsdb_op_where(op);
    size_t n;

    if (error != NULL) {
        return error;
    }
    struct db_row **rows = ovsdb_op_matches(op, &n);
    for (size_t i = 0; i < n; i++) {
        ovsdb_txn_delete(op->txn, rows[i]);
    }
    free(rows);
    set_count(op, n);
    return NULL;
}

/* commit, abort, comment, assert */

static struct ovsdb_error *
exec_commit(struct ovsdb_op *op)
{
    const json_t *durable = json_object_get(op->json, "durable");

    if (!json_is_boolean(durable)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: 'durable' must be a boolean.");
    }
    op->txn->is_durable = op->txn->is_durable || json_is_true(durable);
    return NULL;
}

static struct ovsdb_error *
exec_abort(struct ovsdb_op *op)
{
    return ovsdb_error_create(OVSDB_E_ABORTED, "aborted by request");
}

static struct ovsdb_error *
exec_comment(struct ovsdb_op *op)
{
    const char *comment = json_string_value(json_object_get(op->json, "comment"));

    if (comment == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: no string member 'comment'.");
    }
    ovsdb_txn_add_comment(op->txn, comment);
    return NULL;
}

static struct ovsdb_error *
exec_assert(struct ovsdb_op *op)
{
    const char *lock = json_string_value(json_object_get(op->json, "lock"));

    if (lock == NULL || !ovsdb_is_id(lock)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: 'lock' is not an identifier.");
    }
    if (op->exec->has_lock == NULL || !op->exec->has_lock(op->exec->aux, lock)) {
        return ovsdb_error_create(OVSDB_E_NOT_OWNER, "Asserted lock %.64s not held.", lock);
    }
    return NULL;
}

/* The ten operations. */

static const struct op_class {
    const char *name;
    struct ovsdb_error *(*run)(struct ovsdb_op *op);
    bool has_table;
    bool is_read_only;
    const char *members[8];
} op_classes[] = {
    {"insert", exec_insert, true, false, {"op", "table", "row", "uuid-name", "uuid"}},
    {"select", ovsdb_exec_select, true, true, {"op", "table", "where", "columns"}},
    {"update", exec_update, true, false, {"op", "table", "where", "row"}},
    {"mutate", exec_mutate, true, false, {"op", "table", "where", "mutations"}},
    {"delete", exec_delete, true, false, {"op", "table", "where"}},
    {"wait",
     ovsdb_exec_wait,
     true,
     true,
     {"op", "table", "where", "columns", "until", "rows", "timeout"}},
    {"commit", exec_commit, false, true, {"op", "durable"}},
    {"abort", exec_abort, false, true, {"op"}},
    {"comment", exec_comment, false, true, {"op", "comment"}},
    {"assert", exec_assert, false, true, {"op", "lock"}},
};

static const struct op_class *
find_class(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(op_classes); i++) {
        if (!strcmp(op_classes[i].name, name)) {
            return &op_classes[i];
        }
    }
    return NULL;
}

static struct ovsdb_error *
run_op(struct ovsdb_op *op)
{
    const char *name = json_string_value(json_object_get(op->json, "op"));
    const struct op_class *class;
    struct ovsdb_error *error;

    if (name == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: object with a string member 'op' "
                              "expected.");
    }
    class = find_class(name);
    if (class == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: No operation \"%.64s\"", name);
    }
    error = ovsdb_check_members(op->json, "ovsdb operation", class->members);
    if (error == NULL && class->has_table) {
        error = ovsdb_op_table(op);
    }
    if (error == NULL && op->exec->is_read_only && !class->is_read_only) {
        error = ovsdb_error_create(OVSDB_E_NOT_ALLOWED,
                                   "%s operation not allowed on table in reserved database %s",
                                   name, op->exec->db->schema->name);
    }
    if (error == NULL) {
        error = class->run(op);
    }
    ovsdb_condition_fini(&op->where);
    return error;
}

void
ovsdb_exec_append_error(json_t *results, struct ovsdb_error *error)
{
    json_array_append_new(results, ovsdb_error_to_json(error));
    ovsdb_error_free(error);
}

/* Runs all operations; returns false if one of them failed, or blocked with 'results' NULL. */
static bool
run_ops(struct ovsdb_exec *exec, const json_t *params, struct ovsdb_symtab *symtab)
{
    size_t n = json_array_size(params);

    for (size_t i = 1; i < n; i++) {
        struct ovsdb_op op = {
            .exec = exec,
            .txn = exec->txn,
            .symtab = symtab,
            .json = json_array_get(params, i),
            .result = json_object(),
        };
        struct ovsdb_error *error = run_op(&op);

        if (op.is_blocked) {
            json_decref(op.result);
            json_decref(exec->results);
            exec->results = NULL;
            return false;
        }
        if (error != NULL) {
            json_decref(op.result);
            ovsdb_exec_append_error(exec->results, error);
            while (++i < n) {
                json_array_append_new(exec->results, json_null());
            }
            return false;
        }
        json_array_append_new(exec->results, op.result);
    }
    return true;
}

void
ovsdb_exec(struct ovsdb_exec *exec, const json_t *params)
{
    struct ovsdb_symtab *symtab = ovsdb_symtab_create();

    exec->results = json_array();
    exec->txn = ovsdb_txn_create(exec->db);
    exec->timeout_ms = INT64_MAX;
    if (!run_ops(exec, params, symtab)) {
        ovsdb_txn_abort(exec->txn);
        exec->txn = NULL;
    }
    ovsdb_symtab_destroy(symtab);
}
