// SPDX-License-Identifier: Apache-2.0
/*
 * Random numbers: a fast generator per thread (seeded from the kernel) for sampling, jitter and
 * hash insertion odds, and the kernel's own generator for identifiers.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/util.h"

/* Fast, per thread, not for secrets. */
uint64_t random_u64(void);
static inline uint32_t
random_u32(void)
{
    return (uint32_t)(random_u64() >> 32);
}
/* 0 <= result < max ('max' > 0), without modulo bias worth speaking of. */
uint32_t random_range(uint32_t max);
/* Seeds this thread's generator (tests that want to repeat a run). */
void random_set_seed(uint64_t seed);
/* From getrandom(2). */
void random_bytes(void *p, size_t size);
/* A locally administered unicast address. */
void random_eth(uint8_t mac[6]);

#endif
