// SPDX-License-Identifier: Apache-2.0
/*
 * store.h - a database with its journal: loading, writing transactions, compacting, converting.
 *
 * Transactions become records {"_date", "_comment"?, "_is_diff", TABLE: {UUID: {COLUMN: value} or
 * null}}.  Changed sets and maps are recorded as differences; ephemeral columns, and columns of new
 * rows that have their default value, are left out.
 *
 * Main thread: who commits waits for the disk.
 */
#ifndef OVSDB_STORE_H
#define OVSDB_STORE_H 1

#include "ovsdb/row.h"
#include "ovsdb/txn.h"

struct ovsdb_error;
struct ovsdb_store;

/* Opens the journal at 'path', makes it from 'schema' if there is none, and loads it.
 *
 * A journal whose end was torn off by a crash is cut to its last whole record.  Damage elsewhere
 * ends the loading at that point; the rest is kept beside the journal as NAME.damaged-TIME.
 *
 * The journal's own schema is kept when it has everything that 'schema' has (a newer version);
 * otherwise the data are converted to 'schema', after a copy of the journal was made as
 * NAME.backupVERSION-CKSUM.
 *
 * Returns 0 or a negative errno with '*error', a text for the operator that the caller frees. */
int ovsdb_store_open(const char *path, const struct ovsdb_schema *schema,
                     struct ovsdb_store **storep, char **error);
void ovsdb_store_close(struct ovsdb_store *store);

struct ovsdb_database *ovsdb_store_db(const struct ovsdb_store *store);
const char *ovsdb_store_path(const struct ovsdb_store *store);
uint64_t ovsdb_store_size(const struct ovsdb_store *store);

/* Writes a transaction after precommit and makes it durable; NULL, or an "I/O error" and nothing
 * written.  Transactions without persistent changes cost nothing. */
struct ovsdb_error *ovsdb_store_write(struct ovsdb_store *store, const struct ovsdb_txn *txn);

/* Rewrites the journal from the contents of memory if it has grown enough for that to pay. */
void ovsdb_store_compact_if_due(struct ovsdb_store *store);
/* The same unconditionally; 0 or a negative errno. */
int ovsdb_store_compact(struct ovsdb_store *store);

/* The record of a transaction after precommit, a new reference. */
json_t *ovsdb_store_record(const struct ovsdb_txn *txn);

/* Applies one transaction record to the rows of 'db' without any checks across rows; all of it or
 * nothing.  For loading, and for the fuzzer. */
struct ovsdb_error *ovsdb_store_replay(struct ovsdb_database *db, const json_t *record);

#endif /* ovsdb/store.h */
