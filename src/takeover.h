/* SPDX-License-Identifier: Apache-2.0 */
/*
 * takeover.h - a planned change of processes: `sluiced --takeover` puts itself in the place of the
 * running switch, which goes on forwarding until the new one does.
 * docs/decisions/0015-a-planned-takeover.md says why; the steps are in takeover.c.
 */
#ifndef TAKEOVER_H
#define TAKEOVER_H

#include <stdbool.h>
#include <sys/types.h>

struct loop;

/* ---- The new process: before its first thread of its own ---- */

/* Starts DPDK and has process 'pid' hand over: its pidfile, database and sockets are free when this
 * returns, and the descriptors of its kernel ports can be taken (base/keep.h).  'unixctl' is what
 * the option of that name says, of both processes, or NULL.  Ends the process with a text when the
 * other one refuses. */
void takeover_begin(pid_t pid, const char *unixctl);
/* The same from one that lingers in the run directory (linger.h), if there is one.  What stands in
 * the way ends that one, and this process starts as it does without it; unless another process
 * takes over from it: then this one ends, as it does when 'pidfile' (NULL: none) is held. */
void takeover_begin_lingering(const char *pidfile);
/* Another process forwards until takeover_finish(). */
bool takeover_is_begun(void);
/* Has the other process give up the ports of guests, which it had until now. */
void takeover_claim_guests(void);
/* This process forwards: the other one may end.  Without takeover_begin() it does nothing. */
void takeover_finish(void);

/* ---- The running process: main thread ---- */

struct takeover_ops {
    /* Gives up what two processes cannot have at once, but for guests' ports if 'with_guests' is
     * false, and goes on forwarding. */
    void (*release)(bool with_guests, void *aux);
    /* Gives up guests' ports. */
    void (*release_guests)(void *aux);
    /* The successor forwards: this process is to end. */
    void (*end)(pid_t successor, void *aux);
    /* The successor died before it could, or hung and was killed: takes back what was given up. */
    void (*resume)(void *aux);
};

/* Serves the command sluice/hand-over. */
void takeover_serve(struct loop *, const struct takeover_ops *, void *aux);
/* A successor has asked. */
bool takeover_is_under_way(void);
void takeover_stop(void);

#endif
