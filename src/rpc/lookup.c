// SPDX-License-Identifier: Apache-2.0
/*
 * lookup.c - host names to addresses in threads, see lookup.h.
 *
 * A lookup is queued, then running in one of the threads, then posted to its loop.  Whoever takes
 * it out of one of these states under 'lock' owns it: a lookup that is cancelled while it runs is
 * freed by its thread, since getaddrinfo() cannot be stopped.
 *
 * The queue is the process's own, as the resolver behind getaddrinfo() is.
 */
#include "rpc/lookup.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/thread.h"

#define MAX_THREADS 4
#define MAX_NAME 253
#define MAX_LABEL 63

enum lookup_state { LOOKUP_QUEUED, LOOKUP_RUNNING, LOOKUP_POSTED };

struct lookup {
    struct lookup *prev, *next;
    struct loop *loop;
    char *host;
    lookup_fn *fn;
    void *arg;
    enum lookup_state state; /* under 'lock', as is 'cancelled' */
    bool cancelled;
    struct sockaddr_storage addresses[LOOKUP_MAX_ADDRESSES]; /* thread: w, loop: r once posted */
    size_t n;
    char *error;
};

/* Then: the loop's lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lookup *queue;
static unsigned int n_threads;

bool
lookup_is_name(const char *host)
{
    size_t label = 0, n_digits = 0, len = strlen(host);

    if (len == 0 || len > MAX_NAME) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];

        if (c == '.') {
            if (label == 0) {
                return false;
            }
            /* A dot at the end ends a full name, and begins no label. */
            if (i + 1 < len) {
                label = n_digits = 0;
            }
            continue;
        }
        if (!(isalnum(c) || c == '-' || c == '_') || (c == '-' && label == 0) ||
            ++label > MAX_LABEL) {
            return false;
        }
        n_digits += isdigit(c) ? 1 : 0;
    }
    return n_digits < label;
}

static void
lookup_free(struct lookup *lookup)
{
    free(lookup->host);
    free(lookup->error);
    free(lookup);
}

/* In a thread: may take long. */
static void
ask(struct lookup *lookup)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(lookup->host, NULL, &hints, &found);

    if (result != 0) {
        lookup->error = xstrdup(result == EAI_SYSTEM ? err_str(errno) : gai_strerror(result));
        return;
    }
    for (struct addrinfo *a = found; a != NULL && lookup->n < LOOKUP_MAX_ADDRESSES;
         a = a->ai_next) {
        if (a->ai_addrlen <= sizeof lookup->addresses[0]) {
            memcpy(&lookup->addresses[lookup->n++], a->ai_addr, a->ai_addrlen);
        }
    }
    freeaddrinfo(found);
    if (lookup->n == 0) {
        lookup->error = xstrdup("it has no address");
    }
}

/* In the loop: the answer is there. */
static void
deliver(void *lookup_)
{
    struct lookup *lookup = lookup_;

    lookup->fn(lookup->addresses, lookup->n, lookup->error, lookup->arg);
    lookup_free(lookup);
}

static void *
lookup_main(void *arg)
{
    struct lookup *lookup;

    pthread_mutex_lock(&lock);
    while ((lookup = queue) != NULL) {
        DL_DELETE(queue, lookup);
        lookup->state = LOOKUP_RUNNING;
        pthread_mutex_unlock(&lock);
        ask(lookup);
        pthread_mutex_lock(&lock);
        if (lookup->cancelled) {
            lookup_free(lookup);
        } else {
            lookup->state = LOOKUP_POSTED;
            loop_post(lookup->loop, deliver, lookup);
        }
    }
    n_threads--;
    pthread_mutex_unlock(&lock);
    return arg;
}

struct lookup *
lookup_start(struct loop *loop, const char *host, lookup_fn *fn, void *arg)
{
    struct lookup *lookup = xzalloc(sizeof *lookup);
    bool start;

    lookup->loop = loop;
    lookup->host = xstrdup(host);
    lookup->fn = fn;
    lookup->arg = arg;
    pthread_mutex_lock(&lock);
    DL_APPEND(queue, lookup);
    start = n_threads < MAX_THREADS;
    n_threads += start ? 1 : 0;
    pthread_mutex_unlock(&lock);
    if (start) {
        pthread_detach(thread_create_plain("lookup", lookup_main, NULL));
    }
    return lookup;
}

void
lookup_cancel(struct lookup *lookup)
{
    bool is_ours = true;

    if (lookup == NULL) {
        return;
    }
    pthread_mutex_lock(&lock);
    if (lookup->state == LOOKUP_QUEUED) {
        DL_DELETE(queue, lookup);
    } else if (lookup->state == LOOKUP_RUNNING) {
        lookup->cancelled = true;
        is_ours = false;
    }
    pthread_mutex_unlock(&lock);
    if (is_ours) {
        loop_cancel(lookup->loop, deliver, lookup);
        lookup_free(lookup);
    }
}
