// SPDX-License-Identifier: Apache-2.0
/*
 * For fuzz targets that read several JSON values, one after the other.
 */
#ifndef FUZZ_JSON_VALUES_H
#define FUZZ_JSON_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* Calls 'take' with each value at the front of the input, which it borrows, until one does not
 * parse. */
static inline void
fuzz_json_values(const uint8_t *data, size_t size, void (*take)(json_t *json, void *arg), void *arg)
{
    size_t at = 0;

    while (at < size) {
        json_error_t problem;
        json_t *json = json_loadb((const char *)data + at, size - at,
                                  JSON_ALLOW_NUL | JSON_DISABLE_EOF_CHECK, &problem);

        if (json == NULL || problem.position <= 0) {
            json_decref(json);
            break;
        }
        at += (size_t)problem.position;
        take(json, arg);
        json_decref(json);
    }
}

#endif
