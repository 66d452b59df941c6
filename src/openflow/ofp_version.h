// SPDX-License-Identifier: Apache-2.0
/* OpenFlow protocol versions: wire numbers, sets of them, names, negotiation.
 *
 * A set of versions is a bitmap in which bit N stands for wire version N (so bit 4 is
 * OpenFlow 1.3), exactly as the version bitmap element of OFPT_HELLO has it (OpenFlow 1.3.1,
 * section 7.5.1). Pure functions; any thread.
 */
#ifndef OPENFLOW_OFP_VERSION_H
#define OPENFLOW_OFP_VERSION_H 1

#include <stdbool.h>
#include <stdint.h>

enum ofp_version {
    OFP10_VERSION = 0x01,
    OFP11_VERSION = 0x02,
    OFP12_VERSION = 0x03,
    OFP13_VERSION = 0x04,
    OFP14_VERSION = 0x05,
    OFP15_VERSION = 0x06,
};

#define OFP_VERSION_MIN OFP10_VERSION
#define OFP_VERSION_MAX OFP15_VERSION
#define OFP_N_VERSIONS 6

#define OFP_VERSION_BIT(V) (1u << (V))
#define OFP_VERSIONS_ALL 0x7eu

static inline bool
ofp_version_is_valid(unsigned int version)
{
    return version >= OFP_VERSION_MIN && version <= OFP_VERSION_MAX;
}

/* The highest version that both bitmaps have, or 0 if they have none in common. */
unsigned int ofp_version_negotiate(uint32_t ours, uint32_t theirs);

/* The bitmap that a HELLO without a bitmap element stands for: every version up to 'version'. */
uint32_t ofp_version_bitmap_up_to(uint8_t version);

#endif
