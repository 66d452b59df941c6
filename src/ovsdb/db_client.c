// SPDX-License-Identifier: Apache-2.0
/*
 * db_client.c - the face of the database in which a stock ovsdb-server owns the data, see db.h.
 */
#include <errno.h>

#include "base/util.h"
#include "ovsdb/db.h"

int
db_open_client(const struct db_client_cfg *cfg, struct db **dbp, char **error)
{
    *dbp = NULL;
    *error = xasprintf("%s: this build serves its own database only", cfg->remote);
    return -EOPNOTSUPP;
}
