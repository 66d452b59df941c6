// SPDX-License-Identifier: Apache-2.0
/*
 * lookup.h - addresses of a host name, found without making the loop wait, and a connection to the
 * first of them that answers.  Private to src/rpc/; stream.c and stream_open.c are the callers.
 *
 * Names are looked up as the system says (nsswitch.conf: /etc/hosts, DNS...), by getaddrinfo() in
 * threads of its own, since that may take long.  There are none while nothing is asked, four while
 * answers come promptly, and up to 36 while names hang; what is asked beyond waits in a queue.  A
 * name that several ask for is looked up once for all of them.  A loop's thread starts, cancels and
 * is answered.
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
/* Calls 'fn' once, from the loop; after that the lookup is no more.  'is_vital': does not wait for
 * names that are not. */
struct lookup *lookup_start(struct loop *loop, const char *host, bool is_vital, lookup_fn *fn,
                            void *arg);
/* When its name began to be looked up, as clock_now_ms(); 0: it waits for its turn. */
int64_t lookup_started_ms(struct lookup *lookup);
/* 'fn' is not called any more.  NULL is fine. */
void lookup_cancel(struct lookup *lookup);

struct dial;
/* 'fd' is a connected, non-blocking TCP socket that the callee takes; or a negative errno with a
 * text why. */
typedef void dial_fn(int fd, const char *error, void *arg);
/* Looks 'host' up and connects to 'port'.  An address that does not answer within three seconds is
 * left for the next one; the last one may take as long as the kernel gives it.  Calls 'fn' once,
 * from the loop; after that the dial is no more.  'is_vital' as for the lookup. */
struct dial *dial_start(struct loop *loop, const char *host, uint16_t port, bool is_vital,
                        dial_fn *fn, void *arg);
/* When the lookup began, as clock_now_ms(); 0: it waits for its turn. */
int64_t dial_started_ms(const struct dial *dial);
/* 'fn' is not called any more.  NULL is fine. */
void dial_cancel(struct dial *dial);

/* Begins to connect a new non-blocking TCP socket '*fd' to 'address'.  0: connected or about to be;
 * or a negative errno. */
int dial_address(const struct sockaddr_storage *address, int *fd);

#endif
