// SPDX-License-Identifier: Apache-2.0
/*
 * The page has a deadline until which the switch need not be heard of; the switch moves it on, the
 * monitor looks at it on each tick of a timer, a quarter of systemd's time.
 */
#include "daemon_watch.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/log.h"

LOG_MODULE(daemon_unix);

/* For a start and for an end, as TimeoutStartSec= in conf/sluiced.service.in: systemd bounds the
 * first start and the end itself. */
#define LONG_MS 300000
/* For the core of a switch that was aborted. */
#define ABORT_MS 10000

struct page {
    _Atomic int end_expected;        /* switch: w, monitor: rw */
    _Atomic long successor;          /* switch: w, monitor: rw */
    _Atomic int64_t silent_until_ms; /* switch: w, monitor: rw */
};

static struct {
    struct page *page; /* NULL: no monitor */
    pid_t monitor_pid;
    bool has_manager;
    int64_t watchdog_ms, tick_ms; /* 0: nobody waits */
    int64_t last_tick_ms;
    bool is_aborted; /* the present worker was */
} watch;

static int64_t
now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- Monitor ---- */

static void
on_tick(int signum)
{
    /* What blocks returns EINTR. */
}

static void
start_ticks(void)
{
    const struct timeval tick = {.tv_sec = watch.tick_ms / 1000,
                                 .tv_usec = watch.tick_ms % 1000 * 1000};
    const struct itimerval timer = {.it_interval = tick, .it_value = tick};
    const struct sigaction action = {.sa_handler = on_tick}; /* Without SA_RESTART. */

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL); /* Children do not inherit it. */
}

void
watch_begin(uint64_t watchdog_us)
{
    watch.page =
        mmap(NULL, sizeof(*watch.page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (watch.page == MAP_FAILED) {
        log_emer("no memory for the monitor");
        exit(EXIT_FAILURE);
    }
    watch.monitor_pid = getpid();
    watch.has_manager = getenv("NOTIFY_SOCKET") != NULL;
    watch.watchdog_ms = (int64_t)(watchdog_us / 1000);
    watch.tick_ms = watch.watchdog_ms / 4;
    if (watch.tick_ms > 0) {
        start_ticks();
    }
}

void
watch_expect_start(void)
{
    atomic_store(&watch.page->end_expected, 0);
    atomic_store(&watch.page->successor, 0);
    atomic_store(&watch.page->silent_until_ms, now_ms() + LONG_MS);
    watch.is_aborted = false;
    watch.last_tick_ms = now_ms();
}

/* SIGABRT leaves a core; a main thread that waits in the kernel takes only SIGKILL. */
static void
end_worker(pid_t worker, int64_t late_ms)
{
    if (!watch.is_aborted) {
        log_err("pid %ld hangs, aborting it", (long)worker);
        kill(worker, SIGABRT);
        kill(worker, SIGCONT); /* One that was stopped takes no other signal. */
        watch.is_aborted = true;
    } else if (late_ms > ABORT_MS) {
        kill(worker, SIGKILL);
    }
}

void
watch_go_round(pid_t worker)
{
    int64_t now = now_ms(), deadline = atomic_load(&watch.page->silent_until_ms);

    if (watch.tick_ms == 0) {
        return;
    }
    watch_notify("WATCHDOG=1");
    /* What has stopped us (a hypervisor, a debugger) may have stopped the switch, too. */
    if (now - watch.last_tick_ms > 2 * watch.tick_ms && deadline < now + watch.watchdog_ms) {
        deadline = now + watch.watchdog_ms;
        atomic_store(&watch.page->silent_until_ms, deadline);
    }
    watch.last_tick_ms = now;
    if (worker > 0 && now >= deadline) {
        end_worker(worker, now - deadline);
    }
}

void
watch_notify(const char *text)
{
    sd_notify(0, text);
}

bool
watch_end_is_expected(void)
{
    return atomic_load(&watch.page->end_expected) != 0;
}

void
watch_tell_successor(void)
{
    long pid = atomic_load(&watch.page->successor);

    if (pid > 0) {
        sd_notifyf(0, "MAINPID=%ld", pid);
    }
}

/* ---- Children of the monitor ---- */

void
watch_follow(void)
{
    if (watch.page != NULL && watch.has_manager) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != watch.monitor_pid) {
            _exit(EXIT_FAILURE);
        }
    }
}

void
watch_activate(void)
{
    if (!watch.has_manager) {
        prctl(PR_SET_PDEATHSIG, 0);
    }
}

/* ---- The switch ---- */

bool
watch_is_there(void)
{
    return watch.page != NULL;
}

void
watch_beat(void)
{
    atomic_store(&watch.page->silent_until_ms, now_ms() + watch.watchdog_ms);
}

void
watch_expect_end(void)
{
    if (watch.page != NULL) {
        atomic_store(&watch.page->silent_until_ms, now_ms() + LONG_MS);
        atomic_store(&watch.page->end_expected, 1);
    }
}

static void (*next_handler[NSIG])(int);

static void
on_end_signal(int signum)
{
    int saved_errno = errno;

    watch_expect_end();
    next_handler[signum](signum);
    errno = saved_errno;
}

void
watch_expect_end_by(int signum)
{
    struct sigaction action;

    if (watch.page != NULL && sigaction(signum, NULL, &action) == 0 &&
        action.sa_handler != on_end_signal) {
        next_handler[signum] = action.sa_handler;
        action.sa_handler = on_end_signal;
        sigaction(signum, &action, NULL);
    }
}

void
watch_set_successor(long pid)
{
    atomic_store(&watch.page->successor, pid);
}
