// SPDX-License-Identifier: Apache-2.0
/*
 * From a flow back to a packet that has it: 'ofproto/trace -generate', 'netdev-dummy/receive' with
 * a key, tests.  The inverse of flow_extract() for well-formed flows.
 */
#ifndef SLUICE_FLOW_COMPOSE_H
#define SLUICE_FLOW_COMPOSE_H 1

#include "flow/flow.h"

/*
 * Writes a frame with the headers of 'flow' and 'payload_size' bytes of payload (FLOW_PAYLOAD is
 * what ofproto/trace gives), lengths and checksums right.  Returns its size, or 0 if it does not
 * fit.
 */
enum { FLOW_PAYLOAD = 64 };
uint32_t flow_compose(const struct flow *flow, void *mem, uint32_t cap, uint32_t payload_size);

#endif
