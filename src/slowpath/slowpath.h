// SPDX-License-Identifier: Apache-2.0
/*
 * slowpath.h - handlers and revalidators: the only place where ofproto meets the datapath.
 *
 * Handlers take misses from the fast path, translate once per distinct flow, install the megaflow
 * and give the packets back.  Revalidators keep installed megaflows true to the OpenFlow tables,
 * expire idle ones, and push what the datapath counted up to rules and ports.  Both are threads of
 * their own; a PMD never waits for them, nor they for a PMD.
 */
#ifndef SLOWPATH_SLOWPATH_H
#define SLOWPATH_SLOWPATH_H 1

struct dp;
struct loop;
struct ofprotos;
struct slowpath;
struct smap;

/* A slow path without a datapath yet: it only answers its commands (upcall/..., revalidator/...,
 * dpif/...) and remembers what they set.  Main thread, like all of this header. */
struct slowpath *slowpath_create(struct loop *, struct ofprotos *);
/* Once: starts the threads on 'dp' and sets the hooks of 'ofprotos'. */
void slowpath_start(struct slowpath *, struct dp *, const struct smap *other_config);
/* Stops the threads and deletes all megaflows, for good: from now on misses are dropped, and nobody
 * rechecks flows while bridges and ports go one by one.  NULL is fine. */
void slowpath_stop(struct slowpath *);
/* Stops it, if that was not done.  NULL is fine. */
void slowpath_destroy(struct slowpath *);

/* Keys of Open_vSwitch.other_config: n-handler-threads, n-revalidator-threads, max-idle,
 * max-revalidator, min-revalidate-pps, flow-limit, vlan-limit.  Idempotent.  After
 * slowpath_start(). */
void slowpath_set_config(struct slowpath *, const struct smap *other_config);

/* Calls 'fn' for each key of Datapath.capabilities, with its value. */
void slowpath_capabilities(const struct slowpath *,
                           void (*fn)(const char *name, const char *value, void *aux), void *aux);

#endif /* slowpath/slowpath.h */
