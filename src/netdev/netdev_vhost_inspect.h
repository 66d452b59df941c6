// SPDX-License-Identifier: Apache-2.0
//
// Ports without a relay: a front-end's descriptors are looked at by another process
// (relay/inspect.h) before they are this one's.  A file whose server does not answer is closed by
// nobody, neither now nor at this process's end; what was never received need not be closed.
#ifndef NETDEV_NETDEV_VHOST_INSPECT_H
#define NETDEV_NETDEV_VHOST_INSPECT_H

#include <stdbool.h>

// From now on there are connections that need it.  Again is harmless.  Does not wait for one that
// is looked at.  Main thread.
void netdev_vhost_inspect_start(void);
// Whether it was started.  Any thread.
bool netdev_vhost_inspect_is_on(void);
// Whether the descriptors that come next from 'sock' may be received.  Waits for the other process,
// a second at most: one that does not answer has met what it looks for.  False as well, and a WARN
// line, if there can be no such process, or if four of this port's, or 64 of all, have still to
// close what they met.  What is not to be received is no longer at this number: another file is,
// which is the caller's to close.  Vhost thread.
bool netdev_vhost_inspect(int sock);

#endif
