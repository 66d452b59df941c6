// SPDX-License-Identifier: Apache-2.0
//
// mmap64() and munmap() stand in front of the C library's, as in dpdk_quick.c: so the guard knows
// the mappings (rings are touched before any callback tells us of the device).  The handler does
// only what is async-signal-safe.  One mapping takes the place of one, because each patched page
// would be up to two mappings more, of which a process has 65,530, and because memory on huge pages
// cannot be replaced in smaller ones.
#include "netdev/netdev_vhost_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "netdev/netdev_vhost.h"

enum { MAX_REGIONS = 16384 }; // 1,024 devices of the library, 8 regions and some logs each

struct region {
    _Atomic uintptr_t start; // 0: free.  Written last, and taken away first.
    _Atomic size_t length;
    struct netdev_vhost *_Atomic owner;
};

// Under 'lock', but for the handler.
static struct region regions[MAX_REGIONS];
static _Atomic size_t n_regions; // beyond it all are free
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static _Thread_local struct netdev_vhost *noted;
static _Thread_local bool refuses, leaves_open;
// What stands at the number of the last file that was left open; 0: none, nobody's guest has
// standard input.
static _Thread_local int left_fd;
// A file of ours that nobody else has; main: w, before there are messages.
static int placeholder = -1;

// --- files that the library leaves open ----------------------------------------------------

// The guest's file goes at once.  A note of its number alone would be no use: the same file may come
// again, by another port as well, and have the same number.
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

void
netdev_vhost_guard_note(struct netdev_vhost *vhost)
{
    close_left();
    noted = vhost;
    refuses = leaves_open = false;
}

void
netdev_vhost_guard_refuse(bool is_left_open)
{
    refuses = true;
    leaves_open = is_left_open;
}

// --- the table -----------------------------------------------------------------------------

static bool
add_region(uintptr_t start, size_t length, struct netdev_vhost *owner)
{
    size_t i = 0;

    pthread_mutex_lock(&lock);
    while (i < MAX_REGIONS && atomic_load_explicit(&regions[i].start, memory_order_relaxed) != 0) {
        i++;
    }
    if (i < MAX_REGIONS) {
        atomic_store_explicit(&regions[i].length, length, memory_order_relaxed);
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
            address - start < atomic_load_explicit(&regions[i].length, memory_order_relaxed)) {
            return &regions[i];
        }
    }
    return NULL;
}

static void
remove_region(uintptr_t start)
{
    if (atomic_load_explicit(&n_regions, memory_order_relaxed) == 0) {
        return;
    }
    pthread_mutex_lock(&lock);
    struct region *region = find_region(start);
    if (region != NULL && atomic_load_explicit(&region->start, memory_order_relaxed) == start) {
        atomic_store_explicit(&region->start, 0, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
}

// --- in front of the C library -------------------------------------------------------------

static void *
map(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
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
    if (is_guests && (refuses || offset != 0)) {
        if (leaves_open) {
            hold_place(fd);
        }
        errno = EINVAL;
        return MAP_FAILED;
    }
    void *at = map(address, length, prot, flags, fd, offset);
    if (is_guests && at != MAP_FAILED && !add_region((uintptr_t)at, length, noted)) {
        syscall(SYS_munmap, at, length);
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return at;
}

int
munmap(void *address, size_t length)
{
    remove_region((uintptr_t)address);
    return (int)syscall(SYS_munmap, address, length);
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
    size_t length = atomic_load_explicit(&region->length, memory_order_relaxed);
    struct netdev_vhost *owner = atomic_load_explicit(&region->owner, memory_order_relaxed);
    // First, so that no thread begins to fill what takes the place.
    if (!atomic_exchange_explicit(&owner->is_broken, true, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&owner->n_breaks, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&owner->vid, VHOST_NO_VID, memory_order_release);
    if (map((void *)start, length, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
        return false;
    }
    madvise((void *)start, length, MADV_NOHUGEPAGE);
    return true;
}

static void
on_sigbus(int signum, siginfo_t *info, void *context)
{
    int saved = errno;

    if (info->si_code != BUS_ADRERR || !replace((uintptr_t)info->si_addr)) {
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
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
