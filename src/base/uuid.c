// SPDX-License-Identifier: Apache-2.0
/*
 * Random UUIDs and their text form (RFC 4122 section 3 and 4.4).
 */
#include "base/uuid.h"

#include "base/hash.h"
#include "base/random.h"

void
uuid_generate(struct uuid *uuid)
{
    random_bytes(uuid->b, sizeof(uuid->b));
    uuid->b[6] = (uint8_t)((uuid->b[6] & 0x0f) | 0x40);
    uuid->b[8] = (uint8_t)((uuid->b[8] & 0x3f) | 0x80);
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
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
uuid_from_prefix(struct uuid *uuid, const char *s)
{
    struct uuid parsed;
    unsigned int pos = 0;

    for (unsigned int i = 0; i < sizeof(parsed.b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            if (s[pos++] != '-') {
                return false;
            }
        }
        int high = hex_value(s[pos]);
        int low = high >= 0 ? hex_value(s[pos + 1]) : -1;
        if (low < 0) {
            return false;
        }
        parsed.b[i] = (uint8_t)(high << 4 | low);
        pos += 2;
    }
    *uuid = parsed;
    return true;
}

bool
uuid_from_string(struct uuid *uuid, const char *s)
{
    return strlen(s) == UUID_LEN && uuid_from_prefix(uuid, s);
}

void
uuid_format(const struct uuid *uuid, char buf[UUID_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";

    for (unsigned int i = 0; i < sizeof(uuid->b); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *buf++ = '-';
        }
        *buf++ = digits[uuid->b[i] >> 4];
        *buf++ = digits[uuid->b[i] & 15];
    }
    *buf = '\0';
}

uint64_t
uuid_hash(const struct uuid *uuid)
{
    uint64_t words[2];

    memcpy(words, uuid->b, sizeof(words));
    return hash_2u64(words[0], words[1], 0);
}
