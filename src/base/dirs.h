// SPDX-License-Identifier: Apache-2.0
/*
 * Where things live: OVS_RUNDIR, OVS_LOGDIR, OVS_DBDIR and OVS_SYSCONFDIR from the environment,
 * else Debian's places.  Read once; the results are borrowed for the life of the process.  Any
 * thread.
 */
#ifndef BASE_DIRS_H
#define BASE_DIRS_H

#include "base/util.h"

/* The name under which the stock tools know the daemon: pidfile, control socket, log, comm. */
#define PROGRAM_NAME "ovs-vswitchd"
/* The release whose behaviour and database version the daemon presents. */
#define COMPAT_VERSION "3.1.0"

const char *dirs_run(void); /* /var/run/openvswitch */
const char *dirs_log(void); /* /var/log/openvswitch */
const char *dirs_db(void);  /* /etc/openvswitch: OVS_DBDIR, else OVS_SYSCONFDIR/openvswitch */

/* Whether what a database says may name sockets anywhere (--no-self-confinement), or in dirs_run()
 * only.  Set at start, before threads. */
void dirs_set_confined(bool confined);
bool dirs_is_confined(void); /* true unless said otherwise */

/* Returns a new absolute path: 'name' when it starts with '/', else 'dir'/'name'. */
char *dirs_path(const char *dir, const char *name);

#endif
