// SPDX-License-Identifier: Apache-2.0
//
// A stdio stream whose writer is our log.  rte_log() prints one message and flushes, in the thread
// that logs, so that the message's level can be asked for while it is written.
#include "netdev/dpdk_log.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include <rte_log.h>

#include "base/log.h"

LOG_MODULE(dpdk);

static FILE *dpdk_stream; // main: w

static enum log_level
level_from_dpdk(int level)
{
    if (level <= 0) {
        return LOG_LVL_INFO;
    }
    switch ((uint32_t)level) {
    case RTE_LOG_EMERG:
    case RTE_LOG_ALERT:
    case RTE_LOG_CRIT:
    case RTE_LOG_ERR:
        return LOG_LVL_ERR;
    case RTE_LOG_WARNING:
        return LOG_LVL_WARN;
    case RTE_LOG_NOTICE:
    case RTE_LOG_INFO:
        return LOG_LVL_INFO;
    default:
        return LOG_LVL_DBG;
    }
}

// Messages that DPDK calls errors although nothing is wrong: drivers look for what may be missing.
static const char *const harmless[] = {
    "failed to connect:", // the guest's socket may come later
    "reconnecting...",
    "tap_mp_req_on_rxtx()",  // no secondary process to tell
    "tap_nl_dump_ext_ack()", // a kernel without multiq: net_tap does without rte_flow
    "qdisc_create_multiq()",
    "failed to create multiq qdisc",
    "Disabling rte flow support",
    "hugepages reported on node", // of the sizes that the operator did not choose
    "and vq->used->idx (",        // a crash of ours: the relay does not know how far rings were
    "some packets maybe resent for Tx and dropped for Rx",
    "RING: Cannot reserve memory", // netdev_pool.c tries again with less
};

static bool
is_harmless(const char *buf, size_t size)
{
    for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
        if (memmem(buf, size, harmless[i], strlen(harmless[i])) != NULL) {
            return true;
        }
    }
    return false;
}

static ssize_t
dpdk_log_write(void *cookie, const char *buf, size_t size)
{
    static struct log_rate rate = LOG_RATE_INIT(600, 600);
    enum log_level level = level_from_dpdk(rte_log_cur_msg_loglevel());
    size_t len = size;

    while (len > 0 && (buf[len - 1] == '\n' || buf[len - 1] == '\r')) {
        len--;
    }
    if (level < LOG_LVL_INFO && is_harmless(buf, len)) {
        level = LOG_LVL_INFO;
    }
    if (len > 0) {
        log_at_rl(&rate, level, "%.*s", (int)len, buf);
    }
    return (ssize_t)size;
}

void
dpdk_log_open(void)
{
    const cookie_io_functions_t io = {.write = dpdk_log_write};

    if (dpdk_stream == NULL) {
        dpdk_stream = fopencookie(NULL, "w", io);
    }
    if (dpdk_stream != NULL) {
        setvbuf(dpdk_stream, NULL, _IOFBF, 4096);
        rte_openlog_stream(dpdk_stream);
    }
}

void
dpdk_log_close(void)
{
    if (dpdk_stream != NULL) {
        rte_openlog_stream(NULL);
        fclose(dpdk_stream);
        dpdk_stream = NULL;
    }
}
