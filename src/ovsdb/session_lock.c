// SPDX-License-Identifier: Apache-2.0
/*
 * session_lock.c - the requests "lock", "steal" and "unlock" and their notifications.
 */
#include <stdlib.h>

#include "ovsdb/error.h"
#include "ovsdb/session_priv.h"
#include "ovsdb/symtab.h"

static void
notify(void *session_, const char *name, bool is_stolen)
{
    struct ovsdb_session *session = session_;

    jsonrpc_send_notify(session->rpc, is_stolen ? "stolen" : "locked", json_pack("[s]", name));
}

static struct ovsdb_lock_waiter *
find(struct ovsdb_session *session, const char *name)
{
    struct ovsdb_lock_waiter *waiter;

    HASH_FIND_STR(session->locks, name, waiter);
    return waiter;
}

static struct ovsdb_error *
parse_name(const json_t *params, const char **name)
{
    *name = json_string_value(json_array_get(params, 0));
    if (json_array_size(params) != 1 || *name == NULL || !ovsdb_is_id(*name)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, params, "[<id>] expected, the name of a lock");
    }
    return NULL;
}

static struct ovsdb_error *
acquire(struct ovsdb_session *session, const json_t *params, bool is_steal, json_t **result)
{
    const char *name;
    struct ovsdb_error *error = parse_name(params, &name);

    if (error != NULL) {
        return error;
    }
    if (find(session, name) != NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, params,
                              "must issue \"unlock\" before new \"lock\" or \"steal\"");
    }
    if (HASH_COUNT(session->locks) >= SESSION_MAX_LOCKS) {
        return ovsdb_error_create(OVSDB_E_RESOURCES, "too many locks in one session");
    }

    struct ovsdb_lock_waiter *waiter =
        ovsdb_lock_acquire(&session->server->locks, name, is_steal, notify, session);
    HASH_ADD_KEYPTR(hh, session->locks, waiter->name, strlen(waiter->name), waiter);
    *result = json_pack("{s:b}", "locked", ovsdb_lock_is_owner(waiter));
    return NULL;
}

struct ovsdb_error *
session_lock(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    return acquire(session, params, false, result);
}

struct ovsdb_error *
session_steal(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    return acquire(session, params, true, result);
}

struct ovsdb_error *
session_unlock(struct ovsdb_session *session, const json_t *params, json_t **result)
{
    struct ovsdb_lock_waiter *waiter;
    const char *name;
    struct ovsdb_error *error = parse_name(params, &name);

    if (error != NULL) {
        return error;
    }
    waiter = find(session, name);
    if (waiter == NULL) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, params, "\"unlock\" without \"lock\" or \"steal\"");
    }
    HASH_DEL(session->locks, waiter);
    ovsdb_lock_release(&session->server->locks, waiter);
    *result = json_object();
    return NULL;
}

void
session_destroy_locks(struct ovsdb_session *session)
{
    struct ovsdb_lock_waiter *waiter, *next;

    HASH_ITER (hh, session->locks, waiter, next) {
        HASH_DEL(session->locks, waiter);
        ovsdb_lock_release(&session->server->locks, waiter);
    }
}

bool
session_has_lock(void *session, const char *name)
{
    const struct ovsdb_lock_waiter *waiter = find(session, name);

    return waiter != NULL && ovsdb_lock_is_owner(waiter);
}
