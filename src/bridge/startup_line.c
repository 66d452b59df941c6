// SPDX-License-Identifier: Apache-2.0
/*
 * startup_line.c - on which line of a JSON text a member stands.  jansson tells it for errors of
 * syntax only; an unknown key or a bad value deserves it no less.  The text has been parsed before,
 * so that nothing here has to be checked twice.
 */
#include <string.h>

#include "bridge/startup_int.h"

static const char *
skip_space(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* From an opening quote to behind the closing one. */
static const char *
skip_string(const char *p)
{
    for (p++; *p != '"' && *p != '\0'; p++) {
        if (*p == '\\' && p[1] != '\0') {
            p++;
        }
    }
    return *p ? p + 1 : p;
}

/* From the start of a value to behind it. */
static const char *
skip_value(const char *p)
{
    int depth = 0;

    do {
        p = skip_space(p);
        if (*p == '"') {
            p = skip_string(p);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            depth--;
            p++;
        } else if (*p == ',' || *p == ':') {
            p++;
        } else {
            p += strcspn(p, " \t\r\n,:]}");
        }
    } while (depth > 0 && *p != '\0');
    return p;
}

/* The member called 'name' of the object at 'p': its key, and in '*value' its value.  NULL: none.
 * Keys that are written with escapes are not found, which costs a line number only. */
static const char *
find_member(const char *p, const char *name, const char **value)
{
    size_t len = strlen(name);

    p = skip_space(p + 1);
    while (*p == '"') {
        const char *key = p;
        const char *end = skip_string(p);

        *value = skip_space(skip_space(end) + 1);
        if ((size_t)(end - key) == len + 2 && memcmp(key + 1, name, len) == 0) {
            return key;
        }
        p = skip_space(skip_value(*value));
        p = *p == ',' ? skip_space(p + 1) : p;
    }
    return NULL;
}

static const char *
find_element(const char *p, unsigned long index)
{
    p = skip_space(p + 1);
    while (index-- > 0 && *p != ']' && *p != '\0') {
        p = skip_space(skip_value(p));
        p = *p == ',' ? skip_space(p + 1) : p;
    }
    return *p == ']' || *p == '\0' ? NULL : p;
}

/* Where the innermost part of 'path' that is there begins, and in '*valuep' its value. */
static const char *
locate(const char *text, const char *const *path, size_t n, const char **valuep)
{
    const char *value = skip_space(text);
    const char *found = value;

    for (size_t i = 0; i < n; i++) {
        const char *next = NULL;
        const char *next_value = NULL;

        if (*value == '{') {
            next = find_member(value, path[i], &next_value);
        } else if (*value == '[' && path[i][0] == '#') {
            next = next_value = find_element(value, strtoul(path[i] + 1, NULL, 10));
        }
        if (next == NULL) {
            break;
        }
        found = next;
        value = next_value;
    }
    *valuep = value;
    return found;
}

static int
count_lines(const char *from, const char *to)
{
    int n = 0;

    for (const char *p = from; p < to; p++) {
        n += *p == '\n';
    }
    return n;
}

int
startup_line(const char *text, const char *const *path, size_t n)
{
    const char *value;

    return 1 + count_lines(text, locate(text, path, n, &value));
}

void
startup_element_lines(const char *text, const char *const *path, size_t n, int lines[],
                      size_t n_lines)
{
    const char *value, *counted = text;
    int line = 1;

    locate(text, path, n, &value);
    const char *p = *value == '[' ? skip_space(value + 1) : value;
    for (size_t i = 0; i < n_lines; i++) {
        line += count_lines(counted, p);
        counted = p;
        lines[i] = line;
        if (*p != ']' && *p != '\0') {
            p = skip_space(skip_value(p));
            p = *p == ',' ? skip_space(p + 1) : p;
        }
    }
}
