// SPDX-License-Identifier: Apache-2.0
//
// What a front-end has told its back-end and what is still in force: enough to tell it to another
// back-end.  Of each message only the last one counts, those about rings for each ring; the record
// has copies, and duplicates of the descriptors.  It is bounded whatever the front-end sends: at
// most VHU_MAX_RINGS rings with 7 messages and 3 descriptors each, and 9 messages about the device
// with VHU_MAX_FDS + 3 descriptors.  That is fewer than the 1,024 that a process may have open.
#ifndef RELAY_RECORD_H
#define RELAY_RECORD_H

#include <stdbool.h>

#include "relay/vhu.h"

struct record;

struct record *record_create(void);
void record_destroy(struct record *); // NULL is fine
void record_clear(struct record *);

// Notes what the front-end sends.  Unknown and malformed messages leave no trace.
void record_request(struct record *, const struct vhu_msg *);
// Notes what the back-end answered to 'request'.
void record_reply(struct record *, const struct vhu_msg *request, const struct vhu_msg *reply);

// How a back-end went.
enum record_end {
    RECORD_KILLED,  // nobody knows where it was in the rings
    RECORD_STOPPED, // it said so for each ring: record_set_base()
};
// NULL when another back-end can go on where this one stopped, else why not.
const char *record_obstacle(const struct record *, enum record_end);

// True when the back-end works on the ring: it has a descriptor for kicks.
bool record_ring_runs(const struct record *, int ring);
// Where the back-end stopped in a ring, as it answered GET_VRING_BASE.
void record_set_base(struct record *, const struct vhu_msg *reply);
// The descriptor with which a ring's driver is woken; -1: none.
int record_call_fd(const struct record *, int ring);

// Between POSTCOPY_ADVISE and POSTCOPY_END.
bool record_in_postcopy(const struct record *);

// Acknowledged by the front-end; 0 when it has not.
uint64_t record_features(const struct record *);
uint64_t record_protocol_features(const struct record *);

// The messages for another back-end in the order in which it needs them: starts with '*pos' 0;
// false after the last.  None asks for an answer; the descriptors of 'out' are the record's.
bool record_next(const struct record *, unsigned int *pos, struct vhu_msg *out);

#endif
