// SPDX-License-Identifier: Apache-2.0
//
// One place in the address space for a file and its apron together, on the bounds that the file's
// pages want, and the account of what guests take of it.  The guard (netdev_vhost_guard.c) stands
// in front of the C library's mmap64() and munmap(), so nothing here calls these.
#include "netdev/netdev_vhost_apron.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include <linux/magic.h>

#include "base/util.h"

enum {
    LARGE_PAGE = 2 << 20, // where a file may have such pages
    PLACES = 8,           // that are tried
};

// Of the address space, which guests' files that have no pages yet can fill: a process that has
// none left cannot even have memory of its own.  Of one message's regions, or of one log, and of
// all guests.
static uint64_t most_of_one = 1ULL << 40; // or what this machine has, some times; main: w, at start
static const uint64_t MOST_OF_ALL = 1ULL << 46;
enum { TIMES_THIS_MACHINE = 4 };

static _Atomic uint64_t mapped; // of guests' files and their aprons, tried ones among them

// A place of 'whole' bytes where nothing is, unless somebody else takes it; NULL: there is none.
static void *
find_place(size_t whole, size_t alignment)
{
    char *at = vhost_raw_mmap(NULL, whole + alignment, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED) {
        return NULL;
    }
    syscall(SYS_munmap, at, whole + alignment);
    return at + (alignment - (uintptr_t)at % alignment) % alignment;
}

static bool
may_have(size_t whole, uint64_t tried)
{
    return tried + whole <= most_of_one &&
           atomic_load_explicit(&mapped, memory_order_relaxed) + whole <= MOST_OF_ALL;
}

void *
netdev_vhost_apron_map(const struct vhost_apron_wish *wish, size_t *whole)
{
    size_t length = wish->length;
    struct statfs fs;
    bool is_huge = fstatfs(wish->fd, &fs) == 0 && (uint32_t)fs.f_type == HUGETLBFS_MAGIC;
    size_t page = is_huge ? (size_t)fs.f_bsize : (size_t)sysconf(_SC_PAGESIZE),
           alignment = MAX(page, (size_t)LARGE_PAGE);

    errno = ENOMEM;
    if (length == 0 || length > SIZE_MAX / 2) {
        return MAP_FAILED;
    }
    size_t size = ROUND_UP(length, page);
    *whole = size + VHOST_APRON;
    if (!may_have(*whole, wish->tried)) {
        return MAP_FAILED;
    }
    for (int i = 0; i < PLACES; i++) {
        char *place = find_place(*whole, alignment);
        if (place == NULL) {
            return MAP_FAILED;
        }
        void *at = vhost_raw_mmap(place, length, wish->prot, wish->flags | MAP_FIXED_NOREPLACE,
                                  wish->fd, 0);
        if (at == MAP_FAILED && errno != EEXIST) {
            return MAP_FAILED;
        }
        if (at == MAP_FAILED) {
            continue;
        }
        if (at == place &&
            vhost_raw_mmap(place + size, VHOST_APRON, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
                           0) == place + size) {
            atomic_fetch_add_explicit(&mapped, *whole, memory_order_relaxed);
            return at;
        }
        syscall(SYS_munmap, at, size);
    }
    return MAP_FAILED;
}

void
netdev_vhost_apron_unmap(void *at, size_t whole)
{
    syscall(SYS_munmap, at, whole);
    netdev_vhost_apron_forget(whole);
}

void
netdev_vhost_apron_forget(size_t whole)
{
    atomic_fetch_sub_explicit(&mapped, whole, memory_order_relaxed);
}

void
netdev_vhost_apron_start(void)
{
    most_of_one = MAX(most_of_one, TIMES_THIS_MACHINE * (uint64_t)sysconf(_SC_PHYS_PAGES) *
                                       (uint64_t)sysconf(_SC_PAGESIZE));
}
