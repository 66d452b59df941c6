// SPDX-License-Identifier: Apache-2.0
/*
 * What log.c, log_pattern.c, log_spec.c and log_syslog.c share.  Everything in 'log_state' is under
 * its lock unless it says otherwise.
 */
#ifndef BASE_LOG_PRIVATE_H
#define BASE_LOG_PRIVATE_H

#include <pthread.h>

#include "base/log.h"

struct log_state {
    pthread_mutex_t lock;
    const char *program;        /* set by log_init() */
    struct log_module *modules; /* constructors: w */
    char *patterns[LOG_N_DESTS];
    char *file_path;
    int file_fd;           /* -1: none */
    unsigned int facility; /* LOG_USER etc., or LOG_DAEMON. */
    int64_t start_ms;
};

extern struct log_state log_state;

/* log_pattern.c: the line without newline. */
void log_pattern_format(struct str *out, const char *pattern, const char *module,
                        enum log_level level, unsigned int seq, const char *message);

/* log_syslog.c: sends one line; 'text' is what the pattern gave. */
void log_syslog_send(enum log_level level, const char *text);
/* What stands before each line on the wire, as a pattern, for vlog/list-pattern. */
const char *log_syslog_prefix(void);
bool log_facility_from_name(const char *name, unsigned int *facility);

/* log.c: sets the level of 'module' (NULL: all) at 'dest' (-1: all); needs the lock. */
void log_set_level_locked(const char *module, int dest, enum log_level level);
bool log_module_exists(const char *name);

extern const char *const log_level_names[LOG_N_LEVELS];
extern const char *const log_dest_names[LOG_N_DESTS];

#endif
