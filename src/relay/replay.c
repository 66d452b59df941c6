// SPDX-License-Identifier: Apache-2.0
//
// The relay as the vhost library's front-end: it tells a new one what is in force, and asks an old
// one where it stops.
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

#include "relay/control.h"
#include "relay/relay.h"

// Protocol features that the relay can record or need not: multiqueue, dirty log, RARP, REPLY_ACK,
// MTU, the back-end's own requests, crypto (which no network device uses), page faults (postcopy),
// descriptors in the back-end's requests, host notifiers, RESET_DEVICE, STATUS.  Others would be
// messages that a replay lacks, or that the switch refuses (in-flight tables).
#define KNOWN_PROTOCOL_FEATURES 0x12dbfULL

bool
relay_pass_reply(struct relay *r, struct vhu_msg *reply)
{
    bool answers =
        (reply->flags & VHU_FLAG_REPLY) != 0 && r->is_asked && reply->request == r->asked.request;
    bool ok;

    if (answers && reply->request == VHU_GET_PROTOCOL_FEATURES && reply->size >= 8) {
        uint64_t offered = vhu_u64(reply) & KNOWN_PROTOCOL_FEATURES;
        vhu_make(reply, reply->request, &offered, sizeof(offered));
        reply->flags |= VHU_FLAG_REPLY;
    }
    if (answers) {
        record_reply(r->record, &r->asked, reply);
        vhu_close_fds(&r->asked);
        r->is_asked = r->is_asked_again = false;
    }
    // vhost-user.rst: with postcopy the answer to a memory table is the table, and the library's
    // thread for all ports waits until the front-end has confirmed it.
    if (record_in_postcopy(r->record) && reply->request == VHU_SET_MEM_TABLE &&
        reply->size > sizeof(uint64_t)) {
        r->confirm_ms = relay_now_ms() + VHU_MESSAGE_MS;
    }
    ok = vhu_send(r->outer, reply) == 0;
    vhu_close_fds(reply);
    return ok;
}

static bool
wait_inner(struct relay *r, int64_t end_ms)
{
    struct pollfd pollfd = {.fd = r->inner, .events = POLLIN};
    int n;

    do {
        int64_t left = end_ms - relay_now_ms();
        n = left > 0 ? poll(&pollfd, 1, (int)left) : 0;
    } while (n < 0 && errno == EINTR);
    return n == 1;
}

// Sends a request to the library and waits for its answer; other answers go to the front-end.
// False when none comes in time.
static bool
ask(struct relay *r, const struct vhu_msg *request, struct vhu_msg *reply, int64_t end_ms)
{
    if (vhu_send(r->inner, request) != 0) {
        return false;
    }
    while (wait_inner(r, end_ms) && vhu_receive(r->inner, reply) == 1) {
        if (reply->request == request->request) {
            vhu_close_fds(reply);
            return true;
        }
        if (r->outer < 0 || !relay_pass_reply(r, reply)) {
            vhu_close_fds(reply);
            return false;
        }
    }
    return false;
}

static bool
ask_u64(struct relay *r, uint32_t request, uint64_t *value, int64_t end_ms)
{
    struct vhu_msg msg, reply;

    vhu_make(&msg, request, NULL, 0);
    if (!ask(r, &msg, &reply, end_ms)) {
        return false;
    }
    *value = vhu_u64(&reply);
    return true;
}

static bool
offers_enough(struct relay *r, const char **why, int64_t end_ms)
{
    uint64_t offered, protocol_offered = 0;
    uint64_t protocol = record_protocol_features(r->record);

    if (!ask_u64(r, VHU_GET_FEATURES, &offered, end_ms) ||
        (protocol != 0 && !ask_u64(r, VHU_GET_PROTOCOL_FEATURES, &protocol_offered, end_ms))) {
        return false;
    }
    if ((record_features(r->record) & ~offered) != 0 || (protocol & ~protocol_offered) != 0) {
        *why = "the switch no longer offers features that the guest uses";
        return false;
    }
    return true;
}

// An interrupt may have been due when the switch died; one too many does no harm.
static void
wake_driver(const struct relay *r)
{
    for (int ring = 0; ring < VHU_MAX_RINGS; ring++) {
        struct pollfd pollfd = {.fd = record_call_fd(r->record, ring), .events = POLLOUT};
        const uint64_t one = 1;
        // The descriptor is the front-end's: what would block is not written to.
        if (pollfd.fd >= 0 && poll(&pollfd, 1, 0) == 1 && (pollfd.revents & POLLOUT) != 0 &&
            write(pollfd.fd, &one, sizeof(one)) < 0) {
            continue; // It is no eventfd: its driver wakes up when a frame comes, or never.
        }
    }
}

bool
relay_replay(struct relay *r, const char **why)
{
    struct vhu_msg msg, reply;
    int64_t end_ms = relay_now_ms() + RELAY_REPLAY_MS;
    unsigned int pos = 0;
    uint64_t features;

    if (!offers_enough(r, why, end_ms)) {
        return false;
    }
    while (record_next(r->record, &pos, &msg)) {
        bool ok =
            vhu_wants_reply(&msg) ? ask(r, &msg, &reply, end_ms) : vhu_send(r->inner, &msg) == 0;
        if (!ok) {
            return false;
        }
    }
    // With this answer all of the above has been accepted.
    if (!ask_u64(r, VHU_GET_FEATURES, &features, end_ms)) {
        return false;
    }
    if (r->is_asked) {
        r->is_asked_again = true;
        if (vhu_send(r->inner, &r->asked) != 0) {
            return false;
        }
    }
    wake_driver(r);
    return true;
}

// The front-end's question must be answered first: its answer could be taken for ours.
static bool
settle(struct relay *r)
{
    int64_t end_ms = relay_now_ms() + RELAY_ANSWER_MS;
    struct vhu_msg reply;

    while (r->is_asked) {
        if (!wait_inner(r, end_ms) || vhu_receive(r->inner, &reply) != 1 ||
            !relay_pass_reply(r, &reply)) {
            return false;
        }
    }
    return true;
}

bool
relay_stop_rings(struct relay *r)
{
    struct vhu_msg msg, reply;

    if (!settle(r)) {
        return false;
    }
    for (uint32_t ring = 0; ring < VHU_MAX_RINGS; ring++) {
        const uint32_t payload[2] = {ring, 0};

        if (!record_ring_runs(r->record, (int)ring)) {
            continue;
        }
        vhu_make(&msg, VHU_GET_VRING_BASE, payload, sizeof(payload));
        if (!ask(r, &msg, &reply, relay_now_ms() + RELAY_ANSWER_MS)) {
            return false;
        }
        record_set_base(r->record, &reply);
    }
    return true;
}
