// SPDX-License-Identifier: Apache-2.0
/*
 * Other processes that are on their way out.  One that was killed keeps its sockets and devices
 * until the kernel has closed them all, which takes seconds where these are many taps; its
 * successor has to wait, or finds them busy.  Called at the start and by listeners; any thread.
 */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Has this process been killed, or ended, without having given back all that it had? */
bool process_is_dying(pid_t pid);

/* Waits, at most 10 s, for a dying process to be gone; for one that lives only 50 ms, in which a
 * signal that was just sent shows.  True: it is gone. */
bool process_await_death(pid_t pid);

/* The pid under which others know this process: in the pidfile and in names of sockets.  Its own,
 * unless another process stands in front of it (daemon_front.h).  Set before the first thread. */
pid_t process_public_pid(void);
void process_set_public_pid(pid_t pid);

#endif
