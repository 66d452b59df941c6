// SPDX-License-Identifier: Apache-2.0
/*
 * system_proc.c - texts of Open_vSwitch.statistics from what the kernel shows in /proc.
 *
 * In the thread of system_stats.c.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/smap.h"
#include "base/str.h"
#include "bridge/system_stats.h"

/* --- memory --------------------------------------------------------------------------------- */

/* The number behind "NAME:" at the beginning of a line. */
static bool
meminfo_get(const char *text, const char *name, uint64_t *kb)
{
    size_t len = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, len) && line[len] == ':') {
            return sscanf(line + len + 1, "%" SCNu64, kb) == 1;
        }
    }
    return false;
}

bool
system_parse_meminfo(const char *text, struct str *out)
{
    uint64_t total, free_kb, buffers, cached, swap, swap_free;

    if (!meminfo_get(text, "MemTotal", &total) || !meminfo_get(text, "MemFree", &free_kb) ||
        !meminfo_get(text, "Buffers", &buffers) || !meminfo_get(text, "Cached", &cached) ||
        !meminfo_get(text, "SwapTotal", &swap) || !meminfo_get(text, "SwapFree", &swap_free)) {
        return false;
    }
    str_printf(out, "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, total,
               total - free_kb, buffers + cached, swap, swap - swap_free);
    return true;
}

/* --- file systems --------------------------------------------------------------------------- */

static void
put_file_system(const struct mntent *entry, struct str *out)
{
    struct statvfs vfs;
    uint64_t block;

    /* Only what lies on a device of this machine: others may not answer. */
    if (strncmp(entry->mnt_fsname, "/dev", 4) || !hasmntopt(entry, MNTOPT_RW) ||
        statvfs(entry->mnt_dir, &vfs) || vfs.f_flag & ST_RDONLY) {
        return;
    }
    block = vfs.f_frsize;
    if (out->len) {
        str_putc(out, ' ');
    }
    for (const char *p = entry->mnt_dir; *p; p++) {
        str_putc(out, *p == ' ' || *p == ',' ? '_' : *p);
    }
    str_printf(out, ",%" PRIu64 ",%" PRIu64, vfs.f_blocks * block / 1024,
               (vfs.f_blocks - vfs.f_bfree) * block / 1024);
}

void
system_put_file_systems(const char *mounts, struct str *out)
{
    FILE *file = setmntent(mounts, "re");
    struct mntent entry;
    char buf[4096];

    if (file) {
        while (getmntent_r(file, &entry, buf, sizeof buf)) {
            put_file_system(&entry, out);
        }
        endmntent(file);
    }
}

/* --- processes ------------------------------------------------------------------------------ */

struct process {
    char name[64];
    long parent;
    uint64_t size_kb, resident_kb, cpu_ms, age_ms;
    int core;
};

static bool
read_proc(long pid, const char *file, char *buf, size_t size)
{
    char *path = xasprintf("/proc/%ld/%s", pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, size - 1) : -1;

    if (fd >= 0) {
        close(fd);
    }
    free(path);
    buf[MAX(n, 0)] = '\0';
    return n > 0;
}

/* proc_pid_stat(5).  The name stands in parentheses and may have some itself. */
static bool
process_read(long pid, struct process *p)
{
    uint64_t user, system, start, size;
    int64_t resident;
    uint64_t tick_hz = (uint64_t)sysconf(_SC_CLK_TCK);
    struct timespec now;
    char buf[2048], *open, *end;

    if (!read_proc(pid, "stat", buf, sizeof buf) || !(open = strchr(buf, '(')) ||
        !(end = strrchr(buf, ')')) || clock_gettime(CLOCK_BOOTTIME, &now)) {
        return false;
    }
    *end = '\0';
    str_copy(p->name, open + 1, sizeof p->name);
    if (sscanf(end + 1,
               " %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
               " %*d %*d %*d %*d %*d %*d %" SCNu64 " %" SCNu64 " %" SCNd64
               " %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d",
               &p->parent, &user, &system, &start, &size, &resident, &p->core) != 7) {
        return false;
    }
    p->size_kb = size / 1024;
    p->resident_kb = (uint64_t)MAX(resident, 0) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    p->cpu_ms = (user + system) * 1000 / tick_hz;
    p->age_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    p->age_ms -= MIN(p->age_ms, start * 1000 / tick_hz);
    return true;
}

/* The monitor of a stock daemon says in its title how often it started it. */
static unsigned
crashes_in_title(long monitor)
{
    char buf[1024];
    const char *open;
    unsigned n;

    if (read_proc(monitor, "cmdline", buf, sizeof buf) && (open = strchr(buf, '(')) &&
        sscanf(open, "(%u crashes", &n) == 1) {
        return n;
    }
    return 0;
}

static void
put_process(const char *name, long pid, const struct system_self *self, struct smap *stats)
{
    bool is_self = pid == getpid();
    unsigned n_crashes = is_self ? self->n_crashes : 0;
    char *key = xasprintf("process_%s", name);
    struct process p, parent;

    if (process_read(pid, &p)) {
        uint64_t start_ms = p.age_ms;

        if (process_read(p.parent, &parent) && !strcmp(parent.name, p.name)) {
            start_ms = parent.age_ms;
            n_crashes = is_self ? n_crashes : crashes_in_title(p.parent);
        }
        smap_put_format(stats, key,
                        "%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64 ",%" PRIu64 ",%d",
                        p.size_kb, p.resident_kb, p.cpu_ms, n_crashes, start_ms, p.age_ms, p.core);
    }
    free(key);
}

/* The process that holds the lock on 'path', which must not be our own file: closing it would give
 * up our lock.  0: none. */
static long
lock_holder(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    long pid = 0;

    if (fd >= 0) {
        if (!fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK) {
            pid = (long)lock.l_pid;
        }
        close(fd);
    }
    return pid;
}

static bool
is_same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return b && !stat(a, &sa) && !stat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

void
system_put_processes(const char *rundir, const struct system_self *self, struct smap *stats)
{
    DIR *dir = opendir(rundir);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);

        if (len > 4 && !strcmp(entry->d_name + len - 4, ".pid")) {
            char *path = xasprintf("%s/%s", rundir, entry->d_name);
            char *name = xasprintf("%.*s", (int)len - 4, entry->d_name);
            long pid = is_same_file(path, self->pidfile) ? (long)getpid() : lock_holder(path);

            if (pid > 0) {
                put_process(name, pid, self, stats);
            }
            free(name);
            free(path);
        }
    }
    if (dir) {
        closedir(dir);
    }
}
