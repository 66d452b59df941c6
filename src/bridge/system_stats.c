// SPDX-License-Identifier: Apache-2.0
/*
 * system_stats.c - the thread that gathers, and the exchange with the main thread.
 *
 * The thread frees the object: who stops it does not wait, since it may hang in the kernel.
 */
#include "bridge/system_stats.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/smap.h"
#include "base/str.h"
#include "base/thread.h"

enum { PERIOD_S = 5 };

struct system_stats {
    struct system_self self; /* constant */
    char *pidfile;           /* of 'self' */
    pthread_mutex_t lock;    /* the members below */
    pthread_cond_t wake;
    bool stop;         /* main has left; the thread frees all of it */
    bool is_new;       /* 'stats' was not taken yet */
    struct smap stats; /* w thread, taken by main */
};

static void
system_stats_free(struct system_stats *s)
{
    smap_destroy(&s->stats);
    free(s->pidfile);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    free(s);
}

static char *
read_whole(const char *path)
{
    char buf[8192];
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(buf, 1, sizeof buf - 1, file) : 0;

    if (file) {
        fclose(file);
    }
    buf[n] = '\0';
    return xstrdup(buf);
}

static void
gather(const struct system_stats *s, struct smap *stats)
{
    struct str text = STR_INIT;
    double load[3];
    long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    char *meminfo = read_whole("/proc/meminfo");

    if (n_cpus > 0) {
        smap_put_format(stats, "cpu", "%ld", n_cpus);
    }
    if (getloadavg(load, 3) == 3) {
        smap_put_format(stats, "load_average", "%.2f,%.2f,%.2f", load[0], load[1], load[2]);
    }
    if (system_parse_meminfo(meminfo, &text)) {
        smap_put(stats, "memory", str_cstr(&text));
    }
    free(meminfo);
    system_put_processes(dirs_run(), &s->self, stats);
    str_clear(&text);
    system_put_file_systems("/proc/self/mounts", &text);
    if (text.len) {
        smap_put(stats, "file_systems", str_cstr(&text));
    }
    str_free(&text);
}

static void *
system_stats_main(void *s_)
{
    struct system_stats *s = s_;

    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        struct smap stats = SMAP_INIT, old;
        struct timespec until;

        pthread_mutex_unlock(&s->lock);
        gather(s, &stats);
        pthread_mutex_lock(&s->lock);
        old = s->stats;
        s->stats = stats;
        s->is_new = true;
        smap_destroy(&old);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PERIOD_S;
        while (!s->stop && !pthread_cond_timedwait(&s->wake, &s->lock, &until)) {
        }
    }
    pthread_mutex_unlock(&s->lock);
    system_stats_free(s);
    return NULL;
}

struct system_stats *
system_stats_start(const struct system_self *self)
{
    struct system_stats *s = xzalloc(sizeof *s);
    pthread_condattr_t attr;

    s->pidfile = self->pidfile ? xstrdup(self->pidfile) : NULL;
    s->self = (struct system_self){s->pidfile, self->n_crashes};
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_detach(thread_create_plain("system_stats", system_stats_main, s));
    return s;
}

bool
system_stats_take(struct system_stats *s, struct smap *stats)
{
    bool is_new;

    pthread_mutex_lock(&s->lock);
    is_new = s->is_new;
    if (is_new) {
        *stats = s->stats;
        s->stats = SMAP_INIT;
        s->is_new = false;
    }
    pthread_mutex_unlock(&s->lock);
    return is_new;
}

void
system_stats_stop(struct system_stats *s)
{
    if (s) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
    }
}
