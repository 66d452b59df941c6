// SPDX-License-Identifier: Apache-2.0
//
// netdev-dummy/*: commands of hermetic tests, registered with --enable-dummy.  Main thread.
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "netdev/netdev_ctl_admin.h"
#include "netdev/netdev_dummy.h"
#include "netdev/netdev_private.h"
#include "rpc/unixctl.h"

enum { MAX_FRAME = 65535 };

static netdev_dummy_compose_fn *compose_flow;

void
netdev_dummy_set_compose(netdev_dummy_compose_fn *fn)
{
    compose_flow = fn;
}

// A packet as hex digits; NULL when 's' is not that.
static uint8_t *
packet_from_hex(const char *s, size_t *size)
{
    size_t len = strlen(s);

    if (len == 0 || len % 2 != 0 || len > 2 * MAX_FRAME ||
        strspn(s, "0123456789abcdefABCDEF") != len) {
        return NULL;
    }
    uint8_t *bytes = xmalloc(len / 2);
    for (size_t i = 0; i < len / 2; i++) {
        char digits[3] = {s[2 * i], s[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    *size = len / 2;
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

// Frames shorter than 'len' (or than Ethernet allows) are padded with zeros.
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

static void
cmd_receive(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct netdev *netdev = netdev_find(argv[1]);
    unsigned int qid = 0, len = 0;
    int i = 2;

    if (netdev == NULL || !netdev_is_dummy(netdev)) {
        unixctl_reply_error(conn, "no such dummy netdev");
        return;
    }
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        unsigned int *value = strcmp(argv[i], "--qid") == 0   ? &qid
                              : strcmp(argv[i], "--len") == 0 ? &len
                                                              : NULL;
        if (value == NULL || !str_to_uint(argv[i + 1], 10, value) || qid >= netdev->queues.n_rxq ||
            len > MAX_FRAME) {
            unixctl_reply_errorf(conn, "bad option %s %s", argv[i], argv[i + 1]);
            return;
        }
    }
    for (; i < argc; i++) {
        size_t size;
        char *error_text;
        uint8_t *bytes = packet_from_text(argv[i], &size, &error_text);
        if (bytes == NULL) {
            unixctl_reply_error(conn,
                                error_text != NULL ? error_text : "bad packet or flow syntax");
            free(error_text);
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

// Without options:stream a port has no connection whose state there could be.
static void
cmd_conn_state(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    if (argc == 1) {
        unixctl_reply(conn, NULL);
        return;
    }
    struct netdev *netdev = netdev_find(argv[1]);
    if (netdev == NULL || !netdev_is_dummy(netdev)) {
        unixctl_reply_error(conn, "no such dummy netdev");
        return;
    }
    char *text = xasprintf("%s: unknown\n", argv[1]);
    unixctl_reply(conn, text);
    free(text);
}

static void
cmd_ip4addr(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct netdev *netdev = netdev_find(argv[1]);
    struct in_addr ip;
    char *text = xmemdup0(argv[2], strcspn(argv[2], "/"));
    bool ok = inet_pton(AF_INET, text, &ip) == 1;

    free(text);
    if (netdev == NULL || !netdev_is_dummy(netdev)) {
        unixctl_reply_error(conn, "Unknown Dummy Interface");
    } else if (!ok) {
        unixctl_reply_error(conn, "Invalid parameters");
    } else {
        netdev_dummy_set_ip4(netdev, ip.s_addr);
        unixctl_reply(conn, "OK");
    }
}

void
netdev_dummy_ctl_register(void)
{
    unixctl_register("netdev-dummy/receive", "name [--qid queue_id] packet|flow [--len packet_len]",
                     2, INT_MAX, cmd_receive, NULL);
    unixctl_register("netdev-dummy/set-admin-state", "[netdev] up|down", 1, 2, cmd_set_admin_state,
                     NULL);
    unixctl_register("netdev-dummy/ip4addr", "[netdev] ipaddr/mask-prefix-len", 2, 2, cmd_ip4addr,
                     NULL);
    unixctl_register("netdev-dummy/conn-state", "[netdev]", 0, 1, cmd_conn_state, NULL);
}
