// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz target: reading a journal of flows that a dead process left.  The first byte says whether
 * the rest is the file as it is, or blocks, each behind two bytes of length, that get a correct
 * checksum, so that mutations reach the records.  Whatever the file holds, reading it either fails
 * before the first message, or gives messages whose length is right; these are decoded as they are
 * when they are restored.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memlog.h"
#include "base/util.h"
#include "ofproto/flow_journal.h"
#include "openflow/ofp_flow.h"
#include "openflow/ofp_group.h"
#include "openflow/ofp_meter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    bool is_begun;
    size_t n;
};

static void
decode(const struct ofp_msg *msg)
{
    struct ofp_flow_mod fm = {0};
    struct ofp_group group = {0};
    struct ofp_meter_config config = {0};
    enum ofp_meter_command command;

    if (msg->type == OFPTYPE_FLOW_MOD) {
        (void)ofp_flow_mod_decode(msg, false, &fm);
        ofp_flow_mod_fini(&fm);
    } else if (msg->type == OFPTYPE_GROUP_MOD) {
        (void)ofp_group_mod_decode(msg, &group);
        ofp_group_fini(&group);
    } else if (msg->type == OFPTYPE_METER_MOD) {
        (void)ofp_meter_mod_decode(msg, &command, &config);
        ofp_meter_config_fini(&config);
    } else {
        abort();
    }
}

static void
on_message(const uint8_t *data, size_t size, int64_t modified_ms, void *seen_)
{
    struct seen *seen = seen_;
    struct ofp_msg msg;

    if (seen->is_begun != (data != NULL)) {
        abort();
    }
    seen->is_begun = true;
    if (data != NULL) {
        if (size < OFP_HEADER_SIZE || ofp_msg_size(data) != size) {
            abort();
        }
        if (ofp_msg_decode(data, size, &msg) == 0) {
            decode(&msg);
        }
        seen->n++;
    }
}

static void
read_it(const uint8_t *data, size_t size)
{
    struct seen seen = {0};
    size_t n_lost = 0;
    int result = flow_journal_read(data, size, on_message, &seen, &n_lost);

    if ((result == 0) != seen.is_begun) {
        abort();
    }
}

/* The bytes of a log of these blocks, for the caller to free. */
static uint8_t *
seal(const uint8_t *data, size_t size, size_t *sealed_size)
{
    struct memlog *log;

    if (memlog_create("fuzz", flow_journal_format(), 1 << 20, &log) != 0) {
        abort();
    }
    while (size > 2) {
        size_t n = MIN((size_t)data[0] << 8 | data[1], size - 2);

        if (n > 0 && memlog_append(log, data + 2, n) != 0) {
            break;
        }
        data += 2 + n;
        size -= 2 + n;
    }
    *sealed_size = memlog_size(log);
    uint8_t *sealed = xmalloc(*sealed_size);
    if (pread(memlog_fd(log), sealed, *sealed_size, 0) != (ssize_t)*sealed_size) {
        abort();
    }
    memlog_close(log);
    return sealed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;
    size_t n;

    if (size == 0) {
        return 0;
    }
    free(log_set_spec("any:any:off"));
    if (data[0] == 's') {
        copy = seal(data + 1, size - 1, &n);
    } else {
        n = size - 1;
        copy = xmemdup(data + 1, n); /* Aligned, and with its own end for sanitizers. */
    }
    read_it(copy, n);
    free(copy);
    return 0;
}
