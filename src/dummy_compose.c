// SPDX-License-Identifier: Apache-2.0
//
// Joins two folders that do not know each other: devices, and the text of flows.
#include "dummy_compose.h"

#include <stdlib.h>

#include "flow/compose.h"
#include "flow/dpkey.h"

uint8_t *
dummy_compose(const char *flow_text, size_t *size, char **errorp)
{
    enum { CAPACITY = 4096 };
    struct flow flow = {0};

    *errorp = dpkey_parse(flow_text, NULL, &flow, NULL);
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
