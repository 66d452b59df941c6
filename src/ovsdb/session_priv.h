// SPDX-License-Identifier: Apache-2.0
/*
 * session_priv.h - the inside of a session: shared by session.c, session_monitor.c and
 * session_lock.c only.
 */
#ifndef OVSDB_SESSION_PRIV_H
#define OVSDB_SESSION_PRIV_H 1

#include "ovsdb/monitor.h"
#include "ovsdb/session.h"

struct ovsdb_error;

/* Bounds on what one client can make us keep. */
#define SESSION_MAX_MONITORS 256
#define SESSION_MAX_LOCKS 256
#define SESSION_MAX_PENDING 256

/* A transaction that waits for its "wait". */
struct session_pending {
    struct session_pending *prev, *next;
    struct ovsdb_session *session;
    struct ovsdb_server_db *sdb;
    json_t *id;
    json_t *params;
    int64_t began_ms;
    struct loop_timer timer;
};

struct session_monitor {
    UT_hash_handle hh; /* by id */
    json_t *id;        /* any JSON value, the client's choice */
    struct ovsdb_monitor *monitor;
    char key[]; /* 'id' as text */
};

struct ovsdb_session {
    struct ovsdb_session *prev, *next;
    struct ovsdb_server *server;
    struct jsonrpc *rpc;
    const void *owner;
    bool is_reconnecting;
    int64_t opened_ms; /* -1: not connected */
    struct session_monitor *monitors;
    struct ovsdb_lock_waiter *locks; /* by name */
    struct session_pending *pending; /* utlist */
    size_t n_pending;
};

/* Handlers answer a request: '*result', a new reference, or an error. */
typedef struct ovsdb_error *session_handler(struct ovsdb_session *session, const json_t *params,
                                            json_t **result);

/* params[0] as the name of a database. */
struct ovsdb_error *session_find_db(struct ovsdb_session *session, const json_t *params,
                                    struct ovsdb_server_db **sdbp);

/* session_monitor.c */
session_handler session_monitor_v1, session_monitor_cond, session_monitor_cond_since,
    session_monitor_cond_change, session_monitor_cancel;
void session_destroy_monitors(struct ovsdb_session *session);

/* session_lock.c */
session_handler session_lock, session_steal, session_unlock;
void session_destroy_locks(struct ovsdb_session *session);
bool session_has_lock(void *session, const char *name);

#endif /* ovsdb/session_priv.h */
