// SPDX-License-Identifier: Apache-2.0
/*
 * db_embedded.c - the face of the database in which this process is the server: journal, server and
 * remotes put together, see db.h.  The switch holds the lock "ovs_vswitchd" like any other client
 * would, so that a stock ovs-vswitchd pointed at this server idles; when somebody steals the lock
 * the switch idles until it is given back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/dirs.h"
#include "base/log.h"
#include "base/util.h"
#include "ovsdb/builtin_schema.h"
#include "ovsdb/db_ctl.h"
#include "ovsdb/db_priv.h"
#include "ovsdb/error.h"
#include "ovsdb/exec.h"
#include "ovsdb/os_release.h"
#include "ovsdb/remote.h"
#include "ovsdb/server.h"
#include "ovsdb/session.h"
#include "ovsdb/store.h"

LOG_MODULE(ovsdb_db);

#define SWITCH_LOCK "ovs_vswitchd"

struct db_embedded {
    struct db up;
    struct ovsdb_server *server;
    struct ovsdb_remotes *remotes;
    struct ovsdb_lock_waiter *lock;
};

static struct db_embedded *
embedded(const struct db *db)
{
    return (struct db_embedded *)db;
}

/* Changes and locks. */

static void
refresh_remotes(void *db_)
{
    struct db_embedded *db = db_;

    if (db->remotes != NULL) {
        ovsdb_remotes_refresh(db->remotes);
    }
}

static void
on_change(void *db_)
{
    struct db_embedded *db = db_;

    db_changed(&db->up);
    loop_defer(db->up.loop, refresh_remotes, db);
}

static void acquire_lock(struct db_embedded *db);

static void
ask_for_lock(void *db_)
{
    acquire_lock(db_);
}

static void
on_lock(void *db_, const char *name, bool is_stolen)
{
    struct db_embedded *db = db_;

    if (is_stolen) {
        log_warn("a client has stolen the lock \"%s\": configuration changes wait until it gives "
                 "the lock back",
                 name);
        /* Not from within the theft: the queue is being changed. */
        loop_defer(db->up.loop, ask_for_lock, db);
    } else {
        log_info("holding the lock \"%s\" again", name);
    }
    db_changed(&db->up);
}

static void
acquire_lock(struct db_embedded *db)
{
    if (db->lock != NULL) {
        ovsdb_lock_release(&db->server->locks, db->lock);
    }
    db->lock = ovsdb_lock_acquire(&db->server->locks, SWITCH_LOCK, false, on_lock, db);
}

static bool
embedded_has_lock(const struct db *db)
{
    return embedded(db)->lock != NULL && ovsdb_lock_is_owner(embedded(db)->lock);
}

static bool
embedded_is_lock_contended(const struct db *db)
{
    return !embedded_has_lock(db);
}

static bool
embedded_is_ready(const struct db *db)
{
    return true;
}

/* Transactions. */

/* The first error among the results; a new string, or NULL. */
static char *
find_error(const json_t *results)
{
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *result = json_array_get(results, i);
        const char *error = json_string_value(json_object_get(result, "error"));
        const char *details = json_string_value(json_object_get(result, "details"));

        if (error != NULL) {
            return xasprintf("%s: %s", error, details != NULL ? details : "");
        }
    }
    return NULL;
}

static void
embedded_transact(struct db *db, json_t *ops, struct db_completion *completion)
{
    struct ovsdb_server_db *sdb = &embedded(db)->server->dbs[OVSDB_SERVER_MAIN];
    struct ovsdb_exec exec = {.elapsed_ms = 0};
    char *error;

    json_array_insert_new(ops, 0, json_string(sdb->name));
    json_t *results = ovsdb_server_transact(embedded(db)->server, sdb, &exec, ops, true);
    error = find_error(results);
    db_complete(db, completion, error != NULL ? DB_TXN_ERROR : DB_TXN_SUCCESS, error);
    json_decref(results);
    json_decref(ops);
}

static int
embedded_execute(struct db *db, json_t *ops, char **error)
{
    struct ovsdb_server_db *sdb = &embedded(db)->server->dbs[OVSDB_SERVER_MAIN];
    struct ovsdb_exec exec = {.elapsed_ms = 0};

    json_array_insert_new(ops, 0, json_string(sdb->name));
    json_t *results = ovsdb_server_transact(embedded(db)->server, sdb, &exec, ops, true);
    *error = find_error(results);
    json_decref(results);
    json_decref(ops);
    return *error != NULL ? -EINVAL : 0;
}

static char *
embedded_describe(const struct db *db)
{
    return xasprintf("embedded, %s",
                     ovsdb_store_path(embedded(db)->server->dbs[OVSDB_SERVER_MAIN].store));
}

/* The one row of Open_vSwitch. */

static void
put_pair(json_t *map, const char *key, const char *value)
{
    json_array_append_new(json_array_get(map, 1), json_pack("[s,s]", key, value));
}

/* What `ovs-vsctl init` and ovs-ctl write into a new database. */
static json_t *
new_root_row(const struct db_embedded *db, const char *ovs_version)
{
    const char *db_version = db->up.contents->schema->version;
    char host[256] = "", system_id[UUID_LEN + 1], *type, *version;
    json_t *ids = json_pack("[s,[]]", "map");
    struct uuid uuid;

    uuid_generate(&uuid);
    uuid_format(&uuid, system_id);
    put_pair(ids, "system-id", system_id);
    put_pair(ids, "rundir", dirs_run());
    if (!gethostname(host, sizeof host - 1) && host[0] != '\0') {
        put_pair(ids, "hostname", host);
    }
    ovsdb_read_os_release(&type, &version);
    json_t *row =
        json_pack("{s:o, s:s, s:s, s:s, s:s}", "external_ids", ids, "db_version", db_version,
                  "ovs_version", ovs_version, "system_type", type, "system_version", version);
    free(type);
    free(version);
    return row;
}

static char *
ensure_root_row(struct db_embedded *db, const char *ovs_version)
{
    struct ovsdb_server_db *sdb = &db->server->dbs[OVSDB_SERVER_MAIN];
    const struct db_row *row = db_first(&db->up, "Open_vSwitch");
    struct ovsdb_exec exec = {.elapsed_ms = 0};
    json_t *op;

    ovs_version = ovs_version != NULL ? ovs_version : COMPAT_VERSION;
    if (row == NULL) {
        op = json_pack("{s:s, s:s, s:o}", "op", "insert", "table", "Open_vSwitch", "row",
                       new_root_row(db, ovs_version));
    } else {
        op = json_pack("{s:s, s:s, s:[], s:{s:s, s:s}}", "op", "update", "table", "Open_vSwitch",
                       "where", "row", "db_version", db->up.contents->schema->version,
                       "ovs_version", ovs_version);
    }
    json_t *params = json_pack("[s,o,{s:s, s:s}]", sdb->name, op, "op", "comment", "comment",
                               "start of the switch");
    json_t *results = ovsdb_server_transact(db->server, sdb, &exec, params, true);
    char *error = find_error(results);
    json_decref(results);
    json_decref(params);
    return error;
}

/* Opening and closing. */

static void
embedded_close(struct db *db_)
{
    struct db_embedded *db = embedded(db_);

    loop_cancel(db->up.loop, refresh_remotes, db);
    loop_cancel(db->up.loop, ask_for_lock, db);
    ovsdb_remotes_destroy(db->remotes);
    if (db->server != NULL) {
        db_ctl_unregister_server(db->server);
        ovsdb_session_destroy_all(db->server, NULL);
        if (db->lock != NULL) {
            ovsdb_lock_release(&db->server->locks, db->lock);
        }
        ovsdb_server_destroy(db->server);
    }
    db_fini(&db->up);
    free(db);
}

static const struct db_class embedded_class = {
    .close = embedded_close,
    .is_ready = embedded_is_ready,
    .has_lock = embedded_has_lock,
    .is_lock_contended = embedded_is_lock_contended,
    .transact = embedded_transact,
    .execute = embedded_execute,
    .describe = embedded_describe,
};

static int
load_schema(const char *path, struct ovsdb_schema **schemap, char **error)
{
    struct ovsdb_error *e = path != NULL ? ovsdb_schema_from_file(path, schemap)
                                         : ovsdb_schema_from_text(ovsdb_builtin_schema, schemap);

    if (e != NULL) {
        *error = ovsdb_error_take_text(e);
        return -EINVAL;
    }
    return 0;
}

static int
open_server(struct db_embedded *db, const struct db_embedded_cfg *cfg, char **error)
{
    struct ovsdb_schema *schema;
    struct ovsdb_store *store = NULL;
    int result = load_schema(cfg->schema_path, &schema, error);

    if (!result) {
        result = ovsdb_store_open(cfg->journal_path, schema, &store, error);
        ovsdb_schema_destroy(schema);
    }
    if (result) {
        return result;
    }
    db->server = ovsdb_server_create(cfg->loop, store);
    db->server->on_change = on_change;
    db->server->on_change_aux = db;
    db->up.contents = ovsdb_store_db(store);
    acquire_lock(db);
    db_ctl_register_server(db->server);
    return 0;
}

int
db_open_embedded(const struct db_embedded_cfg *cfg, struct db **dbp, char **error)
{
    struct ovsdb_tls_files tls = {cfg->private_key, cfg->certificate, cfg->ca_cert};
    struct db_embedded *db = xzalloc(sizeof *db);
    int result;

    *dbp = NULL;
    *error = NULL;
    db_init(&db->up, &embedded_class, cfg->loop);
    result = open_server(db, cfg, error);
    if (!result && db_has_column(&db->up, "Open_vSwitch", "ovs_version")) {
        *error = ensure_root_row(db, cfg->ovs_version);
        if (*error != NULL) {
            result = -EIO;
        }
    }
    if (!result) {
        result = ovsdb_remotes_create(db->server, cfg->remotes, cfg->n_remotes, &tls, &db->remotes,
                                      error);
    }
    if (result) {
        embedded_close(&db->up);
        return result;
    }
    db_changed(&db->up);
    *dbp = &db->up;
    return 0;
}
