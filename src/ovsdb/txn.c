// SPDX-License-Identifier: Apache-2.0
/*
 * txn.c - the undo log of a transaction, see txn.h; integrity.c holds the checks before commit.
 */
#include "ovsdb/txn.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/util.h"

struct ovsdb_txn *
ovsdb_txn_create(struct ovsdb_database *db)
{
    struct ovsdb_txn *txn = xzalloc(sizeof *txn);

    txn->db = db;
    txn->deleted = xcalloc(db->schema->n_tables + 1, sizeof(struct db_row *));
    return txn;
}

static struct ovsdb_txn_row *
txn_row_create(struct ovsdb_txn *txn, struct db_row *row)
{
    struct ovsdb_txn_row *txn_row = xzalloc(sizeof *txn_row);

    txn_row->row = row;
    txn_row->old_n_refs = row->n_refs;
    row->txn_row = txn_row;
    DL_APPEND(txn->rows, txn_row);
    return txn_row;
}

static void
txn_row_destroy(struct ovsdb_txn *txn, struct ovsdb_txn_row *txn_row)
{
    uint32_t n = txn_row->row->table->schema->n_columns;

    DL_DELETE(txn->rows, txn_row);
    txn_row->row->txn_row = NULL;
    ovsdb_data_destroy(txn_row->old, n);
    ovsdb_data_destroy(txn_row->counted, n);
    free(txn_row->changed);
    free(txn_row);
}

struct db_row *
ovsdb_txn_insert(struct ovsdb_txn *txn, struct ovsdb_table *table, const struct uuid *uuid)
{
    struct db_row *row = ovsdb_row_create(table, uuid);

    txn_row_create(txn, row);
    ovsdb_table_add(table, row);
    return row;
}

bool
ovsdb_txn_uuid_is_free(const struct ovsdb_txn *txn, const struct ovsdb_table *table,
                       const struct uuid *uuid)
{
    struct db_row *deleted;

    HASH_FIND(hh, txn->deleted[table->schema->index], uuid, sizeof *uuid, deleted);
    return deleted == NULL && ovsdb_table_row(table, uuid) == NULL;
}

void
ovsdb_txn_modify(struct ovsdb_txn *txn, struct db_row *row)
{
    if (row->txn_row == NULL) {
        uint32_t n = row->table->schema->n_columns;
        struct ovsdb_txn_row *txn_row = txn_row_create(txn, row);

        txn_row->old = ovsdb_data_clone(row->data, n);
        txn_row->counted = ovsdb_data_clone(row->data, n);
    }
}

void
ovsdb_txn_delete(struct ovsdb_txn *txn, struct db_row *row)
{
    struct db_row **deleted = &txn->deleted[row->table->schema->index];

    ovsdb_txn_modify(txn, row);
    row->txn_row->is_deleted = true;
    ovsdb_table_remove(row->table, row);
    HASH_ADD(hh, *deleted, uuid, sizeof row->uuid, row);
}

void
ovsdb_txn_add_comment(struct ovsdb_txn *txn, const char *comment)
{
    if (txn->comment.len > 0) {
        str_putc(&txn->comment, '\n');
    }
    str_put(&txn->comment, comment);
}

bool
ovsdb_txn_is_changed(const struct ovsdb_txn *txn)
{
    const struct ovsdb_txn_row *txn_row;

    DL_FOREACH (txn->rows, txn_row) {
        if (txn_row->is_changed) {
            return true;
        }
    }
    return false;
}

bool
ovsdb_txn_is_persistent(const struct ovsdb_txn *txn)
{
    const struct ovsdb_txn_row *txn_row;

    DL_FOREACH (txn->rows, txn_row) {
        const struct ovsdb_table_schema *schema = txn_row->row->table->schema;

        if (txn_row->is_changed && txn_row->changed == NULL) {
            return true;
        }
        for (uint32_t i = OVSDB_N_STD_COLS; txn_row->is_changed && i < schema->n_columns; i++) {
            if (txn_row->changed[i] && schema->columns[i]->is_persistent) {
                return true;
            }
        }
    }
    return false;
}

static void
txn_free(struct ovsdb_txn *txn)
{
    free(txn->deleted);
    str_free(&txn->comment);
    free(txn);
}

static void
leave_deleted(struct ovsdb_txn *txn, struct db_row *row)
{
    struct db_row **deleted = &txn->deleted[row->table->schema->index];

    HASH_DEL(*deleted, row);
}

void
ovsdb_txn_commit(struct ovsdb_txn *txn, uint64_t seqno)
{
    struct ovsdb_txn_row *txn_row, *next;

    /* All old keys leave the indexes before new ones enter: rows may have swapped theirs. */
    DL_FOREACH (txn->rows, txn_row) {
        if (txn_row->is_changed && txn_row->old != NULL) {
            ovsdb_index_remove(txn_row->row, txn_row->old);
        }
    }
    DL_FOREACH_SAFE (txn->rows, txn_row, next) {
        struct db_row *row = txn_row->row;
        bool is_deleted = txn_row->is_deleted;

        if (txn_row->is_changed && !is_deleted) {
            ovsdb_index_add(row, row->data);
            row->seqno = seqno > 0 ? seqno : row->seqno;
        }
        txn_row_destroy(txn, txn_row);
        if (is_deleted) {
            leave_deleted(txn, row);
            ovsdb_row_destroy(row);
        }
    }
    txn_free(txn);
}

static void
txn_row_undo(struct ovsdb_txn *txn, struct ovsdb_txn_row *txn_row)
{
    struct db_row *row = txn_row->row;
    bool is_inserted = txn_row->old == NULL;

    if (txn_row->is_deleted) {
        leave_deleted(txn, row);
    }
    if (is_inserted) {
        if (!txn_row->is_deleted) {
            ovsdb_table_remove(row->table, row);
        }
        txn_row_destroy(txn, txn_row);
        ovsdb_row_destroy(row);
        return;
    }

    struct ovsdb_datum **changed = row->data;
    row->data = txn_row->old;
    txn_row->old = changed;
    row->n_refs = txn_row->old_n_refs;
    if (txn_row->is_deleted) {
        ovsdb_table_add(row->table, row);
    }
    txn_row_destroy(txn, txn_row);
}

void
ovsdb_txn_abort(struct ovsdb_txn *txn)
{
    struct ovsdb_txn_row *txn_row, *next;

    if (txn == NULL) {
        return;
    }
    DL_FOREACH_SAFE (txn->rows, txn_row, next) {
        txn_row_undo(txn, txn_row);
    }
    txn_free(txn);
}
