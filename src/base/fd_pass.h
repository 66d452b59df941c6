// SPDX-License-Identifier: Apache-2.0
/*
 * fd_pass.h - a datagram or message on a Unix socket with at most one descriptor (SCM_RIGHTS,
 * unix(7)).  Needs nothing but the C library: the relay uses it, too.  Any thread.
 */
#ifndef BASE_FD_PASS_H
#define BASE_FD_PASS_H

#include <stddef.h>
#include <sys/types.h>

/* As send(); 'fd' goes along unless it is negative, and stays the caller's. */
ssize_t fd_pass_send(int sock, const void *data, size_t size, int flags, int fd);
/* As recv(); '*fd' is the caller's then, or -1.  Further descriptors are closed. */
ssize_t fd_pass_recv(int sock, void *data, size_t size, int flags, int *fd);

#endif
