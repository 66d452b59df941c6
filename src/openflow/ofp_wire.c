// SPDX-License-Identifier: Apache-2.0
/* The growable writer, and the two port numberings.
 *
 * See ofp_wire.h.  Memory grows by doubling; what is written is what we encode, so its size is ours
 * and not a peer's.
 */
#include "openflow/ofp_wire.h"

#include "base/util.h"

#include <stdlib.h>

bool
rd_zeros(struct rd *r, size_t n)
{
    const uint8_t *p = rd_bytes(r, n);
    uint8_t any = 0;

    if (!p) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        any |= p[i];
    }
    return !any;
}

void
wr_fini(struct wr *w)
{
    free(w->data);
    *w = (struct wr){0};
}

void
wr_reserve(struct wr *w, size_t n)
{
    size_t need = w->size + n;

    if (need > w->cap) {
        size_t grown = MAX(w->cap * 2, (size_t)64);

        w->cap = MAX(need, grown);
        w->data = xrealloc(w->data, w->cap);
    }
}

uint8_t *
wr_zeros(struct wr *w, size_t n)
{
    uint8_t *p;

    wr_reserve(w, n);
    p = w->data + w->size;
    memset(p, 0, n);
    w->size += n;
    return p;
}

void
wr_bytes(struct wr *w, const void *data, size_t n)
{
    if (n) {
        wr_reserve(w, n);
        memcpy(w->data + w->size, data, n);
        w->size += n;
    }
}

void
wr_u8(struct wr *w, uint8_t x)
{
    wr_bytes(w, &x, 1);
}

void
wr_u16(struct wr *w, uint16_t x)
{
    uint8_t b[2] = {(uint8_t)(x >> 8), (uint8_t)x};

    wr_bytes(w, b, sizeof b);
}

void
wr_u32(struct wr *w, uint32_t x)
{
    uint8_t b[4] = {(uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x};

    wr_bytes(w, b, sizeof b);
}

void
wr_u64(struct wr *w, uint64_t x)
{
    wr_u32(w, (uint32_t)(x >> 32));
    wr_u32(w, (uint32_t)x);
}

void
wr_string(struct wr *w, const char *s, size_t n)
{
    size_t len = strnlen(s, n - 1);

    memcpy(wr_zeros(w, n), s, len);
}

void
wr_align(struct wr *w, size_t start, size_t align)
{
    size_t rest = (w->size - start) % align;

    if (rest) {
        wr_zeros(w, align - rest);
    }
}

void
wr_set_u16(struct wr *w, size_t ofs, uint16_t x)
{
    put_be16(w->data + ofs, x);
}

bool
ofp_port_from_wire32(uint32_t wire, ofp_port_t *port)
{
    if (wire < OFPP_MAX) {
        *port = wire;
        return true;
    }
    *port = wire & 0xffff;
    return wire >= 0xffff0000u + OFPP_MAX;
}

uint32_t
ofp_port_to_wire32(ofp_port_t port)
{
    return port < OFPP_MAX ? port : port | 0xffff0000u;
}
