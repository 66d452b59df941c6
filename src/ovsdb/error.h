// SPDX-License-Identifier: Apache-2.0
/*
 * error.h - errors as RFC 7047 reports them: a tag that programs compare, a text for people, and,
 * for requests that do not parse, the offending JSON.  Functions of this folder that can fail on a
 * peer's input return a new 'struct ovsdb_error *', or NULL on success.
 */
#ifndef OVSDB_ERROR_H
#define OVSDB_ERROR_H 1

#include <jansson.h>

struct ovsdb_error;

/* The standard's tags (RFC 7047 paragraphs 3.1, 4.1.3 and 5.2), and the few that servers added. */
#define OVSDB_E_SYNTAX "syntax error"
#define OVSDB_E_CONSTRAINT "constraint violation"
#define OVSDB_E_REFERENCE "referential integrity violation"
#define OVSDB_E_DOMAIN "domain error"
#define OVSDB_E_RANGE "range error"
#define OVSDB_E_TIMEOUT "timed out"
#define OVSDB_E_ABORTED "aborted"
#define OVSDB_E_NOT_OWNER "not owner"
#define OVSDB_E_NOT_SUPPORTED "not supported"
#define OVSDB_E_NOT_ALLOWED "not allowed"
#define OVSDB_E_NO_TABLE "unknown table"
#define OVSDB_E_NO_COLUMN "unknown column"
#define OVSDB_E_NO_DATABASE "unknown database"
#define OVSDB_E_DUPLICATE_NAME "duplicate uuid-name"
#define OVSDB_E_DUPLICATE_UUID "duplicate uuid"
#define OVSDB_E_IO "I/O error"
#define OVSDB_E_RESOURCES "resources exhausted"
#define OVSDB_E_CANCELED "canceled"

struct ovsdb_error *ovsdb_error_create(const char *tag, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* An error about 'json', which is quoted (shortened if long) in its "syntax" member. */
struct ovsdb_error *ovsdb_error_at(const char *tag, const json_t *json, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A new "I/O error" for 'error', a positive errno. */
struct ovsdb_error *ovsdb_error_io(int error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void ovsdb_error_free(struct ovsdb_error *error);

const char *ovsdb_error_tag(const struct ovsdb_error *error);

/* The object {"error", "details", "syntax"?}, a new reference. */
json_t *ovsdb_error_to_json(const struct ovsdb_error *error);

/* One line for a log; the caller frees it. */
char *ovsdb_error_to_text(const struct ovsdb_error *error);

/* Frees 'error' and returns its line. */
char *ovsdb_error_take_text(struct ovsdb_error *error);

/* Requires that 'json' is an object whose members are all among the NULL-terminated 'allowed'.
 * 'what' names the object in the error. */
struct ovsdb_error *ovsdb_check_members(const json_t *json, const char *what,
                                        const char *const allowed[]);

#endif /* ovsdb/error.h */
