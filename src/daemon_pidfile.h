// SPDX-License-Identifier: Apache-2.0
/*
 * The pidfile: write-locked with fcntl by the daemon for as long as it lives, so that the tools can
 * tell a running daemon from a leftover.  For daemon.c.
 */
#ifndef DAEMON_PIDFILE_H
#define DAEMON_PIDFILE_H

#include <stdbool.h>

/* Ends the process when a running daemon holds 'path'. */
void pidfile_check_free(const char *path);
/* Writes and locks it; ends the process on failure. */
void pidfile_create(const char *path, bool overwrite);
/* Removes what pidfile_create() made. */
void pidfile_remove(void);

#endif
