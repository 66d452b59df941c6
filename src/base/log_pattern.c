// SPDX-License-Identifier: Apache-2.0
/*
 * Log line patterns: text with %-escapes, each with an optional '-' (left-align), '0' (pad with
 * zeros) and minimum width:
 *
 *   %A program   %B syslog priority number   %c module     %d{F} %D{F} local/UTC time by strftime,
 *   %E host      %m message                  %n newline    "###" in F: milliseconds
 *   %N sequence  %p level                    %P process id
 *   %r milliseconds since start              %t thread name
 *   %T "(thread name)", nothing for main     %% percent sign
 *
 * Called with the log lock held or from a test; must not log.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_private.h"
#include "base/thread.h"

struct pattern_line {
    const char *module;
    enum log_level level;
    unsigned int seq;
    const char *message;
    int64_t wall_ms;
};

/* Replaces each "###" that strftime() left in 'text' by the milliseconds. */
static void
put_millis(struct str *out, const char *text, int64_t wall_ms)
{
    const char *mark;

    while ((mark = strstr(text, "###")) != NULL) {
        str_put_mem(out, text, (size_t)(mark - text));
        str_printf(out, "%03d", (int)(wall_ms % 1000));
        text = mark + 3;
    }
    str_put(out, text);
}

static void
put_time(struct str *out, const char *format, int64_t wall_ms, bool utc)
{
    time_t seconds = wall_ms / 1000;
    char text[128];
    struct tm tm;

    if (utc) {
        gmtime_r(&seconds, &tm);
    } else {
        localtime_r(&seconds, &tm);
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t n = strftime(text, sizeof(text), format, &tm);
#pragma GCC diagnostic pop
    if (n > 0) {
        put_millis(out, text, wall_ms);
    }
}

/* Reads "{...}" at '*p'; without one, the default. */
static void
read_braces(const char **p, char *format, size_t size)
{
    const char *end = **p == '{' ? strchr(*p, '}') : NULL;

    if (end == NULL) {
        str_copy(format, "%Y-%m-%d %H:%M:%S", size);
        return;
    }
    size_t len = MIN((size_t)(end - *p - 1), size - 1);
    memcpy(format, *p + 1, len);
    format[len] = '\0';
    *p = end + 1;
}

/* The value of escape 'c'; '*p' stands behind it. */
static void
put_escape(struct str *out, char c, const char **p, const struct pattern_line *line)
{
    char format[64];
    char host[64];

    switch (c) {
    case 'A':
        str_put(out, log_state.program);
        break;
    case 'B':
        str_printf(out, "%u", log_state.facility);
        break;
    case 'c':
        str_put(out, line->module);
        break;
    case 'd':
    case 'D':
        read_braces(p, format, sizeof(format));
        put_time(out, format, line->wall_ms, c == 'D');
        break;
    case 'E':
        str_put(out, gethostname(host, sizeof(host)) == 0 ? host : "localhost");
        break;
    case 'm':
        str_put(out, line->message);
        break;
    case 'N':
        str_printf(out, "%u", line->seq);
        break;
    case 'n':
        str_putc(out, '\n');
        break;
    case 'p':
        str_put(out, log_level_names[line->level]);
        break;
    case 'P':
        str_printf(out, "%ld", (long)getpid());
        break;
    case 'r':
        str_printf(out, "%" PRId64, line->wall_ms - log_state.start_ms);
        break;
    case 't':
        str_put(out, thread_name()[0] ? thread_name() : "main");
        break;
    case 'T':
        if (thread_name()[0]) {
            str_printf(out, "(%s)", thread_name());
        }
        break;
    default:
        str_putc(out, c);
        break;
    }
}

static void
put_padded(struct str *out, const struct str *value, size_t width, bool left, bool zero)
{
    size_t pad = width > value->len ? width - value->len : 0;

    if (!left) {
        str_putc_n(out, zero ? '0' : ' ', pad);
    }
    str_put_mem(out, str_cstr(value), value->len);
    if (left) {
        str_putc_n(out, ' ', pad);
    }
}

void
log_pattern_format(struct str *out, const char *pattern, const char *module, enum log_level level,
                   unsigned int seq, const char *message)
{
    struct pattern_line line = {
        .module = module,
        .level = level,
        .seq = seq,
        .message = message,
        .wall_ms = clock_wall_ms(),
    };
    struct str value = STR_INIT;

    for (const char *p = pattern; *p != '\0';) {
        if (*p != '%') {
            str_putc(out, *p++);
            continue;
        }
        p++;
        bool left = *p == '-';
        p += left;
        bool zero = *p == '0';
        size_t width = 0;
        while (*p >= '0' && *p <= '9') {
            width = MIN(width * 10 + (size_t)(*p++ - '0'), (size_t)256);
        }
        if (*p == '\0') {
            break;
        }
        char c = *p++;
        str_clear(&value);
        put_escape(&value, c, &p, &line);
        put_padded(out, &value, width, left, zero);
    }
    str_free(&value);
}
