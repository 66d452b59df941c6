// SPDX-License-Identifier: Apache-2.0
//
// See netdev_ctl_admin.h.
#include "netdev/netdev_ctl_admin.h"

#include "netdev/netdev_private.h"
#include "rpc/unixctl.h"

struct admin_state {
    bool (*is_ours)(const struct netdev *);
    int off, on;
};

static void
set_admin_state(struct netdev *netdev, void *state_)
{
    const struct admin_state *state = state_;

    if (state->is_ours(netdev)) {
        netdev_set_flags(netdev, state->off, state->on);
    }
}

void
netdev_ctl_set_admin_state(struct unixctl_conn *conn, int argc, const char *argv[],
                           bool (*is_ours)(const struct netdev *), const char *not_ours)
{
    const char *text = argv[argc - 1];
    struct admin_state state = {.is_ours = is_ours,
                                .on = strcasecmp(text, "up") == 0 ? NETDEV_UP : 0,
                                .off = strcasecmp(text, "down") == 0 ? NETDEV_UP : 0};

    if (state.on == state.off) {
        unixctl_reply_error(conn, "Invalid Admin State");
        return;
    }
    if (argc == 2) {
        netdev_foreach(set_admin_state, &state);
    } else {
        struct netdev *netdev = netdev_find(argv[1]);
        if (netdev == NULL || !is_ours(netdev)) {
            unixctl_reply_error(conn, not_ours);
            return;
        }
        netdev_set_flags(netdev, state.off, state.on);
    }
    unixctl_reply(conn, "OK");
}
