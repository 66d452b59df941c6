// SPDX-License-Identifier: Apache-2.0
/*
 * Byte streams over libevent's bufferevents: active and passive unix, TCP and TLS connections, with
 * bounded output.  Under JSON-RPC (unixctl, OVSDB) and OpenFlow.
 *
 * Names:  active   unix:PATH      tcp:HOST[:PORT]       ssl:HOST[:PORT]
 *         passive  punix:PATH     ptcp:[PORT][:IP]      pssl:[PORT][:IP]
 * HOST is an address or a name, IP an address; IPv6 stands in brackets: tcp:[::1]:6640.  A relative
 * PATH is under dirs_run().  PORT defaults to what the caller gives (6640 OVSDB, 6653 OpenFlow).
 * A host's name is looked up each time a connection is made, in a thread, and its addresses are
 * tried one after the other; that it is not known is an error of the connection, not of its name.
 *
 * One loop's thread owns a stream; callbacks run there.  Any callback may close its stream.
 */
#ifndef RPC_STREAM_H
#define RPC_STREAM_H

#include "base/loop.h"
#include "base/str.h"

struct evbuffer;
struct stream;
struct listener;

/* ---- TLS ---- */

struct tls_settings {
    const char *private_key_file;
    const char *certificate_file;
    const char *ca_cert_file;
    const char *peer_ca_cert_file; /* Sent to peers that bootstrap; may be NULL. */
    const char *protocols;         /* "TLSv1.2,TLSv1.3"; NULL: 1.2 and newer. */
    const char *ciphers;           /* OpenSSL cipher list for TLS <= 1.2; NULL: the library's. */
    bool bootstrap_ca_cert; /* Trust and save the first CA seen when ca_cert_file is missing. */
};

/* Key, certificates and limits for ssl: and pssl:.  Counted; reloads changed files itself. */
struct tls_config;
/* Returns NULL and a new '*error' text when a file cannot be used. */
struct tls_config *tls_config_create(const struct tls_settings *settings, char **error);
struct tls_config *tls_config_ref(struct tls_config *tls);
void tls_config_unref(struct tls_config *tls);

/* ---- Streams ---- */

struct stream_callbacks {
    /* An active stream is connected (TLS: the handshake is done, the peer verified). */
    void (*on_open)(struct stream *stream, void *arg);
    /* Bytes have arrived: take them out of stream_input(); what is left comes again with more. */
    void (*on_read)(struct stream *stream, void *arg);
    /* The connection failed (positive errno), or the peer closed it (0).  No callback follows; the
     * owner must still stream_close().  'reason' is a text for logs. */
    void (*on_closed)(struct stream *stream, int error, const char *reason, void *arg);
    /* The backlog fell to nothing; may be NULL. */
    void (*on_drained)(struct stream *stream, void *arg);
};

/* Starts to connect to 'name'.  'tls' may be NULL unless the name says ssl:.  'default_port' 0: the
 * name must have one.  On failure returns a negative errno, and a new '*error' text unless 'error'
 * is NULL.  No callback runs before it returns. */
int stream_open(struct loop *loop, const char *name, uint16_t default_port, struct tls_config *tls,
                const struct stream_callbacks *callbacks, void *arg, struct stream **streamp,
                char **error);
/* stream_open() for what the switch cannot do without: its host's name does not wait for those of
 * others. */
int stream_open_vital(struct loop *loop, const char *name, uint16_t default_port,
                      struct tls_config *tls, const struct stream_callbacks *callbacks, void *arg,
                      struct stream **streamp, char **error);
/* Sets who gets the callbacks: for accepted streams first, and when ownership moves. */
void stream_set_callbacks(struct stream *stream, const struct stream_callbacks *callbacks,
                          void *arg);
/* Closes at once, dropping what is not sent.  NULL is fine. */
void stream_close(struct stream *stream);
/* Stops reading, closes once the backlog is sent or after 'timeout_ms'.  Takes 'stream'. */
void stream_close_flushed(struct stream *stream, int64_t timeout_ms);

/* Queues 'len' bytes (copied).  -ENOTCONN before on_open or after on_closed; -ENOBUFS when the
 * backlog would pass the limit: the peer does not read, and the stream gets on_closed(ENOBUFS) from
 * the loop. */
int stream_send(struct stream *stream, const void *p, size_t len);
/* What has arrived and is not consumed. */
struct evbuffer *stream_input(struct stream *stream);
/* Takes what has arrived at a plain stream meanwhile, without a turn through the loop: for who just
 * answered a peer that waited for the answer.  False if nothing has, or the stream does not read;
 * errors and the end are the loop's to report. */
bool stream_read_more(struct stream *stream);
/* Bytes queued and not yet given to the kernel. */
size_t stream_backlog(const struct stream *stream);
/* Default 256 MB. */
void stream_set_backlog_limit(struct stream *stream, size_t bytes);
/* Stops or resumes reading: flow control towards the peer. */
void stream_set_reading(struct stream *stream, bool enabled);
/* Bytes that may lie unread in stream_input() before reading pauses by itself; 0: no bound. */
void stream_set_input_limit(struct stream *stream, size_t bytes);
/* Marks the packets that go to the peer, from now on; 'dscp' < 64. Nothing over unix. */
void stream_set_dscp(struct stream *stream, uint8_t dscp);

bool stream_is_open(const struct stream *stream);
/* True while the name of a host is being looked up, or its addresses are tried. */
bool stream_is_dialing(const struct stream *stream);
/* Of a stream that is dialing: when its host's name began to be looked up, later when that was
 * answered, as clock_now_ms(); 0: the name waits for its turn. */
int64_t stream_dial_started_ms(const struct stream *stream);
/* The name it was opened by, or for an accepted one the peer: "tcp:10.0.0.1:41234", "unix#3". */
const char *stream_name(const struct stream *stream);
struct loop *stream_loop(const struct stream *stream);
/* Address of the peer without port, "" for unix. */
const char *stream_peer_ip(const struct stream *stream);
uint16_t stream_peer_port(const struct stream *stream);
/* Common name of the verified peer's certificate, NULL without TLS. */
const char *stream_peer_cn(const struct stream *stream);

/* ---- Listeners ---- */

/* Gets a new stream, already open: *takes* it, and sets its callbacks. */
typedef void listener_fn(struct listener *listener, struct stream *stream, void *arg);

/* Listens on the passive 'name'.  A stale unix socket file is replaced, a live one gives
 * -EADDRINUSE; the file's mode is 0750.  Errors as stream_open(). */
int listener_open(struct loop *loop, const char *name, uint16_t default_port,
                  struct tls_config *tls, listener_fn *fn, void *arg, struct listener **listenerp,
                  char **error);
/* Closes and removes the socket file.  Accepted streams live on.  NULL is fine. */
void listener_close(struct listener *listener);
/* The port that the kernel chose for ptcp:0; 0 for unix. */
uint16_t listener_port(const struct listener *listener);

/* True for unix:, tcp:, ssl: / punix:, ptcp:, pssl: names that parse. */
bool stream_name_is_active(const char *name);
bool stream_name_is_passive(const char *name);
/* NULL, or a new text saying what is wrong with 'name'. */
char *stream_name_check(const char *name);

/* ---- Reconnection ---- */

/* Keeps an active connection up: opens, and after each loss waits with exponential backoff.  The
 * owner's callbacks are those of the stream; on_closed is called for failed attempts as well, and
 * the stream is closed by the reconnector afterwards. */
struct reconnect;
struct reconnect_settings {
    const char *name;
    const char *const *names; /* connected to in place of 'name': each is tried in turn, and only */
    size_t n_names;           /* after the last one comes the backoff                           */
    uint16_t default_port;
    struct tls_config *tls;
    int64_t min_backoff_ms; /* 0: 1000 */
    int64_t max_backoff_ms; /* 0: 8000 */
    bool is_vital;          /* stream_open_vital() */
};

/* Starts at once.  Strings are copied, 'tls' is ref'd. */
struct reconnect *reconnect_create(struct loop *loop, const struct reconnect_settings *settings,
                                   const struct stream_callbacks *callbacks, void *arg);
/* Closes the stream without callbacks. */
void reconnect_destroy(struct reconnect *rc);
/* NULL while there is none. */
struct stream *reconnect_stream(struct reconnect *rc);
bool reconnect_is_connected(const struct reconnect *rc);
/* Drops the connection and connects anew, after backoff (of several names to the next one) unless
 * 'now'. */
void reconnect_force(struct reconnect *rc, bool now);
void reconnect_set_backoff(struct reconnect *rc, int64_t min_ms, int64_t max_ms);
/* Of several names that of the connection, or of the last attempt. */
const char *reconnect_name(const struct reconnect *rc);
/* "ACTIVE", "BACKOFF", "CONNECTING": the words of Controller:status and Manager:status. */
const char *reconnect_state(const struct reconnect *rc);
/* Whole seconds since the last change between connected and not; -1 before the first. */
int64_t reconnect_secs_since_connect(const struct reconnect *rc);
int64_t reconnect_secs_since_disconnect(const struct reconnect *rc);
/* Text of the last failure, NULL when none. */
const char *reconnect_last_error(const struct reconnect *rc);
unsigned int reconnect_n_connects(const struct reconnect *rc);

#endif
