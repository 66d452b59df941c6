// SPDX-License-Identifier: Apache-2.0
/*
 * The control socket that ovs-appctl speaks to: JSON-RPC requests whose method is a command and
 * whose parameters are its arguments; the answer is one text.
 *
 * Each folder registers its commands in its own *_ctl.c.  Handlers run in the main thread and may
 * answer later, from any later callback of the main thread.  An error's text gets a newline
 * appended when it has none, like a reply's.
 */
#ifndef RPC_UNIXCTL_H
#define RPC_UNIXCTL_H

#include <jansson.h>

#include "base/loop.h"

struct unixctl;
struct unixctl_conn;

/* argv[0] is the command's name; argv[argc] is NULL.  Must lead to exactly one unixctl_reply*(). */
typedef void unixctl_fn(struct unixctl_conn *conn, int argc, const char *argv[], void *aux);

/* Listens on 'path' (NULL: dirs_run()/ovs-vswitchd.PID.ctl; "none": no socket) in 'loop'.  0 or a
 * negative errno and a new '*error' text. */
int unixctl_create(const char *path, struct loop *loop, struct unixctl **unixctlp, char **error);
/* Listens no more, and again: another process has the name meanwhile.  The same errors. */
void unixctl_mute(struct unixctl *unixctl);
int unixctl_listen(struct unixctl *unixctl, const char *path, char **error);
/* Sends what was answered, closes, removes the socket.  Commands not yet answered are dropped. */
void unixctl_destroy(struct unixctl *unixctl);

/* Registers a command: between 'min_args' and 'max_args' arguments (INT_MAX: any number).  The
 * strings are borrowed for ever.  'usage' NULL: an older name, which list-commands leaves out.  May
 * come before unixctl_create(). */
void unixctl_register(const char *name, const char *usage, int min_args, int max_args,
                      unixctl_fn *fn, void *aux);
/* Takes away all commands registered with 'aux' (not NULL): the object goes. */
void unixctl_unregister_aux(void *aux);

/* Ends the command; 'conn' is gone.  'text' NULL or "" is an empty success. */
void unixctl_reply(struct unixctl_conn *conn, const char *text);
void unixctl_reply_error(struct unixctl_conn *conn, const char *text);
void unixctl_reply_errorf(struct unixctl_conn *conn, const char *fmt, ...) PRINTF_FORMAT(2, 3);
/* Only when unixctl_wants_json(); *takes* 'json'. */
void unixctl_reply_json(struct unixctl_conn *conn, json_t *json);
/* The client asked for --format json. */
bool unixctl_wants_json(const struct unixctl_conn *conn);

/* Runs a command in this process as if a client had sent it (tests, start scripts).  The reply must
 * come before the handler returns; returns a new text, '*ok' false for an error. */
char *unixctl_run(int argc, const char *argv[], bool *ok);

/* list-commands, version, set-options; called by unixctl_create().  Others: */
void rpc_ctl_register(struct loop *loop);      /* The groups vlog, coverage and memory. */
void rpc_ctl_register_time(struct loop *loop); /* time/stop, time/warp: with --enable-dummy. */

#endif
