// SPDX-License-Identifier: Apache-2.0
/*
 * The event loop: timers against a slow twin on the warped clock, posts from threads, deferred
 * work, descriptors, hooks.  The clock is stopped for all but the first.
 */
#include "../unit.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/thread.h"

static struct loop *loop;

static int
start(void **state)
{
    loop = loop_create("test");
    return 0;
}

static int
finish(void **state)
{
    loop_destroy(loop);
    return 0;
}

static void
add_one(void *arg)
{
    ++*(int *)arg;
}

/* ---- Timers ---- */

/* On the running clock: each wait ends, also when a nearer timer comes or the nearest goes. */
static void
waits_end_when_a_timer_is_due(void **state)
{
    struct loop_timer far = {0}, near = {0};
    int n_far = 0, n_near = 0;

    loop_timer_once(&far, loop, 150, add_one, &n_far);
    loop_run_once(loop, 1);
    for (int i = 0; i < 20; i++) {
        int64_t due = clock_now_ms() + 2;

        loop_timer_once(&near, loop, 2, add_one, &n_near);
        while (n_near <= i) {
            loop_run_once(loop, -1);
        }
        assert_true(clock_now_ms() >= due);
    }
    loop_timer_once(&near, loop, 3, add_one, &n_near);
    loop_wake(loop);
    loop_run_once(loop, -1);
    loop_timer_stop(&near);
    while (n_far == 0) {
        loop_run_once(loop, -1);
    }
    assert_true(n_near <= 21);
    clock_stop();
}

enum { N_TIMERS = 200 };

static struct random_timer {
    struct loop_timer timer;
    int64_t due; /* The slow twin's idea; -1: not running */
    int n_fired, n_expected;
} timers[N_TIMERS];

static void
fired(void *arg)
{
    struct random_timer *t = arg;

    assert_true(t->due >= 0 && t->due <= clock_now_ms());
    t->due = -1;
    t->n_fired++;
}

static void
timers_fire_when_the_slow_twin_says(void **state)
{
    random_set_seed(5);
    for (int i = 0; i < N_TIMERS; i++) {
        timers[i].due = -1;
    }
    for (int round = 0; round < 3000; round++) {
        struct random_timer *t = &timers[random_range(N_TIMERS)];

        if (random_range(4) == 0) {
            loop_timer_stop(&t->timer);
            t->due = -1;
        } else {
            int64_t delay = random_range(500);
            t->due = clock_now_ms() + delay;
            loop_timer_once(&t->timer, loop, delay, fired, t);
        }
        if (random_range(8) == 0) {
            clock_warp(random_range(60));
        }
        for (int i = 0; i < N_TIMERS; i++) {
            timers[i].n_expected += timers[i].due >= 0 && timers[i].due <= clock_now_ms();
        }
        loop_run_once(loop, 0);
        for (int i = 0; i < N_TIMERS; i++) {
            assert_int_equal(timers[i].n_fired, timers[i].n_expected);
            assert_true(loop_timer_is_running(&timers[i].timer) == (timers[i].due >= 0));
        }
    }
    for (int i = 0; i < N_TIMERS; i++) {
        loop_timer_stop(&timers[i].timer);
    }
}

static void
periods_repeat_and_skip_what_was_slept_through(void **state)
{
    struct loop_timer timer = {0};
    int n = 0;

    loop_timer_every(&timer, loop, 100, add_one, &n);
    for (int i = 0; i < 10; i++) {
        clock_warp(50);
        loop_run_once(loop, 0);
    }
    assert_int_equal(n, 5);
    clock_warp(100000);
    loop_run_once(loop, 0);
    assert_int_equal(n, 6);
    clock_warp(100);
    loop_run_once(loop, 0);
    assert_int_equal(n, 7);
    loop_timer_stop(&timer);
    clock_warp(100);
    loop_run_once(loop, 0);
    assert_int_equal(n, 7);
}

static void
free_timer(void *arg)
{
    loop_timer_stop(arg);
    free(arg);
}

static void
a_callback_may_free_its_timer(void **state)
{
    struct loop_timer *timer = xzalloc(sizeof(*timer));

    loop_timer_every(timer, loop, 10, free_timer, timer);
    clock_warp(10);
    loop_run_once(loop, 0);
    clock_warp(10);
    loop_run_once(loop, 0);
}

static void *
warp_soon(void *arg)
{
    usleep(20000);
    clock_warp(1000);
    return NULL;
}

static void
a_warp_wakes_a_waiting_loop(void **state)
{
    struct loop_timer timer = {0};
    int n = 0;

    loop_timer_once(&timer, loop, 900, add_one, &n);
    pthread_t thread = thread_create_plain("warper", warp_soon, NULL);
    for (int i = 0; i < 10 && n == 0; i++) {
        loop_run_once(loop, 5000);
    }
    assert_int_equal(n, 1);
    thread_join(thread);
}

/* ---- Work ---- */

enum { N_POSTERS = 4, N_POSTS = 2000 };

static int post_counts[N_POSTERS];

static void *
post_many(void *arg)
{
    for (int i = 0; i < N_POSTS; i++) {
        loop_post(loop, add_one, arg);
    }
    return NULL;
}

static void
posts_from_threads_all_run(void **state)
{
    pthread_t threads[N_POSTERS];
    int sum = 0;

    for (int i = 0; i < N_POSTERS; i++) {
        threads[i] = thread_create_plain("poster", post_many, &post_counts[i]);
    }
    for (int i = 0; i < 100000 && sum < N_POSTERS * N_POSTS; i++) {
        loop_run_once(loop, 1000);
        sum = 0;
        for (int j = 0; j < N_POSTERS; j++) {
            sum += post_counts[j];
        }
    }
    for (int i = 0; i < N_POSTERS; i++) {
        thread_join(threads[i]);
        assert_int_equal(post_counts[i], N_POSTS);
    }
}

static void
deferred_work_runs_once_and_can_be_cancelled(void **state)
{
    int a = 0, b = 0;

    loop_defer(loop, add_one, &a);
    loop_defer(loop, add_one, &a);
    loop_defer(loop, add_one, &b);
    loop_post(loop, add_one, &b);
    loop_cancel(loop, add_one, &b);
    loop_run_once(loop, 0);
    loop_run_once(loop, 0);
    assert_int_equal(a, 1);
    assert_int_equal(b, 0);
}

static void
remove_hook(void *arg)
{
    add_one(arg);
    loop_del_hook(loop, remove_hook, arg);
}

static void
hooks_run_each_iteration_until_removed(void **state)
{
    int a = 0, b = 0;

    loop_add_hook(loop, remove_hook, &a);
    loop_add_hook(loop, add_one, &b);
    for (int i = 0; i < 3; i++) {
        loop_run_once(loop, 0);
    }
    loop_del_hook(loop, add_one, &b);
    loop_run_once(loop, 0);
    assert_int_equal(a, 1);
    assert_int_equal(b, 3);
}

static void
read_byte(int fd, unsigned int events, void *arg)
{
    char byte;

    assert_int_equal(events, LOOP_READ);
    assert_int_equal(read(fd, &byte, 1), 1);
    add_one(arg);
}

static void
descriptors_are_watched(void **state)
{
    struct loop_fd watch = {0};
    int fds[2], n = 0;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(loop_fd_start(&watch, loop, fds[0], LOOP_READ, read_byte, &n), 0);
    loop_run_once(loop, 0);
    assert_int_equal(n, 0);
    assert_int_equal(write(fds[1], "xy", 2), 2);
    loop_run_once(loop, 1000);
    loop_run_once(loop, 1000);
    assert_int_equal(n, 2);
    assert_int_equal(write(fds[1], "z", 1), 1);
    loop_fd_stop(&watch);
    loop_run_once(loop, 0);
    assert_int_equal(n, 2);
    close(fds[0]);
    close(fds[1]);
}

static void
break_loop(void *arg)
{
    add_one(arg);
    loop_break(loop);
}

static void
signals_and_break_end_the_run(void **state)
{
    struct loop_signal sig = {0};
    int n = 0;

    assert_int_equal(loop_signal_start(&sig, loop, SIGUSR1, break_loop, &n), 0);
    raise(SIGUSR1);
    loop_run(loop);
    assert_int_equal(n, 1);
    loop_signal_stop(&sig);
    loop_post(loop, break_loop, &n);
    loop_run(loop);
    assert_int_equal(n, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_end_when_a_timer_is_due),
        cmocka_unit_test(timers_fire_when_the_slow_twin_says),
        cmocka_unit_test(periods_repeat_and_skip_what_was_slept_through),
        cmocka_unit_test(a_callback_may_free_its_timer),
        cmocka_unit_test(a_warp_wakes_a_waiting_loop),
        cmocka_unit_test(posts_from_threads_all_run),
        cmocka_unit_test(deferred_work_runs_once_and_can_be_cancelled),
        cmocka_unit_test(hooks_run_each_iteration_until_removed),
        cmocka_unit_test(descriptors_are_watched),
        cmocka_unit_test(signals_and_break_end_the_run),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
