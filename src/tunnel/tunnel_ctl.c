// SPDX-License-Identifier: Apache-2.0
/*
 * Commands for ovs-appctl: tnl/neigh/... and their older names tnl/arp/..., tnl/ports/show,
 * tnl/egress_port_range, ovs/route/....  Main thread.
 */
#include "tunnel/tunnel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "flow/text.h"
#include "netdev/netdev.h"
#include "rpc/unixctl.h"
#include "tunnel/route_kernel.h"
#include "tunnel/source.h"

enum { SOURCE_PORT_MIN = 32768, SOURCE_PORT_MAX = 61000 };

struct tunnel {
    struct routes *routes;
    struct route_kernel *kernel; /* NULL: not followed */
    struct neighbours *neighbours;
    uint16_t source_port_min, source_port_max; /* of encapsulated packets, both included */
};

static void
reply_str(struct unixctl_conn *conn, struct str *s)
{
    unixctl_reply(conn, str_cstr(s));
    str_free(s);
}

/* --- neighbours ------------------------------------------------------------------------------ */

static void
cmd_neigh_show(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;
    struct str s = STR_INIT;

    neighbours_format(tunnel->neighbours, &s);
    reply_str(conn, &s);
}

static void
cmd_neigh_set(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;
    const char *mac_end = argv[3];
    struct rte_ether_addr mac;
    struct in6_addr ip;

    if (!address_parse(argv[2], &ip)) {
        unixctl_reply_error(conn, "bad IP address");
    } else if (!scan_eth(&mac_end, &mac) || *mac_end != '\0') {
        unixctl_reply_error(conn, "bad MAC address");
    } else if (neighbours_put(tunnel->neighbours, argv[1], &ip, &mac) != 0) {
        unixctl_reply_errorf(conn, "there are %d entries already", NEIGHBOURS_MAX);
    } else {
        unixctl_reply(conn, "OK");
    }
}

static void
cmd_neigh_flush(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;

    neighbours_flush(tunnel->neighbours);
    unixctl_reply(conn, "OK");
}

static void
cmd_neigh_aging(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;
    unsigned int seconds;

    if (argc == 1) {
        struct str s = STR_INIT;

        str_printf(&s, "%u", neighbours_aging(tunnel->neighbours));
        reply_str(conn, &s);
    } else if (!str_to_uint(argv[1], 10, &seconds) || seconds == 0 ||
               seconds > NEIGHBOURS_MAX_AGING_S) {
        unixctl_reply_error(conn, "bad aging value");
    } else {
        neighbours_set_aging(tunnel->neighbours, seconds);
        unixctl_reply(conn, "OK");
    }
}

/* --- routes ---------------------------------------------------------------------------------- */

/* "pkt_mark=N", in decimal, 0x hexadecimal or 0 octal. */
static bool
parse_mark(const char *s, uint32_t *mark)
{
    static const char prefix[] = "pkt_mark=";
    size_t n = sizeof(prefix) - 1;
    unsigned int value;

    if (strncmp(s, prefix, n) != 0 || !str_to_uint(s + n, 0, &value)) {
        return false;
    }
    *mark = value;
    return true;
}

/* The address that packets by 'route' have as their source, as for the kernel's routes. */
static bool
find_source(struct route *route)
{
    struct sources *sources = sources_read();
    bool found = sources_find(sources, route->dev, &route->dst, &route->gw, &route->src);

    sources_free(sources);
    return found;
}

/* What stands behind the device.  NULL, or what is wrong. */
static const char *
parse_route_options(int argc, const char *argv[], struct route *route)
{
    bool is_ip4 = address_is_ip4(&route->dst);

    if (argc > 3 && !parse_mark(argv[3], &route->mark) &&
        (!address_parse(argv[3], &route->gw) || address_is_ip4(&route->gw) != is_ip4)) {
        return is_ip4 ? "Invalid pkt_mark or gateway" : "Invalid pkt_mark or IPv6 gateway";
    }
    if (argc > 4 && !parse_mark(argv[4], &route->mark)) {
        return "Invalid pkt_mark";
    }
    return NULL;
}

static void
cmd_route_add(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;
    struct route route = {.kind = ROUTE_USER};
    const char *error = NULL;
    unsigned int plen;

    if (!address_parse_prefix(argv[1], &route.dst, &plen)) {
        unixctl_reply_error(conn, "Invalid parameters");
        return;
    }
    error = parse_route_options(argc, argv, &route);
    if (error != NULL) {
        unixctl_reply_error(conn, error);
        return;
    }
    route.plen = (uint8_t)plen;
    if (str_copy(route.dev, argv[2], sizeof(route.dev)) >= sizeof(route.dev) ||
        !find_source(&route)) {
        unixctl_reply_error(conn, "Error while inserting route.");
    } else if (routes_put_user(tunnel->routes, &route) != 0) {
        unixctl_reply_errorf(conn, "there are %d routes already", ROUTES_MAX_USER);
    } else {
        unixctl_reply(conn, "OK");
    }
}

static void
cmd_route_del(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;
    struct in6_addr dst;
    unsigned int plen;
    uint32_t mark = 0;

    if (!address_parse_prefix(argv[1], &dst, &plen)) {
        unixctl_reply_error(conn, "Invalid parameters");
    } else if (argc > 2 && !parse_mark(argv[2], &mark)) {
        unixctl_reply_error(conn, "Invalid pkt_mark");
    } else if (!routes_del_user(tunnel->routes, &dst, plen, mark)) {
        unixctl_reply_error(conn, "Not found");
    } else {
        unixctl_reply(conn, "OK");
    }
}

static void
cmd_route_show(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;
    struct str s = STR_INIT;

    route_kernel_refresh(tunnel->kernel);
    str_put(&s, "Route Table:\n");
    routes_format(tunnel->routes, &s);
    reply_str(conn, &s);
}

static void
cmd_route_lookup(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;
    struct in6_addr dst;
    unsigned int plen;
    uint32_t mark = 0;

    if (!address_parse_prefix(argv[1], &dst, &plen) || plen != ADDRESS_BITS) {
        unixctl_reply_error(conn, "Invalid parameters");
        return;
    }
    if (argc > 2 && !parse_mark(argv[2], &mark)) {
        unixctl_reply_error(conn, "Invalid pkt_mark");
        return;
    }
    route_kernel_refresh(tunnel->kernel);
    const struct route *route = routes_lookup(tunnel->routes, mark, &dst);
    if (route == NULL) {
        unixctl_reply_error(conn, "Not found");
        return;
    }
    struct str s = STR_INIT;
    str_put(&s, "src ");
    address_format(&s, &route->src);
    str_put(&s, "\ngateway ");
    address_format(&s, &route->gw);
    str_printf(&s, "\ndev %s\n", route->dev);
    reply_str(conn, &s);
}

/* --- ports ----------------------------------------------------------------------------------- */

/* There are no tunnel ports yet. */
static void
cmd_ports_show(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel)
{
    unixctl_reply(conn, "Listening ports:\n");
}

static bool
parse_port(const char *s, uint16_t *port)
{
    unsigned int value;

    if (!str_to_uint(s, 10, &value) || value == 0 || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static void
cmd_source_ports(struct unixctl_conn *conn, int argc, const char *argv[], void *tunnel_)
{
    struct tunnel *tunnel = tunnel_;
    uint16_t min, max;

    if (argc < 3) {
        struct str s = STR_INIT;

        str_printf(&s, "Tunnel UDP source port range: %u-%u\n", tunnel->source_port_min,
                   tunnel->source_port_max);
        reply_str(conn, &s);
    } else if (!parse_port(argv[1], &min)) {
        unixctl_reply(conn, "Invalid min.");
    } else if (!parse_port(argv[2], &max)) {
        unixctl_reply(conn, "Invalid max.");
    } else {
        tunnel->source_port_min = MIN(min, max);
        tunnel->source_port_max = MAX(min, max);
        unixctl_reply(conn, "OK");
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static void
register_commands(struct tunnel *tunnel)
{
    static const struct {
        const char *name, *usage;
        int min_args, max_args;
        unixctl_fn *fn;
    } commands[] = {
        {"tnl/arp/show", "", 0, 0, cmd_neigh_show},
        {"tnl/arp/set", "BRIDGE IP MAC", 3, 3, cmd_neigh_set},
        {"tnl/arp/flush", "", 0, 0, cmd_neigh_flush},
        {"tnl/arp/aging", "[SECS]", 0, 1, cmd_neigh_aging},
        {"tnl/neigh/show", "", 0, 0, cmd_neigh_show},
        {"tnl/neigh/set", "BRIDGE IP MAC", 3, 3, cmd_neigh_set},
        {"tnl/neigh/flush", "", 0, 0, cmd_neigh_flush},
        {"tnl/neigh/aging", "[SECS]", 0, 1, cmd_neigh_aging},
        {"tnl/ports/show", "-v", 0, 1, cmd_ports_show},
        {"tnl/egress_port_range", "min max", 0, 2, cmd_source_ports},
        {"ovs/route/add", "ip_addr/prefix_len out_br_name [gw] [pkt_mark=mark]", 2, 4,
         cmd_route_add},
        {"ovs/route/show", "", 0, 0, cmd_route_show},
        {"ovs/route/del", "ip_addr/prefix_len [pkt_mark=mark]", 1, 2, cmd_route_del},
        {"ovs/route/lookup", "ip_addr [pkt_mark=mark]", 1, 2, cmd_route_lookup},
    };

    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        unixctl_register(commands[i].name, commands[i].usage, commands[i].min_args,
                         commands[i].max_args, commands[i].fn, tunnel);
    }
}

struct tunnel *
tunnel_create(bool follow_kernel)
{
    struct tunnel *tunnel = xzalloc(sizeof(*tunnel));

    tunnel->routes = routes_create();
    tunnel->neighbours = neighbours_create();
    tunnel->source_port_min = SOURCE_PORT_MIN;
    tunnel->source_port_max = SOURCE_PORT_MAX;
    /* Dummies that stand in for the kernel's devices have no routes of the kernel's. */
    if (follow_kernel && netdev_dummy_level() < NETDEV_DUMMY_OVERRIDE_SYSTEM) {
        tunnel->kernel = route_kernel_create(tunnel->routes);
    }
    register_commands(tunnel);
    return tunnel;
}

void
tunnel_destroy(struct tunnel *tunnel)
{
    if (tunnel != NULL) {
        unixctl_unregister_aux(tunnel);
        route_kernel_destroy(tunnel->kernel);
        routes_destroy(tunnel->routes);
        neighbours_destroy(tunnel->neighbours);
        free(tunnel);
    }
}
