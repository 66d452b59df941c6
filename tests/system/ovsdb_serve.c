// SPDX-License-Identifier: Apache-2.0
/*
 * ovsdb_serve.c - serves one journal like the switch does, without a switch: for tests of the
 * database with the stock tools.
 *
 *     ovsdb_serve [--client REMOTE] [--echo-cfg] [--schema FILE] JOURNAL REMOTE...
 *
 * With --echo-cfg it also plays the bridge: copies next_cfg to cur_cfg after each change.  With
 * --client it is a client of the server at REMOTE instead, and takes no JOURNAL.  Prints "ready"
 * when the database is; ends with SIGTERM or SIGINT.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/loop.h"
#include "ovsdb/db.h"
#include "rpc/stream.h"

struct serve {
    struct loop *loop;
    struct db *db;
    bool echoes_cfg;
    bool said_ready;
};

static void
on_txn(void *aux, enum db_txn_status status, const char *error)
{
    if (status != DB_TXN_SUCCESS && status != DB_TXN_UNCHANGED) {
        printf("transaction: status %d %s\n", (int)status, error != NULL ? error : "");
        fflush(stdout);
    }
}

static void
on_change(void *serve_)
{
    struct serve *serve = serve_;
    const struct db_row *root = db_first(serve->db, "Open_vSwitch");

    if (!serve->said_ready && db_is_ready(serve->db)) {
        serve->said_ready = true;
        printf("ready\n");
        fflush(stdout);
    }
    if (serve->echoes_cfg && root != NULL && db_has_lock(serve->db)) {
        struct db_txn *txn = db_txn_create(serve->db);
        const struct db_row *iface;
        int64_t port = 0;

        DB_FOR_EACH_ROW (iface, serve->db, "Interface") {
            db_txn_set_int(txn, iface, "ofport", ++port);
            db_txn_map_put(txn, iface, "status", "seen", "yes");
        }
        db_txn_set_int(txn, root, "cur_cfg", row_int_or(root, "next_cfg", 0));
        db_txn_commit(txn, on_txn, NULL);
    }
}

static void
on_signal(void *loop)
{
    loop_break(loop);
}

static int
usage(void)
{
    fprintf(stderr, "usage: ovsdb_serve [--echo-cfg] [--client REMOTE | JOURNAL REMOTE...]\n");
    return 2;
}

int
main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"client", required_argument, NULL, 'c'},
        {"schema", required_argument, NULL, 's'},
        {"echo-cfg", no_argument, NULL, 'e'},
        {"private-key", required_argument, NULL, 'p'},
        {"certificate", required_argument, NULL, 'C'},
        {"ca-cert", required_argument, NULL, 'A'},
        {NULL, 0, NULL, 0},
    };
    struct db_embedded_cfg cfg = {.loop = NULL};
    struct tls_settings tls = {.private_key_file = NULL};
    struct db_client_cfg client = {.tls = &tls};
    struct serve serve = {.loop = NULL};
    struct loop_signal term = {.loop = NULL}, intr = {.loop = NULL};
    char *error = NULL;
    int option, result;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c') {
            client.remote = optarg;
        } else if (option == 's') {
            cfg.schema_path = optarg;
        } else if (option == 'e') {
            serve.echoes_cfg = true;
        } else if (option == 'p') {
            cfg.private_key = tls.private_key_file = optarg;
        } else if (option == 'C') {
            cfg.certificate = tls.certificate_file = optarg;
        } else if (option == 'A') {
            cfg.ca_cert = tls.ca_cert_file = optarg;
        } else {
            return usage();
        }
    }
    if (client.remote == NULL && argc - optind < 1) {
        return usage();
    }
    log_init("ovsdb_serve");
    signal(SIGPIPE, SIG_IGN);
    serve.loop = cfg.loop = client.loop = loop_create("main");
    loop_signal_start(&term, serve.loop, SIGTERM, on_signal, serve.loop);
    loop_signal_start(&intr, serve.loop, SIGINT, on_signal, serve.loop);
    if (client.remote != NULL) {
        result = db_open_client(&client, &serve.db, &error);
    } else {
        cfg.journal_path = argv[optind];
        cfg.remotes = (const char *const *)&argv[optind + 1];
        cfg.n_remotes = (size_t)(argc - optind - 1);
        result = db_open_embedded(&cfg, &serve.db, &error);
    }
    if (result) {
        fprintf(stderr, "ovsdb_serve: %s\n", error);
        free(error);
    } else {
        db_set_change_cb(serve.db, on_change, &serve);
        loop_run(serve.loop);
        db_close(serve.db);
    }
    loop_signal_stop(&term);
    loop_signal_stop(&intr);
    loop_destroy(serve.loop);
    log_fini();
    return result ? 1 : 0;
}
