// SPDX-License-Identifier: Apache-2.0
/*
 * session.h - one client of the server: its requests, monitors, locks and waiting transactions
 * (RFC 7047 paragraph 4).  Main thread.
 */
#ifndef OVSDB_SESSION_H
#define OVSDB_SESSION_H 1

#include <stddef.h>

#include "base/str.h"
#include "ovsdb/server.h"
#include "rpc/jsonrpc.h"

/* One session more than this is refused. */
#define OVSDB_MAX_SESSIONS 1024

/* Serves an accepted connection until it ends.  Takes 'stream'.  'probe_ms' as for
 * jsonrpc_set_probe_interval(); 'owner' groups the sessions of one remote. */
void ovsdb_session_accept(struct ovsdb_server *server, struct stream *stream, int64_t probe_ms,
                          const void *owner);

/* Keeps a connection to a client that listens ("tcp:..." as a remote) and serves it. */
struct ovsdb_session *ovsdb_session_connect(struct ovsdb_server *server,
                                            const struct reconnect_settings *settings,
                                            int64_t probe_ms, const void *owner);

void ovsdb_session_destroy(struct ovsdb_session *session);
/* Ends all sessions of 'owner'; NULL: all. */
void ovsdb_session_destroy_all(struct ovsdb_server *server, const void *owner);

/* Open sessions of 'owner', and the seconds since the first of them began (-1 if none). */
size_t ovsdb_session_count(const struct ovsdb_server *server, const void *owner, int64_t *seconds);

/* Appends a line about each session. */
void ovsdb_session_describe_all(const struct ovsdb_server *server, struct str *out);

struct jsonrpc *ovsdb_session_rpc(struct ovsdb_session *session);

/* For server.c: tells all monitors of 'db' about a transaction after precommit; sends what they
 * were told before the transaction's own reply. */
void ovsdb_session_publish(struct ovsdb_server *server, const struct ovsdb_txn *txn);

/* Tries the waiting transactions of all sessions again. */
void ovsdb_session_retry_all(struct ovsdb_server *server);

#endif /* ovsdb/session.h */
