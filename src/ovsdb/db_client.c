// SPDX-License-Identifier: Apache-2.0
/*
 * db_client.c - the face of the database in which a stock ovsdb-server owns the data, see db.h: a
 * replica kept by monitoring, a lock; db_client_txn.c has its transactions.
 *
 * After each (re)connection the server's "_Server" database is asked whether it is one to rely on
 * (server_choice.h); old servers have none, and are.  Then "lock" and "get_schema"; with the
 * schema, "monitor_cond_since" (or what older servers have in its place); its reply is the new
 * replica.  Until then, and while the server is away, the old one stays.  "set_db_change_aware"
 * makes a server whose schema is converted keep the session, and the lock with it: it says
 * "monitor_canceled", and we begin again with the schema.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "ovsdb/db_client.h"
#include "ovsdb/error.h"
#include "ovsdb/replica.h"
#include "ovsdb/server_choice.h"

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

/* The one of the servers that we talk to, or last tried to. */
static const char *
server_name(const struct db_client *db)
{
    return db->rpc != NULL ? reconnect_name(jsonrpc_reconnect(db->rpc)) : db->remote;
}

/* Drops the connection after something that makes no sense, and tries anew a little later. */
static void
start_over(struct db_client *db)
{
    jsonrpc_destroy(db->rpc);
    db->rpc = NULL;
    forget_connection(db);
    loop_timer_once(&db->retry, db->up.loop, RETRY_MS, connect_to_server, db);
}

/* The server. */

static void
request_self(struct db_client *db)
{
    jsonrpc_send_request(db->rpc, "get_schema", json_pack("[s]", "_Server"), &db->self_schema_id);
}

static void request_lock(struct db_client *db);
static void request_schema(struct db_client *db);

/* What the server says of itself is known, or will not be. */
static void
on_verdict(struct db_client *db, const char *why_not)
{
    if (why_not != NULL) {
        db->is_refused = true;
        jsonrpc_refuse(db->rpc, why_not);
        db->is_refused = false;
    } else if (!db->is_chosen) {
        db->is_chosen = true;
        request_lock(db);
        request_schema(db);
    }
}

static void
on_self_schema(struct db_client *db, const json_t *schema)
{
    json_t *params = server_choice_request(db->choice, schema);

    if (params != NULL) {
        jsonrpc_send_request(db->rpc, "monitor_cond", params, &db->self_monitor_id);
    } else {
        on_verdict(db, NULL);
    }
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
    log_warn("%s: another client has stolen the lock \"%s\"", server_name(db), db->lock);
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

        log_err_rl(&rl, "%s: cannot use the server's schema: %s", server_name(db), text);
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

        log_err("%s: cannot use the server's contents: %s", server_name(db), text);
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

        log_err("%s: an update makes no sense: %s", server_name(db), text);
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

    if (id == db->self_schema_id || id == db->self_monitor_id) {
        server_choice_reset(db->choice); /* an older server */
        on_verdict(db, NULL);
    } else if (id == db->monitor_id && db->monitor_method + 1 < ARRAY_SIZE(monitor_methods)) {
        db->monitor_method++; /* an older server */
        request_monitor(db);
    } else if (id == db->schema_id || id == db->monitor_id) {
        log_warn_rl(&rl, "%s: the server does not give us database %s: %s", server_name(db),
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
    } else if (id == db->self_schema_id) {
        db->self_schema_id = -1;
        on_self_schema(db, msg->result);
    } else if (id == db->self_monitor_id) {
        db->self_monitor_id = -1;
        on_verdict(db, server_choice_update(db->choice, msg->result));
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

/* True for the id of our monitor of 'database'. */
static bool
is_monitor_of(const json_t *id, const char *database)
{
    const char *kind = json_string_value(json_array_get(id, 0));
    const char *name = json_string_value(json_array_get(id, 1));

    return kind != NULL && name != NULL && !strcmp(kind, "monid") && !strcmp(name, database);
}

/* Of another schema from now on, or gone.  Transactions under way get their replies all the same.
 */
static void
on_canceled(struct db_client *db, const json_t *id)
{
    if (!db->is_monitoring || !is_monitor_of(id, db->database)) {
        return;
    }
    log_info("%s: database %s has changed, monitoring it anew", server_name(db), db->database);
    db->is_monitoring = false;
    request_schema(db);
}

static void
on_notify(struct db_client *db, const struct jsonrpc_msg *msg)
{
    const char *name = json_string_value(json_array_get(msg->params, 0));
    bool is_our_lock = name != NULL && !strcmp(name, db->lock);

    if (!strcmp(msg->method, "update2") &&
        is_monitor_of(json_array_get(msg->params, 0), "_Server")) {
        on_verdict(db, server_choice_update(db->choice, json_array_get(msg->params, 1)));
    } else if (!strcmp(msg->method, "update3")) {
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

    log_info("%s: connected", server_name(db));
    server_choice_reset(db->choice);
    request_self(db);
    jsonrpc_send_request(rpc, "set_db_change_aware", json_pack("[b]", true), NULL);
}

static void
forget_connection(struct db_client *db)
{
    db->self_schema_id = db->self_monitor_id = -1;
    db->lock_id = db->schema_id = db->monitor_id = -1;
    db->is_chosen = false;
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
        log_info("%s: connection lost (%s), going on with the last contents", server_name(db),
                 reason);
    } else if (error == EPROTO && !db->is_refused) {
        log_warn_rl(&rl, "%s: not connected: %s", server_name(db), reason);
    } else {
        log_info_rl(&rl, "%s: not connected: %s", server_name(db), reason);
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
    return server_choice_is_all(db->choice, "unix:");
}

/* Makes the TLS settings if "ssl:" needs them.  Their files may come later. */
static bool
make_tls(struct db_client *db)
{
    static struct log_rate rl = LOG_RATE_INIT(1, 1);
    char *error;

    if (db->tls != NULL || !server_choice_has(db->choice, "ssl:")) {
        return true;
    }
    db->tls = tls_config_create(db->tls_settings, &error);
    if (db->tls == NULL) {
        log_err_rl(&rl, "%s: %s", db->remote, error);
        free(error);
    }
    return db->tls != NULL;
}

static void
connect_to_server(void *db_)
{
    struct db_client *db = db_;

    if (!make_tls(db)) {
        loop_timer_once(&db->retry, db->up.loop, RETRY_MS, connect_to_server, db);
        return;
    }
    struct reconnect_settings settings = {
        .name = db->remote, .default_port = DEFAULT_PORT, .tls = db->tls, .is_vital = true};
    settings.names = server_choice_names(db->choice, &settings.n_names);
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

    return xasprintf("%s: %s", server_name(c),
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
    server_choice_destroy(db->choice);
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

static struct server_choice *
parse_remote(const struct db_client_cfg *cfg, const char *database, char **error)
{
    struct server_choice *choice = server_choice_create(cfg->remote, database, error);

    /* They cannot come later. */
    if (choice != NULL && server_choice_has(choice, "ssl:") &&
        (cfg->tls == NULL || cfg->tls->private_key_file == NULL ||
         cfg->tls->certificate_file == NULL || cfg->tls->ca_cert_file == NULL)) {
        *error = xasprintf("%s: needs a private key, a certificate and a CA certificate "
                           "(--private-key, --certificate, --ca-cert)",
                           cfg->remote);
        server_choice_destroy(choice);
        choice = NULL;
    }
    return choice;
}

char *
db_client_check(const char *remote)
{
    char *error;

    server_choice_destroy(server_choice_create(remote, "", &error));
    return error;
}

int
db_open_client(const struct db_client_cfg *cfg, struct db **dbp, char **error)
{
    const char *database = cfg->database != NULL ? cfg->database : "Open_vSwitch";
    struct server_choice *choice = parse_remote(cfg, database, error);

    *dbp = NULL;
    if (choice == NULL) {
        return -EINVAL;
    }

    struct db_client *db = xzalloc(sizeof *db);
    db_init(&db->up, &client_class, cfg->loop);
    db->remote = xstrdup(cfg->remote);
    db->choice = choice;
    db->database = xstrdup(database);
    db->lock = xstrdup(cfg->lock != NULL ? cfg->lock : "ovs_vswitchd");
    db->tls_settings = cfg->tls;
    forget_connection(db);
    connect_to_server(db);
    *dbp = &db->up;
    return 0;
}
