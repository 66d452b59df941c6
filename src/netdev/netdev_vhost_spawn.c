// SPDX-License-Identifier: Apache-2.0
#include "netdev/netdev_vhost_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "relay/control.h"

// Beside our own program as it is built, or where it is installed.  Returns a new string.
static char *
find_program(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        char *path = xasprintf("%.*s/relay/" RELAY_PROGRAM, (int)(slash - self), self);
        if (faccessat(AT_FDCWD, path, X_OK, 0) == 0) {
            return path;
        }
        free(path);
    }
    return xstrdup(RELAY_LIBEXECDIR "/" RELAY_PROGRAM);
}

int
netdev_vhost_spawn(char *const argv[], const int fds[], int n)
{
    char *program = find_program();
    char *envp[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid;
    int high[RELAY_N_FDS], status = 0, error = 0;

    // Out of the way of those numbers, so that one does not overwrite another.
    for (int i = 0; i < n; i++) {
        high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, RELAY_FD_CONTROL + RELAY_N_FDS);
        error = high[i] < 0 ? errno : error;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_RDWR, 0);
    for (int i = 0; i < n; i++) {
        posix_spawn_file_actions_adddup2(&actions, high[i], RELAY_FD_CONTROL + i);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, RELAY_FD_CONTROL + n);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none); // the event loop has signals blocked
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    if (error == 0) {
        error = posix_spawn(&pid, program, &actions, &attr, argv, envp);
    }
    // It forks and ends at once.
    if (error == 0 && waitpid(pid, &status, 0) == pid && status != 0) {
        error = ECHILD;
    }
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < n; i++) {
        if (high[i] >= 0) {
            close(high[i]);
        }
    }
    free(program);
    return -error;
}
