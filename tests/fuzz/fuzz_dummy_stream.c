// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: the framing of dummy ports' streams.  The bytes come in pieces, whose sizes the
 * first byte gives; the frames are as many and as large as when they come at once, and nothing but
 * a part of a frame is left.
 */
#include <stdint.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "base/util.h"
#include "netdev/netdev_dummy_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t n, bytes;
    unsigned int sum; /* of all bytes: each is read */
};

static void
rx(void *seen_, const void *frame, size_t size)
{
    struct seen *seen = seen_;

    if (size == 0 || size > UINT16_MAX) {
        abort();
    }
    seen->n++;
    seen->bytes += size;
    for (size_t i = 0; i < size; i++) {
        seen->sum += ((const uint8_t *)frame)[i];
    }
}

/* What is left. */
static size_t
take(const uint8_t *data, size_t size, size_t piece, struct seen *seen)
{
    struct evbuffer *in = evbuffer_new();
    size_t left;

    for (size_t at = 0; at < size; at += piece) {
        evbuffer_add(in, data + at, MIN(piece, size - at));
        dummy_stream_take(in, rx, seen);
    }
    left = evbuffer_get_length(in);
    evbuffer_free(in);
    return left;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen one = {0}, other = {0};

    if (size > 0) {
        size_t piece = (size_t)data[0] + 1;
        size_t left = take(data + 1, size - 1, piece, &one);

        if (left != take(data + 1, size - 1, size, &other) || one.n != other.n ||
            one.bytes != other.bytes || one.sum != other.sum ||
            one.bytes + 2 * one.n + left > size - 1) {
            abort();
        }
    }
    return 0;
}
