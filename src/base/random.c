// SPDX-License-Identifier: Apache-2.0
/*
 * The generator per thread is xorshift-multiply on 64 bits of state (period 2^64 - 1), seeded from
 * the kernel at first use.
 */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static _Thread_local uint64_t random_state;

void
random_bytes(void *p, size_t size)
{
    uint8_t *bytes = p;

    while (size > 0) {
        ssize_t n = getrandom(bytes, size, 0);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            abort();
        }
    }
}

void
random_set_seed(uint64_t seed)
{
    random_state = seed ? seed : 1;
}

uint64_t
random_u64(void)
{
    uint64_t x = random_state;

    while (UNLIKELY(x == 0)) {
        random_bytes(&x, sizeof(x));
    }
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random_state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

uint32_t
random_range(uint32_t max)
{
    return (uint32_t)((uint64_t)random_u32() * max >> 32);
}

void
random_eth(uint8_t mac[6])
{
    random_bytes(mac, 6);
    mac[0] = (uint8_t)((mac[0] & 0xfe) | 0x02);
}
