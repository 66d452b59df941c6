// SPDX-License-Identifier: Apache-2.0
/*
 * db_client.c - the face of the database in which a stock ovsdb-server owns the data, see db.h: a
 * replica kept by monitoring, a lock; db_client_txn.c has its transactions.
 *
 * After each (re)connection: "lock" and "get_schema" at once; with the schema, "monitor_cond_since"
 * (or what older servers have in its place); its reply is the new replica.  Until then, and while
 * the server is away, the old one stays.  "set_db_change_aware" makes a server whose schema is
 * converted keep the session, and the lock with it: it says "monitor_canceled", and we begin again
 * with the schema.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "ovsdb/db_client.h"
#include "ovsdb/error.h"
#include "ovsdb/replica.h"

LOG_MODULE(ovsdb_client);

#define DEFAULT_PORT 6640
#define MAX_MESSAGE (256u << 20)
#define PROBE_MS 5000
#define RETRY_MS 2000
/* A local server sees at once that a connection is gone; over a network it probes, for 10 s. */
#define YIELD_LOCAL_MS 1000
#define YIELD_REMOTE_MS 15000
#define ZERO_TXN_ID "00000000-0000-0000-0000-000000000000"

/* From the newest to the oldest way of monitoring. */
static const char *const monitor_methods[] = {"monitor_cond_since", "monitor_cond", "monitor"};

static void connect_to_server(void *db_);
static void forget_connection(struct db_client *db);

/* Drops the connection after something that makes no sense, and tries anew a little later. */
static void
start_over(struct db_client *db)
{
    jsonrpc_destroy(db->rpc);
    db->rpc = NULL;
    forget_connection(db);
    loop_timer_once(&db->retry, db->up.loop, RETRY_MS, connect_to_server, db);
}

/* The lock. */

static void
request_lock(struct db_client *db)
{
    jsonrpc_send_request(db->rpc, "lock", json_pack("[s]", db->lock), &db->lock_id);
}

static void
set_lock(struct db_client *db, bool has_lock, bool is_contended)
{
    if (db->has_lock != has_lock || db->is_contended != is_contended) {
        db->has_lock = has_lock;
        db->is_contended = is_contended;
        db_changed(&db->up);
    }
}

static void
on_stolen(struct db_client *db)
{
    log_warn("%s: another client has stolen the lock \"%s\"", db->remote, db->lock);
    set_lock(db, false, true);
    /* A stolen lock must be given up before it can be asked for again. */
    jsonrpc_send_request(db->rpc, "unlock", json_pack("[s]", db->lock), NULL);
    request_lock(db);
}

/* Contents. */

static void
request_schema(struct db_client *db)
{
    jsonrpc_send_request(db->rpc, "get_schema", json_pack("[s]", db->database), &db->schema_id);
}

static void
request_monitor(struct db_client *db)
{
    json_t *params = json_pack("[s,[s,s],o]", db->database, "monid", db->database,
                               ovsdb_replica_requests(db->schema));

    if (db->monitor_method == 0) {
        json_array_append_new(params, json_string(ZERO_TXN_ID));
    }
    jsonrpc_send_request(db->rpc, monitor_methods[db->monitor_method], params, &db->monitor_id);
}

static void
on_schema(struct db_client *db, const json_t *json)
{
    static struct log_rate rl = LOG_RATE_INIT(1, 1);
    struct ovsdb_error *error;

    ovsdb_schema_destroy(db->schema);
    error = ovsdb_schema_from_json(json, &db->schema);
    if (error == NULL) {
        error = ovsdb_replica_check_schema(db->schema);
    }
    if (error != NULL) {
        char *text = ovsdb_error_take_text(error);

        log_err_rl(&rl, "%s: cannot use the server's schema: %s", db->remote, text);
        free(text);
        start_over(db);
        return;
    }
    db->monitor_method = 0;
    request_monitor(db);
}

/* Makes a new replica of the monitor's first reply. */
static void
on_initial(struct db_client *db, const json_t *result)
{
    const json_t *updates = db->monitor_method == 0 ? json_array_get(result, 2) : result;
    struct ovsdb_database *contents = ovsdb_database_create(db->schema);
    struct ovsdb_error *error;
    bool foreign;

    db->schema = NULL; /* the new contents own it */
    error = ovsdb_replica_apply(contents, updates, db->monitor_method == 2, db->up.seqno + 1, NULL,
                                NULL, &foreign);
    if (error != NULL) {
        char *text = ovsdb_error_take_text(error);

        log_err("%s: cannot use the server's contents: %s", db->remote, text);
        free(text);
        ovsdb_database_destroy(contents);
        start_over(db);
        return;
    }
    if (db->up.contents != NULL) {
        ovsdb_replica_keep_seqnos(contents, db->up.contents);
        ovsdb_database_destroy(db->up.contents);
    }
    db->up.contents = contents;
    db->is_monitoring = true;
    db_changed(&db->up);
}

static void
on_update(struct db_client *db, const json_t *updates, bool is_v1)
{
    struct ovsdb_error *error;
    bool foreign;

    if (!db->is_monitoring) {
        return;
    }
    error = ovsdb_replica_apply(db->up.contents, updates, is_v1, db->up.seqno + 1,
                                client_txn_is_own, db, &foreign);
    if (error != NULL) {
        char *text = ovsdb_error_take_text(error);

        log_err("%s: an update makes no sense: %s", db->remote, text);
        free(text);
        start_over(db);
    } else if (foreign) {
        db_changed(&db->up);
    }
}

/* The session. */

static void
on_failed_request(struct db_client *db, const struct jsonrpc_msg *msg, int64_t id)
{
    static struct log_rate rl = LOG_RATE_INIT(5, 5);
    const char *error = json_string_value(json_object_get(msg->error, "error"));

    if (id == db->monitor_id && db->monitor_method + 1 < ARRAY_SIZE(monitor_methods)) {
        db->monitor_method++; /* an older server */
        request_monitor(db);
    } else if (id == db->schema_id || id == db->monitor_id) {
        log_warn_rl(&rl, "%s: the server does not give us database %s: %s", db->remote,
                    db->database, error != NULL ? error : "unknown error");
        start_over(db);
    }
}

static void
on_reply(struct db_client *db, const struct jsonrpc_msg *msg)
{
    int64_t id = json_is_integer(msg->id) ? json_integer_value(msg->id) : -1;

    if (id < 0) {
        return;
    }
    if (db->txns != NULL && id != db->lock_id && id != db->schema_id && id != db->monitor_id) {
        client_txn_reply(db, msg, id);
    } else if (msg->type == JSONRPC_ERROR) {
        on_failed_request(db, msg, id);
    } else if (id == db->lock_id) {
        bool locked = json_is_true(json_object_get(msg->result, "locked"));

        db->lock_id = -1;
        set_lock(db, locked, !locked);
    } else if (id == db->schema_id) {
        db->schema_id = -1;
        on_schema(db, msg->result);
    } else if (id == db->monitor_id && db->schema != NULL) {
        db->monitor_id = -1;
        on_initial(db, msg->result);
    }
}

/* Of another schema from now on, or gone.  Transactions under way get their replies all the same.
 */
static void
on_canceled(struct db_client *db, const json_t *id)
{
    const char *name = json_string_value(json_array_get(id, 0));

    if (!db->is_monitoring || name == NULL || strcmp(name, "monid")) {
        return;
    }
    log_info("%s: database %s has changed, monitoring it anew", db->remote, db->database);
    db->is_monitoring = false;
    request_schema(db);
}

static void
on_notify(struct db_client *db, const struct jsonrpc_msg *msg)
{
    const char *name = json_string_value(json_array_get(msg->params, 0));
    bool is_our_lock = name != NULL && !strcmp(name, db->lock);

    if (!strcmp(msg->method, "update3")) {
        on_update(db, json_array_get(msg->params, 2), false);
    } else if (!strcmp(msg->method, "update2")) {
        on_update(db, json_array_get(msg->params, 1), false);
    } else if (!strcmp(msg->method, "update")) {
        on_update(db, json_array_get(msg->params, 1), true);
    } else if (!strcmp(msg->method, "monitor_canceled")) {
        on_canceled(db, json_array_get(msg->params, 0));
    } else if (!strcmp(msg->method, "locked") && is_our_lock) {
        set_lock(db, true, false);
    } else if (!strcmp(msg->method, "stolen") && is_our_lock) {
        on_stolen(db);
    }
}

static void
on_msg(struct jsonrpc *rpc, struct jsonrpc_msg *msg, void *db_)
{
    struct db_client *db = db_;

    if (msg->type == JSONRPC_REPLY || msg->type == JSONRPC_ERROR) {
        on_reply(db, msg);
    } else if (msg->type == JSONRPC_NOTIFY) {
        on_notify(db, msg);
    }
    jsonrpc_msg_destroy(msg);
}

static void
on_open(struct jsonrpc *rpc, void *db_)
{
    struct db_client *db = db_;

    log_info("%s: connected", db->remote);
    request_lock(db);
    request_schema(db);
    jsonrpc_send_request(rpc, "set_db_change_aware", json_pack("[b]", true), NULL);
}

static void
forget_connection(struct db_client *db)
{
    db->lock_id = db->schema_id = db->monitor_id = -1;
    db->is_monitoring = false;
    client_txns_fail(db);
    ovsdb_schema_destroy(db->schema);
    db->schema = NULL;
    set_lock(db, false, false);
}

static void
on_closed(struct jsonrpc *rpc, int error, const char *reason, void *db_)
{
    static struct log_rate rl = LOG_RATE_INIT(3, 3);
    struct db_client *db = db_;
    bool was_connected = db->is_monitoring || db->has_lock || db->is_contended;

    if (was_connected) {
        log_info("%s: connection lost (%s), going on with the last contents", db->remote, reason);
    } else if (error == EPROTO) {
        log_warn_rl(&rl, "%s: not connected: %s", db->remote, reason);
    } else {
        log_info_rl(&rl, "%s: not connected: %s", db->remote, reason);
    }
    forget_connection(db);
}

static const struct jsonrpc_callbacks callbacks = {
    .on_open = on_open,
    .on_msg = on_msg,
    .on_closed = on_closed,
};

static bool
is_local(const struct db_client *db)
{
    return !strncmp(db->remote, "unix:", 5);
}

static void
connect_to_server(void *db_)
{
    struct db_client *db = db_;
    struct reconnect_settings settings = {
        .name = db->remote,
        .default_port = DEFAULT_PORT,
        .tls = db->tls,
    };

    db->rpc = jsonrpc_create_reconnecting(db->up.loop, &settings, &callbacks, db);
    jsonrpc_set_max_size(db->rpc, MAX_MESSAGE);
    jsonrpc_set_probe_interval(db->rpc, is_local(db) ? 0 : PROBE_MS);
}

/* The interface. */

static bool
client_is_ready(const struct db *db)
{
    return db->contents != NULL;
}

static bool
client_has_lock(const struct db *db)
{
    return client(db)->has_lock;
}

static bool
client_is_lock_contended(const struct db *db)
{
    return client(db)->is_contended;
}

static int
client_yield_ms(const struct db *db)
{
    return is_local(client(db)) ? YIELD_LOCAL_MS : YIELD_REMOTE_MS;
}

static char *
client_describe(const struct db *db)
{
    const struct db_client *c = client(db);

    return xasprintf("%s: %s", c->remote,
                     c->is_monitoring                            ? "connected"
                     : c->rpc != NULL && jsonrpc_is_open(c->rpc) ? "fetching the contents"
                                                                 : "not connected");
}

static void
client_close(struct db *db_)
{
    struct db_client *db = client(db_);

    loop_timer_stop(&db->retry);
    jsonrpc_destroy_flushed(db->rpc);
    client_txns_fail(db);
    db_fini(&db->up);
    ovsdb_database_destroy(db->up.contents);
    ovsdb_schema_destroy(db->schema);
    tls_config_unref(db->tls);
    free(db->remote);
    free(db->database);
    free(db->lock);
    free(db);
}

static const struct db_class client_class = {
    .close = client_close,
    .is_ready = client_is_ready,
    .has_lock = client_has_lock,
    .is_lock_contended = client_is_lock_contended,
    .yield_ms = client_yield_ms,
    .transact = client_transact,
    .describe = client_describe,
};

/* Makes the TLS settings of an "ssl:" remote; '*tls' NULL for others. */
static int
make_tls(const struct db_client_cfg *cfg, struct tls_config **tls, char **error)
{
    *tls = NULL;
    if (strncmp(cfg->remote, "ssl:", 4)) {
        return 0;
    }
    if (cfg->tls == NULL || cfg->tls->private_key_file == NULL ||
        cfg->tls->certificate_file == NULL) {
        *error = xasprintf("%s: needs a private key and a certificate", cfg->remote);
        return -EINVAL;
    }
    *tls = tls_config_create(cfg->tls, error);
    return *tls != NULL ? 0 : -EINVAL;
}

int
db_open_client(const struct db_client_cfg *cfg, struct db **dbp, char **error)
{
    struct tls_config *tls;
    int result;

    *dbp = NULL;
    *error = stream_name_check(cfg->remote);
    if (*error != NULL || !stream_name_is_active(cfg->remote)) {
        *error = *error != NULL ? *error
                                : xasprintf("%s: is not of the form unix:FILE, tcp:IP:PORT or "
                                            "ssl:IP:PORT",
                                            cfg->remote);
        return -EINVAL;
    }
    result = make_tls(cfg, &tls, error);
    if (result) {
        return result;
    }

    struct db_client *db = xzalloc(sizeof *db);
    db_init(&db->up, &client_class, cfg->loop);
    db->remote = xstrdup(cfg->remote);
    db->database = xstrdup(cfg->database != NULL ? cfg->database : "Open_vSwitch");
    db->lock = xstrdup(cfg->lock != NULL ? cfg->lock : "ovs_vswitchd");
    db->tls = tls;
    db->lock_id = db->schema_id = db->monitor_id = -1;
    connect_to_server(db);
    *dbp = &db->up;
    return 0;
}
