// SPDX-License-Identifier: Apache-2.0
/*
 * store.c - writes transactions to the journal and compacts it, see store.h; store_load.c reads.
 */
#include "ovsdb/store.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/journal.h"
#include "ovsdb/store_load.h"

LOG_MODULE(ovsdb);

/* A journal smaller than this is not worth rewriting. */
#define COMPACT_MIN_SIZE (10 * 1024 * 1024)

struct ovsdb_store {
    struct ovsdb_database *db;
    struct ovsdb_journal *journal;
    uint64_t compacted_size; /* of the journal right after it was last made, loaded or compacted */
    uint64_t retry_size;     /* after a failure: do not try again below this */
};

int
ovsdb_store_open(const char *path, const struct ovsdb_schema *schema, struct ovsdb_store **storep,
                 char **error)
{
    struct ovsdb_store *store = xzalloc(sizeof *store);
    bool must_rewrite = false;
    int result = ovsdb_store_load(path, schema, &store->db, &store->journal, &must_rewrite, error);

    *storep = NULL;
    if (!result && must_rewrite) {
        result = ovsdb_store_compact(store);
        if (result) {
            *error =
                xasprintf("%s: cannot write the converted database: %s", path, err_str(result));
        }
    }
    if (result) {
        ovsdb_store_close(store);
        return result;
    }
    store->compacted_size = ovsdb_journal_size(store->journal);
    *storep = store;
    return 0;
}

void
ovsdb_store_close(struct ovsdb_store *store)
{
    if (store != NULL) {
        ovsdb_journal_close(store->journal);
        ovsdb_database_destroy(store->db);
        free(store);
    }
}

struct ovsdb_database *
ovsdb_store_db(const struct ovsdb_store *store)
{
    return store->db;
}

const char *
ovsdb_store_path(const struct ovsdb_store *store)
{
    return ovsdb_journal_path(store->journal);
}

uint64_t
ovsdb_store_size(const struct ovsdb_store *store)
{
    return ovsdb_journal_size(store->journal);
}

/* Writing. */

/* True if stock servers read the difference of this column back as what it is.  3.1 refuses a
 * difference with more elements than the column may have, and misreads one against a default of one
 * element; both end the loading of the journal there, or change a value. */
static bool
diff_is_portable(const struct ovsdb_type *type, const struct ovsdb_datum *old,
                 const struct ovsdb_datum *new)
{
    struct ovsdb_datum *diff;
    bool portable;

    if (type->n_max == 1) {
        return true;
    }
    if (type->n_min > 0 && ovsdb_datum_is_default(old, type)) {
        return false;
    }
    if (old->n + new->n <= type->n_max) {
        return true;
    }
    diff = ovsdb_datum_diff(type, old, new);
    portable = diff->n <= type->n_max;
    ovsdb_datum_unref(diff);
    return portable;
}

/* Whether column 'i' of a changed row goes to disk. */
static bool
is_recorded(const struct ovsdb_txn_row *txn_row, uint32_t i)
{
    const struct db_row *row = txn_row->row;
    const struct ovsdb_column *column = row->table->schema->columns[i];

    return column->is_persistent &&
           (txn_row->old == NULL ? !ovsdb_datum_is_default(row->data[i], &column->type)
                                 : txn_row->changed[i]);
}

/* Whether all changes of a transaction can be recorded as differences. */
static bool
txn_is_diff(const struct ovsdb_txn *txn)
{
    const struct ovsdb_txn_row *txn_row;

    DL_FOREACH (txn->rows, txn_row) {
        const struct ovsdb_table_schema *schema = txn_row->row->table->schema;

        if (!txn_row->is_changed || txn_row->is_deleted || txn_row->old == NULL) {
            continue;
        }
        for (uint32_t i = OVSDB_N_STD_COLS; i < schema->n_columns; i++) {
            if (is_recorded(txn_row, i) &&
                !diff_is_portable(&schema->columns[i]->type, txn_row->old[i],
                                  txn_row->row->data[i])) {
                return false;
            }
        }
    }
    return true;
}

static json_t *
column_to_json(const struct ovsdb_txn_row *txn_row, uint32_t i, bool is_diff)
{
    const struct ovsdb_datum *new = txn_row->row->data[i];
    struct ovsdb_datum *diff;
    json_t *json;

    if (txn_row->old == NULL || !is_diff) {
        return ovsdb_datum_to_json(new);
    }
    diff = ovsdb_datum_diff(&txn_row->row->table->schema->columns[i]->type, txn_row->old[i], new);
    json = ovsdb_datum_to_json(diff);
    ovsdb_datum_unref(diff);
    return json;
}

/* The persistent part of a row's change: NULL if there is none. */
static json_t *
txn_row_to_json(const struct ovsdb_txn_row *txn_row, bool is_diff)
{
    const struct ovsdb_table_schema *schema = txn_row->row->table->schema;
    json_t *json;

    if (txn_row->is_deleted) {
        return json_null();
    }
    json = txn_row->old == NULL ? json_object() : NULL;
    for (uint32_t i = OVSDB_N_STD_COLS; i < schema->n_columns; i++) {
        if (is_recorded(txn_row, i)) {
            json = json != NULL ? json : json_object();
            json_object_set_new(json, schema->columns[i]->name,
                                column_to_json(txn_row, i, is_diff));
        }
    }
    return json;
}

/* Puts 'value' under 'record'[table][uuid]; takes 'value'. */
static void
record_put(json_t *record, const struct db_row *row, json_t *value)
{
    const char *table = row->table->schema->name;
    json_t *rows = json_object_get(record, table);
    char uuid[UUID_LEN + 1];

    if (rows == NULL) {
        rows = json_object();
        json_object_set_new(record, table, rows);
    }
    uuid_format(&row->uuid, uuid);
    json_object_set_new(rows, uuid, value);
}

json_t *
ovsdb_store_record(const struct ovsdb_txn *txn)
{
    json_t *record = json_object();
    const struct ovsdb_txn_row *txn_row;
    bool is_diff = txn_is_diff(txn);

    DL_FOREACH (txn->rows, txn_row) {
        json_t *json = txn_row->is_changed ? txn_row_to_json(txn_row, is_diff) : NULL;

        if (json != NULL) {
            record_put(record, txn_row->row, json);
        }
    }
    if (is_diff) {
        json_object_set_new(record, "_is_diff", json_true());
    }
    json_object_set_new(record, "_date", json_integer(clock_wall_ms()));
    if (txn->comment.len > 0) {
        json_object_set_new(record, "_comment", json_string(str_cstr(&txn->comment)));
    }
    return record;
}

struct ovsdb_error *
ovsdb_store_write(struct ovsdb_store *store, const struct ovsdb_txn *txn)
{
    static struct log_rate rl = LOG_RATE_INIT(5, 5);
    int error;

    if (!ovsdb_txn_is_persistent(txn)) {
        return NULL;
    }
    json_t *record = ovsdb_store_record(txn);
    error = ovsdb_journal_append(store->journal, record);
    json_decref(record);
    if (!error) {
        return NULL;
    }
    log_err_rl(&rl, "%s: cannot write a transaction, it is rolled back: %s",
               ovsdb_store_path(store), err_str(error));
    return ovsdb_error_io(-error, "cannot write to %s", ovsdb_store_path(store));
}

/* Compaction. */

static json_t *
row_to_json(const struct db_row *row)
{
    const struct ovsdb_table_schema *schema = row->table->schema;
    json_t *json = json_object();

    for (uint32_t i = OVSDB_N_STD_COLS; i < schema->n_columns; i++) {
        const struct ovsdb_column *column = schema->columns[i];

        if (column->is_persistent && !ovsdb_datum_is_default(row->data[i], &column->type)) {
            json_object_set_new(json, column->name, ovsdb_datum_to_json(row->data[i]));
        }
    }
    return json;
}

static json_t *
snapshot(const struct ovsdb_database *db)
{
    json_t *record = json_object();

    for (uint32_t i = 0; i < db->schema->n_tables; i++) {
        for (const struct db_row *row = db->tables[i]->rows; row != NULL; row = row->hh.next) {
            record_put(record, row, row_to_json(row));
        }
    }
    json_object_set_new(record, "_date", json_integer(clock_wall_ms()));
    json_object_set_new(record, "_comment", json_string("compacting database online"));
    return record;
}

int
ovsdb_store_compact(struct ovsdb_store *store)
{
    json_t *records[] = {ovsdb_schema_to_json(store->db->schema), snapshot(store->db)};
    uint64_t before = ovsdb_store_size(store);
    int error = ovsdb_journal_replace(store->journal, records, ARRAY_SIZE(records));

    json_decref(records[0]);
    json_decref(records[1]);
    if (!error) {
        store->compacted_size = ovsdb_store_size(store);
        store->retry_size = 0;
        log_info("%s: compacted from %llu to %llu bytes", ovsdb_store_path(store),
                 (unsigned long long)before, (unsigned long long)store->compacted_size);
    }
    return error;
}

void
ovsdb_store_compact_if_due(struct ovsdb_store *store)
{
    uint64_t size = ovsdb_store_size(store);

    if (size < COMPACT_MIN_SIZE || size < 2 * store->compacted_size || size < store->retry_size) {
        return;
    }
    int error = ovsdb_store_compact(store);
    if (error) {
        /* The data are safe in the old file. */
        store->retry_size = size + COMPACT_MIN_SIZE;
        log_warn("%s: compaction failed, going on with the journal as it is: %s",
                 ovsdb_store_path(store), err_str(error));
    }
}
