// SPDX-License-Identifier: Apache-2.0
/* Cursors over OpenFlow bytes: 'struct rd' reads and never past its end, 'struct wr' writes and
 * grows.
 *
 * All multi-byte integers on the wire are big-endian; these functions convert, so that decoded
 * structures hold host byte order unless a field's comment says otherwise (IPv4 and IPv6 addresses
 * stay in network order).
 *
 * A reader that would run off its end yields zeros and latches 'bad'; a decoder may therefore read
 * a whole fixed structure and ask once, with rd_ok(), whether the bytes were there.  Nothing here
 * allocates on behalf of a length that the peer claims.  Any thread; no shared state.
 */
#ifndef OPENFLOW_OFP_WIRE_H
#define OPENFLOW_OFP_WIRE_H 1

#include "packet/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mf_options;

/* A reader. */
struct rd {
    const uint8_t *p;                 /* Next byte. */
    const uint8_t *end;               /* One past the last byte. */
    const struct mf_options *options; /* What tun_metadata fields mean (flow/option.h); NULL: none
                                         is mapped.  Readers of a part have the whole's. */
    bool bad;                         /* A read went past the end. */
};

static inline struct rd
rd_init(const void *data, size_t size)
{
    return (struct rd){.p = data, .end = (const uint8_t *)data + size};
}

static inline size_t
rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->p);
}

static inline bool
rd_ok(const struct rd *r)
{
    return !r->bad;
}

/* Takes 'n' bytes, or returns NULL and latches 'bad' when they are not there. */
static inline const uint8_t *
rd_bytes(struct rd *r, size_t n)
{
    const uint8_t *p = r->p;

    if (n > rd_left(r)) {
        r->bad = true;
        r->p = r->end;
        return NULL;
    }
    r->p += n;
    return p;
}

static inline void
rd_skip(struct rd *r, size_t n)
{
    rd_bytes(r, n);
}

/* Takes 'n' bytes as a reader of their own; an empty, bad one when they are not there. */
static inline struct rd
rd_sub(struct rd *r, size_t n)
{
    const uint8_t *p = rd_bytes(r, n);

    return p ? (struct rd){.p = p, .end = p + n, .options = r->options}
             : (struct rd){.p = r->end, .end = r->end, .bad = true};
}

static inline uint8_t
rd_u8(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 1);

    return p ? *p : 0;
}

static inline uint16_t
rd_u16(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 2);

    return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t
rd_u32(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 4);

    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

static inline uint64_t
rd_u64(struct rd *r)
{
    uint64_t hi = rd_u32(r);

    return hi << 32 | rd_u32(r);
}

/* Copies 'n' bytes to 'dst', zeros when they are not there. */
static inline void
rd_copy(struct rd *r, void *dst, size_t n)
{
    const uint8_t *p = rd_bytes(r, n);

    if (p) {
        memcpy(dst, p, n);
    } else {
        memset(dst, 0, n);
    }
}

/* Takes 'n' bytes and says whether all of them were there and zero. */
bool rd_zeros(struct rd *r, size_t n);

/* A writer on a growable buffer that it owns.  {0} is an empty one. */
struct wr {
    uint8_t *data;
    size_t size; /* Bytes written. */
    size_t cap;  /* Bytes allocated. */
};

void wr_fini(struct wr *w);

/* Makes room for 'n' more bytes without writing them. */
void wr_reserve(struct wr *w, size_t n);

/* Appends 'n' zero bytes; returns where they are (valid until the next write). */
uint8_t *wr_zeros(struct wr *w, size_t n);

void wr_bytes(struct wr *w, const void *data, size_t n);
void wr_u8(struct wr *w, uint8_t x);
void wr_u16(struct wr *w, uint16_t x);
void wr_u32(struct wr *w, uint32_t x);
void wr_u64(struct wr *w, uint64_t x);

/* Appends 's' into a field of 'n' bytes, cut so that a terminating zero always fits, zero-padded.
 */
void wr_string(struct wr *w, const char *s, size_t n);

/* Appends zeros until the bytes since offset 'start' are a multiple of 'align'. */
void wr_align(struct wr *w, size_t start, size_t align);

/* Overwrites the two bytes at offset 'ofs', which must have been written. */
void wr_set_u16(struct wr *w, size_t ofs, uint16_t x);

/* Forgets everything from offset 'size' on. */
static inline void
wr_truncate(struct wr *w, size_t size)
{
    w->size = size < w->size ? size : w->size;
}

#define OFP_ROUND8(N) (((size_t)(N) + 7) & ~(size_t)7)

/* Limits of the protocol. */
#define OFP_HEADER_SIZE 8
#define OFP_MSG_MAX 65535

/* Experimenter (vendor) identifiers. */
#define OFP_VENDOR_NX 0x00002320u
#define OFP_VENDOR_ONF 0x4f4e4600u
#define OFP_VENDOR_INTEL 0x0000aa01u
#define OFP_VENDOR_NTR 0x0000154du

/* Ports are ofp_port_t in OpenFlow 1.0's 16-bit form (packet/types.h) in decoded structures of
 * every version.  OpenFlow 1.1 and later have 32 bits on the wire, where the reserved ports are
 * 0xffffff00 and up. */

/* Reads a 32-bit port: false where it has no 16-bit form. */
bool ofp_port_from_wire32(uint32_t wire, ofp_port_t *port);
uint32_t ofp_port_to_wire32(ofp_port_t port);

#define OFP_BUFFER_NONE 0xffffffffu
#define OFP_MAX_LEN_NO_BUFFER 0xffffu
#define OFP_TABLE_ALL 0xffu
#define OFP_GROUP_MAX 0xffffff00u
#define OFP_GROUP_ALL 0xfffffffcu
#define OFP_GROUP_ANY 0xffffffffu
#define OFP_QUEUE_ALL 0xffffffffu
#define OFP_DEFAULT_PRIORITY 0x8000u

#endif
