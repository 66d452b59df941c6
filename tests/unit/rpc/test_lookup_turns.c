// SPDX-License-Identifier: Apache-2.0
/*
 * Names that hang beside names that do not, with a resolver of our own: it knows each name that
 * does not begin with "hang", and those not before they are released.
 */
#include "rpc_test.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/lookup.h"
#include "rpc/stream.h"

enum { N_HANGING = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static bool is_released;
static unsigned int n_asked, n_waiting; /* for the name that is counted, for those that hang */
static char counted[40];

/* In place of the system's; prototypes as in netdb.h. */
int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
            struct addrinfo **found)
{
    struct addrinfo *a;
    struct sockaddr_in *in4;

    pthread_mutex_lock(&lock);
    n_asked += !strcmp(name, counted);
    if (!strncmp(name, "hang", 4)) {
        n_waiting++;
        while (!is_released) {
            pthread_cond_wait(&released, &lock);
        }
        n_waiting--;
    }
    pthread_mutex_unlock(&lock);
    a = calloc(1, sizeof *a + sizeof *in4);
    in4 = (struct sockaddr_in *)(a + 1);
    in4->sin_family = AF_INET;
    in4->sin_addr.s_addr = htobe32_(0x7f000001);
    a->ai_addr = (struct sockaddr *)in4;
    a->ai_addrlen = sizeof *in4;
    *found = a;
    return 0;
}

void
freeaddrinfo(struct addrinfo *found)
{
    free(found);
}

static void
release(bool now)
{
    pthread_mutex_lock(&lock);
    is_released = now;
    pthread_cond_broadcast(&released);
    pthread_mutex_unlock(&lock);
}

static unsigned int
waiting(void)
{
    pthread_mutex_lock(&lock);
    unsigned int n = n_waiting;
    pthread_mutex_unlock(&lock);
    return n;
}

static unsigned int n_answers;

static void
on_answer(const struct sockaddr_storage *addresses, size_t n, const char *error, void *answered)
{
    assert_int_equal(n, 1);
    assert_null(error);
    n_answers++;
    *(bool *)answered = true;
}

static struct lookup *hanging[N_HANGING];
static bool hanging_answered[N_HANGING];

static void
ask_for_hanging(const char *kind)
{
    for (int i = 0; i < N_HANGING; i++) {
        char name[20];

        snprintf(name, sizeof(name), "hang%s%d.x", kind, i);
        hanging_answered[i] = false;
        hanging[i] = lookup_start(loop, name, false, on_answer, &hanging_answered[i]);
    }
}

static void
wait_for_hanging(void)
{
    n_answers = 0;
    release(true);
    RUN_UNTIL(n_answers == N_HANGING);
    release(false);
}

static void
names_that_hang_hold_up_no_others(void **state)
{
    bool answered = false, vital_answered = false;

    ask_for_hanging("");
    RUN_UNTIL(waiting() == 4);
    /* At once, and with a thread of its own. */
    lookup_start(loop, "db.x", true, on_answer, &vital_answered);
    RUN_UNTIL(vital_answered);
    assert_int_equal(waiting(), 4);
    /* Behind all of the others, of which no one is answered. */
    lookup_start(loop, "good.x", false, on_answer, &answered);
    RUN_UNTIL(answered);
    assert_true(waiting() < N_HANGING);
    assert_int_equal(lookup_started_ms(hanging[N_HANGING / 2]), 0);
    RUN_UNTIL(waiting() == N_HANGING);
    /* Until the last ones hang, too. */
    for (int64_t end = clock_now_ms() + 1100; clock_now_ms() < end;) {
        loop_run_once(loop, 20);
    }
    wait_for_hanging();

    /* The second time they are known: new names find a thread at once. */
    ask_for_hanging("");
    RUN_UNTIL(waiting() == 3);
    for (int i = 0; i < 20; i++) {
        char name[20];

        snprintf(name, sizeof(name), "good%d.x", i);
        answered = false;
        lookup_start(loop, name, false, on_answer, &answered);
        RUN_UNTIL(answered);
    }
    assert_true(waiting() <= 8);
    wait_for_hanging();
}

static void
a_name_is_looked_up_once_for_all(void **state)
{
    struct lookup *lookups[20];
    bool answered[20] = {false};

    str_copy(counted, "hang.many", sizeof(counted));
    for (int i = 0; i < 20; i++) {
        lookups[i] = lookup_start(loop, counted, false, on_answer, &answered[i]);
    }
    RUN_UNTIL(waiting() == 1);
    /* Also when all who asked are gone, until it is answered. */
    for (int i = 0; i < 20; i++) {
        lookup_cancel(lookups[i]);
    }
    lookup_start(loop, counted, false, on_answer, &answered[0]);
    lookup_start(loop, counted, true, on_answer, &answered[1]);
    release(true);
    RUN_UNTIL(answered[0] && answered[1]);
    release(false);
    assert_false(answered[2]);
    assert_int_equal(n_asked, 1);
}

static void
vital_ones_pass_those_in_the_queue(void **state)
{
    bool answered[2] = {false};

    clock_stop(); /* None counts as hanging: four run. */
    ask_for_hanging("-b");
    RUN_UNTIL(waiting() == 4);
    lookup_start(loop, "late.x", false, on_answer, &answered[0]);
    lookup_start(loop, "late.x", true, on_answer, &answered[1]);
    RUN_UNTIL(answered[0] && answered[1]);
    for (int i = 0; i < N_HANGING; i++) {
        lookup_cancel(hanging[i]);
    }
    release(true);
    RUN_UNTIL(waiting() == 0);
    release(false);
}

static unsigned int n_closed;

static void
on_closed(struct stream *stream, int error, const char *reason, void *arg)
{
    n_closed++;
}

static void
run_later(int64_t ms)
{
    clock_warp(ms);
    for (int i = 0; i < 5; i++) {
        loop_run_once(loop, 0);
    }
}

/* Half a minute from when the lookup begins, not from when it is asked for. */
static void
the_wait_for_a_turn_is_no_part_of_the_timeout(void **state)
{
    static const struct stream_callbacks callbacks = {.on_closed = on_closed};
    static const struct reconnect_settings settings = {.name = "tcp:hang-rc.x:1"};
    struct reconnect *rc;

    clock_stop();
    str_copy(counted, "hang-rc.x", sizeof(counted));
    n_asked = 0;
    for (int i = 0; i < 4; i++) {
        char name[20];

        snprintf(name, sizeof(name), "hang-new%d.x", i);
        hanging[i] = lookup_start(loop, name, true, on_answer, &hanging_answered[i]);
    }
    RUN_UNTIL(waiting() == 4);
    /* Vital ones have room for four: this is the fifth. */
    struct reconnect_settings vital = settings;
    vital.is_vital = true;
    rc = reconnect_create(loop, &vital, &callbacks, NULL);
    run_later(1);
    run_later(100 * 1000);
    assert_string_equal(reconnect_state(rc), "CONNECTING");
    reconnect_destroy(rc);
    for (int i = 0; i < 4; i++) {
        lookup_cancel(hanging[i]);
    }
    release(true);
    RUN_UNTIL(waiting() == 0);
    release(false);

    rc = reconnect_create(loop, &settings, &callbacks, NULL);
    run_later(1);
    RUN_UNTIL(waiting() == 1);
    run_later(29 * 1000);
    assert_int_equal(n_closed, 0);
    run_later(2 * 1000);
    assert_int_equal(n_closed, 1);
    reconnect_destroy(rc);
    release(true);
    RUN_UNTIL(waiting() == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_hang_hold_up_no_others),
        cmocka_unit_test(a_name_is_looked_up_once_for_all),
        cmocka_unit_test(vital_ones_pass_those_in_the_queue),
        cmocka_unit_test(the_wait_for_a_turn_is_no_part_of_the_timeout),
    };

    free(log_set_spec("ANY:ANY:off"));
    return cmocka_run_group_tests(tests, rpc_test_start, rpc_test_finish);
}
