// SPDX-License-Identifier: Apache-2.0
//
// EAL takes all pages of one size on one node, then the next ones: a batch is these pages.  It
// tells the node by the memory policy of its thread.
#include "netdev/dpdk_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <linux/mempolicy.h>

#include "base/thread.h"

enum { THREADS_MAX = 16, NODE_ANY = -1, NODE_NONE = -2 };

struct batch {
    unsigned int flags; // 0: there is none
    uint64_t page_bytes;
    int node;
    unsigned int serial;
    size_t n_wanted, n_in_work, n_ready;
    int *ready; // descriptors
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_work, has_news;
    // Under 'lock'.
    struct batch batch;
    bool is_ending;
    // Of the thread that starts EAL.
    struct dpdk_ahead_plan plan; // what is left of it
    unsigned int n_threads;
    pthread_t threads[THREADS_MAX];
} ahead = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .has_work = PTHREAD_COND_INITIALIZER,
    .has_news = PTHREAD_COND_INITIALIZER,
};

int
dpdk_ahead_make(unsigned int flags, uint64_t bytes)
{
    // Past our memfd_create(), which is this file's user.
    int fd = (int)syscall(SYS_memfd_create, "cleared", flags);

    if (fd >= 0 && fallocate(fd, 0, 0, (off_t)bytes) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

// --- the threads ---------------------------------------------------------------------------

// Pages come from 'node' or not at all.
static bool
bind_to(int node)
{
    unsigned long mask = node >= 0 ? 1UL << node : 0;

    return node == NODE_ANY ||
           syscall(SYS_set_mempolicy, MPOL_BIND, &mask, sizeof(mask) * 8 + 1) == 0;
}

// Makes one page of the batch, with the lock held but while it does.
static void
make_one(void)
{
    struct batch *batch = &ahead.batch;
    unsigned int flags = batch->flags, serial = batch->serial;
    uint64_t page_bytes = batch->page_bytes;
    int node = batch->node;

    batch->n_wanted--;
    batch->n_in_work++;
    pthread_mutex_unlock(&ahead.lock);
    int fd = bind_to(node) ? ahead.plan.make(flags, page_bytes) : -1;
    pthread_mutex_lock(&ahead.lock);
    if (batch->serial != serial) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    batch->n_in_work--;
    if (fd >= 0) {
        batch->ready[batch->n_ready++] = fd;
    } else {
        batch->n_wanted = 0; // so it would be for the others
    }
    pthread_cond_signal(&ahead.has_news);
}

static void *
clear_pages(void *arg)
{
    pthread_mutex_lock(&ahead.lock);
    while (!ahead.is_ending) {
        if (ahead.batch.n_wanted > 0) {
            make_one();
        } else {
            pthread_cond_wait(&ahead.has_work, &ahead.lock);
        }
    }
    pthread_mutex_unlock(&ahead.lock);
    return NULL;
}

// --- EAL's thread --------------------------------------------------------------------------

// Of which node the next page is to be, NODE_ANY where there are none, NODE_NONE: one cannot tell.
static int
wanted_node(void)
{
    unsigned long mask[16] = {0}; // The kernel wants room for all nodes that it could have.
    int mode;

    if (syscall(SYS_get_mempolicy, &mode, mask, sizeof(mask) * 8, NULL, 0UL) != 0) {
        return errno == ENOSYS ? NODE_ANY : NODE_NONE;
    }
    if (mode != MPOL_PREFERRED || (mask[0] & UINT32_MAX) == 0) {
        return NODE_NONE;
    }
    return __builtin_ctzl(mask[0]);
}

// Bytes of a page in a file with 'flags'; 0: they do not say so.
static uint64_t
page_bytes_of(unsigned int flags)
{
    unsigned int shift = flags >> MFD_HUGE_SHIFT & MFD_HUGE_MASK;

    return (flags & MFD_HUGETLB) != 0 ? (shift > 0 ? 1ULL << shift : 0) : 0;
}

// EAL's name for the file of one page.
static bool
is_segment(const char *name)
{
    int list, segment, end = 0;

    return sscanf(name, "seg_%d-%d%n", &list, &segment, &end) == 2 && name[end] == '\0';
}

// What is being made for the old batch is closed by who makes it.
static void
set_batch(unsigned int flags, uint64_t page_bytes, int node)
{
    struct batch *batch = &ahead.batch;

    for (size_t i = 0; i < batch->n_ready; i++) {
        close(batch->ready[i]);
    }
    free(batch->ready);
    *batch = (struct batch){
        .flags = flags, .page_bytes = page_bytes, .node = node, .serial = batch->serial + 1};
    if (flags == 0) {
        return;
    }
    size_t n = ahead.plan.bytes[MAX(node, 0)] / page_bytes;
    if (n >= 2) {
        batch->n_wanted = n;
        batch->ready = xcalloc(n, sizeof(*batch->ready));
        pthread_cond_broadcast(&ahead.has_work);
    }
}

void
dpdk_ahead_begin(const struct dpdk_ahead_plan *plan)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ARRAY_SIZE(plan->bytes); i++) {
        sum += plan->bytes[i];
    }
    ahead.plan = *plan;
    ahead.n_threads =
        plan->n_threads < 2 || sum == 0 ? 0 : MIN(plan->n_threads, (unsigned int)THREADS_MAX);
    ahead.is_ending = false;
    for (unsigned int i = 0; i < ahead.n_threads; i++) {
        ahead.threads[i] = thread_create_plain("dpdk-clear", clear_pages, NULL);
    }
}

int
dpdk_ahead_take(const char *name, unsigned int flags)
{
    struct batch *batch = &ahead.batch;
    uint64_t page_bytes = page_bytes_of(flags);
    int node, fd = -1;

    if (ahead.n_threads == 0 || page_bytes == 0 || !is_segment(name) ||
        (node = wanted_node()) == NODE_NONE) {
        return -1;
    }
    pthread_mutex_lock(&ahead.lock);
    if (flags != batch->flags || node != batch->node) {
        set_batch(flags, page_bytes, node);
    }
    while (batch->n_ready == 0 && batch->n_wanted + batch->n_in_work > 0) {
        pthread_cond_wait(&ahead.has_news, &ahead.lock);
    }
    if (batch->n_ready > 0) {
        fd = batch->ready[--batch->n_ready];
    }
    pthread_mutex_unlock(&ahead.lock);
    uint64_t *left = &ahead.plan.bytes[MAX(node, 0)];
    *left -= MIN(*left, page_bytes);
    return fd;
}

void
dpdk_ahead_end(void)
{
    pthread_mutex_lock(&ahead.lock);
    ahead.is_ending = true;
    set_batch(0, 0, NODE_NONE);
    pthread_cond_broadcast(&ahead.has_work);
    pthread_mutex_unlock(&ahead.lock);
    for (unsigned int i = 0; i < ahead.n_threads; i++) {
        pthread_join(ahead.threads[i], NULL);
    }
    ahead.n_threads = 0;
}
