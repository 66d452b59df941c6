// SPDX-License-Identifier: Apache-2.0
//
// Four functions of the C library stand in front of it here, as an allocator may stand in front of
// malloc(): the executable's definitions win.  They do what the C library's do, except in the
// thread that starts EAL, while it starts.  A library of DPDK that calls another function instead
// (as a statically linked one would) only starts slower.
#include "netdev/dpdk_quick.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_build_config.h>

#include "base/log.h"
#include "netdev/dpdk_ahead.h"

LOG_MODULE(dpdk);

#define CALIBRATION_NS 100000000
#define SHORT_CALIBRATION_NS 10000000 // EAL rounds to 10 MHz: exact to 0.4 % is enough.
#define NODE_PREFIX "/sys/devices/system/node/node"

static _Thread_local bool eal_starts;
static _Thread_local bool hide_drivers;
static bool all_loaded; // main: rw

// --- in front of the C library -------------------------------------------------------------

int nanosleep(const struct timespec *, struct timespec *);
int access(const char *, int);
int stat64(const char *restrict, struct stat64 *restrict);

int
nanosleep(const struct timespec *wanted, struct timespec *left)
{
    static const struct timespec quick = {.tv_nsec = SHORT_CALIBRATION_NS};

    if (eal_starts && wanted->tv_sec == 0 && wanted->tv_nsec == CALIBRATION_NS) {
        wanted = &quick;
    }
    int error = clock_nanosleep(CLOCK_REALTIME, 0, wanted, left);
    errno = error != 0 ? error : errno;
    return error != 0 ? -1 : 0;
}

// EAL asks for each of 128 CPUs which of 32 nodes has it.
static bool
is_missing_node(const char *path)
{
    static uint32_t known, missing; // bits of nodes; main thread
    char dir[sizeof(NODE_PREFIX) + 8];
    unsigned int node;

    if (strncmp(path, NODE_PREFIX, sizeof(NODE_PREFIX) - 1) != 0 ||
        sscanf(path + sizeof(NODE_PREFIX) - 1, "%2u/", &node) != 1 || node >= 32) {
        return false;
    }
    if (!(known & (1u << node))) {
        known |= 1u << node;
        snprintf(dir, sizeof(dir), NODE_PREFIX "%u", node);
        if (faccessat(AT_FDCWD, dir, F_OK, 0) != 0) {
            missing |= 1u << node;
        }
    }
    return (missing & (1u << node)) != 0;
}

int
access(const char *path, int mode)
{
    if (eal_starts && is_missing_node(path)) {
        errno = ENOENT;
        return -1;
    }
    return faccessat(AT_FDCWD, path, mode, 0);
}

int
stat64(const char *restrict path, struct stat64 *restrict st)
{
    if (hide_drivers && strcmp(path, RTE_EAL_PMD_PATH) == 0) {
        errno = ENOENT;
        return -1;
    }
    return fstatat64(AT_FDCWD, path, st, 0);
}

int
memfd_create(const char *name, unsigned int flags)
{
    int fd = eal_starts ? dpdk_ahead_take(name, flags) : -1;

    return fd >= 0 ? fd : (int)syscall(SYS_memfd_create, name, flags);
}

// --- drivers -------------------------------------------------------------------------------

static bool
load(const char *stem)
{
    char *path = xasprintf("%s/librte_%s.so", RTE_EAL_PMD_PATH, stem);
    bool ok = dlopen(path, RTLD_NOW) != NULL;

    if (!ok) {
        log_info("%s", dlerror());
    }
    free(path);
    return ok;
}

void
dpdk_quick_begin(bool lazy_drivers)
{
    // Without these there is no heap of buffers and no bus to look for devices on.
    hide_drivers = lazy_drivers && load("mempool_ring") && load("bus_vdev") && load("bus_pci");
    all_loaded = !hide_drivers;
    eal_starts = true;
}

void
dpdk_quick_end(void)
{
    eal_starts = hide_drivers = false;
}

static void
load_all(void)
{
    static const char prefix[] = "librte_net_", suffix[] = ".so";
    DIR *dir = opendir(RTE_EAL_PMD_PATH);

    all_loaded = true;
    for (struct dirent *d; dir != NULL && (d = readdir(dir)) != NULL;) {
        size_t len = strlen(d->d_name);
        if (len > sizeof(prefix) + sizeof(suffix) - 2 &&
            strncmp(d->d_name, prefix, sizeof(prefix) - 1) == 0 &&
            strcmp(d->d_name + len - (sizeof(suffix) - 1), suffix) == 0) {
            char *stem = xmemdup0(d->d_name + 7, len - 7 - (sizeof(suffix) - 1));
            load(stem);
            free(stem);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

void
dpdk_load_driver(const char *devargs)
{
    // These have no devices of others below them.
    static const struct {
        const char *name, *library;
    } simple[] = {
        {"net_pcap", "net_pcap"},
        {"eth_pcap", "net_pcap"},
        {"net_null", "net_null"},
        {"eth_null", "net_null"},
        {"net_tap", "net_tap"},
        {"net_tun", "net_tap"},
        {"net_ring", "net_ring"},
        {"eth_ring", "net_ring"},
        {"net_af_packet", "net_af_packet"},
        {"eth_af_packet", "net_af_packet"},
        {"net_af_xdp", "net_af_xdp"},
        {"net_virtio_user", "net_virtio"},
        {"net_memif", "net_memif"},
        {"net_vhost", "net_vhost"},
    };
    size_t len = strcspn(devargs, ",");

    if (all_loaded) {
        return;
    }
    while (len > 0 && devargs[len - 1] >= '0' && devargs[len - 1] <= '9') {
        len--;
    }
    for (size_t i = 0; i < ARRAY_SIZE(simple); i++) {
        if (strlen(simple[i].name) == len && strncmp(simple[i].name, devargs, len) == 0 &&
            load(simple[i].library)) {
            return;
        }
    }
    load_all();
}
