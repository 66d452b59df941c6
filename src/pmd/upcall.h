// SPDX-License-Identifier: Apache-2.0
//
// Misses on their way from the fast path to a handler.  Every input port has a bounded queue; a
// PMD enqueues and goes on, handler threads serve the ports in turn, so a storm on one port fills
// only that port's queue (docs/architecture.md).  src/slowpath is the only user.
#ifndef PMD_UPCALL_H
#define PMD_UPCALL_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "flow/dp_action.h"
#include "flow/flow.h"
#include "flow/key.h"
#include "packet/packet.h"

struct dp;

enum upcall_type {
    UPCALL_MISS,   // no megaflow
    UPCALL_ACTION, // a USERSPACE action: controller, slow path, sampling
};

// One packet with what the datapath knew of it.  'mbuf' belongs to the upcall until it is given
// back by upcall_give_back(), or freed by upcall_free().
struct upcall {
    enum upcall_type type;
    struct rte_mbuf *mbuf;
    struct packet_layers layers;
    struct flow_key key;               // as the fast path saw it (includes in_port, recirc_id)
    struct dp_act_userspace userspace; // UPCALL_ACTION: the action's parameters
    uint16_t pmd_index;                // who sent it, and to whom the packet returns
    uint8_t depth;                     // passes of the packet through the datapath so far
};

// Handler side.  A handler sleeps in upcall_wait() and is woken by the first enqueue on an empty
// set of queues.  Takes up to 'max' upcalls, at most a fair share from each port with work, in
// round robin order, so that the batch of one call may be translated once per distinct flow.
// Returns the number taken; 0 after 'timeout_ms' or when upcall_wake() was called.  The caller is
// online (base/rcu.h); it is offline while it sleeps here.
unsigned upcall_wait(struct dp *, unsigned handler, struct upcall **out, unsigned max,
                     int timeout_ms);
void upcall_wake(struct dp *); // all handlers return (shutdown, new number of handlers)
// Gives the upcall back, always; frees up->mbuf too unless it is NULL.
void upcall_free(struct dp *, struct upcall *);
// The same for all of a batch, at the cost of about one: PMDs look at what comes back all the time.
void upcall_free_all(struct dp *, struct upcall **, unsigned n);

// Packets on their way back that go the same way, gathered: one thread's, for the time of a batch.
// A few, since the first one waits for the last.
enum { UPCALL_RETURNS = 8 };
struct upcall_returns {
    unsigned n; // 0: none, and the rest says nothing
    uint16_t pmd_index;
    odp_port_t in_port, out_port;
    struct rte_mbuf *m[UPCALL_RETURNS];
};

// Gives the packet back to the PMD that sent it, which runs 'actions' on it as dp_inject() says; a
// packet that recirculates on and on is stopped even where a handler sees each pass of it.  Where
// it may wait for others it does, in 'returns', but no packet passes another one of its port.
void upcall_give_back(struct dp *, struct upcall *, const struct dp_actions *actions,
                      struct upcall_returns *returns);
// Sends what waits.
void upcall_flush(struct dp *, struct upcall_returns *);

// With no handler thread (n_handlers == 0) the PMD calls this function in place, once per batch.
typedef void upcall_inline_fn(struct upcall **, unsigned n, void *aux);
void upcall_set_inline(struct dp *dp, upcall_inline_fn *fn, void *aux);
void upcall_set_n_handlers(struct dp *, unsigned n);

#endif
