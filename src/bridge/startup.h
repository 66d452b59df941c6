// SPDX-License-Identifier: Apache-2.0
/*
 * startup.h - the start-up file of `sluiced --config`: bridges, ports and flows that the switch has
 * after each start.  docs/man/sluiced.json.5 is its specification.
 *
 * Three steps, all in the main thread: startup_load() before the daemon goes into the background,
 * startup_apply() when the embedded database is open and before bridges_create(), and
 * startup_install_flows() by each reconfiguration.
 */
#ifndef BRIDGE_STARTUP_H
#define BRIDGE_STARTUP_H 1

struct db;
struct ofproto;
struct startup;

/* Reads and checks the whole file.  0 and '*startupp', or a negative errno and a new text in
 * '*error': "FILE:LINE: WHERE: what is wrong". */
int startup_load(const char *path, struct startup **startupp, char **error);
void startup_destroy(struct startup *); /* NULL is fine */

/* Brings the database in line with the file, in one transaction that writes nothing where nothing
 * differs.  0, or a negative errno and '*error' as above. */
int startup_apply(const struct startup *, struct db *, char **error);

/* The bridge's flows are those of a process before, which had begun with the file's: they stay. */
void startup_flows_are_begun(struct startup *, const char *bridge);
/* Installs the flows that the file has for this bridge: the first time in place of all others.
 * Flows that name a port which is not there yet stay for a later call.  'startup' may be NULL. */
void startup_install_flows(struct startup *, const char *bridge, struct ofproto *);

#endif /* bridge/startup.h */
