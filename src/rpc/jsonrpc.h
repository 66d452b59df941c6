// SPDX-License-Identifier: Apache-2.0
/*
 * JSON-RPC 1.0 as RFC 7047 section 4 and the control socket use it: requests, replies, errors and
 * notifications, back to back on a stream without separators.
 *
 * The peer is hostile: a message has a bounded size and depth, anything that is not a message ends
 * the connection with a text, echo requests are answered here, and a peer that does not read loses
 * its connection (rpc/stream.h).  All functions are for the thread of the session's loop.
 */
#ifndef RPC_JSONRPC_H
#define RPC_JSONRPC_H

#include <jansson.h>

#include "rpc/stream.h"

enum jsonrpc_type { JSONRPC_REQUEST, JSONRPC_NOTIFY, JSONRPC_REPLY, JSONRPC_ERROR };

struct jsonrpc_msg {
    enum jsonrpc_type type;
    char *method;   /* Request, notify. */
    json_t *params; /* Request, notify: an array. */
    json_t *result; /* Reply. */
    json_t *error;  /* Error. */
    json_t *id;     /* Request, reply, error: never JSON null. */
};

/* Each returns a new message; *takes* the JSON arguments ('params' NULL: an empty array). */
struct jsonrpc_msg *jsonrpc_msg_request(const char *method, json_t *params, json_t *id);
struct jsonrpc_msg *jsonrpc_msg_notify(const char *method, json_t *params);
struct jsonrpc_msg *jsonrpc_msg_reply(json_t *result, json_t *id);
struct jsonrpc_msg *jsonrpc_msg_error(json_t *error, json_t *id);
void jsonrpc_msg_destroy(struct jsonrpc_msg *msg);
/* Returns a new message, or NULL and a new '*error' text.  Takes 'json'. */
struct jsonrpc_msg *jsonrpc_msg_from_json(json_t *json, char **error);
/* Returns a new object; takes 'msg'. */
json_t *jsonrpc_msg_to_json(struct jsonrpc_msg *msg);

struct jsonrpc;
struct jsonrpc_callbacks {
    /* Active sessions: connected (again). */
    void (*on_open)(struct jsonrpc *rpc, void *arg);
    /* *Takes* 'msg'. */
    void (*on_msg)(struct jsonrpc *rpc, struct jsonrpc_msg *msg, void *arg);
    /* The connection ended; 'reason' is for logs.  Accepted sessions: the owner must
     * jsonrpc_destroy().  Reconnecting ones: goes on to reconnect. */
    void (*on_closed)(struct jsonrpc *rpc, int error, const char *reason, void *arg);
};

/* Messages over an open stream; *takes* 'stream'. */
struct jsonrpc *jsonrpc_create(struct stream *stream, const struct jsonrpc_callbacks *callbacks,
                               void *arg);
/* A session that connects, and reconnects after a loss. */
struct jsonrpc *jsonrpc_create_reconnecting(struct loop *loop,
                                            const struct reconnect_settings *settings,
                                            const struct jsonrpc_callbacks *callbacks, void *arg);
/* NULL is fine; safe in callbacks. */
void jsonrpc_destroy(struct jsonrpc *rpc);
/* Like jsonrpc_destroy(), after what is queued has been sent. */
void jsonrpc_destroy_flushed(struct jsonrpc *rpc);

/* Largest message accepted; default 16 MB.  Database sessions use 256 MB. */
void jsonrpc_set_max_size(struct jsonrpc *rpc, size_t bytes);
/* Sends "echo" after 'ms' of silence, gives up after as much again.  0: never (the default). */
void jsonrpc_set_probe_interval(struct jsonrpc *rpc, int64_t ms);
/* Ends the session: the peer said what it should not have.  on_closed() is called at once. */
void jsonrpc_refuse(struct jsonrpc *rpc, const char *reason);
/* Stops or resumes taking messages from the peer. */
void jsonrpc_set_reading(struct jsonrpc *rpc, bool enabled);

/* Queues 'msg'; *takes* it, also on failure (errors as stream_send()). */
int jsonrpc_send(struct jsonrpc *rpc, struct jsonrpc_msg *msg);
/* Requests get the next integer id, which is returned in '*id' unless NULL.  Takes 'params'. */
int jsonrpc_send_request(struct jsonrpc *rpc, const char *method, json_t *params, int64_t *id);
int jsonrpc_send_notify(struct jsonrpc *rpc, const char *method, json_t *params);
/* 'id' is borrowed. */
int jsonrpc_send_reply(struct jsonrpc *rpc, json_t *result, const json_t *id);
int jsonrpc_send_error(struct jsonrpc *rpc, json_t *error, const json_t *id);
/* Queues text that is already a whole message (a monitor update made once for many clients). */
int jsonrpc_send_text(struct jsonrpc *rpc, const char *text, size_t len);

bool jsonrpc_is_open(const struct jsonrpc *rpc);
size_t jsonrpc_backlog(const struct jsonrpc *rpc);
void jsonrpc_set_backlog_limit(struct jsonrpc *rpc, size_t bytes);
const char *jsonrpc_name(const struct jsonrpc *rpc);
/* The reconnector below, NULL for an accepted session. */
struct reconnect *jsonrpc_reconnect(struct jsonrpc *rpc);

#endif
