// SPDX-License-Identifier: Apache-2.0
/*
 * remote.h - where clients come from: listening sockets, connections that the server makes itself,
 * and those that rows of the database ask for ("db:Open_vSwitch,Open_vSwitch,manager_options").
 * Main thread.
 */
#ifndef OVSDB_REMOTE_H
#define OVSDB_REMOTE_H 1

#include <stddef.h>

#include "ovsdb/server.h"

struct ovsdb_remotes;

struct ovsdb_tls_files {
    const char *private_key; /* each a path, "db:DB,TABLE,COLUMN", or NULL */
    const char *certificate;
    const char *ca_cert;
};

/* Opens the fixed remotes, then those of the database.  Returns 0, or a negative errno and
 * '*error', a text that the caller frees, if a fixed one fails. */
int ovsdb_remotes_create(struct ovsdb_server *server, const char *const *names, size_t n,
                         const struct ovsdb_tls_files *tls, struct ovsdb_remotes **remotesp,
                         char **error);
void ovsdb_remotes_destroy(struct ovsdb_remotes *remotes);

/* Follows changes of the database; call it after commits. */
void ovsdb_remotes_refresh(struct ovsdb_remotes *remotes);

#endif /* ovsdb/remote.h */
