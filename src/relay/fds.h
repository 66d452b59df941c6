// SPDX-License-Identifier: Apache-2.0
//
// What kind of file a front-end may send with which message.  Who closes a file may wait for its
// end: a TCP socket that lingers, a terminal, a file system that does not answer.  So only what is
// known to be closed at once goes on to the switch.
#ifndef RELAY_FDS_H
#define RELAY_FDS_H

#include <stdbool.h>

#include "relay/vhu.h"

// Whether all descriptors of a message are of a kind that it may carry: for rings eventfds and
// pipes, for interrupts and the back-end's channel also connected streams of AF_UNIX, else regular
// files of this machine (memory, disks), eventfds and pipes.  Their number is not looked at.
// Nothing else can be received from such a stream afterwards, and what waited there is closed:
// that may take as long as the sender likes.
bool fds_are_fit(const struct vhu_msg *);

#endif
