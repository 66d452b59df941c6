// SPDX-License-Identifier: Apache-2.0
/*
 * os_release.c - reads two fields of os-release(5).
 */
#include "ovsdb/os_release.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* The value of "KEY=value" or "KEY=\"value\"" if 'line' is one for 'key'; a new string. */
static char *
value_of(const char *line, const char *key)
{
    size_t n = strlen(key);

    if (strncmp(line, key, n) || line[n] != '=') {
        return NULL;
    }
    line += n + 1;
    line += strspn(line, "\"'");
    return xmemdup0(line, strcspn(line, "\"'\r\n"));
}

void
ovsdb_read_os_release(char **id, char **version)
{
    FILE *file = fopen("/etc/os-release", "re");
    char line[512];

    *id = *version = NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        *id = *id != NULL ? *id : value_of(line, "ID");
        *version = *version != NULL ? *version : value_of(line, "VERSION_ID");
    }
    if (file != NULL) {
        fclose(file);
    }
    *id = *id != NULL ? *id : xstrdup("unknown");
    *version = *version != NULL ? *version : xstrdup("unknown");
}
