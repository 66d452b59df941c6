// SPDX-License-Identifier: Apache-2.0
/*
 * bridge.h - makes the switch look like the database says, and tells the database what came of it.
 *
 * One 'struct bridges' per daemon, in the main thread's loop.  It reads rows through ovsdb/db.h,
 * drives ofproto/ (bridges, ports, logical ports), pmd/dp.h (datapath ports) and netdev/, and
 * writes back ofport, error, status and statistics.  A reconfiguration is idempotent and runs to
 * its end whatever fails on the way: a port that cannot be had gets ofport=-1 and a text, and
 * nothing else suffers.
 */
#ifndef BRIDGE_BRIDGE_H
#define BRIDGE_BRIDGE_H 1

#include <stdbool.h>

struct bridges;
struct db;
struct loop;
struct startup;
struct tls_settings;

struct bridges_cfg {
    struct loop *loop;
    struct db *db;           /* borrowed; its change callback is taken */
    struct startup *startup; /* whose flows are installed, or NULL; borrowed */
    const struct tls_settings
        *tls;            /* of the command line: for controllers while no SSL row is; borrowed */
    bool disable_system; /* --disable-system: "system" is no datapath type */
    bool enable_dummy;   /* "dummy" is a datapath type as well */
    /* Another process forwards until 'forwarding' is called: no queue is polled before flows are in
     * force, and flows of that one are not restored while flow-restore-wait says that others will
     * be.
     */
    bool has_predecessor;
    /* Called before that, when the datapath is about to go on: guests' ports are still the other
     * process's, if netdev_defer_guests() was called.  May be NULL. */
    void (*claim_guests)(void *aux);
    /* Called once, when flows, bridges and ports are in force.  May be NULL. */
    void (*forwarding)(void *aux);
    /* Called once, when the result of the first reconfiguration is in the database (a daemon that
     * detaches may let its parent go).  May be NULL. */
    void (*ready)(void *aux);
    /* Called when the daemon cannot go on (dpdk-init=true and EAL does not start).  May be NULL. */
    void (*fatal)(const char *reason, void *aux);
    void *aux;
    const char *pidfile; /* of this process, or NULL; borrowed */
    unsigned n_crashes;  /* of processes before this one, since the monitor started */
};

struct bridges *bridges_create(const struct bridges_cfg *);

/* Some bridge exists: there may be traffic. */
bool bridges_are_there(const struct bridges *);
/* Gives up the database, which may be closed afterwards, and OpenFlow connections and listeners. */
void bridges_leave(struct bridges *);
/* Another process is about to take over.  The first gives up what only one can have: as
 * bridges_leave(), and devices that cannot be shared, but for guests' ports if 'with_guests' is
 * false: then netdev_release_guests() comes later.  The second ends forwarding. */
void bridges_release(struct bridges *, bool with_guests);
void bridges_halt(struct bridges *);

/* The process ends after bridges_destroy(), so memory that is much work to free may stay.  NULL is
 * fine. */
void bridges_end(struct bridges *);
/* Takes everything down: bridges, ports, datapath.  With 'cleanup', as `exit --cleanup` asks,
 * persistent kernel devices go as well.  NULL is fine.  The database must still be
 * open, unless it was released. */
void bridges_destroy(struct bridges *, bool cleanup);

#endif /* bridge/bridge.h */
