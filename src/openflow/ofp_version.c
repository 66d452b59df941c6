// SPDX-License-Identifier: Apache-2.0
/* Names of the OpenFlow versions and the choice of one that both peers speak.
 *
 * See ofp_version.h.  Called by the HELLO codec (ofp_switch.c), by connections in ofproto, and by
 * the bridge when it reads the 'protocols' column.
 */
#include "openflow/ofp_version.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    const char *short_name;
} versions[OFP_VERSION_MAX + 1] = {
    [OFP10_VERSION] = {"OpenFlow10", "OF1.0"}, [OFP11_VERSION] = {"OpenFlow11", "OF1.1"},
    [OFP12_VERSION] = {"OpenFlow12", "OF1.2"}, [OFP13_VERSION] = {"OpenFlow13", "OF1.3"},
    [OFP14_VERSION] = {"OpenFlow14", "OF1.4"}, [OFP15_VERSION] = {"OpenFlow15", "OF1.5"},
};

const char *
ofp_version_name(enum ofp_version version)
{
    return ofp_version_is_valid(version) ? versions[version].name : NULL;
}

const char *
ofp_version_short_name(enum ofp_version version)
{
    return ofp_version_is_valid(version) ? versions[version].short_name : NULL;
}

bool
ofp_version_from_name(const char *name, enum ofp_version *version)
{
    for (int v = OFP_VERSION_MIN; v <= OFP_VERSION_MAX; v++) {
        if (!strcmp(versions[v].name, name)) {
            *version = v;
            return true;
        }
    }
    return false;
}

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
