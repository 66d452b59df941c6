// SPDX-License-Identifier: Apache-2.0
/*
 * session.c - a client's connection: dispatches its requests, keeps its waiting transactions, see
 * session.h.  Everything that arrives here is hostile; rpc/jsonrpc.h has checked only its form.
 */
#include "ovsdb/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "ovsdb/error.h"
#include "ovsdb/exec.h"
#include "ovsdb/session_priv.h"
#include "ovsdb/store.h"
#include "rpc/stream.h"

LOG_MODULE(ovsdb_session);

/* A request for more than this is no request; what a client does not read beyond this ends its
 * session. */
#define MAX_MESSAGE (32u << 20)
#define MAX_BACKLOG (64u << 20)

/* Small requests. */

struct ovsdb_error *
session_find_db(struct ovsdb_session *session, const json_t *params, struct ovsdb_server_db **sdbp)
{
    const char *name = json_string_value(json_array_get(params, 0));

    if (name == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, params, "database name expected as first parameter");
    }
    *sdbp = ovsdb_server_find_db(session->server, name);
    if (*sdbp == NULL) {
        return ovsdb_error_at(OVSDB_E_NO_DATABASE, params, "unknown database %.64s", name);
    }
    return NULL;
}

static struct ovsdb_error *
list_dbs(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    *result = json_array();
    for (size_t i = 0; i < OVSDB_SERVER_N_DBS; i++) {
        json_array_append_new(*result, json_string(session->server->dbs[i].name));
    }
    return NULL;
}

static struct ovsdb_error *
get_schema(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    struct ovsdb_server_db *sdb;
    struct ovsdb_error *error = session_find_db(session, params, &sdb);

    if (error == NULL) {
        *result = ovsdb_schema_to_json(sdb->db->schema);
    }
    return error;
}

static struct ovsdb_error *
get_server_id(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    char text[UUID_LEN + 1];

    uuid_format(&session->server->id, text);
    *result = json_string(text);
    return NULL;
}

static struct ovsdb_error *
set_db_change_aware(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    if (json_array_size(params) != 1 || !json_is_boolean(json_array_get(params, 0))) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, params, "[<boolean>] expected");
    }
    /* Databases neither come nor go while the server runs: nobody needs to be told. */
    *result = json_object();
    return NULL;
}

static struct ovsdb_error *
convert(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    return ovsdb_error_create(OVSDB_E_NOT_SUPPORTED,
                              "the schema is part of the switch and changes with its version only");
}

/* Transactions. */

static void
pending_destroy(struct session_pending *pending)
{
    struct ovsdb_session *session = pending->session;

    loop_timer_stop(&pending->timer);
    DL_DELETE(session->pending, pending);
    session->n_pending--;
    json_decref(pending->id);
    json_decref(pending->params);
    free(pending);
}

/* Runs a transaction; its results, or NULL and the time after which to try again at the latest. */
static json_t *
run(struct ovsdb_session *session, struct ovsdb_server_db *sdb, const json_t *params,
    int64_t began_ms, int64_t *timeout_ms)
{
    struct ovsdb_exec exec = {
        .elapsed_ms = clock_now_ms() - began_ms,
        .has_lock = session_has_lock,
        .aux = session,
    };
    json_t *results = ovsdb_server_transact(session->server, sdb, &exec, params, false);

    *timeout_ms = exec.timeout_ms;
    return results;
}

static void pending_expired(void *pending_);

static void
pending_arm(struct session_pending *pending, int64_t timeout_ms)
{
    if (timeout_ms != INT64_MAX) {
        int64_t left = pending->began_ms + timeout_ms - clock_now_ms();

        loop_timer_once(&pending->timer, pending->session->server->loop, MAX(left, 1),
                        pending_expired, pending);
    }
}

static void
pending_retry(struct session_pending *pending)
{
    struct ovsdb_session *session = pending->session;
    int64_t timeout_ms;
    json_t *results = run(session, pending->sdb, pending->params, pending->began_ms, &timeout_ms);

    if (results != NULL) {
        jsonrpc_send_reply(session->rpc, results, pending->id);
        pending_destroy(pending);
    } else {
        pending_arm(pending, timeout_ms);
    }
}

static void
pending_expired(void *pending_)
{
    pending_retry(pending_);
}

void
ovsdb_session_retry_all(struct ovsdb_server *server)
{
    struct ovsdb_session *session;

    DL_FOREACH (server->sessions, session) {
        struct session_pending *pending, *next;

        DL_FOREACH_SAFE (session->pending, pending, next) {
            pending_retry(pending);
        }
    }
}

static void
transact(struct ovsdb_session *session, const struct jsonrpc_msg *msg)
{
    int64_t now = clock_now_ms(), timeout_ms;
    struct ovsdb_server_db *sdb;
    struct ovsdb_error *error = session_find_db(session, msg->params, &sdb);
    json_t *results = NULL;

    if (error == NULL) {
        results = run(session, sdb, msg->params, now, &timeout_ms);
        if (results == NULL && session->n_pending >= SESSION_MAX_PENDING) {
            error = ovsdb_error_create(OVSDB_E_RESOURCES, "too many waiting transactions");
        }
    }
    if (error != NULL) {
        jsonrpc_send_error(session->rpc, ovsdb_error_to_json(error), msg->id);
        ovsdb_error_free(error);
    } else if (results != NULL) {
        jsonrpc_send_reply(session->rpc, results, msg->id);
    } else {
        struct session_pending *pending = xzalloc(sizeof *pending);

        pending->session = session;
        pending->sdb = sdb;
        pending->id = json_incref(msg->id);
        pending->params = json_incref(msg->params);
        pending->began_ms = now;
        DL_APPEND(session->pending, pending);
        session->n_pending++;
        pending_arm(pending, timeout_ms);
    }
}

/* Notification "cancel": [ID] of a waiting transaction (RFC 7047 paragraph 4.1.4). */
static void
cancel(struct ovsdb_session *session, const json_t *params)
{
    const json_t *id = json_array_get(params, 0);
    struct session_pending *pending, *next;

    DL_FOREACH_SAFE (session->pending, pending, next) {
        if (id != NULL && json_equal(id, pending->id)) {
            jsonrpc_send_error(session->rpc, json_string(OVSDB_E_CANCELED), pending->id);
            pending_destroy(pending);
            return;
        }
    }
}

/* Dispatch. */

static const struct {
    const char *name;
    session_handler *handler;
} methods[] = {
    {"list_dbs", list_dbs},
    {"get_schema", get_schema},
    {"get_server_id", get_server_id},
    {"set_db_change_aware", set_db_change_aware},
    {"convert", convert},
    {"monitor", session_monitor_v1},
    {"monitor_cond", session_monitor_cond},
    {"monitor_cond_since", session_monitor_cond_since},
    {"monitor_cond_change", session_monitor_cond_change},
    {"monitor_cancel", session_monitor_cancel},
    {"lock", session_lock},
    {"steal", session_steal},
    {"unlock", session_unlock},
};

static void
handle_request(struct ovsdb_session *session, const struct jsonrpc_msg *msg)
{
    struct ovsdb_error *error;
    json_t *result = NULL;
    size_t i = 0;

    if (!strcmp(msg->method, "transact")) {
        transact(session, msg);
        return;
    }
    while (i < ARRAY_SIZE(methods) && strcmp(methods[i].name, msg->method)) {
        i++;
    }
    error = i < ARRAY_SIZE(methods) ? methods[i].handler(session, msg->params, &result)
                                    : ovsdb_error_create("unknown method", "%.64s", msg->method);
    if (error != NULL) {
        jsonrpc_send_error(session->rpc, ovsdb_error_to_json(error), msg->id);
        ovsdb_error_free(error);
    } else {
        jsonrpc_send_reply(session->rpc, result, msg->id);
    }
}

static void
on_msg(struct jsonrpc *rpc, struct jsonrpc_msg *msg, void *session_)
{
    struct ovsdb_session *session = session_;

    if (msg->type == JSONRPC_REQUEST) {
        handle_request(session, msg);
    } else if (msg->type != JSONRPC_NOTIFY) {
        jsonrpc_refuse(rpc, "unexpected reply");
    } else if (!strcmp(msg->method, "cancel")) {
        cancel(session, msg->params);
    }
    jsonrpc_msg_destroy(msg);
}

/* Coming and going. */

static void
forget(struct ovsdb_session *session)
{
    while (session->pending != NULL) {
        pending_destroy(session->pending);
    }
    session_destroy_monitors(session);
    session_destroy_locks(session);
    session->opened_ms = -1;
}

static void
on_open(struct jsonrpc *rpc, void *session_)
{
    struct ovsdb_session *session = session_;

    session->opened_ms = clock_now_ms();
    log_dbg("%s: connected", jsonrpc_name(rpc));
}

static void
on_closed(struct jsonrpc *rpc, int error, const char *reason, void *session_)
{
    static struct log_rate rl = LOG_RATE_INIT(10, 10);
    struct ovsdb_session *session = session_;

    if (error) {
        log_info_rl(&rl, "%s: connection ended: %s", jsonrpc_name(rpc), reason);
    }
    if (session->is_reconnecting) {
        forget(session);
    } else {
        ovsdb_session_destroy(session);
    }
}

static const struct jsonrpc_callbacks callbacks = {
    .on_open = on_open,
    .on_msg = on_msg,
    .on_closed = on_closed,
};

static struct ovsdb_session *
session_create(struct ovsdb_server *server, const void *owner)
{
    struct ovsdb_session *session = xzalloc(sizeof *session);

    session->server = server;
    session->owner = owner;
    session->opened_ms = -1;
    DL_APPEND(server->sessions, session);
    server->n_sessions++;
    return session;
}

static void
session_set_limits(struct ovsdb_session *session, int64_t probe_ms)
{
    jsonrpc_set_max_size(session->rpc, MAX_MESSAGE);
    jsonrpc_set_backlog_limit(session->rpc, MAX_BACKLOG);
    jsonrpc_set_probe_interval(session->rpc, probe_ms);
}

void
ovsdb_session_accept(struct ovsdb_server *server, struct stream *stream, int64_t probe_ms,
                     const void *owner)
{
    static struct log_rate rl = LOG_RATE_INIT(2, 2);

    if (server->n_sessions >= OVSDB_MAX_SESSIONS) {
        log_warn_rl(&rl, "%s: refused, %d clients are connected", stream_name(stream),
                    OVSDB_MAX_SESSIONS);
        stream_close(stream);
        return;
    }

    struct ovsdb_session *session = session_create(server, owner);
    session->rpc = jsonrpc_create(stream, &callbacks, session);
    session->opened_ms = clock_now_ms();
    session_set_limits(session, probe_ms);
}

struct ovsdb_session *
ovsdb_session_connect(struct ovsdb_server *server, const struct reconnect_settings *settings,
                      int64_t probe_ms, const void *owner)
{
    struct ovsdb_session *session = session_create(server, owner);

    session->is_reconnecting = true;
    session->rpc = jsonrpc_create_reconnecting(server->loop, settings, &callbacks, session);
    session_set_limits(session, probe_ms);
    return session;
}

void
ovsdb_session_destroy(struct ovsdb_session *session)
{
    if (session != NULL) {
        /* First out of the list: locks notify others. */
        DL_DELETE(session->server->sessions, session);
        session->server->n_sessions--;
        forget(session);
        jsonrpc_destroy(session->rpc);
        free(session);
    }
}

void
ovsdb_session_destroy_all(struct ovsdb_server *server, const void *owner)
{
    struct ovsdb_session *session, *next;

    DL_FOREACH_SAFE (server->sessions, session, next) {
        if (owner == NULL || session->owner == owner) {
            ovsdb_session_destroy(session);
        }
    }
}

size_t
ovsdb_session_count(const struct ovsdb_server *server, const void *owner, int64_t *seconds)
{
    const struct ovsdb_session *session;
    int64_t now = clock_now_ms();
    size_t n = 0;

    *seconds = -1;
    DL_FOREACH (server->sessions, session) {
        if (session->owner == owner && session->opened_ms >= 0) {
            *seconds = MAX(*seconds, (now - session->opened_ms) / 1000);
            n++;
        }
    }
    return n;
}

static void
describe(const struct ovsdb_session *session, struct str *out)
{
    const struct ovsdb_lock_waiter *waiter;

    str_printf(out, "    %s: %s", jsonrpc_name(session->rpc),
               session->opened_ms >= 0 ? "connected" : "not connected");
    if (session->opened_ms >= 0) {
        str_printf(out, " for %" PRId64 " s", (clock_now_ms() - session->opened_ms) / 1000);
    }
    str_printf(out, ", %u monitors, %zu waiting, %zu bytes queued", HASH_COUNT(session->monitors),
               session->n_pending, jsonrpc_backlog(session->rpc));
    for (waiter = session->locks; waiter != NULL; waiter = waiter->hh.next) {
        str_printf(out, ", %s lock %s", ovsdb_lock_is_owner(waiter) ? "holds" : "wants",
                   waiter->name);
    }
    str_putc(out, '\n');
}

void
ovsdb_session_describe_all(const struct ovsdb_server *server, struct str *out)
{
    const struct ovsdb_session *session;

    DL_FOREACH (server->sessions, session) {
        describe(session, out);
    }
}

struct jsonrpc *
ovsdb_session_rpc(struct ovsdb_session *session)
{
    return session->rpc;
}
