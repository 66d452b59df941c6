// SPDX-License-Identifier: Apache-2.0
/*
 * Log lines in the format that operators' tools know: sequence number, module, thread, level, text,
 * to three destinations (console, syslog, file) with a level for each module and destination.
 *
 * A file that logs says LOG_MODULE(name) once, before its functions; the names are those that
 * operators set levels for ("bridge", "ofproto", "dpdk", "netdev_dpdk", ...).  Several files may
 * share one name.  Everything is thread safe.  A PMD never logs after its start.
 *
 * Levels mean: EMER the daemon cannot go on; ERR something the operator asked for does not work;
 * WARN suspicious, look at it; INFO a fact worth knowing once; DBG for developers.  A run in which
 * nothing is wrong has no line at WARN or above.
 *
 * Lines are written without the trailing newline; a text with newlines becomes several lines.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdatomic.h>

#include "base/str.h"

enum log_level { LOG_LVL_OFF, LOG_LVL_EMER, LOG_LVL_ERR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DBG };
#define LOG_N_LEVELS 6

enum log_dest { LOG_DEST_SYSLOG, LOG_DEST_CONSOLE, LOG_DEST_FILE };
#define LOG_N_DESTS 3

/* One for each LOG_MODULE(); those of the same name are kept at the same levels. */
struct log_module {
    const char *name;
    _Atomic int max_level;           /* Highest of the three: w under the log lock, r all. */
    _Atomic int levels[LOG_N_DESTS]; /* w under the log lock, r all */
    struct log_module *next;         /* Registry; written before main() runs. */
    _Atomic bool honour_rate_limits;
};

void log_module_register(struct log_module *module);

#define LOG_MODULE(NAME)                                                      \
    static struct log_module this_log_module = {.name = #NAME};               \
    __attribute__((constructor)) static void log_module_register_##NAME(void) \
    {                                                                         \
        log_module_register(&this_log_module);                                \
    }                                                                         \
    extern int log_module_needs_semicolon_##NAME

/* A token bucket for one message that a peer could repeat.  Thread safe. */
struct log_rate {
    unsigned int per_minute;
    unsigned int burst;
    _Atomic int lock;
    uint64_t tokens; /* In 1/60000 of a message; the rest under 'lock'. */
    int64_t last_fill_ms;
    unsigned int n_dropped;
    int64_t first_dropped_ms;
    int64_t last_dropped_ms;
};

#define LOG_RATE_INIT(PER_MINUTE, BURST)             \
    {                                                \
        .per_minute = (PER_MINUTE), .burst = (BURST) \
    }

static inline bool
log_module_is_on(const struct log_module *module, enum log_level level)
{
    return atomic_load_explicit(&module->max_level, memory_order_relaxed) >= (int)level;
}

/* For the macros below. */
void log_write(struct log_module *module, enum log_level level, const char *fmt, ...)
    PRINTF_FORMAT(3, 4);
void log_write_v(struct log_module *module, enum log_level level, const char *fmt, va_list args)
    PRINTF_FORMAT(3, 0);
void log_write_rl(struct log_module *module, enum log_level level, struct log_rate *rl,
                  const char *fmt, ...) PRINTF_FORMAT(4, 5);

#define log_at(LEVEL, ...)                                                                       \
    (log_module_is_on(&this_log_module, LEVEL) ? log_write(&this_log_module, LEVEL, __VA_ARGS__) \
                                               : (void)0)
#define log_at_rl(RL, LEVEL, ...)                                 \
    (log_module_is_on(&this_log_module, LEVEL)                    \
         ? log_write_rl(&this_log_module, LEVEL, RL, __VA_ARGS__) \
         : (void)0)
#define log_is_on(LEVEL) log_module_is_on(&this_log_module, LEVEL)

#define log_emer(...) log_at(LOG_LVL_EMER, __VA_ARGS__)
#define log_err(...) log_at(LOG_LVL_ERR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LVL_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_LVL_INFO, __VA_ARGS__)
#define log_dbg(...) log_at(LOG_LVL_DBG, __VA_ARGS__)
#define log_is_dbg() log_is_on(LOG_LVL_DBG)

#define log_err_rl(RL, ...) log_at_rl(RL, LOG_LVL_ERR, __VA_ARGS__)
#define log_warn_rl(RL, ...) log_at_rl(RL, LOG_LVL_WARN, __VA_ARGS__)
#define log_info_rl(RL, ...) log_at_rl(RL, LOG_LVL_INFO, __VA_ARGS__)
#define log_dbg_rl(RL, ...) log_at_rl(RL, LOG_LVL_DBG, __VA_ARGS__)

/* Logs at EMER and ends the process: log_fatal() with status 1, log_abort() with SIGABRT. */
#define log_fatal(...) log_fatal_(&this_log_module, __VA_ARGS__)
#define log_abort(...) log_abort_(&this_log_module, __VA_ARGS__)
void log_fatal_(struct log_module *module, const char *fmt, ...) PRINTF_FORMAT(2, 3) NO_RETURN;
void log_abort_(struct log_module *module, const char *fmt, ...) PRINTF_FORMAT(2, 3) NO_RETURN;

/* ---- For main.c, log_ctl.c and tests. ---- */

/* Must come before the first line.  'program' is borrowed for ever. */
void log_init(const char *program);
void log_fini(void);

/* Applies one specification: words separated by spaces, commas or colons, in any order: a module
 * name or ANY, a destination or ANY, a level; or PATTERN:DEST:PATTERN; or FACILITY:NAME.  NULL or
 * "" means "any:any:dbg".  Returns NULL, or a new text that says what is wrong. */
char *log_set_spec(const char *spec) WARN_UNUSED;

/* Opens 'path' (NULL: the default, LOGDIR/PROGRAM.log) for appending, as the file destination. */
int log_set_file(const char *path);
/* Like log_set_file() with the present path: for logrotate.  Nothing happens while the open file
 * has that name.  -ENOENT-like errors are returned. */
int log_reopen_file(void);
/* Writes to the file of that name again, if another process has moved it away and made a new one.
 */
void log_follow_file(void);
void log_close_file(void);
/* The path of the log file, NULL when none was set.  Borrowed. */
const char *log_file_path(void);

/* 'method' is "libc", "null", "unix:FILE" or "udp:IP:PORT".  A new error text or NULL. */
char *log_set_syslog_method(const char *method) WARN_UNUSED;
/* Sends syslog lines to HOST (UDP port 514) as well. */
void log_set_syslog_target(const char *host);
/* 'name' NULL: all modules. */
char *log_set_rate_limit(const char *module_name, bool enable) WARN_UNUSED;

/* The tables of vlog/list and vlog/list-pattern. */
void log_list(struct str *out);
void log_list_pattern(struct str *out);

const char *log_level_name(enum log_level level);
/* Formats one line as the destination's pattern says (tests; also crash reports). */
void log_format_line(struct str *out, enum log_dest dest, const struct log_module *module,
                     enum log_level level, unsigned int seq, const char *message);

#endif
