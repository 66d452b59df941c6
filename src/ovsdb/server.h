// SPDX-License-Identifier: Apache-2.0
/*
 * server.h - the RFC 7047 server: its databases, its clients' sessions, its locks.  Everything runs
 * in the main thread's loop.
 *
 * Two databases: the one that the switch is about, with its journal, and "_Server", which describes
 * both to clients.  All changes go through ovsdb_server_commit(), whoever makes them.
 */
#ifndef OVSDB_SERVER_H
#define OVSDB_SERVER_H 1

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/loop.h"
#include "base/uuid.h"
#include "ovsdb/lock.h"
#include "ovsdb/row.h"
#include "ovsdb/txn.h"

struct ovsdb_error;
struct ovsdb_exec;
struct ovsdb_session;
struct ovsdb_store;

struct ovsdb_server_db {
    const char *name;
    struct ovsdb_database *db;
    struct ovsdb_store *store; /* NULL: "_Server" */
};

enum { OVSDB_SERVER_MAIN, OVSDB_SERVER_SELF, OVSDB_SERVER_N_DBS };

/* Called after a commit made outside of the daemon. */
typedef void ovsdb_server_change_fn(void *aux);

struct ovsdb_server {
    struct loop *loop;
    struct uuid id; /* of this run: get_server_id */
    struct ovsdb_server_db dbs[OVSDB_SERVER_N_DBS];
    struct ovsdb_locks locks;
    struct ovsdb_session *sessions; /* utlist */
    size_t n_sessions;
    ovsdb_server_change_fn *on_change; /* or NULL */
    void *on_change_aux;
};

/* Takes 'store'. */
struct ovsdb_server *ovsdb_server_create(struct loop *loop, struct ovsdb_store *store);
/* Closes all sessions first. */
void ovsdb_server_destroy(struct ovsdb_server *server);

/* NULL if there is no database of that name. */
struct ovsdb_server_db *ovsdb_server_find_db(struct ovsdb_server *server, const char *name);

/* Checks, writes and publishes a transaction on the database 'sdb'.  Takes 'txn'.  NULL means that
 * it is durable and its notifications are on their way; otherwise nothing has changed.
 * 'is_own' marks the switch's own write-backs, of which the bridge does not want to hear. */
struct ovsdb_error *ovsdb_server_commit(struct ovsdb_server *server, struct ovsdb_server_db *sdb,
                                        struct ovsdb_txn *txn, bool is_own);

/* Runs a transact request for somebody: fills 'exec' as ovsdb_exec() does, then commits.  Returns
 * the results, or NULL if it is blocked. */
json_t *ovsdb_server_transact(struct ovsdb_server *server, struct ovsdb_server_db *sdb,
                              struct ovsdb_exec *exec, const json_t *params, bool is_own);

/* The contents of "_Server", server_self.c. */
struct ovsdb_database *ovsdb_server_self_create(const struct ovsdb_server_db *main);

#endif /* ovsdb/server.h */
