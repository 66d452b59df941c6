// SPDX-License-Identifier: Apache-2.0
/*
 * br_state.c - what a bridge knows beside its rows in the database (flows, groups, meters, MAC
 * addresses), in files in memory that go over to another process with the descriptors of ports
 * (base/keep.h).  For a process that takes over, src/takeover.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/keep.h"
#include "base/log.h"
#include "bridge/bridge_int.h"

LOG_MODULE(bridge);

static void
state_name(const struct br *br, const char *what, char name[KEEP_NAME_MAX])
{
    snprintf(name, KEEP_NAME_MAX, "%s:%s", what, br->name);
}

static bool
write_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        data += MAX(n, 0);
        size -= (size_t)MAX(n, 0);
    }
    return true;
}

int
br_state_file(const char *what, const uint8_t *data, size_t size)
{
    int fd = memfd_create(what, MFD_CLOEXEC);

    if (fd >= 0 && !write_all(fd, data, size)) {
        close(fd);
        fd = -1;
    }
    if (fd < 0) {
        log_warn("cannot keep %s in memory (%s)", what, err_str(errno));
    }
    return fd;
}

/* Puts the bytes, which it takes, where the next process finds them; the descriptor, or -1. */
static int
put_state(const struct br *br, const char *what, uint8_t *data, size_t size)
{
    char name[KEEP_NAME_MAX];
    int fd = br_state_file(what, data, size);

    free(data);
    if (fd < 0) {
        return -1;
    }
    state_name(br, what, name);
    keep_put(name, fd);
    return fd;
}

void
br_state_save(struct br *br)
{
    uint8_t *data;
    size_t size;

    br_state_forget(br);
    data = ofproto_save_flows(br->ofproto, &size);
    br->flows_fd = put_state(br, "flows", data, size);
    data = ofproto_save_macs(br->ofproto, &size);
    br->macs_fd = put_state(br, "macs", data, size);
}

void
br_state_forget(struct br *br)
{
    int *fds[] = {&br->flows_fd, &br->macs_fd};

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]);
            *fds[i] = -1;
        }
    }
}

struct state {
    uint8_t *data; /* mapped; NULL when 'size' is 0 */
    size_t size;
};

static bool
map_state(int fd, struct state *state)
{
    struct stat st;
    bool ok = fstat(fd, &st) == 0;

    *state = (struct state){.size = ok ? (size_t)st.st_size : 0};
    if (state->size > 0) {
        void *data = mmap(NULL, state->size, PROT_READ, MAP_PRIVATE, fd, 0);
        ok = data != MAP_FAILED;
        state->data = ok ? data : NULL;
    }
    return ok;
}

/* False when an earlier process left none.  Nobody gets it a second time. */
static bool
take_state(const struct br *br, const char *what, struct state *state)
{
    char name[KEEP_NAME_MAX];

    state_name(br, what, name);
    int fd = keep_take(name);
    if (fd < 0) {
        return false;
    }
    bool ok = map_state(fd, state);
    close(fd);
    keep_drop(name);
    return ok;
}

static void
state_fini(struct state *state)
{
    if (state->data) {
        munmap(state->data, state->size);
    }
}

void
br_state_restore_macs(struct br *br, int fd)
{
    struct state state;

    if (map_state(fd, &state)) {
        ofproto_restore_macs(br->ofproto, state.data, state.size);
        state_fini(&state);
    }
}

bool
br_state_restore(struct br *br, bool with_flows)
{
    struct state state;
    bool found = false;

    if (take_state(br, "flows", &state)) {
        size_t n_refused =
            with_flows ? ofproto_restore_flows(br->ofproto, state.data, state.size) : 0;
        if (n_refused) {
            log_err("bridge %s: %zu flows, groups or meters of the process before are lost; the "
                    "others are in force",
                    br->name, n_refused);
        }
        state_fini(&state);
        found = true;
    }
    if (take_state(br, "macs", &state)) {
        ofproto_restore_macs(br->ofproto, state.data, state.size);
        state_fini(&state);
    }
    return found;
}
