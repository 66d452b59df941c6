// SPDX-License-Identifier: Apache-2.0
/*
 * system_stats.h - about the machine and the daemons on it, for Open_vSwitch.statistics
 * (ovs-vswitchd.conf.db(5) says what the keys mean).
 *
 * They are gathered by a thread of their own, since a file system whose disk is gone may not answer
 * for minutes.  All calls are the main thread's, and none of them waits.
 */
#ifndef BRIDGE_SYSTEM_STATS_H
#define BRIDGE_SYSTEM_STATS_H 1

#include <stdbool.h>

struct smap;
struct str;
struct system_stats;

/* What this process knows about itself. */
struct system_self {
    const char *pidfile; /* in whose place it stands; NULL: none */
    unsigned n_crashes;  /* how often its monitor started it again */
};

/* Begins to gather, at once and then every five seconds.  'self' is copied. */
struct system_stats *system_stats_start(const struct system_self *self);
/* Moves what was gathered since the last call into the empty '*stats'; false: nothing was. */
bool system_stats_take(struct system_stats *, struct smap *stats);
/* Ends the thread; if it waits for a file system, later.  NULL is fine. */
void system_stats_stop(struct system_stats *);

/* system_proc.c, for the thread and for tests. */

/* "total,used,cache,swap total,swap used" in kB from the text of /proc/meminfo; false: the text is
 * something else. */
bool system_parse_meminfo(const char *text, struct str *out);
/* "/,100,40 /var,20,10": the writable file systems of local disks.  'mounts' is the path of a table
 * like /proc/self/mounts. */
void system_put_file_systems(const char *mounts, struct str *out);
/* "process_NAME" for each pidfile in 'rundir' that a running process holds. */
void system_put_processes(const char *rundir, const struct system_self *, struct smap *stats);

#endif /* bridge/system_stats.h */
