// SPDX-License-Identifier: Apache-2.0
/*
 * A connection that is kept up: backoff doubles from the minimum to the maximum after failures, and
 * starts over after a connection that lasted longer than the backoff before it.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "rpc/stream.h"

LOG_MODULE(reconnect);

#define DEFAULT_MIN_BACKOFF_MS 1000
#define DEFAULT_MAX_BACKOFF_MS 8000
#define CONNECT_TIMEOUT_MS 10000
/* A server of names that does not answer costs five seconds before the next one is asked.  The time
 * that a name waits for its turn does not count: who gave up would wait at the end again. */
#define DIAL_TIMEOUT_MS 30000

enum rc_state { RC_CONNECTING, RC_ACTIVE, RC_BACKOFF };

struct reconnect {
    struct loop *loop;
    char **names;
    size_t n_names;
    size_t at;      /* of the present or last attempt */
    size_t n_tried; /* names since the last wait */
    bool go_on;     /* the next attempt is with the next name */
    uint16_t default_port;
    struct tls_config *tls;
    const struct stream_callbacks *callbacks;
    void *arg;
    int64_t min_backoff_ms, max_backoff_ms;
    bool is_vital;

    enum rc_state state;
    struct stream *stream; /* NULL in RC_BACKOFF */
    int64_t backoff_ms;
    struct loop_timer timer; /* RC_BACKOFF: retry; RC_CONNECTING: give up */
    int64_t connected_ms;    /* 0: never */
    int64_t disconnected_ms;
    unsigned int n_connects;
    char *last_error;
};

static void attempt(void *arg);

static void
wait_backoff(struct reconnect *rc, bool now)
{
    rc->go_on = !now;
    /* Of several names all are tried before we wait. */
    if (!now) {
        now = ++rc->n_tried % rc->n_names != 0;
    }
    loop_timer_once(&rc->timer, rc->loop, now ? 0 : rc->backoff_ms, attempt, rc);
    rc->state = RC_BACKOFF;
    if (!now) {
        rc->backoff_ms = MIN(rc->backoff_ms * 2, rc->max_backoff_ms);
    }
}

/* If there is a connection it ends now: one that lasted is a success, and we begin anew. */
static void
note_end(struct reconnect *rc)
{
    int64_t now = clock_now_ms();

    if (rc->state == RC_ACTIVE) {
        rc->disconnected_ms = now;
        if (now - rc->connected_ms >= rc->backoff_ms) {
            rc->backoff_ms = rc->min_backoff_ms;
            rc->n_tried = 0;
        }
    }
}

/* The connection, or the attempt, is over. */
static void
lost(struct reconnect *rc, struct stream *stream, int error, const char *reason)
{
    note_end(rc);
    free(rc->last_error);
    rc->last_error = xstrdup(error ? reason : "End of file");
    rc->stream = NULL;
    /* First, so that a callback may call reconnect_force() or destroy. */
    wait_backoff(rc, false);
    if (stream != NULL) {
        rc->callbacks->on_closed(stream, error, reason, rc->arg);
        stream_close(stream);
    }
}

static void
on_open(struct stream *stream, void *arg)
{
    struct reconnect *rc = arg;

    loop_timer_stop(&rc->timer);
    rc->state = RC_ACTIVE;
    rc->connected_ms = clock_now_ms();
    rc->n_connects++;
    if (rc->callbacks->on_open != NULL) {
        rc->callbacks->on_open(stream, rc->arg);
    }
}

static void
on_read(struct stream *stream, void *arg)
{
    struct reconnect *rc = arg;

    if (rc->callbacks->on_read != NULL) {
        rc->callbacks->on_read(stream, rc->arg);
    }
}

static void
on_closed(struct stream *stream, int error, const char *reason, void *arg)
{
    lost(arg, stream, error, reason);
}

static void
on_drained(struct stream *stream, void *arg)
{
    struct reconnect *rc = arg;

    if (rc->callbacks->on_drained != NULL) {
        rc->callbacks->on_drained(stream, rc->arg);
    }
}

static const struct stream_callbacks own_callbacks = {
    .on_open = on_open,
    .on_read = on_read,
    .on_closed = on_closed,
    .on_drained = on_drained,
};

static void
give_up(void *arg)
{
    struct reconnect *rc = arg;

    if (stream_is_dialing(rc->stream)) {
        int64_t started_ms = stream_dial_started_ms(rc->stream);
        int64_t left_ms = DIAL_TIMEOUT_MS - (started_ms != 0 ? clock_now_ms() - started_ms : 0);

        if (left_ms > 0) {
            loop_timer_once(&rc->timer, rc->loop, left_ms, give_up, rc);
            return;
        }
    }
    lost(rc, rc->stream, ETIMEDOUT, "connection timed out");
}

static void
attempt(void *arg)
{
    struct reconnect *rc = arg;
    char *error = NULL;
    int result;

    rc->at = rc->go_on ? (rc->at + 1) % rc->n_names : rc->at;
    result = (rc->is_vital ? stream_open_vital
                           : stream_open)(rc->loop, rc->names[rc->at], rc->default_port, rc->tls,
                                          &own_callbacks, rc, &rc->stream, &error);
    if (result != 0) {
        static struct log_rate rl = LOG_RATE_INIT(3, 3);

        /* No stream, so no callback: nobody else can say it. */
        log_info_rl(&rl, "connection attempt failed (%s)", error);
        lost(rc, NULL, -result, error);
        free(error);
        return;
    }
    rc->state = RC_CONNECTING;
    loop_timer_once(&rc->timer, rc->loop,
                    stream_is_dialing(rc->stream) ? DIAL_TIMEOUT_MS : CONNECT_TIMEOUT_MS, give_up,
                    rc);
}

void
reconnect_set_backoff(struct reconnect *rc, int64_t min_ms, int64_t max_ms)
{
    rc->min_backoff_ms = min_ms > 0 ? min_ms : DEFAULT_MIN_BACKOFF_MS;
    rc->max_backoff_ms = MAX(max_ms > 0 ? max_ms : DEFAULT_MAX_BACKOFF_MS, rc->min_backoff_ms);
    rc->backoff_ms = MIN(MAX(rc->backoff_ms, rc->min_backoff_ms), rc->max_backoff_ms);
}

struct reconnect *
reconnect_create(struct loop *loop, const struct reconnect_settings *settings,
                 const struct stream_callbacks *callbacks, void *arg)
{
    struct reconnect *rc = xzalloc(sizeof(*rc));

    rc->loop = loop;
    rc->n_names = MAX(settings->n_names, (size_t)1);
    rc->names = xcalloc(rc->n_names, sizeof(*rc->names));
    for (size_t i = 0; i < rc->n_names; i++) {
        rc->names[i] = xstrdup(settings->n_names > 0 ? settings->names[i] : settings->name);
    }
    rc->default_port = settings->default_port;
    rc->tls = settings->tls ? tls_config_ref(settings->tls) : NULL;
    rc->callbacks = callbacks;
    rc->arg = arg;
    rc->is_vital = settings->is_vital;
    reconnect_set_backoff(rc, settings->min_backoff_ms, settings->max_backoff_ms);
    rc->backoff_ms = rc->min_backoff_ms;
    /* Not at once: no callback may come before the owner has what we return. */
    wait_backoff(rc, true);
    return rc;
}

void
reconnect_destroy(struct reconnect *rc)
{
    if (rc == NULL) {
        return;
    }
    loop_timer_stop(&rc->timer);
    stream_close(rc->stream);
    tls_config_unref(rc->tls);
    free(rc->last_error);
    for (size_t i = 0; i < rc->n_names; i++) {
        free(rc->names[i]);
    }
    free(rc->names);
    free(rc);
}

struct stream *
reconnect_stream(struct reconnect *rc)
{
    return rc->state == RC_ACTIVE ? rc->stream : NULL;
}

bool
reconnect_is_connected(const struct reconnect *rc)
{
    return rc->state == RC_ACTIVE;
}

void
reconnect_force(struct reconnect *rc, bool now)
{
    note_end(rc);
    stream_close(rc->stream);
    rc->stream = NULL;
    wait_backoff(rc, now);
}

const char *
reconnect_name(const struct reconnect *rc)
{
    return rc->names[rc->at];
}

const char *
reconnect_state(const struct reconnect *rc)
{
    static const char *const names[] = {
        [RC_CONNECTING] = "CONNECTING", [RC_ACTIVE] = "ACTIVE", [RC_BACKOFF] = "BACKOFF"};

    return names[rc->state];
}

static int64_t
secs_since(int64_t ms)
{
    return ms ? (clock_now_ms() - ms) / 1000 : -1;
}

int64_t
reconnect_secs_since_connect(const struct reconnect *rc)
{
    return secs_since(rc->connected_ms);
}

int64_t
reconnect_secs_since_disconnect(const struct reconnect *rc)
{
    return secs_since(rc->disconnected_ms);
}

const char *
reconnect_last_error(const struct reconnect *rc)
{
    return rc->last_error;
}

unsigned int
reconnect_n_connects(const struct reconnect *rc)
{
    return rc->n_connects;
}
