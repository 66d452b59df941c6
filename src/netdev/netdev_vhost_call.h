// SPDX-License-Identifier: Apache-2.0
//
// Interrupts of guests that never stop the thread that sends them.  DPDK's vhost library writes to
// the descriptor that the front-end gave with SET_VRING_CALL, from the forwarding thread.  A write
// to an eventfd whose counter is full, to a full pipe or to a full socket waits until somebody
// reads, which nobody need do; O_NONBLOCK does not help, as the front-end shares the open file
// description and can take it away again.
//
// So the executable's eventfd_write() stands in front of the C library's: it lets the kernel signal
// the eventfd as the completion of an asynchronous read of nothing (io_submit(2), IOCB_FLAG_RESFD).
// That adds one, stops at the counter's end and never waits; what is no eventfd is refused.
//
// The same for the messages that the library sends to a front-end that need not read them: answers
// from the vhost thread, and misses of the IOTLB from the forwarding thread.  The executable's
// sendmsg() has these fail when there is no room, which ends the connection or leaves the miss.
#ifndef NETDEV_NETDEV_VHOST_CALL_H
#define NETDEV_NETDEV_VHOST_CALL_H

#include <stdint.h>

struct netdev_vhost;

// The port for which this thread calls the vhost library, NULL outside: its 'n_bad_calls' counts
// what cannot be signalled.
extern _Thread_local struct netdev_vhost *netdev_vhost_caller;

// Looks whether the kernel can do it, and says so in the log if not.  Again is harmless.  Main.
void netdev_vhost_call_start(void);
// None of the messages that this thread sends from now on waits for its reader.  Vhost thread.
void netdev_vhost_call_never_wait(void);

#endif
