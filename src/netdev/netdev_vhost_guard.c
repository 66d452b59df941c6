// SPDX-License-Identifier: Apache-2.0
//
// mmap64() and munmap() stand in front of the C library's, as in dpdk_quick.c: so the guard knows
// the mappings (rings are touched before any callback tells us of the device).  So does
// sigaction(): EAL handles SIGBUS itself around each page that it takes, by a jump back into its
// own frame, which is wrong in all threads but the one that takes the page.  So does recvmsg():
// callbacks hear of a message when it is too late for its descriptors, or do not.
//
// The handler does only what is async-signal-safe.  One mapping takes the place of one, because
// each patched page would be up to two mappings more, of which a process has 65,530, and because
// memory on huge pages cannot be replaced in smaller ones.
#include "netdev/netdev_vhost_guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd_served.h"
#include "netdev/netdev_vhost.h"
#include "netdev/netdev_vhost_apron.h"
#include "netdev/netdev_vhost_inspect.h"

enum {
    MAX_REGIONS = 16384, // 1,024 devices of the library, 8 regions and some logs each
    // How the library reads messages.
    MESSAGE_HEADER_SIZE = 12,
    MESSAGE_FDS = 8,
};

struct region {
    _Atomic uintptr_t start; // 0: free.  Written last, and taken away first.
    _Atomic size_t size;     // whole pages
    struct netdev_vhost *_Atomic owner;
    size_t length; // as who mapped it knows it
    size_t whole;  // with its apron
};

// Under 'lock', but for the handler.
static struct region regions[MAX_REGIONS];
static _Atomic size_t n_regions; // beyond it all are free
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static _Thread_local struct netdev_vhost *noted;
// Of the last message that this thread has read.
static _Thread_local struct {
    size_t n;
    int fds[MESSAGE_FDS];
} came;
// What was mapped of that message's files for a try, until it has been handled.
static _Thread_local struct trial {
    int fd;
    size_t length;
    size_t whole; // with its apron
    void *at;
} trials[MESSAGE_FDS];
static _Thread_local size_t n_trials;
// What stands at the number of the last file that was left open; 0: none, nobody's guest has
// standard input.
static _Thread_local int left_fd;
// A file of ours that nobody else has; main: w, before there are messages.
static int placeholder = -1;
static _Atomic bool is_started;
// What DPDK wants this thread's SIGBUS to do; SIG_DFL: nothing.
static _Thread_local struct sigaction wanted;

// --- files that the library leaves open ----------------------------------------------------

// The guest's file goes at once.  A note of its number alone would be no use: the same file may
// come again, by another port as well, and have the same number.
static void
hold_place(int fd)
{
    if (fd > 0 && dup3(placeholder, fd, O_CLOEXEC) == fd) {
        left_fd = fd;
    }
}

// But for a library that has closed it, after all.
static void
close_left(void)
{
    struct stat ours, there;

    if (left_fd > 0 && fstat(placeholder, &ours) == 0 && fstat(left_fd, &there) == 0 &&
        there.st_dev == ours.st_dev && there.st_ino == ours.st_ino) {
        close(left_fd);
    }
    left_fd = 0;
}

// Of the message that is handled now.
static uint64_t
count_tried(void)
{
    uint64_t n = 0;

    for (size_t i = 0; i < n_trials; i++) {
        n += trials[i].whole;
    }
    return n;
}

static void
drop_trials(void)
{
    while (n_trials > 0) {
        n_trials--;
        netdev_vhost_apron_unmap(trials[n_trials].at, trials[n_trials].whole);
    }
}

void
netdev_vhost_guard_note(struct netdev_vhost *vhost)
{
    close_left();
    if (vhost == NULL) {
        drop_trials();
    }
    noted = vhost;
}

// --- descriptors of messages ---------------------------------------------------------------

// How many a request of a front-end may bring, by the numbers of vhost-user.rst.
static size_t
max_fds(uint32_t request)
{
    enum { SET_MEM_TABLE = 5, SET_LOG_BASE, SET_LOG_FD };
    enum { SET_VRING_KICK = 12, SET_VRING_CALL, SET_VRING_ERR, SET_BACKEND_REQ_FD = 21 };

    switch (request) {
    case SET_MEM_TABLE:
        return MESSAGE_FDS;
    case SET_LOG_BASE:
    case SET_LOG_FD:
    case SET_VRING_KICK:
    case SET_VRING_CALL:
    case SET_VRING_ERR:
    case SET_BACKEND_REQ_FD:
        return 1;
    default:
        return 0;
    }
}

static size_t
count_fds(const struct cmsghdr *c)
{
    return c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS
               ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int)
               : 0;
}

static void
note_fds(struct msghdr *msg)
{
    // Those of one that the library refused, after they were tried, and answered: it told nobody.
    drop_trials();
    came.n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        size_t n = MIN(count_fds(c), MESSAGE_FDS - came.n);
        memcpy(came.fds + came.n, CMSG_DATA(c), n * sizeof(int));
        came.n += n;
    }
}

static bool
has_unwanted_fds(struct msghdr *msg, size_t size)
{
    uint32_t request;
    size_t n = 0;

    for (const struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
         c = CMSG_NXTHDR(msg, (struct cmsghdr *)c)) {
        n += count_fds(c);
    }
    if (n == 0 || size != MESSAGE_HEADER_SIZE) {
        return n != 0;
    }
    memcpy(&request, msg->msg_iov[0].iov_base, sizeof(request));
    return n > max_fds(request);
}

static void
close_fds(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        for (size_t i = 0; i < count_fds(c); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            close(fd);
        }
    }
    msg->msg_controllen = 0;
}

void
netdev_vhost_guard_drop_fds(void)
{
    for (size_t i = 0; i < came.n; i++) {
        close(came.fds[i]);
    }
    came.n = 0;
    drop_trials();
}

typedef ssize_t recvmsg_fn(int, struct msghdr *, int);

// The C library's, in which threads can be cancelled: so EAL ends the one that waits for messages
// of other processes (with --legacy-mem), and waits for its end.
static recvmsg_fn *
libc_recvmsg(void)
{
    static recvmsg_fn *_Atomic found;
    recvmsg_fn *function = atomic_load_explicit(&found, memory_order_relaxed);

    if (function == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "recvmsg");
        memcpy(&function, &symbol, sizeof(function));
        atomic_store_explicit(&found, function, memory_order_relaxed);
    }
    return function;
}

// How much of a header may be received: as much as is there while its descriptors are looked at, as
// what comes later may bring others.  0 at the end of the connection, or -1.
static ssize_t
look_first(int sock, int flags)
{
    char header[MESSAGE_HEADER_SIZE];
    struct iovec iov = {.iov_base = header, .iov_len = sizeof(header)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = libc_recvmsg()(sock, &msg, flags | MSG_PEEK);

    // There is no room for them here, so that they stay where they are.
    if (n > 0 && (msg.msg_flags & MSG_CTRUNC) != 0 && !netdev_vhost_inspect(sock)) {
        errno = EPROTO;
        return -1;
    }
    return n;
}

// In front of the C library's.  The library reads a message's header, and with it all that came
// along, as nobody else in this process reads anything.
ssize_t
recvmsg(int sock, struct msghdr *msg, int flags)
{
    bool is_header = msg->msg_iovlen == 1 && msg->msg_iov[0].iov_len == MESSAGE_HEADER_SIZE &&
                     msg->msg_controllen == CMSG_SPACE(MESSAGE_FDS * sizeof(int));

    if (is_header && netdev_vhost_inspect_is_on()) {
        ssize_t there = look_first(sock, flags);
        if (there < 0) {
            return -1;
        }
        msg->msg_iov[0].iov_len = (size_t)there;
    }
    ssize_t n = libc_recvmsg()(sock, msg, flags);

    if (is_header && n > 0 &&
        ((msg->msg_flags & MSG_CTRUNC) != 0 || has_unwanted_fds(msg, (size_t)n))) {
        close_fds(msg);
        errno = EPROTO;
        return -1;
    }
    if (is_header && n > 0) {
        note_fds(msg);
    }
    return n;
}

// --- the table -----------------------------------------------------------------------------

static bool
add_region(uintptr_t start, size_t length, size_t whole, struct netdev_vhost *owner)
{
    size_t i = 0;

    pthread_mutex_lock(&lock);
    while (i < MAX_REGIONS && atomic_load_explicit(&regions[i].start, memory_order_relaxed) != 0) {
        i++;
    }
    if (i < MAX_REGIONS) {
        regions[i].length = length;
        regions[i].whole = whole;
        atomic_store_explicit(&regions[i].size, whole - VHOST_APRON, memory_order_relaxed);
        atomic_store_explicit(&regions[i].owner, owner, memory_order_relaxed);
        atomic_store_explicit(&regions[i].start, start, memory_order_release);
        if (i >= atomic_load_explicit(&n_regions, memory_order_relaxed)) {
            atomic_store_explicit(&n_regions, i + 1, memory_order_release);
        }
    }
    pthread_mutex_unlock(&lock);
    return i < MAX_REGIONS;
}

static struct region *
find_region(uintptr_t address)
{
    size_t n = atomic_load_explicit(&n_regions, memory_order_acquire);

    for (size_t i = 0; i < n; i++) {
        uintptr_t start = atomic_load_explicit(&regions[i].start, memory_order_acquire);
        if (start != 0 && address >= start &&
            address - start < atomic_load_explicit(&regions[i].size, memory_order_relaxed)) {
            return &regions[i];
        }
    }
    return NULL;
}

// Returns how much goes with the 'length' bytes there.
static size_t
remove_region(uintptr_t start, size_t length)
{
    if (atomic_load_explicit(&n_regions, memory_order_relaxed) == 0) {
        return length;
    }
    pthread_mutex_lock(&lock);
    struct region *region = find_region(start);
    if (region != NULL && atomic_load_explicit(&region->start, memory_order_relaxed) == start) {
        netdev_vhost_apron_forget(region->whole);
        if (region->length == length) {
            length = region->whole;
        }
        atomic_store_explicit(&region->start, 0, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return length;
}

// --- in front of the C library -------------------------------------------------------------

bool
netdev_vhost_guard_can_map(unsigned int i, uint64_t size)
{
    struct stat st;

    if (i >= came.n || n_trials == MESSAGE_FDS || fd_is_served_by_others(came.fds[i]) ||
        fstat(came.fds[i], &st) != 0 || st.st_blksize <= 0) {
        return false;
    }
    size_t length = DIV_ROUND_UP(size, (uint64_t)st.st_blksize) * (uint64_t)st.st_blksize, whole;
    const struct vhost_apron_wish wish = {.length = length,
                                          .prot = PROT_READ | PROT_WRITE,
                                          .flags = MAP_SHARED,
                                          .fd = came.fds[i],
                                          .tried = count_tried()};
    void *at = netdev_vhost_apron_map(&wish, &whole);
    if (at != MAP_FAILED) {
        trials[n_trials++] =
            (struct trial){.fd = came.fds[i], .length = length, .whole = whole, .at = at};
    }
    return at != MAP_FAILED;
}

// The mapping that was tried, if it is this one; NULL: none.
static void *
take_trial(int fd, size_t length, int prot, int flags, size_t *whole)
{
    for (size_t i = 0; i < n_trials; i++) {
        if (trials[i].fd == fd && trials[i].length == length && flags == MAP_SHARED &&
            prot == (PROT_READ | PROT_WRITE)) {
            void *at = trials[i].at;
            *whole = trials[i].whole;
            trials[i] = trials[--n_trials];
            return at;
        }
    }
    return NULL;
}

void *
mmap64(void *address, size_t length, int prot, int flags, int fd, off64_t offset)
{
    // The library leaves the place to the kernel; DPDK's own memory has its place.
    bool is_guests =
        UNLIKELY(noted != NULL) && address == NULL && fd >= 0 && (flags & MAP_SHARED) != 0;

    // An offset: a log of dirty pages that does not begin where its file does.  The library maps it
    // from there and adds the offset once more (CVE-2026-86563), so that what it marks lies in
    // other memory of ours.  No front-end that we know of has such a log.
    if (is_guests && offset != 0) {
        errno = EINVAL;
        return MAP_FAILED; // it closes the log itself
    }
    // A forwarding thread would wait for its pages, at the first touch.
    bool is_refused = is_guests && fd_is_served_by_others(fd);
    // What its front-end did to the file after the try (seals, pages taken) comes too late.
    size_t whole = length;
    const struct vhost_apron_wish wish = {
        .length = length, .prot = prot, .flags = flags, .fd = fd, .tried = count_tried()};
    void *tried = is_guests ? take_trial(fd, length, prot, flags, &whole) : NULL;
    void *at = is_refused      ? MAP_FAILED
               : tried != NULL ? tried
               : is_guests     ? netdev_vhost_apron_map(&wish, &whole)
                               : vhost_raw_mmap(address, length, prot, flags, fd, offset);
    int error = is_refused ? EINVAL : errno;
    if (is_guests && at != MAP_FAILED && !add_region((uintptr_t)at, length, whole, noted)) {
        netdev_vhost_apron_unmap(at, whole);
        at = MAP_FAILED;
        error = ENOMEM;
    }
    if (is_guests && at == MAP_FAILED) {
        hold_place(fd); // it forgets about memory
        errno = error;
    }
    return at;
}

int
munmap(void *address, size_t length)
{
    return (int)syscall(SYS_munmap, address, remove_region((uintptr_t)address, length));
}

// The C library's, by another name.
int libc_sigaction(int, const struct sigaction *, struct sigaction *) __asm__("__sigaction");
static void on_sigbus(int, siginfo_t *, void *);

static bool
is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_sigbus;
}

int
sigaction(int signum, const struct sigaction *restrict action, struct sigaction *restrict old)
{
    if (signum != SIGBUS || !atomic_load_explicit(&is_started, memory_order_acquire)) {
        return libc_sigaction(signum, action, old);
    }
    // Who sees ours as the old one puts it back later, which ends his own.
    if (old != NULL && wanted.sa_handler != SIG_DFL) {
        *old = wanted;
    } else if (old != NULL && libc_sigaction(SIGBUS, NULL, old) != 0) {
        return -1;
    }
    if (action != NULL) {
        wanted = is_ours(action) ? (struct sigaction){.sa_handler = SIG_DFL} : *action;
    }
    return 0;
}

// --- the handler ---------------------------------------------------------------------------

static bool
replace(uintptr_t fault)
{
    struct region *region = find_region(fault);

    if (region == NULL) {
        return false;
    }
    uintptr_t start = atomic_load_explicit(&region->start, memory_order_relaxed);
    size_t size = atomic_load_explicit(&region->size, memory_order_relaxed);
    struct netdev_vhost *owner = atomic_load_explicit(&region->owner, memory_order_relaxed);
    // First, so that no thread begins to fill what takes the place.
    if (!atomic_exchange_explicit(&owner->is_broken, true, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&owner->n_breaks, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&owner->vid, VHOST_NO_VID, memory_order_release);
    if (vhost_raw_mmap((void *)start, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
                       0) == MAP_FAILED) {
        return false;
    }
    madvise((void *)start, size, MADV_NOHUGEPAGE);
    return true;
}

// False: the thread has no handler of its own.  EAL's does not return.
static bool
call_wanted(int signum, siginfo_t *info, void *context)
{
    if (wanted.sa_handler == SIG_DFL || wanted.sa_handler == SIG_IGN) {
        return false;
    }
    if ((wanted.sa_flags & SA_SIGINFO) != 0) {
        wanted.sa_sigaction(signum, info, context);
    } else {
        wanted.sa_handler(signum);
    }
    return true;
}

static void
on_sigbus(int signum, siginfo_t *info, void *context)
{
    int saved = errno;
    bool is_fault = info->si_code > 0 && info->si_code != BUS_MCEERR_AO;

    if (!is_fault) {
        signal(SIGBUS, SIG_DFL);
        raise(SIGBUS);
    } else if (!(info->si_code == BUS_ADRERR && replace((uintptr_t)info->si_addr)) &&
               !call_wanted(signum, info, context)) {
        // The access is repeated and meets the default action.
        signal(SIGBUS, SIG_DFL);
    }
    errno = saved;
}

void
netdev_vhost_guard_start(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESTART};

    if (placeholder < 0) {
        placeholder = memfd_create("refused", MFD_CLOEXEC);
    }
    netdev_vhost_apron_start();
    sigemptyset(&action.sa_mask);
    libc_sigaction(SIGBUS, &action, NULL);
    atomic_store_explicit(&is_started, true, memory_order_release);
}
