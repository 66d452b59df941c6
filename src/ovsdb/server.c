// SPDX-License-Identifier: Apache-2.0
/*
 * server.c - commits transactions and tells everybody, see server.h.
 */
#include "ovsdb/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/exec.h"
#include "ovsdb/session.h"
#include "ovsdb/store.h"

LOG_MODULE(ovsdb_server);

struct ovsdb_server *
ovsdb_server_create(struct loop *loop, struct ovsdb_store *store)
{
    struct ovsdb_server *server = xzalloc(sizeof *server);
    struct ovsdb_server_db *main = &server->dbs[OVSDB_SERVER_MAIN];
    struct ovsdb_server_db *self = &server->dbs[OVSDB_SERVER_SELF];

    server->loop = loop;
    uuid_generate(&server->id);
    main->store = store;
    main->db = ovsdb_store_db(store);
    main->name = main->db->schema->name;
    self->db = ovsdb_server_self_create(main);
    self->name = self->db->schema->name;
    return server;
}

static void
retry(void *server_)
{
    ovsdb_session_retry_all(server_);
}

void
ovsdb_server_destroy(struct ovsdb_server *server)
{
    if (server != NULL) {
        ovsdb_session_destroy_all(server, NULL);
        loop_cancel(server->loop, retry, server);
        ovsdb_database_destroy(server->dbs[OVSDB_SERVER_SELF].db);
        ovsdb_store_close(server->dbs[OVSDB_SERVER_MAIN].store);
        free(server);
    }
}

struct ovsdb_server_db *
ovsdb_server_find_db(struct ovsdb_server *server, const char *name)
{
    for (size_t i = 0; i < OVSDB_SERVER_N_DBS; i++) {
        if (!strcmp(server->dbs[i].name, name)) {
            return &server->dbs[i];
        }
    }
    return NULL;
}

struct ovsdb_error *
ovsdb_server_commit(struct ovsdb_server *server, struct ovsdb_server_db *sdb, struct ovsdb_txn *txn,
                    bool is_own)
{
    struct ovsdb_error *error = ovsdb_txn_precommit(txn);

    if (error == NULL && sdb->store != NULL) {
        error = ovsdb_store_write(sdb->store, txn);
    }
    if (error != NULL) {
        ovsdb_txn_abort(txn);
        return error;
    }
    if (!ovsdb_txn_is_changed(txn)) {
        ovsdb_txn_commit(txn, 0);
        return NULL;
    }
    ovsdb_session_publish(server, txn);
    if (!is_own) {
        sdb->db->seqno++;
    }
    ovsdb_txn_commit(txn, is_own ? 0 : sdb->db->seqno);
    if (sdb->store != NULL) {
        ovsdb_store_compact_if_due(sdb->store);
    }
    loop_defer(server->loop, retry, server);
    if (!is_own && server->on_change != NULL) {
        server->on_change(server->on_change_aux);
    }
    return NULL;
}

json_t *
ovsdb_server_transact(struct ovsdb_server *server, struct ovsdb_server_db *sdb,
                      struct ovsdb_exec *exec, const json_t *params, bool is_own)
{
    exec->db = sdb->db;
    exec->is_read_only = sdb->store == NULL;
    ovsdb_exec(exec, params);
    if (exec->txn != NULL) {
        struct ovsdb_error *error = ovsdb_server_commit(server, sdb, exec->txn, is_own);

        exec->txn = NULL;
        if (error != NULL) {
            ovsdb_exec_append_error(exec->results, error);
        }
    }
    return exec->results;
}
