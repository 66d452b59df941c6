// SPDX-License-Identifier: Apache-2.0
/*
 * store_load.c - reads a journal into a database: replays its records into rows without any checks,
 * then inserts all rows in one transaction under the schema that will be served, which counts
 * references, fills indexes and checks everything once.
 */
#include "ovsdb/store_load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/journal.h"
#include "ovsdb/store.h"
#include "ovsdb/txn.h"

LOG_MODULE(ovsdb);

/* Replay. */

/* What a record does to one row. */
struct replay_change {
    struct ovsdb_table *table;
    struct uuid uuid;
    struct ovsdb_datum **data; /* the row after the change; NULL: deleted */
};

struct replay {
    struct replay_change *changes;
    size_t n;
    bool is_diff;
};

static struct ovsdb_error *
replay_column(struct replay_change *change, bool is_diff, const char *name, const json_t *json)
{
    const struct ovsdb_column *column = ovsdb_table_column(change->table->schema, name);
    struct ovsdb_datum *datum, **slot;
    struct ovsdb_error *error;

    if (column == NULL || column->index < OVSDB_N_STD_COLS) {
        return ovsdb_error_create(OVSDB_E_SYNTAX, "no column %.64s in table %s", name,
                                  change->table->schema->name);
    }
    error = is_diff ? ovsdb_datum_from_json_any_n(&column->type, json, NULL, &datum)
                    : ovsdb_datum_from_json(&column->type, json, NULL, &datum);
    if (error != NULL) {
        return error;
    }
    slot = &change->data[column->index];
    if (is_diff) {
        struct ovsdb_datum *diff = datum;

        datum = ovsdb_datum_apply_diff(&column->type, *slot, diff);
        ovsdb_datum_unref(diff);
        error = ovsdb_datum_check(datum, &column->type);
        if (error != NULL) {
            ovsdb_datum_unref(datum);
            return error;
        }
    }
    ovsdb_datum_unref(*slot);
    *slot = datum;
    return NULL;
}

static struct ovsdb_error *
replay_row(struct replay *replay, struct ovsdb_table *table, const char *uuid_text,
           const json_t *json)
{
    struct replay_change *change = &replay->changes[replay->n];
    uint32_t n = table->schema->n_columns;
    const struct db_row *row;
    struct ovsdb_error *error = NULL;
    const char *name;
    json_t *value;

    change->table = table;
    if (!uuid_from_string(&change->uuid, uuid_text)) {
        return ovsdb_error_create(OVSDB_E_SYNTAX, "\"%.64s\" is no UUID", uuid_text);
    }
    replay->n++;
    row = ovsdb_table_row(table, &change->uuid);
    if (json_is_null(json)) {
        return row != NULL ? NULL
                           : ovsdb_error_create(OVSDB_E_SYNTAX,
                                                "deletes row %s of table %s, which "
                                                "does not exist",
                                                uuid_text, table->schema->name);
    }
    if (!json_is_object(json)) {
        return ovsdb_error_create(OVSDB_E_SYNTAX, "a row that is no JSON object");
    }
    if (row != NULL) {
        change->data = ovsdb_data_clone(row->data, n);
    } else {
        struct db_row *fresh = ovsdb_row_create(table, &change->uuid);

        change->data = fresh->data;
        free(fresh);
    }
    json_object_foreach ((json_t *)json, name, value) {
        if (error == NULL) {
            error = replay_column(change, row != NULL && replay->is_diff, name, value);
        }
    }
    return error;
}

static struct ovsdb_error *
replay_parse(struct replay *replay, struct ovsdb_database *db, const json_t *record)
{
    struct ovsdb_error *error = NULL;
    const char *name, *uuid;
    json_t *rows, *row;

    json_object_foreach ((json_t *)record, name, rows) {
        struct ovsdb_table *table;

        if (name[0] == '_') {
            continue;
        }
        table = ovsdb_database_table(db, name);
        if (table == NULL || !json_is_object(rows)) {
            return ovsdb_error_create(OVSDB_E_SYNTAX, "no table %.64s", name);
        }
        replay->changes = xreallocarray(replay->changes, replay->n + json_object_size(rows) + 1,
                                        sizeof *replay->changes);
        json_object_foreach (rows, uuid, row) {
            memset(&replay->changes[replay->n], 0, sizeof *replay->changes);
            if (error == NULL) {
                error = replay_row(replay, table, uuid, row);
            }
        }
        if (error != NULL) {
            return error;
        }
    }
    return NULL;
}

static void
replay_apply(struct replay_change *change)
{
    struct db_row *row = ovsdb_table_row(change->table, &change->uuid);

    if (change->data == NULL) {
        /* The same row can stand twice in a hostile record, in two spellings of its UUID. */
        if (row != NULL) {
            ovsdb_table_remove(change->table, row);
            ovsdb_row_destroy(row);
        }
        return;
    }
    if (row == NULL) {
        row = ovsdb_row_create(change->table, &change->uuid);
        ovsdb_table_add(change->table, row);
    }
    ovsdb_data_destroy(row->data, change->table->schema->n_columns);
    row->data = change->data;
    change->data = NULL;
}

struct ovsdb_error *
ovsdb_store_replay(struct ovsdb_database *db, const json_t *record)
{
    struct replay replay = {.is_diff = json_is_true(json_object_get(record, "_is_diff"))};
    struct ovsdb_error *error = replay_parse(&replay, db, record);

    for (size_t i = 0; i < replay.n; i++) {
        struct replay_change *change = &replay.changes[i];

        if (error == NULL) {
            replay_apply(change);
        }
        ovsdb_data_destroy(change->data, change->table->schema->n_columns);
    }
    free(replay.changes);
    return error;
}

/* Reading the records. */

/* Cuts the journal where reading stopped; see ovsdb_store_open(). */
static int
recover(struct ovsdb_journal *journal, enum ovsdb_journal_status status, const char *problem,
        char **error)
{
    const char *path = ovsdb_journal_path(journal);
    uint64_t offset = ovsdb_journal_size(journal);
    int result;

    if (status == OVSDB_JOURNAL_TORN) {
        log_warn("%s: %s, cutting it off at byte %" PRIu64
                 "; a crash interrupted a transaction that had not been confirmed",
                 path, problem, offset);
        result = ovsdb_journal_cut(journal, NULL);
    } else {
        char *copy = xasprintf("%s.damaged-%" PRId64, path, clock_wall_ms());

        result = ovsdb_journal_cut(journal, copy);
        if (!result) {
            log_err("%s: damaged at byte %" PRIu64 ": %s; everything before that was read, the "
                    "rest is kept in %s",
                    path, offset, problem, copy);
        }
        free(copy);
    }
    if (result) {
        *error = xasprintf("%s: damaged at byte %" PRIu64 " (%s), and cannot be repaired: %s", path,
                           offset, problem, err_str(result));
    }
    return result;
}

/* Replays all transaction records into 'db'. */
static int
read_transactions(struct ovsdb_journal *journal, struct ovsdb_database *db, char **error)
{
    for (;;) {
        char *problem = NULL;
        json_t *record = NULL;
        enum ovsdb_journal_status status = ovsdb_journal_read(journal, &record, &problem);
        int result;

        if (status == OVSDB_JOURNAL_RECORD) {
            struct ovsdb_error *e = ovsdb_store_replay(db, record);

            json_decref(record);
            if (e == NULL) {
                continue;
            }
            ovsdb_journal_unread(journal);
            problem = ovsdb_error_take_text(e);
            status = OVSDB_JOURNAL_DAMAGED;
        }
        if (status == OVSDB_JOURNAL_END) {
            return 0;
        }
        if (status == OVSDB_JOURNAL_FAILED) {
            *error = xasprintf("%s: %s", ovsdb_journal_path(journal), problem);
            result = -EIO;
        } else {
            result = recover(journal, status, problem, error);
        }
        free(problem);
        return result;
    }
}

/* Reads the first record. */
static int
read_schema(struct ovsdb_journal *journal, struct ovsdb_schema **schemap, char **error)
{
    const char *path = ovsdb_journal_path(journal);
    char *problem = NULL;
    json_t *record = NULL;
    enum ovsdb_journal_status status = ovsdb_journal_read(journal, &record, &problem);

    *schemap = NULL;
    if (status == OVSDB_JOURNAL_RECORD) {
        struct ovsdb_error *e = ovsdb_schema_from_json(record, schemap);

        json_decref(record);
        if (e == NULL) {
            return 0;
        }
        char *text = ovsdb_error_take_text(e);
        *error = xasprintf("%s: does not begin with a valid schema: %s", path, text);
        free(text);
        return -EINVAL;
    }
    *error = xasprintf("%s: not a database journal: %s", path,
                       problem != NULL ? problem : "the file is empty");
    free(problem);
    return -EINVAL;
}

/* Converting. */

/* True if 'a' has every table and column of 'b' with the same type. */
static bool
schema_covers(const struct ovsdb_schema *a, const struct ovsdb_schema *b)
{
    for (uint32_t i = 0; i < b->n_tables; i++) {
        const struct ovsdb_table_schema *ta = ovsdb_schema_table(a, b->tables[i]->name);

        for (uint32_t j = OVSDB_N_STD_COLS; j < b->tables[i]->n_columns; j++) {
            const struct ovsdb_column *cb = b->tables[i]->columns[j];
            const struct ovsdb_column *ca = ta ? ovsdb_table_column(ta, cb->name) : NULL;

            if (ca == NULL) {
                return false;
            }
            json_t *type_a = ovsdb_type_to_json(&ca->type), *type_b = ovsdb_type_to_json(&cb->type);
            bool same = json_equal(type_a, type_b);
            json_decref(type_a);
            json_decref(type_b);
            if (!same) {
                return false;
            }
        }
    }
    return true;
}

/* Inserts a copy of 'row' into 'table', whose schema may be another one. */
static struct ovsdb_error *
convert_row(struct ovsdb_txn *txn, struct ovsdb_table *table, const struct db_row *row)
{
    const struct ovsdb_table_schema *from = row->table->schema;
    struct db_row *copy = ovsdb_txn_insert(txn, table, &row->uuid);

    for (uint32_t i = OVSDB_N_STD_COLS; i < from->n_columns; i++) {
        const struct ovsdb_column *column =
            ovsdb_table_column(table->schema, from->columns[i]->name);
        struct ovsdb_datum *datum;

        if (column == NULL || !from->columns[i]->is_persistent) {
            continue;
        }
        json_t *json = ovsdb_datum_to_json(row->data[i]);
        struct ovsdb_error *error = ovsdb_datum_from_json(&column->type, json, NULL, &datum);
        json_decref(json);
        if (error != NULL) {
            char *text = ovsdb_error_take_text(error);

            error = ovsdb_error_create(OVSDB_E_CONSTRAINT, "table %s, column %s: %s", from->name,
                                       column->name, text);
            free(text);
            return error;
        }
        ovsdb_row_set(copy, column->index, datum);
    }
    return NULL;
}

/* Fills the empty 'to' with the rows of 'from'. */
static struct ovsdb_error *
convert(struct ovsdb_database *to, const struct ovsdb_database *from)
{
    struct ovsdb_txn *txn = ovsdb_txn_create(to);
    struct ovsdb_error *error = NULL;

    for (uint32_t i = 0; i < from->schema->n_tables && error == NULL; i++) {
        struct ovsdb_table *table = ovsdb_database_table(to, from->schema->tables[i]->name);
        const struct db_row *row = from->tables[i]->rows;

        if (table == NULL && row != NULL) {
            log_warn("table %s is not in the schema %s %s, its %u rows are dropped",
                     from->schema->tables[i]->name, to->schema->name, to->schema->version,
                     HASH_COUNT(from->tables[i]->rows));
        }
        for (; table != NULL && row != NULL && error == NULL; row = row->hh.next) {
            error = convert_row(txn, table, row);
        }
    }
    if (error == NULL) {
        error = ovsdb_txn_precommit(txn);
    }
    if (error != NULL) {
        ovsdb_txn_abort(txn);
    } else {
        ovsdb_txn_commit(txn, 1);
    }
    return error;
}

static int
backup(const struct ovsdb_journal *journal, const struct ovsdb_schema *old, char **error)
{
    struct str path = STR_INIT;
    int result;

    str_printf(&path, "%s.backup%s-%s", ovsdb_journal_path(journal), old->version, old->cksum);
    for (char *p = path.buf + strlen(ovsdb_journal_path(journal)); *p != '\0'; p++) {
        *p = *p == ' ' || *p == '/' ? '-' : *p;
    }
    result = ovsdb_journal_copy(journal, path.buf);
    if (result == -EEXIST) {
        str_printf(&path, "-%" PRId64, clock_wall_ms());
        result = ovsdb_journal_copy(journal, path.buf);
    }
    if (result) {
        *error = xasprintf("%s: cannot be made before the schema is converted: %s", path.buf,
                           err_str(result));
    } else {
        log_info("%s: schema version %s is converted, the journal as it was is kept in %s",
                 ovsdb_journal_path(journal), old->version, path.buf);
    }
    str_free(&path);
    return result;
}

/* A copy of 'schema'. */
static struct ovsdb_schema *
schema_clone(const struct ovsdb_schema *schema)
{
    json_t *json = ovsdb_schema_to_json(schema);
    struct ovsdb_schema *clone = NULL;

    ovsdb_error_free(ovsdb_schema_from_json(json, &clone));
    json_decref(json);
    return clone;
}

/* The whole. */

static int
create(const char *path, const struct ovsdb_schema *schema, struct ovsdb_database **dbp,
       struct ovsdb_journal **journalp, char **error)
{
    json_t *record = ovsdb_schema_to_json(schema);
    int result = ovsdb_journal_create(path, &record, 1, journalp, error);

    json_decref(record);
    if (!result) {
        *dbp = ovsdb_database_create(schema_clone(schema));
        log_info("%s: created", path);
    }
    return result;
}

static int
load(struct ovsdb_journal *journal, const struct ovsdb_schema *wanted, struct ovsdb_database **dbp,
     bool *must_rewrite, char **error)
{
    const char *path = ovsdb_journal_path(journal);
    struct ovsdb_schema *found;
    int result = read_schema(journal, &found, error);

    if (result) {
        return result;
    }
    if (strcmp(found->name, wanted->name)) {
        *error = xasprintf("%s: holds the database %s, not %s", path, found->name, wanted->name);
        ovsdb_schema_destroy(found);
        return -EINVAL;
    }

    struct ovsdb_database *raw = ovsdb_database_create(found);
    result = read_transactions(journal, raw, error);
    if (!result && !schema_covers(found, wanted)) {
        *must_rewrite = true;
        result = backup(journal, found, error);
    }
    if (!result) {
        *dbp = ovsdb_database_create(schema_clone(*must_rewrite ? wanted : found));
        struct ovsdb_error *e = convert(*dbp, raw);
        if (e != NULL) {
            char *text = ovsdb_error_take_text(e);

            *error = xasprintf("%s: the contents do not fit schema version %s: %s", path,
                               (*dbp)->schema->version, text);
            free(text);
            result = -EINVAL;
        }
    }
    ovsdb_database_destroy(raw);
    return result;
}

int
ovsdb_store_load(const char *path, const struct ovsdb_schema *schema, struct ovsdb_database **dbp,
                 struct ovsdb_journal **journalp, bool *must_rewrite, char **error)
{
    int result = ovsdb_journal_open(path, journalp, error);

    if (result == -ENOENT) {
        free(*error);
        *error = NULL;
        return create(path, schema, dbp, journalp, error);
    }
    return result ? result : load(*journalp, schema, dbp, must_rewrite, error);
}
