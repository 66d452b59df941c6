// SPDX-License-Identifier: Apache-2.0
/*
 * The two ends of a connection, for tests of streams: what each of them saw.
 */
#ifndef TESTS_STREAM_PEERS_H
#define TESTS_STREAM_PEERS_H

#include "rpc_test.h"

#include <event2/buffer.h>

#include "rpc/stream.h"

struct peer {
    struct stream *stream;
    int n_opens, n_closes, last_error;
    struct str received;
    char reason[200];
    bool close_on_read;
};

static struct peer client, server;

static inline void
on_open(struct stream *stream, void *arg)
{
    struct peer *p = arg;

    p->stream = stream;
    p->n_opens++;
}

static inline void
on_read(struct stream *stream, void *arg)
{
    struct peer *p = arg;
    struct evbuffer *in = stream_input(stream);
    size_t len = evbuffer_get_length(in);

    evbuffer_remove(in, str_put_uninit(&p->received, len), len);
    if (p->close_on_read) {
        stream_close(stream);
        p->stream = NULL;
    }
}

static inline void
on_closed(struct stream *stream, int error, const char *reason, void *arg)
{
    struct peer *p = arg;

    p->n_closes++;
    p->last_error = error;
    str_copy(p->reason, reason, sizeof(p->reason));
    if (evbuffer_get_length(stream_input(stream)) > 0) {
        on_read(stream, p);
    }
}

static const struct stream_callbacks callbacks = {
    .on_open = on_open, .on_read = on_read, .on_closed = on_closed};

static inline void
accept_server(struct listener *listener, struct stream *stream, void *arg)
{
    stream_close(server.stream);
    server.stream = stream;
    server.n_opens++;
    stream_set_callbacks(stream, &callbacks, &server);
}

static inline void
reset(void)
{
    stream_close(client.stream);
    stream_close(server.stream);
    str_free(&client.received);
    str_free(&server.received);
    memset(&client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
}

static inline struct listener *
listen_on(const char *name, struct tls_config *tls)
{
    struct listener *listener;
    char *error = NULL;

    if (listener_open(loop, name, 0, tls, accept_server, NULL, &listener, &error) != 0) {
        fail_msg("%s", error);
    }
    return listener;
}

static inline void
connect_to(const char *name, struct tls_config *tls)
{
    char *error = NULL;

    if (stream_open(loop, name, 0, tls, &callbacks, &client, &client.stream, &error) != 0) {
        fail_msg("%s", error);
    }
    assert_int_equal(client.n_opens, 0);
}

static inline void
talk(void)
{
    RUN_UNTIL(client.n_opens == 1 && server.n_opens == 1);
    assert_int_equal(stream_send(client.stream, "ping", 4), 0);
    RUN_UNTIL(server.received.len == 4);
    assert_int_equal(stream_send(server.stream, "pong!", 5), 0);
    RUN_UNTIL(client.received.len == 5);
    assert_string_equal(str_cstr(&client.received), "pong!");
}

#endif
