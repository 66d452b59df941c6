// SPDX-License-Identifier: Apache-2.0
/*
 * db_ctl.h - registers the database's commands and counts.  Private to db*.c.
 */
#ifndef OVSDB_DB_CTL_H
#define OVSDB_DB_CTL_H 1

struct db;
struct ovsdb_server;

/* Both faces: memory/show. */
void db_ctl_register(struct db *db);
void db_ctl_unregister(struct db *db);

/* The embedded server: ovsdb/show, ovsdb/compact. */
void db_ctl_register_server(struct ovsdb_server *server);
void db_ctl_unregister_server(struct ovsdb_server *server);

#endif /* ovsdb/db_ctl.h */
