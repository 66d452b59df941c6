// SPDX-License-Identifier: Apache-2.0
//
// Meters of the datapath: token buckets that an action list passes by number.  Main sets them; any
// PMD asks. A meter is shared by all PMDs and guarded by its own short lock; rates are kept in
// 1/1000 of a packet or of a bit, so that a millisecond clock loses nothing.
#ifndef PMD_METER_H
#define PMD_METER_H

#include <rte_mbuf.h>

#include "pmd/dp.h"

struct meters;

struct meters *meters_create(void);
void meters_destroy(struct meters *);

// False: the packet exceeds its meter.  An unknown meter admits everything.
bool meter_admits(struct meters *, uint32_t id, const struct rte_mbuf *, uint64_t now_ms);

#endif
