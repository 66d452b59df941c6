// SPDX-License-Identifier: Apache-2.0
/*
 * error.c - the error objects of RFC 7047, see error.h.
 */
#include "ovsdb/error.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* Quoted JSON longer than this is cut: an error must not echo megabytes back. */
#define ERROR_SYNTAX_MAX 1024

struct ovsdb_error {
    char *tag;
    char *details;
    char *syntax; /* or NULL */
};

static struct ovsdb_error *error_new(const char *tag, const char *format, va_list args)
    PRINTF_FORMAT(2, 0);

static struct ovsdb_error *
error_new(const char *tag, const char *format, va_list args)
{
    struct ovsdb_error *error = xcalloc(1, sizeof *error);

    error->tag = xstrdup(tag);
    error->details = xvasprintf(format, args);
    return error;
}

struct ovsdb_error *
ovsdb_error_create(const char *tag, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct ovsdb_error *error = error_new(tag, format, args);
    va_end(args);
    return error;
}

struct ovsdb_error *
ovsdb_error_at(const char *tag, const json_t *json, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    struct ovsdb_error *error = error_new(tag, format, args);
    va_end(args);
    if (json != NULL) {
        error->syntax = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
        if (error->syntax != NULL && strlen(error->syntax) > ERROR_SYNTAX_MAX) {
            size_t end = ERROR_SYNTAX_MAX;

            /* Do not cut a UTF-8 sequence in two. */
            while (end > 0 && ((unsigned char)error->syntax[end] & 0xc0) == 0x80) {
                end--;
            }
            error->syntax[end] = '\0';
        }
    }
    return error;
}

struct ovsdb_error *
ovsdb_error_io(int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    struct ovsdb_error *e = ovsdb_error_create(OVSDB_E_IO, "%s: %s", text, strerror(error));
    free(text);
    return e;
}

void
ovsdb_error_free(struct ovsdb_error *error)
{
    if (error != NULL) {
        free(error->tag);
        free(error->details);
        free(error->syntax);
        free(error);
    }
}

const char *
ovsdb_error_tag(const struct ovsdb_error *error)
{
    return error->tag;
}

json_t *
ovsdb_error_to_json(const struct ovsdb_error *error)
{
    json_t *json = json_object();

    json_object_set_new(json, "error", json_string(error->tag));
    json_object_set_new(json, "details", json_string(error->details));
    if (error->syntax != NULL) {
        json_object_set_new(json, "syntax", json_string(error->syntax));
    }
    return json;
}

char *
ovsdb_error_to_text(const struct ovsdb_error *error)
{
    if (error->syntax != NULL) {
        return xasprintf("%s: %s (in %.120s)", error->tag, error->details, error->syntax);
    }
    return xasprintf("%s: %s", error->tag, error->details);
}

char *
ovsdb_error_take_text(struct ovsdb_error *error)
{
    char *text = ovsdb_error_to_text(error);

    ovsdb_error_free(error);
    return text;
}

struct ovsdb_error *
ovsdb_check_members(const json_t *json, const char *what, const char *const allowed[])
{
    const char *key;
    json_t *value;

    if (!json_is_object(json)) {
        return ovsdb_error_at(OVSDB_E_SYNTAX, json, "Parsing %s failed: object expected.", what);
    }
    json_object_foreach ((json_t *)json, key, value) {
        size_t i = 0;

        while (allowed[i] != NULL && strcmp(allowed[i], key)) {
            i++;
        }
        if (allowed[i] == NULL) {
            return ovsdb_error_at(OVSDB_E_SYNTAX, json,
                                  "Parsing %s failed: member '%s' is not allowed here.", what, key);
        }
    }
    return NULL;
}
