// SPDX-License-Identifier: Apache-2.0
/*
 * Passive sockets.  A TLS connection is handed to the owner after its handshake; those that take
 * longer than 10 seconds, or are too many at once, are dropped.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/coverage.h"
#include "base/log.h"
#include "base/process.h"
#include "rpc/stream_private.h"

LOG_MODULE(stream_listen);

COVERAGE_DEFINE(pstream_open);
COVERAGE_DEFINE(tls_handshake_refused); /* too many at once, or no certificate to show */

#define HANDSHAKE_TIMEOUT_MS 10000
#define MAX_HANDSHAKES 256
#define ACCEPTS_PER_EVENT 16

/* A TLS connection whose handshake is not finished. */
struct handshake {
    struct listener *listener;
    struct stream *stream;
    struct loop_timer timer;
    struct handshake *prev, *next;
};

struct listener {
    struct loop *loop;
    char *name;
    int fd;
    enum stream_kind kind;
    char *path; /* unix */
    dev_t dev;  /* Of the socket file, so that nobody else's is removed. */
    ino_t ino;
    uint16_t port;
    struct tls_config *tls;
    listener_fn *fn;
    void *arg;
    struct loop_fd watch;
    struct loop_timer pause; /* Runs after accept() found no descriptors. */
    struct handshake *handshakes;
    unsigned int n_handshakes;
    unsigned int n_accepted;
    unsigned int n_refs;
    bool closed;
};

static void
listener_unref(struct listener *l)
{
    if (--l->n_refs == 0) {
        tls_config_unref(l->tls);
        free(l->path);
        free(l->name);
        free(l);
    }
}

static void
handshake_destroy(struct handshake *hs)
{
    loop_timer_stop(&hs->timer);
    DL_DELETE(hs->listener->handshakes, hs);
    hs->listener->n_handshakes--;
    stream_close(hs->stream);
    free(hs);
}

static void
handshake_open(struct stream *stream, void *arg)
{
    struct handshake *hs = arg;
    struct listener *l = hs->listener;

    hs->stream = NULL;
    handshake_destroy(hs);
    stream_set_callbacks(stream, NULL, NULL);
    l->n_refs++;
    l->fn(l, stream, l->arg);
    listener_unref(l);
}

static void
handshake_closed(struct stream *stream, int error, const char *reason, void *arg)
{
    static struct log_rate rl = LOG_RATE_INIT(10, 10);
    struct handshake *hs = arg;

    log_warn_rl(&rl, "%s: TLS handshake failed (%s)", stream_name(stream), reason);
    handshake_destroy(hs);
}

static void
handshake_timeout(void *arg)
{
    handshake_destroy(arg);
}

static const struct stream_callbacks handshake_callbacks = {
    .on_open = handshake_open,
    .on_closed = handshake_closed,
};

static void
start_handshake(struct listener *l, char *name, int fd)
{
    static struct log_rate rl = LOG_RATE_INIT(10, 10);
    char *error = NULL;
    SSL *ssl = l->n_handshakes < MAX_HANDSHAKES ? tls_config_new_ssl(l->tls, true, &error) : NULL;

    if (ssl == NULL) {
        coverage_inc(tls_handshake_refused);
        log_warn_rl(&rl, "%s: connection dropped (%s)", name,
                    error ? error : "too many unfinished handshakes");
        free(error);
        free(name);
        close(fd);
        return;
    }
    struct handshake *hs = xzalloc(sizeof(*hs));
    hs->listener = l;
    hs->stream = stream_create(l->loop, name, fd, ssl, true, l->tls);
    stream_set_callbacks(hs->stream, &handshake_callbacks, hs);
    loop_timer_once(&hs->timer, l->loop, HANDSHAKE_TIMEOUT_MS, handshake_timeout, hs);
    DL_APPEND(l->handshakes, hs);
    l->n_handshakes++;
}

static char *
accepted_name(struct listener *l, const struct sockaddr_storage *peer)
{
    char ip[INET6_ADDRSTRLEN];

    if (l->kind == STREAM_UNIX) {
        return xasprintf("unix#%u", ++l->n_accepted);
    }
    stream_format_ip(peer, ip, sizeof(ip));
    return xasprintf(peer->ss_family == AF_INET6 ? "%s:[%s]:%" PRIu16 : "%s:%s:%" PRIu16,
                     l->kind == STREAM_TLS ? "ssl" : "tcp", ip, stream_ip_port(peer));
}

static void
accept_one(struct listener *l, int fd, const struct sockaddr_storage *peer)
{
    char *name = accepted_name(l, peer);
    int one = 1;

    if (l->kind != STREAM_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    if (l->kind == STREAM_TLS) {
        start_handshake(l, name, fd);
    } else {
        l->fn(l, stream_create(l->loop, name, fd, NULL, true, NULL), l->arg);
    }
}

static void accept_cb(int fd, unsigned int events, void *arg);

static void
resume(void *arg)
{
    struct listener *l = arg;

    loop_fd_start(&l->watch, l->loop, l->fd, LOOP_READ, accept_cb, l);
}

static void
accept_cb(int listen_fd, unsigned int events, void *arg)
{
    static struct log_rate rl = LOG_RATE_INIT(2, 5);
    struct listener *l = arg;

    l->n_refs++;
    for (int i = 0; i < ACCEPTS_PER_EVENT && !l->closed; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof(peer);
        int fd = accept4(listen_fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            accept_one(l, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The connection stays in the backlog and would wake us at once. */
            log_warn_rl(&rl, "%s: accept failed (%s), pausing", l->name, err_str(errno));
            loop_fd_stop(&l->watch);
            loop_timer_once(&l->pause, l->loop, 200, resume, l);
            break;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            break;
        }
    }
    listener_unref(l);
}

/* Does a process listen on this socket file?  Waits for one that was killed to be gone. */
static int
check_listens(const char *path, bool *listens)
{
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -errno;
    }
    int error = stream_unix_connect(fd, path);
    *listens = error == 0 || error == -EAGAIN;
    if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid > 0 &&
        peer.pid != getpid()) {
        *listens = !process_await_death(peer.pid);
    }
    close(fd);
    return 0;
}

/* Removes a socket file that nobody listens on. */
static int
remove_stale(const char *path)
{
    struct stat st;
    bool listens = false;

    if (lstat(path, &st) != 0) {
        return 0;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return -EEXIST;
    }
    int error = check_listens(path, &listens);
    if (error != 0) {
        return error;
    }
    if (listens) {
        return -EADDRINUSE;
    }
    return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

static int
bind_unix(struct listener *l, const char *path)
{
    struct stat st;
    int error = remove_stale(path);

    /* Linux gives the file the mode that the unbound socket has, less the umask. */
    if (error == 0 && fchmod(l->fd, 0750) != 0) {
        error = -errno;
    }
    if (error == 0) {
        error = stream_unix_bind(l->fd, path);
    }
    if (error == 0) {
        l->path = xstrdup(path);
        if (lstat(path, &st) == 0) {
            l->dev = st.st_dev;
            l->ino = st.st_ino;
        }
    }
    return error;
}

static int
bind_ip(struct listener *l, const struct stream_address *address)
{
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof(local);
    int one = 1;

    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(l->fd, (const struct sockaddr *)&address->ip, address->ip_len) != 0) {
        return -errno;
    }
    if (getsockname(l->fd, (struct sockaddr *)&local, &len) == 0) {
        l->port = stream_ip_port(&local);
    }
    return 0;
}

static int
open_socket(struct listener *l, const struct stream_address *address)
{
    int family = address->kind == STREAM_UNIX ? AF_UNIX : address->ip.ss_family;

    l->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0) {
        return -errno;
    }
    int error = address->kind == STREAM_UNIX ? bind_unix(l, address->path) : bind_ip(l, address);
    if (error == 0 && listen(l->fd, 1024) != 0) {
        error = -errno;
    }
    return error;
}

int
listener_open(struct loop *loop, const char *name, uint16_t default_port, struct tls_config *tls,
              listener_fn *fn, void *arg, struct listener **listenerp, char **error)
{
    struct stream_address address;

    coverage_inc(pstream_open);
    *listenerp = NULL;
    int result = stream_address_parse(&address, name, default_port, error);
    if (result != 0) {
        return result;
    }
    struct listener *l = xzalloc(sizeof(*l));
    *l = (struct listener){.loop = loop,
                           .name = xstrdup(name),
                           .fd = -1,
                           .kind = address.kind,
                           .fn = fn,
                           .arg = arg,
                           .n_refs = 1};
    const char *what = NULL;
    if (!address.passive) {
        result = -EINVAL;
        what = "not a passive connection method";
    } else if (address.kind == STREAM_TLS && tls == NULL) {
        result = -EPROTO;
        what = "private key, certificate and CA certificate must be configured to use SSL";
    } else {
        l->tls = tls ? tls_config_ref(tls) : NULL;
        result = open_socket(l, &address);
    }
    stream_address_free(&address);
    if (result == 0) {
        result = loop_fd_start(&l->watch, loop, l->fd, LOOP_READ, accept_cb, l);
    }
    if (result != 0) {
        if (error != NULL) {
            *error = xasprintf("%s: %s", name, what ? what : err_str(result));
        }
        listener_close(l);
        return result;
    }
    *listenerp = l;
    return 0;
}

void
listener_close(struct listener *l)
{
    struct handshake *hs, *next;
    struct stat st;

    if (l == NULL || l->closed) {
        return;
    }
    l->closed = true;
    loop_fd_stop(&l->watch);
    loop_timer_stop(&l->pause);
    DL_FOREACH_SAFE (l->handshakes, hs, next) {
        handshake_destroy(hs);
    }
    if (l->fd >= 0) {
        close(l->fd);
    }
    if (l->path != NULL && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino) {
        unlink(l->path);
    }
    listener_unref(l);
}

uint16_t
listener_port(const struct listener *l)
{
    return l->port;
}
