// SPDX-License-Identifier: Apache-2.0
/*
 * One process ends and another one is the switch, while packets go on: what this process gives up,
 * when, and how it takes it back.  It hands over to one that asks (takeover.h), or ends but for its
 * forwarding, and waits for one (linger.h).
 */
#include "root.h"

#include <stdlib.h>

#include "base/keep.h"
#include "base/log.h"
#include "bridge/bridge.h"
#include "linger.h"
#include "netdev/netdev.h"
#include "rpc/unixctl.h"
#include "takeover.h"

LOG_MODULE(vswitchd);

static void
linger_end(void *root_)
{
    struct root *root = root_;

    loop_break(root->loop);
}

/* Waits for a switch that takes over.  False when none could find us. */
static bool
await_successor(struct root *root)
{
    char *path = linger_path(), *error = NULL;
    bool ok = unixctl_listen(root->unixctl, path, &error) == 0;

    if (ok) {
        linger_start(root->loop, root->options.daemon.linger_s, root->options.daemon.pidfile,
                     linger_end, root);
    } else {
        log_warn("cannot linger: %s", error);
    }
    free(error);
    free(path);
    return ok;
}

/* DPDK's devices are closed by now; the other ports go on. */
static void
resume_lingering(struct root *root)
{
    netdev_keep_guests(false);
    netdev_begin_guests();
    unixctl_mute(root->unixctl);
    if (!await_successor(root)) {
        loop_break(root->loop);
    }
}

bool
succession_linger(struct root *root)
{
    int seconds = root->options.daemon.linger_s;
    bool is_wanted = !root->options.daemon.linger_on_request || root->is_asked_to_linger;

    if (seconds == 0 || !is_wanted || root->is_lingering || root->is_succeeded || root->cleanup ||
        root->exit_status != 0 || takeover_is_under_way() || !bridges_are_there(root->bridges)) {
        return false;
    }
    daemon_set_stopping();
    bridges_leave(root->bridges);
    database_fini(root);
    unixctl_mute(root->unixctl);
    /* The socket comes before the pidfile goes: who starts now finds one of them. */
    if (!await_successor(root)) {
        return false;
    }
    daemon_finish();
    log_info("lingering: forwarding goes on for %d s, until another switch takes over", seconds);
    control_answer_exits(root);
    daemon_leave(root->end_signal);
    root->end_signal = 0;
    root->is_lingering = true;
    return true;
}

static void
takeover_release(bool with_guests, void *root_)
{
    struct root *root = root_;

    netdev_keep_guests(true);
    if (with_guests) {
        netdev_end_guests();
    }
    bridges_release(root->bridges, with_guests);
    database_fini(root);
    /* Where other starts look for one that lingers: they are refused until this is over. */
    if (!root->is_lingering) {
        char *path = linger_path(), *error = NULL;

        unixctl_mute(root->unixctl);
        if (unixctl_listen(root->unixctl, path, &error) != 0) {
            log_warn("another switch could start meanwhile: %s", error);
        }
        free(error);
        free(path);
    }
    daemon_finish();
}

static void
takeover_release_guests(void *root_)
{
    netdev_release_guests();
}

static void
takeover_end(pid_t successor, void *root_)
{
    struct root *root = root_;

    bridges_halt(root->bridges);
    dpdk_hand_over();
    daemon_set_succeeded((long)successor);
    root->is_succeeded = true;
    loop_break(root->loop);
}

static void
takeover_resume(void *root_)
{
    struct root *root = root_;
    char *error = NULL;

    if (root->is_lingering) {
        resume_lingering(root);
        return;
    }
    keep_turn();
    bridges_destroy(root->bridges, false);
    root->bridges = NULL;
    netdev_keep_guests(false);
    daemon_take_pidfile(&root->options.daemon);
    unixctl_mute(root->unixctl);
    if (unixctl_listen(root->unixctl, root->options.unixctl, &error) != 0 ||
        database_init(root, &error) != 0) {
        root->db = NULL;
        root_fail(root, error ? error : "cannot go on");
        free(error);
        return;
    }
    root_start_bridges(root);
}

int
succession_init(struct root *root, char **error)
{
    static const struct takeover_ops ops = {
        .release = takeover_release,
        .release_guests = takeover_release_guests,
        .end = takeover_end,
        .resume = takeover_resume,
    };

    takeover_serve(root->loop, &ops, root);
    return 0;
}

void
succession_fini(struct root *root)
{
    linger_stop();
    takeover_stop();
}
