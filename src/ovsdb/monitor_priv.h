// SPDX-License-Identifier: Apache-2.0
/*
 * monitor_priv.h - the inside of a monitor: shared by monitor.c and monitor_parse.c only.
 */
#ifndef OVSDB_MONITOR_PRIV_H
#define OVSDB_MONITOR_PRIV_H 1

#include "ovsdb/condition.h"
#include "ovsdb/monitor.h"

/* <monitor-select> */
enum {
    MONITOR_INITIAL = 1 << 0,
    MONITOR_INSERT = 1 << 1,
    MONITOR_DELETE = 1 << 2,
    MONITOR_MODIFY = 1 << 3,
    MONITOR_ALL = MONITOR_INITIAL | MONITOR_INSERT | MONITOR_DELETE | MONITOR_MODIFY,
};

struct ovsdb_monitor_column {
    const struct ovsdb_column *column;
    unsigned int select;
};

struct ovsdb_monitor_table {
    struct ovsdb_monitor_column *columns;
    size_t n_columns;
    unsigned int select; /* of all columns together */
    struct ovsdb_condition condition;
};

struct ovsdb_monitor {
    struct ovsdb_database *db;
    enum ovsdb_monitor_version version;
    struct ovsdb_monitor_table **tables; /* by the schema's index; NULL: not monitored */
};

/* Parses the argument of monitor_cond_change into 'conditions' and 'is_given', both by table. */
struct ovsdb_error *ovsdb_monitor_parse_change(const struct ovsdb_monitor *monitor,
                                               const json_t *requests,
                                               struct ovsdb_condition *conditions, bool *is_given);

#endif /* ovsdb/monitor_priv.h */
