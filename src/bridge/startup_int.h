// SPDX-License-Identifier: Apache-2.0
/*
 * startup_int.h - what startup_file.c (reading and checking) leaves for startup_db.c (the database)
 * and startup.c (flows).
 *
 * 'columns' are JSON objects from the name of a column to its value in the form of RFC 7047, which
 * the schema has approved.
 */
#ifndef BRIDGE_STARTUP_INT_H
#define BRIDGE_STARTUP_INT_H 1

#include <jansson.h>

#include "base/util.h"
#include "bridge/startup.h"

struct startup_iface {
    char *name;
    json_t *columns;
};

struct startup_port {
    char *name;
    json_t *columns;
    struct startup_iface *ifaces;
    size_t n_ifaces;
};

struct startup_flow {
    char *text;
    char *where; /* "FILE:LINE" */
    bool is_installed;
    bool is_reported; /* that it waits for its port */
};

struct startup_bridge {
    char *name;
    json_t *columns;
    json_t *controllers; /* array of targets; NULL: not given */
    struct startup_port *ports;
    size_t n_ports;
    bool has_flows;       /* its flows replace what a new bridge has */
    bool flows_are_begun; /* they have done so */
    struct startup_flow *flows;
    size_t n_flows;
};

struct startup {
    char *path;
    bool exclusive;
    json_t *columns; /* of the row of Open_vSwitch */
    struct startup_bridge *bridges;
    size_t n_bridges;
};

/* A key of the file and the column that it stands for. */
struct startup_key {
    const char *key, *table, *column;
};

/* startup_keys.c: keys of an object that sets columns of table 'object' ("Open_vSwitch", "Bridge",
 * "Port", "Interface"), or of a port with one interface, which sets columns of two tables. */
#define STARTUP_SIMPLE_PORT "Port and Interface"
const struct startup_key *startup_keys(const char *object, size_t *n);
const struct startup_key *startup_find_key(const char *object, const char *key); /* NULL: unknown */

/* startup_line.c: the line (from 1) of the value that 'path' leads to in the valid JSON 'text'; of
 * the innermost part that is there, if not all are.  Elements of arrays are "#0", "#1"... */
int startup_line(const char *text, const char *const *path, size_t n);
/* The lines of the first 'n_lines' elements of the array that 'path' leads to, in one pass. */
void startup_element_lines(const char *text, const char *const *path, size_t n, int lines[],
                           size_t n_lines);

/* startup_flows.c: what a bridge's "flows" and "flows_file" say.  NULL, or the text of an error. */
char *startup_add_flow(struct startup_bridge *, const char *text, const char *file, int line);
char *startup_read_flows_file(struct startup_bridge *, const char *config_path, const char *name);

#endif /* bridge/startup_int.h */
