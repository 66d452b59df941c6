// SPDX-License-Identifier: Apache-2.0
//
// Balanced bonds of the datapath: which port each of 256 buckets sends to (lb_output).  Main sets
// them (dp.h), PMDs choose.  What is moved from a port to another is moved here, and no megaflow
// learns of it.
#ifndef PMD_BONDS_H
#define PMD_BONDS_H

#include "pmd/dp.h"
#include "base/str.h"

struct bonds;

struct bonds *bonds_create(void);
void bonds_destroy(struct bonds *);

// Of the hash of a packet: counts its 'bytes' for the bucket and returns the bucket's port;
// ODPP_NONE when it has none.  'lane' keeps the counters of threads apart.
struct bond_map;
odp_port_t bond_map_choose(const struct bond_map *, unsigned lane, uint32_t hash, uint32_t bytes);
// NULL: no such bond.
const struct bond_map *bonds_find(const struct bonds *, uint32_t id);
uint32_t bond_map_basis(const struct bond_map *);

// The text of dpif-netdev/bond-show; main.
void bonds_show(const struct bonds *, struct str *out);

#endif
