/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.h - descriptors that outlive this process.
 *
 * A keeper is a process that does nothing but hold duplicates of descriptors under names.  When the
 * switch dies, the next one takes them up: a tap keeps its addresses and routes, and frames wait in
 * the kernel's queues instead of being lost.  The monitor (daemon_monitor.c) starts it before the
 * first worker; without a monitor there is none, and everything here does nothing.
 *
 * Client calls: main thread only.  A keeper that is gone or does not answer is forgotten.
 */
#ifndef BASE_KEEP_H
#define BASE_KEEP_H

#include "base/util.h"

/* Longest name, with its null byte. */
#define KEEP_NAME_MAX 63
/* Most descriptors; more are not kept. */
#define KEEP_MAX 4096

/* The keeper itself: serves 'fd', a SOCK_SEQPACKET socket, until no client has the other end. */
void keep_serve(int fd);

/* Uses the keeper behind 'fd', whose owner this becomes, and learns what an earlier process left.
 */
void keep_attach(int fd);
/* Is there a keeper? */
bool keep_is_attached(void);
/* What an earlier process left under 'name', for the caller to close; -1: nothing. */
int keep_take(const char *name);
/* Keeps a duplicate of 'fd' under 'name', in place of what it had there. */
void keep_put(const char *name, int fd);
/* Gives up 'name'; when this returns, the keeper has closed it. */
void keep_drop(const char *name);
/* Gives up all that an earlier process left and nobody has taken. */
void keep_sweep(void);
/* Forgets the keeper and closes what was not taken. */
void keep_detach(void);

/* A planned change of processes goes without a keeper: the running one sends all that it has put
 * through 'fd', a SOCK_SEQPACKET socket, which stays the caller's, and the other one learns it as
 * if a keeper had had it.  False when that fails. */
bool keep_send(int fd);
bool keep_receive(int fd);
/* What this process has put is there to be taken again, by itself. */
void keep_turn(void);

#endif
