// SPDX-License-Identifier: Apache-2.0
/*
 * A JSON-RPC session over a stream: frames the input, parses, answers echoes, probes a silent peer.
 *
 * Input is copied from the stream's buffer into 'in' as it is scanned, so each byte is looked at
 * once however it was split.  At most MSGS_PER_READ messages are handled before other events get
 * their turn.
 */
#include "rpc/jsonrpc.h"

#include <errno.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "base/coverage.h"
#include "base/log.h"
#include "rpc/json_frame.h"

LOG_MODULE(jsonrpc);

COVERAGE_DEFINE(jsonrpc_msg_received);
COVERAGE_DEFINE(jsonrpc_msg_sent);

#define DEFAULT_MAX_SIZE ((size_t)16 << 20)
#define INPUT_LIMIT ((size_t)1 << 20)
#define MSGS_PER_READ 64
#define KEEP_CAPACITY ((size_t)64 << 10)

struct jsonrpc {
    struct loop *loop;
    struct stream *stream;       /* NULL while disconnected. */
    struct reconnect *reconnect; /* NULL for accepted sessions. */
    const struct jsonrpc_callbacks *callbacks;
    void *arg;
    char *name;

    struct json_frame frame;
    struct str in; /* The message so far. */
    size_t max_size;
    size_t backlog_limit; /* 0: the stream's default */
    bool reading;
    int64_t next_id;

    int64_t probe_ms; /* 0: none */
    struct loop_timer probe_timer;
    int64_t last_received_ms;
    bool probing;

    unsigned int n_refs;
    bool destroyed;
};

static void take_input(void *arg);

static void
jsonrpc_unref(struct jsonrpc *rpc)
{
    if (--rpc->n_refs == 0) {
        str_free(&rpc->in);
        free(rpc->name);
        free(rpc);
    }
}

static void
reset_session(struct jsonrpc *rpc)
{
    loop_cancel(rpc->loop, take_input, rpc);
    loop_timer_stop(&rpc->probe_timer);
    json_frame_init(&rpc->frame, rpc->max_size);
    str_free(&rpc->in);
    rpc->probing = false;
}

/* Ends the session for a reason found here.  The owner hears of it. */
static void
session_fail(struct jsonrpc *rpc, int error, const char *reason)
{
    reset_session(rpc);
    rpc->n_refs++;
    if (rpc->reconnect != NULL) {
        rpc->stream = NULL;
        reconnect_force(rpc->reconnect, false);
    } else {
        stream_close(rpc->stream);
        rpc->stream = NULL;
    }
    rpc->callbacks->on_closed(rpc, error, reason, rpc->arg);
    jsonrpc_unref(rpc);
}

/* ---- Receiving ---- */

static void
handle_msg(struct jsonrpc *rpc, struct jsonrpc_msg *msg)
{
    coverage_inc(jsonrpc_msg_received);
    if (msg->type == JSONRPC_REQUEST && strcmp(msg->method, "echo") == 0) {
        jsonrpc_send_reply(rpc, json_incref(msg->params), msg->id);
        jsonrpc_msg_destroy(msg);
    } else if (msg->type == JSONRPC_REPLY && json_is_string(msg->id) &&
               strcmp(json_string_value(msg->id), "echo") == 0) {
        jsonrpc_msg_destroy(msg); /* The answer to our own probe. */
    } else {
        rpc->callbacks->on_msg(rpc, msg, rpc->arg);
    }
}

/* Parses the message in 'in'.  False when the session is over. */
static bool
parse_msg(struct jsonrpc *rpc)
{
    json_error_t json_error;
    struct jsonrpc_msg *msg = NULL;
    char *error = NULL;
    json_t *json = json_loadb(rpc->in.buf, rpc->in.len, JSON_ALLOW_NUL, &json_error);

    if (log_is_dbg() && json != NULL) {
        log_dbg("%s: received %.*s", rpc->name, (int)MIN(rpc->in.len, (size_t)4096), rpc->in.buf);
    }
    if (rpc->in.capacity > KEEP_CAPACITY) {
        str_free(&rpc->in);
    } else {
        str_clear(&rpc->in);
    }
    if (json == NULL) {
        error = xasprintf("malformed JSON (%s)", json_error.text);
    } else {
        msg = jsonrpc_msg_from_json(json, &error);
    }
    if (msg == NULL) {
        session_fail(rpc, EPROTO, error);
        free(error);
        return false;
    }
    handle_msg(rpc, msg);
    return !rpc->destroyed && rpc->stream != NULL;
}

/* Feeds one contiguous piece to the scanner.  '*n_msgs' counts what it completed. */
static bool
take_piece(struct jsonrpc *rpc, struct evbuffer *input, unsigned int *n_msgs)
{
    size_t len = MAX(evbuffer_get_contiguous_space(input), (size_t)1);
    const char *p = (const char *)evbuffer_pullup(input, (ssize_t)len);
    size_t used = 0, skip = 0;
    enum json_frame_result result = json_frame_scan(&rpc->frame, p, len, &used, &skip);

    if (result != JSON_FRAME_MORE && result != JSON_FRAME_DONE) {
        session_fail(rpc, EPROTO, json_frame_result_text(result));
        return false;
    }
    str_put_mem(&rpc->in, p + skip, used - skip);
    evbuffer_drain(input, used);
    if (result == JSON_FRAME_DONE) {
        ++*n_msgs;
        return parse_msg(rpc);
    }
    return true;
}

static void
take_input(void *arg)
{
    struct jsonrpc *rpc = arg;
    unsigned int n_msgs = 0;

    if (rpc->stream == NULL || !rpc->reading) {
        return;
    }
    rpc->n_refs++;
    rpc->last_received_ms = clock_now_ms();
    rpc->probing = false;
    bool go_on = true;
    while (go_on && rpc->reading && n_msgs < MSGS_PER_READ &&
           evbuffer_get_length(stream_input(rpc->stream)) > 0) {
        go_on = take_piece(rpc, stream_input(rpc->stream), &n_msgs);
    }
    if (go_on && rpc->reading && evbuffer_get_length(stream_input(rpc->stream)) > 0) {
        loop_post(rpc->loop, take_input, rpc);
    }
    jsonrpc_unref(rpc);
}

/* ---- Probes ---- */

static void
probe(void *arg)
{
    struct jsonrpc *rpc = arg;
    int64_t idle = clock_now_ms() - rpc->last_received_ms;

    if (idle < rpc->probe_ms) {
        loop_timer_once(&rpc->probe_timer, rpc->loop, rpc->probe_ms - idle, probe, rpc);
    } else if (rpc->probing) {
        session_fail(rpc, ETIMEDOUT, "no response to inactivity probe");
    } else {
        rpc->probing = true;
        loop_timer_once(&rpc->probe_timer, rpc->loop, rpc->probe_ms, probe, rpc);
        jsonrpc_send(rpc, jsonrpc_msg_request("echo", NULL, json_string("echo")));
    }
}

static void
start_probes(struct jsonrpc *rpc)
{
    rpc->last_received_ms = clock_now_ms();
    rpc->probing = false;
    loop_timer_stop(&rpc->probe_timer);
    if (rpc->probe_ms > 0 && rpc->stream != NULL) {
        loop_timer_once(&rpc->probe_timer, rpc->loop, rpc->probe_ms, probe, rpc);
    }
}

/* ---- The stream's callbacks ---- */

static void
adopt_stream(struct jsonrpc *rpc, struct stream *stream)
{
    rpc->stream = stream;
    stream_set_input_limit(stream, INPUT_LIMIT);
    if (rpc->backlog_limit > 0) {
        stream_set_backlog_limit(stream, rpc->backlog_limit);
    }
    stream_set_reading(stream, rpc->reading);
    start_probes(rpc);
}

static void
on_stream_open(struct stream *stream, void *arg)
{
    struct jsonrpc *rpc = arg;

    reset_session(rpc);
    adopt_stream(rpc, stream);
    if (rpc->callbacks->on_open != NULL) {
        rpc->callbacks->on_open(rpc, rpc->arg);
    }
}

static void
on_stream_read(struct stream *stream, void *arg)
{
    take_input(arg);
}

static void
on_stream_closed(struct stream *stream, int error, const char *reason, void *arg)
{
    struct jsonrpc *rpc = arg;
    bool was_open = rpc->stream != NULL;

    rpc->n_refs++;
    reset_session(rpc);
    rpc->stream = NULL;
    if (rpc->reconnect == NULL) {
        stream_close(stream);
    }
    if (was_open || rpc->reconnect != NULL) {
        rpc->callbacks->on_closed(rpc, error, reason, rpc->arg);
    }
    jsonrpc_unref(rpc);
}

static const struct stream_callbacks stream_callbacks = {
    .on_open = on_stream_open,
    .on_read = on_stream_read,
    .on_closed = on_stream_closed,
};

/* ---- Life ---- */

static struct jsonrpc *
create(struct loop *loop, const char *name, const struct jsonrpc_callbacks *callbacks, void *arg)
{
    struct jsonrpc *rpc = xzalloc(sizeof(*rpc));

    rpc->loop = loop;
    rpc->name = xstrdup(name);
    rpc->callbacks = callbacks;
    rpc->arg = arg;
    rpc->n_refs = 1;
    rpc->reading = true;
    rpc->max_size = DEFAULT_MAX_SIZE;
    json_frame_init(&rpc->frame, rpc->max_size);
    return rpc;
}

struct jsonrpc *
jsonrpc_create(struct stream *stream, const struct jsonrpc_callbacks *callbacks, void *arg)
{
    struct jsonrpc *rpc = create(stream_loop(stream), stream_name(stream), callbacks, arg);

    adopt_stream(rpc, stream);
    stream_set_callbacks(stream, &stream_callbacks, rpc);
    return rpc;
}

struct jsonrpc *
jsonrpc_create_reconnecting(struct loop *loop, const struct reconnect_settings *settings,
                            const struct jsonrpc_callbacks *callbacks, void *arg)
{
    struct jsonrpc *rpc = create(loop, settings->name, callbacks, arg);

    rpc->reconnect = reconnect_create(loop, settings, &stream_callbacks, rpc);
    return rpc;
}

static void
destroy(struct jsonrpc *rpc, bool flush)
{
    if (rpc == NULL || rpc->destroyed) {
        return;
    }
    rpc->destroyed = true;
    reset_session(rpc);
    if (rpc->reconnect != NULL) {
        reconnect_destroy(rpc->reconnect);
        rpc->reconnect = NULL;
    } else if (flush) {
        stream_close_flushed(rpc->stream, 5000);
    } else {
        stream_close(rpc->stream);
    }
    rpc->stream = NULL;
    jsonrpc_unref(rpc);
}

void
jsonrpc_destroy(struct jsonrpc *rpc)
{
    destroy(rpc, false);
}

void
jsonrpc_destroy_flushed(struct jsonrpc *rpc)
{
    destroy(rpc, true);
}

void
jsonrpc_set_max_size(struct jsonrpc *rpc, size_t bytes)
{
    rpc->max_size = bytes;
    rpc->frame.max_size = bytes;
}

void
jsonrpc_set_probe_interval(struct jsonrpc *rpc, int64_t ms)
{
    rpc->probe_ms = ms;
    start_probes(rpc);
}

void
jsonrpc_set_reading(struct jsonrpc *rpc, bool enabled)
{
    rpc->reading = enabled;
    if (rpc->stream != NULL) {
        stream_set_reading(rpc->stream, enabled);
    }
}

void
jsonrpc_set_backlog_limit(struct jsonrpc *rpc, size_t bytes)
{
    rpc->backlog_limit = bytes;
    if (rpc->stream != NULL) {
        stream_set_backlog_limit(rpc->stream, bytes);
    }
}

/* ---- Sending ---- */

void
jsonrpc_refuse(struct jsonrpc *rpc, const char *reason)
{
    if (rpc->stream != NULL) {
        session_fail(rpc, EPROTO, reason);
    }
}

int
jsonrpc_send_text(struct jsonrpc *rpc, const char *text, size_t len)
{
    if (rpc->stream == NULL) {
        return -ENOTCONN;
    }
    coverage_inc(jsonrpc_msg_sent);
    return stream_send(rpc->stream, text, len);
}

int
jsonrpc_send(struct jsonrpc *rpc, struct jsonrpc_msg *msg)
{
    if (rpc->stream == NULL) {
        jsonrpc_msg_destroy(msg);
        return -ENOTCONN;
    }
    json_t *json = jsonrpc_msg_to_json(msg);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL) {
        return -EINVAL;
    }
    if (log_is_dbg()) {
        log_dbg("%s: send %.4096s", rpc->name, text);
    }
    int error = jsonrpc_send_text(rpc, text, strlen(text));
    free(text);
    return error;
}

int
jsonrpc_send_request(struct jsonrpc *rpc, const char *method, json_t *params, int64_t *id)
{
    int64_t this_id = rpc->next_id++;

    if (id != NULL) {
        *id = this_id;
    }
    return jsonrpc_send(rpc, jsonrpc_msg_request(method, params, json_integer(this_id)));
}

int
jsonrpc_send_notify(struct jsonrpc *rpc, const char *method, json_t *params)
{
    return jsonrpc_send(rpc, jsonrpc_msg_notify(method, params));
}

int
jsonrpc_send_reply(struct jsonrpc *rpc, json_t *result, const json_t *id)
{
    return jsonrpc_send(rpc, jsonrpc_msg_reply(result, json_deep_copy(id)));
}

int
jsonrpc_send_error(struct jsonrpc *rpc, json_t *error, const json_t *id)
{
    return jsonrpc_send(rpc, jsonrpc_msg_error(error, json_deep_copy(id)));
}

bool
jsonrpc_is_open(const struct jsonrpc *rpc)
{
    return rpc->stream != NULL && stream_is_open(rpc->stream);
}

size_t
jsonrpc_backlog(const struct jsonrpc *rpc)
{
    return rpc->stream ? stream_backlog(rpc->stream) : 0;
}

const char *
jsonrpc_name(const struct jsonrpc *rpc)
{
    return rpc->name;
}

struct reconnect *
jsonrpc_reconnect(struct jsonrpc *rpc)
{
    return rpc->reconnect;
}
