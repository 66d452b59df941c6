// SPDX-License-Identifier: Apache-2.0
/*
 * lookup.c - host names to addresses in threads, see lookup.h.
 *
 * What is asked is a query, one for each name; those who ask wait for it together.  A query is
 * queued, then running in a thread of its own turn, then posted to the loops of who asked.  A query
 * that runs cannot be stopped, since getaddrinfo() cannot: it stays for who asks next.
 *
 * Names that hang must not hold up those that do not.  BUSY_MAX queries run at once; one that runs
 * for longer than HANG_MS hangs and counts no more, up to HANG_MAX of them.  New names have
 * every second turn from the end of their queue.  A name that hung last time waits in another
 * queue, which comes after, has room for fewer and never takes the last of BUSY_MAX.  Vital names,
 * those of databases, have threads that nobody else takes.
 *
 * The queues are the process's own, as the resolver behind getaddrinfo() is.
 */
#include "rpc/lookup.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/thread.h"
#include "base/uthash.h"

enum {
    BUSY_MAX = 4,   /* run at once */
    HANG_MAX = 28,  /* hang beside them */
    SLOW_MAX = 8,   /* of all that run: names that hung before */
    VITAL_MAX = 4,  /* beside all others */
    HANG_MS = 1000, /* more than this: a server of names that does not answer */
    KNOWN_MAX = 1024,
};
#define MAX_NAME 253
#define MAX_LABEL 63

enum query_kind { QUERY_NEW, QUERY_SLOW, QUERY_VITAL, N_QUERY_KINDS };

/* All under 'lock', but for what its thread alone has. */
struct query {
    UT_hash_handle hh; /* by name, queued or running */
    struct query *prev, *next;
    enum query_kind kind;
    int64_t started_ms; /* 0: queued */
    struct lookup *lookups;
    struct sockaddr_storage addresses[LOOKUP_MAX_ADDRESSES]; /* thread: w */
    size_t n;
    char *error;
    char host[];
};

/* Of one who asks. */
struct lookup {
    struct lookup *prev, *next;
    struct loop *loop;
    lookup_fn *fn;
    void *arg;
    struct loop_timer timer; /* while it waits: has a look whether there is room for more */
    struct query *query;     /* under 'lock'; NULL: posted */
    struct sockaddr_storage addresses[LOOKUP_MAX_ADDRESSES]; /* thread: w, loop: r once posted */
    size_t n;
    char *error;
};

/* A name that hung last time. */
struct known {
    UT_hash_handle hh;
    char host[];
};

/* Then: the loop's lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct query *queries;
static struct query *queues[N_QUERY_KINDS];
static struct query *running;
static struct known *known; /* the oldest first */
static bool is_newest_turn;

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
    loop_timer_stop(&lookup->timer);
    free(lookup->error);
    free(lookup);
}

/* In a thread: may take long. */
static void
ask(struct query *query)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(query->host, NULL, &hints, &found);

    if (result != 0) {
        query->error = xstrdup(result == EAI_SYSTEM ? err_str(errno) : gai_strerror(result));
        return;
    }
    for (struct addrinfo *a = found; a != NULL && query->n < LOOKUP_MAX_ADDRESSES; a = a->ai_next) {
        if (a->ai_addrlen <= sizeof query->addresses[0]) {
            memcpy(&query->addresses[query->n++], a->ai_addr, a->ai_addrlen);
        }
    }
    freeaddrinfo(found);
    if (query->n == 0) {
        query->error = xstrdup("it has no address");
    }
}

/* In the loop: the answer is there. */
static void
deliver(void *lookup_)
{
    struct lookup *lookup = lookup_;

    loop_timer_stop(&lookup->timer);
    lookup->fn(lookup->addresses, lookup->n, lookup->error, lookup->arg);
    lookup_free(lookup);
}

/* --- under 'lock' ---------------------------------------------------------------------------- */

/* Remembers whether a name hangs. */
static void
set_known(const char *host, bool hangs)
{
    struct known *k;

    HASH_FIND_STR(known, host, k);
    if (k != NULL && !hangs) {
        HASH_DEL(known, k);
        free(k);
    } else if (k == NULL && hangs) {
        size_t size = strlen(host) + 1;

        if (HASH_COUNT(known) >= KNOWN_MAX) {
            struct known *oldest = known;

            HASH_DEL(known, oldest);
            free(oldest);
        }
        k = xzalloc(sizeof *k + size);
        memcpy(k->host, host, size);
        HASH_ADD_STR(known, host, k);
    }
}

static bool
is_known(const char *host)
{
    struct known *k;

    HASH_FIND_STR(known, host, k);
    return k != NULL;
}

/* The queue whose turn it is; NULL: nothing may run now. */
static struct query **
next_queue(int64_t now)
{
    size_t n_vital = 0, n_slow = 0, n_busy = 0, n = 0;
    struct query *q;

    DL_FOREACH (running, q) {
        n_vital += q->kind == QUERY_VITAL;
        n_slow += q->kind == QUERY_SLOW;
        n += q->kind != QUERY_VITAL;
        n_busy += q->kind != QUERY_VITAL && now - q->started_ms < HANG_MS;
    }
    if (queues[QUERY_VITAL] != NULL && n_vital < VITAL_MAX) {
        return &queues[QUERY_VITAL];
    }
    if (n >= BUSY_MAX + HANG_MAX || n_busy >= BUSY_MAX) {
        return NULL;
    }
    if (queues[QUERY_NEW] != NULL) {
        return &queues[QUERY_NEW];
    }
    return queues[QUERY_SLOW] != NULL && n_slow < SLOW_MAX && n_busy < BUSY_MAX - 1
               ? &queues[QUERY_SLOW]
               : NULL;
}

/* Takes a query that is to run now; NULL: there is none. */
static struct query *
next_query(void)
{
    int64_t now = clock_now_ms();
    struct query **queue = next_queue(now);
    struct query *q;

    if (queue == NULL) {
        return NULL;
    }
    q = *queue;
    if (q->kind == QUERY_NEW) {
        q = is_newest_turn ? q->prev : q; /* The first one's 'prev' is the last one. */
        is_newest_turn = !is_newest_turn;
    }
    DL_DELETE(*queue, q);
    DL_APPEND(running, q);
    q->started_ms = MAX(now, INT64_C(1));
    return q;
}

static void
query_free(struct query *q)
{
    HASH_DEL(queries, q);
    free(q->error);
    free(q);
}

/* The thread of 'q' is done. */
static void
finish(struct query *q)
{
    struct lookup *lookup, *next;

    set_known(q->host, clock_now_ms() - q->started_ms >= HANG_MS);
    DL_DELETE(running, q);
    DL_FOREACH_SAFE (q->lookups, lookup, next) {
        memcpy(lookup->addresses, q->addresses, sizeof lookup->addresses);
        lookup->n = q->n;
        lookup->error = q->error != NULL ? xstrdup(q->error) : NULL;
        lookup->query = NULL;
        loop_post(lookup->loop, deliver, lookup);
    }
    query_free(q);
}

static void *
lookup_main(void *query_)
{
    struct query *q = query_;

    while (q != NULL) {
        ask(q);
        pthread_mutex_lock(&lock);
        finish(q);
        q = next_query();
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

/* Starts what may run now. */
static void
start_queries(void)
{
    struct query *q;

    while ((q = next_query()) != NULL) {
        pthread_detach(thread_create_plain("lookup", lookup_main, q));
    }
}

/* The query for 'host', a new one or the one that is there. */
static struct query *
find_query(const char *host, bool is_vital)
{
    size_t size = strlen(host) + 1;
    struct query *q;

    HASH_FIND_STR(queries, host, q);
    if (q == NULL) {
        q = xzalloc(sizeof *q + size);
        memcpy(q->host, host, size);
        q->kind = is_vital ? QUERY_VITAL : is_known(host) ? QUERY_SLOW : QUERY_NEW;
        DL_APPEND(queues[q->kind], q);
        HASH_ADD_STR(queries, host, q);
    } else if (is_vital && q->started_ms == 0 && q->kind != QUERY_VITAL) {
        DL_DELETE(queues[q->kind], q);
        q->kind = QUERY_VITAL;
        DL_APPEND(queues[q->kind], q);
    }
    return q;
}

/* --- for loops ------------------------------------------------------------------------------- */

static void
on_timer(void *lookup)
{
    (void)lookup;
    pthread_mutex_lock(&lock);
    start_queries();
    pthread_mutex_unlock(&lock);
}

struct lookup *
lookup_start(struct loop *loop, const char *host, bool is_vital, lookup_fn *fn, void *arg)
{
    struct lookup *lookup = xzalloc(sizeof *lookup);

    lookup->loop = loop;
    lookup->fn = fn;
    lookup->arg = arg;
    loop_timer_every(&lookup->timer, loop, HANG_MS, on_timer, lookup);
    pthread_mutex_lock(&lock);
    lookup->query = find_query(host, is_vital);
    DL_APPEND(lookup->query->lookups, lookup);
    start_queries();
    pthread_mutex_unlock(&lock);
    return lookup;
}

int64_t
lookup_started_ms(struct lookup *lookup)
{
    int64_t ms;

    pthread_mutex_lock(&lock);
    ms = lookup->query != NULL ? lookup->query->started_ms : clock_now_ms();
    pthread_mutex_unlock(&lock);
    return ms;
}

void
lookup_cancel(struct lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    pthread_mutex_lock(&lock);
    struct query *q = lookup->query;
    if (q != NULL) {
        DL_DELETE(q->lookups, lookup);
        if (q->lookups == NULL && q->started_ms == 0) {
            DL_DELETE(queues[q->kind], q);
            query_free(q);
        }
    }
    pthread_mutex_unlock(&lock);
    loop_cancel(lookup->loop, deliver, lookup);
    lookup_free(lookup);
}
