// SPDX-License-Identifier: Apache-2.0
/*
 * One OpenFlow connection over a real socket: HELLO, cut and bent messages, order of answers, and a
 * peer that does not read.
 */
#include "xlate_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { OF10 = 1, OF13 = 4, OF16 = 7, HELLO = 0, ERROR = 1, ECHO_REQUEST = 2, ECHO_REPLY = 3 };
enum { FEATURES_REQUEST = 5, FEATURES_REPLY = 6, SET_CONFIG = 9, PACKET_IN = 10 };
enum { BARRIER_REQUEST_10 = 18, BARRIER_REPLY_10 = 19 };

struct peer {
    struct fx fx;
    struct ofproto *p;
    int fd;
    uint8_t in[1 << 20];
    size_t n_in;
    bool closed;
};

static struct peer peer;

static void
dial(struct peer *e)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    e->n_in = 0;
    e->closed = false;
    e->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s/br0.mgmt", fx_rundir);
    assert_int_equal(connect(e->fd, (struct sockaddr *)&sun, sizeof sun), 0);
    assert_int_equal(fcntl(e->fd, F_SETFL, O_NONBLOCK), 0);
}

static void
hang_up(struct peer *e)
{
    close(e->fd);
    for (int i = 0; i < 5; i++) {
        loop_run_once(e->fx.loop, 1);
    }
}

static void
start(struct peer *e)
{
    signal(SIGPIPE, SIG_IGN);
    fx_init(&e->fx);
    e->p = fx_bridge(&e->fx, "br0");
    dial(e);
}

static void
stop(struct peer *e)
{
    hang_up(e);
    fx_fini(&e->fx);
}

static void
take(struct peer *e)
{
    ssize_t n = read(e->fd, e->in + e->n_in, sizeof e->in - e->n_in);

    e->n_in += n > 0 ? (size_t)n : 0;
    e->closed |= !n || (n < 0 && errno != EAGAIN);
}

/* Size of the first whole message that came; 0: none. */
static size_t
first_size(const struct peer *e)
{
    size_t size = e->n_in >= 8 ? (size_t)(e->in[2] << 8 | e->in[3]) : 0;

    return size && size <= e->n_in ? size : 0;
}

static void
drop_first(struct peer *e)
{
    size_t size = first_size(e);

    memmove(e->in, e->in + size, e->n_in - size);
    e->n_in -= size;
}

/* Runs the switch until a message or the end of the connection has come, or nothing for a while. */
static bool
wait_message(struct peer *e, int type)
{
    for (int i = 0; i < 300 && !first_size(e) && !e->closed; i++) {
        loop_run_once(e->fx.loop, 1);
        take(e);
    }
    return first_size(e) && e->in[1] == type;
}

static bool
wait_closed(struct peer *e)
{
    for (int i = 0; i < 1000 && !e->closed; i++) {
        e->n_in = 0;
        loop_run_once(e->fx.loop, 1);
        take(e);
    }
    return e->closed;
}

static void
say(struct peer *e, int version, int type, uint32_t xid, const void *body, size_t size)
{
    uint8_t m[256] = {(uint8_t)version,    (uint8_t)type,        (uint8_t)((8 + size) >> 8),
                      (uint8_t)(8 + size), (uint8_t)(xid >> 24), (uint8_t)(xid >> 16),
                      (uint8_t)(xid >> 8), (uint8_t)xid};

    memcpy(m + 8, body, size);
    assert_int_equal(write(e->fd, m, 8 + size), 8 + size);
}

static uint32_t
xid_of(const struct peer *e)
{
    return (uint32_t)e->in[4] << 24 | (uint32_t)e->in[5] << 16 | (uint32_t)e->in[6] << 8 | e->in[7];
}

static void
shake_hands(struct peer *e, int version)
{
    say(e, version, HELLO, 1, "", 0);
    assert_true(wait_message(e, HELLO));
    drop_first(e);
}

static void
greets_and_takes_the_lower_version(void **state)
{
    (void)state;
    start(&peer);
    assert_true(wait_message(&peer, HELLO)); /* without being asked */
    assert_true(peer.in[0] >= OF13);
    drop_first(&peer);
    say(&peer, OF10, HELLO, 1, "", 0);
    say(&peer, OF10, ECHO_REQUEST, 7, "abc", 3);
    assert_true(wait_message(&peer, ECHO_REPLY));
    assert_int_equal(peer.in[0], OF10);
    assert_int_equal(xid_of(&peer), 7);
    assert_int_equal(first_size(&peer), 11);
    assert_memory_equal(peer.in + 8, "abc", 3);
    stop(&peer);
}

static void
no_common_version(void **state)
{
    static const uint8_t bitmap[] = {0, 1, 0, 8, 0, 0, 0, 0x80}; /* OpenFlow 1.6 alone */

    (void)state;
    start(&peer);
    assert_true(wait_message(&peer, HELLO));
    drop_first(&peer);
    say(&peer, OF16, HELLO, 1, bitmap, sizeof bitmap);
    assert_true(wait_message(&peer, ERROR));
    assert_int_equal(peer.in[8] << 8 | peer.in[9], 0); /* HELLO_FAILED */
    assert_true(wait_closed(&peer));
    stop(&peer);
}

static void
nothing_before_hello(void **state)
{
    (void)state;
    start(&peer);
    say(&peer, OF10, ECHO_REQUEST, 7, "", 0);
    assert_true(wait_closed(&peer));
    stop(&peer);
}

static void
too_short_a_length_is_the_end(void **state)
{
    (void)state;
    start(&peer);
    shake_hands(&peer, OF10);
    for (int len = 0; len < 8; len++) {
        const uint8_t m[] = {OF10, ECHO_REQUEST, 0, (uint8_t)len, 0, 0, 0, 1};

        assert_int_equal(write(peer.fd, m, sizeof m), sizeof m);
        assert_true(wait_closed(&peer));
        hang_up(&peer);
        dial(&peer);
        shake_hands(&peer, OF10);
    }
    stop(&peer);
}

static void
messages_in_single_bytes(void **state)
{
    static const uint8_t m[] = {OF10, ECHO_REQUEST, 0, 12, 0, 0, 0, 9, 1, 2, 3, 4};

    (void)state;
    start(&peer);
    shake_hands(&peer, OF10);
    for (size_t i = 0; i < sizeof m; i++) {
        assert_false(first_size(&peer));
        assert_int_equal(write(peer.fd, m + i, 1), 1);
        loop_run_once(peer.fx.loop, 1);
        take(&peer);
    }
    assert_true(wait_message(&peer, ECHO_REPLY));
    assert_memory_equal(peer.in + 8, m + 8, 4);
    stop(&peer);
}

static void
unknown_messages_get_an_error_with_their_bytes(void **state)
{
    (void)state;
    start(&peer);
    shake_hands(&peer, OF10);
    say(&peer, OF10, 99, 5, "xyz", 3);
    say(&peer, OF13, FEATURES_REQUEST, 6, "", 0);  /* not the version agreed upon */
    say(&peer, OF10, FEATURES_REQUEST, 7, "z", 1); /* too long */
    for (uint32_t xid = 5; xid < 8; xid++) {
        assert_true(wait_message(&peer, ERROR));
        assert_int_equal(xid_of(&peer), xid);
        assert_int_equal(peer.in[8] << 8 | peer.in[9], 1); /* BAD_REQUEST */
        if (xid == 5) {
            assert_int_equal(peer.in[13], 99); /* what it is about */
        }
        drop_first(&peer);
    }
    say(&peer, OF10, ECHO_REQUEST, 8, "", 0);
    assert_true(wait_message(&peer, ECHO_REPLY)); /* the connection lives */
    stop(&peer);
}

static void
answers_keep_their_order(void **state)
{
    (void)state;
    start(&peer);
    shake_hands(&peer, OF10);
    for (uint32_t i = 0; i < 200; i++) {
        int type = i % 3 == 0 ? BARRIER_REQUEST_10 : i % 3 == 1 ? ECHO_REQUEST : FEATURES_REQUEST;

        say(&peer, OF10, type, 1000 + i, "", 0);
    }
    for (uint32_t i = 0; i < 200; i++) {
        int type = i % 3 == 0 ? BARRIER_REPLY_10 : i % 3 == 1 ? ECHO_REPLY : FEATURES_REPLY;

        assert_true(wait_message(&peer, type));
        assert_int_equal(xid_of(&peer), 1000 + i);
        drop_first(&peer);
    }
    stop(&peer);
}

/* How many of 'n' packets a peer gets that reads only afterwards, and whether they were the first.
 */
static unsigned
packets_queued(struct peer *e, int queue_size, unsigned n)
{
    static uint8_t frame[1500] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    static const uint8_t config[] = {0, 0, 0xff, 0xff};
    const struct ofproto_cfg cfg = {
        .fail_mode = OFPROTO_FAIL_SECURE,
        .mac = {{0xaa, 0x55, 0xaa, 0x55, 0, 1}},
        .controller_queue_size = queue_size,
    };
    struct flow flow;
    unsigned got = 0;

    start(e);
    ofproto_configure(e->p, &cfg);
    shake_hands(e, OF10);
    say(e, OF10, SET_CONFIG, 2, config, sizeof config);
    say(e, OF10, ECHO_REQUEST, 3, "", 0);
    assert_true(wait_message(e, ECHO_REPLY));
    drop_first(e);
    memset(&flow, 0, sizeof flow);
    flow.ofp_in_port = 1;
    for (unsigned i = 0; i < n; i++) {
        const struct ofproto_packet_in pin = {
            .data = frame,
            .len = sizeof frame,
            .total_len = sizeof frame,
            .flow = &flow,
            .reason = OFPR_ACTION,
        };

        frame[20] = (uint8_t)(i >> 8);
        frame[21] = (uint8_t)i;
        connmgr_send_packet_in(e->p->connmgr, &pin);
    }
    while (wait_message(e, PACKET_IN)) {
        assert_int_equal(e->in[18 + 20] << 8 | e->in[18 + 21], got);
        got++;
        drop_first(e);
    }
    /* There is room again. */
    const struct ofproto_packet_in last = {
        .data = frame,
        .len = sizeof frame,
        .total_len = sizeof frame,
        .flow = &flow,
        .reason = OFPR_ACTION,
    };
    connmgr_send_packet_in(e->p->connmgr, &last);
    assert_true(wait_message(e, PACKET_IN));
    stop(e);
    return got;
}

/* What the kernel takes is not ours to bound; what waits beside that is. */
static void
a_peer_that_does_not_read(void **state)
{
    unsigned kernel;

    (void)state;
    kernel = packets_queued(&peer, 1, 2000) - 1;
    assert_in_range(kernel, 10, 1000);
    assert_in_range(packets_queued(&peer, 0, 2000), kernel + 98, kernel + 102); /* the default */
    assert_in_range(packets_queued(&peer, 512, 2000), kernel + 510, kernel + 514);
    assert_in_range(packets_queued(&peer, 7, 2000), kernel + 5, kernel + 9);
}

/* A flood of packets for controllers leaves half of the queue to what translations teach. */
static void
packets_fill_half_of_the_jobs(void **state)
{
    static uint8_t frame[64] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    struct flow flow;
    const struct ofproto_packet_in pin = {.data = frame,
                                          .len = sizeof frame,
                                          .total_len = sizeof frame,
                                          .flow = &flow,
                                          .reason = OFPR_ACTION};
    const struct ofprotos *all;

    (void)state;
    start(&peer);
    all = peer.p->all;
    memset(&flow, 0, sizeof flow);
    for (unsigned i = 0; i < OFPROTO_MAX_PACKET_JOBS + 10; i++) {
        ofproto_packet_in(peer.p, &pin);
    }
    assert_int_equal(all->n_jobs, OFPROTO_MAX_PACKET_JOBS);
    assert_int_equal(all->n_packet_jobs_dropped, 10);
    ofproto_mark_dirty(peer.p);
    assert_int_equal(all->n_jobs, OFPROTO_MAX_PACKET_JOBS + 1);
    handler_jobs_forget(peer.p->all, NULL);
    assert_int_equal(all->n_jobs, 0);
    stop(&peer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greets_and_takes_the_lower_version),
        cmocka_unit_test(no_common_version),
        cmocka_unit_test(nothing_before_hello),
        cmocka_unit_test(too_short_a_length_is_the_end),
        cmocka_unit_test(messages_in_single_bytes),
        cmocka_unit_test(unknown_messages_get_an_error_with_their_bytes),
        cmocka_unit_test(answers_keep_their_order),
        cmocka_unit_test(a_peer_that_does_not_read),
        cmocka_unit_test(packets_fill_half_of_the_jobs),
    };

    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
