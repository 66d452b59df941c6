// SPDX-License-Identifier: Apache-2.0
/*
 * session_monitor.c - the requests that make, change and end monitors, and the notifications that
 * monitors send.
 */
#include <stdlib.h>
#include <utlist.h>

#include "ovsdb/error.h"
#include "ovsdb/session_priv.h"

/* A standalone database has no transaction history; clients know it by this identifier. */
#define ZERO_TXN_ID "00000000-0000-0000-0000-000000000000"

static char *
id_to_key(const json_t *id)
{
    return json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

static struct session_monitor *
find(struct ovsdb_session *session, const json_t *id)
{
    struct session_monitor *found;
    char *key = id_to_key(id);

    HASH_FIND_STR(session->monitors, key, found);
    free(key);
    return found;
}

static void
add(struct ovsdb_session *session, const json_t *id, struct ovsdb_monitor *monitor)
{
    char *key = id_to_key(id);
    size_t size = strlen(key) + 1;
    struct session_monitor *m = xzalloc(sizeof *m + size);

    memcpy(m->key, key, size);
    free(key);
    m->id = json_incref((json_t *)id);
    m->monitor = monitor;
    HASH_ADD_STR(session->monitors, key, m);
}

static void
destroy(struct ovsdb_session *session, struct session_monitor *m)
{
    HASH_DEL(session->monitors, m);
    ovsdb_monitor_destroy(m->monitor);
    json_decref(m->id);
    free(m);
}

void
session_destroy_monitors(struct ovsdb_session *session)
{
    struct session_monitor *m, *next;

    HASH_ITER (hh, session->monitors, m, next) {
        destroy(session, m);
    }
}

/* Takes 'updates'. */
static void
send_update(struct ovsdb_session *session, const struct session_monitor *m, json_t *updates)
{
    switch (ovsdb_monitor_version(m->monitor)) {
    case OVSDB_MONITOR_V1:
        jsonrpc_send_notify(session->rpc, "update", json_pack("[O,o]", m->id, updates));
        break;
    case OVSDB_MONITOR_V2:
        jsonrpc_send_notify(session->rpc, "update2", json_pack("[O,o]", m->id, updates));
        break;
    case OVSDB_MONITOR_V3:
        jsonrpc_send_notify(session->rpc, "update3",
                            json_pack("[O,s,o]", m->id, ZERO_TXN_ID, updates));
        break;
    }
}

void
ovsdb_session_publish(struct ovsdb_server *server, const struct ovsdb_txn *txn)
{
    struct ovsdb_session *session;

    DL_FOREACH (server->sessions, session) {
        struct session_monitor *m, *next;

        HASH_ITER (hh, session->monitors, m, next) {
            json_t *updates = ovsdb_monitor_db(m->monitor) == txn->db
                                  ? ovsdb_monitor_update(m->monitor, txn)
                                  : NULL;

            if (updates != NULL) {
                send_update(session, m, updates);
            }
        }
    }
}

/* [DB, ID, REQUESTS], and for version 3 a fourth, the last transaction that the client knows. */
static struct ovsdb_error *
create(struct ovsdb_session *session, const json_t *params, enum ovsdb_monitor_version version,
       json_t **initial)
{
    size_t n = version == OVSDB_MONITOR_V3 ? 4 : 3;
    const json_t *id = json_array_get(params, 1);
    struct ovsdb_server_db *sdb;
    struct ovsdb_monitor *monitor;
    struct ovsdb_error *error = session_find_db(session, params, &sdb);

    if (error != NULL) {
        return error;
    }
    if (json_array_size(params) != n) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, params, "array of %zu elements expected", n);
    }
    if (find(session, id) != NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, id, "duplicate monitor ID");
    }
    if (HASH_COUNT(session->monitors) >= SESSION_MAX_MONITORS) {
        return ovsdb_error_create(OVSDB_E_RESOURCES, "too many monitors in one session");
    }
    error = ovsdb_monitor_create(sdb->db, version, json_array_get(params, 2), &monitor);
    if (error == NULL) {
        add(session, id, monitor);
        *initial = ovsdb_monitor_initial(monitor);
    }
    return error;
}

struct ovsdb_error *
session_monitor_v1(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    return create(session, params, OVSDB_MONITOR_V1, result);
}

struct ovsdb_error *
session_monitor_cond(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    return create(session, params, OVSDB_MONITOR_V2, result);
}

struct ovsdb_error *
session_monitor_cond_since(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    json_t *initial = NULL;
    struct ovsdb_error *error = create(session, params, OVSDB_MONITOR_V3, &initial);

    if (error == NULL) {
        *result = json_pack("[b,s,o]", false, ZERO_TXN_ID, initial);
    }
    return error;
}

/* [OLD-ID, NEW-ID, {TABLE: [{"where"}...]}].  What the new condition brings goes out ahead of the
 * reply and under the old ID, so that the client knows the moment of the change. */
struct ovsdb_error *
session_monitor_cond_change(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    const json_t *new_id = json_array_get(params, 1);
    struct session_monitor *m;
    json_t *update;
    struct ovsdb_error *error;

    if (json_array_size(params) != 3) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, params, "array of 3 elements expected");
    }
    m = find(session, json_array_get(params, 0));
    if (m == NULL) {
        return ovsdb_error_at("unknown monitor", json_array_get(params, 0), "no such monitor");
    }
    if (ovsdb_monitor_version(m->monitor) == OVSDB_MONITOR_V1) {
        return ovsdb_error_at(OVSDB_E_NOT_SUPPORTED, params,
                              "a monitor made by \"monitor\" has no condition");
    }
    if (find(session, new_id) != NULL && find(session, new_id) != m) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, new_id, "duplicate monitor ID");
    }
    error = ovsdb_monitor_change(m->monitor, json_array_get(params, 2), &update);
    if (error != NULL) {
        return error;
    }
    if (update != NULL) {
        send_update(session, m, update);
    }
    if (!json_equal(m->id, new_id)) {
        add(session, new_id, m->monitor);
        m->monitor = NULL;
        destroy(session, m);
    }
    *result = json_object();
    return NULL;
}

struct ovsdb_error *
session_monitor_cancel(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    struct session_monitor *m =
        json_array_size(params) == 1 ? find(session, json_array_get(params, 0)) : NULL;

    if (m == NULL) {
        return ovsdb_error_at("unknown monitor", params, "no such monitor");
    }
    destroy(session, m);
    *result = json_object();
    return NULL;
}
