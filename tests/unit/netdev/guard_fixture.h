// SPDX-License-Identifier: Apache-2.0
//
// Guests for tests of netdev_vhost_guard.h: files, their mappings, ports that they belong to.
#ifndef GUARD_FIXTURE_H
#define GUARD_FIXTURE_H 1

#include "../unit.h"

#include <stdio.h>
#include <sys/mman.h>

#include "netdev/netdev_vhost.h"
#include "netdev/netdev_vhost_guard.h"

enum { PAGE = 4096 };

static inline int
empty_file(unsigned int flags)
{
    int fd = memfd_create("guest", MFD_CLOEXEC | flags);

    assert_true(fd >= 0);
    return fd;
}

static inline uint8_t *
map_file(struct netdev_vhost *vhost, int fd, size_t length)
{
    netdev_vhost_guard_note(vhost);
    uint8_t *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    netdev_vhost_guard_note(NULL);
    return p;
}

static inline struct netdev_vhost *
port(void)
{
    struct netdev_vhost *vhost = aligned_alloc(_Alignof(struct netdev_vhost), sizeof(*vhost));

    memset(vhost, 0, sizeof(*vhost));
    vhost->vid = 7;
    return vhost;
}

static inline unsigned int
count_mappings(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned int n = 0;

    for (int c; (c = getc(f)) != EOF;) {
        n += c == '\n';
    }
    fclose(f);
    return n;
}

#endif
