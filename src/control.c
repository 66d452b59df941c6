// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket's first commands: those that end the process.  Both are answered when all else
 * has ended, as who asked is going to start another switch, or to look at what is left.
 */
#include "root.h"

#include <errno.h>
#include <stdlib.h>

#include "rpc/unixctl.h"

/* exit [--cleanup]: answered when everything below is down. */
static void
cmd_exit(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct root *root = aux;

    if (argc > 1 && strcmp(argv[1], "--cleanup") == 0) {
        root->cleanup = true;
    }
    if (root->n_exit_conns < ARRAY_SIZE(root->exit_conns)) {
        root->exit_conns[root->n_exit_conns++] = conn;
    } else {
        unixctl_reply(conn, NULL);
    }
    loop_break(root->loop);
}

/* sluice/linger: an exit that is followed by a start. */
static void
cmd_linger(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct root *root = aux;

    if (root->options.daemon.linger_s == 0) {
        unixctl_reply_error(conn, "needs --linger or --linger-on-request");
        return;
    }
    root->is_asked_to_linger = true;
    cmd_exit(conn, argc, argv, root);
}

int
control_init(struct root *root, char **error)
{
    int result = unixctl_create(root->options.unixctl, root->loop, &root->unixctl, error);

    if (result == 0) {
        unixctl_register("exit", "[--cleanup]", 0, 1, cmd_exit, root);
        unixctl_register("sluice/linger", "", 0, 0, cmd_linger, root);
        rpc_ctl_register(root->loop);
        if (root->options.enable_dummy) {
            rpc_ctl_register_time(root->loop);
        }
    } else if (*error != NULL) {
        char *text = xasprintf("could not initialize control socket: %s", *error);
        free(*error);
        *error = text;
    }
    return result;
}

static void
answer_all(struct root *root)
{
    if (root->n_exit_conns > 0) {
        daemon_finish(); /* Who is answered finds nothing left behind, and may start a successor. */
    }
    for (size_t i = 0; i < root->n_exit_conns; i++) {
        unixctl_reply(root->exit_conns[i], NULL);
    }
    root->n_exit_conns = 0;
}

/* What is short leaves at once; nobody is waited for. */
static void
let_answers_leave(struct root *root)
{
    for (int i = 0; i < 3; i++) {
        loop_run_once(root->loop, 0);
    }
}

void
control_answer_exits(struct root *root)
{
    answer_all(root);
    let_answers_leave(root);
}

void
control_fini(struct root *root)
{
    unixctl_mute(root->unixctl); /* That file is gone, too, when somebody is answered. */
    answer_all(root);
    unixctl_destroy(root->unixctl);
    let_answers_leave(root);
}
