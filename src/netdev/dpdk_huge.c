// SPDX-License-Identifier: Apache-2.0
//
// Huge pages as EAL finds them.  Main thread only.
#include "netdev/dpdk_huge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

LOG_MODULE(dpdk);

// A process that starts takes a second at most; one whose start failed may keep the lock for life.
enum { WAIT_MS = 5000, POLL_MS = 20 };

struct free_pages {
    uint64_t bytes;   // of all sizes
    uint64_t largest; // the largest size of which there are any
};

#define ALL_NODES "/sys/kernel/mm/hugepages"

// Of the kernel's counters for pages of 'kb' kB; 0 when it has none.
static unsigned int
read_count(const char *where, unsigned int kb, const char *name)
{
    char *path = xasprintf("%s/hugepages-%ukB/%s", where, kb, name);
    FILE *f = fopen(path, "re");
    unsigned int n = 0;

    if (f != NULL) {
        if (fscanf(f, "%u", &n) != 1) {
            n = 0;
        }
        fclose(f);
    }
    free(path);
    return n;
}

static struct free_pages
find_free_pages(const char *where)
{
    struct free_pages found = {0};
    DIR *dir = opendir(where);
    if (dir == NULL) {
        return found;
    }
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        unsigned int kb, n;
        if (sscanf(d->d_name, "hugepages-%ukB", &kb) != 1) {
            continue;
        }
        n = read_count(where, kb, "free_hugepages");
        // Promised to mappings that have not touched them yet; a node has no such counter.
        n -= MIN(n, read_count(where, kb, "resv_hugepages"));
        if (n > 0) {
            found.bytes += (uint64_t)n * kb * 1024;
            found.largest = MAX(found.largest, (uint64_t)kb * 1024);
        }
    }
    closedir(dir);
    return found;
}

uint64_t
dpdk_huge_free_bytes(void)
{
    return find_free_pages(ALL_NODES).bytes;
}

uint64_t
dpdk_huge_free_mb(int node)
{
    char *where = node < 0 ? NULL : xasprintf("/sys/devices/system/node/node%d/hugepages", node);
    // A kernel without NUMA has one node, without a directory.
    bool is_all = node < 0 || (node == 0 && access(where, F_OK) != 0);
    uint64_t bytes = find_free_pages(is_all ? ALL_NODES : where).bytes;

    free(where);
    return bytes >> 20;
}

uint64_t
dpdk_huge_page_bytes(void)
{
    return find_free_pages(ALL_NODES).largest;
}

bool
dpdk_huge_has_one_node(void)
{
    char path[64];
    bool has_others = false;

    for (int node = 1; node < 32 && !has_others; node++) {
        snprintf(path, sizeof(path), "/sys/devices/system/node/node%d", node);
        has_others = access(path, F_OK) == 0;
    }
    return !has_others;
}

static bool
is_huge_dir(int fd)
{
    struct statfs fs;
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && fstatfs(fd, &fs) == 0 &&
           fs.f_type == HUGETLBFS_MAGIC;
}

// True when no other process holds the lock of the directory 'path', for which it waits a while.
static bool
lock_is_free(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_free = fd < 0;

    for (int ms = 0; !is_free && ms <= WAIT_MS; ms += POLL_MS) {
        is_free = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
        if (!is_free) {
            if (ms == 0) {
                log_info("waiting for another process that starts DPDK on %s", path);
            }
            usleep(POLL_MS * 1000);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    if (!is_free) {
        log_warn("another process keeps the lock of %s, and with it huge pages from everybody",
                 path);
    }
    return is_free;
}

bool
dpdk_huge_wait(const char *only)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    bool all_free = true;
    if (mounts == NULL) {
        return true;
    }
    for (struct mntent *m; all_free && (m = getmntent(mounts)) != NULL;) {
        if (strcmp(m->mnt_type, "hugetlbfs") == 0 &&
            (only == NULL || strcmp(only, m->mnt_dir) == 0)) {
            all_free = lock_is_free(m->mnt_dir);
        }
    }
    endmntent(mounts);
    return all_free;
}

char *
dpdk_huge_dir(void)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    char *good = NULL;
    bool any_hidden = false;
    if (mounts == NULL) {
        return NULL;
    }
    for (struct mntent *m; (m = getmntent(mounts)) != NULL;) {
        if (strcmp(m->mnt_type, "hugetlbfs") != 0) {
            continue;
        }
        int fd = open(m->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        any_hidden |= fd < 0 || !is_huge_dir(fd);
        if (fd >= 0) {
            if (good == NULL && is_huge_dir(fd)) {
                good = xstrdup(m->mnt_dir);
            }
            close(fd);
        }
    }
    endmntent(mounts);
    if (!any_hidden) {
        free(good);
        return NULL;
    }
    return good != NULL ? good : xstrdup("/");
}

void
dpdk_huge_unlock(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return;
    }
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        int fd;
        if (sscanf(d->d_name, "%d", &fd) == 1 && is_huge_dir(fd)) {
            flock(fd, LOCK_UN);
        }
    }
    closedir(dir);
}
