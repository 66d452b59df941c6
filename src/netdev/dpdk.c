// SPDX-License-Identifier: Apache-2.0
//
// DPDK's environment layer: started once, by the database's keys or by the first device that needs
// packet buffers, and stopped at exit.  Main thread only.  The arguments are made in dpdk_args.c;
// what DPDK prints goes into our log by dpdk_log.c.
//
// EAL pins the thread that starts it and leaves an empty directory under /var/run/dpdk: both are
// undone here, and so are the locks that a failed start leaves.  A failed start is remembered: EAL
// cannot be started twice, unless it did not like its arguments or would lack huge pages.  Then, if
// dpdk-init does not insist, it is started without those of the database: bridges need packet
// buffers, not DPDK's ports.
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_version.h>

#include "base/clock.h"
#include "base/log.h"
#include "netdev/dpdk_ahead.h"
#include "netdev/dpdk_args.h"
#include "netdev/dpdk_huge.h"
#include "netdev/dpdk_log.h"
#include "netdev/dpdk_quick.h"
#include "netdev/netdev_private.h"
#include "netdev/netdev_pool.h"
#include "netdev/netdev_vhost_guard.h"

LOG_MODULE(dpdk);

// One clears some 5 GB each second: so many are as fast as memory is, or nearly.
enum { AHEAD_THREADS = 8 };

// EAL is one per process, and so is its state.
static struct {
    struct smap config; // the keys for the start to come
    bool tried, started, wanted, stopped;
    bool standby;    // started before there was a configuration
    bool has_spare;  // another process stands by for this one
    bool refused;    // dpdk-init=false, in so many words
    bool keyless;    // the keys were no good, it runs without them
    bool tso_said;   // userspace-tso-enable is in the log
    int wanted_huge; // of a standby: 0 or 1; -1: whatever there is
    int error;       // of the first start
    char *error_text;
    struct dpdk_args args, bad_args; // EAL keeps pointers into them
} dpdk = {.wanted_huge = -1};

static unsigned int
first_cpu(const cpu_set_t *cpus)
{
    for (unsigned int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, cpus)) {
            return i;
        }
    }
    return 0;
}

// Removes EAL's runtime directory and, unless another process uses it, the one above.
static void
remove_runtime_dir(void)
{
    const char *dir = rte_eal_get_runtime_dir();
    if (dir == NULL || dir[0] == '\0' || rmdir(dir) != 0) {
        return;
    }
    char *parent = xstrdup(dir);
    char *slash = strrchr(parent, '/');
    if (slash != NULL && slash != parent) {
        *slash = '\0';
        rmdir(parent);
    }
    free(parent);
}

// Makes the arguments.
static void
prepare_args(const struct smap *config, const cpu_set_t *cpus, uint64_t free_huge)
{
    char prefix[48];

    snprintf(prefix, sizeof(prefix), "sluice-%d", (int)getpid());
    char *huge_dir = dpdk_huge_dir();
    struct dpdk_machine machine = {
        .first_cpu = first_cpu(cpus),
        .free_huge_bytes = free_huge,
        .huge_page_bytes = dpdk_huge_page_bytes(),
        .has_spare = dpdk.has_spare,
        .huge_dir = huge_dir,
        .has_pci = access("/sys/bus/pci/devices", R_OK | X_OK) == 0,
        .file_prefix = prefix,
    };
    dpdk_args_init(&dpdk.args, config, &machine);
    free(huge_dir);
}

// Huge pages are cleared by as many threads as may run, but for a standby: beside it another
// process forwards, which has no processor to spare.
static void
begin_ahead(const cpu_set_t *cpus)
{
    struct dpdk_ahead_plan plan = {.make = dpdk_ahead_make};

    if (!dpdk.standby && !dpdk.args.no_huge) {
        plan.n_threads = MIN((unsigned int)CPU_COUNT(cpus), (unsigned int)AHEAD_THREADS);
        dpdk_args_node_bytes(&dpdk.args, dpdk_huge_has_one_node(), plan.bytes,
                             ARRAY_SIZE(plan.bytes));
    }
    dpdk_ahead_begin(&plan);
}

// Starts EAL with dpdk.args; returns 0 or a positive errno.
static int
run_eal(const cpu_set_t *cpus)
{
    struct str line = STR_INIT;

    dpdk_args_format(&dpdk.args, &line);
    log_info("EAL ARGS: %s", str_cstr(&line));
    str_free(&line);
    dpdk_log_open();
    netdev_vhost_guard_start();
    // EAL permutes what it gets; the words themselves must live on.
    char **argv = xmemdup(dpdk.args.argv, ((size_t)dpdk.args.argc + 1) * sizeof(*argv));
    begin_ahead(cpus);
    dpdk_quick_begin(dpdk.args.lazy_drivers);
    int rc = rte_eal_init(dpdk.args.argc, argv);
    int error = rc < 0 ? (rte_errno != 0 ? rte_errno : EINVAL) : 0;
    dpdk_quick_end();
    dpdk_ahead_end();
    free(argv);
    if (error != 0) {
        dpdk_huge_unlock();
    }
    return error;
}

// EAL put the thread where its first lcore is.  It stays where the keys want it, as the threads
// that it makes from now on, and goes back where they say nothing.
static void
place_thread(const cpu_set_t *before)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    if (dpdk.args.mask_cpu >= 0) {
        CPU_SET(dpdk.args.mask_cpu, &one);
        sched_setaffinity(0, sizeof(one), &one);
    } else if (!dpdk.args.has_lcores) {
        sched_setaffinity(0, sizeof(*before), before);
    }
}

static bool
must_start(void)
{
    return strcasecmp(smap_get_def(&dpdk.config, "dpdk-init", "false"), "true") == 0;
}

// Those of a process that has just ended may be on their way.
#define PAGES_MS 2000
#define PAGES_POLL_MS 20

// Waits for the huge pages that EAL is to take at once; false if they are missing.
static bool
await_pages(void)
{
    bool fit = dpdk_args_fit(&dpdk.args, dpdk_huge_free_mb);

    for (int ms = 0; !fit && ms < PAGES_MS; ms += PAGES_POLL_MS) {
        usleep(PAGES_POLL_MS * 1000);
        fit = dpdk_args_fit(&dpdk.args, dpdk_huge_free_mb);
    }
    if (!fit) {
        log_warn(
            "DPDK is to have more huge pages than the %llu MB that are free, on a NUMA node or "
            "on all",
            (unsigned long long)dpdk_huge_free_mb(-1));
    }
    return fit;
}

static int
eal_init(const struct smap *config)
{
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    sched_getaffinity(0, sizeof(cpus), &cpus);
    int64_t start_us = clock_now_us();
    // What is free is known when those who were first have taken theirs.
    bool can_have = dpdk_huge_wait(smap_get(config, "dpdk-hugepage-dir"));
    prepare_args(config, &cpus, can_have ? dpdk_huge_free_bytes() : 0);
    if (dpdk.wanted_huge >= 0 && dpdk.args.no_huge == (dpdk.wanted_huge == 1)) {
        return -ENOMEM;
    }
    // EAL would find out when it is too late to start once more, and who does not insist on DPDK is
    // to have his bridges.
    if (!await_pages() && !must_start()) {
        return -ENOMEM;
    }
    int error = run_eal(&cpus);
    if (error == 0) {
        place_thread(&cpus);
    } else {
        sched_setaffinity(0, sizeof(cpus), &cpus);
    }
    remove_runtime_dir();
    if (error == 0) {
        log_info("%s started in %.1f ms", dpdk_version_text(),
                 (double)(clock_now_us() - start_us) / 1000.0);
    }
    return -error;
}

static void
report_bad_keys(void)
{
    const char *const keys[] = {dpdk.args.bad_lcores, dpdk.args.bad_memory};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        if (keys[i] != NULL) {
            log_warn("other_config:%s '%s' is not understood, DPDK runs without it", keys[i],
                     smap_get_def(&dpdk.config, keys[i], ""));
        }
    }
}

// After a start that failed.
static void
start_without_keys(void)
{
    const struct smap none = SMAP_INIT;

    dpdk.bad_args = dpdk.args;
    if (eal_init(&none) == 0) {
        log_err(
            "DPDK runs without other_config:dpdk-*, for bridges only: there are no ports of type "
            "dpdk and dpdkvhostuser*");
        dpdk.error = 0;
        dpdk.keyless = true;
    }
}

int
dpdk_start(const struct smap *other_config, char **errorp)
{
    if (!dpdk.tried) {
        dpdk.tried = true;
        if (other_config != NULL) {
            smap_clone(&dpdk.config, other_config);
        }
        dpdk.error = eal_init(&dpdk.config);
        if (dpdk.error != 0) {
            dpdk.error_text =
                xasprintf("cannot start DPDK (%s); its log lines say why", err_str(dpdk.error));
            log_at(dpdk.standby ? LOG_LVL_INFO : LOG_LVL_ERR, "%s", dpdk.error_text);
            if (!dpdk.standby && !must_start()) {
                start_without_keys();
            }
        }
        dpdk.started = dpdk.error == 0;
        report_bad_keys();
        if (!dpdk.started || dpdk.keyless) {
            // It has been said.
        } else if (dpdk.args.missing_huge) {
            log_warn("huge pages are asked for and none are free: DPDK runs on ordinary pages");
        } else if (dpdk.args.no_huge) {
            log_info("DPDK runs on ordinary pages (--no-huge): set vm.nr_hugepages for full speed");
        }
        if (dpdk.started && !dpdk.standby && !dpdk.keyless) {
            dpdk_note_write(&dpdk.config, !dpdk.args.no_huge);
        }
    }
    if (dpdk.error != 0 && errorp != NULL) {
        *errorp = xstrdup(dpdk.error_text);
    }
    return dpdk.error;
}

int
dpdk_start_standby(const struct smap *config, bool huge, char **errorp)
{
    dpdk.wanted_huge = huge;
    dpdk.standby = true;
    return dpdk_start(config, errorp);
}

void
dpdk_expect_spare(void)
{
    dpdk.has_spare = true;
}

int
dpdk_set_config(const struct smap *config, char **errorp)
{
    const char *init = smap_get_def(config, "dpdk-init", "false");
    bool wanted = strcasecmp(init, "true") == 0 || strcasecmp(init, "try") == 0;

    dpdk.refused = smap_get(config, "dpdk-init") != NULL && !wanted;
    bool fresh = !dpdk.tried || dpdk.standby;
    if (fresh) {
        smap_clone(&dpdk.config, config);
    }
    if (!dpdk.tso_said && smap_get_bool(&dpdk.config, "userspace-tso-enable", false)) {
        dpdk.tso_said = true;
        log_info("Userspace TCP Segmentation Offloading support enabled");
    }
    dpdk.standby = false;
    if (dpdk.started && !dpdk.keyless) {
        dpdk_note_write(config, !dpdk.args.no_huge);
    }
    if (!wanted || dpdk.wanted || dpdk.keyless) {
        return 0;
    }
    if (dpdk.started && !fresh) {
        log_info("DPDK Enabled - it runs since an earlier port was opened; memory and core keys "
                 "take effect when the daemon starts again");
    } else if (fresh) {
        log_info("DPDK Enabled - initializing...");
    }
    int error = dpdk_start(NULL, errorp);
    if (error == 0 && !dpdk.keyless) {
        dpdk.wanted = true;
        log_info("DPDK Enabled - initialized");
    }
    return error;
}

bool
dpdk_started(void)
{
    return dpdk.started && !dpdk.stopped;
}

bool
dpdk_wanted(void)
{
    return dpdk.wanted || (dpdk_started() && !dpdk.refused && !dpdk.keyless);
}

const struct smap *
dpdk_config(void)
{
    return &dpdk.config;
}

const char *
dpdk_version_text(void)
{
    return rte_version();
}

void
dpdk_stop(void)
{
    if (dpdk_started()) {
        netdev_pool_fini();
        dpdk_note_remove();
        dpdk.stopped = true;
        // Giving back 1 GB page by page takes 120 ms in which nobody forwards; the kernel does it
        // at our end in a tenth of that.
        if (dpdk.args.no_huge || !dpdk.args.in_memory) {
            rte_eal_cleanup();
        }
        remove_runtime_dir();
    }
    dpdk_log_close();
    dpdk_args_free(&dpdk.args);
    dpdk_args_free(&dpdk.bad_args);
    smap_destroy(&dpdk.config);
    free(dpdk.error_text);
    dpdk.error_text = NULL;
}
