// SPDX-License-Identifier: Apache-2.0
//
// Guests' files in this process's address space, each with an apron behind it: private memory of
// no meaning.  Behind an IOMMU the library (22.11.11, and newer ones) takes what lies side by side
// for the guest to lie side by side here, too: a ring or a frame that begins at the end of a region
// and goes on in another would go on in whatever is mapped behind the first: another guest's
// memory, or ours.
//
// For the guard (netdev_vhost_guard.h), which knows whose the mappings are.
#ifndef NETDEV_NETDEV_VHOST_APRON_H
#define NETDEV_NETDEV_VHOST_APRON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// Behind each region, in bytes.  More than a ring of the largest size or a frame takes.
enum { VHOST_APRON = 1 << 20 };

struct vhost_apron_wish {
    size_t length;       // in bytes, from the file's beginning
    int prot, flags, fd; // as for mmap(); borrowed
    uint64_t tried;      // what the same message has by now, in bytes
};

// The kernel's, past the one that stands in front of the C library's.  Any thread, any signal
// handler.
static inline void *
vhost_raw_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
    return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}

// Reads how much memory this machine has.  Main thread, before any other call.
void netdev_vhost_apron_start(void);
// Maps a guest's file and behind it an apron.  MAP_FAILED, and errno says why: ENOMEM also for more
// than one message or all guests may have.  '*whole': the bytes of both.  Any thread.
void *netdev_vhost_apron_map(const struct vhost_apron_wish *, size_t *whole);
void netdev_vhost_apron_unmap(void *at, size_t whole);
// The account only: somebody else unmaps them.
void netdev_vhost_apron_forget(size_t whole);

#endif
