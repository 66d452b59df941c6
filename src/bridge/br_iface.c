// SPDX-License-Identifier: Apache-2.0
/*
 * br_iface.c - one row of Interface: its device, its datapath port, its OpenFlow port.
 *
 * An interface either runs whole (device open, in the datapath unless it is a patch port, in the
 * bridge) or failed whole, with a text in 'error' and ofport -1; a failed one is tried again in
 * each pass.  Nothing here stops other interfaces.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/rcu.h"
#include "bridge/bridge_int.h"

LOG_MODULE(bridge);

enum { MTU_MIN = 68, MTU_MAX = 65535 };

struct br_iface *
br_iface_find(const struct br *br, const char *name)
{
    struct br_iface *iface;

    HASH_FIND_STR(br->ifaces, name, iface);
    return iface;
}

bool
br_iface_is_local(const struct br_iface *iface)
{
    return !strcmp(iface->name, iface->br->name);
}

/* The type that a device is opened as: the local port is internal whatever the row says. */
static const char *
iface_row_type(const struct br *br, const struct db_row *row)
{
    const char *type = row_str(row, "type");

    if (!strcmp(row_str(row, "name"), br->name)) {
        return "internal";
    }
    return type && *type ? type : "system";
}

/* --- closing ------------------------------------------------------------------------------ */

/* All of one bridge. */
static void
ifaces_leave_ofproto(struct br *br, struct br_iface *const *ifaces, size_t n)
{
    bool left = false;

    for (size_t i = 0; i < n; i++) {
        struct br_iface *iface = ifaces[i];

        if (iface->ofp_port) {
            ofproto_port_del(br->ofproto, iface->ofp_port);
            left = true;
        }
    }
    if (left) {
        ofproto_commit(br->ofproto);
    }
    for (size_t i = 0; i < n; i++) {
        struct br_iface *iface = ifaces[i];

        if (iface->ofp_port) {
            log_info("bridge %s: deleted interface %s on port %u", br->name, iface->name,
                     (unsigned int)iface->ofp_port);
            iface->ofp_port = 0;
        }
    }
}

static void
ifaces_leave_dp(struct br *br, struct br_iface *const *ifaces, size_t n)
{
    odp_port_t *odps = xcalloc(n, sizeof *odps);
    size_t n_odps = 0;

    for (size_t i = 0; i < n; i++) {
        if (ifaces[i]->odp_port != ODPP_NONE) {
            odps[n_odps++] = ifaces[i]->odp_port;
            ifaces[i]->odp_port = ODPP_NONE;
        }
    }
    dp_ports_del(br->all->dp, odps, n_odps);
    free(odps);
}

/* All at once, since each step makes views and lists of all ports anew and waits for readers. */
static void
ifaces_stop(struct br *br, struct br_iface *const *ifaces, size_t n)
{
    bool has_netdev = false;

    ifaces_leave_ofproto(br, ifaces, n);
    ifaces_leave_dp(br, ifaces, n);
    for (size_t i = 0; i < n; i++) {
        has_netdev |= ifaces[i]->netdev != NULL;
    }
    if (has_netdev) {
        rcu_synchronize(); /* Handlers read netdevs through views. */
    }
    for (size_t i = 0; i < n; i++) {
        netdev_close(ifaces[i]->netdev);
        ifaces[i]->netdev = NULL;
        smap_clear(&ifaces[i]->options);
        smap_clear(&ifaces[i]->other_config);
    }
}

void
br_iface_stop(struct br_iface *iface)
{
    ifaces_stop(iface->br, &iface, 1);
}

void
br_iface_renumber(struct br_iface *iface, odp_port_t odp)
{
    br_iface_stop(iface);
    iface->wanted_odp = odp;
}

static void
iface_free(struct br_iface *iface)
{
    HASH_DEL(iface->br->ifaces, iface);
    free(iface->name);
    free(iface->type);
    free(iface->error);
    free(iface);
}

void
br_ifaces_close(struct br *br, bool all)
{
    struct br_iface **gone = xcalloc(HASH_COUNT(br->ifaces), sizeof(struct br_iface *));
    struct br_iface *iface, *next;
    size_t n = 0;

    HASH_ITER (hh, br->ifaces, iface, next) {
        if (all || !iface->wanted) {
            gone[n++] = iface;
        }
    }
    ifaces_stop(br, gone, n);
    for (size_t i = 0; i < n; i++) {
        iface_free(gone[i]);
    }
    free(gone);
}

/* --- failing ------------------------------------------------------------------------------ */

/* Notes why the interface does not run; *takes* 'text', NULL for a text from 'retval'. */
static void
iface_fail(struct br_iface *iface, char *text, int retval)
{
    br_iface_stop(iface);
    if (!text) {
        text = xasprintf("could not open network device %s (%s)", iface->name, strerror(-retval));
    }
    if (!iface->error || strcmp(iface->error, text)) {
        log_warn("%s", text);
    }
    free(iface->error);
    iface->error = text;
}

/* --- opening ------------------------------------------------------------------------------ */

/* The OpenFlow port number that the row asks for, or had before a restart. */
static ofp_port_t
iface_wanted_ofport(const struct db_row *row, bool *is_request)
{
    int64_t n;

    *is_request = row_int(row, "ofport_request", &n) && n > 0 && n <= OFPROTO_MAX_PORT;
    if (*is_request) {
        return n;
    }
    return row_int(row, "ofport", &n) && n > 0 && n <= OFPROTO_MAX_PORT ? n : 0;
}

/* Applies Interface.mtu_request, and .mac where it is allowed to count. */
static void
iface_apply_mac_mtu(struct br_iface *iface, const struct db_row *row)
{
    const char *mac_text = row_str(row, "mac");
    struct rte_ether_addr mac, now;
    int64_t mtu;
    int retval;

    if (row_int(row, "mtu_request", &mtu) && mtu >= MTU_MIN && mtu <= MTU_MAX &&
        netdev_get_mtu(iface->netdev) != mtu) {
        retval = netdev_set_mtu(iface->netdev, mtu);
        if (retval) {
            log_warn("interface %s: cannot set MTU to %d: %s", iface->name, (int)mtu,
                     strerror(-retval));
        }
    }
    if (mac_text && !br_iface_is_local(iface) && !strcmp(iface->type, "internal")) {
        if (rte_ether_unformat_addr(mac_text, &mac) || rte_is_multicast_ether_addr(&mac) ||
            rte_is_zero_ether_addr(&mac)) {
            log_warn("interface %s: '%s' is no unicast MAC address", iface->name, mac_text);
        } else if (netdev_get_mac(iface->netdev, &now) || !rte_is_same_ether_addr(&now, &mac)) {
            netdev_set_mac(iface->netdev, &mac);
        }
    }
}

/* Applies options and other_config if they differ from what was applied last.  0, or a negative
 * errno with a text in '*errorp'. */
static int
iface_apply_config(struct br_iface *iface, const struct db_row *row, bool *needs_reconfigure,
                   char **errorp)
{
    struct smap options, other_config;
    int retval = 0;

    *needs_reconfigure = false;
    row_to_smap(row, "options", &options);
    row_to_smap(row, "other_config", &other_config);
    if (!iface->ofp_port || !smap_equal(&options, &iface->options) ||
        !smap_equal(&other_config, &iface->other_config)) {
        retval =
            netdev_set_config(iface->netdev, &options, &other_config, needs_reconfigure, errorp);
        if (!retval) {
            smap_clone(&iface->options, &options);
            smap_clone(&iface->other_config, &other_config);
        }
    }
    smap_destroy(&options);
    smap_destroy(&other_config);
    return retval;
}

/* Gives it the number that its row wants, or any with 'is_free_choice'. */
static int
iface_add_to_bridge(struct br_iface *iface, const struct db_row *row, bool is_free_choice,
                    char **errorp)
{
    struct ofproto_port_cfg cfg = {
        .name = iface->name,
        .netdev = iface->netdev,
        .odp_port = iface->odp_port,
        .patch_peer = !strcmp(iface->type, "patch") ? smap_get(&iface->options, "peer") : NULL,
    };
    int retval;

    if (!is_free_choice) {
        cfg.wanted = iface_wanted_ofport(row, &cfg.wanted_is_request);
    }
    retval = ofproto_port_add(iface->br->ofproto, &cfg, &iface->ofp_port, errorp);
    if (!retval) {
        log_info("bridge %s: added interface %s on port %u", iface->br->name, iface->name,
                 (unsigned int)iface->ofp_port);
    }
    return retval;
}

static void
iface_start(struct br_iface *iface, const struct db_row *row)
{
    struct dp *dp = iface->br->all->dp;
    bool needs_reconfigure;
    char *error = NULL;
    int retval = -ENODEV;

    /* A bridge without a kernel has local ports without one. */
    bool is_dummy = datapath_type_is_dummy(iface->br->type) && !strcmp(iface->type, "internal");
    iface->netdev = netdev_open(iface->name, is_dummy ? "dummy-internal" : iface->type, &error);
    if (!iface->netdev) {
        goto fail;
    }
    retval = iface_apply_config(iface, row, &needs_reconfigure, &error);
    if (retval) {
        goto fail;
    }
    iface_apply_mac_mtu(iface, row);
    if (strcmp(iface->type, "patch")) {
        retval = dp_port_add(dp, iface->netdev, iface->wanted_odp, &iface->odp_port, &error);
        if (retval) {
            iface->odp_port = ODPP_NONE;
            goto fail;
        }
        dp_port_set_config(dp, iface->odp_port, &iface->other_config);
    }
    retval = iface_add_to_bridge(iface, row, false, &error);
    if (retval) {
        goto fail;
    }
    free(iface->error);
    iface->error = NULL;
    iface->status_stale = true;
    return;

fail:
    iface_fail(iface, error, retval);
}

/* --- changing ----------------------------------------------------------------------------- */

static void
iface_update(struct br_iface *iface, const struct db_row *row)
{
    struct dp *dp = iface->br->all->dp;
    bool needs_reconfigure;
    char *error = NULL;
    int retval;

    retval = iface_apply_config(iface, row, &needs_reconfigure, &error);
    if (!retval) {
        iface_apply_mac_mtu(iface, row);
        if (iface->odp_port != ODPP_NONE) {
            if (needs_reconfigure || netdev_wants_reconfigure(iface->netdev)) {
                retval = dp_port_reconfigure(dp, iface->odp_port, &error);
            }
            dp_port_set_config(dp, iface->odp_port, &iface->other_config);
        } else {
            ofproto_port_set_peer(iface->br->ofproto, iface->ofp_port,
                                  smap_get(&iface->options, "peer"));
        }
    }
    if (retval) {
        iface_fail(iface, error, retval);
    }
}

static void
iface_sync(struct br *br, const struct db_row *port_row, const struct db_row *row)
{
    const char *name = row_str(row, "name");
    const char *type = iface_row_type(br, row);
    struct br_iface *iface = br_iface_find(br, name);

    if (!iface) {
        iface = xzalloc(sizeof *iface);
        iface->br = br;
        iface->name = xstrdup(name);
        iface->type = xstrdup(type);
        iface->odp_port = iface->wanted_odp = ODPP_NONE;
        HASH_ADD_KEYPTR(hh, br->ifaces, iface->name, strlen(iface->name), iface);
    } else if (strcmp(iface->type, type)) {
        br_iface_stop(iface);
        free(iface->type);
        iface->type = xstrdup(type);
    }
    iface->wanted = true;
    if (memcmp(&iface->uuid, row_uuid(row), sizeof iface->uuid)) {
        iface->status_stale = true; /* A new row of the old name: it has none of our values. */
    }
    iface->uuid = *row_uuid(row);
    iface->port_uuid = *row_uuid(port_row);
    if (iface->netdev) {
        iface_update(iface, row);
    } else {
        iface_start(iface, row);
    }
}

static int
compare_names(const void *a, const void *b)
{
    return strverscmp(row_str(*(const struct db_row *const *)a, "name"),
                      row_str(*(const struct db_row *const *)b, "name"));
}

void
br_ifaces_sync(struct br *br, const struct db_row *port_row)
{
    size_t n;
    const struct db_row **rows = row_refs(port_row, "interfaces", &n);

    /* Members of a bond get numbers in the order of their names, as ports do. */
    if (n > 1) {
        qsort(rows, n, sizeof *rows, compare_names);
    }
    for (size_t i = 0; i < n; i++) {
        iface_sync(br, port_row, rows[i]);
    }
    free(rows);
}

/* --- numbers ------------------------------------------------------------------------------- */

/* The number that the row asks for; 0: none. */
static ofp_port_t
requested_ofport(const struct db_row *row)
{
    bool is_request;
    ofp_port_t n = iface_wanted_ofport(row, &is_request);

    return is_request ? n : 0;
}

/* Takes the number away for a moment; the port runs on. */
static void
iface_withdraw(struct br_iface *iface)
{
    ofproto_port_del(iface->br->ofproto, iface->ofp_port);
    iface->ofp_port = 0;
    iface->is_withdrawn = true;
}

/* Makes way for what 'row' requests: its interface, should it run under another number, and who has
 * the number without having requested it, are withdrawn. */
static void
make_way(struct br *br, const struct db_row *row)
{
    struct br_iface *iface = br_iface_find(br, row_str(row, "name"));
    ofp_port_t wanted = requested_ofport(row);
    const char *holder_name = wanted ? ofproto_port_name(br->ofproto, wanted) : NULL;
    struct br_iface *holder = holder_name ? br_iface_find(br, holder_name) : NULL;

    if (!wanted || !strcmp(row_str(row, "name"), br->name) ||
        (iface && (!iface->netdev || iface == holder))) {
        return;
    }
    if (holder) {
        const struct db_row *its = db_get(br->all->db, "Interface", &holder->uuid);

        if (its && requested_ofport(its) == wanted) {
            return;
        }
        iface_withdraw(holder);
    }
    if (iface && iface->ofp_port) {
        iface_withdraw(iface);
    }
}

static void
put_back(struct br_iface *iface, const struct db_row *row, bool with_request)
{
    char *error = NULL;

    if (iface && iface->is_withdrawn && (requested_ofport(row) != 0) == with_request) {
        iface->is_withdrawn = false;
        if (iface_add_to_bridge(iface, row, !with_request, &error)) {
            iface_fail(iface, error, -ENOSPC);
        }
    }
}

/* Each interface's row of the 'N' rows of ports. */
#define FOR_EACH_IFACE_ROW(ROW, PORTS, N)                                \
    for (size_t i_ = 0; i_ < (N); i_++)                                  \
        for (size_t j_ = 0; j_ < row_n((PORTS)[i_], "interfaces"); j_++) \
            if (((ROW) = row_ref_at((PORTS)[i_], "interfaces", j_)) != NULL)

void
br_ifaces_number(struct br *br, const struct db_row *const *ports, size_t n)
{
    const struct db_row *row;

    FOR_EACH_IFACE_ROW(row, ports, n)
    {
        make_way(br, row);
    }
    FOR_EACH_IFACE_ROW(row, ports, n)
    {
        put_back(br_iface_find(br, row_str(row, "name")), row, true);
    }
    FOR_EACH_IFACE_ROW(row, ports, n)
    {
        put_back(br_iface_find(br, row_str(row, "name")), row, false);
    }
}

/* --- what concerns several at once --------------------------------------------------------- */

/* True for an endpoint of the host whose MTU is not the operator's but follows the others'. */
static bool
follows_mtu(const struct br_iface *iface)
{
    const struct db_row *row = db_get(iface->br->all->db, "Interface", &iface->uuid);
    int64_t request;

    return iface->netdev && (!strcmp(iface->type, "internal") || !strcmp(iface->type, "tap")) &&
           !(row && row_int(row, "mtu_request", &request));
}

/* 0: there is nothing to follow. */
static int
smallest_mtu(const struct br *br)
{
    int min = 0;

    for (const struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
        bool counts = iface->netdev && strcmp(iface->type, "patch") && !follows_mtu(iface);
        int mtu = counts ? netdev_get_mtu(iface->netdev) : 0;

        if (mtu > 0 && (!min || mtu < min)) {
            min = mtu;
        }
    }
    return min;
}

void
br_ifaces_follow_mtu(struct br *br)
{
    int before = br->min_mtu, min = smallest_mtu(br);

    if (!min) {
        min = before ? RTE_ETHER_MTU : 0; /* The last one to follow has gone. */
    }
    br->min_mtu = min;
    for (struct br_iface *iface = br->ifaces; min && iface; iface = iface->hh.next) {
        int mtu = follows_mtu(iface) ? netdev_get_mtu(iface->netdev) : 0;

        /* One that is new is cut down, but not raised. */
        if (mtu > min || (mtu > 0 && mtu != min && min != before)) {
            netdev_set_mtu(iface->netdev, min);
        }
    }
}

/* True if a patch port called 'name' exists in some bridge and names 'peer'. */
static bool
patch_exists(const struct bridges *b, const char *name, const char *peer)
{
    for (struct br *br = b->brs; br; br = br->hh.next) {
        struct br_iface *iface = br_iface_find(br, name);

        if (iface && iface->netdev && !strcmp(iface->type, "patch")) {
            const char *its_peer = smap_get(&iface->options, "peer");
            return its_peer && !strcmp(its_peer, peer);
        }
    }
    return false;
}

void
br_ifaces_check_peers(struct bridges *b)
{
    for (struct br *br = b->brs; br; br = br->hh.next) {
        for (struct br_iface *iface = br->ifaces; iface; iface = iface->hh.next) {
            const char *peer;

            if (!iface->netdev || strcmp(iface->type, "patch")) {
                continue;
            }
            peer = smap_get(&iface->options, "peer");
            free(iface->error);
            iface->error = NULL;
            if (!peer || !patch_exists(b, peer, iface->name)) {
                iface->error = xasprintf("No usable peer '%s' exists in '%s' datapath.",
                                         peer ? peer : "", *br->type ? br->type : "netdev");
            }
        }
    }
}
