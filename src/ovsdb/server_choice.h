// SPDX-License-Identifier: Apache-2.0
/*
 * server_choice.h - which servers a client of the database may talk to: those that it was told of,
 * and of them only one that, by its "_Server" database, can be relied on.
 *
 * A server of a cluster may be cut off from the others, and what it says is then old; only the
 * leader has the lock that all clients compete for.  db_client.c asks, and goes on to the next
 * server when this one must not be used.  Main thread.
 */
#ifndef OVSDB_SERVER_CHOICE_H
#define OVSDB_SERVER_CHOICE_H 1

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct server_choice;

/* 'remotes' is "unix:PATH", "tcp:HOST[:PORT]" or "ssl:HOST[:PORT]", or several of them with commas
 * between; "cid:UUID" among them asks for a database of that cluster.  NULL and a new '*error' when
 * it cannot be understood. */
struct server_choice *server_choice_create(const char *remotes, const char *database, char **error);
/* NULL is fine. */
void server_choice_destroy(struct server_choice *choice);

/* The names without "cid:". */
const char *const *server_choice_names(const struct server_choice *choice, size_t *n);
/* True if one of the names, or all of them, begin with 'kind': "unix:". */
bool server_choice_has(const struct server_choice *choice, const char *kind);
bool server_choice_is_all(const struct server_choice *choice, const char *kind);

/* A new connection: nothing is known about its server. */
void server_choice_reset(struct server_choice *choice);

/* Takes the schema of "_Server", a reply to get_schema.  The new parameters of "monitor_cond" that
 * are to be sent; NULL: the schema says nothing about the state of a database, which is that of any
 * server then. */
json_t *server_choice_request(struct server_choice *choice, const json_t *schema);

/* Takes <table-updates2>, of the reply to that or a notification.  NULL: the server may be used; or
 * why it must not. */
const char *server_choice_update(struct server_choice *choice, const json_t *updates);

#endif /* ovsdb/server_choice.h */
