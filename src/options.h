// SPDX-License-Identifier: Apache-2.0
/*
 * The command line of the daemon: the options of ovs-vswitchd, and those that the embedded database
 * adds.  Parsed once, before anything starts; constant afterwards.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "daemon.h"
#include "netdev/netdev.h"

struct options {
    struct daemon_settings daemon;

    bool is_genuine_name;    /* Started as "ovs-vswitchd": its defaults. */
    const char *remote;      /* The active database method to be a client of; NULL: embedded. */
    const char *db_file;     /* Journal of the embedded database. */
    const char **db_remotes; /* What the embedded database listens on beside db.sock. */
    size_t n_db_remotes;
    const char *config_file; /* Start-up file; NULL: none. */

    const char *unixctl; /* NULL: the default */
    bool mlockall;
    bool disable_system;
    bool disable_system_route;
    bool enable_dummy;
    enum netdev_dummy_level dummy_level;

    const char *private_key, *certificate, *ca_cert; /* NULL: not given */
    bool bootstrap_ca_cert;
    const char *peer_ca_cert;
    const char *ssl_protocols, *ssl_ciphers;
};

/* Fills '*options'; ends the process for --help, --version and errors.  Log options take effect at
 * once.  'argv' must stay. */
void options_parse(struct options *options, int argc, char *argv[]);
void options_free(struct options *options);

#endif
