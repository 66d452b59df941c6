// SPDX-License-Identifier: Apache-2.0
//
// options:stream and options:pstream of dummy ports: frames go to and come from another process, as
// two bytes of length (network order) and the frame, over any stream that rpc/stream.h knows.
#ifndef NETDEV_NETDEV_DUMMY_STREAM_H
#define NETDEV_NETDEV_DUMMY_STREAM_H

#include <stddef.h>

struct dummy_stream;
struct evbuffer;

// A frame came.  Main thread.
typedef void dummy_stream_rx_fn(void *aux, const void *frame, size_t size);

// Gives the whole frames in 'in' to 'rx' and takes them out.  A frame without a byte is left out.
void dummy_stream_take(struct evbuffer *in, dummy_stream_rx_fn *rx, void *aux);

// Connects to 'name' for ever, or listens on it ("punix:..."), and serves all who connect.  Main
// thread; NULL and a new '*errorp' for a name that is not one.
struct dummy_stream *dummy_stream_create(const char *name, dummy_stream_rx_fn *, void *aux,
                                         char **errorp);
void dummy_stream_destroy(struct dummy_stream *); // NULL is fine; nobody may be in send()
const char *dummy_stream_name(const struct dummy_stream *);
// "connected" or "disconnected"; one that listens is "unknown".
const char *dummy_stream_state(const struct dummy_stream *);

// Any thread: main sends it soon.  Dropped while nobody is connected, or when too much waits.
void dummy_stream_send(struct dummy_stream *, const void *frame, size_t size);

#endif
