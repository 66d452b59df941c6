// SPDX-License-Identifier: Apache-2.0
/*
 * Being a daemon: background, watchdog process, pidfile, another user, readiness.  The protocol is
 * that of ovs-ctl, systemd and logrotate; docs/operation.md tells operators.
 *
 *   shell -> launcher (waits)  -> [monitor] -> worker (the switch)
 *
 * Launcher and monitor learn through a pipe that the worker is ready, or how it ended.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "base/util.h"

struct loop;

struct daemon_settings {
    bool detach;
    bool monitor;
    bool chdir;    /* to "/" when detached */
    char *pidfile; /* NULL: none */
    bool overwrite_pidfile;
    bool takeover;       /* from the process that holds the pidfile, if there is one */
    const char *unixctl; /* that one's control socket; NULL: the default */
    const char *user;    /* NAME[:GROUP] or NULL */
    bool keep_rawio;
    int linger_s;           /* how long to go on forwarding after the end; 0: not at all */
    bool linger_on_request; /* only after an end by sluice/linger */
};

/* Forks as asked, and returns in the worker only, which holds the locked pidfile and runs as the
 * user.  Must come before the first thread.  Errors end the process with a text and status 1. */
void daemon_start(const struct daemon_settings *settings);

/* The first configuration is in force: the launcher may end, systemd hears READY=1, and its
 * watchdog is fed from 'loop' from now on. */
void daemon_set_ready(struct loop *loop);
/* 'signum', which has a handler by now, is one that ends the switch: a monitor that finds it killed
 * after it was sent does not start it again. */
void daemon_note_end_signal(int signum);
/* Before teardown: systemd hears STOPPING=1. */
void daemon_set_stopping(void);
/* The switch has ended for everybody else, by 'signum' or (0) by exit, but this process goes on
 * forwarding, as settings' linger_s wants: nothing here is left to be done. */
void daemon_leave(int signum);
/* In place of it, when 'successor' is the switch from now on. */
void daemon_set_succeeded(long successor);
/* The pidfile is there again, after a daemon_finish() that was too soon. */
void daemon_take_pidfile(const struct daemon_settings *settings);
/* Removes the pidfile.  Last. */
void daemon_finish(void);

/* Pid that holds the lock on 'pidfile'; 0 when nobody does, a negative errno on failure. */
long daemon_read_pidfile(const char *pidfile);

/* How many processes of the monitor's crashed before this one. */
unsigned int daemon_n_crashes(void);

#endif
