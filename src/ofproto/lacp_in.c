// SPDX-License-Identifier: Apache-2.0
/*
 * lacp_in.c - LACP's frames on their way from handlers to main.
 *
 * Each port has a few places of its own, and what comes when they are full takes the place of its
 * oldest: a port that is flooded keeps nobody else's partner waiting, and the newest word of its
 * own is heard.  The memory is that of the ports that run LACP.
 */
#include <stdlib.h>
#include <string.h>

#include "base/coverage.h"
#include "ofproto/ofproto_priv.h"

COVERAGE_DEFINE(lacp_pdu_dropped);

enum { PLACES = 8 };

struct lacp_frame {
    size_t len;
    uint8_t bytes[LACP_PDU_SIZE];
};

struct lacp_waiting {
    UT_hash_handle hh;
    struct lacp_waiting_key { /* zeroed: hashed as bytes */
        struct ofproto *ofproto;
        ofp_port_t port;
    } key;
    uint64_t n; /* that came; the last PLACES of them are in 'frames', by this number */
    struct lacp_frame frames[PLACES];
};

void
ofproto_lacp_in(struct ofproto *p, ofp_port_t port, const void *data, size_t len)
{
    struct ofprotos *all = p->all;
    struct lacp_waiting_key key;
    struct lacp_waiting *w;
    struct lacp_frame *frame;
    bool was_empty;

    memset(&key, 0, sizeof key);
    key.ofproto = p;
    key.port = port;
    pthread_mutex_lock(&all->lock);
    was_empty = !all->lacp_waiting;
    HASH_FIND(hh, all->lacp_waiting, &key, sizeof key, w);
    if (!w) {
        w = xzalloc(sizeof *w);
        w->key = key;
        HASH_ADD(hh, all->lacp_waiting, key, sizeof key, w);
    }
    if (w->n >= PLACES) {
        coverage_inc(lacp_pdu_dropped);
    }
    frame = &w->frames[w->n++ % PLACES];
    frame->len = MIN(len, sizeof frame->bytes);
    if (frame->len) {
        memcpy(frame->bytes, data, frame->len);
    }
    pthread_mutex_unlock(&all->lock);
    if (was_empty) {
        loop_wake(all->loop);
    }
}

void
lacp_in_run(struct ofprotos *all)
{
    struct lacp_waiting *taken, *w, *next;

    pthread_mutex_lock(&all->lock);
    taken = all->lacp_waiting;
    all->lacp_waiting = NULL;
    pthread_mutex_unlock(&all->lock);
    HASH_ITER (hh, taken, w, next) {
        for (uint64_t i = w->n > PLACES ? w->n - PLACES : 0; i < w->n; i++) {
            const struct lacp_frame *frame = &w->frames[i % PLACES];

            bundle_lacp_receive(w->key.ofproto, w->key.port, frame->bytes, frame->len);
        }
    }
    HASH_ITER (hh, taken, w, next) {
        bundle_lacp_heard(w->key.ofproto, w->key.port);
        HASH_DEL(taken, w);
        free(w);
    }
}

void
lacp_in_forget(struct ofprotos *all, const struct ofproto *p)
{
    struct lacp_waiting *w, *next;

    pthread_mutex_lock(&all->lock);
    HASH_ITER (hh, all->lacp_waiting, w, next) {
        if (!p || w->key.ofproto == p) {
            HASH_DEL(all->lacp_waiting, w);
            free(w);
        }
    }
    pthread_mutex_unlock(&all->lock);
}
