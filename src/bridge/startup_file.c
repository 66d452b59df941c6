// SPDX-License-Identifier: Apache-2.0
/*
 * startup_file.c - reads the start-up file and checks every detail of it against the schema of the
 * database, see startup.h.  Nothing here needs a database or changes anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "bridge/startup_int.h"
#include "ovsdb/builtin_schema.h"
#include "ovsdb/datum.h"
#include "ovsdb/error.h"
#include "ovsdb/schema.h"

enum { MAX_FILE_SIZE = 64 << 20, MAX_DEPTH = 8 };

/* Where in the file we are, and the first thing that is wrong with it. */
struct reader {
    struct startup *startup;
    struct ovsdb_schema *schema;
    char *text;
    const char *path[MAX_DEPTH];
    size_t depth;
    char *error; /* NULL: none yet; everything returns early then */
};

/* ---- Errors ---- */

static void
enter(struct reader *r, const char *key)
{
    if (r->depth < MAX_DEPTH) {
        r->path[r->depth] = key;
    }
    r->depth++;
}

static void
leave(struct reader *r)
{
    r->depth--;
}

/* Keeps the first error only. */
static void fail(struct reader *r, const char *format, ...) PRINTF_FORMAT(2, 3);

static void
fail(struct reader *r, const char *format, ...)
{
    struct str s = STR_INIT;
    va_list args;

    if (r->error != NULL) {
        return;
    }
    str_printf(&s, "%s:%d: ", r->startup->path,
               startup_line(r->text, r->path, MIN(r->depth, (size_t)MAX_DEPTH)));
    for (size_t i = 0; i < MIN(r->depth, (size_t)MAX_DEPTH); i++) {
        str_printf(&s, "%s%s", i && r->path[i][0] != '#' ? "." : "", r->path[i]);
    }
    str_put(&s, r->depth ? ": " : "");
    va_start(args, format);
    str_vprintf(&s, format, args);
    va_end(args);
    r->error = str_steal(&s);
}

static bool
is_object(struct reader *r, const json_t *json)
{
    if (!json_is_object(json)) {
        fail(r, "must be an object");
    }
    return r->error == NULL;
}

/* ---- Values ---- */

/* The text of a scalar for a map; NULL: none. */
static json_t *
scalar_text(const json_t *json)
{
    if (json_is_string(json)) {
        return json_incref((json_t *)json);
    }
    if (json_is_boolean(json) || json_is_integer(json) || json_is_real(json)) {
        char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        json_t *result = json_string(text);

        free(text);
        return result;
    }
    return NULL;
}

static json_t *
map_value(struct reader *r, const json_t *json)
{
    json_t *pairs = json_array();
    const char *key;
    json_t *value;

    if (is_object(r, json)) {
        json_object_foreach ((json_t *)json, key, value) {
            json_t *text = scalar_text(value);

            if (text == NULL) {
                enter(r, key);
                fail(r, "must be a string, a number or a boolean");
                leave(r);
                continue;
            }
            json_array_append_new(pairs, json_pack("[s,o]", key, text));
        }
    }
    return json_pack("[s,o]", "map", pairs);
}

/* A value of the file in the form of RFC 7047. */
static json_t *
column_value(struct reader *r, const struct ovsdb_column *column, const json_t *json)
{
    if (ovsdb_type_is_map(&column->type)) {
        return map_value(r, json);
    }
    if (!ovsdb_type_is_scalar(&column->type) && (json_is_null(json) || json_is_array(json))) {
        return json_pack("[s,o]", "set", json_is_null(json) ? json_array() : json_deep_copy(json));
    }
    if (json_is_array(json) || json_is_object(json) || json_is_null(json)) {
        fail(r, "must be a single value");
        return json_null();
    }
    return json_incref((json_t *)json);
}

/* Puts the value of one key into 'columns'. */
static void
read_column(struct reader *r, const struct startup_key *key, const json_t *json, json_t *columns)
{
    const struct ovsdb_column *column =
        ovsdb_table_column(ovsdb_schema_table(r->schema, key->table), key->column);
    json_t *value = column_value(r, column, json);
    struct ovsdb_datum *datum;

    if (r->error == NULL) {
        struct ovsdb_error *error = ovsdb_datum_from_json(&column->type, value, NULL, &datum);

        if (error != NULL) {
            char *text = ovsdb_error_take_text(error);
            fail(r, "%s", text);
            free(text);
        } else {
            ovsdb_datum_unref(datum);
            json_object_set(columns, key->column, value);
        }
    }
    json_decref(value);
}

static void
bad_key(struct reader *r, const char *key)
{
    if (strcmp(key, "comment") != 0) {
        fail(r, "unknown key \"%s\"", key);
    }
}

static bool
name_is_good(struct reader *r, const char *name)
{
    if (name[0] == '\0' || strpbrk(name, "/\\") != NULL) {
        fail(r, "\"%s\" is no name for a bridge, port or interface", name);
    }
    return r->error == NULL;
}

/* ---- Interfaces and ports ---- */

static struct startup_iface *
add_iface(struct startup_port *port, const char *name)
{
    port->ifaces = xreallocarray(port->ifaces, port->n_ifaces + 1, sizeof *port->ifaces);
    struct startup_iface *iface = &port->ifaces[port->n_ifaces++];
    *iface = (struct startup_iface){.name = xstrdup(name), .columns = json_object()};
    return iface;
}

static void
read_iface(struct reader *r, struct startup_port *port, const char *name, const json_t *json)
{
    struct startup_iface *iface;
    const char *key;
    json_t *value;

    if (!name_is_good(r, name) || !is_object(r, json)) {
        return;
    }
    iface = add_iface(port, name);
    json_object_foreach ((json_t *)json, key, value) {
        const struct startup_key *known = startup_find_key("Interface", key);

        enter(r, key);
        if (known != NULL) {
            read_column(r, known, value, iface->columns);
        } else {
            bad_key(r, key);
        }
        leave(r);
    }
}

static void
read_ifaces(struct reader *r, struct startup_port *port, const json_t *json)
{
    const char *name;
    json_t *value;

    enter(r, "interfaces");
    if (is_object(r, json)) {
        json_object_foreach ((json_t *)json, name, value) {
            enter(r, name);
            read_iface(r, port, name, value);
            leave(r);
        }
        if (port->n_ifaces == 0) {
            fail(r, "a port needs an interface");
        }
    }
    leave(r);
}

static void
read_port_members(struct reader *r, struct startup_port *port, const json_t *json)
{
    const json_t *ifaces = json_object_get(json, "interfaces");
    const char *key;
    json_t *value;

    if (ifaces != NULL) {
        read_ifaces(r, port, ifaces);
    } else {
        add_iface(port, port->name);
    }
    json_object_foreach ((json_t *)json, key, value) {
        const struct startup_key *known =
            startup_find_key(ifaces ? "Port" : STARTUP_SIMPLE_PORT, key);

        enter(r, key);
        if (known != NULL) {
            read_column(r, known, value,
                        strcmp(known->table, "Port") ? port->ifaces[0].columns : port->columns);
        } else if (ifaces != NULL && startup_find_key(STARTUP_SIMPLE_PORT, key) != NULL) {
            fail(r, "belongs into \"interfaces\" here");
        } else if (value != ifaces) {
            bad_key(r, key);
        }
        leave(r);
    }
}

static struct startup_port *
add_port(struct startup_bridge *br, const char *name)
{
    br->ports = xreallocarray(br->ports, br->n_ports + 1, sizeof *br->ports);
    struct startup_port *port = &br->ports[br->n_ports++];
    *port = (struct startup_port){.name = xstrdup(name), .columns = json_object()};
    return port;
}

static void
read_ports(struct reader *r, struct startup_bridge *br, const json_t *json)
{
    const char *name;
    json_t *value;

    enter(r, "ports");
    if (is_object(r, json)) {
        json_object_foreach ((json_t *)json, name, value) {
            enter(r, name);
            if (name_is_good(r, name) && is_object(r, value)) {
                read_port_members(r, add_port(br, name), value);
            }
            leave(r);
        }
    }
    leave(r);
}

/* The port that carries the bridge's own name is there in any case, and is internal. */
static void
ensure_local_port(struct startup_bridge *br)
{
    struct startup_port *port = NULL;

    for (size_t i = 0; i < br->n_ports && port == NULL; i++) {
        port = strcmp(br->ports[i].name, br->name) ? NULL : &br->ports[i];
    }
    if (port == NULL) {
        port = add_port(br, br->name);
        add_iface(port, br->name);
    }
    for (size_t i = 0; i < port->n_ifaces; i++) {
        if (!strcmp(port->ifaces[i].name, br->name) &&
            json_object_get(port->ifaces[i].columns, "type") == NULL) {
            json_object_set_new(port->ifaces[i].columns, "type", json_string("internal"));
        }
    }
}

/* ---- Flows, controllers ---- */

static void
read_strings(struct reader *r, const char *key, const json_t *json,
             void (*use)(struct reader *, struct startup_bridge *, const char *, int line),
             struct startup_bridge *br)
{
    int *lines = xcalloc(json_array_size(json) + 1, sizeof *lines);
    size_t i;
    json_t *value;

    enter(r, key);
    if (!json_is_array(json)) {
        fail(r, "must be an array of strings");
    }
    startup_element_lines(r->text, r->path, MIN(r->depth, (size_t)MAX_DEPTH), lines,
                          json_array_size(json));
    json_array_foreach (json, i, value) {
        char index[24];

        snprintf(index, sizeof index, "#%zu", i);
        enter(r, index);
        if (!json_is_string(value)) {
            fail(r, "must be a string");
        } else if (r->error == NULL) {
            use(r, br, json_string_value(value), lines[i]);
        }
        leave(r);
    }
    leave(r);
    free(lines);
}

static void
use_flow(struct reader *r, struct startup_bridge *br, const char *text, int line)
{
    char *error = startup_add_flow(br, text, r->startup->path, line);

    if (error != NULL) {
        fail(r, "%s", error);
        free(error);
    }
}

static void
use_controller(struct reader *r, struct startup_bridge *br, const char *target, int line)
{
    size_t i;
    json_t *other;

    json_array_foreach (br->controllers, i, other) {
        if (!strcmp(json_string_value(other), target)) {
            fail(r, "is there twice");
        }
    }
    json_array_append_new(br->controllers, json_string(target));
}

static void
read_flows_file(struct reader *r, struct startup_bridge *br, const json_t *json)
{
    enter(r, "flows_file");
    if (!json_is_string(json)) {
        fail(r, "must be a string");
    } else if (r->error == NULL) {
        char *error = startup_read_flows_file(br, r->startup->path, json_string_value(json));

        if (error != NULL) {
            fail(r, "%s", error);
            free(error);
        }
    }
    leave(r);
}

/* ---- Bridges ---- */

static void
read_bridge(struct reader *r, const char *name, const json_t *json)
{
    struct startup *st = r->startup;
    const json_t *flows = json_object_get(json, "flows");
    const json_t *flows_file = json_object_get(json, "flows_file");
    const json_t *ports = json_object_get(json, "ports");
    const json_t *controllers = json_object_get(json, "controllers");
    const char *key;
    json_t *value;

    if (!name_is_good(r, name) || !is_object(r, json)) {
        return;
    }
    st->bridges = xreallocarray(st->bridges, st->n_bridges + 1, sizeof *st->bridges);
    struct startup_bridge *br = &st->bridges[st->n_bridges++];
    *br = (struct startup_bridge){.name = xstrdup(name), .columns = json_object()};
    json_object_foreach ((json_t *)json, key, value) {
        const struct startup_key *known = startup_find_key("Bridge", key);

        enter(r, key);
        if (known != NULL) {
            read_column(r, known, value, br->columns);
        } else if (value != flows && value != flows_file && value != ports &&
                   value != controllers) {
            bad_key(r, key);
        }
        leave(r);
    }
    if (ports != NULL) {
        read_ports(r, br, ports);
    }
    ensure_local_port(br);
    if (controllers != NULL) {
        br->controllers = json_array();
        read_strings(r, "controllers", controllers, use_controller, br);
    }
    br->has_flows = flows != NULL || flows_file != NULL;
    if (flows != NULL) {
        read_strings(r, "flows", flows, use_flow, br);
    }
    if (flows_file != NULL) {
        read_flows_file(r, br, flows_file);
    }
}

/* Ports and interfaces are unique in the whole switch. */
static void
check_names(struct reader *r)
{
    const struct startup *st = r->startup;
    json_t *ports = json_object(), *ifaces = json_object();

    for (size_t i = 0; i < st->n_bridges && r->error == NULL; i++) {
        const struct startup_bridge *br = &st->bridges[i];

        enter(r, "bridges");
        enter(r, br->name);
        enter(r, "ports");
        for (size_t j = 0; j < br->n_ports; j++) {
            const struct startup_port *port = &br->ports[j];

            enter(r, port->name);
            if (json_object_get(ports, port->name) != NULL) {
                fail(r, "there is another port of this name");
            }
            json_object_set_new(ports, port->name, json_true());
            for (size_t k = 0; k < port->n_ifaces; k++) {
                if (json_object_get(ifaces, port->ifaces[k].name) != NULL) {
                    fail(r, "there is another interface called \"%s\"", port->ifaces[k].name);
                }
                json_object_set_new(ifaces, port->ifaces[k].name, json_true());
            }
            leave(r);
        }
        r->depth -= 3;
    }
    json_decref(ports);
    json_decref(ifaces);
}

static void
read_top(struct reader *r, const json_t *json)
{
    const json_t *bridges = json_object_get(json, "bridges");
    const char *key;
    json_t *value;

    if (!is_object(r, json)) {
        return;
    }
    json_object_foreach ((json_t *)json, key, value) {
        const struct startup_key *known = startup_find_key("Open_vSwitch", key);

        enter(r, key);
        if (known != NULL) {
            read_column(r, known, value, r->startup->columns);
        } else if (!strcmp(key, "exclusive")) {
            r->startup->exclusive = json_is_true(value);
            if (!json_is_boolean(value)) {
                fail(r, "must be true or false");
            }
        } else if (value != bridges) {
            bad_key(r, key);
        }
        leave(r);
    }
    if (bridges != NULL) {
        enter(r, "bridges");
        if (is_object(r, bridges)) {
            json_object_foreach ((json_t *)bridges, key, value) {
                enter(r, key);
                read_bridge(r, key, value);
                leave(r);
            }
        }
        leave(r);
    }
    check_names(r);
}

/* ---- The file ---- */

static int
read_text(const char *path, char **textp, char **error)
{
    int result = 0;
    struct stat st;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO would block */

    *textp = NULL;
    if (fd < 0 || fstat(fd, &st) != 0) {
        result = -errno;
        *error = xasprintf("%s: cannot read (%s)", path, err_str(errno));
        goto out;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE_SIZE) {
        result = -EINVAL;
        *error = xasprintf("%s: not a regular file of at most %d MB", path, MAX_FILE_SIZE >> 20);
        goto out;
    }
    *textp = xzalloc((size_t)st.st_size + 1);
    for (ssize_t n = 1; n > 0 && len<(size_t)st.st_size; len += n> 0 ? (size_t)n : 0) {
        n = read(fd, *textp + len, (size_t)st.st_size - len);
    }
    if (strlen(*textp) != len) {
        result = -EINVAL;
        *error = xasprintf("%s: has a null byte", path);
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    return result;
}

int
startup_load(const char *path, struct startup **startupp, char **error)
{
    struct reader r = {.startup = xzalloc(sizeof *r.startup)};
    struct ovsdb_error *schema_error;
    json_error_t je;
    json_t *json;
    int result;

    *startupp = NULL;
    *error = NULL;
    r.startup->path = xstrdup(path);
    r.startup->columns = json_object();
    result = read_text(path, &r.text, error);
    if (result == 0) {
        schema_error = ovsdb_schema_from_text(ovsdb_builtin_schema, &r.schema);
        if (schema_error != NULL) {
            *error = ovsdb_error_take_text(schema_error);
            result = -EINVAL;
        }
    }
    if (result == 0) {
        json = json_loads(r.text, JSON_REJECT_DUPLICATES, &je);
        if (json == NULL) {
            *error = xasprintf("%s:%d:%d: %s", path, je.line, je.column, je.text);
            result = -EINVAL;
        } else {
            read_top(&r, json);
            json_decref(json);
            *error = r.error;
            result = r.error ? -EINVAL : 0;
        }
        ovsdb_schema_destroy(r.schema);
    }
    free(r.text);
    if (result != 0) {
        startup_destroy(r.startup);
        return result;
    }
    *startupp = r.startup;
    return 0;
}
