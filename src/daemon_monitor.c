// SPDX-License-Identifier: Apache-2.0
/*
 * The monitor: starts the switch again when it has crashed, and keeps a spare process for it.
 *
 *   monitor ─┬─ worker: the switch
 *            ├─ keeper: holds the descriptors of its kernel ports (base/keep.h)
 *            └─ spare: has EAL and packet buffers, waits for a byte in a pipe
 *
 * When the worker dies, the spare is told to go on and becomes the worker; then another spare is
 * made.  A spare whose configuration is no longer that of the switch ends instead, and the monitor
 * starts a worker from scratch.  The monitor has one thread and keeps no state that a crash could
 * spoil.  See docs/decisions/0010-a-spare-process.md.
 */
#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/heir.h"
#include "base/keep.h"
#include "base/log.h"
#include "daemon_front.h"
#include "daemon_int.h"
#include "daemon_watch.h"
#include "netdev/netdev.h"

LOG_MODULE(daemon_unix);

/* Crashes sooner than this after the start delay the next start, from the second in a row on: by
 * this long, then twice as long each time up to the limit. */
#define MIN_UPTIME_S 10
#define DELAY_MS 100u
#define DELAY_MS_MAX 10000u
/* Nothing of a dead process holds up the next one for longer. */
#define DEATH_MS 10000
/* A new spare leaves the processors to the switch that has just started. */
#define SPARE_DELAY_MS 1000
/* Of a spare that ends because it is of no use. */
#define STATUS_STALE 79

static const int forwarded[] = {SIGTERM, SIGINT, SIGHUP};

static volatile sig_atomic_t worker_pid; /* 0: there is none */
static unsigned int n_crashes_before;    /* in a process that is the switch */
static volatile sig_atomic_t end_signal; /* that we were sent; 0: none */

struct monitor {
    pid_t worker, spare, keeper;  /* 0: none */
    int ready_fd, spare_ready_fd; /* on which they say that they are ready */
    int alive_fd;                 /* that the worker and its front, if it has one, hold open */
    int go_fd;                    /* on which the spare waits */
    int keeper_fd;                /* of its clients; -1: no keeper */
    unsigned int n_crashes;
    unsigned int n_early; /* of them in a row, soon after their start */
};

static void
forward_signal(int signum)
{
    end_signal = signum;
    if (worker_pid > 0) {
        kill((pid_t)worker_pid, signum);
    }
}

/* SIGKILL too, unless the worker was about to end: it is how the kernel makes room in memory. */
static bool
is_crash(int status)
{
    if (!WIFSIGNALED(status)) {
        return false;
    }
    switch (WTERMSIG(status)) {
    case SIGABRT:
    case SIGALRM:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGPIPE:
    case SIGSEGV:
    case SIGXCPU:
    case SIGXFSZ:
        return true;
    case SIGKILL:
        return !watch_end_is_expected();
    default:
        return false;
    }
}

static void
describe_end(struct str *out, int status)
{
    if (WIFEXITED(status)) {
        str_printf(out, "exit status %d", WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        str_printf(out, "killed (%s)%s", strsignal(WTERMSIG(status)),
                   WCOREDUMP(status) ? ", core dumped" : "");
    }
}

/* The control socket of a worker that crashed: the next one's has another name. */
static void
remove_leftovers(pid_t pid)
{
    char *path = xasprintf("%s/%s.%ld.ctl", dirs_run(), PROGRAM_NAME, (long)pid);

    unlink(path);
    free(path);
}

static void
set_signals(void (*handler)(int))
{
    for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
        signal(forwarded[i], handler);
    }
}

/* ---- The spare ---- */

/* In a process that is to be the switch, now or later. */
static void
get_front(const struct daemon_settings *settings)
{
    if (settings->linger_s > 0) {
        front_fork(settings);
    }
}

/* Returns in the spare when it is to be the switch. */
static void
spare_wait(int go_fd)
{
    struct pollfd pollfd = {.fd = go_fd, .events = POLLIN};
    int result = -EAGAIN;
    char byte;

    for (;;) {
        int n = poll(&pollfd, 1, result == -EAGAIN ? SPARE_DELAY_MS : -1);
        if (n > 0) {
            break;
        }
        if (n == 0) {
            result = dpdk_standby_prepare();
            if (result == 0) {
                log_info("pid %ld is ready to take over after a crash", (long)getpid());
            }
        }
        if (result != 0 && result != -EAGAIN) {
            log_info("there is no spare process: %s", err_str(result));
            _exit(STATUS_STALE);
        }
    }
    /* Without a byte the monitor is gone. */
    if (read(go_fd, &byte, 1) != 1 || !dpdk_standby_is_current()) {
        _exit(STATUS_STALE);
    }
    n_crashes_before = (unsigned char)byte;
    close(go_fd);
    log_follow_file();
    heir_expect();
    if (!dpdk_standby_has_memory()) {
        (void)heir_await();
    }
}

/* True in the spare, when it is to be the switch. */
static bool
fork_spare(struct monitor *m, const struct daemon_settings *settings)
{
    pid_t monitor_pid = getpid();
    int go[2];

    if (pipe2(go, O_CLOEXEC) != 0) {
        return false;
    }
    pid_t pid = daemon_fork(&m->spare_ready_fd);
    if (pid == 0) {
        set_signals(SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != monitor_pid) {
            _exit(STATUS_STALE);
        }
        close(go[1]);
        get_front(settings);
        spare_wait(go[0]);
        if (front_is_there()) {
            front_activate();
        } else {
            watch_activate();
        }
        return true;
    }
    close(go[0]);
    m->spare = pid;
    m->go_fd = go[1];
    return false;
}

static void
spare_is_gone(struct monitor *m)
{
    close(m->go_fd);
    m->spare = 0;
}

/* True when there is a spare, which is the worker from now on. */
static bool
use_spare(struct monitor *m)
{
    if (m->spare == 0) {
        return false;
    }
    unsigned char n_crashes = (unsigned char)MIN(m->n_crashes, (unsigned int)UCHAR_MAX);
    bool told = write(m->go_fd, &n_crashes, 1) == 1;
    m->worker = told ? m->spare : 0;
    m->ready_fd = m->spare_ready_fd;
    spare_is_gone(m);
    return told;
}

/* ---- The keeper ---- */

static void
fork_keeper(struct monitor *m)
{
    pid_t monitor_pid = getpid();
    int fds[2];

    m->keeper_fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        set_signals(SIG_IGN);
        daemon_null_streams();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fds[0]);
        if (daemon_ready_fd() >= 0) {
            close(daemon_ready_fd());
        }
        if (getppid() == monitor_pid) {
            keep_serve(fds[1]);
        }
        _exit(EXIT_SUCCESS);
    }
    close(fds[1]);
    if (pid > 0) {
        m->keeper = pid;
        m->keeper_fd = fds[0];
    } else {
        close(fds[0]);
    }
}

/* In a process that is to be the switch. */
static void
become_worker(const struct monitor *m)
{
    if (m->keeper_fd >= 0) {
        keep_attach(m->keeper_fd);
    }
}

/* ---- The worker ---- */

/* True when one of 'forwarded' still waits for the process, which is dead: it could not take it. */
static bool
was_told_to_end(pid_t pid)
{
    char path[64], line[256];
    unsigned long long pending = 0, mask = 0;

    snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "ShdPnd: %llx", &pending) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
        mask |= 1ull << (forwarded[i] - 1);
    }
    return (pending & mask) != 0;
}

static int
wait_worker(struct monitor *m)
{
    for (;;) {
        siginfo_t info = {0};
        int status;
        pid_t pid = waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0 ? info.si_pid : -1;

        if (pid == m->worker && was_told_to_end(pid)) {
            watch_expect_end();
        }
        if (pid > 0) {
            pid = waitpid(pid, &status, 0);
        }
        if (pid == m->worker) {
            return status;
        }
        if (pid > 0 && pid == m->spare) {
            close(m->spare_ready_fd);
            spare_is_gone(m);
        } else if (pid > 0 && pid == m->keeper) {
            struct str end = STR_INIT;
            describe_end(&end, status);
            m->keeper = 0;
            log_follow_file();
            log_warn("the keeper died, %s: a crash will cost flows, and internal ports their "
                     "addresses, until the switch is restarted",
                     str_cstr(&end));
            str_free(&end);
        } else if (pid < 0 && errno != EINTR) {
            return 1 << 8;
        }
        watch_go_round(m->worker);
    }
}

/* Our own end would end it, too, but after us. */
static void
end_helper(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

/* The worker ended and was not to be started again.  When we are gone so is everybody else: who
 * stopped us may look. */
static NO_RETURN void
end_like(struct monitor *m, int status, const char *description)
{
    end_helper(m->spare);
    end_helper(m->keeper);
    heir_expect(); /* Of one that was killed. */
    (void)heir_await();
    if (!WIFSIGNALED(status) && WEXITSTATUS(status) != 0) {
        log_warn("pid %ld died, %s, exiting", (long)m->worker, description);
    }
    watch_tell_successor();
    daemon_exit_like(status);
}

static void
sleep_ms(unsigned int ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    while (end_signal == 0 && nanosleep(&ts, &ts) != 0 && errno == EINTR) {
        watch_go_round(0);
    }
}

/* A front that was killed is followed by its switch, which the kernel has to take apart. */
static void
await_death(struct monitor *m)
{
    struct pollfd pollfd = {.fd = m->alive_fd};
    int64_t end_ms = clock_now_ms() + DEATH_MS, left_ms = DEATH_MS;

    while (left_ms > 0 && poll(&pollfd, 1, (int)left_ms) < 0 && errno == EINTR) {
        watch_go_round(0);
        left_ms = end_ms - clock_now_ms();
    }
    close(m->alive_fd);
}

/* Until it says that it is ready, or has ended. */
static void
await_word(struct monitor *m)
{
    struct pollfd pollfd = {.fd = m->ready_fd, .events = POLLIN};

    while (poll(&pollfd, 1, -1) < 0 && errno == EINTR) {
        watch_go_round(m->worker);
    }
}

/* Waits for the end of the worker, and ends like it unless it crashed. */
static void
watch_worker(struct monitor *m, bool was_spare)
{
    struct str end = STR_INIT;
    time_t started = time(NULL);
    int status = wait_worker(m);

    worker_pid = 0;
    await_death(m);
    if (was_spare && WIFEXITED(status) && WEXITSTATUS(status) == STATUS_STALE) {
        log_info("the spare process is of no use, starting another");
        return;
    }
    log_follow_file();
    describe_end(&end, status);
    if (!is_crash(status)) {
        end_like(m, status, str_cstr(&end));
    }
    m->n_crashes++;
    log_err("%u crashes: pid %ld died, %s, restarting", m->n_crashes, (long)m->worker,
            str_cstr(&end));
    str_free(&end);
    remove_leftovers(m->worker);
    m->n_early = time(NULL) - started < MIN_UPTIME_S ? m->n_early + 1 : 0;
    if (m->n_early > 1) {
        unsigned int ms = MIN(DELAY_MS << MIN(m->n_early - 2, 10u), DELAY_MS_MAX);
        log_warn("crashed right after its start, waiting %u ms", ms);
        sleep_ms(ms);
    }
    if (end_signal != 0) {
        end_like(m, end_signal, "");
    }
    watch_notify("STATUS=Starting again after a crash");
}

unsigned int
daemon_n_crashes(void)
{
    return n_crashes_before;
}

void
daemon_monitor(const struct daemon_settings *settings, uint64_t watchdog_us)
{
    struct monitor m = {0};

    watch_begin(watchdog_us);
    heir_allow();
    fork_keeper(&m);
    for (;;) {
        bool was_spare = use_spare(&m);

        watch_expect_start();
        if (!was_spare) {
            m.worker = daemon_fork(&m.ready_fd);
            if (m.worker == 0) {
                n_crashes_before = m.n_crashes;
                set_signals(SIG_DFL);
                watch_follow();
                get_front(settings);
                heir_expect();
                (void)heir_await(); /* EAL takes what it was told to take once. */
                become_worker(&m);
                return;
            }
        }
        worker_pid = m.worker;
        set_signals(forward_signal);
        if (end_signal != 0) {
            kill(m.worker, end_signal); /* It came before there was anybody to pass it on to. */
        }
        m.alive_fd = fcntl(m.ready_fd, F_DUPFD_CLOEXEC, 0);
        await_word(&m);
        if (daemon_wait_ready(m.ready_fd)) {
            daemon_tell_ready();
            daemon_silence();
            watch_notify("READY=1\nSTATUS=Forwarding");
            if (m.spare == 0 && fork_spare(&m, settings)) {
                close(m.alive_fd);
                become_worker(&m);
                return;
            }
        }
        watch_worker(&m, was_spare);
    }
}
