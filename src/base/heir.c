// SPDX-License-Identifier: Apache-2.0
/*
 * The heir is made by clone(CLONE_VM) and has no descriptor but the end of a pipe, whose other end
 * is its owner's: that it closes is the owner's death.  Whoever follows finds its pid in a page
 * that all children of the monitor share, and waits for the end of that process.
 */
#include "base/heir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/log.h"
#include "base/util.h"

LOG_MODULE(heir);

#define NAME "sluice-heir"
#define STACK_SIZE 65536
#define AWAIT_MS 10000
/* Freeing pages leaves the processors to the switch that starts. */
#define NICE 10

static struct {
    _Atomic pid_t *last;   /* the heir that was made last; NULL: there are none */
    char *stack;           /* of our own heir */
    pid_t pid;             /* our own; 0: none */
    int nice;              /* of the heir */
    unsigned int death_fd; /* of the heir: readable at its owner's death */
    int life_fd;           /* the other end */
    pid_t predecessor;     /* the heir of who died before us */
    int predecessor_fd;    /* its pidfd; -1: none */
} heir = {.life_fd = -1, .predecessor_fd = -1};

/* The heir itself.  It shares all memory with a process that runs, thread-local variables of the
 * main thread among them: it calls nothing that could fail, and so write errno. */
__attribute__((no_sanitize_address, no_sanitize_thread)) static int
await_death(void *arg)
{
    const unsigned int fd = heir.death_fd;
    char byte;

    syscall(SYS_prctl, PR_SET_NAME, NAME);
    if (fd > 0) {
        syscall(SYS_close_range, 0u, fd - 1, 0u);
    }
    syscall(SYS_close_range, fd + 1, UINT_MAX, 0u);
    syscall(SYS_setpriority, PRIO_PROCESS, 0, heir.nice); /* Until here we are waited for. */
    syscall(SYS_read, fd, &byte, 1ul); /* No signal disturbs it: all are blocked. */
    return 0;
}

void
heir_allow(void)
{
    void *page =
        mmap(NULL, sizeof(*heir.last), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    heir.last = page != MAP_FAILED ? page : NULL;
}

static bool
is_possible(void)
{
    /* Of no descriptor at all: does the kernel know the call? */
    return heir.last != NULL && heir.pid == 0 && close_range(UINT_MAX, UINT_MAX, 0) == 0;
}

static pid_t
start(void)
{
    sigset_t all, before;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = clone(await_death, heir.stack + STACK_SIZE, CLONE_VM, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static void
close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

void
heir_appoint(void)
{
    int life[2], closed[2];
    char byte;

    if (!is_possible() || pipe2(life, O_CLOEXEC) != 0) {
        return;
    }
    if (pipe2(closed, O_CLOEXEC) != 0) {
        close_pair(life);
        return;
    }
    heir.stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    heir.nice = MAX(getpriority(PRIO_PROCESS, 0), NICE); /* Less would take a privilege. */
    heir.death_fd = (unsigned int)life[0];
    heir.pid = heir.stack != MAP_FAILED ? start() : -1;
    if (heir.pid < 0) {
        log_info("no heir of this process's memory: %s", err_str(errno));
        heir.pid = 0;
        if (heir.stack != MAP_FAILED) {
            munmap(heir.stack, STACK_SIZE);
        }
        close_pair(life);
        close_pair(closed);
        return;
    }
    atomic_store(heir.last, heir.pid);
    heir.life_fd = life[1];
    close(life[0]);
    close(closed[1]);
    /* Until the heir has closed all that is not its own, this pipe included. */
    while (read(closed[0], &byte, 1) < 0 && errno == EINTR) {
    }
    close(closed[0]);
}

void
heir_dismiss(void)
{
    if (heir.pid == 0) {
        return;
    }
    kill(heir.pid, SIGKILL); /* Also if somebody has stopped it. */
    while (waitpid(heir.pid, NULL, __WALL) < 0 && errno == EINTR) {
    }
    atomic_store(heir.last, 0);
    munmap(heir.stack, STACK_SIZE);
    close(heir.life_fd);
    heir.life_fd = -1;
    heir.pid = 0;
}

/* Closes 'pidfd', of the heir 'pid', when that has ended. */
static void
await_end(int pidfd, pid_t pid, int64_t end_ms)
{
    struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};
    int64_t left_ms = end_ms - clock_now_ms();

    if (poll(&pollfd, 1, 0) == 0) {
        log_info("waiting for the memory of the process that died");
        /* Nobody waits for it at a low priority; without the privilege it stays as it is. */
        (void)setpriority(PRIO_PROCESS, (id_t)pid, getpriority(PRIO_PROCESS, 0));
        while (left_ms > 0 && poll(&pollfd, 1, (int)left_ms) < 0 && errno == EINTR) {
            left_ms = end_ms - clock_now_ms();
        }
    }
    close(pidfd);
}

/* Its number may be another's from now on. */
static void
forget(pid_t pid)
{
    atomic_compare_exchange_strong(heir.last, &pid, 0);
}

void
heir_expect(void)
{
    pid_t pid = heir.last != NULL ? atomic_load(heir.last) : 0;

    if (pid <= 0) {
        return;
    }
    heir.predecessor = pid;
    heir.predecessor_fd = pidfd_open(pid, 0);
    if (heir.predecessor_fd < 0) {
        forget(pid);
    }
}

bool
heir_await(void)
{
    if (heir.predecessor_fd < 0) {
        return false;
    }
    await_end(heir.predecessor_fd, heir.predecessor, clock_now_ms() + AWAIT_MS);
    forget(heir.predecessor);
    heir.predecessor_fd = -1;
    return true;
}

static bool
read_text(pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, file);
    FILE *f = fopen(path, "re");
    bool ok = f != NULL && fgets(text, (int)size, f) != NULL;
    if (f != NULL) {
        fclose(f);
    }
    return ok;
}

/* An heir, whose parent is no switch but who has adopted it. */
static bool
is_orphan(pid_t pid)
{
    char text[256], state;
    int parent;

    if (!read_text(pid, "stat", text, sizeof(text)) ||
        sscanf(text, "%*d (" NAME ") %c %d", &state, &parent) != 2 || state == 'Z') {
        return false;
    }
    return !read_text(parent, "comm", text, sizeof(text)) || strcmp(text, PROGRAM_NAME "\n") != 0;
}

void
heir_await_orphans(void)
{
    int64_t end_ms = clock_now_ms() + AWAIT_MS;
    DIR *dir = opendir("/proc");

    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
        pid_t pid = (pid_t)atoi(d->d_name);
        int pidfd = pid > 0 && is_orphan(pid) ? pidfd_open(pid, 0) : -1;

        if (pidfd >= 0) {
            await_end(pidfd, pid, end_ms);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}
