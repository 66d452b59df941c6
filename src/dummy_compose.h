// SPDX-License-Identifier: Apache-2.0
//
// What 'netdev-dummy/receive' makes of a packet that is given as a flow's text.
#ifndef DUMMY_COMPOSE_H
#define DUMMY_COMPOSE_H

#include "base/util.h"

// A netdev_dummy_compose_fn (netdev/netdev.h).
uint8_t *dummy_compose(const char *flow_text, size_t *size, char **errorp);

#endif
