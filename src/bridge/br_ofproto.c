// SPDX-License-Identifier: Apache-2.0
/*
 * br_ofproto.c - the Bridge row's own settings: fail mode, controllers, tables, mirrors, limits.
 *
 * Builds the plain structures of ofproto/ofproto.h from rows; ofproto copies what it keeps.
 */
#include <string.h>

#include "base/dirs.h"
#include "base/log.h"
#include "bridge/bridge_int.h"
#include "openflow/ofp_version.h"

LOG_MODULE(bridge);

enum { N_VLANS = 4096, VLAN_WORDS = N_VLANS / 64, N_TABLE_IDS = 255 };

static uint32_t
row_versions(const struct db_row *row)
{
    static const char *const names[] = {"OpenFlow10", "OpenFlow11", "OpenFlow12",
                                        "OpenFlow13", "OpenFlow14", "OpenFlow15"};
    uint32_t versions = 0;

    for (size_t i = 0; i < row_n(row, "protocols"); i++) {
        const char *name = row_str_at(row, "protocols", i);

        for (size_t v = 0; v < ARRAY_SIZE(names); v++) {
            if (!strcmp(name, names[v])) {
                versions |= OFP_VERSION_BIT(OFP10_VERSION + v);
            }
        }
    }
    return versions;
}

static int
bounded(int64_t value, int min, int max)
{
    return value < min ? min : value > max ? max : (int)value;
}

/* --- controllers -------------------------------------------------------------------------- */

static void
controller_from_row(const struct db_row *row, struct ofproto_controller_cfg *c)
{
    const char *mode = row_str(row, "connection_mode");

    *c = (struct ofproto_controller_cfg){
        .target = row_str(row, "target"),
        .type = row_str(row, "type"),
        .max_backoff_ms = bounded(row_int_or(row, "max_backoff", 0), 0, 3600 * 1000),
        .inactivity_probe_ms = bounded(row_int_or(row, "inactivity_probe", -1), -1, 3600 * 1000),
        .band = mode && strcmp(mode, "in-band") ? OFPROTO_OUT_OF_BAND : OFPROTO_IN_BAND,
        .enable_async_messages = row_bool_or(row, "enable_async_messages", true),
        .rate_limit = bounded(row_int_or(row, "controller_rate_limit", 0), 0, 1000 * 1000),
        .burst_limit = bounded(row_int_or(row, "controller_burst_limit", 0), 0, 1000 * 1000),
        .queue_size = bounded(row_int_or(row, "controller_queue_size", 0), 0, 512),
        .dscp = bounded(row_map_int(row, "other_config", "dscp", 48), 0, 63),
    };
}

static bool
is_within(const char *dir, const char *path)
{
    size_t n = strlen(dir);

    return !strncmp(path, dir, n) && path[n] == '/' && !strstr(path + n, "/../") &&
           !strstr(path + n, "//");
}

/* Who may write the database may be somewhere else: it must not have us connect to any socket of
 * this machine, nor put one in the place of any file. */
static bool
may_use(const char *bridge, const char *target)
{
    static struct log_rate rl = LOG_RATE_INIT(1, 5);
    char *path = NULL, *own = xasprintf("%s/%s.controller", dirs_run(), bridge);
    bool ok = true;

    if (dirs_is_confined() && !strncmp(target, "unix:", 5)) {
        path = dirs_path(dirs_run(), target + 5);
        ok = is_within(dirs_run(), path);
        if (!ok) {
            log_err_rl(&rl,
                       "bridge %s: Not connecting to socket controller \"%s\" due to possibility "
                       "for remote exploit.  Instead, specify socket in allowed \"unix:%s/\" or "
                       "connect to \"unix:%s/%s.mgmt\" (which is always available without special "
                       "configuration).",
                       bridge, target, dirs_run(), dirs_run(), bridge);
        }
    } else if (dirs_is_confined() && !strncmp(target, "punix:", 6)) {
        path = dirs_path(dirs_run(), target + 6);
        ok = !strcmp(path, own);
        if (!ok) {
            log_err_rl(&rl,
                       "bridge %s: Not adding Unix domain socket controller \"%s\" due to "
                       "possibility of overwriting local files. Instead, specify path in allowed "
                       "format \"punix:%s\" or connect to \"unix:%s/%s.mgmt\" (which is always "
                       "available without special configuration).",
                       bridge, target, own, dirs_run(), bridge);
        }
    }
    free(path);
    free(own);
    return ok;
}

static struct ofproto_controller_cfg *
row_controllers(const struct db_row *br_row, size_t *n)
{
    size_t n_rows;
    const struct db_row **rows = row_refs(br_row, "controller", &n_rows);
    struct ofproto_controller_cfg *controllers = xcalloc(n_rows + 1, sizeof *controllers);

    *n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        if (may_use(row_str(br_row, "name"), row_str(rows[i], "target"))) {
            controller_from_row(rows[i], &controllers[(*n)++]);
        }
    }
    free(rows);
    return controllers;
}

/* --- tables ------------------------------------------------------------------------------- */

static char *
row_prefixes(const struct db_row *row)
{
    struct str text;

    str_init(&text);
    for (size_t i = 0; i < row_n(row, "prefixes"); i++) {
        str_printf(&text, "%s%s", i ? "," : "", row_str_at(row, "prefixes", i));
    }
    return row_n(row, "prefixes") ? str_steal(&text) : (str_free(&text), NULL);
}

static char *
row_groups(const struct db_row *row)
{
    struct str text = STR_INIT;

    for (size_t i = 0; i < row_n(row, "groups"); i++) {
        str_printf(&text, "%s\n", row_str_at(row, "groups", i));
    }
    return str_steal(&text);
}

static struct ofproto_table_cfg *
row_tables(const struct db_row *br_row, size_t *n)
{
    size_t n_rows = row_n(br_row, "flow_tables");
    struct ofproto_table_cfg *tables = xcalloc(n_rows + 1, sizeof *tables);

    *n = 0;
    for (size_t i = 0; i < n_rows; i++) {
        const struct db_row *row;
        int64_t id = row_imap_at(br_row, "flow_tables", i, &row);
        const char *policy;
        int64_t limit;

        if (!row || id < 0 || id >= N_TABLE_IDS) {
            continue;
        }
        policy = row_str(row, "overflow_policy");
        tables[(*n)++] = (struct ofproto_table_cfg){
            .table_id = id,
            .name = row_str(row, "name"),
            .max_flows = row_int(row, "flow_limit", &limit) && limit >= 0
                             ? (uint32_t)MIN(limit, (int64_t)UINT32_MAX)
                             : UINT32_MAX,
            .evict = policy && !strcmp(policy, "evict"),
            .groups = row_groups(row),
            .prefixes = row_prefixes(row),
        };
    }
    return tables;
}

static void
free_tables(struct ofproto_table_cfg *tables, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *)tables[i].groups);
        free((char *)tables[i].prefixes);
    }
    free(tables);
}

/* --- mirrors ------------------------------------------------------------------------------ */

/* A 4096-bit map from a set of integers, or NULL if the set is empty. */
static uint64_t *
row_vlans(const struct db_row *row, const char *column)
{
    size_t n = row_n(row, column);
    uint64_t *map = n ? xcalloc(VLAN_WORDS, sizeof *map) : NULL;

    for (size_t i = 0; i < n; i++) {
        int64_t vlan = row_int_at(row, column, i);

        if (vlan >= 0 && vlan < N_VLANS) {
            map[vlan / 64] |= UINT64_C(1) << (vlan % 64);
        }
    }
    return map;
}

static const char **
row_port_names(const struct db_row *row, const char *column, size_t *n)
{
    size_t n_rows;
    const struct db_row **ports = row_refs(row, column, &n_rows);
    const char **names = xcalloc(n_rows + 1, sizeof *names);

    for (size_t i = 0; i < n_rows; i++) {
        names[i] = row_str(ports[i], "name");
    }
    *n = n_rows;
    free(ports);
    return names;
}

/* Bytes of a copy; 0: all.  The largest value of the column means all, too. */
static uint16_t
mirror_snaplen(const struct db_row *row)
{
    int64_t snaplen = row_int_or(row, "snaplen", 0);

    return snaplen > 0 && snaplen < UINT16_MAX ? (uint16_t)snaplen : 0;
}

static void
br_mirrors_sync(struct br *br, const struct db_row *br_row)
{
    size_t n;
    const struct db_row **rows = row_refs(br_row, "mirrors", &n);
    struct ofproto_mirror_cfg *mirrors = xcalloc(n + 1, sizeof *mirrors);
    char(*ids)[UUID_LEN + 1] = xcalloc(n + 1, sizeof *ids);

    for (size_t i = 0; i < n; i++) {
        const struct db_row *output = row_ref(rows[i], "output_port");
        struct ofproto_mirror_cfg *m = &mirrors[i];

        /* Several may have one name, or none. */
        uuid_format(row_uuid(rows[i]), ids[i]);
        *m = (struct ofproto_mirror_cfg){
            .id = ids[i],
            .name = row_str(rows[i], "name"),
            .select_all = row_bool_or(rows[i], "select_all", false),
            .select_vlans = row_vlans(rows[i], "select_vlan"),
            .output_port = output ? row_str(output, "name") : NULL,
            .output_vlan = row_int_or(rows[i], "output_vlan", -1),
            .snaplen = mirror_snaplen(rows[i]),
        };
        m->select_src = row_port_names(rows[i], "select_src_port", &m->n_src);
        m->select_dst = row_port_names(rows[i], "select_dst_port", &m->n_dst);
    }
    ofproto_mirrors_set(br->ofproto, mirrors, n);
    for (size_t i = 0; i < n; i++) {
        free((uint64_t *)mirrors[i].select_vlans);
        free((const char **)mirrors[i].select_src);
        free((const char **)mirrors[i].select_dst);
    }
    free(mirrors);
    free(ids);
    free(rows);
}

/* Targets that ovsdb-server connects to: they may be behind the bridge, too. */
static const char **
row_managers(const struct db_row *ovs, size_t *n)
{
    size_t n_rows;
    const struct db_row **rows = row_refs(ovs, "manager_options", &n_rows);
    const char **targets = xcalloc(n_rows + 1, sizeof *targets);

    for (size_t i = 0; i < n_rows; i++) {
        targets[i] = row_str(rows[i], "target");
    }
    *n = n_rows;
    free(rows);
    return targets;
}

/* --- the whole ---------------------------------------------------------------------------- */

/* A number of other_config between 'min' and 'max'; 0 asks for the default. */
static int
row_bounded(const struct db_row *row, const char *key, int min, int max, int dflt)
{
    int value = row_map_int(row, "other_config", key, 0);

    return value ? bounded(value, min, max) : dflt;
}

void
br_ofproto_sync(struct br *br, const struct db_row *row)
{
    const struct db_row *ovs = db_first(br->all->db, "Open_vSwitch");
    const char *fail_mode = row_str(row, "fail_mode");
    uint64_t *flood_vlans = row_vlans(row, "flood_vlans");
    struct ofproto_cfg cfg = {
        .fail_mode = fail_mode && !strcmp(fail_mode, "secure") ? OFPROTO_FAIL_SECURE
                                                               : OFPROTO_FAIL_STANDALONE,
        .dpid = br->dpid,
        .mac = br->mac,
        .dp_desc = row_map_get(row, "other_config", "dp-desc"),
        .dp_sn = row_map_get(row, "other_config", "dp-sn"),
        .mac_aging_s = row_bounded(row, "mac-aging-time", 15, 3600, 300),
        .mac_table_size = row_bounded(row, "mac-table-size", 10, 1000 * 1000, 8192),
        .forward_bpdu = row_map_bool(row, "other_config", "forward-bpdu", false),
        .versions = row_versions(row),
        .controller_queue_size =
            bounded(row_map_int(row, "other_config", "controller-queue-size", 0), 0, 512),
        .disable_in_band = row_map_bool(row, "other_config", "disable-in-band", false),
        .in_band_queue =
            bounded(row_map_int(row, "other_config", "in-band-queue", -1), -1, INT32_MAX),
        .bundle_idle_timeout_s =
            bounded(row_map_int(ovs, "other_config", "bundle-idle-timeout", 0), 0, 3600),
        .bundle_memory_mb =
            bounded(row_map_int(ovs, "other_config", "bundle-memory-limit", 0), 0, 1 << 20),
        .vlan_limit = bounded(row_map_int(ovs, "other_config", "vlan-limit", 1), 0, 2),
        .mcast_snooping = row_bool_or(row, "mcast_snooping_enable", false),
        .flood_vlans = flood_vlans,
        .tls = br->all->tls,
    };
    struct ofproto_controller_cfg *controllers = row_controllers(row, &cfg.n_controllers);
    struct ofproto_table_cfg *tables = row_tables(row, &cfg.n_tables);
    const char **managers = row_managers(ovs, &cfg.n_managers);

    cfg.controllers = controllers;
    cfg.managers = managers;
    cfg.tables = tables;
    ofproto_configure(br->ofproto, &cfg);
    br_mirrors_sync(br, row);
    free(managers);
    free(controllers);
    free_tables(tables, cfg.n_tables);
    free(flood_vlans);
}

/* Keys and certificates come from the SSL row or, while there is none, from the command line.  The
 * TLS settings are made anew when other files are named; tls_config itself follows changes of the
 * files' contents. */
void
bridges_tls_sync(struct bridges *b, const struct db_row *ovs)
{
    const struct db_row *ssl = row_ref(ovs, "ssl");
    struct tls_settings settings = b->cfg.tls ? *b->cfg.tls : (struct tls_settings){0};
    char *key, *error = NULL;
    bool any;

    if (ssl) {
        settings.private_key_file = row_str(ssl, "private_key");
        settings.certificate_file = row_str(ssl, "certificate");
        settings.ca_cert_file = row_str(ssl, "ca_cert");
        settings.bootstrap_ca_cert = row_bool_or(ssl, "bootstrap_ca_cert", false);
    }
    any = ssl || settings.private_key_file;
    key = any ? xasprintf("%s|%s|%s|%d", settings.private_key_file, settings.certificate_file,
                          settings.ca_cert_file, settings.bootstrap_ca_cert)
              : xstrdup("");
    if (b->tls_key && !strcmp(b->tls_key, key) && (b->tls || !any)) {
        free(key);
        return;
    }
    free(b->tls_key);
    b->tls_key = key;
    tls_config_unref(b->tls);
    b->tls = NULL;
    if (any) {
        b->tls = tls_config_create(&settings, &error);
        if (!b->tls) {
            log_err("the keys and certificates %s cannot be used: %s",
                    ssl ? "of the SSL row" : "of the command line", error);
            free(error);
        }
    }
}
