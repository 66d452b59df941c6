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
    *size = flow_compose(&flow, frame, CAPACITY, 0);
    if (*size == 0) {
        *errorp = xasprintf("%s: no packet has these fields", flow_text);
        free(frame);
        return NULL;
    }
    return frame;
}
