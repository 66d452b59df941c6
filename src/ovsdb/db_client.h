// SPDX-License-Identifier: Apache-2.0
/*
 * db_client.h - the client face of the database in two files: db_client.c has the session with the
 * server, db_client_txn.c the transactions that are under way in it.  Private to both.
 */
#ifndef OVSDB_DB_CLIENT_H
#define OVSDB_DB_CLIENT_H 1

#include "ovsdb/db_priv.h"
#include "rpc/jsonrpc.h"

/* What a transaction writes of one row. */
struct client_txn_row {
    UT_hash_handle hh; /* by uuid */
    struct uuid uuid;
    json_t *columns; /* an object with their names */
};

/* A transaction that awaits its reply. */
struct client_txn {
    struct client_txn *prev, *next;
    int64_t id;
    struct client_txn_row *rows;
    struct db_completion *completion;
};

struct db_client {
    struct db up;
    char *remote; /* as it was given: all servers */
    struct server_choice *choice;
    char *database;
    char *lock;
    const struct tls_settings *tls_settings;
    struct tls_config *tls; /* NULL without "ssl:", and until its files can be read */
    struct jsonrpc *rpc;    /* NULL while 'retry' runs */
    struct loop_timer retry;

    /* Of the present connection; ids are -1 when nothing is outstanding. */
    int64_t self_schema_id, self_monitor_id; /* of "_Server" */
    int64_t lock_id, schema_id, monitor_id;
    bool is_chosen;              /* the server may be used */
    bool is_refused;             /* we hang up because it may not */
    size_t monitor_method;       /* index of 'monitor_methods' */
    struct ovsdb_schema *schema; /* between its reply and that of the monitor */
    bool is_monitoring;
    bool has_lock;
    bool is_contended;
    struct client_txn *txns; /* utlist */
};

static inline struct db_client *
client(const struct db *db)
{
    return (struct db_client *)db;
}

/* Of db_class. */
void client_transact(struct db *db, json_t *ops, struct db_completion *completion);

/* True if a transaction that is under way writes this column: the notification of what it did comes
 * ahead of its reply. */
bool client_txn_is_own(void *db, const struct uuid *row, const char *column);

/* The reply to a request that is no other one's. */
void client_txn_reply(struct db_client *db, const struct jsonrpc_msg *msg, int64_t id);

/* All that are under way are to be tried again. */
void client_txns_fail(struct db_client *db);

#endif /* ovsdb/db_client.h */
