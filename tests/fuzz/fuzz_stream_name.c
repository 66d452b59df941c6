// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: names of streams, which come from the database ("tcp:HOST:PORT", "punix:FILE"). What
 * is taken is one thing: a path, an address or the name of a host; what is refused has an error
 * without control characters, and of a bounded size.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "rpc/lookup.h"
#include "rpc/stream.h"
#include "rpc/stream_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_error(const char *error)
{
    if (error == NULL || strlen(error) > 1000) {
        abort();
    }
    for (const char *c = error; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 127) {
            abort();
        }
    }
}

static void
check(const struct stream_address *address)
{
    int n = (address->path != NULL) + (address->host != NULL) + (address->ip_len != 0);

    if (n != 1 || (address->passive && address->host != NULL) ||
        (address->host != NULL && !lookup_is_name(address->host)) ||
        (address->kind == STREAM_UNIX) != (address->path != NULL)) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = {0, 6653};
    char *name = xmemdup0((const char *)data, size);

    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        struct stream_address address;
        char *error = NULL;

        if (stream_address_parse(&address, name, ports[i], &error) == 0) {
            check(&address);
        } else {
            check_error(error);
        }
        stream_address_free(&address);
        free(error);
    }
    free(stream_name_check(name));
    free(name);
    return 0;
}
