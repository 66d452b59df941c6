// SPDX-License-Identifier: Apache-2.0
/*
 * startup_keys.c - the keys that the start-up file may have, and the columns that they set.  A new
 * one is one line here and a word in docs/man/sluiced.json.5.
 */
#include "bridge/startup_int.h"

static const struct startup_key ovs_keys[] = {
    {"other_config", "Open_vSwitch", "other_config"},
    {"external_ids", "Open_vSwitch", "external_ids"},
};
static const struct startup_key bridge_keys[] = {
    {"datapath_type", "Bridge", "datapath_type"},
    {"fail_mode", "Bridge", "fail_mode"},
    {"protocols", "Bridge", "protocols"},
    {"flood_vlans", "Bridge", "flood_vlans"},
    {"mcast_snooping_enable", "Bridge", "mcast_snooping_enable"},
    {"stp_enable", "Bridge", "stp_enable"},
    {"rstp_enable", "Bridge", "rstp_enable"},
    {"other_config", "Bridge", "other_config"},
    {"external_ids", "Bridge", "external_ids"},
};
#define PORT_KEYS                                                                       \
    {"tag", "Port", "tag"}, {"trunks", "Port", "trunks"}, {"cvlans", "Port", "cvlans"}, \
        {"vlan_mode", "Port", "vlan_mode"}, {"protected", "Port", "protected"},         \
        {"bond_mode", "Port", "bond_mode"}, {"bond_updelay", "Port", "bond_updelay"},   \
        {"bond_downdelay", "Port", "bond_downdelay"},                                   \
        {"bond_fake_iface", "Port", "bond_fake_iface"}, {"lacp", "Port", "lacp"},       \
        {"other_config", "Port", "other_config"},                                       \
    {                                                                                   \
        "external_ids", "Port", "external_ids"                                          \
    }
#define IFACE_KEYS                                                                   \
    {"type", "Interface", "type"}, {"options", "Interface", "options"},              \
        {"ofport_request", "Interface", "ofport_request"},                           \
        {"mtu_request", "Interface", "mtu_request"}, {"lldp", "Interface", "lldp"},  \
        {"ingress_policing_rate", "Interface", "ingress_policing_rate"},             \
        {"ingress_policing_burst", "Interface", "ingress_policing_burst"},           \
        {"ingress_policing_kpkts_rate", "Interface", "ingress_policing_kpkts_rate"}, \
    {                                                                                \
        "ingress_policing_kpkts_burst", "Interface", "ingress_policing_kpkts_burst"  \
    }
static const struct startup_key port_keys[] = {
    PORT_KEYS,
    IFACE_KEYS,
    {"mac", "Interface", "mac"},
    {"interface_other_config", "Interface", "other_config"},
    {"interface_external_ids", "Interface", "external_ids"},
};
/* Of a port that has "interfaces". */
static const struct startup_key bond_keys[] = {
    PORT_KEYS,
    {"mac", "Port", "mac"},
};
static const struct startup_key iface_keys[] = {
    IFACE_KEYS,
    {"mac", "Interface", "mac"},
    {"other_config", "Interface", "other_config"},
    {"external_ids", "Interface", "external_ids"},
};

static const struct {
    const char *name;
    const struct startup_key *keys;
    size_t n;
} objects[] = {
    {"Open_vSwitch", ovs_keys, ARRAY_SIZE(ovs_keys)},
    {"Bridge", bridge_keys, ARRAY_SIZE(bridge_keys)},
    {"Port", bond_keys, ARRAY_SIZE(bond_keys)},
    {"Interface", iface_keys, ARRAY_SIZE(iface_keys)},
    {STARTUP_SIMPLE_PORT, port_keys, ARRAY_SIZE(port_keys)},
};

const struct startup_key *
startup_keys(const char *object, size_t *n)
{
    for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
        if (!strcmp(objects[i].name, object)) {
            *n = objects[i].n;
            return objects[i].keys;
        }
    }
    *n = 0;
    return NULL;
}

const struct startup_key *
startup_find_key(const char *object, const char *key)
{
    size_t n;
    const struct startup_key *keys = startup_keys(object, &n);

    for (size_t i = 0; i < n; i++) {
        if (!strcmp(keys[i].key, key)) {
            return &keys[i];
        }
    }
    return NULL;
}
