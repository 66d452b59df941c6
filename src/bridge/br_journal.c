// SPDX-License-Identifier: Apache-2.0
/*
 * br_journal.c - what a bridge knows beside its rows, for the process that the monitor starts after
 * a crash.
 *
 * Flows, groups and meters are in a log that ofproto writes with each change
 * (ofproto/flow_journal.h); MAC addresses are written as a whole, some time after they changed. The
 * keeper (base/keep.h) has both under the UUID of the bridge's row, so that a bridge that was made
 * anew in between gets nothing of the one before.
 *
 * What makes a process crash may be in that very state.  Each restore is counted in the log until
 * the process has lived for ten seconds; after three in a row the next one starts empty.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/keep.h"
#include "base/log.h"
#include "bridge/bridge_int.h"

LOG_MODULE(bridge);

enum {
    MAX_RESTORES = 3,
    MACS_MS = 1000,  /* at least this long between two writings of MAC addresses */
    MACS_PER_MS = 8, /* and as long as this many take, which bounds the work of large tables */
};

static void
journal_name(const struct br *br, const char *what, char name[KEEP_NAME_MAX])
{
    char uuid[UUID_LEN + 1];

    uuid_format(&br->journal_uuid, uuid);
    snprintf(name, KEEP_NAME_MAX, "%s:%s", what, uuid);
}

/* --- MAC addresses --- */

static void
forget_macs(struct br *br)
{
    char name[KEEP_NAME_MAX];

    journal_name(br, "journal-macs", name);
    keep_drop(name);
    if (br->journal_macs_fd >= 0) {
        close(br->journal_macs_fd);
        br->journal_macs_fd = -1;
    }
}

static void
save_macs(struct br *br, uint64_t seq)
{
    char name[KEEP_NAME_MAX];
    size_t size;
    uint8_t *data = ofproto_save_macs(br->ofproto, &size);
    int fd = br_state_file("macs", data, size);

    free(data);
    br->journal_macs_seq = seq;
    br->journal_macs_due_ms = clock_now_ms() + MACS_MS + (int64_t)(size / 16 / MACS_PER_MS);
    if (fd < 0) {
        return; /* Those of the last time stay. */
    }
    journal_name(br, "journal-macs", name);
    keep_put(name, fd);
    if (br->journal_macs_fd >= 0) {
        close(br->journal_macs_fd);
    }
    br->journal_macs_fd = fd;
}

/* --- restoring --- */

static void
log_restore(const struct br *br, int result, size_t n_flows, size_t n_refused)
{
    if (result == -ESTALE) {
        log_info("bridge %s: its controllers or fail mode changed, starting without the flows of "
                 "the process before",
                 br->name);
    } else if (result == -ENODATA) {
        log_warn("bridge %s: the process before had given up its journal, or could not hand on the "
                 "newest one; starting without its flows",
                 br->name);
    } else if (result) {
        log_err("bridge %s: the journal of the process before is %s, starting without its flows",
                br->name, result == -EPROTO ? "of another version" : "damaged");
    } else {
        log_info("bridge %s: restored %zu flows of the process before", br->name, n_flows);
    }
    if (n_refused) {
        log_err("bridge %s: %zu flows, groups or meters of the process before are lost; the others "
                "are in force",
                br->name, n_refused);
    }
}

/* True when the log is in force; '*n_restores' is for the one that follows it. */
static bool
restore_from(struct br *br, void *data, size_t size, uint32_t *n_restores)
{
    size_t n_flows, n_refused;

    *n_restores = ofproto_journal_note_restore(data, size) + 1;
    if (*n_restores > MAX_RESTORES) {
        log_err("bridge %s: %u processes in a row crashed soon after they had restored its flows, "
                "starting without them",
                br->name, (unsigned int)MAX_RESTORES);
        *n_restores = 0;
        return false;
    }
    int result = ofproto_journal_restore(br->ofproto, data, size, &n_flows, &n_refused);
    log_restore(br, result, n_flows, n_refused);
    return result == 0;
}

/* The same for a descriptor, which it takes. */
static bool
restore_fd(struct br *br, int fd, uint32_t *n_restores)
{
    struct stat st;
    bool ok = false;

    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (data != MAP_FAILED) {
            ok = restore_from(br, data, (size_t)st.st_size, n_restores);
            munmap(data, (size_t)st.st_size);
        }
    }
    close(fd);
    return ok;
}

/* Takes what the process before left under 'what'; -1: nothing, or it is not to be used. */
static int
take(const struct br *br, const char *what, bool use)
{
    char name[KEEP_NAME_MAX];

    journal_name(br, what, name);
    int fd = keep_take(name);
    if (fd >= 0 && !use) {
        close(fd);
        keep_drop(name);
        fd = -1;
    }
    return fd;
}

bool
br_journal_sync(struct br *br, bool has_state)
{
    if (ofproto_journal_is_on(br->ofproto) && !uuid_equals(&br->journal_uuid, &br->uuid)) {
        br_journal_stop(br); /* Another row of the same name, in one transaction. */
    }
    br->journal_uuid = br->uuid;
    bool wanted = br->all->journal_wanted && keep_is_attached();
    bool use = wanted && !has_state, restored = false;
    int flows_fd = take(br, "journal", use), macs_fd = take(br, "journal-macs", use);
    char name[KEEP_NAME_MAX];
    uint32_t n_restores = 0;

    if (flows_fd >= 0) {
        restored = restore_fd(br, flows_fd, &n_restores);
    }
    if (macs_fd >= 0) {
        if (restored || flows_fd < 0) {
            br_state_restore_macs(br, macs_fd);
        }
        close(macs_fd);
        if (!restored) {
            journal_name(br, "journal-macs", name);
            keep_drop(name);
        }
    }
    if (wanted && !ofproto_journal_is_on(br->ofproto)) {
        journal_name(br, "journal", name);
        if (flows_fd >= 0 && !restored) {
            keep_drop(name);
        }
        ofproto_journal_start(br->ofproto, name, n_restores);
    } else if (!wanted && ofproto_journal_is_on(br->ofproto)) {
        br_journal_stop(br);
    }
    return restored;
}

void
br_journal_stop(struct br *br)
{
    if (ofproto_journal_is_on(br->ofproto)) {
        ofproto_journal_stop(br->ofproto);
        forget_macs(br);
    }
}

void
bridges_journal_run(struct bridges *b)
{
    for (struct br *br = b->brs; br; br = br->hh.next) {
        if (ofproto_journal_is_on(br->ofproto) && clock_now_ms() >= br->journal_macs_due_ms) {
            uint64_t seq = ofproto_macs_seq(br->ofproto);

            if (seq != br->journal_macs_seq) {
                save_macs(br, seq);
            }
        }
    }
}
