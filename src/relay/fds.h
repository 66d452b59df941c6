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
// A stream in which something waits is not fit; nothing else can be received from it afterwards.
// Needs /proc: without it nothing is fit.
bool fds_are_fit(const struct vhu_msg *);
// The same where it is not known of which message they are: of a kind that some may carry.
bool fds_may_be_fit(const struct vhu_msg *);

#endif
