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
#include "linger.h"
#include "netdev/netdev.h"
#include "openflow/ofp_action.h"
#include "options.h"
#include "ovsdb/db.h"
#include "rpc/stream.h"
#include "rpc/unixctl.h"
#include "takeover.h"

LOG_MODULE(vswitchd);

/* Main, handlers, revalidators, PMDs on each core, and some air. */
#define MAX_RCU_THREADS 256
#define COVERAGE_MS 1000

static const int end_signals[] = {SIGTERM, SIGINT, SIGHUP};

/* The root context: what main.c owns. */
struct root {
    struct options options;
    struct tls_settings tls; /* of the options */
    struct loop *loop;
    struct unixctl *unixctl;
    struct startup *startup; /* NULL: no --config */
    struct db *db;
    struct bridges *bridges;
    struct loop_timer coverage_timer;
    struct loop_signal signals[ARRAY_SIZE(end_signals)];
    int end_signal; /* The signal to die of; 0: none */
    int exit_status;
    bool is_succeeded;                  /* Another process has taken over. */
    bool is_lingering;                  /* Ended, but for forwarding. */
    bool cleanup;                       /* exit --cleanup */
    bool is_asked_to_linger;            /* sluice/linger */
    struct unixctl_conn *exit_conns[8]; /* Clients that wait for the end. */
    size_t n_exit_conns;
};

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

/* ---- The control socket ---- */

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

static int
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
answer_exits(struct root *root)
{
    if (root->n_exit_conns > 0) {
        daemon_finish(); /* Who is answered finds nothing left behind, and may start a successor. */
    }
    for (size_t i = 0; i < root->n_exit_conns; i++) {
        unixctl_reply(root->exit_conns[i], NULL);
    }
    root->n_exit_conns = 0;
}

/* Short answers leave with the next iteration; nobody is waited for. */
static void
let_answers_leave(struct root *root)
{
    for (int i = 0; i < 3; i++) {
        loop_run_once(root->loop, 5);
    }
}

static void
control_fini(struct root *root)
{
    answer_exits(root);
    unixctl_destroy(root->unixctl);
    let_answers_leave(root);
}

/* ---- Devices, database, bridges ---- */

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
open_embedded(struct root *root, char **error)
{
    const struct options *o = &root->options;
    char *sock = xasprintf("punix:%s/db.sock", dirs_run());
    const char **remotes = xcalloc(o->n_db_remotes + 2, sizeof(*remotes));
    size_t n = 0;

    remotes[n++] = sock;
    remotes[n++] = "db:Open_vSwitch,Open_vSwitch,manager_options";
    for (size_t i = 0; i < o->n_db_remotes; i++) {
        remotes[n++] = o->db_remotes[i];
    }
    struct db_embedded_cfg cfg = {
        .loop = root->loop,
        .journal_path = o->db_file,
        .remotes = remotes,
        .n_remotes = n,
        .private_key = o->private_key ? o->private_key : "db:Open_vSwitch,SSL,private_key",
        .certificate = o->certificate ? o->certificate : "db:Open_vSwitch,SSL,certificate",
        .ca_cert = o->ca_cert ? o->ca_cert : "db:Open_vSwitch,SSL,ca_cert",
        .ovs_version = COMPAT_VERSION,
    };
    int result = db_open_embedded(&cfg, &root->db, error);
    free(remotes);
    free(sock);
    return result;
}

static int
open_client(struct root *root, char **error)
{
    struct db_client_cfg cfg = {
        .loop = root->loop,
        .remote = root->options.remote,
        .tls = &root->tls,
    };

    return db_open_client(&cfg, &root->db, error);
}

/* What the command line says about keys and certificates. */
static struct tls_settings
tls_of_options(const struct options *o)
{
    return (struct tls_settings){
        .private_key_file = o->private_key,
        .certificate_file = o->certificate,
        .ca_cert_file = o->ca_cert,
        .peer_ca_cert_file = o->peer_ca_cert,
        .protocols = o->ssl_protocols,
        .ciphers = o->ssl_ciphers,
        .bootstrap_ca_cert = o->bootstrap_ca_cert,
    };
}

static int
database_init(struct root *root, char **error)
{
    root->tls = tls_of_options(&root->options);
    int result = root->options.remote ? open_client(root, error) : open_embedded(root, error);

    if (result == 0 && root->startup != NULL) {
        result = startup_apply(root->startup, root->db, error);
        if (result != 0) {
            db_close(root->db);
        }
    }
    return result;
}

static void
database_fini(struct root *root)
{
    db_close(root->db);
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

static void
on_fatal(const char *reason, void *aux)
{
    struct root *root = aux;

    log_emer("%s", reason);
    root->exit_status = EXIT_FAILURE;
    loop_break(root->loop);
}

static int
bridges_init(struct root *root, char **error)
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

/* ---- Another process takes over ---- */

static void
leave_database(struct root *root)
{
    if (root->db != NULL) {
        db_close(root->db);
        root->db = NULL;
    }
}

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

/* The switch was told to end.  True when it does, but for forwarding. */
static bool
begin_to_linger(struct root *root)
{
    int seconds = root->options.daemon.linger_s;
    bool is_wanted = !root->options.daemon.linger_on_request || root->is_asked_to_linger;

    if (seconds == 0 || !is_wanted || root->is_lingering || root->is_succeeded || root->cleanup ||
        root->exit_status != 0 || takeover_is_under_way() || !bridges_are_there(root->bridges)) {
        return false;
    }
    daemon_set_stopping();
    bridges_leave(root->bridges);
    leave_database(root);
    unixctl_mute(root->unixctl);
    /* The socket comes before the pidfile goes: who starts now finds one of them. */
    if (!await_successor(root)) {
        return false;
    }
    daemon_finish();
    log_info("lingering: forwarding goes on for %d s, until another switch takes over", seconds);
    answer_exits(root);
    let_answers_leave(root);
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
    leave_database(root);
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
        on_fatal(error ? error : "cannot go on", root);
        free(error);
        return;
    }
    bridges_init(root, &error);
}

static int
takeover_init(struct root *root, char **error)
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

static void
takeover_fini(struct root *root)
{
    linger_stop();
    takeover_stop();
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
    {"database", database_init, database_fini},
    {"bridges", bridges_init, bridges_fini}, /* datapath, ofproto, slow path       */
    {"takeover", takeover_init, takeover_fini},
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
        if (begin_to_linger(&root)) {
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
