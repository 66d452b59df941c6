// SPDX-License-Identifier: Apache-2.0
/*
 * From a name to a stream: takes the name apart, begins to connect, and says at once what cannot
 * work.  What happens to the connection later is for stream.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/coverage.h"
#include "rpc/lookup.h"
#include "rpc/stream_private.h"

COVERAGE_DEFINE(stream_open);

static int
connect_unix(const char *path, int *fdp)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result = fd >= 0 ? stream_unix_connect(fd, path) : -errno;

    if (result != 0 && result != -EINPROGRESS) {
        if (fd >= 0) {
            close(fd);
        }
        return result;
    }
    *fdp = fd;
    return 0;
}

static int
open_stream(struct loop *loop, const char *name, uint16_t default_port, struct tls_config *tls,
            bool is_vital, const struct stream_callbacks *callbacks, void *arg,
            struct stream **streamp, char **error)
{
    struct stream_address address;
    SSL *ssl = NULL;
    int fd = -1;

    coverage_inc(stream_open);
    *streamp = NULL;
    int result = stream_address_parse(&address, name, default_port, error);
    if (result == 0 && address.passive) {
        result = -EINVAL;
        if (error != NULL) {
            *error = xasprintf("%s: not an active connection method", name);
        }
    } else if (result == 0 && address.kind == STREAM_TLS) {
        char *tls_error = NULL;
        ssl = tls ? tls_config_new_ssl(tls, false, &tls_error) : NULL;
        if (ssl == NULL) {
            result = -EPROTO;
            if (error != NULL) {
                *error = xasprintf("%s: %s", name,
                                   tls_error ? tls_error
                                             : "private key, certificate and CA "
                                               "certificate must be configured to use "
                                               "SSL");
            }
            free(tls_error);
        }
    }
    if (result == 0 && address.host == NULL) {
        result = address.kind == STREAM_UNIX ? connect_unix(address.path, &fd)
                                             : dial_address(&address.ip, &fd);
        if (result != 0 && error != NULL) {
            *error = xasprintf("%s: %s", name, err_str(result));
        }
    }
    if (result != 0) {
        SSL_free(ssl);
    } else {
        *streamp = stream_create(loop, xstrdup(name), fd, ssl, false, tls);
        stream_set_callbacks(*streamp, callbacks, arg);
        if (address.host != NULL) {
            stream_dial(*streamp, address.host, address.port, is_vital);
        }
    }
    stream_address_free(&address);
    return result;
}

int
stream_open(struct loop *loop, const char *name, uint16_t default_port, struct tls_config *tls,
            const struct stream_callbacks *callbacks, void *arg, struct stream **streamp,
            char **error)
{
    return open_stream(loop, name, default_port, tls, false, callbacks, arg, streamp, error);
}

int
stream_open_vital(struct loop *loop, const char *name, uint16_t default_port,
                  struct tls_config *tls, const struct stream_callbacks *callbacks, void *arg,
                  struct stream **streamp, char **error)
{
    return open_stream(loop, name, default_port, tls, true, callbacks, arg, streamp, error);
}
