// SPDX-License-Identifier: Apache-2.0
//
// The relay's record of a front-end, and messages on a socket.
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/record.h"
#include "unit.h"

static void
tell_u64(struct record *record, uint32_t request, uint64_t value, int fd)
{
    struct vhu_msg msg;

    vhu_make(&msg, request, &value, sizeof(value));
    if (fd >= 0) {
        msg.fds[msg.n_fds++] = fd;
    }
    record_request(record, &msg);
}

static void
tell_ring(struct record *record, uint32_t request, uint32_t ring, uint32_t value)
{
    const uint32_t payload[2] = {ring, value};
    struct vhu_msg msg;

    vhu_make(&msg, request, payload, sizeof(payload));
    record_request(record, &msg);
}

// How many messages of a kind a replay has; '*last' is the last one.
static int
count(const struct record *record, uint32_t request, struct vhu_msg *last)
{
    struct vhu_msg msg;
    unsigned int pos = 0;
    int n = 0;

    while (record_next(record, &pos, &msg)) {
        assert_int_equal(msg.flags, VHU_VERSION);
        if (msg.request == request) {
            *last = msg;
            n++;
        }
    }
    return n;
}

static void
test_the_last_message_counts(void **state)
{
    struct record *record = record_create();
    struct vhu_msg msg;
    unsigned int pos = 0;

    tell_ring(record, VHU_SET_VRING_NUM, 1, 256);
    tell_ring(record, VHU_SET_VRING_NUM, 1, 512);
    tell_ring(record, VHU_SET_VRING_NUM, 0, 128);
    tell_u64(record, VHU_SET_FEATURES, 1, -1);
    tell_u64(record, VHU_SET_FEATURES, 1ULL << 32, -1);
    assert_int_equal(count(record, VHU_SET_VRING_NUM, &msg), 2);
    assert_int_equal(vhu_ring(&msg), 1);
    assert_int_equal(vhu_u64(&msg) >> 32, 512);
    assert_int_equal(count(record, VHU_SET_FEATURES, &msg), 1);
    assert_true(record_features(record) == 1ULL << 32);
    // Features stand before rings: a back-end lays rings out by them.
    assert_true(record_next(record, &pos, &msg));
    assert_int_equal(msg.request, VHU_SET_FEATURES);
    record_destroy(record);
}

static void
test_rings_out_of_bounds_leave_no_trace(void **state)
{
    struct record *record = record_create();
    struct vhu_msg msg;

    tell_ring(record, VHU_SET_VRING_NUM, VHU_MAX_RINGS, 256);
    tell_ring(record, VHU_SET_VRING_NUM, UINT32_MAX, 256);
    vhu_make(&msg, VHU_SET_VRING_NUM, "abcd", 4);
    record_request(record, &msg);
    assert_int_equal(count(record, VHU_SET_VRING_NUM, &msg), 0);
    assert_false(record_ring_runs(record, VHU_MAX_RINGS - 1));
    record_destroy(record);
}

static void
test_descriptors_are_duplicates_and_closed(void **state)
{
    struct record *record = record_create();
    int fd = eventfd(0, EFD_CLOEXEC), kept;
    struct vhu_msg msg;

    tell_u64(record, VHU_SET_VRING_KICK, 3, fd);
    tell_u64(record, VHU_SET_VRING_CALL, 3, fd);
    close(fd);
    assert_true(record_ring_runs(record, 3));
    kept = record_call_fd(record, 3);
    assert_int_not_equal(fcntl(kept, F_GETFD), -1);
    assert_int_equal(count(record, VHU_SET_VRING_CALL, &msg), 1);
    assert_int_equal(msg.n_fds, 1);
    // Without a descriptor it is a message all the same.
    tell_u64(record, VHU_SET_VRING_CALL, 3 | VHU_RING_FD_NONE, -1);
    assert_int_equal(record_call_fd(record, 3), -1);
    assert_int_equal(fcntl(kept, F_GETFD), -1);
    record_destroy(record);
}

static void
test_a_ring_that_was_stopped_does_not_run(void **state)
{
    struct record *record = record_create();
    const uint32_t ask[2] = {1, 0}, answer[2] = {1, 77};
    struct vhu_msg request, reply, msg;

    tell_u64(record, VHU_SET_VRING_KICK, 1, 0);
    tell_u64(record, VHU_SET_VRING_KICK, 0, 0);
    vhu_make(&request, VHU_GET_VRING_BASE, ask, sizeof(ask));
    vhu_make(&reply, VHU_GET_VRING_BASE, answer, sizeof(answer));
    record_reply(record, &request, &reply);
    assert_false(record_ring_runs(record, 1));
    assert_true(record_ring_runs(record, 0));
    assert_int_equal(count(record, VHU_SET_VRING_BASE, &msg), 1);
    assert_int_equal(vhu_u64(&msg) >> 32, 77);
    record_destroy(record);
}

static void
test_what_cannot_be_kept(void **state)
{
    struct record *record = record_create();
    struct vhu_msg msg;

    assert_null(record_obstacle(record, RECORD_KILLED));
    tell_u64(record, VHU_SET_FEATURES, 1ULL << 34, -1); // packed rings
    assert_non_null(record_obstacle(record, RECORD_KILLED));
    assert_null(record_obstacle(record, RECORD_STOPPED));
    tell_u64(record, VHU_SET_FEATURES, 1ULL << 26, -1); // dirty log
    assert_non_null(record_obstacle(record, RECORD_KILLED));
    assert_null(record_obstacle(record, RECORD_STOPPED));
    tell_u64(record, VHU_SET_FEATURES, 1ULL << 33, -1); // IOMMU
    assert_non_null(record_obstacle(record, RECORD_STOPPED));
    tell_u64(record, VHU_SET_FEATURES, 1ULL << 32, -1);
    assert_null(record_obstacle(record, RECORD_KILLED));
    vhu_make(&msg, VHU_POSTCOPY_ADVISE, NULL, 0);
    record_request(record, &msg);
    assert_non_null(record_obstacle(record, RECORD_STOPPED));
    vhu_make(&msg, VHU_POSTCOPY_END, NULL, 0);
    record_request(record, &msg);
    assert_null(record_obstacle(record, RECORD_KILLED));
    record_destroy(record);
}

static void
test_a_log_goes_with_its_feature(void **state)
{
    struct record *record = record_create();
    struct vhu_msg msg;

    tell_u64(record, VHU_SET_LOG_BASE, 4096, 0);
    tell_u64(record, VHU_SET_FEATURES, 1ULL << 26, -1);
    assert_int_equal(count(record, VHU_SET_LOG_BASE, &msg), 1);
    tell_u64(record, VHU_SET_FEATURES, 1ULL << 32, -1);
    assert_int_equal(count(record, VHU_SET_LOG_BASE, &msg), 0);
    record_destroy(record);
}

// The front-end confirms the addresses of its memory by the same request, without descriptors.
static void
test_a_confirmation_is_no_memory_table(void **state)
{
    struct record *record = record_create();
    int fd = eventfd(0, EFD_CLOEXEC);
    struct vhu_msg msg;

    vhu_make(&msg, VHU_POSTCOPY_ADVISE, NULL, 0);
    record_request(record, &msg);
    tell_u64(record, VHU_SET_MEM_TABLE, 1, fd);
    tell_u64(record, VHU_SET_MEM_TABLE, 0, -1);
    vhu_make(&msg, VHU_POSTCOPY_END, NULL, 0);
    record_request(record, &msg);
    assert_int_equal(count(record, VHU_SET_MEM_TABLE, &msg), 1);
    assert_int_equal(vhu_u64(&msg), 1);
    assert_int_equal(msg.n_fds, 1);
    // At any other time one without descriptors is a table: of no memory.
    tell_u64(record, VHU_SET_MEM_TABLE, 0, -1);
    assert_int_equal(count(record, VHU_SET_MEM_TABLE, &msg), 1);
    assert_int_equal(msg.n_fds, 0);
    close(fd);
    record_destroy(record);
}

static unsigned int
n_open(void)
{
    unsigned int n = 0;

    for (int fd = 0; fd < 4096; fd++) {
        n += fcntl(fd, F_GETFD) != -1;
    }
    return n;
}

// Each kind of message with as many descriptors as a message can have.
static void
test_the_number_of_descriptors_is_bounded(void **state)
{
    struct record *record = record_create();
    int fd = eventfd(0, EFD_CLOEXEC);
    unsigned int before = n_open();
    const uint32_t payload[2] = {7, 0};
    struct vhu_msg msg;

    for (uint32_t request = 0; request < 64; request++) {
        vhu_make(&msg, request, payload, sizeof(payload));
        while (msg.n_fds < VHU_MAX_FDS) {
            msg.fds[msg.n_fds++] = fd;
        }
        if (request != VHU_RESET_OWNER && request != VHU_RESET_DEVICE) {
            record_request(record, &msg);
        }
    }
    // As record.h says: 3 of the ring, and those of the device.
    assert_int_equal(n_open() - before, 3 + VHU_MAX_FDS + 3);
    record_destroy(record);
    assert_int_equal(n_open(), before);
    close(fd);
}

static void
test_messages_through_a_socket(void **state)
{
    struct vhu_msg in, out;
    int fds[2], first = eventfd(0, EFD_CLOEXEC);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    vhu_make(&out, VHU_SET_OWNER, NULL, 0);
    assert_int_equal(vhu_send(fds[0], &out), 0);
    vhu_make(&out, VHU_SET_VRING_KICK, "12345678", 8);
    out.fds[out.n_fds++] = first;
    assert_int_equal(vhu_send(fds[0], &out), 0);
    assert_int_equal(vhu_receive(fds[1], &in), 1);
    assert_int_equal(in.request, VHU_SET_OWNER);
    assert_int_equal(in.n_fds, 0);
    assert_int_equal(vhu_receive(fds[1], &in), 1);
    assert_int_equal(in.n_fds, 1);
    assert_memory_equal(in.payload, "12345678", 8);
    vhu_close_fds(&in);
    // Too long, of another version, cut.
    vhu_make(&out, VHU_SET_OWNER, NULL, 0);
    out.flags = 2;
    assert_int_equal(vhu_send(fds[0], &out), 0);
    assert_int_equal(vhu_receive(fds[1], &in), -EPROTO);
    const uint32_t header[3] = {VHU_SET_OWNER, VHU_VERSION, VHU_MAX_PAYLOAD + 1};
    assert_int_equal(send(fds[0], header, sizeof(header), 0), sizeof(header));
    assert_int_equal(vhu_receive(fds[1], &in), -EPROTO);
    assert_int_equal(send(fds[0], header, 7, 0), 7);
    shutdown(fds[0], SHUT_WR);
    assert_int_equal(vhu_receive(fds[1], &in), 0);
    close(fds[0]);
    close(fds[1]);
    close(first);
}

// A peer that is slow, or means to be: nobody waits for it, and what it brought is not lost.
static void
test_a_message_in_pieces(void **state)
{
    struct vhu_reader reader = {0};
    char bytes[VHU_HEADER_SIZE + 8];
    const uint32_t header[3] = {VHU_SET_VRING_KICK, VHU_VERSION, 8};
    struct vhu_msg out;
    int fds[2], first = eventfd(0, EFD_CLOEXEC);

    memcpy(bytes, header, sizeof(header));
    memcpy(bytes + sizeof(header), "12345678", 8);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            assert_int_equal(vhu_read(fds[1], &reader), -EAGAIN);
            assert_int_equal(send(fds[0], bytes + i, 1, 0), 1);
        }
        assert_int_equal(vhu_read(fds[1], &reader), 1);
        assert_int_equal(reader.msg.request, VHU_SET_VRING_KICK);
        assert_memory_equal(reader.msg.payload, "12345678", 8);
    }
    // Two at once are two, and what has begun with a descriptor is forgotten with it.
    vhu_make(&out, VHU_SET_OWNER, NULL, 0);
    assert_int_equal(vhu_send(fds[0], &out), 0);
    vhu_make(&out, VHU_SET_VRING_KICK, "1234", 4);
    out.fds[out.n_fds++] = first;
    out.size = 8;
    assert_int_equal(vhu_send(fds[0], &out), 0);
    assert_int_equal(send(fds[0], bytes, 4, 0), 4);
    assert_int_equal(vhu_read(fds[1], &reader), 1);
    assert_int_equal(reader.msg.request, VHU_SET_OWNER);
    assert_int_equal(vhu_read(fds[1], &reader), 1);
    assert_int_equal(reader.msg.n_fds, 1);
    vhu_close_fds(&reader.msg);
    assert_int_equal(vhu_read(fds[1], &reader), -EAGAIN);
    assert_int_equal(reader.n, 4);
    vhu_reset(&reader);
    assert_int_equal(reader.n, 0);
    close(fds[0]);
    assert_int_equal(vhu_read(fds[1], &reader), 0);
    close(fds[1]);
    close(first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_message_counts),
        cmocka_unit_test(test_rings_out_of_bounds_leave_no_trace),
        cmocka_unit_test(test_descriptors_are_duplicates_and_closed),
        cmocka_unit_test(test_a_ring_that_was_stopped_does_not_run),
        cmocka_unit_test(test_what_cannot_be_kept),
        cmocka_unit_test(test_a_log_goes_with_its_feature),
        cmocka_unit_test(test_a_confirmation_is_no_memory_table),
        cmocka_unit_test(test_the_number_of_descriptors_is_bounded),
        cmocka_unit_test(test_messages_through_a_socket),
        cmocka_unit_test(test_a_message_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
