// SPDX-License-Identifier: Apache-2.0
//
// Pages are taken as EAL takes all that come later, by allocating, piece by piece, so that nobody
// waits long for EAL's locks.  Before the pieces are freed their pages are marked as those of EAL's
// start are: they stay in the heap.
#include "netdev/dpdk_fill.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memory.h>

#include "base/log.h"
#include "base/thread.h"

LOG_MODULE(dpdk);

#define PIECE_BYTES (64ULL << 20)
#define PIECE_MIN_BYTES (1ULL << 20)
// EAL's headers have to fit in the same pages.
#define HEADROOM_BYTES 4096u
// The process before may have the pages for a while.
enum { N_TRIES = 10, TRY_MS = 2000, LOOK_MS = 20, MAX_NODES = 32 };

struct piece {
    struct piece *next;
    size_t size;
};

static struct {
    uint64_t wanted[MAX_NODES]; // main: w before the thread is there; bytes
    _Atomic bool stopping;      // main: w, thread: r
    pthread_t thread;
    bool is_begun;
} fill;

static void
read_keys(const struct smap *config, uint64_t share_bytes)
{
    const char *p = smap_get(config, "dpdk-socket-mem");
    size_t node = p != NULL ? 0 : rte_socket_id();

    p = p != NULL ? p : smap_get_def(config, "dpdk-alloc-mem", "");
    while (*p != '\0' && node < MAX_NODES) {
        char *end;
        uint64_t bytes = (strtoul(p, &end, 10) & 0xffffff) << 20;
        uint64_t left = MIN(bytes, share_bytes);

        fill.wanted[node++] = bytes - left;
        share_bytes -= left;
        p = *end == '\0' ? end : end + 1;
    }
}

static uint64_t
heap_bytes(int node)
{
    struct rte_malloc_socket_stats stats;

    return rte_malloc_get_socket_stats(node, &stats) == 0 ? stats.heap_totalsz_bytes : 0;
}

static struct piece *
take_piece(int node, uint64_t missing)
{
    for (uint64_t n = PIECE_BYTES; n >= PIECE_MIN_BYTES; n /= 2) {
        size_t size = MAX(MIN(n, missing), PIECE_MIN_BYTES) - HEADROOM_BYTES;
        struct piece *piece = rte_malloc_socket(NULL, size, 0, node);

        if (piece != NULL) {
            piece->size = size;
            return piece;
        }
    }
    return NULL;
}

static void
keep_pages(const struct piece *piece)
{
    const char *p = (const char *)piece, *end = p + piece->size;

    while (p < end) {
        struct rte_memseg *seg = rte_mem_virt2memseg(p, NULL);

        if (seg == NULL) {
            return; // Then it goes back to the kernel.
        }
        seg->flags |= RTE_MEMSEG_FLAG_DO_NOT_FREE;
        p = (const char *)seg->addr + seg->len;
    }
}

// True when the node's heap is as large as it should be.
static bool
fill_node(int node)
{
    struct piece *pieces = NULL;
    uint64_t have;

    while ((have = heap_bytes(node)) < fill.wanted[node] && !atomic_load(&fill.stopping)) {
        struct piece *piece = take_piece(node, fill.wanted[node] - have);

        if (piece == NULL) {
            break;
        }
        piece->next = pieces;
        pieces = piece;
    }
    while (pieces != NULL) {
        struct piece *next = pieces->next;

        keep_pages(pieces);
        rte_free(pieces);
        pieces = next;
    }
    return have >= fill.wanted[node];
}

static bool
fill_all(void)
{
    bool is_full = true;

    for (int node = 0; node < MAX_NODES; node++) {
        is_full &= fill.wanted[node] == 0 || fill_node(node);
    }
    return is_full;
}

static void
wait_ms(int ms)
{
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};

    for (; ms > 0 && !atomic_load(&fill.stopping); ms -= LOOK_MS) {
        nanosleep(&look, NULL);
    }
}

static void *
fill_main(void *arg)
{
    for (int i = 0; i < N_TRIES; i++) {
        wait_ms(TRY_MS);
        if (atomic_load(&fill.stopping)) {
            return NULL;
        }
        if (fill_all()) {
            log_info("DPDK has the memory that its keys ask for");
            return NULL;
        }
    }
    log_warn("DPDK has less memory than its keys ask for: too few huge pages are free");
    return NULL;
}

void
dpdk_fill_begin(const struct smap *config, uint64_t share_bytes)
{
    bool wants = false;

    if (fill.is_begun) {
        return;
    }
    read_keys(config, share_bytes);
    for (int node = 0; node < MAX_NODES; node++) {
        wants |= fill.wanted[node] > 0;
    }
    if (wants) {
        fill.thread = thread_create_plain("dpdk_fill", fill_main, NULL);
        fill.is_begun = true;
    }
}

void
dpdk_fill_end(void)
{
    if (fill.is_begun) {
        atomic_store(&fill.stopping, true);
        thread_join(fill.thread);
        fill.is_begun = false;
    }
}
