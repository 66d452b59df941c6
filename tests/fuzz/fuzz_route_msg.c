// SPDX-License-Identifier: Apache-2.0
/* Any bytes as messages of rtnetlink: a route that comes out of them is whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tunnel/route_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(COND)                                         \
    do {                                                    \
        if (!(COND)) {                                      \
            fprintf(stderr, "fuzz_route_msg: %s\n", #COND); \
            abort();                                        \
        }                                                   \
    } while (0)

static void
check(const struct nlmsghdr *nlh)
{
    struct route r;
    uint32_t ifindex;

    if (route_msg_decode(nlh, &r, &ifindex)) {
        struct in6_addr prefix = address_prefix(&r.dst, r.plen);

        CHECK(r.plen <= ADDRESS_BITS);
        CHECK(memcmp(&prefix, &r.dst, sizeof(prefix)) == 0);
        CHECK(r.kind == ROUTE_CACHED || r.kind == ROUTE_LOCAL);
        CHECK(ifindex != 0);
        CHECK(r.dev[0] == '\0');
    }
}

/* Messages one after the other; the kernel's word on where each ends is taken, as far as it fits.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t ofs = 0;

    while (size - ofs >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr nlh;

        memcpy(&nlh, data + ofs, sizeof(nlh));
        if (nlh.nlmsg_len < sizeof(nlh) || MNL_ALIGN((uint64_t)nlh.nlmsg_len) > size - ofs) {
            break;
        }
        /* Of exactly that size, for AddressSanitizer; malloc() aligns it as a socket's buffer is.
         */
        struct nlmsghdr *copy = malloc(MNL_ALIGN(nlh.nlmsg_len));
        memcpy(copy, data + ofs, MNL_ALIGN(nlh.nlmsg_len));
        check(copy);
        free(copy);
        ofs += MNL_ALIGN(nlh.nlmsg_len);
    }
    return 0;
}
