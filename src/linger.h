/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linger.h - a switch that goes on forwarding after its end (--linger), until the next one takes
 * over or its time is up.  docs/decisions/0023-a-switch-that-lingers.md says why.
 *
 * Its pidfile and other sockets are gone; one control socket has a name of its own, where the next
 * switch (takeover.c) and whoever wants to end it (ovs-appctl -t NAME exit) find it.  Main thread.
 */
#ifndef LINGER_H
#define LINGER_H

#include "base/loop.h"

/* The control socket of a switch that lingers.  Returns a new string. */
char *linger_path(void);

/* Calls end(aux) after 'seconds', or earlier when nobody will take over: when another switch has
 * begun in the run directory without asking ('pidfile' is there; NULL: do not look), or the socket
 * is gone.  It must be there by now. */
void linger_start(struct loop *loop, int seconds, const char *pidfile, loop_fn *end, void *aux);
/* Does nothing when it was not started. */
void linger_stop(void);

#endif
