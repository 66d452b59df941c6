// SPDX-License-Identifier: Apache-2.0
//
// Two tables of messages, by what they say; their order here is the order of the replay.
#include "relay/record.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Feature bits: virtio 1.2, section 6, and vhost-user.rst.
#define F_LOG_ALL (1ULL << 26)
#define F_ACCESS_PLATFORM (1ULL << 33)
#define F_RING_PACKED (1ULL << 34)

// A message, and how many descriptors it may have: more are not kept.
struct kind {
    uint32_t request;
    unsigned int n_fds;
};

static const struct kind device_kinds[] = {
    {VHU_SET_PROTOCOL_FEATURES, 0}, {VHU_SET_OWNER, 0},   {VHU_SET_FEATURES, 0},
    {VHU_SET_BACKEND_REQ_FD, 1},    {VHU_NET_SET_MTU, 0}, {VHU_SET_MEM_TABLE, VHU_MAX_FDS},
    {VHU_SET_LOG_BASE, 1},          {VHU_SET_LOG_FD, 1},  {VHU_SET_STATUS, 0},
};

static const struct kind ring_kinds[] = {
    {VHU_SET_VRING_NUM, 0},    {VHU_SET_VRING_BASE, 0}, {VHU_SET_VRING_ADDR, 0},
    {VHU_SET_VRING_CALL, 1},   {VHU_SET_VRING_ERR, 1},  {VHU_SET_VRING_KICK, 1},
    {VHU_SET_VRING_ENABLE, 0},
};

enum {
    N_DEVICE = sizeof(device_kinds) / sizeof(device_kinds[0]),
    N_RING = sizeof(ring_kinds) / sizeof(ring_kinds[0]),
};

struct noted {
    uint32_t size;
    unsigned int n_fds;
    int fds[VHU_MAX_FDS];
    uint8_t payload[];
};

struct record {
    struct noted *device[N_DEVICE];
    struct noted *rings[VHU_MAX_RINGS][N_RING];
    bool in_postcopy;
};

// The program links nothing but the C library, so that it is small and starts quickly.
static void *
allocate(size_t size)
{
    void *p = calloc(1, size);

    if (p == NULL) {
        abort(); // What is noted is bounded: this machine has no memory at all.
    }
    return p;
}

static void
forget(struct noted **place)
{
    if (*place != NULL) {
        for (unsigned int i = 0; i < (*place)->n_fds; i++) {
            close((*place)->fds[i]);
        }
        free(*place);
        *place = NULL;
    }
}

static unsigned int
max_fds(uint32_t request)
{
    for (size_t i = 0; i < N_DEVICE; i++) {
        if (device_kinds[i].request == request) {
            return device_kinds[i].n_fds;
        }
    }
    for (size_t i = 0; i < N_RING; i++) {
        if (ring_kinds[i].request == request) {
            return ring_kinds[i].n_fds;
        }
    }
    return 0;
}

static void
note(struct noted **place, const struct vhu_msg *msg)
{
    unsigned int most = max_fds(msg->request);
    struct noted *noted = allocate(sizeof(*noted) + msg->size);

    noted->size = msg->size;
    noted->n_fds = 0;
    memcpy(noted->payload, msg->payload, msg->size);
    for (unsigned int i = 0; i < msg->n_fds && i < most; i++) {
        int fd = fcntl(msg->fds[i], F_DUPFD_CLOEXEC, 3);
        if (fd >= 0) {
            noted->fds[noted->n_fds++] = fd;
        }
    }
    forget(place);
    *place = noted;
}

// Where a message of this kind is noted; NULL when it is not.
static struct noted **
place_of(struct record *record, uint32_t request, int ring)
{
    for (size_t i = 0; i < N_DEVICE; i++) {
        if (device_kinds[i].request == request) {
            return &record->device[i];
        }
    }
    for (size_t i = 0; ring >= 0 && i < N_RING; i++) {
        if (ring_kinds[i].request == request) {
            return &record->rings[ring][i];
        }
    }
    return NULL;
}

static const struct noted *
look(const struct record *record, uint32_t request, int ring)
{
    struct noted **place = place_of((struct record *)record, request, ring);

    return place != NULL ? *place : NULL;
}

static uint64_t
noted_u64(const struct noted *noted)
{
    uint64_t value = 0;

    if (noted != NULL && noted->size >= sizeof(value)) {
        memcpy(&value, noted->payload, sizeof(value));
    }
    return value;
}

struct record *
record_create(void)
{
    return allocate(sizeof(struct record));
}

void
record_clear(struct record *record)
{
    for (size_t i = 0; i < N_DEVICE; i++) {
        forget(&record->device[i]);
    }
    for (size_t ring = 0; ring < VHU_MAX_RINGS; ring++) {
        for (size_t i = 0; i < N_RING; i++) {
            forget(&record->rings[ring][i]);
        }
    }
    record->in_postcopy = false;
}

void
record_destroy(struct record *record)
{
    if (record != NULL) {
        record_clear(record);
        free(record);
    }
}

void
record_request(struct record *record, const struct vhu_msg *msg)
{
    switch (msg->request) {
    case VHU_RESET_OWNER:
    case VHU_RESET_DEVICE:
        record_clear(record);
        return;
    case VHU_POSTCOPY_ADVISE:
        record->in_postcopy = true;
        return;
    case VHU_POSTCOPY_END:
        record->in_postcopy = false;
        return;
    case VHU_SET_FEATURES:
        // A log that is no longer written need not be kept in memory.
        if ((vhu_u64(msg) & F_LOG_ALL) == 0) {
            forget(place_of(record, VHU_SET_LOG_BASE, -1));
            forget(place_of(record, VHU_SET_LOG_FD, -1));
        }
        break;
    case VHU_SET_MEM_TABLE:
        // vhost-user.rst: with postcopy the front-end confirms the table that it has got back by
        // this request once more, without descriptors.  That one is no table.
        if (record->in_postcopy && msg->n_fds == 0) {
            return;
        }
        break;
    default:
        break;
    }
    struct noted **place = place_of(record, msg->request, vhu_ring(msg));
    if (place != NULL) {
        note(place, msg);
    }
}

void
record_set_base(struct record *record, const struct vhu_msg *reply)
{
    struct noted **place = place_of(record, VHU_SET_VRING_BASE, vhu_ring(reply));

    if (place != NULL) {
        note(place, reply);
    }
}

void
record_reply(struct record *record, const struct vhu_msg *request, const struct vhu_msg *reply)
{
    int ring = vhu_ring(request);

    // A ring that was asked for its base has stopped, and its descriptors are closed.
    if (request->request == VHU_GET_VRING_BASE && ring >= 0 && vhu_ring(reply) == ring) {
        record_set_base(record, reply);
        forget(place_of(record, VHU_SET_VRING_KICK, ring));
        forget(place_of(record, VHU_SET_VRING_CALL, ring));
        forget(place_of(record, VHU_SET_VRING_ERR, ring));
    }
}

bool
record_in_postcopy(const struct record *record)
{
    return record->in_postcopy;
}

uint64_t
record_features(const struct record *record)
{
    return noted_u64(look(record, VHU_SET_FEATURES, -1));
}

uint64_t
record_protocol_features(const struct record *record)
{
    return noted_u64(look(record, VHU_SET_PROTOCOL_FEATURES, -1));
}

const char *
record_obstacle(const struct record *record, enum record_end end)
{
    uint64_t features = record_features(record);

    if (record->in_postcopy) {
        return "its memory is on the way from another host";
    }
    if ((features & F_ACCESS_PLATFORM) != 0) {
        return "it has an IOMMU";
    }
    if (end == RECORD_KILLED && (features & F_RING_PACKED) != 0) {
        return "packed rings do not tell where the switch was";
    }
    if (end == RECORD_KILLED && (features & F_LOG_ALL) != 0) {
        return "it is migrating, and the log of its pages may miss some";
    }
    return NULL;
}

bool
record_ring_runs(const struct record *record, int ring)
{
    return look(record, VHU_SET_VRING_KICK, ring) != NULL;
}

int
record_call_fd(const struct record *record, int ring)
{
    const struct noted *noted = look(record, VHU_SET_VRING_CALL, ring);

    return noted != NULL && noted->n_fds == 1 ? noted->fds[0] : -1;
}

bool
record_next(const struct record *record, unsigned int *pos, struct vhu_msg *out)
{
    while (*pos < N_DEVICE + VHU_MAX_RINGS * N_RING) {
        unsigned int at = (*pos)++, i = at < N_DEVICE ? at : at - N_DEVICE;
        const struct noted *noted =
            at < N_DEVICE ? record->device[i] : record->rings[i / N_RING][i % N_RING];
        if (noted != NULL) {
            vhu_make(out, at < N_DEVICE ? device_kinds[i].request : ring_kinds[i % N_RING].request,
                     noted->payload, noted->size);
            out->n_fds = noted->n_fds;
            memcpy(out->fds, noted->fds, noted->n_fds * sizeof(int));
            return true;
        }
    }
    return false;
}
