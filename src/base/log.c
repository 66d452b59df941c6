// SPDX-License-Identifier: Apache-2.0
/*
 * The heart of logging: the registry of modules, levels, rate limits, and the way of one line to
 * its destinations.  Patterns, specifications and syslog have files of their own.
 *
 * A line is formatted by the thread that logs, before it takes the lock; each destination then gets
 * it in one write(2), so lines never mix.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <syslog.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/log_private.h"

LOG_MODULE(vlog);

#define DEFAULT_LEVEL LOG_LVL_INFO

const char *const log_level_names[LOG_N_LEVELS] = {"OFF", "EMER", "ERR", "WARN", "INFO", "DBG"};
const char *const log_dest_names[LOG_N_DESTS] = {"syslog", "console", "file"};

static const char *const default_patterns[LOG_N_DESTS] = {
    [LOG_DEST_SYSLOG] = "ovs|%05N|%c%T|%p|%m",
    [LOG_DEST_CONSOLE] = "%D{%Y-%m-%dT%H:%M:%SZ}|%05N|%c%T|%p|%m",
    [LOG_DEST_FILE] = "%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m",
};

struct log_state log_state = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .program = PROGRAM_NAME,
    .file_fd = -1,
    .facility = LOG_DAEMON,
};

static _Atomic unsigned int log_seq;

const char *
log_level_name(enum log_level level)
{
    return log_level_names[level];
}

/* ---- Modules and levels ---- */

static void
update_max_level(struct log_module *module)
{
    int max = LOG_LVL_OFF;

    for (int dest = 0; dest < LOG_N_DESTS; dest++) {
        if (dest != LOG_DEST_FILE || log_state.file_fd >= 0) {
            max = MAX(max, atomic_load_explicit(&module->levels[dest], memory_order_relaxed));
        }
    }
    atomic_store_explicit(&module->max_level, max, memory_order_relaxed);
}

static void
update_all_max_levels(void)
{
    for (struct log_module *m = log_state.modules; m != NULL; m = m->next) {
        update_max_level(m);
    }
}

/* Constructors call this, before there is a second thread. */
void
log_module_register(struct log_module *module)
{
    for (int dest = 0; dest < LOG_N_DESTS; dest++) {
        atomic_init(&module->levels[dest], DEFAULT_LEVEL);
    }
    atomic_init(&module->honour_rate_limits, true);
    module->next = log_state.modules;
    log_state.modules = module;
    update_max_level(module);
}

bool
log_module_exists(const char *name)
{
    for (const struct log_module *m = log_state.modules; m != NULL; m = m->next) {
        if (strcasecmp(m->name, name) == 0) {
            return true;
        }
    }
    return false;
}

void
log_set_level_locked(const char *name, int dest, enum log_level level)
{
    for (struct log_module *m = log_state.modules; m != NULL; m = m->next) {
        if (name != NULL && strcasecmp(m->name, name) != 0) {
            continue;
        }
        for (int d = 0; d < LOG_N_DESTS; d++) {
            if (dest == -1 || dest == d) {
                atomic_store_explicit(&m->levels[d], (int)level, memory_order_relaxed);
            }
        }
        update_max_level(m);
    }
}

char *
log_set_rate_limit(const char *name, bool enable)
{
    if (name != NULL && strcasecmp(name, "ANY") == 0) {
        name = NULL;
    }
    if (name != NULL && !log_module_exists(name)) {
        return xstrdup("unknown module");
    }
    for (struct log_module *m = log_state.modules; m != NULL; m = m->next) {
        if (name == NULL || strcasecmp(m->name, name) == 0) {
            atomic_store_explicit(&m->honour_rate_limits, enable, memory_order_relaxed);
        }
    }
    return NULL;
}

/* ---- Set-up ---- */

void
log_init(const char *program)
{
    pthread_mutex_lock(&log_state.lock);
    log_state.program = program;
    log_state.start_ms = clock_wall_ms();
    pthread_mutex_unlock(&log_state.lock);
}

void
log_fini(void)
{
    log_close_file();
    pthread_mutex_lock(&log_state.lock);
    free(log_state.file_path);
    log_state.file_path = NULL;
    for (int dest = 0; dest < LOG_N_DESTS; dest++) {
        free(log_state.patterns[dest]);
        log_state.patterns[dest] = NULL;
    }
    pthread_mutex_unlock(&log_state.lock);
}

/* ---- The log file ---- */

static int
open_log_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

    return fd < 0 ? -errno : fd;
}

/* Makes 'fd' (-1: none) the file destination, takes 'path'. */
static void
swap_file(int fd, char *path)
{
    pthread_mutex_lock(&log_state.lock);
    int old = log_state.file_fd;
    log_state.file_fd = fd;
    if (path != NULL) {
        free(log_state.file_path);
        log_state.file_path = path;
    }
    update_all_max_levels();
    pthread_mutex_unlock(&log_state.lock);
    if (old >= 0) {
        close(old);
    }
}

int
log_set_file(const char *path)
{
    char *name = NULL;

    if (path == NULL) {
        char *base = xasprintf("%s.log", log_state.program);
        name = dirs_path(dirs_log(), base);
        free(base);
    } else {
        name = dirs_path(dirs_log(), path);
    }
    int fd = open_log_file(name);
    if (fd < 0) {
        log_warn("failed to open %s for logging: %s", name, err_str(fd));
        free(name);
        return fd;
    }
    swap_file(fd, name);
    log_info("opened log file %s", log_state.file_path);
    return 0;
}

/* The log file has its name still. */
static bool
is_named_file_open(void)
{
    struct stat named, open;

    return log_state.file_fd >= 0 && stat(log_state.file_path, &named) == 0 &&
           fstat(log_state.file_fd, &open) == 0 && named.st_ino == open.st_ino &&
           named.st_dev == open.st_dev;
}

int
log_reopen_file(void)
{
    if (log_state.file_path == NULL) {
        return 0;
    }
    if (is_named_file_open()) {
        return 0; /* Nobody renamed it: no lines about nothing. */
    }
    char *path = xstrdup(log_state.file_path);
    log_info("closing log file");
    int error = log_set_file(path);
    free(path);
    return error;
}

void
log_follow_file(void)
{
    struct stat named;

    if (log_state.file_fd >= 0 && stat(log_state.file_path, &named) == 0) {
        (void)log_reopen_file();
    }
}

void
log_close_file(void)
{
    swap_file(-1, NULL);
}

const char *
log_file_path(void)
{
    return log_state.file_path;
}

/* ---- Rate limits ---- */

#define TOKEN 60000

static void
rate_lock(struct log_rate *rl)
{
    int expected = 0;

    while (!atomic_compare_exchange_weak_explicit(&rl->lock, &expected, 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
        expected = 0;
    }
}

/* True when one more message may pass.  '*n_dropped' and '*seconds' describe what was held back
 * since the last one that passed. */
static bool
rate_take(struct log_rate *rl, unsigned int *n_dropped, unsigned int *secs, unsigned int *last_secs)
{
    int64_t now = clock_now_ms();
    bool pass = false;

    rate_lock(rl);
    if (rl->last_fill_ms == 0) {
        rl->tokens = (uint64_t)rl->burst * TOKEN;
    } else if (now > rl->last_fill_ms) {
        uint64_t fill = (uint64_t)(now - rl->last_fill_ms) * rl->per_minute;
        rl->tokens = MIN(rl->tokens + fill, (uint64_t)rl->burst * TOKEN);
    }
    rl->last_fill_ms = now ? now : 1;
    if (rl->tokens >= TOKEN) {
        rl->tokens -= TOKEN;
        *n_dropped = rl->n_dropped;
        *secs = (unsigned int)((now - rl->first_dropped_ms) / 1000);
        *last_secs = (unsigned int)((now - rl->last_dropped_ms) / 1000);
        rl->n_dropped = 0;
        pass = true;
    } else {
        if (rl->n_dropped++ == 0) {
            rl->first_dropped_ms = now;
        }
        rl->last_dropped_ms = now;
    }
    atomic_store_explicit(&rl->lock, 0, memory_order_release);
    return pass;
}

/* ---- Lines ---- */

void
log_format_line(struct str *out, enum log_dest dest, const struct log_module *module,
                enum log_level level, unsigned int seq, const char *message)
{
    const char *pattern = log_state.patterns[dest];

    log_pattern_format(out, pattern ? pattern : default_patterns[dest], module->name, level, seq,
                       message);
}

static void
write_all(int fd, const char *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n <= 0 && errno != EINTR) {
            return; /* A full disk must not stop the switch. */
        }
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
}

/* One line to one destination; needs the lock. */
static void
emit(enum log_dest dest, const struct log_module *module, enum log_level level, unsigned int seq,
     const char *message)
{
    struct str line = STR_INIT;

    log_format_line(&line, dest, module, level, seq, message);
    if (dest == LOG_DEST_SYSLOG) {
        log_syslog_send(level, str_cstr(&line));
    } else {
        str_putc(&line, '\n');
        write_all(dest == LOG_DEST_CONSOLE ? STDERR_FILENO : log_state.file_fd, str_cstr(&line),
                  line.len);
    }
    str_free(&line);
}

static bool
dest_wants(const struct log_module *module, enum log_dest dest, enum log_level level)
{
    if (atomic_load_explicit(&module->levels[dest], memory_order_relaxed) < (int)level) {
        return false;
    }
    switch (dest) {
    case LOG_DEST_FILE:
        return log_state.file_fd >= 0;
    case LOG_DEST_CONSOLE:
    case LOG_DEST_SYSLOG:
        break;
    }
    return true;
}

void
log_write_v(struct log_module *module, enum log_level level, const char *fmt, va_list args)
{
    int saved_errno = errno;
    struct str message = STR_INIT;

    str_vprintf(&message, fmt, args);
    str_trim_end(&message);
    /* Each line of a text gets its own prefix, so that every line of a log can be parsed. */
    char *rest = message.buf;
    char *line;
    while ((line = strsep(&rest, "\n")) != NULL) {
        unsigned int seq = atomic_fetch_add_explicit(&log_seq, 1, memory_order_relaxed) + 1;

        pthread_mutex_lock(&log_state.lock);
        for (enum log_dest dest = 0; dest < LOG_N_DESTS; dest++) {
            if (dest_wants(module, dest, level)) {
                emit(dest, module, level, seq, line);
            }
        }
        pthread_mutex_unlock(&log_state.lock);
    }
    str_free(&message);
    errno = saved_errno;
}

void
log_write(struct log_module *module, enum log_level level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_write_v(module, level, fmt, args);
    va_end(args);
}

void
log_write_rl(struct log_module *module, enum log_level level, struct log_rate *rl, const char *fmt,
             ...)
{
    unsigned int n_dropped = 0, secs = 0, last_secs = 0;
    va_list args;

    if (atomic_load_explicit(&module->honour_rate_limits, memory_order_relaxed) &&
        !rate_take(rl, &n_dropped, &secs, &last_secs)) {
        return;
    }
    if (n_dropped > 0) {
        log_write(module, level,
                  "Dropped %u log messages in last %u seconds (most recently, %u seconds ago) due "
                  "to excessive rate",
                  n_dropped, secs, last_secs);
    }
    va_start(args, fmt);
    log_write_v(module, level, fmt, args);
    va_end(args);
}

void
log_fatal_(struct log_module *module, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_write_v(module, LOG_LVL_EMER, fmt, args);
    va_end(args);
    exit(EXIT_FAILURE);
}

void
log_abort_(struct log_module *module, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_write_v(module, LOG_LVL_EMER, fmt, args);
    va_end(args);
    abort();
}

/* ---- Tables for vlog/list ---- */

static int
compare_modules(const void *a, const void *b)
{
    const struct log_module *const *x = a;
    const struct log_module *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static const char *
level_at(const struct log_module *module, enum log_dest dest)
{
    return log_level_names[atomic_load_explicit(&module->levels[dest], memory_order_relaxed)];
}

void
log_list(struct str *out)
{
    size_t n = 0;

    for (const struct log_module *m = log_state.modules; m != NULL; m = m->next) {
        n++;
    }
    const struct log_module **sorted = xcalloc(n, sizeof(*sorted));
    n = 0;
    for (const struct log_module *m = log_state.modules; m != NULL; m = m->next) {
        sorted[n++] = m;
    }
    qsort(sorted, n, sizeof(*sorted), compare_modules);

    str_put(out, "                 console    syslog    file\n");
    str_put(out, "                 -------    ------    ------\n");
    for (size_t i = 0; i < n; i++) {
        const struct log_module *m = sorted[i];
        if (i > 0 && strcmp(m->name, sorted[i - 1]->name) == 0) {
            continue;
        }
        bool limited = atomic_load_explicit(&m->honour_rate_limits, memory_order_relaxed);
        str_printf(out, "%-16s  %4s       %4s       %4s%s\n", m->name,
                   level_at(m, LOG_DEST_CONSOLE), level_at(m, LOG_DEST_SYSLOG),
                   level_at(m, LOG_DEST_FILE), limited ? "" : "    (rate limiting disabled)");
    }
    free(sorted);
}

void
log_list_pattern(struct str *out)
{
    static const enum log_dest order[] = {LOG_DEST_SYSLOG, LOG_DEST_CONSOLE, LOG_DEST_FILE};
    static const char *const names[] = {"SYSLOG", "CONSOLE", "FILE"};

    pthread_mutex_lock(&log_state.lock);
    str_put(out, "         prefix                            format\n");
    str_put(out, "         ------                            ------\n");
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        const char *pattern = log_state.patterns[order[i]];
        str_printf(out, "%-7s  %-32s  %s\n", names[i],
                   order[i] == LOG_DEST_SYSLOG ? log_syslog_prefix() : "none",
                   pattern ? pattern : default_patterns[order[i]]);
    }
    pthread_mutex_unlock(&log_state.lock);
}
