// SPDX-License-Identifier: Apache-2.0
/*
 * Conversions between the dense struct flow of translation and the sparse struct flow_key of the
 * datapath.  Called by upcall handlers and by the general path of the parser.
 */
#include "flow/key.h"

void
flow_from_key(const struct flow_key *k, struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    uint64_t map = k->map;
    for (uint32_t i = 0; map; i++, map &= map - 1) {
        flow->w[__builtin_ctzll(map)] = k->w[i];
    }
}

/* Packs the words of 'src' that 'map' names. */
static void
pack(const struct flow *src, uint64_t map, struct flow_key *k)
{
    k->map = map;
    k->n = (uint32_t)__builtin_popcountll(map);
    for (uint32_t i = 0; map; i++, map &= map - 1) {
        k->w[i] = src->w[__builtin_ctzll(map)];
    }
}

void
flow_key_from_flow(const struct flow *flow, struct flow_key *k)
{
    pack(flow, flow_words_map(flow) & FLOW_KEY_WORDS_MAP, k);
}

void
flow_key_from_mask(const struct flow_mask *mask, struct flow_key *k)
{
    flow_key_from_mask_words(mask, flow_words_map(&mask->bits) & FLOW_KEY_WORDS_MAP, k);
}

void
flow_key_from_mask_words(const struct flow_mask *mask, uint64_t map, struct flow_key *k)
{
    pack(&mask->bits, map, k);
}

void
flow_key_value(const struct flow *flow, const struct flow_key *mask, struct flow_key *value)
{
    pack(flow, mask->map, value);
    for (uint32_t i = 0; i < value->n; i++) {
        value->w[i] &= mask->w[i];
    }
}
