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

static void
grow(struct wr *w, size_t need)
{
    size_t grown = MAX(w->cap * 2, (size_t)64);

    w->cap = MAX(need, grown);
    w->data = xrealloc(w->data, w->cap);
}

void
wr_reserve(struct wr *w, size_t n)
{
    if (w->size + n > w->cap) {
        grow(w, w->size + n);
    }
}

/* Where the next 'n' bytes go.  A dump puts dozens of small numbers for each flow. */
static inline uint8_t *
append(struct wr *w, size_t n)
{
    size_t at = w->size;

    if (UNLIKELY(at + n > w->cap)) {
        grow(w, at + n);
    }
    w->size = at + n;
    return w->data + at;
}

uint8_t *
wr_zeros(struct wr *w, size_t n)
{
    uint8_t *p = append(w, n);

    memset(p, 0, n);
    return p;
}

void
wr_bytes(struct wr *w, const void *data, size_t n)
{
    if (n) {
        memcpy(append(w, n), data, n);
    }
}

void
wr_u8(struct wr *w, uint8_t x)
{
    *append(w, 1) = x;
}

void
wr_u16(struct wr *w, uint16_t x)
{
    put_be16(append(w, sizeof x), x);
}

void
wr_u32(struct wr *w, uint32_t x)
{
    put_be32(append(w, sizeof x), x);
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
