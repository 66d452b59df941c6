// SPDX-License-Identifier: Apache-2.0
/*
 * Which database the switch has, by its options, and what a start-up file puts into it.
 */
#include "root.h"

#include <stdlib.h>

#include "base/dirs.h"
#include "bridge/startup.h"
#include "ovsdb/db.h"

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

int
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

void
database_fini(struct root *root)
{
    if (root->db != NULL) {
        db_close(root->db);
        root->db = NULL;
    }
}
