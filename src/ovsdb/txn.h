// SPDX-License-Identifier: Apache-2.0
/*
 * txn.h - a transaction on a database in memory.  Changes show in the tables at once, so that later
 * operations of the same transaction see them; an undo record for each touched row puts them back.
 * Only one transaction is open at a time, and it ends before the loop runs on.  Main thread.
 *
 *     create -> insert, modify, delete ... -> precommit -> (journal) -> commit
 *                                                     \-> abort at any point before commit
 */
#ifndef OVSDB_TXN_H
#define OVSDB_TXN_H 1

#include <stdbool.h>

#include "base/str.h"
#include "ovsdb/row.h"

struct ovsdb_error;

/* What one transaction did to one row; the monitors and the journal read it between precommit and
 * commit. */
struct ovsdb_txn_row {
    struct ovsdb_txn_row *prev, *next;
    struct db_row *row;
    struct ovsdb_datum **old;     /* data before; NULL: inserted.  'row->data' are those after. */
    struct ovsdb_datum **counted; /* data whose references are in n_refs; NULL: none */
    uint64_t old_n_refs;
    bool is_deleted;
    bool is_changed; /* set by precommit: inserted, deleted, or some column differs */
    bool *changed;   /* by column, set by precommit for modified rows; else NULL */
};

struct ovsdb_txn {
    struct ovsdb_database *db;
    struct ovsdb_txn_row *rows; /* utlist, in order of first touch */
    struct db_row **deleted;    /* by table: hash of rows that are no longer in it */
    struct str comment;
    bool is_durable;
};

struct ovsdb_txn *ovsdb_txn_create(struct ovsdb_database *db);

/* Inserts a row of defaults.  The UUID must be in use neither in the table nor by a row that this
 * transaction deleted: see ovsdb_txn_uuid_is_free(). */
struct db_row *ovsdb_txn_insert(struct ovsdb_txn *txn, struct ovsdb_table *table,
                                const struct uuid *uuid);
bool ovsdb_txn_uuid_is_free(const struct ovsdb_txn *txn, const struct ovsdb_table *table,
                            const struct uuid *uuid);
/* Must come before a row's data are changed with ovsdb_row_set(). */
void ovsdb_txn_modify(struct ovsdb_txn *txn, struct db_row *row);
void ovsdb_txn_delete(struct ovsdb_txn *txn, struct db_row *row);
/* Comments of several calls are joined by line ends. */
void ovsdb_txn_add_comment(struct ovsdb_txn *txn, const char *comment);

/* Counts references, collects garbage, cleans weak references, and checks everything that can only
 * be checked at the end (RFC 7047 paragraph 5.2.10 and 4.1.3).  integrity.c. */
struct ovsdb_error *ovsdb_txn_precommit(struct ovsdb_txn *txn);

/* True if precommit found any change at all; in any column that is on disk. */
bool ovsdb_txn_is_changed(const struct ovsdb_txn *txn);
bool ovsdb_txn_is_persistent(const struct ovsdb_txn *txn);

/* Makes it final and frees 'txn'.  With 'seqno' > 0 that becomes the sequence number of the changed
 * rows. */
void ovsdb_txn_commit(struct ovsdb_txn *txn, uint64_t seqno);
/* Puts everything back and frees 'txn'.  NULL is fine. */
void ovsdb_txn_abort(struct ovsdb_txn *txn);

#endif /* ovsdb/txn.h */
