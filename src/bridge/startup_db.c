// SPDX-License-Identifier: Apache-2.0
/*
 * startup_db.c - brings the database in line with the start-up file, see startup.h: compares rows
 * with what the file wants and makes one list of operations of RFC 7047, which a database that
 * agrees already executes without a change.
 *
 * Rows that exist are known by UUID, new ones by a "uuid-name" until the transaction is done.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "bridge/startup_int.h"
#include "ovsdb/db.h"

LOG_MODULE(startup);

struct plan {
    const struct startup *startup;
    struct db *db;
    json_t *ops;
    unsigned int n_new; /* rows */
};

static const struct db_row *
find_row(const struct plan *plan, const char *table, const char *name)
{
    const struct db_row *row;

    DB_FOR_EACH_ROW (row, plan->db, table) {
        const char *row_name = row_str(row, "name");

        if (row_name != NULL && !strcmp(row_name, name)) {
            return row;
        }
    }
    return NULL;
}

/* ["uuid", ...] */
static json_t *
row_id(const struct db_row *row)
{
    char text[UUID_LEN + 1];

    uuid_format(row_uuid(row), text);
    return json_pack("[s,s]", "uuid", text);
}

static json_t *
set_of(json_t *elements)
{
    return json_pack("[s,o]", "set", elements);
}

/* ---- Columns ---- */

static bool
is_merged(const char *table, const char *column, bool exclusive)
{
    return !strcmp(column, "external_ids") || (!exclusive && !strcmp(column, "other_config"));
}

/* The pairs that 'row' has and 'value' does not name, added to a copy of 'value'. */
static json_t *
merged_map(const struct db_row *row, const char *column, const json_t *value)
{
    json_t *pairs = json_deep_copy(json_array_get(value, 1));

    for (size_t i = 0; i < row_n(row, column); i++) {
        const char *key, *old;
        bool is_named = false;
        size_t j;
        json_t *pair;

        row_map_at(row, column, i, &key, &old);
        json_array_foreach (pairs, j, pair) {
            is_named |= !strcmp(json_string_value(json_array_get(pair, 0)), key);
        }
        if (!is_named) {
            json_array_append_new(pairs, json_pack("[s,s]", key, old));
        }
    }
    return json_pack("[s,o]", "map", pairs);
}

/* What a column holds that nobody has set. */
static json_t *
default_value(const char *column)
{
    static const char *const texts[] = {"datapath_type", "type"};
    static const char *const flags[] = {"mcast_snooping_enable", "stp_enable", "rstp_enable",
                                        "protected", "bond_fake_iface"};
    static const char *const numbers[] = {"bond_updelay",
                                          "bond_downdelay",
                                          "ingress_policing_rate",
                                          "ingress_policing_burst",
                                          "ingress_policing_kpkts_rate",
                                          "ingress_policing_kpkts_burst"};
    static const char *const maps[] = {"other_config", "options", "lldp"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        if (!strcmp(texts[i], column)) {
            return json_string(strcmp(column, "type") ? "netdev" : "");
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (!strcmp(flags[i], column)) {
            return json_false();
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        if (!strcmp(numbers[i], column)) {
            return json_integer(0);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
        if (!strcmp(maps[i], column)) {
            return json_pack("[s,[]]", "map");
        }
    }
    return json_pack("[s,[]]", "set");
}

/* The columns to set in 'row' (NULL: a new one) of 'table'. */
static json_t *
row_columns(const struct plan *plan, const char *table, const struct db_row *row,
            const json_t *wanted)
{
    bool exclusive = plan->startup->exclusive;
    json_t *columns = json_object();
    const char *column;
    json_t *value;

    json_object_foreach ((json_t *)wanted, column, value) {
        if (row != NULL && is_merged(table, column, exclusive)) {
            json_object_set_new(columns, column, merged_map(row, column, value));
        } else {
            json_object_set(columns, column, value);
        }
    }
    if (row != NULL && exclusive) {
        size_t n;
        const struct startup_key *keys = startup_keys(table, &n);

        for (size_t i = 0; i < n; i++) {
            if (json_object_get(wanted, keys[i].column) == NULL &&
                !is_merged(table, keys[i].column, true)) {
                json_object_set_new(columns, keys[i].column, default_value(keys[i].column));
            }
        }
    }
    return columns;
}

/* An operation that makes 'row' have 'columns', or inserts a row that has them; returns what other
 * rows refer to it by.  Takes 'columns'. */
static json_t *
put_row(struct plan *plan, const char *table, const struct db_row *row, const char *name,
        json_t *columns)
{
    if (row != NULL) {
        if (json_object_size(columns) > 0) {
            json_array_append_new(plan->ops, json_pack("{s:s, s:s, s:[[s,s,o]], s:o}", "op",
                                                       "update", "table", table, "where", "_uuid",
                                                       "==", row_id(row), "row", columns));
        } else {
            json_decref(columns);
        }
        return row_id(row);
    }

    char uuid_name[32];
    snprintf(uuid_name, sizeof uuid_name, "row%u", plan->n_new++);
    if (name != NULL) {
        json_object_set_new(columns, "name", json_string(name));
    }
    json_array_append_new(plan->ops, json_pack("{s:s, s:s, s:s, s:o}", "op", "insert", "table",
                                               table, "uuid-name", uuid_name, "row", columns));
    return json_pack("[s,s]", "named-uuid", uuid_name);
}

static void
mutate_refs(struct plan *plan, const char *table, const struct db_row *row, const char *column,
            const char *mutator, json_t *refs)
{
    if (json_array_size(refs) == 0) {
        json_decref(refs);
        return;
    }
    json_array_append_new(plan->ops,
                          json_pack("{s:s, s:s, s:[[s,s,o]], s:[[s,s,o]]}", "op", "mutate", "table",
                                    table, "where", "_uuid", "==", row_id(row), "mutations", column,
                                    mutator, set_of(refs)));
}

/* ---- What the file names ---- */

static json_t *
put_port(struct plan *plan, const struct startup_port *port)
{
    const struct db_row *row = find_row(plan, "Port", port->name);
    json_t *columns = row_columns(plan, "Port", row, port->columns);
    json_t *ifaces = json_array();

    for (size_t i = 0; i < port->n_ifaces; i++) {
        const struct startup_iface *iface = &port->ifaces[i];
        const struct db_row *iface_row = find_row(plan, "Interface", iface->name);

        json_array_append_new(ifaces,
                              put_row(plan, "Interface", iface_row, iface->name,
                                      row_columns(plan, "Interface", iface_row, iface->columns)));
    }
    json_object_set_new(columns, "interfaces", set_of(ifaces));
    return put_row(plan, "Port", row, port->name, columns);
}

/* References to the bridge's controllers: existing rows where the target is the same. */
static json_t *
put_controllers(struct plan *plan, const struct db_row *bridge, const json_t *targets)
{
    json_t *refs = json_array();
    size_t i;
    json_t *target;

    json_array_foreach (targets, i, target) {
        const struct db_row *row = NULL;

        for (size_t j = 0; bridge != NULL && j < row_n(bridge, "controller"); j++) {
            const struct db_row *old = row_ref_at(bridge, "controller", j);
            const char *old_target = old ? row_str(old, "target") : NULL;

            if (old_target != NULL && !strcmp(old_target, json_string_value(target))) {
                row = old;
            }
        }
        json_array_append_new(refs, row ? row_id(row)
                                        : put_row(plan, "Controller", NULL, NULL,
                                                  json_pack("{s:O}", "target", target)));
    }
    return set_of(refs);
}

static json_t *
put_bridge(struct plan *plan, const struct startup_bridge *br)
{
    const struct db_row *row = find_row(plan, "Bridge", br->name);
    json_t *columns = row_columns(plan, "Bridge", row, br->columns);
    json_t *ports = json_array();

    for (size_t i = 0; i < br->n_ports; i++) {
        json_array_append_new(ports, put_port(plan, &br->ports[i]));
    }
    if (br->controllers != NULL) {
        json_object_set_new(columns, "controller", put_controllers(plan, row, br->controllers));
    } else if (plan->startup->exclusive) {
        json_object_set_new(columns, "controller", set_of(json_array()));
    }
    if (row == NULL && json_object_get(columns, "datapath_type") == NULL) {
        json_object_set_new(columns, "datapath_type", json_string("netdev"));
    }
    if (row == NULL || plan->startup->exclusive) {
        json_object_set_new(columns, "ports", set_of(ports));
        return put_row(plan, "Bridge", row, br->name, columns);
    }
    json_t *ref = put_row(plan, "Bridge", row, br->name, columns);
    mutate_refs(plan, "Bridge", row, "ports", "insert", ports);
    return ref;
}

/* ---- What has to give way ---- */

static const struct startup_port *
wanted_port(const struct startup *st, const char *name, const char **bridge)
{
    for (size_t i = 0; i < st->n_bridges; i++) {
        for (size_t j = 0; j < st->bridges[i].n_ports; j++) {
            if (!strcmp(st->bridges[i].ports[j].name, name)) {
                *bridge = st->bridges[i].name;
                return &st->bridges[i].ports[j];
            }
        }
    }
    return NULL;
}

static bool
is_wanted_iface(const struct startup *st, const char *name)
{
    for (size_t i = 0; i < st->n_bridges; i++) {
        for (size_t j = 0; j < st->bridges[i].n_ports; j++) {
            for (size_t k = 0; k < st->bridges[i].ports[j].n_ifaces; k++) {
                if (!strcmp(st->bridges[i].ports[j].ifaces[k].name, name)) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Takes from a port that the file does not name the interfaces that it gives to others.  True if
 * none is left, so that the port itself has to go. */
static bool
release_ifaces(struct plan *plan, const struct db_row *port)
{
    json_t *taken = json_array();
    size_t n = row_n(port, "interfaces");

    for (size_t i = 0; i < n; i++) {
        const struct db_row *iface = row_ref_at(port, "interfaces", i);

        if (iface != NULL && is_wanted_iface(plan->startup, row_str(iface, "name"))) {
            json_array_append_new(taken, row_id(iface));
        }
    }
    if (json_array_size(taken) == n) {
        json_decref(taken);
        return n > 0;
    }
    mutate_refs(plan, "Port", port, "interfaces", "delete", taken);
    return false;
}

/* Takes out of a bridge the ports that the file has in another one, or whose interfaces it gives to
 * other ports. */
static void
release_ports(struct plan *plan, const struct db_row *bridge)
{
    json_t *gone = json_array();

    for (size_t i = 0; i < row_n(bridge, "ports"); i++) {
        const struct db_row *port = row_ref_at(bridge, "ports", i);
        const char *home = NULL;

        if (port == NULL) {
            continue;
        }
        if (wanted_port(plan->startup, row_str(port, "name"), &home) != NULL
                ? strcmp(home, row_str(bridge, "name")) != 0
                : release_ifaces(plan, port)) {
            json_array_append_new(gone, row_id(port));
        }
    }
    mutate_refs(plan, "Bridge", bridge, "ports", "delete", gone);
}

/* ---- The whole ---- */

static void
put_root(struct plan *plan, const struct db_row *ovs)
{
    const struct startup *st = plan->startup;
    json_t *columns = row_columns(plan, "Open_vSwitch", ovs, st->columns);
    json_t *bridges = json_array();

    for (size_t i = 0; i < st->n_bridges; i++) {
        json_array_append_new(bridges, put_bridge(plan, &st->bridges[i]));
    }
    if (st->exclusive) {
        json_object_set_new(columns, "bridges", set_of(bridges));
        bridges = NULL;
    }
    json_decref(put_row(plan, "Open_vSwitch", ovs, NULL, columns));
    if (bridges != NULL) {
        mutate_refs(plan, "Open_vSwitch", ovs, "bridges", "insert", bridges);
    }
}

int
startup_apply(const struct startup *st, struct db *db, char **error)
{
    struct plan plan = {.startup = st, .db = db, .ops = json_array()};
    const struct db_row *ovs = db_first(db, "Open_vSwitch");
    const struct db_row *bridge;
    char *text = NULL;
    int result;

    if (ovs == NULL) {
        json_decref(plan.ops);
        *error = xasprintf("%s: the database has no row in table Open_vSwitch", st->path);
        return -ENOENT;
    }
    json_array_append_new(
        plan.ops, json_pack("{s:s, s:s}", "op", "comment", "comment", "sluiced: start-up file"));
    DB_FOR_EACH_ROW (bridge, db, "Bridge") {
        release_ports(&plan, bridge);
    }
    put_root(&plan, ovs);
    result = db_execute(db, plan.ops, &text);
    if (result != 0) {
        *error = xasprintf("%s: the database refuses it: %s", st->path, text ? text : "");
        free(text);
        return result;
    }
    log_info("%s: %zu bridges%s", st->path, st->n_bridges,
             st->exclusive ? ", and nothing else" : "");
    return 0;
}
