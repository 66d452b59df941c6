// SPDX-License-Identifier: Apache-2.0
/*
 * Parses the command line.  Errors go to standard error as "ovs-vswitchd: TEXT" with status 1, like
 * those of the daemon that we stand in for: ovs-ctl and operators' scripts look at them.
 */
#include "options.h"

#include <getopt.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <rte_version.h>

#include "base/dirs.h"
#include "base/log.h"
#include "ovsdb/db.h"
#include "rpc/stream.h"

enum { LINGER_DEFAULT_S = 30, LINGER_MAX_S = 3600 };

enum {
    OPT_MLOCKALL = 256,
    OPT_UNIXCTL,
    OPT_DUMMY,
    OPT_DISABLE_SYSTEM,
    OPT_DISABLE_SYSTEM_ROUTE,
    OPT_DPDK,
    OPT_BOOTSTRAP_CA_CERT,
    OPT_PEER_CA_CERT,
    OPT_SSL_PROTOCOLS,
    OPT_SSL_CIPHERS,
    OPT_DETACH,
    OPT_MONITOR,
    OPT_NO_CHDIR,
    OPT_PIDFILE,
    OPT_OVERWRITE_PIDFILE,
    OPT_TAKEOVER,
    OPT_LINGER,
    OPT_LINGER_ON_REQUEST,
    OPT_USER,
    OPT_NO_SELF_CONFINEMENT,
    OPT_HW_RAWIO,
    OPT_LOG_FILE,
    OPT_SYSLOG_TARGET,
    OPT_SYSLOG_METHOD,
    OPT_DB,
    OPT_REMOTE,
    OPT_CONFIG,
};

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"verbose", optional_argument, NULL, 'v'},
    {"private-key", required_argument, NULL, 'p'},
    {"certificate", required_argument, NULL, 'c'},
    {"ca-cert", required_argument, NULL, 'C'},
    {"bootstrap-ca-cert", required_argument, NULL, OPT_BOOTSTRAP_CA_CERT},
    {"peer-ca-cert", required_argument, NULL, OPT_PEER_CA_CERT},
    {"ssl-protocols", required_argument, NULL, OPT_SSL_PROTOCOLS},
    {"ssl-ciphers", required_argument, NULL, OPT_SSL_CIPHERS},
    {"mlockall", no_argument, NULL, OPT_MLOCKALL},
    {"unixctl", required_argument, NULL, OPT_UNIXCTL},
    {"enable-dummy", optional_argument, NULL, OPT_DUMMY},
    {"disable-system", no_argument, NULL, OPT_DISABLE_SYSTEM},
    {"disable-system-route", no_argument, NULL, OPT_DISABLE_SYSTEM_ROUTE},
    {"dpdk", optional_argument, NULL, OPT_DPDK},
    {"detach", no_argument, NULL, OPT_DETACH},
    {"monitor", no_argument, NULL, OPT_MONITOR},
    {"no-chdir", no_argument, NULL, OPT_NO_CHDIR},
    {"pidfile", optional_argument, NULL, OPT_PIDFILE},
    {"overwrite-pidfile", no_argument, NULL, OPT_OVERWRITE_PIDFILE},
    {"takeover", no_argument, NULL, OPT_TAKEOVER},
    {"linger", optional_argument, NULL, OPT_LINGER},
    {"linger-on-request", optional_argument, NULL, OPT_LINGER_ON_REQUEST},
    {"user", required_argument, NULL, OPT_USER},
    {"no-self-confinement", no_argument, NULL, OPT_NO_SELF_CONFINEMENT},
    {"hw-rawio-access", no_argument, NULL, OPT_HW_RAWIO},
    {"log-file", optional_argument, NULL, OPT_LOG_FILE},
    {"syslog-target", required_argument, NULL, OPT_SYSLOG_TARGET},
    {"syslog-method", required_argument, NULL, OPT_SYSLOG_METHOD},
    {"db", required_argument, NULL, OPT_DB},
    {"remote", required_argument, NULL, OPT_REMOTE},
    {"config", required_argument, NULL, OPT_CONFIG},
    {NULL, 0, NULL, 0},
};

static NO_RETURN void fatal(const char *fmt, ...) PRINTF_FORMAT(1, 2);

static NO_RETURN void
fatal(const char *fmt, ...)
{
    va_list args;

    fputs(PROGRAM_NAME ": ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static NO_RETURN void
print_version(void)
{
    /* ovs-ctl takes the last word of the line with "Open vSwitch" for the version. */
    printf("%s (Open vSwitch) %s\n%s\nSluice %s\n", PROGRAM_NAME, COMPAT_VERSION, rte_version(),
           SLUICE_VERSION);
    exit(EXIT_SUCCESS);
}

static NO_RETURN void
print_help(void)
{
    printf("sluiced: Sluice, a virtual switch on DPDK; stands in for %s\n"
           "usage: sluiced [OPTIONS] [DATABASE]\n"
           "where DATABASE is a connection to an ovsdb-server that owns the configuration.\n"
           "Without it, sluiced serves a database of its own on unix:%s/db.sock;\n"
           "started under the name %s it is a client of that socket instead.\n",
           PROGRAM_NAME, dirs_run(), PROGRAM_NAME);
    printf("\nDatabase options:\n"
           "  unix:FILE               client of an ovsdb-server on this socket\n"
           "  tcp:HOST:PORT           client of an ovsdb-server at HOST\n"
           "  ssl:HOST:PORT           the same over TLS; several of them, with commas between,\n"
           "                          are tried in turn\n"
           "  --db=FILE               serve the database in FILE (default: %s/conf.db)\n"
           "  --remote=METHOD         serve it on punix:FILE, ptcp:[PORT][:IP], pssl:[PORT][:IP]\n"
           "                          as well; may be repeated\n"
           "  --config=FILE           bridges, ports and flows to have after the start, as\n"
           "                          sluiced.json(5) describes\n",
           dirs_db());
    printf("\nPKI configuration (required to use SSL):\n"
           "  -p, --private-key=FILE  private key\n"
           "  -c, --certificate=FILE  certificate of the private key\n"
           "  -C, --ca-cert=FILE      CA certificate of the peers\n"
           "  --bootstrap-ca-cert=FILE  the same, created from the first peer when missing\n"
           "  --peer-ca-cert=FILE     CA certificate to send to peers\n"
           "  --ssl-protocols=PROTOS  TLS versions to allow\n"
           "  --ssl-ciphers=CIPHERS   ciphers to allow\n");
    printf("\nDaemon options:\n"
           "  --detach                run in background\n"
           "  --monitor               watch the daemon and restart it when it crashes\n"
           "  --user=NAME[:GROUP]     run as this user\n"
           "  --no-chdir              stay in the current directory\n"
           "  --pidfile[=FILE]        create a pidfile (default: %s/%s.pid)\n"
           "  --overwrite-pidfile     start even if the pidfile belongs to a running daemon\n"
           "  --takeover              take over from the daemon that has the pidfile, if any\n"
           "  --linger[=SECONDS]      after the end, forward on for the next start to take over\n"
           "  --linger-on-request[=SECONDS]  the same, but only after \"sluice/linger\"\n"
           "                          (default: %d)\n"
           "  --mlockall              keep all memory resident\n"
           "  --hw-rawio-access       with --user, keep raw I/O access\n"
           "  --no-self-confinement   controllers' Unix sockets may lie outside of the run "
           "directory\n",
           dirs_run(), PROGRAM_NAME, LINGER_DEFAULT_S);
    printf("\nLogging options:\n"
           "  -vSPEC, --verbose=SPEC  set log levels\n"
           "  -v, --verbose           log everything\n"
           "  --log-file[=FILE]       log to FILE (default: %s/%s.log)\n"
           "  --syslog-method=(libc|unix:FILE|udp:IP:PORT|null)\n"
           "  --syslog-target=HOST    send syslog lines to HOST as well\n",
           dirs_log(), PROGRAM_NAME);
    printf("\nDPDK is configured through the database (other_config:dpdk-*).\n"
           "\nOther options:\n"
           "  --unixctl=SOCKET        control socket in place of %s/%s.PID.ctl\n"
           "  --enable-dummy[=override|system]  port types for tests\n"
           "  --disable-system        no ports on devices of the kernel\n"
           "  --disable-system-route  tunnels do not go by the kernel's routes\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n",
           dirs_run(), PROGRAM_NAME);
    exit(EXIT_SUCCESS);
}

static void
log_option(const char *arg, char *error)
{
    if (error != NULL) {
        fatal("processing \"%s\": %s", arg ? arg : "", error);
    }
}

static enum netdev_dummy_level
dummy_level(const char *arg)
{
    if (arg == NULL || arg[0] == '\0') {
        return NETDEV_DUMMY_TYPE;
    }
    if (strcmp(arg, "override") == 0) {
        return NETDEV_DUMMY_OVERRIDE_ALL;
    }
    if (strcmp(arg, "system") == 0) {
        return NETDEV_DUMMY_OVERRIDE_SYSTEM;
    }
    fatal("--enable-dummy takes \"override\" or \"system\", not \"%s\"", arg);
}

static int
linger_seconds(const char *option, const char *arg)
{
    int seconds;

    if (arg == NULL) {
        return LINGER_DEFAULT_S;
    }
    if (!str_to_int(arg, 10, &seconds) || seconds < 0 || seconds > LINGER_MAX_S) {
        fatal("%s takes 0 to %d seconds, not \"%s\"", option, LINGER_MAX_S, arg);
    }
    return seconds;
}

static void
add_db_remote(struct options *o, const char *name)
{
    char *error = strncmp(name, "db:", 3) == 0 ? NULL : stream_name_check(name);

    if (error != NULL) {
        fatal("%s", error);
    }
    o->db_remotes = xreallocarray(o->db_remotes, o->n_db_remotes + 1, sizeof(*o->db_remotes));
    o->db_remotes[o->n_db_remotes++] = name;
}

static void
log_and_daemon_option(struct options *o, int c, const char *arg)
{
    switch (c) {
    case 'v':
        log_option(arg, log_set_spec(arg));
        break;
    case OPT_LOG_FILE:
        if (arg == NULL) {
            (void)mkdir(dirs_log(), 0755); /* It may exist; opening the file tells the rest. */
        }
        /* An unwritable log is said and lived with: the switch matters more. */
        (void)log_set_file(arg);
        break;
    case OPT_SYSLOG_TARGET:
        log_set_syslog_target(arg);
        break;
    case OPT_SYSLOG_METHOD:
        log_option(arg, log_set_syslog_method(arg));
        break;
    case OPT_DETACH:
        o->daemon.detach = true;
        break;
    case OPT_MONITOR:
        o->daemon.monitor = true;
        break;
    case OPT_NO_CHDIR:
        o->daemon.chdir = false;
        break;
    case OPT_PIDFILE:
        free(o->daemon.pidfile);
        o->daemon.pidfile =
            arg ? dirs_path(dirs_run(), arg) : xasprintf("%s/%s.pid", dirs_run(), PROGRAM_NAME);
        break;
    case OPT_OVERWRITE_PIDFILE:
        o->daemon.overwrite_pidfile = true;
        break;
    case OPT_TAKEOVER:
        o->daemon.takeover = true;
        break;
    case OPT_LINGER:
        o->daemon.linger_s = linger_seconds("--linger", arg);
        o->daemon.linger_on_request = false;
        break;
    case OPT_LINGER_ON_REQUEST:
        o->daemon.linger_s = linger_seconds("--linger-on-request", arg);
        o->daemon.linger_on_request = true;
        break;
    case OPT_USER:
        o->daemon.user = arg;
        break;
    case OPT_HW_RAWIO:
        o->daemon.keep_rawio = true;
        break;
    case OPT_NO_SELF_CONFINEMENT:
        dirs_set_confined(false);
        break;
    default:
        break;
    }
}

static void
switch_option(struct options *o, int c, const char *arg)
{
    switch (c) {
    case 'p':
        o->private_key = arg;
        break;
    case 'c':
        o->certificate = arg;
        break;
    case OPT_BOOTSTRAP_CA_CERT:
        o->bootstrap_ca_cert = true;
        o->ca_cert = arg;
        break;
    case 'C':
        o->ca_cert = arg;
        break;
    case OPT_PEER_CA_CERT:
        o->peer_ca_cert = arg;
        break;
    case OPT_SSL_PROTOCOLS:
        o->ssl_protocols = arg;
        break;
    case OPT_SSL_CIPHERS:
        o->ssl_ciphers = arg;
        break;
    case OPT_MLOCKALL:
        o->mlockall = true;
        break;
    case OPT_UNIXCTL:
        o->unixctl = o->daemon.unixctl = arg;
        break;
    case OPT_DUMMY:
        o->enable_dummy = true;
        o->dummy_level = dummy_level(arg);
        break;
    case OPT_DISABLE_SYSTEM:
        o->disable_system = true;
        break;
    case OPT_DISABLE_SYSTEM_ROUTE:
        o->disable_system_route = true;
        break;
    case OPT_DB:
        o->db_file = arg;
        break;
    case OPT_CONFIG:
        o->config_file = arg;
        break;
    case OPT_REMOTE:
        add_db_remote(o, arg);
        break;
    default:
        log_and_daemon_option(o, c, arg);
        break;
    }
}

/* Decides which face of the database it is. */
static void
choose_database(struct options *o, const char *remote)
{
    if (remote != NULL && o->db_file != NULL && !stream_name_is_passive(remote)) {
        fatal("--db and a database to be a client of exclude each other");
    }
    if (remote != NULL && stream_name_is_passive(remote)) {
        add_db_remote(o, remote);
    } else if (remote != NULL) {
        char *error = db_client_check(remote);
        if (error != NULL) {
            fatal("%s", error);
        }
        o->remote = remote;
    } else if (o->db_file == NULL && o->is_genuine_name && o->n_db_remotes == 0) {
        o->remote = xasprintf("unix:%s/db.sock", dirs_run());
    }
    if (o->remote != NULL && o->n_db_remotes > 0) {
        fatal("--remote needs the embedded database");
    }
    if (o->remote != NULL && o->config_file != NULL) {
        fatal("--config needs the embedded database");
    }
    if (o->remote == NULL && o->db_file == NULL) {
        o->db_file = xasprintf("%s/conf.db", dirs_db());
    }
}

void
options_parse(struct options *o, int argc, char *argv[])
{
    char *path = xstrdup(argv[0] ? argv[0] : "");
    const char *syslog_method = getenv("OVS_SYSLOG_METHOD");
    int c;

    *o = (struct options){.daemon.chdir = true};
    o->is_genuine_name = strncmp(basename(path), PROGRAM_NAME, strlen(PROGRAM_NAME)) == 0;
    free(path);
    if (syslog_method != NULL && syslog_method[0] != '\0') {
        log_option(syslog_method, log_set_syslog_method(syslog_method));
    }
    /* getopt's own messages begin with argv[0]. */
    opterr = 1;
    argv[0] = xstrdup(PROGRAM_NAME);
    while ((c = getopt_long(argc, argv, "hVv::p:c:C:", long_options, NULL)) != -1) {
        switch (c) {
        case 'h':
            print_help();
        case 'V':
            print_version();
        case OPT_DPDK:
            fatal("Using --dpdk to configure DPDK is not supported.");
        case '?':
            exit(EXIT_FAILURE);
        default:
            switch_option(o, c, optarg);
        }
    }
    if (argc - optind > 1) {
        fatal("at most one non-option argument accepted; use --help for usage");
    }
    if (o->daemon.takeover && o->daemon.pidfile == NULL) {
        fatal("--takeover needs --pidfile, which says from whom");
    }
    choose_database(o, optind < argc ? argv[optind] : NULL);
}

void
options_free(struct options *o)
{
    free(o->daemon.pidfile);
    free(o->db_remotes);
    o->db_remotes = NULL;
    o->daemon.pidfile = NULL;
}
