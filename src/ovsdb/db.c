// SPDX-License-Identifier: Apache-2.0
/*
 * db.c - what both faces of the database share, see db.h: the change callback, results of
 * transactions, and the way into the tables.  db_row.c has the getters of a row's columns.
 */
#include "ovsdb/db.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/coverage.h"
#include "base/util.h"
#include "ovsdb/db_ctl.h"
#include "ovsdb/db_priv.h"

COVERAGE_DEFINE(txn_success);
COVERAGE_DEFINE(txn_unchanged);
COVERAGE_DEFINE(txn_try_again);
COVERAGE_DEFINE(txn_not_locked);
COVERAGE_DEFINE(txn_error);

void
db_init(struct db *db, const struct db_class *class, struct loop *loop)
{
    db->class = class;
    db->loop = loop;
    db_ctl_register(db);
}

static void
run_change_cb(void *db_)
{
    struct db *db = db_;

    if (db->change_cb != NULL) {
        db->change_cb(db->change_aux);
    }
}

void
db_changed(struct db *db)
{
    db->seqno++;
    loop_defer(db->loop, run_change_cb, db);
}

static void
completion_destroy(struct db_completion *completion)
{
    free(completion->error);
    free(completion);
}

static void
run_completions(void *db_)
{
    struct db *db = db_;

    while (db->completions != NULL) {
        struct db_completion *completion = db->completions;

        DL_DELETE(db->completions, completion);
        db->n_in_flight--;
        if (completion->cb != NULL) {
            completion->cb(completion->aux, completion->status, completion->error);
        }
        completion_destroy(completion);
    }
}

void
db_complete(struct db *db, struct db_completion *completion, enum db_txn_status status, char *error)
{
    switch (status) {
    case DB_TXN_SUCCESS:
        coverage_inc(txn_success);
        break;
    case DB_TXN_UNCHANGED:
        coverage_inc(txn_unchanged);
        break;
    case DB_TXN_TRY_AGAIN:
        coverage_inc(txn_try_again);
        break;
    case DB_TXN_NOT_LOCKED:
        coverage_inc(txn_not_locked);
        break;
    case DB_TXN_ERROR:
        coverage_inc(txn_error);
        break;
    }
    completion->status = status;
    completion->error = error;
    DL_APPEND(db->completions, completion);
    loop_defer(db->loop, run_completions, db);
}

void
db_fini(struct db *db)
{
    db_ctl_unregister(db);
    loop_cancel(db->loop, run_change_cb, db);
    loop_cancel(db->loop, run_completions, db);
    while (db->completions != NULL) {
        struct db_completion *completion = db->completions;

        DL_DELETE(db->completions, completion);
        completion_destroy(completion);
    }
}

void
db_close(struct db *db)
{
    if (db != NULL) {
        db->class->close(db);
    }
}

bool
db_is_ready(const struct db *db)
{
    return db->class->is_ready(db);
}

bool
db_has_lock(const struct db *db)
{
    return db->class->has_lock(db);
}

bool
db_is_lock_contended(const struct db *db)
{
    return db->class->is_lock_contended(db);
}

int
db_yield_ms(const struct db *db)
{
    return db->class->yield_ms != NULL ? db->class->yield_ms(db) : -1;
}

uint64_t
db_seqno(const struct db *db)
{
    return db->seqno;
}

void
db_set_change_cb(struct db *db, db_change_cb *cb, void *aux)
{
    db->change_cb = cb;
    db->change_aux = aux;
    if (cb != NULL && db_is_ready(db)) {
        loop_defer(db->loop, run_change_cb, db);
    }
}

bool
db_txn_in_flight(const struct db *db)
{
    return db->n_in_flight > 0;
}

char *
db_describe(const struct db *db)
{
    return db->class->describe(db);
}

int
db_execute(struct db *db, json_t *ops, char **error)
{
    *error = NULL;
    if (db->class->execute == NULL) {
        json_decref(ops);
        *error = xstrdup("another process owns the database");
        return -ENOTSUP;
    }
    return db->class->execute(db, ops, error);
}

/* Tables. */

static struct ovsdb_table *
find_table(const struct db *db, const char *name)
{
    return db->contents != NULL ? ovsdb_database_table(db->contents, name) : NULL;
}

const struct db_row *
db_first(const struct db *db, const char *table_name)
{
    const struct ovsdb_table *table = find_table(db, table_name);

    return table != NULL ? table->rows : NULL;
}

const struct db_row *
db_next(const struct db_row *row)
{
    return row->hh.next;
}

const struct db_row *
db_get(const struct db *db, const char *table_name, const struct uuid *uuid)
{
    const struct ovsdb_table *table = find_table(db, table_name);

    return table != NULL ? ovsdb_table_row(table, uuid) : NULL;
}

size_t
db_n_rows(const struct db *db, const char *table_name)
{
    const struct ovsdb_table *table = find_table(db, table_name);

    return table != NULL ? HASH_COUNT(table->rows) : 0;
}

bool
db_has_column(const struct db *db, const char *table_name, const char *column)
{
    const struct ovsdb_table *table = find_table(db, table_name);

    return table != NULL && ovsdb_table_column(table->schema, column) != NULL;
}
