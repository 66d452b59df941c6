/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root context, and the stages of main.c's table that have a file of their own.  Main thread.
 *
 * An init function returns 0, or a negative errno and, where it has more to say, a new '*error'.
 */
#ifndef ROOT_H
#define ROOT_H

#include "base/loop.h"
#include "options.h"
#include "rpc/stream.h"

struct bridges;
struct db;
struct startup;
struct tunnel;
struct unixctl;
struct unixctl_conn;

#define ROOT_END_SIGNALS 3

/* The root context: of one process. */
struct root {
    struct options options;
    struct tls_settings tls; /* of the options */
    struct loop *loop;
    struct unixctl *unixctl;
    struct startup *startup; /* NULL: no --config */
    struct tunnel *tunnel;
    struct db *db;
    struct bridges *bridges;
    struct loop_timer coverage_timer;
    struct loop_signal signals[ROOT_END_SIGNALS];
    int end_signal; /* The signal to die of; 0: none */
    int exit_status;
    bool is_succeeded;                  /* Another process has taken over. */
    bool is_lingering;                  /* Ended, but for forwarding. */
    bool cleanup;                       /* exit --cleanup */
    bool is_asked_to_linger;            /* sluice/linger */
    struct unixctl_conn *exit_conns[8]; /* Clients that wait for the end. */
    size_t n_exit_conns;
};

/* The process is to end, with a failure. */
void root_fail(struct root *, const char *reason);
/* Makes 'bridges' anew, as the start does. */
void root_start_bridges(struct root *);

/* ---- control.c: the control socket, and the commands that end the process ---- */

int control_init(struct root *, char **error);
/* Answers "exit": everything else is down. */
void control_fini(struct root *);
/* Answers "exit" now. */
void control_answer_exits(struct root *);

/* ---- database.c: embedded, or the client of another one ---- */

int database_init(struct root *, char **error);
void database_fini(struct root *);

/* ---- succession.c: another process becomes the switch while this one forwards ---- */

int succession_init(struct root *, char **error);
void succession_fini(struct root *);
/* The switch was told to end.  True when it does, but for forwarding. */
bool succession_linger(struct root *);

#endif
