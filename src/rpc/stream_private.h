// SPDX-License-Identifier: Apache-2.0
/*
 * What stream.c, stream_open.c, stream_name.c, listener.c and tls.c share.
 */
#ifndef RPC_STREAM_PRIVATE_H
#define RPC_STREAM_PRIVATE_H

#include <netinet/in.h>
#include <openssl/ssl.h>

#include "rpc/stream.h"

enum stream_kind { STREAM_UNIX, STREAM_TCP, STREAM_TLS };

/* A name taken apart. */
struct stream_address {
    enum stream_kind kind;
    bool passive;
    char *path; /* unix: absolute, new memory */
    char *host; /* a name to be looked up, new memory; NULL: 'ip' is the address */
    uint16_t port;
    struct sockaddr_storage ip;
    socklen_t ip_len;
};

/* 0 or a negative errno with a new '*error' text (unless NULL).  'default_port' 0: required. */
int stream_address_parse(struct stream_address *address, const char *name, uint16_t default_port,
                         char **error);
void stream_address_free(struct stream_address *address);
/* Calls connect(2) or bind(2); for paths longer than sun_path goes through /proc/self/fd. */
int stream_unix_connect(int fd, const char *path);
int stream_unix_bind(int fd, const char *path);
/* "10.0.0.1" or "::1"; "" for others. */
void stream_format_ip(const struct sockaddr_storage *ip, char *buf, size_t size);
uint16_t stream_ip_port(const struct sockaddr_storage *ip);

/* A stream over the connected or connecting descriptor 'fd', which it takes, or without one yet:
 * -1. 'ssl' (taken) may be NULL.  'name' is taken. */
struct stream *stream_create(struct loop *loop, char *name, int fd, SSL *ssl, bool accepted,
                             struct tls_config *tls);
/* Looks 'host' up and connects the stream, which has no descriptor yet, to 'port' there.
 * 'is_vital': as stream_open_vital() has it. */
void stream_dial(struct stream *s, const char *host, uint16_t port, bool is_vital);

/* A new SSL object for a connection; NULL and a new '*error' text on failure. */
SSL *tls_config_new_ssl(struct tls_config *tls, bool server, char **error);
/* After the handshake of a bootstrapping client: saves the CA.  0, or a new '*error' when the
 * connection must end: -EPROTO, or -EAGAIN after a success, since only the next one is verified. */
int tls_config_check_peer(struct tls_config *tls, SSL *ssl, char **error);
/* A new text of OpenSSL's error queue, which is emptied. */
char *tls_error_text(void);

#endif
