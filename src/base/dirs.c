// SPDX-License-Identifier: Apache-2.0
/*
 * Directories from the environment or Debian's defaults.
 */
#include "base/dirs.h"

#include <pthread.h>
#include <stdlib.h>

static struct {
    pthread_once_t once;
    const char *run, *log, *db;
} dirs = {.once = PTHREAD_ONCE_INIT};

static char *
from_env(const char *name, const char *def)
{
    const char *value = getenv(name);

    return xstrdup(value && value[0] ? value : def);
}

static void
dirs_init(void)
{
    dirs.run = from_env("OVS_RUNDIR", "/var/run/openvswitch");
    dirs.log = from_env("OVS_LOGDIR", "/var/log/openvswitch");
    char *sysconf = from_env("OVS_SYSCONFDIR", "/etc");
    char *db = xasprintf("%s/openvswitch", sysconf);
    dirs.db = from_env("OVS_DBDIR", db);
    free(db);
    free(sysconf);
}

#define DIRS_GETTER(NAME)                    \
    const char *dirs_##NAME(void)            \
    {                                        \
        pthread_once(&dirs.once, dirs_init); \
        return dirs.NAME;                    \
    }

DIRS_GETTER(run)
DIRS_GETTER(log)
DIRS_GETTER(db)

static bool unconfined; /* w: main, before threads */

void
dirs_set_confined(bool confined)
{
    unconfined = !confined;
}

bool
dirs_is_confined(void)
{
    return !unconfined;
}

char *
dirs_path(const char *dir, const char *name)
{
    return name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
}
