// SPDX-License-Identifier: Apache-2.0
/*
 * The slow, obvious twin of key_extract(): byte by byte, one dense flow, no shapes.  Fast parser
 * and twin must agree on any bytes.  frame_gen makes the bytes.
 */
#ifndef TESTS_TWIN_EXTRACT_H
#define TESTS_TWIN_EXTRACT_H

#include "flow/extract.h"

/* Parses 'size' bytes of one Ethernet frame.  Same results as flow_extract() of a packet of them.
 */
enum extract_result twin_extract(const uint8_t *data, uint32_t size, odp_port_t in_port,
                                 struct flow *flow, struct packet_layers *ly);

/* A small generator: xorshift, so that a failing case can be repeated from its seed. */
struct frame_gen {
    uint64_t state;
};
uint64_t frame_gen_u64(struct frame_gen *g);
uint32_t frame_gen_below(struct frame_gen *g, uint32_t max);

/* A random flow of some packet's shape, in canonical form: flow_extract() of its packet gives it
 * back. */
void frame_gen_flow(struct frame_gen *g, struct flow *flow);

/*
 * A random frame of up to 'cap' (>= 2048) bytes: a packet of a random flow, then perhaps mutated:
 * bits flipped, lengths and types replaced, cut, padded, options and extension headers inserted.
 */
uint32_t frame_gen_frame(struct frame_gen *g, uint8_t *data, uint32_t cap);

/* An mbuf, not from a pool, around 'size' bytes of 'data'. */
void frame_mbuf(struct rte_mbuf *m, void *data, uint32_t size);

#endif
