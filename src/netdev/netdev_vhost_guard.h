// SPDX-License-Identifier: Apache-2.0
//
// Survives guests whose memory is not there.  A guest's memory is files that its front-end gave us;
// DPDK's library maps them without asking how long they are, and the front-end may cut them at any
// time.  A touch beyond the end is a SIGBUS, which would end the daemon and everybody's traffic.
//
// What the library maps while it handles a front-end's message is noted, with the port.  A fault in
// such a mapping replaces all of it by private memory full of zeros, in one piece, and its port
// uses the guest no more until the front-end connects again.  Any other fault (failing memory,
// misalignment, a mapping that is not a guest's) goes to the handler that DPDK has set in the same
// thread, as EAL does while it takes a page, or ends the process as without us.
//
// Behind each such mapping lies an apron of private memory: what the library touches beyond the end
// of one (it does, for guests behind an IOMMU) is nobody else's.
//
// And keeps descriptors from piling up until the process has no more: the library leaves those open
// that come with in-flight tables of a wrong size, with rings of wrong numbers, or more than eight
// at once.  The executable's recvmsg() closes what comes with a message that takes none or not so
// many, and has reading it fail (EPROTO), which ends the connection.  A file that could not be
// mapped is closed, too.
#ifndef NETDEV_NETDEV_VHOST_GUARD_H
#define NETDEV_NETDEV_VHOST_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct netdev_vhost;

// Catches SIGBUS from now on, and sigaction() for it speaks of the calling thread only; again is
// harmless.  Main thread, before EAL starts.
void netdev_vhost_guard_start(void);
// What this thread maps from now on (shared, of a file, anywhere) is the memory of the guest of
// 'vhost'; NULL: of nobody.  Its files are mapped from their beginnings only, other offsets are
// EINVAL, as are file systems whose pages another process or host provides.  The port must not go
// before its mappings.  Vhost thread.
void netdev_vhost_guard_note(struct netdev_vhost *);

// Whether 'size' bytes from the beginning of descriptor number 'i' of the message that this thread
// has read can be mapped as the library does it.  They are, and the library gets this mapping when
// it wants it, until the message has been handled or dropped, or the next is read: between the two
// the front-end may do to the file what it likes.  Once for each descriptor.  False for more than 1
// TB, or four times this machine's memory, in one message, or 64 TB of all guests.  Vhost thread.
bool netdev_vhost_guard_can_map(unsigned int i, uint64_t size);
// Closes the descriptors of the message that this thread has read, which the library does not see
// then.  Vhost thread.
void netdev_vhost_guard_drop_fds(void);

#endif
