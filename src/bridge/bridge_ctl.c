// SPDX-License-Identifier: Apache-2.0
/*
 * bridge_ctl.c - commands for ovs-appctl about ports as the database has them.  Main thread.
 */
#include <string.h>

#include "bridge/bridge_int.h"
#include "rpc/unixctl.h"

struct br_iface *
bridges_find_iface(const struct bridges *b, const char *name)
{
    struct br_iface *iface = NULL;

    for (struct br *br = b->brs; br && !iface; br = br->hh.next) {
        iface = br_iface_find(br, name);
    }
    return iface;
}

/* dpif-dummy/change-port-number DP PORT NUMBER: for hermetic tests of what follows a new number. */
static void
change_port_number(struct unixctl_conn *conn, int argc, const char *argv[], void *bridges_)
{
    struct bridges *b = bridges_;
    struct br_iface *iface = bridges_find_iface(b, argv[2]);
    char name[64];
    unsigned number;

    (void)argc;
    if (!b->brs || strcmp(argv[1], dp_name(b->dp))) {
        unixctl_reply_error(conn, "unknown datapath or not a dummy");
    } else if (!iface || iface->odp_port == ODPP_NONE) {
        unixctl_reply_error(conn, "unknown port");
    } else if (!str_to_uint(argv[3], 10, &number) || !number || number >= DP_MAX_PORTS) {
        unixctl_reply_error(conn, "bad port number");
    } else if (dp_port_name(b->dp, number, name, sizeof name)) {
        unixctl_reply_error(conn, "port number already in use");
    } else {
        br_iface_renumber(iface, number);
        bridges_run(b);
        unixctl_reply(conn, NULL);
    }
}

void
bridge_ctl_init(struct bridges *b)
{
    br_qos_ctl_init(b);
    if (b->cfg.enable_dummy) {
        unixctl_register("dpif-dummy/change-port-number", "dp port new-number", 3, 3,
                         change_port_number, b);
    }
}
