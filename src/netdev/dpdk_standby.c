// SPDX-License-Identifier: Apache-2.0
//
// A spare process that has EAL and packet buffers before it is needed, see netdev.h and
// docs/decisions/0010-a-spare-process.md.  The switch notes with which keys EAL would start now in
// $OVS_RUNDIR/ovs-vswitchd.dpdk; the spare starts EAL with them and, when its time comes, looks
// whether they are still the same.
//
// The note: "huge\0" or "ordinary\0", then "key\0value\0" in the order of keys.  Whoever can write
// in the run directory is root to us, still it is read with bounds.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "base/dirs.h"
#include "base/log.h"
#include "netdev/dpdk_args.h"
#include "netdev/dpdk_huge.h"
#include "netdev/netdev_private.h"

LOG_MODULE(dpdk);

#define NOTE_MAX 65536
// A spare that was killed is gone before its pages are back; who lingers forwards meanwhile.
enum { ROOM_MS = 5000, ROOM_POLL_MS = 20 };

static const char huge_word[] = "huge", ordinary_word[] = "ordinary";

// Rings of threads and the library's devices of a start, in pieces: some megabytes.
#define START_BYTES (16ULL << 20)

// What this process was prepared with; NULL: it was not.
static struct str prepared = STR_INIT;
static bool has_buffers;
static bool is_handed_over;

static char *
note_path(void)
{
    return xasprintf("%s/%s.dpdk", dirs_run(), PROGRAM_NAME);
}

static void
compose(const struct smap *config, bool huge, struct str *out)
{
    const struct smap_node **nodes = smap_sort(config);
    const char *word = huge ? huge_word : ordinary_word;

    str_put_mem(out, word, strlen(word) + 1);
    for (size_t i = 0; i < smap_count(config); i++) {
        if (strncmp(nodes[i]->key, "dpdk-", 5) == 0) {
            str_put_mem(out, nodes[i]->key, strlen(nodes[i]->key) + 1);
            str_put_mem(out, nodes[i]->value, strlen(nodes[i]->value) + 1);
        }
    }
    free(nodes);
}

static bool
read_note(struct str *out)
{
    char *path = note_path(), *buf = xmalloc(NOTE_MAX);
    FILE *f = fopen(path, "re");
    size_t n = 0;

    if (f != NULL) {
        n = fread(buf, 1, NOTE_MAX, f);
        fclose(f);
    }
    bool ok = n > 0 && n < NOTE_MAX && buf[n - 1] == '\0';
    if (ok) {
        str_put_mem(out, buf, n);
    }
    free(buf);
    free(path);
    return ok;
}

void
dpdk_note_write(const struct smap *config, bool huge)
{
    static struct str noted = STR_INIT; // main: rw
    struct str now = STR_INIT;

    compose(config, huge, &now);
    if (noted.len == now.len && memcmp(noted.buf, now.buf, now.len) == 0) {
        str_free(&now);
        return;
    }
    str_free(&noted);
    noted = now;
    char *path = note_path(), *tmp = xasprintf("%s.tmp", path);
    FILE *f = fopen(tmp, "we");
    bool ok = f != NULL && fwrite(now.buf, 1, now.len, f) == now.len;
    if ((f != NULL && fclose(f) != 0) || !ok || rename(tmp, path) != 0) {
        // A spare then sees no keys, and waits for some.
        log_dbg("cannot write %s (%s)", path, err_str(errno));
        unlink(tmp);
        unlink(path);
    }
    free(tmp);
    free(path);
}

void
dpdk_hand_over(void)
{
    is_handed_over = true;
}

void
dpdk_note_remove(void)
{
    if (is_handed_over) {
        return;
    }
    char *path = note_path();

    unlink(path);
    free(path);
}

static const char *
next_word(const char **p, const char *end)
{
    const char *word = *p;

    if (word >= end) {
        return NULL;
    }
    *p = word + strlen(word) + 1; // The note ends in a null byte.
    return word;
}

static bool
parse(const struct str *note, struct smap *config)
{
    const char *p = note->buf, *end = p + note->len, *key, *value;
    bool huge = strcmp(next_word(&p, end), huge_word) == 0;

    while ((key = next_word(&p, end)) != NULL && (value = next_word(&p, end)) != NULL) {
        smap_put(config, key, value);
    }
    return huge;
}

static bool
await_room(void)
{
    bool has_room = dpdk_huge_free_bytes() >= DPDK_MIN_HUGE_BYTES;

    for (int ms = 0; !has_room && ms < ROOM_MS; ms += ROOM_POLL_MS) {
        usleep(ROOM_POLL_MS * 1000);
        has_room = dpdk_huge_free_bytes() >= DPDK_MIN_HUGE_BYTES;
    }
    return has_room;
}

bool
dpdk_standby_has_room(void)
{
    struct str note = STR_INIT;
    struct smap config = SMAP_INIT;
    bool huge = read_note(&note) && parse(&note, &config);
    // Its files are in a file system, and of one process.
    bool is_legacy = strstr(smap_get_def(&config, "dpdk-extra", ""), "--legacy-mem") != NULL;

    smap_destroy(&config);
    str_free(&note);
    return !huge || (!is_legacy && await_room());
}

// Clearing huge pages is most of what a start takes.  Made before, buffers on them come out of what
// the switch was asked to take and has left over; of pages that nobody has spoken for, much more
// has to stay free than is taken, and no page of 1 GB is.
static bool
may_take_huge_pages(const struct smap *noted)
{
    uint64_t page = dpdk_huge_page_bytes(), free_bytes = dpdk_huge_free_bytes();
    uint64_t share = dpdk_args_share_bytes(noted, page);

    if (share > 0) {
        return free_bytes >= share;
    }
    return page <= DPDK_MIN_HUGE_BYTES && free_bytes >= 5 * DPDK_MIN_HUGE_BYTES;
}

int
dpdk_standby_prepare(void)
{
    struct smap config = SMAP_INIT;
    char *error = NULL;

    if (!read_note(&prepared)) {
        return -EAGAIN;
    }
    bool huge = parse(&prepared, &config);
    bool may_take = !huge || may_take_huge_pages(&config);
    if (huge) {
        // Memory that guests may want is not taken twice: it is had when the other one is gone.
        (void)smap_del(&config, "dpdk-socket-mem");
        (void)smap_del(&config, "dpdk-alloc-mem");
    }
    int result = dpdk_start_standby(&config, huge, &error);
    smap_destroy(&config);
    free(error);
    has_buffers = result == 0 && may_take && netdev_default_pool() != NULL;
    return result == 0 && may_take && !has_buffers ? -ENOMEM : result;
}

bool
dpdk_standby_try(void)
{
    int status = EXIT_FAILURE;

    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        free(log_set_spec("ANY:ANY:err")); // All else is said by the start that follows.
        int error = dpdk_standby_prepare();
        // Where a spare may do without buffers, what ends the other one may not.
        bool ok = error == -EAGAIN || (error == 0 && netdev_default_pool() != NULL);
        dpdk_hand_over(); // The note is the other one's.
        dpdk_stop();
        _exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        // Of a signal's handler.
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

bool
dpdk_standby_is_current(void)
{
    struct str now = STR_INIT;
    bool same = prepared.len == 0 || (read_note(&now) && now.len == prepared.len &&
                                      memcmp(now.buf, prepared.buf, now.len) == 0);

    str_free(&now);
    str_free(&prepared);
    return same;
}

bool
dpdk_standby_has_memory(void)
{
    uint64_t free_bytes = 0;
    struct rte_malloc_socket_stats stats;

    if (!has_buffers || !rte_eal_has_hugepages()) {
        return has_buffers;
    }
    for (unsigned int i = 0; i < rte_socket_count(); i++) {
        if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &stats) == 0) {
            free_bytes += stats.heap_freesz_bytes;
        }
    }
    return free_bytes + dpdk_huge_free_bytes() >= START_BYTES;
}
