// SPDX-License-Identifier: Apache-2.0
/*
 * The daemon: the order in which everything starts and stops, as one table, and the ways to end.
 *
 * Stages start from the first row to the last, and stop in reverse.  A stage that cannot start ends
 * the daemon with a text and status 1, after those before it have been stopped.  All runs in the
 * main thread; the stages make the others (handlers, revalidators, PMDs).
 *
 * Ends: "exit" on the control socket, SIGTERM, SIGINT, SIGHUP, or a fatal error that a stage
 * reports. After a signal the process dies of it, once clean: that is what its parents know.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/dirs.h"
#include "base/keep.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/rcu.h"
#include "base/thread.h"
#include "bridge/bridge.h"
#include "bridge/startup.h"
#include "daemon.h"
#include "dummy_compose.h"
#include "netdev/netdev.h"
#include "openflow/ofp_action.h"
#include "options.h"
#include "root.h"
#include "takeover.h"
#include "tunnel/tunnel.h"

LOG_MODULE(vswitchd);

/* Main, handlers, revalidators, PMDs on each core, and some air. */
#define MAX_RCU_THREADS 256
#define COVERAGE_MS 1000

static const int end_signals[ROOT_END_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

struct stage {
    const char *name;
    int (*init)(struct root *root, char **error);
    void (*fini)(struct root *root);
};

/* ---- Process ---- */

static void
make_dir(const char *path)
{
    /* Missing parents are a mistake that the file operations below it will tell. */
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        log_dbg("cannot make %s (%s)", path, err_str(errno));
    }
}

static int
process_init(struct root *root, char **error)
{
    signal(SIGPIPE, SIG_IGN);
    make_dir(dirs_run());
    if (root->options.remote == NULL) {
        make_dir(dirs_db());
    }
    return 0;
}

/* Before the daemon goes into the background, so that who started it sees what is wrong. */
static int
startup_init(struct root *root, char **error)
{
    const char *path = root->options.config_file;

    return path ? startup_load(path, &root->startup, error) : 0;
}

static void
startup_fini(struct root *root)
{
    startup_destroy(root->startup);
}

/* Pages are locked as they are touched: DPDK's heap of ordinary pages is 1 GB of address space, and
 * filling it takes half a second in which nobody forwards. */
static void
lock_memory(void)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        log_err("mlockall failed: %s", err_str(errno));
    }
}

static int
daemon_init(struct root *root, char **error)
{
    daemon_start(&root->options.daemon);
    if (root->options.daemon.monitor) {
        dpdk_expect_spare();
    }
    /* Here, since locks do not survive a fork. */
    if (root->options.mlockall) {
        lock_memory();
    }
    return 0;
}

static void
daemon_fini(struct root *root)
{
    daemon_finish();
}

/* ---- The loop, signals, RCU ---- */

static int
stage_rcu_init(struct root *root, char **error)
{
    int result = rcu_init(MAX_RCU_THREADS);

    rcu_thread_register();
    return result;
}

static void
stage_rcu_fini(struct root *root)
{
    rcu_fini();
}

static void
run_coverage(void *arg)
{
    coverage_run();
}

static void
end_by_signal(struct root *root, int signum)
{
    log_info("terminating with signal %d (%s)", signum, strsignal(signum));
    root->end_signal = signum;
    loop_break(root->loop);
}

static void
on_sigterm(void *arg)
{
    end_by_signal(arg, SIGTERM);
}

static void
on_sigint(void *arg)
{
    end_by_signal(arg, SIGINT);
}

static void
on_sighup(void *arg)
{
    end_by_signal(arg, SIGHUP);
}

static int
loop_init(struct root *root, char **error)
{
    static loop_fn *const handlers[ARRAY_SIZE(end_signals)] = {on_sigterm, on_sigint, on_sighup};

    root->loop = loop_create("main");
    for (size_t i = 0; i < ARRAY_SIZE(end_signals); i++) {
        int result =
            loop_signal_start(&root->signals[i], root->loop, end_signals[i], handlers[i], root);
        if (result != 0) {
            return result;
        }
        daemon_note_end_signal(end_signals[i]);
    }
    loop_timer_every(&root->coverage_timer, root->loop, COVERAGE_MS, run_coverage, NULL);
    return 0;
}

static void
loop_fini(struct root *root)
{
    loop_timer_stop(&root->coverage_timer);
    for (size_t i = 0; i < ARRAY_SIZE(end_signals); i++) {
        loop_signal_stop(&root->signals[i]);
    }
    loop_destroy(root->loop);
}

/* ---- Devices, bridges ---- */

static int
stage_netdev_init(struct root *root, char **error)
{
    if (root->options.enable_dummy) {
        netdev_enable_dummy(root->options.dummy_level);
        ofpacts_enable_debug();
        netdev_dummy_set_compose(dummy_compose);
    }
    netdev_init(root->loop);
    netdev_ctl_register();
    return 0;
}

static void
stage_netdev_fini(struct root *root)
{
    netdev_fini();
    keep_detach();
    dpdk_stop();
}

static int
stage_tunnel_init(struct root *root, char **error)
{
    root->tunnel = tunnel_create(!root->options.disable_system_route);
    return 0;
}

static void
stage_tunnel_fini(struct root *root)
{
    tunnel_destroy(root->tunnel);
}

static void
on_ready(void *aux)
{
    struct root *root = aux;

    log_info("%s (Open vSwitch) %s", PROGRAM_NAME, COMPAT_VERSION);
    keep_sweep();
    daemon_set_ready(root->loop);
}

static void
claim_guests(void *aux)
{
    takeover_claim_guests();
    netdev_begin_guests();
}

static void
on_forwarding(void *aux)
{
    takeover_finish();
}

void
root_fail(struct root *root, const char *reason)
{
    log_emer("%s", reason);
    root->exit_status = EXIT_FAILURE;
    loop_break(root->loop);
}

static void
on_fatal(const char *reason, void *aux)
{
    root_fail(aux, reason);
}

void
root_start_bridges(struct root *root)
{
    struct bridges_cfg cfg = {
        .loop = root->loop,
        .db = root->db,
        .disable_system = root->options.disable_system,
        .enable_dummy = root->options.enable_dummy,
        .startup = root->startup,
        .tls = &root->tls,
        .has_predecessor = takeover_is_begun(),
        .claim_guests = claim_guests,
        .forwarding = on_forwarding,
        .ready = on_ready,
        .fatal = on_fatal,
        .aux = root,
        .pidfile = root->options.daemon.pidfile,
        .n_crashes = daemon_n_crashes(),
    };

    if (cfg.has_predecessor) {
        netdev_defer_guests();
    }
    root->bridges = bridges_create(&cfg);
}

static int
bridges_init(struct root *root, char **error)
{
    root_start_bridges(root);
    return 0;
}

static void
bridges_fini(struct root *root)
{
    /* Nobody has come for the guests of one that lingered. */
    netdev_keep_guests(!root->cleanup && !root->is_lingering);
    netdev_end();
    bridges_end(root->bridges);
    netdev_end_guests();
    bridges_destroy(root->bridges, root->cleanup);
}

/* ---- The order ---- */

static const struct stage stages[] = {
    /* name        init                fini                                                    */
    {"process", process_init, NULL},
    {"start-up file", startup_init, startup_fini},
    {"daemon", daemon_init, daemon_fini},    /* forks: no thread before it         */
    {"rcu", stage_rcu_init, stage_rcu_fini}, /* the reclaimer is the first thread  */
    {"loop", loop_init, loop_fini},
    {"control", control_init, control_fini},          /* answers "exit" when all is down    */
    {"netdev", stage_netdev_init, stage_netdev_fini}, /* DPDK starts with the first port    */
    {"tunnel", stage_tunnel_init, stage_tunnel_fini}, /* follows the kernel's routes        */
    {"database", database_init, database_fini},
    {"bridges", bridges_init, bridges_fini}, /* datapath, ofproto, slow path       */
    {"succession", succession_init, succession_fini},
};

/* Starts the stages; '*n_started' of them must be stopped.  0 or a negative errno. */
static int
start_all(struct root *root, size_t *n_started)
{
    for (*n_started = 0; *n_started < ARRAY_SIZE(stages); ++*n_started) {
        const struct stage *stage = &stages[*n_started];
        char *error = NULL;
        int result = stage->init(root, &error);

        if (result != 0) {
            fprintf(stderr, "%s: %s\n", PROGRAM_NAME, error ? error : err_str(result));
            log_err("cannot start (%s): %s", stage->name, error ? error : err_str(result));
            free(error);
            return result;
        }
    }
    return 0;
}

static void
stop_all(struct root *root, size_t n_started)
{
    while (n_started-- > 0) {
        if (stages[n_started].fini != NULL) {
            stages[n_started].fini(root);
        }
    }
}

/* Dies of the signal that ended us, so that parents see what they sent. */
static void
die_of(int signum)
{
    signal(signum, SIG_DFL);
    raise(signum);
}

int
main(int argc, char *argv[])
{
    static struct root root;
    size_t n_started;

    clock_start();
    prctl(PR_SET_NAME, PROGRAM_NAME);
    log_init(PROGRAM_NAME);
    options_parse(&root.options, argc, argv);
    if (start_all(&root, &n_started) == 0) {
        loop_run(root.loop);
        if (succession_linger(&root)) {
            loop_run(root.loop);
        } else if (!root.is_succeeded) {
            daemon_set_stopping();
        }
    } else {
        root.exit_status = EXIT_FAILURE;
    }
    stop_all(&root, n_started);
    options_free(&root.options);
    log_fini();
    if (root.end_signal != 0) {
        die_of(root.end_signal);
    }
    return root.exit_status;
}
