// SPDX-License-Identifier: Apache-2.0
/* The choice of an OpenFlow version that both peers speak; see ofp_version.h.  Called by the HELLO
 * codec (ofp_switch.c) and by connections in ofproto.
 */
#include "openflow/ofp_version.h"

unsigned int
ofp_version_negotiate(uint32_t ours, uint32_t theirs)
{
    uint32_t common = ours & theirs & OFP_VERSIONS_ALL;

    return common ? 31 - (unsigned int)__builtin_clz(common) : 0;
}

uint32_t
ofp_version_bitmap_up_to(uint8_t version)
{
    if (version >= 31) {
        return 0xfffffffeu;
    }
    return ((2u << version) - 1) & ~1u;
}
