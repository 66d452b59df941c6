// SPDX-License-Identifier: Apache-2.0
#include "netdev/netdev_vhost_rings.h"

#include <string.h>

#define F_MQ (1ULL << 22)
#define F_LOG_ALL (1ULL << 26)
#define F_ACCESS_PLATFORM (1ULL << 33)
#define F_RING_PACKED (1ULL << 34)

// By their numbers in vhost-user.rst.
enum {
    SET_FEATURES = 2,
    RESET_OWNER = 4,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    GET_VRING_BASE = 11,
    SET_VRING_KICK = 12,
    IOTLB_MSG = 22,
};

// The number of a ring and what is said of it.
struct state {
    uint32_t ring, value;
};

static bool
is_packed(const struct netdev_vhost_rings *r)
{
    return (r->features & F_RING_PACKED) != 0;
}

static void
set_held(struct netdev_vhost_rings *r, struct netdev_vhost_ring *ring, uint32_t held)
{
    r->n_entries += held - ring->held;
    ring->held = held;
}

// Whether a packed ring of 'size' has the places that 'base' names, of the driver's and of ours.
static bool
base_is_within(uint32_t base, uint32_t size)
{
    return (base & 0x7fff) < size && (base >> 16 & 0x7fff) < size;
}

// The library's ring lengths are those of the features of when it learned of the place.
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

static bool
has_a_ring_of_a_second_pair(const struct netdev_vhost_rings *r)
{
    for (uint32_t i = 2; i < VHOST_RINGS_MAX; i++) {
        if (r->rings[i].size != 0 || r->rings[i].is_placed) {
            return true;
        }
    }
    return false;
}

// What the library has for a ring depends on the kind, which is that of all rings: it keeps it, and
// where the ring was, but can use neither.  Without MQ it frees all rings but two, also while a
// forwarding thread has them.
static bool
may_set_features(struct netdev_vhost_rings *r, const void *payload)
{
    uint64_t features;

    memcpy(&features, payload, sizeof(features));
    uint64_t changed = features ^ r->features;
    if (((changed & ~F_LOG_ALL) != 0 && has_a_placed_ring(r)) ||
        ((features & F_MQ) == 0 && has_a_ring_of_a_second_pair(r)) ||
        ((features & F_ACCESS_PLATFORM) != 0 && r->has_stale_translations)) {
        return false;
    }
    if ((changed & F_RING_PACKED) == 0) {
        return true;
    }
    for (uint32_t i = 0; i < VHOST_RINGS_MAX; i++) {
        r->rings[i].size = 0;
        if (r->rings[i].base != 0) { // where both begin
            r->rings[i].base = VHOST_RING_NO_BASE;
        }
    }
    return true;
}

static bool
may_set_size(struct netdev_vhost_rings *r, struct netdev_vhost_ring *ring, uint32_t size)
{
    if (size == 0 || size > VHOST_RING_MAX_SIZE || (!is_packed(r) && (size & (size - 1)) != 0) ||
        (is_packed(r) && ring->base != VHOST_RING_NO_BASE && !base_is_within(ring->base, size)) ||
        (ring->is_placed && size != ring->size) ||
        r->n_entries - ring->held + size > VHOST_RINGS_MAX_ENTRIES) {
        return false;
    }
    // Until the library has the memory for it; of what it had a part may stay if there is none.
    ring->size = 0;
    if (ring->held < size) {
        set_held(r, ring, size);
    }
    return true;
}

static bool
may_set_base(const struct netdev_vhost_rings *r, struct netdev_vhost_ring *ring, uint32_t base)
{
    if (is_packed(r) && ring->size != 0 && !base_is_within(base, ring->size)) {
        return false;
    }
    ring->base = base;
    return true;
}

// It may have a place from before it was stopped, which the library remembers.
static bool
may_start(const struct netdev_vhost_rings *r, struct netdev_vhost_ring *ring)
{
    if (ring->size == 0 || (is_packed(r) && (ring->base == VHOST_RING_NO_BASE ||
                                             !base_is_within(ring->base, ring->size)))) {
        return false;
    }
    ring->is_placed = ring->is_started = true;
    return true;
}

static void
stop(struct netdev_vhost_rings *r, struct netdev_vhost_ring *ring)
{
    set_held(r, ring, 0);
    *ring = (struct netdev_vhost_ring){.base = VHOST_RING_NO_BASE};
}

// What an IOMMU told is where memory lies with us.  The library forgets it with the memory only
// while it uses it, but notes it, and has it, while the guest does without.
static void
change_memory(struct netdev_vhost_rings *r)
{
    r->has_stale_translations |= r->has_translations && (r->features & F_ACCESS_PLATFORM) == 0;
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
        return false;
    }
    if (request == SET_MEM_TABLE) {
        change_memory(r);
        return true;
    }
    if (request == IOTLB_MSG) {
        r->has_translations = true;
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
        stop(r, ring);
        return true;
    }
}

void
netdev_vhost_rings_did(struct netdev_vhost_rings *r, uint32_t request, const void *payload)
{
    struct state state;

    if (request == SET_FEATURES) {
        memcpy(&r->features, payload, sizeof(r->features));
        return;
    }
    memcpy(&state, payload, sizeof(state));
    if (request == SET_VRING_NUM && state.ring < VHOST_RINGS_MAX) {
        r->rings[state.ring].size = state.value;
        set_held(r, &r->rings[state.ring], state.value);
    }
}

bool
netdev_vhost_rings_has_started(const struct netdev_vhost_rings *r, uint32_t ring)
{
    return ring < VHOST_RINGS_MAX && r->rings[ring].is_started;
}
