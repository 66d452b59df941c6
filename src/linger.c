// SPDX-License-Identifier: Apache-2.0
/*
 * When to stop lingering: a timer, and a look at the run directory whenever something changes
 * there.
 */
#include "linger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/log.h"
#include "takeover.h"

LOG_MODULE(takeover);

static struct {
    struct loop_timer timer;
    struct loop_fd watch;
    int fd; /* of inotify; -1: not lingering, or nobody watches */
    int seconds;
    char *path;
    const char *pidfile;
    ino_t ino;
    loop_fn *end;
    void *aux;
} state = {.fd = -1};

char *
linger_path(void)
{
    return dirs_path(dirs_run(), PROGRAM_NAME ".lingering");
}

static void
end(const char *why)
{
    log_info("lingering ends: %s", why);
    linger_stop();
    state.end(state.aux);
}

static void
on_timer(void *arg)
{
    if (takeover_is_under_way()) {
        loop_timer_once(&state.timer, arg, (int64_t)state.seconds * 1000, on_timer, arg);
        return;
    }
    end("nobody has taken over");
}

static void
on_change(int fd, unsigned int events, void *arg)
{
    char buf[4096];
    struct stat st;

    while (read(fd, buf, sizeof(buf)) > 0) {
        /* Whatever it was: what is there now counts. */
    }
    if (takeover_is_under_way()) {
        return; /* Those are the successor's. */
    }
    if (stat(state.path, &st) != 0 || st.st_ino != state.ino) {
        end("its socket was removed");
    } else if (state.pidfile != NULL && access(state.pidfile, F_OK) == 0) {
        end("another switch has started");
    }
}

static void
watch_directory(struct loop *loop)
{
    state.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (state.fd < 0 ||
        inotify_add_watch(state.fd, dirs_run(),
                          IN_CREATE | IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF) < 0 ||
        loop_fd_start(&state.watch, loop, state.fd, LOOP_READ, on_change, NULL) != 0) {
        log_info("cannot watch %s (%s)", dirs_run(), err_str(errno));
    }
}

void
linger_start(struct loop *loop, int seconds, const char *pidfile, loop_fn *end_, void *aux)
{
    struct stat st;

    linger_stop();
    state.seconds = seconds;
    state.pidfile = pidfile;
    state.end = end_;
    state.aux = aux;
    state.path = linger_path();
    state.ino = stat(state.path, &st) == 0 ? st.st_ino : 0;
    loop_timer_once(&state.timer, loop, (int64_t)seconds * 1000, on_timer, loop);
    watch_directory(loop);
}

void
linger_stop(void)
{
    loop_timer_stop(&state.timer);
    if (state.fd >= 0) {
        loop_fd_stop(&state.watch);
        close(state.fd);
        state.fd = -1;
    }
    free(state.path);
    state.path = NULL;
}
