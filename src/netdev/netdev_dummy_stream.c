// SPDX-License-Identifier: Apache-2.0
//
// The connections of dummy ports.  All in main, but dummy_stream_send(), which leaves frames in a
// buffer under a lock: test code, where a sending thread may wait.
#include "netdev/netdev_dummy_stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "base/log.h"
#include "base/util.h"
#include "netdev/netdev_private.h"
#include "rpc/stream.h"

LOG_MODULE(netdev_dummy);

enum { MAX_CONNS = 16, MAX_WAITING = 1 << 20, LENGTH_SIZE = 2 };

struct conn {
    struct dummy_stream *owner;
    struct stream *stream; // NULL: free
};

struct dummy_stream {
    char *name;
    dummy_stream_rx_fn *rx;
    void *aux;
    struct reconnect *active; // one of the two
    struct listener *passive;
    struct conn conns[MAX_CONNS]; // accepted
    pthread_mutex_t lock;         // the two below
    struct evbuffer *waiting;
    bool posted;
};

// --- receiving ------------------------------------------------------------------------------

void
dummy_stream_take(struct evbuffer *in, dummy_stream_rx_fn *rx, void *aux)
{
    uint8_t length[LENGTH_SIZE];

    while (evbuffer_copyout(in, length, sizeof length) == (ev_ssize_t)sizeof length) {
        size_t size = (size_t)length[0] << 8 | length[1];
        if (evbuffer_get_length(in) < sizeof length + size) {
            return;
        }
        evbuffer_drain(in, sizeof length);
        const void *frame = size ? evbuffer_pullup(in, (ev_ssize_t)size) : NULL;
        if (frame) {
            rx(aux, frame, size);
        }
        evbuffer_drain(in, size);
    }
}

static void
take_frames(struct dummy_stream *ds, struct stream *stream)
{
    dummy_stream_take(stream_input(stream), ds->rx, ds->aux);
}

static void
active_read(struct stream *stream, void *ds)
{
    take_frames(ds, stream);
}

static void
active_closed(struct stream *stream, int error, const char *reason, void *ds)
{
}

static const struct stream_callbacks active_callbacks = {
    .on_read = active_read,
    .on_closed = active_closed,
};

static void
passive_read(struct stream *stream, void *conn)
{
    take_frames(((struct conn *)conn)->owner, stream);
}

static void
passive_closed(struct stream *stream, int error, const char *reason, void *conn_)
{
    struct conn *conn = conn_;

    stream_close(conn->stream);
    conn->stream = NULL;
}

static const struct stream_callbacks passive_callbacks = {
    .on_read = passive_read,
    .on_closed = passive_closed,
};

static void
accepted(struct listener *listener, struct stream *stream, void *ds_)
{
    struct dummy_stream *ds = ds_;

    for (size_t i = 0; i < MAX_CONNS; i++) {
        if (!ds->conns[i].stream) {
            ds->conns[i] = (struct conn){.owner = ds, .stream = stream};
            stream_set_callbacks(stream, &passive_callbacks, &ds->conns[i]);
            return;
        }
    }
    stream_close(stream);
}

// --- sending --------------------------------------------------------------------------------

static void
send_copy(struct stream *stream, struct evbuffer *from)
{
    size_t n = evbuffer_get_length(from);

    if (stream && stream_is_open(stream) && n) {
        stream_send(stream, evbuffer_pullup(from, -1), n);
    }
}

static void
flush(void *ds_)
{
    struct dummy_stream *ds = ds_;
    struct evbuffer *out = evbuffer_new();

    pthread_mutex_lock(&ds->lock);
    evbuffer_add_buffer(out, ds->waiting);
    ds->posted = false;
    pthread_mutex_unlock(&ds->lock);
    if (ds->active) {
        send_copy(reconnect_stream(ds->active), out);
    }
    for (size_t i = 0; i < MAX_CONNS; i++) {
        send_copy(ds->conns[i].stream, out);
    }
    evbuffer_free(out);
}

void
dummy_stream_send(struct dummy_stream *ds, const void *frame, size_t size)
{
    const uint8_t length[LENGTH_SIZE] = {(uint8_t)(size >> 8), (uint8_t)size};
    bool post = false;

    pthread_mutex_lock(&ds->lock);
    if (size <= UINT16_MAX && evbuffer_get_length(ds->waiting) < MAX_WAITING) {
        evbuffer_add(ds->waiting, length, sizeof length);
        evbuffer_add(ds->waiting, frame, size);
        post = !ds->posted;
        ds->posted = true;
    }
    pthread_mutex_unlock(&ds->lock);
    if (post) {
        loop_post(netdev_loop(), flush, ds);
    }
}

// --- life -----------------------------------------------------------------------------------

struct dummy_stream *
dummy_stream_create(const char *name, dummy_stream_rx_fn *rx, void *aux, char **errorp)
{
    struct dummy_stream *ds = xzalloc(sizeof *ds);
    int error = 0;

    ds->name = xstrdup(name);
    ds->rx = rx;
    ds->aux = aux;
    pthread_mutex_init(&ds->lock, NULL);
    ds->waiting = evbuffer_new();
    if (stream_name_is_passive(name)) {
        error = listener_open(netdev_loop(), name, 0, NULL, accepted, ds, &ds->passive, errorp);
    } else if (stream_name_is_active(name)) {
        const struct reconnect_settings settings = {
            .name = name, .min_backoff_ms = 100, .max_backoff_ms = 1000};
        ds->active = reconnect_create(netdev_loop(), &settings, &active_callbacks, ds);
    } else {
        *errorp = stream_name_check(name);
        error = -EINVAL;
    }
    if (error) {
        dummy_stream_destroy(ds);
        return NULL;
    }
    return ds;
}

void
dummy_stream_destroy(struct dummy_stream *ds)
{
    if (!ds) {
        return;
    }
    loop_cancel(netdev_loop(), flush, ds);
    if (ds->active) {
        reconnect_destroy(ds->active);
    }
    listener_close(ds->passive);
    for (size_t i = 0; i < MAX_CONNS; i++) {
        stream_close(ds->conns[i].stream);
    }
    evbuffer_free(ds->waiting);
    pthread_mutex_destroy(&ds->lock);
    free(ds->name);
    free(ds);
}

const char *
dummy_stream_name(const struct dummy_stream *ds)
{
    return ds->name;
}

const char *
dummy_stream_state(const struct dummy_stream *ds)
{
    return !ds->active                          ? "unknown"
           : reconnect_is_connected(ds->active) ? "connected"
                                                : "disconnected";
}
