// SPDX-License-Identifier: Apache-2.0
//
// Joins two folders that do not know each other: devices, and the text of flows.
#include "dummy_compose.h"

#include <stdlib.h>
#include <string.h>

#include "flow/compose.h"
#include "flow/dpkey.h"

/* A tunnel's headers have a TTL, and hermetic tests elsewhere rely on being told. */
static bool
lacks_ttl(const char *flow_text)
{
    const char *s = strstr(flow_text, "tunnel(");
    int depth = 0;

    for (; s != NULL && *s != '\0'; s++) {
        depth += (*s == '(') - (*s == ')');
        if (depth == 0 && *s == ')') {
            return true;
        }
        if (depth == 1 && strncmp(s, "ttl=", 4) == 0) {
            return false;
        }
    }
    return false;
}

uint8_t *
dummy_compose(const char *flow_text, size_t *size, char **errorp)
{
    enum { CAPACITY = 4096 };
    struct flow flow = {0};

    *errorp = dpkey_parse(flow_text, NULL, &flow, NULL);
    if (*errorp == NULL && lacks_ttl(flow_text)) {
        *errorp = xasprintf("tunnel options missing TTL; the flow key in error is: %s", flow_text);
    }
    if (*errorp != NULL) {
        return NULL;
    }
    uint8_t *frame = xmalloc(CAPACITY);
    if (flow.packet_type) {
        /* A dummy's frames are Ethernet's, whatever the text says of the packet's type. */
        flow.dl_type = (rte_be16_t)(flow.packet_type >> 16);
        flow.packet_type = 0;
    }
    *size = flow_compose(&flow, frame, CAPACITY, FLOW_PAYLOAD);
    if (*size == 0) {
        *errorp = xasprintf("%s: no packet has these fields", flow_text);
        free(frame);
        return NULL;
    }
    return frame;
}
