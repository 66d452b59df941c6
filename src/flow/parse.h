// SPDX-License-Identifier: Apache-2.0
/*
 * Private to extract.c and parse.c: unaligned loads, and the door to the general parser.
 */
#ifndef SLUICE_FLOW_PARSE_H
#define SLUICE_FLOW_PARSE_H 1

#include "flow/extract.h"

static_assert(RTE_BYTE_ORDER == RTE_LITTLE_ENDIAN, "words are composed by shifts");

/* Headers that end beyond this are cut, however the packet is segmented. */
#define PARSE_WINDOW 2048

/* The words that headers fill; the tunnel and what follows are metadata. */
#define N_PACKET_WORDS FLOW_WORD_OF(tunnel)

#define BE16(X) RTE_STATIC_BSWAP16(X)
#define LOW48 UINT64_C(0xffffffffffff)

static inline uint16_t
load16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t
load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t
load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/*
 * Parses a packet of 'size' bytes, of which 'avail' can be read at 'data', into the first
 * N_PACKET_WORDS words of 'f' (which need not be initialised; the others are left alone) and 'ly'.
 * '*want_more' says that the result would differ if more of the bytes could be read.
 */
enum extract_result parse_bytes(const uint8_t *data, uint32_t avail, uint32_t size,
                                rte_be32_t packet_type, struct flow *f, struct packet_layers *ly,
                                bool *want_more);

#endif
