// SPDX-License-Identifier: Apache-2.0
#include "netdev/netdev_vhost_rings.h"

#include <string.h>

#define F_RING_PACKED (1ULL << 34)

// By their numbers in vhost-user.rst.
enum {
    SET_FEATURES = 2,
    RESET_OWNER = 4,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
};

// The number of a ring and what is said of it.
struct state {
    uint32_t ring, value;
};

static void
set_size(struct netdev_vhost_rings *r, struct netdev_vhost_ring *ring, uint32_t size)
{
    r->n_entries += size - ring->size;
    ring->size = size;
}

// Whether a packed ring of 'size' has the places that 'base' names, of the driver's and of ours.
static bool
base_is_within(uint32_t base, uint32_t size)
{
    return (base & 0x7fff) < size && (base >> 16 & 0x7fff) < size;
}

static bool
has_a_placed_ring(const struct netdev_vhost_rings *r)
{
    for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++) {
        if (r->rings[i].is_placed) {
            return true;
        }
    }
    return false;
}

// What the library has for a ring depends on the kind, which is that of all rings.
static bool
may_set_features(struct netdev_vhost_rings *r, const void *payload)
{
    uint64_t features;

    memcpy(&features, payload, sizeof(features));
    if (((features & F_RING_PACKED) != 0) == r->is_packed) {
        return true;
    }
    if (has_a_placed_ring(r)) {
        return false;
    }
    for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++) {
        set_size(r, &r->rings[i], 0);
    }
    return true;
}

static bool
may_set_size(struct netdev_vhost_rings *r, struct netdev_vhost_ring *ring, uint32_t size)
{
    if (size == 0 || size > VHOST_RING_MAX_SIZE || (!r->is_packed && (size & (size - 1)) != 0) ||
        (ring->is_placed && size != ring->size) ||
        r->n_entries - ring->size + size > VHOST_RINGS_MAX_ENTRIES) {
        return false;
    }
    set_size(r, ring, 0); // until the library has the memory for it
    return true;
}

static bool
may_set_base(const struct netdev_vhost_rings *r, struct netdev_vhost_ring *ring, uint32_t base)
{
    if (r->is_packed && ring->size != 0 && !base_is_within(base, ring->size)) {
        return false;
    }
    ring->base = base;
    return true;
}

static bool
may_start(const struct netdev_vhost_rings *r, const struct netdev_vhost_ring *ring)
{
    return ring->size != 0 && (!r->is_packed || (ring->base != VHOST_RING_NO_BASE &&
                                                 base_is_within(ring->base, ring->size)));
}

bool
netdev_vhost_rings_may(struct netdev_vhost_rings *r, uint32_t request, const void *payload)
{
    struct state state;

    memcpy(&state, payload, sizeof(state));
    if (request == SET_FEATURES) {
        return may_set_features(r, payload);
    }
    if (request == RESET_OWNER) {
        *r = (struct netdev_vhost_rings){0};
        return true;
    }
    // Of a kick's number one byte counts; other rings that there cannot be are the library's to
    // refuse.
    if (request == SET_VRING_KICK) {
        return may_start(r, &r->rings[state.ring % VHOST_RINGS_MAX]);
    }
    if (request < SET_VRING_NUM || request > GET_VRING_BASE || state.ring >= VHOST_RINGS_MAX) {
        return true;
    }
    struct netdev_vhost_ring *ring = &r->rings[state.ring];
    switch (request) {
    case SET_VRING_NUM:
        return may_set_size(r, ring, state.value);
    case SET_VRING_BASE:
        return may_set_base(r, ring, state.value);
    case SET_VRING_ADDR:
        ring->is_placed |= ring->size != 0;
        return ring->size != 0;
    default: // GET_VRING_BASE stops it, and the library frees what it had for it.
        set_size(r, ring, 0);
        ring->base = VHOST_RING_NO_BASE;
        ring->is_placed = false;
        return true;
    }
}

void
netdev_vhost_rings_did(struct netdev_vhost_rings *r, uint32_t request, const void *payload)
{
    struct state state;
    uint64_t features;

    if (request == SET_FEATURES) {
        memcpy(&features, payload, sizeof(features));
        r->is_packed = (features & F_RING_PACKED) != 0;
        return;
    }
    memcpy(&state, payload, sizeof(state));
    if (request == SET_VRING_NUM && state.ring < VHOST_RINGS_MAX) {
        set_size(r, &r->rings[state.ring], state.value);
    }
}
