// SPDX-License-Identifier: Apache-2.0
//
// netdev-dummy/*: commands of hermetic tests, registered with --enable-dummy.  Main thread.
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <rte_ether.h>

#include "netdev/netdev_ctl_admin.h"
#include "netdev/netdev_dummy.h"
#include "netdev/netdev_private.h"
#include "rpc/unixctl.h"

enum { MAX_FRAME = 65535, MIN_PADDED = RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN };

static const char WHITE[] = " \t\n";

static netdev_dummy_compose_fn *compose_flow;

void
netdev_dummy_set_compose(netdev_dummy_compose_fn *fn)
{
    compose_flow = fn;
}

// A frame as pairs of hex digits, with white space between them or not; NULL when 's' is not that,
// or too short for one.
static uint8_t *
packet_from_hex(const char *s, size_t *size)
{
    size_t len = strlen(s), n = 0;

    if (len < 2 * sizeof(struct rte_ether_hdr)) {
        return NULL;
    }
    uint8_t *bytes = xmalloc(len / 2);
    for (s += strspn(s, WHITE); *s != '\0'; s += 2, s += strspn(s, WHITE)) {
        if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]) || n == MAX_FRAME) {
            free(bytes);
            return NULL;
        }
        char digits[3] = {s[0], s[1], '\0'};
        bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    if (n < sizeof(struct rte_ether_hdr)) {
        free(bytes);
        return NULL;
    }
    *size = n;
    return bytes;
}

static uint8_t *
packet_from_text(const char *text, size_t *size, char **errorp)
{
    uint8_t *bytes = packet_from_hex(text, size);

    *errorp = NULL;
    if (bytes == NULL && compose_flow != NULL) {
        bytes = compose_flow(text, size, errorp);
    }
    return bytes;
}

// Frames shorter than 'len' are padded with zeros.
static int
receive_one(struct netdev *netdev, uint16_t qid, size_t len, const uint8_t *bytes, size_t size)
{
    if (len <= size) {
        return netdev_dummy_receive(netdev, qid, bytes, size);
    }
    uint8_t *padded = xzalloc(len);
    memcpy(padded, bytes, size);
    int error = netdev_dummy_receive(netdev, qid, padded, len);
    free(padded);
    return error;
}

// "--len N" may stand behind a packet.  Moves '*i' behind it; false: an error was sent.
static bool
take_len(struct unixctl_conn *conn, int argc, const char *argv[], int *i, unsigned int *len)
{
    *len = 0;
    if (*i + 1 >= argc || strcmp(argv[*i], "--len") != 0) {
        return true;
    }
    if (!str_to_uint(argv[*i + 1], 10, len) || *len < MIN_PADDED) {
        unixctl_reply_error(conn, "too small packet len");
        return false;
    }
    if (*len > MAX_FRAME) {
        unixctl_reply_errorf(conn, "too large packet len: %u bytes at most", (unsigned)MAX_FRAME);
        return false;
    }
    *i += 2;
    return true;
}

static void
cmd_receive(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct netdev *netdev = netdev_find(argv[1]);
    unsigned int qid = 0, len;
    int i = 2;

    if (netdev == NULL || !netdev_is_dummy(netdev)) {
        unixctl_reply_error(conn, "no such dummy netdev");
        return;
    }
    if (argc > 3 && strcmp(argv[i], "--qid") == 0) {
        if (!str_to_uint(argv[i + 1], 10, &qid) || qid >= netdev->queues.n_rxq) {
            unixctl_reply_error(conn, "bad rx queue id.");
            return;
        }
        i += 2;
    }
    while (i < argc) {
        size_t size;
        char *error_text;
        uint8_t *bytes = packet_from_text(argv[i++], &size, &error_text);
        if (bytes == NULL) {
            unixctl_reply_error(conn,
                                error_text != NULL ? error_text : "bad packet or flow syntax");
            free(error_text);
            return;
        }
        if (!take_len(conn, argc, argv, &i, &len)) {
            free(bytes);
            return;
        }
        int error = receive_one(netdev, (uint16_t)qid, len, bytes, size);
        free(bytes);
        if (error != 0 && error != -ENETDOWN) {
            unixctl_reply_errorf(conn, "%s: %s", argv[1], err_str(error));
            return;
        }
    }
    unixctl_reply(conn, NULL);
}

static void
cmd_set_admin_state(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    netdev_ctl_set_admin_state(conn, argc, argv, netdev_is_dummy, "Unknown Dummy Interface");
}

static void
cmd_conn_state(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    if (argc == 1) {
        unixctl_reply(conn, NULL);
        return;
    }
    struct netdev *netdev = netdev_find(argv[1]);
    bool is_ours = netdev != NULL && netdev_is_dummy(netdev);
    char *text =
        xasprintf("%s: %s\n", argv[1], is_ours ? netdev_dummy_conn_state(netdev) : "unknown");
    unixctl_reply(conn, text);
    free(text);
}

// "1.2.3.4/24" or "fc00::1/64", the length may be absent.  NULL, or a new error text.
static char *
address_from_text(const char *s, int family, void *address, unsigned int *plen)
{
    size_t n = strcspn(s, "/");
    unsigned int max = family == AF_INET ? 32 : 128;
    char *text = xmemdup0(s, n);
    bool ok = inet_pton(family, text, address) == 1;

    free(text);
    if (!ok) {
        return xasprintf("%s: invalid %s address", s, family == AF_INET ? "IP" : "IPv6");
    }
    *plen = max;
    if (s[n] == '/' && (!str_to_uint(s + n + 1, 10, plen) || *plen > max)) {
        return xasprintf("%s: %s network prefix bits not between 0 and %u, inclusive", s,
                         family == AF_INET ? "IPv4" : "IPv6", max);
    }
    return NULL;
}

// ip4addr, ip6addr: the host that the port stands for answers for its IPv4 address.
static void
cmd_address(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    int family = strcmp(argv[0], "netdev-dummy/ip4addr") == 0 ? AF_INET : AF_INET6;
    struct netdev *netdev = netdev_find(argv[1]);
    struct in6_addr address;
    unsigned int plen;
    char *error = NULL;

    if (netdev == NULL || !netdev_is_dummy(netdev)) {
        unixctl_reply_error(conn, "Unknown Dummy Interface");
    } else if ((error = address_from_text(argv[2], family, &address, &plen)) != NULL) {
        unixctl_reply_error(conn, error);
    } else {
        if (family == AF_INET) {
            be32_t ip4;
            memcpy(&ip4, &address, sizeof(ip4));
            netdev_dummy_set_ip4(netdev, ip4, plen);
        } else {
            netdev_dummy_set_ip6(netdev, &address, plen);
        }
        unixctl_reply(conn, "OK");
    }
    free(error);
}

void
netdev_dummy_ctl_register(void)
{
    unixctl_register("netdev-dummy/receive", "name [--qid queue_id] packet|flow [--len packet_len]",
                     2, INT_MAX, cmd_receive, NULL);
    unixctl_register("netdev-dummy/set-admin-state", "[netdev] up|down", 1, 2, cmd_set_admin_state,
                     NULL);
    unixctl_register("netdev-dummy/ip4addr", "[netdev] ipaddr/mask-prefix-len", 2, 2, cmd_address,
                     NULL);
    unixctl_register("netdev-dummy/ip6addr", "[netdev] ip6addr", 2, 2, cmd_address, NULL);
    unixctl_register("netdev-dummy/conn-state", "[netdev]", 0, 1, cmd_conn_state, NULL);
}
