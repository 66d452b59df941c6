/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the switch, its monitor and systemd.  The monitor is systemd's main process, so it alone
 * speaks (NotifyAccess=main); what the switch has to say stands in a page that both have.  Under
 * systemd the monitor also ends a switch that hangs, and the switch does not outlive its monitor.
 *
 * One per process; there is no watch in processes without a monitor.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H

#include "base/util.h"

#include <sys/types.h>

/* ---- Monitor ---- */

/* Before the first child.  'watchdog_us' is what systemd waits for a word from us; 0: it does not.
 * Calls that block return EINTR now and then, and watch_go_round() is to be called. */
void watch_begin(uint64_t watchdog_us);
/* A switch is about to be started: it has minutes for that. */
void watch_expect_start(void);
/* Feeds systemd's watchdog; aborts 'worker' (0: there is none) when it has been silent for too
 * long. */
void watch_go_round(pid_t worker);
/* As sd_notify(3). */
void watch_notify(const char *text);
/* The switch wants to end. */
bool watch_end_is_expected(void);
/* Before the monitor ends with its worker: who is to be followed instead, if anybody is. */
void watch_tell_successor(void);

/* ---- Children of the monitor ---- */

/* This process dies with its monitor if that is systemd's.  After each change of user, as the
 * kernel forgets it then. */
void watch_follow(void);
/* A spare is the switch from now on: it outlives its monitor unless that is systemd's. */
void watch_activate(void);

/* ---- The switch ---- */

bool watch_is_there(void);
/* The switch goes round.  To be called within half of systemd's time. */
void watch_beat(void);
void watch_expect_end(void);
/* 'signum', which has a handler, asks for the end: from its arrival on the end is expected, though
 * the main thread hangs and does not hear of it. */
void watch_expect_end_by(int signum);
/* The end that comes leaves the service to another process. */
void watch_set_successor(long pid);

#endif
