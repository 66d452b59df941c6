// SPDX-License-Identifier: Apache-2.0
/*
 * remote_status.h - one remote, and the columns "is_connected" and "status" of the Manager row that
 * asked for it.  Private to remote.c and remote_status.c.
 */
#ifndef OVSDB_REMOTE_STATUS_H
#define OVSDB_REMOTE_STATUS_H 1

#include "ovsdb/server.h"

struct listener;

struct ovsdb_remote {
    struct ovsdb_remote *prev, *next;
    struct ovsdb_server *server;
    char *name;
    bool is_dynamic; /* from the database */
    bool is_wanted;
    bool has_row;
    struct uuid row; /* of table Manager, if 'has_row' */
    int64_t probe_ms;
    int64_t max_backoff_ms;
    struct listener *listener;     /* passive ones, NULL if it could not be opened */
    struct ovsdb_session *session; /* active ones */
    char *last_error;              /* why it is not open */
};

/* Writes the status of all remotes in 'list' that have a row, in one transaction. */
void ovsdb_remotes_write_status(struct ovsdb_server *server, struct ovsdb_remote *list);

#endif /* ovsdb/remote_status.h */
