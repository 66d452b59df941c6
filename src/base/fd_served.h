/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fd_served.h - files whose contents come from another process or host.  Needs nothing but the C
 * library: the relay uses it, too.  Any thread.
 */
#ifndef BASE_FD_SERVED_H
#define BASE_FD_SERVED_H

#include <stdbool.h>

/* Whether 'fd' is in such a file system, or in one that lies upon another (overlayfs).  Who reads,
 * maps or only closes it waits for an answer, as long as the other one likes, and not even SIGKILL
 * ends that.  This asks nobody of whom a stranger could make us wait. */
bool fd_is_served_by_others(int fd);

#endif
