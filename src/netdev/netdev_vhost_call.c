// SPDX-License-Identifier: Apache-2.0
//
// One context of asynchronous I/O for each thread that signals, made at its first signal and ended
// with it.  A read of no bytes of an empty memory file completes within io_submit(); completions
// are taken out when the context is full, in one go.  Measured beside a plain write(2): see
// docs/devices.md.
//
// Where the kernel has no such contexts (CONFIG_AIO=n, a filter of system calls, fs.aio-max-nr used
// up) the descriptor is made non-blocking and asked whether it has room before each write: that
// leaves a front-end that clears O_NONBLOCK a few instructions to hit.
#include "netdev/netdev_vhost_call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/aio_abi.h>

#include "base/coverage.h"
#include "base/log.h"
#include "netdev/netdev_vhost.h"

LOG_MODULE(netdev_dpdk);
COVERAGE_DEFINE(vhost_call_failed);

#define CONTEXT_EVENTS 64 // asked for; the kernel rounds up

_Thread_local struct netdev_vhost *netdev_vhost_caller;

static _Thread_local struct {
    aio_context_t context; // 0: none
    pid_t pid;             // that made it: a context does not survive fork()
    bool is_missing;       // the kernel gave none
} self;

static _Thread_local bool is_vhost_thread;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t end_key;
static int empty_file = -1;

// --- contexts ------------------------------------------------------------------------------

static void
end_context(void *context)
{
    syscall(SYS_io_destroy, (aio_context_t)(uintptr_t)context);
}

static void
begin(void)
{
    empty_file = memfd_create("vhost-call", MFD_CLOEXEC);
    if (pthread_key_create(&end_key, end_context) != 0) {
        close(empty_file);
        empty_file = -1;
    }
}

// False when this thread has no context and gets none.
static bool
have_context(void)
{
    if (LIKELY(self.context != 0)) {
        return true;
    }
    if (self.is_missing) {
        return false;
    }
    pthread_once(&once, begin);
    if (empty_file >= 0 && syscall(SYS_io_setup, CONTEXT_EVENTS, &self.context) == 0) {
        self.pid = getpid();
        pthread_setspecific(end_key, (void *)(uintptr_t)self.context);
        return true;
    }
    self.context = 0;
    self.is_missing = true;
    return false;
}

void
netdev_vhost_call_start(void)
{
    static bool done; // main only

    if (!done && !have_context()) {
        log_warn("no asynchronous I/O (%s): guests' interrupts are written, after a look whether "
                 "that would wait",
                 strerror(errno));
    }
    done = true;
}

// Forgets a context of the process that forked us; true if it was one.
static bool
drop_inherited(void)
{
    if (self.pid == getpid()) {
        return false;
    }
    self.context = 0;
    self.is_missing = false;
    return true;
}

// --- signals -------------------------------------------------------------------------------

static int
submit(int fd)
{
    struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PREAD,
                      .aio_fildes = (uint32_t)empty_file,
                      .aio_flags = IOCB_FLAG_RESFD,
                      .aio_resfd = (uint32_t)fd};
    struct iocb *cbs[] = {&cb};

    return syscall(SYS_io_submit, self.context, 1L, cbs) == 1 ? 0 : errno;
}

static void
take_completions(void)
{
    struct io_event events[64];
    struct timespec now = {0};

    while (syscall(SYS_io_getevents, self.context, 0L, (long)ARRAY_SIZE(events), events, &now) ==
           (long)ARRAY_SIZE(events)) {
    }
}

// Signals by the kernel; an errno on failure, EAGAIN when it has to be done otherwise.
static int
signal_async(int fd)
{
    int error = EAGAIN;

    for (int tries = 0; tries < 2 && have_context(); tries++) {
        error = submit(fd);
        if (LIKELY(error == 0)) {
            return 0;
        }
        if (error == EAGAIN) {
            take_completions();
        } else if (error != EINVAL || !drop_inherited()) {
            break;
        }
    }
    return error;
}

static int
write_carefully(int fd, eventfd_t value)
{
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)) {
        return errno;
    }
    if (poll(&pfd, 1, 0) <= 0 || !(pfd.revents & POLLOUT)) {
        return EAGAIN; // A signal waits there: another one says nothing new.
    }
    return write(fd, &value, sizeof(value)) == (ssize_t)sizeof(value) ? 0 : errno;
}

// In front of the C library's.  Never waits.  Our own threads wake each other by thread_wake().
int
eventfd_write(int fd, eventfd_t value)
{
    int error = LIKELY(value == 1) ? signal_async(fd) : EAGAIN;

    if (error == EAGAIN || error == ENOMEM) {
        error = write_carefully(fd, value);
        if (error == EAGAIN) {
            return 0;
        }
    }
    if (UNLIKELY(error != 0)) {
        if (netdev_vhost_caller != NULL) {
            atomic_fetch_add_explicit(&netdev_vhost_caller->n_bad_calls, 1, memory_order_relaxed);
        }
        coverage_inc(vhost_call_failed);
        errno = error;
        return -1;
    }
    return 0;
}

// --- messages ------------------------------------------------------------------------------

void
netdev_vhost_call_never_wait(void)
{
    is_vhost_thread = true;
}

// In front of the C library's.
ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
    bool is_librarys = netdev_vhost_caller != NULL || is_vhost_thread;

    return syscall(SYS_sendmsg, fd, msg, is_librarys ? flags | MSG_DONTWAIT : flags);
}
