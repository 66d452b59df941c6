// SPDX-License-Identifier: Apache-2.0
/*
 * Log specifications from -v and vlog/set: "module:destination:level" in any order and with any
 * part left out, "PATTERN:destination:pattern", "FACILITY:name".
 */
#include <stdlib.h>
#include <strings.h>

#include "base/log_private.h"

static int
find_name(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        if (strcasecmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* "DEST:PATTERN", DEST may be ANY; without a pattern it is empty. */
static char *
set_pattern(const char *spec)
{
    spec += strspn(spec, ":");
    const char *colon = spec + strcspn(spec, ":");

    if (colon == spec) {
        return xstrdup("missing destination");
    }
    char *name = xmemdup0(spec, (size_t)(colon - spec));
    int dest = find_name(log_dest_names, LOG_N_DESTS, name);
    if (dest < 0 && strcasecmp(name, "any") != 0) {
        char *error = xasprintf("unknown destination \"%s\"", name);
        free(name);
        return error;
    }
    free(name);
    pthread_mutex_lock(&log_state.lock);
    for (int d = 0; d < LOG_N_DESTS; d++) {
        if (dest < 0 || dest == d) {
            free(log_state.patterns[d]);
            log_state.patterns[d] = xstrdup(*colon ? colon + 1 : colon);
        }
    }
    pthread_mutex_unlock(&log_state.lock);
    return NULL;
}

static char *
set_facility(const char *name)
{
    unsigned int facility;

    if (!log_facility_from_name(name, &facility)) {
        return xstrdup("invalid facility");
    }
    pthread_mutex_lock(&log_state.lock);
    log_state.facility = facility;
    pthread_mutex_unlock(&log_state.lock);
    return NULL;
}

struct spec {
    char *module; /* NULL: any */
    int dest;     /* -1: any */
    int level;    /* -1: not given */
};

static char *
parse_word(struct spec *spec, const char *word)
{
    int index;

    if ((index = find_name(log_dest_names, LOG_N_DESTS, word)) >= 0) {
        if (spec->dest >= 0) {
            return xstrdup("cannot specify multiple destinations");
        }
        spec->dest = index;
    } else if ((index = find_name(log_level_names, LOG_N_LEVELS, word)) >= 0) {
        if (spec->level >= 0) {
            return xstrdup("cannot specify multiple levels");
        }
        spec->level = index;
    } else if (log_module_exists(word)) {
        if (spec->module != NULL) {
            return xstrdup("cannot specify multiple modules");
        }
        spec->module = xstrdup(word);
    } else if (strcasecmp(word, "ANY") != 0) {
        return xasprintf("no destination, level, or module \"%s\"", word);
    }
    return NULL;
}

/* Whether 'text' is 'word', or that with a colon behind it. */
static bool
is_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    return strncasecmp(text, word, n) == 0 && (text[n] == ':' || text[n] == '\0');
}

char *
log_set_spec(const char *text)
{
    struct spec spec = {NULL, -1, -1};
    char *error = NULL;

    if (text == NULL) {
        text = "";
    }
    if (is_word(text, "PATTERN")) {
        return set_pattern(text + strlen("PATTERN"));
    }
    if (is_word(text, "FACILITY")) {
        text += strlen("FACILITY");
        return set_facility(text + (*text == ':'));
    }
    char *copy = xstrdup(text);
    char *save = NULL;
    for (char *word = strtok_r(copy, " ,:\t", &save); word != NULL && error == NULL;
         word = strtok_r(NULL, " ,:\t", &save)) {
        error = parse_word(&spec, word);
    }
    if (error == NULL) {
        pthread_mutex_lock(&log_state.lock);
        log_set_level_locked(spec.module, spec.dest,
                             spec.level < 0 ? LOG_LVL_DBG : (enum log_level)spec.level);
        pthread_mutex_unlock(&log_state.lock);
    }
    free(spec.module);
    free(copy);
    return error;
}
