// SPDX-License-Identifier: Apache-2.0
//
// The arguments of rte_eal_init(), made from Open_vSwitch.other_config and from what the machine
// has.  Pure: dpdk.c looks at the machine, the unit test does not.
#ifndef NETDEV_DPDK_ARGS_H
#define NETDEV_DPDK_ARGS_H

#include "base/smap.h"

// What EAL's arguments depend on beside the configuration.
struct dpdk_machine {
    unsigned int first_cpu;   // lowest CPU that this process may run on
    uint64_t free_huge_bytes; // in huge pages that nobody uses
    uint64_t huge_page_bytes; // the size that EAL takes first
    bool has_spare;           // a spare process is to have its share of the memory
    const char *huge_dir;     // where EAL's own choice would fail; of dpdk_huge_dir()
    bool has_pci;             // /sys/bus/pci is there
    const char *file_prefix;  // unique on the machine
};

struct dpdk_args {
    char **argv; // NULL terminated
    int argc;
    bool no_huge;      // ordinary pages
    bool in_memory;    // nothing of EAL's is in a file system
    bool lazy_drivers; // no device is wanted at start: drivers may be read later
    bool missing_huge; // a memory key asks for huge pages, and none are free
    bool has_lcores;   // dpdk-lcore-mask or dpdk-extra name some
    int mask_cpu;      // the lowest of dpdk-lcore-mask; -1: it was not used
    // Keys that say nothing one could understand and are left out; NULL: none.
    const char *bad_lcores, *bad_memory;
};

// A process's EAL and packet buffers with room for some more.  Fewer free huge pages are left to
// those who asked for them; so much is a spare process's share, and a successor's condition: the
// share that comes back with a spare has to be enough for a successor.
#define DPDK_MIN_HUGE_BYTES (128ULL << 20)
// Address space of a --no-huge heap; pages are taken as they are touched.
#define DPDK_NO_HUGE_MB 1024

void dpdk_args_init(struct dpdk_args *, const struct smap *other_config,
                    const struct dpdk_machine *);
// Whether EAL finds the huge pages for which the arguments ask at its start; what is no number is
// EAL's to refuse.  'free_mb': megabytes of huge pages that nobody uses on a node, or with -1 on
// all.
bool dpdk_args_fit(const struct dpdk_args *, uint64_t (*free_mb)(int node));
void dpdk_args_free(struct dpdk_args *);
// Of the huge pages that dpdk-socket-mem or dpdk-alloc-mem name, what the switch leaves to its
// spare process, so that both together have what was asked for.  0: the keys ask for none, or for
// too little.
uint64_t dpdk_args_share_bytes(const struct smap *other_config, uint64_t huge_page_bytes);
// How many bytes of memory EAL takes with these arguments on each of 'n_nodes' NUMA nodes, as far
// as they say so.  'one_node': the machine has no other than node 0, so that all of "-m" is there.
void dpdk_args_node_bytes(const struct dpdk_args *, bool one_node, uint64_t *bytes, size_t n_nodes);
// The arguments on one line, for the log.
void dpdk_args_format(const struct dpdk_args *, struct str *);

#endif
