// SPDX-License-Identifier: Apache-2.0
/*
 * pinsched.h - packet-ins of one connection that wait for Controller.controller_rate_limit.
 *
 * As many as the rate lets go at once; others wait, in a queue for each port, and are sent in turn,
 * so that one port's flood does not silence the others.  When 'burst' of them wait, the longest
 * queue loses one for each that comes.  Main thread.
 */
#ifndef OFPROTO_PINSCHED_H
#define OFPROTO_PINSCHED_H 1

#include "base/loop.h"
#include "packet/types.h"

struct pinsched;

/* Sends a message; 'data' is borrowed. */
typedef void pinsched_send_fn(void *aux, const void *data, size_t size);

struct pinsched_stats {
    uint64_t backlog;  /* wait now */
    uint64_t bypassed; /* sent at once */
    uint64_t queued;   /* had to wait */
    uint64_t dropped;  /* in vain */
};

/* 'rate' in packets per second (> 0); 'burst' 0: a quarter of it. */
struct pinsched *pinsched_create(struct loop *, int rate, int burst, pinsched_send_fn *, void *aux);
/* What waits is lost.  NULL is fine. */
void pinsched_destroy(struct pinsched *);
void pinsched_set_limits(struct pinsched *, int rate, int burst);
/* Sends all that waits, whatever the rate. */
void pinsched_flush(struct pinsched *);
/* Sends a message that is about a packet of 'port', now or later. */
void pinsched_put(struct pinsched *, ofp_port_t port, const void *data, size_t size);
void pinsched_get_stats(const struct pinsched *, struct pinsched_stats *);

#endif /* ofproto/pinsched.h */
