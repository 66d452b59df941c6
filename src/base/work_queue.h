// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that wait for their turn, in the order in which they came: an event loop's posted and
 * deferred work (loop.c).  No thread rules of its own: one thread, or the lock of who has the
 * queue.
 */
#ifndef BASE_WORK_QUEUE_H
#define BASE_WORK_QUEUE_H

#include "base/loop.h"

struct work {
    loop_fn *fn;
    void *arg;
    struct work *next;
};

struct work_queue {
    struct work *head;
    struct work **tail;
};

void work_queue_init(struct work_queue *q);
/* Frees what waits and runs none of it.  The queue is empty then and may be used on. */
void work_queue_drop(struct work_queue *q);
/* Behind the others, also if the same pair waits already. */
void work_queue_put(struct work_queue *q, loop_fn *fn, void *arg);
bool work_queue_has(const struct work_queue *q, loop_fn *fn, const void *arg);
/* Takes the pair out, as often as it waits. */
void work_queue_del(struct work_queue *q, loop_fn *fn, const void *arg);
/* Moves all of 'src' behind 'dst'. */
void work_queue_move(struct work_queue *dst, struct work_queue *src);
/* Runs what waits and what is put meanwhile, until nothing does. */
void work_queue_run(struct work_queue *q);

#endif
