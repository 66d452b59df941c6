/* SPDX-License-Identifier: Apache-2.0 */
/* What daemon.c and daemon_monitor.c share; daemon.h is for everyone else. */
#ifndef DAEMON_INT_H
#define DAEMON_INT_H

#include <sys/types.h>

#include "daemon.h"

/* Forks; in the parent '*fdp' is the read end of a pipe on which the child says that it is ready,
 * in the child the earlier such pipe is closed.  Returns fork()'s value. */
pid_t daemon_fork(int *fdp);
/* True when the child says that it is ready; false when it ended first.  Closes 'fd'. */
bool daemon_wait_ready(int fd);
/* Tells whoever waits for this process, once. */
void daemon_tell_ready(void);
/* The pipe to who waits for this process; -1: nobody. */
int daemon_ready_fd(void);
/* Ends this process the way the child did. */
NO_RETURN void daemon_exit_like(int status);
/* Standard streams go to /dev/null: whoever reads ours must not wait for this process. */
void daemon_null_streams(void);
/* Of a daemon in the background, once ready. */
void daemon_silence(void);
/* The user of the settings, if they name one. */
void daemon_become_user(const struct daemon_settings *settings);

/* Returns in the process that is to be the switch; the monitor stays inside and ends with it.
 * 'watchdog_us' as in watch_begin(). */
void daemon_monitor(const struct daemon_settings *settings, uint64_t watchdog_us);

#endif
