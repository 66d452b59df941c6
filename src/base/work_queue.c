// SPDX-License-Identifier: Apache-2.0
/*
 * work_queue.c - a singly linked list with a pointer to its last link; work_queue.h has the
 * contract.
 */
#include "base/work_queue.h"

#include <stdlib.h>

void
work_queue_init(struct work_queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
}

void
work_queue_put(struct work_queue *q, loop_fn *fn, void *arg)
{
    struct work *w = xmalloc(sizeof(*w));

    *w = (struct work){.fn = fn, .arg = arg};
    *q->tail = w;
    q->tail = &w->next;
}

bool
work_queue_has(const struct work_queue *q, loop_fn *fn, const void *arg)
{
    for (const struct work *w = q->head; w != NULL; w = w->next) {
        if (w->fn == fn && w->arg == arg) {
            return true;
        }
    }
    return false;
}

static struct work *
queue_pop(struct work_queue *q)
{
    struct work *w = q->head;

    if (w != NULL) {
        q->head = w->next;
        if (q->head == NULL) {
            q->tail = &q->head;
        }
    }
    return w;
}

void
work_queue_del(struct work_queue *q, loop_fn *fn, const void *arg)
{
    for (struct work **p = &q->head; *p != NULL;) {
        struct work *w = *p;
        if (w->fn == fn && w->arg == arg) {
            *p = w->next;
            free(w);
        } else {
            p = &w->next;
        }
    }
    q->tail = &q->head;
    while (*q->tail != NULL) {
        q->tail = &(*q->tail)->next;
    }
}

void
work_queue_move(struct work_queue *dst, struct work_queue *src)
{
    if (src->head != NULL) {
        *dst->tail = src->head;
        dst->tail = src->tail;
        work_queue_init(src);
    }
}

void
work_queue_run(struct work_queue *q)
{
    struct work *w;

    while ((w = queue_pop(q)) != NULL) {
        w->fn(w->arg);
        free(w);
    }
}

void
work_queue_drop(struct work_queue *q)
{
    struct work *w;

    while ((w = queue_pop(q)) != NULL) {
        free(w);
    }
}
