// SPDX-License-Identifier: Apache-2.0
/*
 * bridge.c - from rows to running bridges: the order of a reconfiguration, and when one is due.
 *
 * Main thread.  The database calls back once for any number of commits; one pass then compares all
 * wanted rows with what runs.  Deletions come before additions, so that a name, a device or an
 * OpenFlow port number can move from one bridge to another within one transaction.
 */
#include "bridge/bridge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "base/memory_report.h"
#include "bridge/bridge_int.h"
#include "bridge/startup.h"
#include "bridge/system_stats.h"
#include "ofproto/xlate.h"
#include "rpc/unixctl.h"

LOG_MODULE(bridge);

COVERAGE_DEFINE(bridge_reconfigure);

/* Whether this build looks for memory that was not freed when the process ends. */
#ifdef __SANITIZE_ADDRESS__
#define LEAKS_ARE_REPORTED true
#else
#define LEAKS_ARE_REPORTED false
#endif

enum {
    STATS_INTERVAL_MIN_MS = 5000,
    STATUS_RETRY_MS = 100,
    REOPEN_PERIOD_MS = 2000,
};

static void bridges_reconfigure(void *bridges_);

void
row_to_smap(const struct db_row *row, const char *column, struct smap *smap)
{
    smap_init(smap);
    for (size_t i = 0; i < row_n(row, column); i++) {
        const char *key, *value;
        row_map_at(row, column, i, &key, &value);
        smap_put(smap, key, value);
    }
}

/* --- the datapath ------------------------------------------------------------------------- */

static const char *
row_datapath_type(const struct db_row *row)
{
    const char *type = row_str(row, "datapath_type");
    return type ? type : "";
}

static bool
is_system_type(const char *type)
{
    return !*type || !strcmp(type, "system");
}

bool
datapath_type_is_dummy(const char *type)
{
    enum netdev_dummy_level level = netdev_dummy_level();

    return !strcmp(type, "dummy") || level == NETDEV_DUMMY_OVERRIDE_ALL ||
           (is_system_type(type) && level == NETDEV_DUMMY_OVERRIDE_SYSTEM);
}

/* The first bridge decides what the datapath is called, and whether it plays one without devices.
 */
static void
bridges_name_dp(struct bridges *b, const struct db_row *ovs)
{
    const struct db_row *row = row_ref_at(ovs, "bridges", 0);
    const char *type = row ? row_datapath_type(row) : "";

    if (b->brs) {
        return;
    }
    if (datapath_type_is_dummy(type)) {
        bool has_name = !strcmp(type, "dummy") || !strcmp(type, "netdev");

        dp_set_identity(b->dp, has_name ? type : "system", true);
    } else {
        dp_set_identity(b->dp, "netdev", false);
    }
}

/* Starts DPDK, the datapath and the slow path when the first bridge asks for them. */
static bool
bridges_ensure_dp(struct bridges *b, const struct smap *other_config)
{
    static struct log_rate rl = LOG_RATE_INIT(1, 1);
    char *error = NULL;
    int retval;

    if (b->dp) {
        return true;
    }
    retval = dpdk_start(other_config, &error);
    if (retval) {
        log_err_rl(&rl, "DPDK does not start, so there are no bridges: %s",
                   error ? error : strerror(-retval));
        free(error);
        return false;
    }
    b->dp = dp_create();
    ofprotos_set_dp(b->ofprotos, b->dp);
    dp_set_config(b->dp, other_config);
    slowpath_start(b->slowpath, b->dp, other_config);
    dp_hold(b->dp); /* until the bridges are there, too */
    return true;
}

/* Applies the keys of Open_vSwitch.other_config that are not a bridge's. */
static void
bridges_apply_other_config(struct bridges *b, const struct smap *other_config)
{
    char *error = NULL;
    int retval = dpdk_set_config(other_config, &error);

    if (retval) {
        log_err("DPDK could not be started: %s", error ? error : strerror(-retval));
        if (!strcasecmp(smap_get_def(other_config, "dpdk-init", "false"), "true") && b->cfg.fatal) {
            b->cfg.fatal(error ? error : strerror(-retval), b->cfg.aux);
        }
        free(error);
    }
    if (b->dp) {
        dp_set_config(b->dp, other_config);
        slowpath_set_config(b->slowpath, other_config);
    }
    b->journal_wanted = smap_get_bool(other_config, "flow-journal", true);
    b->stats_interval_ms =
        MAX(STATS_INTERVAL_MIN_MS, smap_get_int(other_config, "stats-update-interval", 0));
}

static bool
restore_wait(struct bridges *b, const struct smap *other_config)
{
    if (!b->restore_wait_over && !smap_get_bool(other_config, "flow-restore-wait", false)) {
        b->restore_wait_over = true;
    }
    return !b->restore_wait_over;
}

/* --- one bridge --------------------------------------------------------------------------- */

static struct br *
br_find(const struct bridges *b, const char *name)
{
    struct br *br;

    HASH_FIND_STR(b->brs, name, br);
    return br;
}

/* True if Sluice serves a bridge of this type.  The kernel's datapath is not ours; hosts that never
 * set the column get this one, as docs/decisions say. */
static bool
datapath_type_is_served(const struct bridges *b, const char *type)
{
    return !*type || !strcmp(type, "netdev") || (!strcmp(type, "dummy") && b->cfg.enable_dummy) ||
           (!strcmp(type, "system") && (!b->cfg.disable_system || datapath_type_is_dummy(type)));
}

void
br_destroy(struct br *br)
{
    br_journal_stop(br);
    br_ports_close(br, true);
    br_ifaces_close(br, true);
    ofproto_destroy(br->ofproto);
    br_state_forget(br);
    HASH_DEL(br->all->brs, br);
    free(br->name);
    free(br->type);
    free(br);
}

static struct br *
br_create(struct bridges *b, const struct db_row *row)
{
    static struct log_rate rl = LOG_RATE_INIT(60, 10);
    const char *name = row_str(row, "name");
    const char *type = row_datapath_type(row);
    struct ofproto *ofproto;
    struct br *br;
    char *error = NULL;

    if (strpbrk(name, "/\\")) {
        log_warn_rl(&rl, "ignoring bridge with invalid name '%s'", name);
        return NULL;
    }
    if (!datapath_type_is_served(b, type)) {
        log_err_rl(&rl, "failed to create bridge %s: there is no datapath type '%s'", name, type);
        return NULL;
    }
    if (ofproto_create(b->ofprotos, name, &ofproto, &error)) {
        log_err_rl(&rl, "failed to create bridge %s: %s", name, error ? error : "");
        free(error);
        return NULL;
    }
    br = xzalloc(sizeof *br);
    br->all = b;
    br->name = xstrdup(name);
    br->type = xstrdup(type);
    br->uuid = *row_uuid(row);
    br->flows_fd = br->macs_fd = br->journal_macs_fd = -1;
    br->ofproto = ofproto;
    HASH_ADD_KEYPTR(hh, b->brs, br->name, strlen(br->name), br);
    return br;
}

/* Closes the ports and interfaces that no row of 'br' asks for any more. */
static void
br_prune(struct br *br, const struct db_row *row)
{
    struct br_iface *iface;
    struct br_port *port;

    for (iface = br->ifaces; iface; iface = iface->hh.next) {
        iface->wanted = false;
    }
    for (port = br->ports; port; port = port->hh.next) {
        port->wanted = false;
    }
    for (size_t i = 0; i < row_n(row, "ports"); i++) {
        const struct db_row *port_row = row_ref_at(row, "ports", i);

        if (!port_row) {
            continue;
        }
        HASH_FIND_STR(br->ports, row_str(port_row, "name"), port);
        if (port) {
            port->wanted = true;
        }
        for (size_t j = 0; j < row_n(port_row, "interfaces"); j++) {
            const struct db_row *iface_row = row_ref_at(port_row, "interfaces", j);

            iface = iface_row ? br_iface_find(br, row_str(iface_row, "name")) : NULL;
            if (iface) {
                iface->wanted = true;
            }
        }
    }
    br_ports_close(br, false);
    br_ifaces_close(br, false);
}

/* Does an interface of this port ask for a number (2), or have one already (1)? */
static int
claim(const struct db_row *port_row)
{
    int64_t number;
    int best = 0;

    for (size_t i = 0; i < row_n(port_row, "interfaces"); i++) {
        const struct db_row *row = row_ref_at(port_row, "interfaces", i);

        if (row && row_int(row, "ofport_request", &number)) {
            best = 2;
        } else if (row && row_int(row, "ofport", &number) && number > 0) {
            best = MAX(best, 1);
        }
    }
    return best;
}

static int
compare_port_rows(const void *a_, const void *b_)
{
    const struct db_row *a = *(const struct db_row *const *)a_;
    const struct db_row *b = *(const struct db_row *const *)b_;
    int claim_a = claim(a), claim_b = claim(b);

    return claim_a != claim_b ? claim_b - claim_a
                              : strverscmp(row_str(a, "name"), row_str(b, "name"));
}

/* The rows of the ports in the order in which they get numbers, in a new array: first those that
 * request certain ones, then those that had some, then p1, p2, p10.  The set in the database has
 * the order of random UUIDs. */
static const struct db_row **
sorted_port_rows(const struct db_row *row, size_t *n)
{
    const struct db_row **rows = xcalloc(row_n(row, "ports") + 1, sizeof(*rows));

    *n = 0;
    for (size_t i = 0; i < row_n(row, "ports"); i++) {
        rows[*n] = row_ref_at(row, "ports", i);
        *n += rows[*n] != NULL;
    }
    qsort(rows, *n, sizeof(*rows), compare_port_rows);
    return rows;
}

static void
br_sync(struct br *br, const struct db_row *row)
{
    size_t n;
    const struct db_row **rows = sorted_port_rows(row, &n);

    br->uuid = *row_uuid(row);
    br_ifaces_number(br, rows, n);
    for (size_t i = 0; i < n; i++) {
        br_ifaces_sync(br, rows[i]);
    }
    br_ifaces_follow_mtu(br);
    for (size_t i = 0; i < n; i++) {
        br_port_sync(br, rows[i]);
        br_qos_sync(br, rows[i]);
    }
    free(rows);
    br_mac_sync(br, row);
    br_ofproto_sync(br, row);
}

/* --- a reconfiguration -------------------------------------------------------------------- */

/* Takes away the bridges that no row asks for, or whose row asks for another datapath type. */
static void
bridges_prune(struct bridges *b, const struct db_row *ovs)
{
    struct br *br, *next;

    for (br = b->brs; br; br = br->hh.next) {
        br->wanted = false;
    }
    for (size_t i = 0; i < row_n(ovs, "bridges"); i++) {
        const struct db_row *row = row_ref_at(ovs, "bridges", i);

        br = row ? br_find(b, row_str(row, "name")) : NULL;
        if (br && !strcmp(br->type, row_datapath_type(row))) {
            br->wanted = true;
            br_prune(br, row);
        }
    }
    HASH_ITER (hh, b->brs, br, next) {
        if (!br->wanted) {
            br_destroy(br);
        }
    }
}

static void
bridges_sync(struct bridges *b, const struct db_row *ovs)
{
    struct br *br;

    for (size_t i = 0; i < row_n(ovs, "bridges"); i++) {
        const struct db_row *row = row_ref_at(ovs, "bridges", i);

        if (!row) {
            continue;
        }
        br = br_find(b, row_str(row, "name"));
        if (!br) {
            br = br_create(b, row);
        }
        if (br) {
            br_sync(br, row);
        }
    }
    br_ifaces_check_peers(b);
    bridges_note_unserved(b);
    for (br = b->brs; br; br = br->hh.next) {
        ofproto_commit(br->ofproto);
        bool has_state = br_state_restore(br, !ofprotos_flow_restore_wait(b->ofprotos));
        if (br_journal_sync(br, has_state)) {
            startup_flows_are_begun(b->cfg.startup, br->name);
        }
        startup_install_flows(b->cfg.startup, br->name, br->ofproto);
    }
}

static void
bridges_say_ready(struct bridges *b)
{
    if (!b->is_ready) {
        b->is_ready = true;
        if (b->cfg.ready) {
            b->cfg.ready(b->cfg.aux);
        }
    }
}

static void
results_written(void *bridges_, enum db_txn_status status, const char *error)
{
    struct bridges *b = bridges_;

    switch (status) {
    case DB_TXN_SUCCESS:
    case DB_TXN_UNCHANGED:
        bridges_say_ready(b);
        break;
    case DB_TXN_TRY_AGAIN:
    case DB_TXN_NOT_LOCKED:
        loop_timer_once(&b->retry_timer, b->cfg.loop, STATUS_RETRY_MS, bridges_reconfigure, b);
        break;
    case DB_TXN_ERROR:
        log_err("could not write the results of the configuration to the database: %s", error);
        loop_timer_once(&b->retry_timer, b->cfg.loop, REOPEN_PERIOD_MS, bridges_reconfigure, b);
        break;
    }
}

void
bridges_forward(struct bridges *b)
{
    if (!b->is_forwarding && b->cfg.has_predecessor && !b->restore_wait_over) {
        return;
    }
    if (!b->is_forwarding && b->cfg.claim_guests) {
        b->cfg.claim_guests(b->cfg.aux);
    }
    if (b->dp) {
        dp_run(b->dp);
    }
    if (!b->is_forwarding) {
        b->is_forwarding = true;
        if (b->cfg.forwarding) {
            b->cfg.forwarding(b->cfg.aux);
        }
    }
}

static void
bridges_reconfigure(void *bridges_)
{
    struct bridges *b = bridges_;
    const struct db_row *ovs;
    struct db_txn *txn;
    struct smap other_config;

    if (!db_is_ready(b->db) || !bridges_follow_lock(b)) {
        return;
    }
    ovs = db_first(b->db, "Open_vSwitch");
    if (!ovs) { /* Nobody has run `ovs-vsctl init`: no bridges, then. */
        bridges_forward(b);
        bridges_say_ready(b);
        return;
    }
    coverage_inc(bridge_reconfigure);
    row_to_smap(ovs, "other_config", &other_config);
    bridges_apply_other_config(b, &other_config);
    bridges_prune(b, ovs);
    if (row_n(ovs, "bridges") && bridges_ensure_dp(b, &other_config)) {
        bridges_name_dp(b, ovs);
        ofprotos_set_flow_restore_wait(b->ofprotos, restore_wait(b, &other_config));
        bridges_tls_sync(b, ovs);
        bridges_sync(b, ovs);
    } else {
        restore_wait(b, &other_config);
    }
    bridges_forward(b);
    smap_destroy(&other_config);

    b->netdev_seq = netdev_global_change_seq();
    txn = db_txn_create(b->db);
    bridges_put_abilities(b, txn, ovs);
    bridges_put_results(b, txn, ovs);
    db_txn_commit(txn, results_written, b);
}

void
bridges_run(struct bridges *b)
{
    bridges_reconfigure(b);
}

static void
report_memory(struct memory_report *report, void *bridges_)
{
    const struct bridges *b = bridges_;

    for (const struct br *br = b->brs; br; br = br->hh.next) {
        memory_report_add(report, "ports", HASH_COUNT(br->ifaces));
    }
}

struct bridges *
bridges_create(const struct bridges_cfg *cfg)
{
    struct bridges *b = xzalloc(sizeof *b);

    b->cfg = *cfg;
    b->db = cfg->db;
    b->cur_cfg = -1;
    b->stats_interval_ms = STATS_INTERVAL_MIN_MS;
    dp_ctl_init(&b->dp);
    b->ofprotos = ofprotos_create(cfg->loop, NULL);
    ofproto_ctl_init(b->ofprotos);
    xlate_ctl_init(b->ofprotos);
    b->slowpath = slowpath_create(cfg->loop, b->ofprotos);
    bridge_ctl_init(b);
    memory_report_register(report_memory, b);
    db_set_change_cb(b->db, bridges_reconfigure, b);
    bridges_watch_start(b);
    return b;
}

static void
leave_database(struct bridges *b)
{
    if (b->db) {
        db_set_change_cb(b->db, NULL, NULL);
        b->db = NULL;
        unixctl_unregister_aux(b);
        bridges_watch_stop(b);
        loop_timer_stop(&b->retry_timer);
        loop_timer_stop(&b->yield_timer);
        system_stats_stop(b->system_stats);
        b->system_stats = NULL;
    }
}

bool
bridges_are_there(const struct bridges *b)
{
    return b && b->brs;
}

void
bridges_leave(struct bridges *b)
{
    leave_database(b);
    ofprotos_disconnect(b->ofprotos);
}

void
bridges_release(struct bridges *b, bool with_guests)
{
    bridges_leave(b);
    for (struct br *br = b->brs; br; br = br->hh.next) {
        br_state_save(br);
        for (struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
            if (iface->netdev && !netdev_can_share(iface->netdev) &&
                (with_guests || !netdev_is_quick(iface->netdev))) {
                br_iface_stop(iface);
            }
        }
    }
}

void
bridges_halt(struct bridges *b)
{
    if (b->dp) {
        dp_halt(b->dp);
    }
}

void
bridges_end(struct bridges *b)
{
    if (b && !LEAKS_ARE_REPORTED) {
        ofprotos_end(b->ofprotos);
    }
}

void
bridges_destroy(struct bridges *b, bool cleanup)
{
    struct br *br, *next;

    if (!b) {
        return;
    }
    (void)cleanup; /* Taps of this process are not persistent: they go with their descriptors. */
    leave_database(b);
    memory_report_unregister(report_memory, b);
    slowpath_stop(b->slowpath);
    HASH_ITER (hh, b->brs, br, next) {
        br_destroy(br);
    }
    slowpath_destroy(b->slowpath);
    ofprotos_destroy(b->ofprotos);
    dp_destroy(b->dp);
    tls_config_unref(b->tls);
    free(b->tls_key);
    free(b);
}
