// SPDX-License-Identifier: Apache-2.0
//
// Pools cannot grow, so each is made large and lends its room to devices by what they may hold;
// when the room is used up, the next device gets another pool.  They start small, because every
// buffer is touched when it is made, and a switch that starts again lets its peers wait for that:
// 262144 buffers (a usual size elsewhere) take 0.2 s on a quiet machine and 2 s on a busy one.
#include "netdev/netdev_pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>

#include "base/heir.h"
#include "base/log.h"
#include "netdev/netdev.h"

LOG_MODULE(netdev_dpdk);

enum {
    POOL_HUGE = 32768,  // on huge pages
    POOL_SMALL = 16384, // on ordinary ones: 38 MB
    POOL_MIN = 8192,
    POOL_RESERVE = 6144, // caches of threads, upcalls, packets of our own
    POOL_CACHE = 256,    // per lcore
};

struct netdev_pool {
    struct rte_mempool *mp;
    unsigned int room; // bytes of data in one mbuf
    int numa_id;
    unsigned int n_mbufs, n_lent;
    unsigned int n_refs;
    char *owner;
    struct netdev_pool *next;
};

static struct {
    struct netdev_pool *first;
    struct netdev_pool *default_pool;
    unsigned int seq; // names
} pools;

static unsigned int
room_for_mtu(int mtu)
{
    unsigned int frame = netdev_frame_size(mtu);

    return MAX(2048u, ROUND_UP(frame, 1024u));
}

static void
pool_destroy(struct netdev_pool *pool)
{
    for (struct netdev_pool **p = &pools.first; *p != NULL; p = &(*p)->next) {
        if (*p == pool) {
            *p = pool->next;
            break;
        }
    }
    rte_mempool_free(pool->mp);
    free(pool->owner);
    free(pool);
}

// Frees pools that nobody uses and whose mbufs have all come home.
static void
pools_sweep(void)
{
    struct netdev_pool *next;

    for (struct netdev_pool *pool = pools.first; pool != NULL; pool = next) {
        next = pool->next;
        if (pool->n_refs == 0 && rte_mempool_full(pool->mp)) {
            pool_destroy(pool);
        }
    }
}

static void
free_memzone(struct rte_mempool_memhdr *chunk, void *mz)
{
    rte_memzone_free(mz);
}

// The flag that lets buffers cross pages keeps DPDK from noting bus addresses: here they are the
// virtual ones.
static void
init_packed_mbuf(struct rte_mempool *mp, void *aux, void *mbuf, unsigned int index)
{
    rte_mempool_get_header(mbuf)->iova = (rte_iova_t)(uintptr_t)mbuf;
    rte_pktmbuf_init(mp, aux, mbuf, index);
}

// A pool of mbufs on ordinary pages.  DPDK would give each buffer a page of its own, since it
// expects pages to lie anywhere on the bus; with virtual addresses there (--iova-mode=va) they do
// not, and packed buffers take 40 % less memory and time.
static struct rte_mempool *
make_packed(const char *name, unsigned int n, uint16_t room, int numa_id)
{
    struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = room};
    struct rte_mempool_objsz sizes;
    unsigned int elt_size = (unsigned int)sizeof(struct rte_mbuf) + room;
    size_t len = (size_t)n * rte_mempool_calc_obj_size(elt_size, 0, &sizes) + CACHE_LINE_SIZE;

    struct rte_mempool *mp = rte_mempool_create_empty(
        name, n, elt_size, POOL_CACHE, sizeof(private), numa_id, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    if (mp == NULL) {
        return NULL;
    }
    rte_mempool_set_ops_byname(mp, rte_mbuf_best_mempool_ops(), NULL);
    rte_pktmbuf_pool_init(mp, &private);
    const struct rte_memzone *mz =
        rte_memzone_reserve_aligned(name, len, numa_id, RTE_MEMZONE_IOVA_CONTIG, CACHE_LINE_SIZE);
    if (mz == NULL) {
        rte_mempool_free(mp);
        return NULL;
    }
    int made = rte_mempool_populate_iova(mp, mz->addr, mz->iova, mz->len, free_memzone,
                                         (void *)(uintptr_t)mz);
    if (made != (int)n) {
        if (made <= 0) {
            rte_memzone_free(mz);
        }
        rte_mempool_free(mp);
        rte_errno = ENOMEM;
        return NULL;
    }
    rte_mempool_obj_iter(mp, init_packed_mbuf, NULL);
    return mp;
}

static struct rte_mempool *
make_once(const char *name, unsigned int n, uint16_t room, int numa_id)
{
    return rte_eal_has_hugepages() || rte_eal_iova_mode() != RTE_IOVA_VA
               ? rte_pktmbuf_pool_create(name, n, POOL_CACHE, 0, room, numa_id)
               : make_packed(name, n, room, numa_id);
}

// What is missing may be on its way back from the process before.
static struct rte_mempool *
make_mempool(const char *name, unsigned int n, uint16_t room, int numa_id)
{
    struct rte_mempool *mp = make_once(name, n, room, numa_id);

    return mp == NULL && heir_await() ? make_once(name, n, room, numa_id) : mp;
}

static struct netdev_pool *
pool_create(const struct netdev_pool_wish *wish, char **errorp)
{
    unsigned int room = room_for_mtu(wish->mtu);
    unsigned int need = wish->n_mbufs + POOL_RESERVE;
    unsigned int n = wish->owner != NULL       ? MAX(need, (unsigned int)POOL_MIN)
                     : rte_eal_has_hugepages() ? MAX(need, (unsigned int)POOL_HUGE)
                                               : MAX(need, (unsigned int)POOL_SMALL);
    struct rte_mempool *mp = NULL;
    char name[RTE_MEMPOOL_NAMESIZE];

    for (; n >= POOL_MIN && mp == NULL; n /= 2) {
        snprintf(name, sizeof(name), "sluice%u_%u", pools.seq++, room);
        mp = make_mempool(name, n - 1, (uint16_t)(room + RTE_PKTMBUF_HEADROOM), wish->numa_id);
        if (mp != NULL) {
            break;
        }
    }
    if (mp == NULL) {
        *errorp =
            xasprintf("no memory for packet buffers of %u bytes (%s)", room, err_str(rte_errno));
        return NULL;
    }
    if (n < need) {
        log_warn("memory suffices for %u packet buffers of %u bytes; %u were wanted", n, room,
                 need);
    }
    struct netdev_pool *pool = xzalloc(sizeof(*pool));
    *pool = (struct netdev_pool){.mp = mp,
                                 .room = room,
                                 .numa_id = wish->numa_id,
                                 .n_mbufs = n,
                                 .owner = xstrdup_null(wish->owner),
                                 .next = pools.first};
    pools.first = pool;
    log_info("made %u packet buffers of %u bytes", n, room);
    return pool;
}

static bool
pool_fits(const struct netdev_pool *pool, const struct netdev_pool_wish *wish)
{
    bool same_node = pool->numa_id == wish->numa_id || wish->numa_id < 0 || pool->numa_id < 0;
    bool same_owner = wish->owner == NULL
                          ? pool->owner == NULL
                          : pool->owner != NULL && strcmp(pool->owner, wish->owner) == 0;

    return same_node && same_owner && pool->room == room_for_mtu(wish->mtu) &&
           pool->n_lent + wish->n_mbufs + POOL_RESERVE <= pool->n_mbufs;
}

struct netdev_pool *
netdev_pool_get(const struct netdev_pool_wish *wish, char **errorp)
{
    if (room_for_mtu(wish->mtu) + RTE_PKTMBUF_HEADROOM > UINT16_MAX) {
        *errorp = xasprintf("MTU %d is too large", wish->mtu);
        return NULL;
    }
    pools_sweep();
    struct netdev_pool *pool = pools.first;
    while (pool != NULL && !pool_fits(pool, wish)) {
        pool = pool->next;
    }
    if (pool == NULL) {
        pool = pool_create(wish, errorp);
    }
    if (pool != NULL) {
        pool->n_refs++;
        pool->n_lent += wish->n_mbufs;
    }
    return pool;
}

void
netdev_pool_put(struct netdev_pool *pool, const struct netdev_pool_wish *wish)
{
    if (pool != NULL) {
        pool->n_refs--;
        pool->n_lent -= wish->n_mbufs;
        pools_sweep();
    }
}

struct rte_mempool *
netdev_pool_mempool(const struct netdev_pool *pool)
{
    return pool->mp;
}

struct rte_mempool *
netdev_default_pool(void)
{
    const struct netdev_pool_wish wish = {.mtu = RTE_ETHER_MTU, .numa_id = -1, .n_mbufs = 1024};
    char *error = NULL;

    if (pools.default_pool == NULL && dpdk_start(NULL, NULL) == 0) {
        pools.default_pool = netdev_pool_get(&wish, &error);
        if (pools.default_pool == NULL) {
            log_err("%s", error);
            free(error);
        }
    }
    return pools.default_pool != NULL ? pools.default_pool->mp : NULL;
}

void
netdev_pool_dump(const struct rte_mempool *only, struct str *out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (f == NULL) {
        return;
    }
    for (struct netdev_pool *pool = pools.first; pool != NULL; pool = pool->next) {
        if (only == NULL || pool->mp == only) {
            rte_mempool_dump(f, pool->mp);
        }
    }
    fclose(f);
    str_put_mem(out, text, size);
    free(text);
}

void
netdev_pool_fini(void)
{
    while (pools.first != NULL) {
        pool_destroy(pools.first);
    }
    pools.default_pool = NULL;
}
