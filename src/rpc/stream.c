// SPDX-License-Identifier: Apache-2.0
/*
 * Connected streams: a bufferevent (plain or OpenSSL) with bounded output, and callbacks from which
 * the owner may close the stream.  stream_open.c makes one of a name.
 *
 * 'n_refs' keeps the struct alive while one of its callbacks is on the stack; 'closed_by_owner'
 * says that nothing more may be reported.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/coverage.h"
#include "base/log.h"
#include "rpc/lookup.h"
#include "rpc/stream_private.h"

LOG_MODULE(stream);

COVERAGE_DEFINE(stream_peer_does_not_read); /* disconnected for it */

#define DEFAULT_BACKLOG_LIMIT ((size_t)256 << 20)
/* Longer pieces are not worth a copy into the kernel from under a callback. */
#define SEND_NOW_MAX ((size_t)1 << 20)

enum state { STREAM_CONNECTING, STREAM_OPEN, STREAM_FAILED };

struct stream {
    struct loop *loop;
    char *name;
    struct bufferevent *bev; /* NULL while dialing, and once failed or closed. */
    struct dial *dial;       /* NULL unless a host name is being connected to */
    struct tls_config *tls;
    SSL *ssl; /* until 'bev' has it */
    bool is_tls;
    bool accepted;
    enum state state;
    unsigned int n_refs;
    bool closed_by_owner;
    bool flushing;
    size_t backlog_limit;
    struct evbuffer *empty; /* What stream_input() gives after a failure. */
    char peer_ip[INET6_ADDRSTRLEN];
    uint16_t peer_port;
    char *peer_cn;
    struct loop_timer flush_timer;

    const struct stream_callbacks *callbacks;
    void *arg;
};

static void stream_overflow(void *arg);
static void report_early_input(void *arg);

/* Not inlined: gcc would take a second call for a use after free, not knowing the count. */
static __attribute__((noinline)) void
stream_unref(struct stream *s)
{
    if (--s->n_refs > 0) {
        return;
    }
    if (s->empty != NULL) {
        evbuffer_free(s->empty);
    }
    SSL_free(s->ssl);
    tls_config_unref(s->tls);
    free(s->peer_cn);
    free(s->name);
    free(s);
}

/* Frees the connection; the struct stays for its owner. */
static void
release(struct stream *s)
{
    loop_timer_stop(&s->flush_timer);
    loop_cancel(s->loop, stream_overflow, s);
    loop_cancel(s->loop, report_early_input, s);
    dial_cancel(s->dial);
    s->dial = NULL;
    if (s->bev != NULL) {
        SSL *ssl = s->is_tls ? bufferevent_openssl_get_ssl(s->bev) : NULL;
        if (ssl != NULL) {
            /* Says goodbye if that costs nothing; we do not wait for the answer. */
            SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
            SSL_shutdown(ssl);
        }
        bufferevent_free(s->bev);
        s->bev = NULL;
    }
}

static void
stream_fail(struct stream *s, int error, const char *reason)
{
    if (s->state == STREAM_FAILED || s->closed_by_owner) {
        return;
    }
    s->state = STREAM_FAILED;
    if (s->flushing) {
        s->closed_by_owner = true;
        release(s);
        stream_unref(s);
        return;
    }
    /* What arrived before the end stays readable. */
    if (s->bev != NULL) {
        evbuffer_add_buffer(s->empty, bufferevent_get_input(s->bev));
    }
    release(s);
    if (s->callbacks != NULL) {
        s->callbacks->on_closed(s, error, reason, s->arg);
    }
}

static void
learn_peer_address(struct stream *s)
{
    struct sockaddr_storage ip = {0};
    socklen_t len = sizeof(ip);
    int fd = (int)bufferevent_getfd(s->bev);

    if (getpeername(fd, (struct sockaddr *)&ip, &len) == 0) {
        stream_format_ip(&ip, s->peer_ip, sizeof(s->peer_ip));
        s->peer_port = stream_ip_port(&ip);
    }
}

static void
learn_peer_name(struct stream *s, SSL *ssl)
{
    X509 *cert = SSL_get_peer_certificate(ssl);
    char cn[256];

    if (cert != NULL) {
        if (X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof(cn)) >
            0) {
            s->peer_cn = xstrdup(cn);
        }
        X509_free(cert);
    }
}

static void
stream_connected(struct stream *s)
{
    char *error = NULL;

    learn_peer_address(s);
    if (s->is_tls) {
        SSL *ssl = bufferevent_openssl_get_ssl(s->bev);
        int result = s->accepted ? 0 : tls_config_check_peer(s->tls, ssl, &error);
        if (result != 0) {
            stream_fail(s, -result, error);
            free(error);
            return;
        }
        learn_peer_name(s, ssl);
    }
    s->state = STREAM_OPEN;
    if (s->callbacks != NULL && s->callbacks->on_open != NULL) {
        s->callbacks->on_open(s, s->arg);
    }
}

/* Why the connection failed, as an errno and a new text. */
static char *
failure_text(struct stream *s, int socket_error, int *error)
{
    unsigned long ssl_error = s->is_tls ? bufferevent_get_openssl_error(s->bev) : 0;
    char text[256];

    *error = socket_error;
    if (ssl_error != 0) {
        *error = EPROTO;
        ERR_error_string_n(ssl_error, text, sizeof(text));
        return xstrdup(text);
    }
    if (*error == 0) {
        *error = EPROTO;
    }
    return xstrdup(err_str(*error));
}

static void
event_cb(struct bufferevent *bev, short events, void *arg)
{
    int socket_error = EVUTIL_SOCKET_ERROR();
    struct stream *s = arg;
    int error;

    loop_enter(s->loop);
    s->n_refs++;
    if (events & BEV_EVENT_CONNECTED) {
        stream_connected(s);
    } else if (events & BEV_EVENT_EOF) {
        stream_fail(s, 0, "connection closed by peer");
    } else if (events & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) {
        char *reason = failure_text(s, socket_error, &error);
        stream_fail(s, error, reason);
        free(reason);
    }
    stream_unref(s);
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
    struct stream *s = arg;

    loop_enter(s->loop);
    s->n_refs++;
    if (s->flushing) {
        evbuffer_drain(bufferevent_get_input(bev), SIZE_MAX);
    } else if (s->state == STREAM_OPEN && s->callbacks != NULL && s->callbacks->on_read != NULL) {
        s->callbacks->on_read(s, s->arg);
    }
    stream_unref(s);
}

/* The output buffer is empty. */
static void
write_cb(struct bufferevent *bev, void *arg)
{
    struct stream *s = arg;

    loop_enter(s->loop);
    s->n_refs++;
    if (s->flushing) {
        stream_close(s);
    } else if (s->state == STREAM_OPEN && s->callbacks != NULL &&
               s->callbacks->on_drained != NULL) {
        s->callbacks->on_drained(s, s->arg);
    }
    stream_unref(s);
}

/* Makes 'fd' what the stream runs over. */
static void
attach(struct stream *s, int fd)
{
    enum bufferevent_ssl_state ssl_state =
        s->accepted ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING;
    SSL *ssl = s->ssl;

    s->ssl = NULL;
    s->bev = ssl ? bufferevent_openssl_socket_new(loop_base(s->loop), fd, ssl, ssl_state,
                                                  BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)
                 : bufferevent_socket_new(loop_base(s->loop), fd,
                                          BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (s->bev == NULL) {
        log_abort("cannot make a bufferevent for %s", s->name);
    }
    if (ssl != NULL) {
        /* A peer that just closes TCP is an ordinary end of stream, not an error. */
        bufferevent_openssl_set_allow_dirty_shutdown(s->bev, 1);
    } else if (!s->accepted) {
        bufferevent_socket_connect(s->bev, NULL, 0);
    } else {
        s->state = STREAM_OPEN;
        learn_peer_address(s);
    }
    bufferevent_setcb(s->bev, read_cb, write_cb, event_cb, s);
    bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

struct stream *
stream_create(struct loop *loop, char *name, int fd, SSL *ssl, bool accepted,
              struct tls_config *tls)
{
    struct stream *s = xzalloc(sizeof(*s));

    s->loop = loop;
    s->name = name;
    s->n_refs = 1;
    s->accepted = accepted;
    s->backlog_limit = DEFAULT_BACKLOG_LIMIT;
    s->empty = evbuffer_new();
    s->tls = tls ? tls_config_ref(tls) : NULL;
    s->ssl = ssl;
    s->is_tls = ssl != NULL;
    if (fd >= 0) {
        attach(s, fd);
    }
    return s;
}

/* The host of the name is connected to, or cannot be. */
static void
dialed(int fd, const char *error, void *arg)
{
    struct stream *s = arg;

    s->dial = NULL;
    s->n_refs++;
    if (fd >= 0) {
        attach(s, fd);
    } else {
        stream_fail(s, -fd, error);
    }
    stream_unref(s);
}

void
stream_dial(struct stream *s, const char *host, uint16_t port, bool is_vital)
{
    s->dial = dial_start(s->loop, host, port, is_vital, dialed, s);
}

/* Input that came before the new owner was known is reported in the next iteration. */
static void
report_early_input(void *arg)
{
    struct stream *s = arg;

    if (s->bev != NULL && evbuffer_get_length(bufferevent_get_input(s->bev)) > 0) {
        read_cb(s->bev, s);
    }
}

void
stream_set_callbacks(struct stream *s, const struct stream_callbacks *callbacks, void *arg)
{
    s->callbacks = callbacks;
    s->arg = arg;
    if (s->state == STREAM_OPEN) {
        loop_defer(s->loop, report_early_input, s);
    }
}

void
stream_close(struct stream *s)
{
    if (s == NULL || s->closed_by_owner) {
        return;
    }
    s->closed_by_owner = true;
    s->callbacks = NULL;
    release(s);
    stream_unref(s);
}

static void
flush_timeout(void *arg)
{
    stream_close(arg);
}

void
stream_close_flushed(struct stream *s, int64_t timeout_ms)
{
    if (s == NULL || s->bev == NULL || stream_backlog(s) == 0) {
        stream_close(s);
        return;
    }
    s->flushing = true;
    s->callbacks = NULL;
    loop_timer_once(&s->flush_timer, s->loop, timeout_ms, flush_timeout, s);
}

static void
stream_overflow(void *arg)
{
    struct stream *s = arg;

    s->n_refs++;
    coverage_inc(stream_peer_does_not_read);
    stream_fail(s, ENOBUFS, "peer does not read what it is sent");
    stream_unref(s);
}

static int
check_room(struct stream *s, size_t len)
{
    if (s->state != STREAM_OPEN || s->flushing) {
        return -ENOTCONN;
    }
    if (len > s->backlog_limit || stream_backlog(s) > s->backlog_limit - len) {
        loop_defer(s->loop, stream_overflow, s);
        return -ENOBUFS;
    }
    return 0;
}

/* Gives the kernel what it takes at once, if nothing waits before it: an answer then leaves without
 * a turn through the loop.  Returns how much that was; an error shows when the rest is written. */
static size_t
send_now(struct stream *s, const void *p, size_t len)
{
    ssize_t n;

    if (s->is_tls || len > SEND_NOW_MAX || stream_backlog(s) > 0) {
        return 0;
    }
    n = send(bufferevent_getfd(s->bev), p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n > 0 ? (size_t)n : 0;
}

int
stream_send(struct stream *s, const void *p, size_t len)
{
    int error = check_room(s, len);

    if (error == 0) {
        size_t n = send_now(s, p, len);

        if (n < len) {
            bufferevent_write(s->bev, (const char *)p + n, len - n);
        }
    }
    return error;
}

struct evbuffer *
stream_input(struct stream *s)
{
    return s->bev ? bufferevent_get_input(s->bev) : s->empty;
}

bool
stream_read_more(struct stream *s)
{
    uint8_t bytes[2048]; /* A peer that waits for each answer has not sent much. */
    struct evbuffer *in;
    ssize_t n;

    if (s->is_tls || s->state != STREAM_OPEN || s->flushing ||
        !(bufferevent_get_enabled(s->bev) & EV_READ)) {
        return false;
    }
    n = recv(bufferevent_getfd(s->bev), bytes, sizeof bytes, MSG_DONTWAIT);
    if (n <= 0) {
        return false;
    }
    /* Its end is frozen except while libevent reads. */
    in = bufferevent_get_input(s->bev);
    evbuffer_unfreeze(in, 0);
    evbuffer_add(in, bytes, (size_t)n);
    evbuffer_freeze(in, 0);
    return true;
}

size_t
stream_backlog(const struct stream *s)
{
    return s->bev ? evbuffer_get_length(bufferevent_get_output(s->bev)) : 0;
}

void
stream_set_backlog_limit(struct stream *s, size_t bytes)
{
    s->backlog_limit = bytes;
}

void
stream_set_reading(struct stream *s, bool enabled)
{
    if (s->bev == NULL) {
        return;
    }
    if (enabled) {
        bufferevent_enable(s->bev, EV_READ);
        if (s->state == STREAM_OPEN) {
            loop_defer(s->loop, report_early_input, s);
        }
    } else {
        bufferevent_disable(s->bev, EV_READ);
    }
}

void
stream_set_input_limit(struct stream *s, size_t bytes)
{
    if (s->bev != NULL) {
        bufferevent_setwatermark(s->bev, EV_READ, 0, bytes);
    }
}

void
stream_set_dscp(struct stream *s, uint8_t dscp)
{
    int fd = s->bev ? (int)bufferevent_getfd(s->bev) : -1;
    int tos = dscp << 2;

    /* That of the other address family fails. */
    setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

bool
stream_is_dialing(const struct stream *s)
{
    return s->dial != NULL;
}

int64_t
stream_dial_started_ms(const struct stream *s)
{
    return dial_started_ms(s->dial);
}

bool
stream_is_open(const struct stream *s)
{
    return s->state == STREAM_OPEN && !s->flushing;
}

const char *
stream_name(const struct stream *s)
{
    return s->name;
}

struct loop *
stream_loop(const struct stream *s)
{
    return s->loop;
}

const char *
stream_peer_ip(const struct stream *s)
{
    return s->peer_ip;
}

uint16_t
stream_peer_port(const struct stream *s)
{
    return s->peer_port;
}

const char *
stream_peer_cn(const struct stream *s)
{
    return s->peer_cn;
}
