// SPDX-License-Identifier: Apache-2.0
/*
 * lookup.h - addresses of a host name, found without making the loop wait, and a connection to the
 * first of them that answers.  Private to src/rpc/; stream.c is the caller.
 *
 * Names are looked up as the system says (nsswitch.conf: /etc/hosts, DNS...), by getaddrinfo() in
 * threads of its own, since that may take long.  There are at most four, and none while nothing
 * is asked; what is asked beyond waits in a queue.  A loop's thread starts, cancels and is
 * answered.
 */
#ifndef RPC_LOOKUP_H
#define RPC_LOOKUP_H

#include <netinet/in.h>

#include "base/loop.h"

/* More than these are not tried. */
#define LOOKUP_MAX_ADDRESSES 8

/* True for a name that may be asked for: labels of letters, digits, '-' and '_' as in RFC 1123, 253
 * bytes at most, whose last label is no number: "10.0.0.256" is a mistyped address. */
bool lookup_is_name(const char *host);

struct lookup;
/* 'n' addresses without a port, in the order in which they should be tried; or 0 and why. */
typedef void lookup_fn(const struct sockaddr_storage *addresses, size_t n, const char *error,
                       void *arg);
/* Calls 'fn' once, from the loop; after that the lookup is no more. */
struct lookup *lookup_start(struct loop *loop, const char *host, lookup_fn *fn, void *arg);
/* 'fn' is not called any more.  NULL is fine. */
void lookup_cancel(struct lookup *lookup);

struct dial;
/* 'fd' is a connected, non-blocking TCP socket that the callee takes; or a negative errno with a
 * text why. */
typedef void dial_fn(int fd, const char *error, void *arg);
/* Looks 'host' up and connects to 'port'.  An address that does not answer within three seconds is
 * left for the next one; the last one may take as long as the kernel gives it.  Calls 'fn' once,
 * from the loop; after that the dial is no more. */
struct dial *dial_start(struct loop *loop, const char *host, uint16_t port, dial_fn *fn, void *arg);
/* 'fn' is not called any more.  NULL is fine. */
void dial_cancel(struct dial *dial);

/* Begins to connect a new non-blocking TCP socket '*fd' to 'address'.  0: connected or about to be;
 * or a negative errno. */
int dial_address(const struct sockaddr_storage *address, int *fd);

#endif
