// SPDX-License-Identifier: Apache-2.0
/*
 * The syslog destination.  Lines go to /dev/log as datagrams (RFC 3164 form), never blocking: a
 * syslog daemon that stops reading must not stop the switch.  Other methods on request: libc's
 * syslog(3), another socket, UDP, nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_private.h"

enum method { METHOD_UNIX, METHOD_UDP, METHOD_LIBC, METHOD_NULL };

/* Under the log lock. */
static struct {
    enum method method;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    struct sockaddr_storage udp;
    socklen_t udp_len;
    int fd;           /* -1: none */
    int64_t retry_ms; /* No new attempt to connect before. */
    int target_fd;    /* --syslog-target */
} target = {.method = METHOD_UNIX, .path = "/dev/log", .fd = -1, .target_fd = -1};

static const struct {
    const char *name;
    unsigned int value;
} facilities[] = {
    {"kern", LOG_KERN},     {"user", LOG_USER},     {"mail", LOG_MAIL},     {"daemon", LOG_DAEMON},
    {"auth", LOG_AUTH},     {"syslog", LOG_SYSLOG}, {"lpr", LOG_LPR},       {"news", LOG_NEWS},
    {"uucp", LOG_UUCP},     {"clock", 9 << 3},      {"ftp", LOG_FTP},       {"ntp", 12 << 3},
    {"audit", 13 << 3},     {"alert", 14 << 3},     {"clock2", 15 << 3},    {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3}, {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
};

bool
log_facility_from_name(const char *name, unsigned int *facility)
{
    for (size_t i = 0; i < ARRAY_SIZE(facilities); i++) {
        if (strcasecmp(facilities[i].name, name) == 0) {
            *facility = facilities[i].value;
            return true;
        }
    }
    return false;
}

const char *
log_syslog_prefix(void)
{
    return target.method == METHOD_LIBC || target.method == METHOD_NULL
               ? "none"
               : "<%B> %D{%h %e %T} %E %A:";
}

static int
priority(enum log_level level)
{
    static const int priorities[LOG_N_LEVELS] = {
        [LOG_LVL_OFF] = LOG_DEBUG,    [LOG_LVL_EMER] = LOG_ALERT, [LOG_LVL_ERR] = LOG_ERR,
        [LOG_LVL_WARN] = LOG_WARNING, [LOG_LVL_INFO] = LOG_INFO,  [LOG_LVL_DBG] = LOG_DEBUG,
    };

    return priorities[level];
}

static int
connect_datagram(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0 && connect(fd, address, len) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static int
connect_target(void)
{
    if (target.method == METHOD_UDP) {
        return connect_datagram((struct sockaddr *)&target.udp, target.udp_len);
    }
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    str_copy(un.sun_path, target.path, sizeof(un.sun_path));
    return connect_datagram((struct sockaddr *)&un, sizeof(un));
}

static void
send_datagram(enum log_level level, const char *text)
{
    int64_t now = clock_wall_ms();
    struct str line = STR_INIT;
    time_t seconds = now / 1000;
    char date[32];
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(date, sizeof(date), "%b %e %T", &tm);
    str_printf(&line, "<%u>%s %s: %s", log_state.facility | (unsigned int)priority(level), date,
               log_state.program, text);
    if (target.target_fd >= 0) {
        send(target.target_fd, str_cstr(&line), line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (target.fd < 0 && now >= target.retry_ms) {
        target.fd = connect_target();
        target.retry_ms = now + 5000;
    }
    if (target.fd >= 0 &&
        send(target.fd, str_cstr(&line), line.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
        errno != EAGAIN && errno != EINTR && errno != EMSGSIZE && errno != ENOBUFS) {
        /* The syslog daemon restarted: the next line connects anew. */
        close(target.fd);
        target.fd = -1;
    }
    str_free(&line);
}

void
log_syslog_send(enum log_level level, const char *text)
{
    if (target.method == METHOD_LIBC) {
        syslog((int)log_state.facility | priority(level), "%s", text);
    } else if (target.method != METHOD_NULL || target.target_fd >= 0) {
        send_datagram(level, text);
    }
}

static bool
parse_udp(const char *s, uint16_t default_port, struct sockaddr_storage *address, socklen_t *len)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
    char host[INET6_ADDRSTRLEN + 1];
    unsigned int port = default_port;

    memset(address, 0, sizeof(*address));
    bool bracket = s[0] == '[';
    const char *end = bracket ? strchr(s, ']') : strrchr(s, ':');
    if (end == NULL) {
        end = s + strlen(s);
    }
    const char *colon = bracket && *end == ']' ? end + 1 : end;
    if (*colon == ':' && (!str_to_uint(colon + 1, 10, &port) || port == 0 || port > 65535)) {
        return false;
    }
    size_t n = (size_t)(end - s) - bracket;
    if (n >= sizeof(host)) {
        return false;
    }
    memcpy(host, s + bracket, n);
    host[n] = '\0';
    if (inet_pton(AF_INET, host, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htobe16_((uint16_t)port);
        *len = sizeof(*in4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htobe16_((uint16_t)port);
        *len = sizeof(*in6);
        return true;
    }
    return false;
}

char *
log_set_syslog_method(const char *method)
{
    char *error = NULL;

    pthread_mutex_lock(&log_state.lock);
    if (target.fd >= 0) {
        close(target.fd);
        target.fd = -1;
    }
    target.retry_ms = 0;
    if (strcmp(method, "libc") == 0) {
        openlog(log_state.program, LOG_NDELAY, (int)log_state.facility);
        target.method = METHOD_LIBC;
    } else if (strcmp(method, "null") == 0) {
        target.method = METHOD_NULL;
    } else if (strncmp(method, "unix:", 5) == 0 && strlen(method + 5) < sizeof(target.path)) {
        str_copy(target.path, method + 5, sizeof(target.path));
        target.method = METHOD_UNIX;
    } else if (strncmp(method, "udp:", 4) == 0 &&
               parse_udp(method + 4, 514, &target.udp, &target.udp_len)) {
        target.method = METHOD_UDP;
    } else {
        error = xasprintf("unsupported syslog method \"%s\" (use libc, null, unix:FILE or "
                          "udp:IP:PORT)",
                          method);
    }
    pthread_mutex_unlock(&log_state.lock);
    return error;
}

void
log_set_syslog_target(const char *host)
{
    struct sockaddr_storage address;
    socklen_t len;

    if (!parse_udp(host, 514, &address, &len)) {
        return;
    }
    int fd = connect_datagram((struct sockaddr *)&address, len);
    pthread_mutex_lock(&log_state.lock);
    if (target.target_fd >= 0) {
        close(target.target_fd);
    }
    target.target_fd = fd;
    pthread_mutex_unlock(&log_state.lock);
}
