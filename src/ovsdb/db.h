// SPDX-License-Identifier: Apache-2.0
/*
 * db.h - the database as the rest of the switch sees it: rows to read, values to write back.
 *
 * One interface with two faces.  db_open_embedded() makes this process the RFC 7047 server, with a
 * journal on disk and a socket for the stock tools; db_open_client() keeps a replica of a database
 * that a stock ovsdb-server owns.  Nothing above src/ovsdb/ knows which of the two it talks to.
 *
 * Everything here belongs to the main thread and its loop.  Row pointers and every value taken from
 * a row are borrowed: they stay valid until the caller returns to the loop, or until its own
 * db_txn_commit(), whichever is first.  Keep the UUID of a row to find it again with db_get().
 *
 * The typical reader is a change callback that walks the rows, compares them with what it runs, and
 * writes the results in one transaction that also sets Open_vSwitch.cur_cfg.
 */
#ifndef OVSDB_DB_H
#define OVSDB_DB_H 1

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

struct db;
struct db_row;
struct db_txn;
struct loop;
struct tls_settings;

/* Opening and closing. */

struct db_embedded_cfg {
    struct loop *loop;
    const char *journal_path;   /* created from the schema when it does not exist */
    const char *schema_path;    /* NULL: the schema that is built into the daemon */
    const char *const *remotes; /* "punix:PATH", "ptcp:PORT[:IP]", "pssl:PORT[:IP]", "tcp:...",
                                 * "ssl:...", "db:DB,TABLE,COLUMN"; the last one makes
                                 * `ovs-vsctl set-manager` work */
    size_t n_remotes;
    const char *private_key; /* the three files for pssl:/ssl:, or NULL; "db:DB,TABLE,COLUMN" */
    const char *certificate; /* reads the file name from the database                         */
    const char *ca_cert;
    const char *ovs_version; /* written to Open_vSwitch.ovs_version of a new database */
};

/* Opens (or creates) the journal, replays it, starts to listen, and makes sure that the one row of
 * Open_vSwitch exists.  Returns 0 and '*dbp', or a negative errno and '*error', a text for the
 * operator that the caller frees: the journal is locked by another process, holds another database,
 * has a schema that cannot be converted, a listener cannot be bound. */
int db_open_embedded(const struct db_embedded_cfg *cfg, struct db **dbp, char **error);

struct db_client_cfg {
    struct loop *loop;
    const char *remote;             /* "unix:PATH", "tcp:HOST:PORT", "ssl:HOST:PORT", or several
                                     * with commas between: servers of a cluster */
    const char *database;           /* NULL: "Open_vSwitch" */
    const char *lock;               /* NULL: "ovs_vswitchd" */
    const struct tls_settings *tls; /* for "ssl:", else may be NULL; borrowed until db_close() */
};

/* Starts to connect in the background, with backoff from 1 s to 8 s, for ever.  Fails only when
 * 'remote' cannot be understood, or says ssl: and no files are named; then '*error' as above. */
int db_open_client(const struct db_client_cfg *cfg, struct db **dbp, char **error);

/* NULL, or a new text saying what is wrong with a 'remote' for db_open_client(). */
char *db_client_check(const char *remote);

/* Sends what is queued as far as that goes without blocking, closes sockets and journal, removes
 * the listening sockets' files.  Pending transactions' callbacks are not called.  NULL is fine. */
void db_close(struct db *db);

/* State. */

/* True once a complete first snapshot is there; stays true while a client is disconnected: the last
 * contents remain readable. */
bool db_is_ready(const struct db *db);

/* True while this process holds the lock "ovs_vswitchd".  Without it nobody may act on the
 * contents, and transactions end with DB_TXN_NOT_LOCKED.  Always true when embedded. */
bool db_has_lock(const struct db *db);

/* True while another process holds the lock. */
bool db_is_lock_contended(const struct db *db);

/* For how long, in ms, a switch may go on forwarding while another process holds the lock: as long
 * as that process may be a connection of our own that the server does not yet know to be dead.  -1:
 * for ever, as there is no other switch (embedded face). */
int db_yield_ms(const struct db *db);

/* Grows whenever others changed the contents, the lock changed hands or the database became ready.
 * This switch's own write-backs do not count. */
uint64_t db_seqno(const struct db *db);

/* Calls 'cb' from the loop after db_seqno() grew, once for any number of commits that came
 * together. Called once soon after opening if the database is ready by then.  Only one callback. */
typedef void db_change_cb(void *aux);
void db_set_change_cb(struct db *db, db_change_cb *cb, void *aux);

/* Reading.
 *
 * 'table' and 'column' are names from the schema.  A table or column that the server's schema does
 * not have reads as empty, so that older and newer servers both work. */

const struct db_row *db_first(const struct db *db, const char *table);
const struct db_row *db_next(const struct db_row *row);
#define DB_FOR_EACH_ROW(ROW, DB, TABLE) \
    for ((ROW) = db_first(DB, TABLE); (ROW) != NULL; (ROW) = db_next(ROW))

const struct db_row *db_get(const struct db *db, const char *table, const struct uuid *uuid);
size_t db_n_rows(const struct db *db, const char *table);

/* True if the server's schema has this column; it may leave out what is newer than itself. */
bool db_has_column(const struct db *db, const char *table, const char *column);

const struct uuid *row_uuid(const struct db_row *row);
const char *row_table(const struct db_row *row);

/* The db_seqno() at which others last changed this row (or inserted it). */
uint64_t row_seqno(const struct db_row *row);

/* Number of elements or pairs in a column; 0 for an empty optional. */
size_t row_n(const struct db_row *row, const char *column);

/* Scalars and optionals, and the first element of a set.  row_str() returns NULL, the others false
 * with '*value' untouched, if the column is empty or of another type. */
const char *row_str(const struct db_row *row, const char *column);
bool row_int(const struct db_row *row, const char *column, int64_t *value);
bool row_bool(const struct db_row *row, const char *column, bool *value);
const struct db_row *row_ref(const struct db_row *row, const char *column);

/* The same with a default for an empty column. */
int64_t row_int_or(const struct db_row *row, const char *column, int64_t dflt);
bool row_bool_or(const struct db_row *row, const char *column, bool dflt);

/* Element 'i' < row_n() of a set, in ascending order; of a map, its keys. */
const char *row_str_at(const struct db_row *row, const char *column, size_t i);
int64_t row_int_at(const struct db_row *row, const char *column, size_t i);
const struct db_row *row_ref_at(const struct db_row *row, const char *column, size_t i);

/* The rows that a column refers to, as a new array that the caller frees; '*n' of them.  For a map,
 * the rows that its values refer to, in the order of the keys.  NULL when there are none.
 * References to rows that are not there (client face, mid-change) are left out. */
const struct db_row **row_refs(const struct db_row *row, const char *column, size_t *n);

/* Maps with string keys: "other_config", "options", "external_ids", ... NULL or the default if the
 * key is absent.  row_map_bool() is true only for "true", false only for "false"; row_map_int()
 * takes decimal and 0x; a value that does not parse counts as absent. */
const char *row_map_get(const struct db_row *row, const char *column, const char *key);
int64_t row_map_int(const struct db_row *row, const char *column, const char *key, int64_t dflt);
bool row_map_bool(const struct db_row *row, const char *column, const char *key, bool dflt);

/* Pair 'i' < row_n() of a map from string to string, in ascending order of keys. */
void row_map_at(const struct db_row *row, const char *column, size_t i, const char **key,
                const char **value);

/* Pair 'i' < row_n() of a map from integer to a row reference (flow_tables, queues, ct_zones). */
int64_t row_imap_at(const struct db_row *row, const char *column, size_t i,
                    const struct db_row **value);

/* Writing.
 *
 * A transaction collects values and is then committed whole or not at all.  A value equal to what
 * the row holds is left out; when nothing is left the transaction ends as DB_TXN_UNCHANGED without
 * touching server or disk.  Columns that the server lacks, and rows deleted in the meantime, are
 * skipped.  A change of nothing but ephemeral columns never touches the disk. */

enum db_txn_status {
    DB_TXN_SUCCESS,    /* committed, durable */
    DB_TXN_UNCHANGED,  /* nothing differed */
    DB_TXN_TRY_AGAIN,  /* the connection was lost: read the rows again and retry */
    DB_TXN_NOT_LOCKED, /* another process holds the lock */
    DB_TXN_ERROR,      /* 'error' has the text; a retry will not help */
};

struct db_txn *db_txn_create(struct db *db);
void db_txn_abort(struct db_txn *txn);

/* A comment for the journal (`ovsdb-tool show-log`). */
void db_txn_comment(struct db_txn *txn, const char *text);

/* 'value' NULL empties an optional column. */
void db_txn_set_str(struct db_txn *txn, const struct db_row *row, const char *column,
                    const char *value);
void db_txn_set_int(struct db_txn *txn, const struct db_row *row, const char *column,
                    int64_t value);
void db_txn_set_bool(struct db_txn *txn, const struct db_row *row, const char *column, bool value);
/* Empties a set, map or optional column. */
void db_txn_clear(struct db_txn *txn, const struct db_row *row, const char *column);

void db_txn_set_strs(struct db_txn *txn, const struct db_row *row, const char *column,
                     const char *const *values, size_t n);
/* Maps; duplicate keys keep the last value. */
void db_txn_set_smap(struct db_txn *txn, const struct db_row *row, const char *column,
                     const char *const *keys, const char *const *values, size_t n);
void db_txn_set_simap(struct db_txn *txn, const struct db_row *row, const char *column,
                      const char *const *keys, const int64_t *values, size_t n);
/* Adds, changes or (value NULL) removes one key of a string map and leaves the others alone. */
void db_txn_map_put(struct db_txn *txn, const struct db_row *row, const char *column,
                    const char *key, const char *value);

/* Takes 'txn'.  'cb' may be NULL; it is called once, from the loop, never from within this call.
 * 'error' is NULL unless the status is DB_TXN_ERROR. */
typedef void db_txn_cb(void *aux, enum db_txn_status status, const char *error);
void db_txn_commit(struct db_txn *txn, db_txn_cb *cb, void *aux);

/* Executes an array of operations of RFC 7047, without the database's name, as one transaction of
 * the switch's own, at once.  For what rows cannot say: inserting and deleting.  Embedded face
 * only. Takes 'ops'.  0, or a negative errno and a new text in '*error'. */
struct json_t;
int db_execute(struct db *db, struct json_t *ops, char **error);

/* True while a committed transaction's callback is still to come. */
bool db_txn_in_flight(const struct db *db);

/* For operators (`memory/show`, logs): a short text, e.g. "embedded, /etc/openvswitch/conf.db" or
 * "unix:/run/openvswitch/db.sock: connected".  The caller frees it. */
char *db_describe(const struct db *db);

#endif /* ovsdb/db.h */
