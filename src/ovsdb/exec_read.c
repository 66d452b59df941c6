// SPDX-License-Identifier: Apache-2.0
/*
 * exec_read.c - the operations that read: "select", and "wait", which compares a query's result
 * with given rows.  Both treat rows as sets: rows that agree in the chosen columns count once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/exec_op.h"

/* The columns that an operation names, by default all. */
struct column_list {
    const struct ovsdb_column **columns;
    size_t n;
};

static struct ovsdb_error *
parse_columns(struct ovsdb_op *op, struct column_list *list)
{
    const struct ovsdb_table_schema *schema = op->table->schema;
    const json_t *json = json_object_get(op->json, "columns");

    if (json == NULL) {
        list->columns = xcalloc(schema->n_columns, sizeof(struct ovsdb_column *));
        for (uint32_t i = 0; i < schema->n_columns; i++) {
            list->columns[list->n++] = schema->columns[i];
        }
        return NULL;
    }
    if (!json_is_array(json)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "array of distinct column names expected");
    }
    list->columns = xcalloc(json_array_size(json) + 1, sizeof(struct ovsdb_column *));
    for (size_t i = 0; i < json_array_size(json); i++) {
        const char *name = json_string_value(json_array_get(json, i));
        const struct ovsdb_column *column = name ? ovsdb_table_column(schema, name) : NULL;

        if (column == NULL) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json, "%.64s is not a valid column name",
                                  name != NULL ? name : "a value that is no string");
        }
        for (size_t j = 0; j < list->n; j++) {
            if (list->columns[j] == column) {
                return ovsdb_error_at(OVSDB_E_SYNTAX, json,
                                      "array of distinct column names expected");
            }
        }
        list->columns[list->n++] = column;
    }
    return NULL;
}

/* A set of rows, each represented by a key made of the chosen columns. */
struct row_key {
    UT_hash_handle hh;
    bool is_seen;
    size_t size;
    char key[];
};

static struct row_key *
row_set_find(struct row_key *set, const struct str *key)
{
    struct row_key *found;

    HASH_FIND(hh, set, str_cstr(key), key->len, found);
    return found;
}

/* Adds a row and returns true unless an equal one was there. */
static bool
row_set_add(struct row_key **set, const struct column_list *list, struct ovsdb_datum *const *data)
{
    struct str key = STR_INIT;
    bool is_new;

    str_putc(&key, '.'); /* never empty */
    for (size_t i = 0; i < list->n; i++) {
        ovsdb_datum_put_key(data[list->columns[i]->index], &key);
    }
    is_new = row_set_find(*set, &key) == NULL;
    if (is_new) {
        struct row_key *entry = xzalloc(sizeof *entry + key.len);

        entry->size = key.len;
        memcpy(entry->key, key.buf, key.len);
        HASH_ADD_KEYPTR(hh, *set, entry->key, entry->size, entry);
    }
    str_free(&key);
    return is_new;
}

static void
row_set_clear(struct row_key **set)
{
    struct row_key *entry, *next;

    HASH_ITER (hh, *set, entry, next) {
        HASH_DEL(*set, entry);
        free(entry);
    }
}

struct ovsdb_error *
ovsdb_exec_select(struct ovsdb_op *op)
{
    struct column_list list = {NULL, 0};
    struct row_key *seen = NULL;
    struct ovsdb_error *error = ovsdb_op_where(op);

    if (error == NULL) {
        error = parse_columns(op, &list);
    }
    if (error == NULL) {
        json_t *array = json_array();
        size_t n;
        struct db_row **rows = ovsdb_op_matches(op, &n);

        for (size_t i = 0; i < n; i++) {
            if (!row_set_add(&seen, &list, rows[i]->data)) {
                continue;
            }
            json_t *object = json_object();
            for (size_t j = 0; j < list.n; j++) {
                json_object_set_new(object, list.columns[j]->name,
                                    ovsdb_datum_to_json(rows[i]->data[list.columns[j]->index]));
            }
            json_array_append_new(array, object);
        }
        free(rows);
        json_object_set_new(op->result, "rows", array);
    }
    row_set_clear(&seen);
    free(list.columns);
    return error;
}

/* wait */

/* Adds the rows of member "rows" to '*wanted', defaults for columns that they leave out. */
static struct ovsdb_error *
parse_wanted(struct ovsdb_op *op, const struct column_list *list, struct row_key **wanted)
{
    const struct ovsdb_table_schema *schema = op->table->schema;
    const json_t *rows = json_object_get(op->json, "rows");
    struct ovsdb_error *error = NULL;

    if (!json_is_array(rows)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: 'rows' must be an array.");
    }
    for (size_t i = 0; i < json_array_size(rows) && error == NULL; i++) {
        struct ovsdb_datum **data = xcalloc(schema->n_columns, sizeof(struct ovsdb_datum *));

        error = ovsdb_op_row(op, json_array_get(rows, i), data);
        for (uint32_t j = 0; j < schema->n_columns; j++) {
            if (data[j] == NULL) {
                data[j] = ovsdb_datum_default(&schema->columns[j]->type);
            }
        }
        if (error == NULL) {
            row_set_add(wanted, list, data);
        }
        ovsdb_op_free_row(op, data);
    }
    return error;
}

/* True if the matching rows are exactly the wanted ones. */
static bool
matches_equal(struct ovsdb_op *op, const struct column_list *list, struct row_key *wanted)
{
    struct row_key *present = NULL, *entry;
    size_t n;
    struct db_row **rows = ovsdb_op_matches(op, &n);

    for (size_t i = 0; i < n; i++) {
        row_set_add(&present, list, rows[i]->data);
    }
    free(rows);

    bool equal = HASH_COUNT(present) == HASH_COUNT(wanted);
    for (entry = present; entry != NULL && equal; entry = entry->hh.next) {
        struct row_key *other;

        HASH_FIND(hh, wanted, entry->key, entry->size, other);
        equal = other != NULL;
    }
    row_set_clear(&present);
    return equal;
}

struct wait_args {
    struct column_list list;
    struct row_key *wanted;
    bool is_until_equal;
    int64_t timeout_ms; /* INT64_MAX: for ever */
};

static struct ovsdb_error *
parse_wait(struct ovsdb_op *op, struct wait_args *args)
{
    const json_t *timeout = json_object_get(op->json, "timeout");
    const char *until = json_string_value(json_object_get(op->json, "until"));
    struct ovsdb_error *error;

    args->timeout_ms = INT64_MAX;
    if (timeout != NULL && !ovsdb_json_to_int64(timeout, &args->timeout_ms)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json,
                              "Parsing ovsdb operation failed: 'timeout' must be an integer.");
    }
    if (until == NULL || (strcmp(until, "==") && strcmp(until, "!="))) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, op->json, "\"until\" must be \"==\" or \"!=\"");
    }
    args->is_until_equal = !strcmp(until, "==");
    error = ovsdb_op_where(op);
    if (error == NULL) {
        error = parse_columns(op, &args->list);
    }
    return error != NULL ? error : parse_wanted(op, &args->list, &args->wanted);
}

struct ovsdb_error *
ovsdb_exec_wait(struct ovsdb_op *op)
{
    struct wait_args args = {.wanted = NULL};
    struct ovsdb_error *error = parse_wait(op, &args);

    if (error == NULL && matches_equal(op, &args.list, args.wanted) != args.is_until_equal) {
        if (op->exec->elapsed_ms < args.timeout_ms) {
            op->is_blocked = true;
            op->exec->timeout_ms = args.timeout_ms;
        } else if (args.timeout_ms <= 0) {
            error = ovsdb_error_create(OVSDB_E_TIMEOUT, "\"where\" clause test failed");
        } else {
            error =
                ovsdb_error_create(OVSDB_E_TIMEOUT, "\"where\" clause test failed after %lld ms",
                                   (long long)op->exec->elapsed_ms);
        }
    }
    row_set_clear(&args.wanted);
    free(args.list.columns);
    return error;
}
