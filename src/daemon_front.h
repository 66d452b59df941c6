/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of a switch that may linger (--linger): a small process whose pid is in the pidfile,
 * and the parent of the one that forwards.  For who started the switch, signals it and waits for it
 * (ovs-ctl, systemd, the monitor) the front is the switch; when that is told to end, the front
 * ends, and the other one goes on forwarding for a while.  For daemon.c and daemon_monitor.c.
 *
 * A process without a front is its own: front_is_there() is false and nothing else may be called.
 */
#ifndef DAEMON_FRONT_H
#define DAEMON_FRONT_H

#include <stdbool.h>

struct daemon_settings;

/* Forks.  Returns in the child, which is to be the switch and dies with its front; the front stays
 * inside, and ends as the child does or as front_leave() says. */
void front_fork(const struct daemon_settings *settings);
bool front_is_there(void);

/* Anew after a change of user, which makes the kernel forget that this process dies with the front.
 */
void front_follow(void);
/* A spare is the switch from now on: it outlives its monitor. */
void front_activate(void);
/* The front takes the pidfile, or ends with a text; it gives it up. */
void front_take_pidfile(void);
void front_give_pidfile(void);
/* Nobody reads the front's streams from now on. */
void front_silence(void);
/* As sd_notify(3), from the front. */
void front_notify(const char *text);
/* The front ends as if by 'signum' (0: by exit); this process stays. */
void front_leave(int signum);

#endif
