// SPDX-License-Identifier: Apache-2.0
/*
 * uuid.c - making, printing and parsing the row identifiers of RFC 7047 (the forms of RFC 4122).
 */
#include "ovsdb/uuid.h"

#include <stdlib.h>
#include <sys/random.h>

struct uuid
uuid_random(void)
{
    struct uuid uuid;

    /* Up to 256 bytes come whole once the kernel's pool is initialized. */
    if (getrandom(&uuid, sizeof uuid, 0) != sizeof uuid) {
        abort();
    }
    uuid.b[6] = (uuid.b[6] & 0x0f) | 0x40;
    uuid.b[8] = (uuid.b[8] & 0x3f) | 0x80;
    return uuid;
}

/* True in front of the bytes that a hyphen precedes. */
static bool
uuid_has_hyphen_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

char *
uuid_to_text(const struct uuid *uuid, char buf[UUID_TEXT_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    char *p = buf;

    for (size_t i = 0; i < sizeof uuid->b; i++) {
        if (uuid_has_hyphen_before(i)) {
            *p++ = '-';
        }
        *p++ = digits[uuid->b[i] >> 4];
        *p++ = digits[uuid->b[i] & 15];
    }
    *p = '\0';
    return buf;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

bool
uuid_from_text(const char *text, struct uuid *uuid)
{
    struct uuid parsed;

    for (size_t i = 0; i < sizeof parsed.b; i++) {
        if (uuid_has_hyphen_before(i) && *text++ != '-') {
            return false;
        }
        int high = hex_value(text[0]);
        int low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0) {
            return false;
        }
        parsed.b[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text != '\0') {
        return false;
    }
    *uuid = parsed;
    return true;
}
