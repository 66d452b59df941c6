// SPDX-License-Identifier: Apache-2.0
/*
 * Takes stream names apart (rpc/stream.h has the grammar) and hides the length limit of unix socket
 * addresses.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/dirs.h"
#include "rpc/lookup.h"
#include "rpc/stream_private.h"

static const struct {
    const char *prefix;
    enum stream_kind kind;
    bool passive;
} kinds[] = {
    {"unix:", STREAM_UNIX, false}, {"tcp:", STREAM_TCP, false}, {"ssl:", STREAM_TLS, false},
    {"punix:", STREAM_UNIX, true}, {"ptcp:", STREAM_TCP, true}, {"pssl:", STREAM_TLS, true},
};

/* As much of a name as an error shows. */
#define SHOWN_LEN 100

/* The error "NAME: WHAT".  The name may come from a database: a long one is cut, and nothing in it
 * can begin a line of the log. */
static int
fail(char **error, const char *name, const char *what)
{
    struct str text = STR_INIT;

    if (error != NULL) {
        for (size_t i = 0; i < SHOWN_LEN && name[i] != '\0'; i++) {
            unsigned char c = (unsigned char)name[i];

            if (c < ' ' || c >= 0x7f) {
                str_printf(&text, "\\x%02x", c);
            } else {
                str_putc(&text, name[i]);
            }
        }
        str_printf(&text, "%s: %s", strlen(name) > SHOWN_LEN ? "..." : "", what);
        *error = str_steal(&text);
    }
    return -EINVAL;
}

/* Cuts "%ZONE" off the address 'text' and returns the number of that interface; 0: none, or it is
 * not there. */
static unsigned int
cut_zone(char *text)
{
    char *zone = strchr(text, '%');
    unsigned int index = 0;

    if (zone != NULL) {
        *zone++ = '\0';
        if (!str_to_uint(zone, 10, &index)) {
            index = if_nametoindex(zone);
        }
    }
    return index;
}

/* Reads an address, in brackets or not, into 'ip'. */
static bool
parse_ip(struct stream_address *address, const char *host, size_t len, uint16_t port)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)&address->ip;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->ip;
    char text[INET6_ADDRSTRLEN + 20];

    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host, len);
    text[len] = '\0';
    if (inet_pton(AF_INET, text, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htobe16_(port);
        address->ip_len = sizeof(*in4);
        return true;
    }
    unsigned int zone = cut_zone(text);
    if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_scope_id = zone;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htobe16_(port);
        address->ip_len = sizeof(*in6);
        return true;
    }
    return false;
}

static bool
parse_port(const char *s, size_t len, uint16_t *port)
{
    char text[8];
    unsigned int value;

    if (len == 0 || len >= sizeof(text)) {
        return false;
    }
    memcpy(text, s, len);
    text[len] = '\0';
    if (!str_to_uint(text, 10, &value) || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

/* An address, or a name that is looked up when the connection is made. */
static bool
parse_host(struct stream_address *address, const char *host, size_t len, uint16_t port)
{
    if (parse_ip(address, host, len, port)) {
        return true;
    }
    address->host = xmemdup0(host, len);
    address->port = port;
    if (!lookup_is_name(address->host)) {
        free(address->host);
        address->host = NULL;
        return false;
    }
    return true;
}

/* HOST[:PORT] */
static int
parse_active(struct stream_address *address, const char *name, const char *rest, uint16_t port,
             char **error)
{
    const char *colon;
    size_t host_len = strlen(rest);

    if (rest[0] == '[') {
        const char *end = strchr(rest, ']');
        if (end == NULL) {
            return fail(error, name, "missing \"]\"");
        }
        host_len = (size_t)(end + 1 - rest);
        colon = end[1] == ':' ? end + 1 : NULL;
        if (end[1] != '\0' && colon == NULL) {
            return fail(error, name, "bad text after \"]\"");
        }
    } else {
        colon = strchr(rest, ':');
        /* More than one colon without brackets is a bare IPv6 address. */
        if (colon != NULL && strchr(colon + 1, ':') != NULL) {
            colon = NULL;
        } else if (colon != NULL) {
            host_len = (size_t)(colon - rest);
        }
    }
    if (colon != NULL && !parse_port(colon + 1, strlen(colon + 1), &port)) {
        return fail(error, name, "bad port number");
    }
    if (port == 0) {
        return fail(error, name, "port must be specified");
    }
    if (!parse_host(address, rest, host_len, port)) {
        return fail(error, name, "bad IP address or host name");
    }
    return 0;
}

/* [PORT][:IP] */
static int
parse_passive(struct stream_address *address, const char *name, const char *rest, uint16_t port,
              char **error)
{
    const char *colon = strchr(rest, ':');
    size_t port_len = colon ? (size_t)(colon - rest) : strlen(rest);

    if (port_len > 0 && !parse_port(rest, port_len, &port)) {
        return fail(error, name, "bad port number");
    }
    const char *host = colon && colon[1] ? colon + 1 : "0.0.0.0";
    if (!parse_ip(address, host, strlen(host), port)) {
        return fail(error, name, "bad IP address");
    }
    return 0;
}

static bool
has_control_character(const char *s)
{
    while (*s != '\0' && !iscntrl((unsigned char)*s)) {
        s++;
    }
    return *s != '\0';
}

int
stream_address_parse(struct stream_address *address, const char *name, uint16_t default_port,
                     char **error)
{
    memset(address, 0, sizeof(*address));
    if (has_control_character(name)) {
        return fail(error, name, "a control character in a name");
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        size_t len = strlen(kinds[i].prefix);
        if (strncmp(name, kinds[i].prefix, len) != 0) {
            continue;
        }
        address->kind = kinds[i].kind;
        address->passive = kinds[i].passive;
        if (address->kind == STREAM_UNIX) {
            if (name[len] == '\0') {
                return fail(error, name, "path missing");
            }
            if (strlen(name) >= PATH_MAX) {
                return fail(error, name, "path too long");
            }
            address->path = dirs_path(dirs_run(), name + len);
            return 0;
        }
        return address->passive ? parse_passive(address, name, name + len, default_port, error)
                                : parse_active(address, name, name + len, default_port, error);
    }
    fail(error, name, "unknown connection method (use unix:, tcp:, ssl:, punix:, ptcp: or pssl:)");
    return -EAFNOSUPPORT;
}

void
stream_address_free(struct stream_address *address)
{
    free(address->path);
    free(address->host);
    address->path = address->host = NULL;
}

char *
stream_name_check(const char *name)
{
    struct stream_address address;
    char *error = NULL;

    stream_address_parse(&address, name, 1, &error);
    stream_address_free(&address);
    return error;
}

static bool
parses_as(const char *name, bool passive)
{
    struct stream_address address;
    bool ok = stream_address_parse(&address, name, 1, NULL) == 0 && address.passive == passive;

    stream_address_free(&address);
    return ok;
}

bool
stream_name_is_active(const char *name)
{
    return parses_as(name, false);
}

bool
stream_name_is_passive(const char *name)
{
    return parses_as(name, true);
}

void
stream_format_ip(const struct sockaddr_storage *ip, char *buf, size_t size)
{
    const void *bytes = ip->ss_family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)ip)->sin_addr
                            : (const void *)&((const struct sockaddr_in6 *)ip)->sin6_addr;

    buf[0] = '\0';
    if (ip->ss_family == AF_INET || ip->ss_family == AF_INET6) {
        inet_ntop(ip->ss_family, bytes, buf, (socklen_t)size);
    }
}

uint16_t
stream_ip_port(const struct sockaddr_storage *ip)
{
    if (ip->ss_family == AF_INET) {
        return be16toh_(((const struct sockaddr_in *)ip)->sin_port);
    }
    return ip->ss_family == AF_INET6 ? be16toh_(((const struct sockaddr_in6 *)ip)->sin6_port) : 0;
}

/* ---- Unix paths ---- */

typedef int socket_call(int fd, const struct sockaddr *address, socklen_t len);

static int
call_with_path(socket_call *call, int fd, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int dir_fd = -1;

    if (strlen(path) < sizeof(un.sun_path)) {
        str_copy(un.sun_path, path, sizeof(un.sun_path));
    } else {
        char *dir = xstrdup(path);
        char *base = xstrdup(path);
        dir_fd = open(dirname(dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
        int open_error = errno;
        size_t len = (size_t)snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/%s",
                                      dir_fd, basename(base));
        free(dir);
        free(base);
        if (dir_fd < 0) {
            return -open_error;
        }
        if (len >= sizeof(un.sun_path)) {
            close(dir_fd);
            return -ENAMETOOLONG;
        }
    }
    int result = call(fd, (struct sockaddr *)&un, sizeof(un)) == 0 ? 0 : -errno;
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    return result;
}

int
stream_unix_connect(int fd, const char *path)
{
    return call_with_path(connect, fd, path);
}

int
stream_unix_bind(int fd, const char *path)
{
    return call_with_path(bind, fd, path);
}
