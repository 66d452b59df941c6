// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as what comes on the links of an aggregation, with time passing between: the machine
 * holds its promises, and what it sends is what it decodes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ofproto/lacp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(COND)                                    \
    do {                                               \
        if (!(COND)) {                                 \
            fprintf(stderr, "fuzz_lacp: %s\n", #COND); \
            abort();                                   \
        }                                              \
    } while (0)

enum { N_PORTS = 3 };

static void
send_all(struct lacp *lacp, int64_t now)
{
    uint8_t pdu[LACP_PDU_SIZE];
    struct lacp_pdu decoded;
    ofp_port_t port;

    for (int n = 0; lacp_next_pdu(lacp, now, &port, pdu); n++) {
        CHECK(n < N_PORTS);
        CHECK(port >= 1 && port <= N_PORTS);
        CHECK(lacp_pdu_decode(pdu, sizeof pdu, &decoded) == LACP_PDU_LACP);
        CHECK(rte_is_same_ether_addr(&decoded.actor.sys_id, &lacp->cfg.sys_id));
    }
}

static void
check(const struct lacp *lacp, int64_t now)
{
    CHECK(lacp_next_event(lacp) > now);
    for (size_t i = 0; i < lacp->n_members; i++) {
        const struct lacp_member *m = &lacp->members[i];

        CHECK(m->status != LACP_MEMBER_DEFAULTED || m->rx_ends == LACP_NEVER);
        CHECK(!lacp_may_enable(lacp, m->port) || m->attached);
        CHECK(m->counts.rx_bad + m->counts.rx_marker <= m->counts.rx);
    }
}

/* Chunks: a byte for the port and the time that passes, one for the length, then so many bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lacp_cfg cfg = {.sys_priority = 9, .sys_id = {{2, 0, 0, 0, 0, 1}}};
    struct lacp *lacp = lacp_create();
    int64_t now = 1;

    if (size) {
        cfg.active = data[0] & 1;
        cfg.fast = data[0] & 2;
        cfg.fallback_ab = data[0] & 4;
        data++;
        size--;
    }
    lacp_configure(lacp, &cfg);
    for (ofp_port_t port = 1; port <= N_PORTS; port++) {
        const struct lacp_member_cfg m = {.port_id = (uint16_t)port, .port_priority = 1};

        lacp_put_member(lacp, port, "m", &m, now);
    }
    while (size >= 2) {
        size_t len = data[1] < size - 2 ? data[1] : size - 2;
        uint8_t *copy = malloc(len ? len : 1);

        memcpy(copy, data + 2, len);
        now += (data[0] >> 2) * 200;
        lacp_run(lacp, now);
        lacp_receive(lacp, (ofp_port_t)(data[0] & 3), copy, len, now);
        lacp_run(lacp, now);
        send_all(lacp, now);
        check(lacp, now);
        free(copy);
        data += 2 + len;
        size -= 2 + len;
    }
    lacp_destroy(lacp);
    return 0;
}
