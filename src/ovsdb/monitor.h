// SPDX-License-Identifier: Apache-2.0
/*
 * monitor.h - what one client wants to hear about a database: "monitor" of RFC 7047 paragraph 4.1.5
 * and its successors monitor_cond and monitor_cond_since.  A monitor turns the change records of a
 * transaction into the <table-updates> that its client gets.  Main thread.
 */
#ifndef OVSDB_MONITOR_H
#define OVSDB_MONITOR_H 1

#include <stdbool.h>

#include <jansson.h>

#include "ovsdb/txn.h"

struct ovsdb_error;

/* Three dialects, by the request that made the monitor. */
enum ovsdb_monitor_version {
    OVSDB_MONITOR_V1 = 1, /* monitor: "update", {"old", "new"} */
    OVSDB_MONITOR_V2, /* monitor_cond: "update2", {"initial" | "insert" | "modify" | "delete"} */
    OVSDB_MONITOR_V3, /* monitor_cond_since: "update3", with transaction identifiers */
};

struct ovsdb_monitor;

/* Parses <monitor-requests>, {TABLE: request or [request...]}. */
struct ovsdb_error *ovsdb_monitor_create(struct ovsdb_database *db,
                                         enum ovsdb_monitor_version version, const json_t *requests,
                                         struct ovsdb_monitor **monitorp);
void ovsdb_monitor_destroy(struct ovsdb_monitor *monitor);

enum ovsdb_monitor_version ovsdb_monitor_version(const struct ovsdb_monitor *monitor);
const struct ovsdb_database *ovsdb_monitor_db(const struct ovsdb_monitor *monitor);

/* The initial contents, an object that may be empty. */
json_t *ovsdb_monitor_initial(const struct ovsdb_monitor *monitor);

/* What the transaction, after precommit, means to this monitor; NULL if nothing. */
json_t *ovsdb_monitor_update(const struct ovsdb_monitor *monitor, const struct ovsdb_txn *txn);

/* "monitor_cond_change": replaces the conditions of the tables in 'requests', {TABLE: {"where"} or
 * [{"where"}...]}, all or none.  '*update' gets what appears and disappears, or NULL. */
struct ovsdb_error *ovsdb_monitor_change(struct ovsdb_monitor *monitor, const json_t *requests,
                                         json_t **update);

#endif /* ovsdb/monitor.h */
