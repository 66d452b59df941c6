// SPDX-License-Identifier: Apache-2.0
//
// Commands about DPDK and its ports: netdev-dpdk/* and dpdk/*.  Main thread.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_dev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_memzone.h>

#include "netdev/netdev_ctl_admin.h"
#include "netdev/netdev_dpdk.h"
#include "netdev/netdev_private.h"
#include "netdev/netdev_vhost.h"
#include "rpc/unixctl.h"

static bool
is_vhost(const struct netdev *netdev)
{
    return netdev->class == &netdev_vhostuser_class ||
           netdev->class == &netdev_vhostuserclient_class;
}

// Of DPDK's types: physical ports and guests'.
static bool
is_dpdks(const struct netdev *netdev)
{
    return netdev_is_dpdk(netdev) || is_vhost(netdev);
}

// NULL: it has none, or is not of DPDK's types.
static const struct netdev_pool *
pool_of(const struct netdev *netdev)
{
    return netdev == NULL           ? NULL
           : netdev_is_dpdk(netdev) ? netdev_dpdk_cast(netdev)->pool
           : is_vhost(netdev)       ? netdev_vhost_cast(netdev)->pool
                                    : NULL;
}

static void
cmd_mempool_info(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct rte_mempool *only = NULL;
    struct str out = STR_INIT;

    if (argc > 1) {
        const struct netdev_pool *pool = pool_of(netdev_find(argv[1]));
        if (pool == NULL) {
            unixctl_reply_error(conn, "Not a DPDK Interface");
            return;
        }
        only = netdev_pool_mempool(pool);
    }
    if (dpdk_started()) {
        netdev_pool_dump(only, &out);
    }
    unixctl_reply(conn, str_cstr(&out));
    str_free(&out);
}

struct device_users {
    const struct rte_device *device;
    struct str names;
};

static void
collect_users(struct netdev *netdev, void *users_)
{
    struct device_users *users = users_;

    if (netdev_is_dpdk(netdev) && netdev_dpdk_cast(netdev)->port_id != DPDK_NO_PORT &&
        netdev_dpdk_cast(netdev)->info.device == users->device) {
        str_printf(&users->names, " %s", netdev->name);
    }
}

static void
cmd_detach(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct rte_eth_dev_info info;
    uint16_t port_id = dpdk_started() ? netdev_dpdk_find_port(argv[1]) : DPDK_NO_PORT;

    if (port_id == DPDK_NO_PORT || rte_eth_dev_info_get(port_id, &info) != 0 ||
        info.device == NULL) {
        unixctl_reply_errorf(conn, "Device '%s' not found in DPDK", argv[1]);
        return;
    }
    struct device_users users = {.device = info.device};
    netdev_foreach(collect_users, &users);
    if (users.names.len > 0) {
        unixctl_reply_errorf(conn,
                             "Device '%s' is being used by the following interfaces:%s. Remove "
                             "them before detaching.",
                             argv[1], str_cstr(&users.names));
        str_free(&users.names);
        return;
    }
    netdev_dpdk_detach(port_id, true);
    char *text = xasprintf("All devices shared with device '%s' have been detached", argv[1]);
    unixctl_reply(conn, text);
    free(text);
}

static void
cmd_set_admin_state(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    netdev_ctl_set_admin_state(conn, argc, argv, is_dpdks, "Not a DPDK Interface");
}

// --- DPDK's own dumps ----------------------------------------------------------------------

static void
dump_malloc_stats(FILE *f)
{
    rte_malloc_dump_stats(f, NULL);
}

typedef void dump_fn(FILE *);
static const struct dump {
    const char *name;
    dump_fn *fn;
} dumps[] = {
    {"dpdk/lcore-list", rte_lcore_dump},
    {"dpdk/log-list", rte_log_dump},
    {"dpdk/get-malloc-stats", dump_malloc_stats},
    {"dpdk/get-memzone-stats", rte_memzone_dump},
};

static void
cmd_dump(struct unixctl_conn *conn, int argc, const char *argv[], void *dump_)
{
    const struct dump *dump = dump_;
    char *text = NULL;
    size_t size = 0;

    if (!dpdk_started()) {
        unixctl_reply_error(conn, "DPDK has not been started");
        return;
    }
    FILE *f = open_memstream(&text, &size);
    if (f == NULL) {
        unixctl_reply_error(conn, err_str(errno));
        return;
    }
    dump->fn(f);
    fclose(f);
    unixctl_reply(conn, text);
    free(text);
}

static int
log_level_from_text(const char *text)
{
    static const char *const names[] = {"emergency", "alert",  "critical", "error",
                                        "warning",   "notice", "info",     "debug"};
    unsigned int level;

    if (str_to_uint(text, 10, &level)) {
        return level >= 1 && level <= RTE_LOG_DEBUG ? (int)level : -1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcasecmp(text, names[i]) == 0) {
            return (int)i + 1;
        }
    }
    return -1;
}

// Each argument is LEVEL or PATTERN:LEVEL; all are looked at before one takes effect.
static void
cmd_log_set(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 1; i < argc; i++) {
            const char *colon = strrchr(argv[i], ':');
            int level = log_level_from_text(colon != NULL ? colon + 1 : argv[i]);
            char *pattern =
                colon != NULL ? xmemdup0(argv[i], (size_t)(colon - argv[i])) : xstrdup("*");
            bool bad =
                level < 0 || (pass == 1 && rte_log_set_level_pattern(pattern, (uint32_t)level) < 0);
            free(pattern);
            if (bad) {
                unixctl_reply_errorf(conn, "invalid log level: '%s'", argv[i]);
                return;
            }
        }
    }
    unixctl_reply(conn, NULL);
}

void
netdev_ctl_register(void)
{
    unixctl_register("netdev-dpdk/get-mempool-info", "[netdev]", 0, 1, cmd_mempool_info, NULL);
    unixctl_register("netdev-dpdk/detach", "pci address of device", 1, 1, cmd_detach, NULL);
    unixctl_register("netdev-dpdk/set-admin-state", "[netdev] up|down", 1, 2, cmd_set_admin_state,
                     NULL);
    for (size_t i = 0; i < ARRAY_SIZE(dumps); i++) {
        unixctl_register(dumps[i].name, "", 0, 0, cmd_dump, (void *)(uintptr_t)&dumps[i]);
    }
    unixctl_register("dpdk/log-set", "{level | pattern:level}", 0, INT_MAX, cmd_log_set, NULL);
    if (netdev_dummy_level() != NETDEV_DUMMY_OFF) {
        netdev_dummy_ctl_register();
    }
}
