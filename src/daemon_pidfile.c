// SPDX-License-Identifier: Apache-2.0
/*
 * Creates the pidfile under a temporary name, locks it, and renames it into place: whoever opens
 * the final name finds it complete and locked.
 */
#include "daemon_pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirs.h"
#include "base/process.h"
#include "daemon.h"

/* The descriptor stays open: closing it would give up the lock. */
static struct {
    char *path;
    int fd;
    pid_t owner;
    dev_t dev;
    ino_t ino;
} pidfile = {.fd = -1};

static NO_RETURN void fatal(const char *fmt, ...) PRINTF_FORMAT(1, 2);

static NO_RETURN void
fatal(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fprintf(stderr, "%s: ", PROGRAM_NAME);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}

static int
lock_file(int fd, int command, struct flock *lock)
{
    int result;

    *lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    do {
        result = fcntl(fd, command, lock);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

long
daemon_read_pidfile(const char *path)
{
    struct flock lock;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    int error = lock_file(fd, F_GETLK, &lock);
    close(fd);
    if (error != 0) {
        return error;
    }
    return lock.l_type == F_UNLCK ? 0 : (long)lock.l_pid;
}

/* The number in a file that nobody holds; 0: none. */
static long
read_number(const char *path)
{
    FILE *file = fopen(path, "re");
    long pid = 0;

    if (file != NULL) {
        if (fscanf(file, "%ld", &pid) != 1 || pid < 0 || pid > INT_MAX) {
            pid = 0;
        }
        fclose(file);
    }
    return pid;
}

void
pidfile_check_free(const char *path)
{
    long pid = daemon_read_pidfile(path);

    if (pid == 0) {
        /* The lock goes early; sockets and devices go later, and would be busy. */
        long last = read_number(path);
        if (last > 0 && process_is_dying((pid_t)last)) {
            process_await_death((pid_t)last);
        }
    } else if (pid > 0 && process_await_death((pid_t)pid)) {
        pid = 0;
    }
    if (pid > 0) {
        fatal("%s: already running as pid %ld, aborting", path, pid);
    }
    if (pid < 0) {
        fatal("%s: pidfile check failed (%s), aborting", path, err_str((int)pid));
    }
}

void
pidfile_create(const char *path, bool overwrite)
{
    char *tmp = xasprintf("%s.tmp", path);
    struct flock lock;
    struct stat st;
    char text[32];

    int fd = open(tmp, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) {
        fatal("%s: create failed (%s)", tmp, err_str(errno));
    }
    int error = lock_file(fd, F_SETLK, &lock);
    if (error != 0) {
        fatal("%s: fcntl(F_SETLK) failed (%s)", tmp, err_str(error));
    }
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || write(fd, text, (size_t)len) != len) {
        fatal("%s: write failed (%s)", tmp, err_str(errno));
    }
    /* Two may have passed the first check at once: the lock on the .tmp lets one through. */
    if (!overwrite) {
        pidfile_check_free(path);
    }
    if (rename(tmp, path) != 0) {
        fatal("failed to rename \"%s\" to \"%s\" (%s)", tmp, path, err_str(errno));
    }
    if (fstat(fd, &st) == 0) {
        pidfile.dev = st.st_dev;
        pidfile.ino = st.st_ino;
    }
    pidfile.path = xstrdup(path);
    pidfile.fd = fd;
    pidfile.owner = getpid();
    free(tmp);
}

void
pidfile_remove(void)
{
    struct stat st;

    /* Not the file of a daemon that was started over us with --overwrite-pidfile. */
    if (pidfile.path != NULL && pidfile.owner == getpid() && lstat(pidfile.path, &st) == 0 &&
        st.st_dev == pidfile.dev && st.st_ino == pidfile.ino) {
        unlink(pidfile.path);
    }
    if (pidfile.fd >= 0) {
        close(pidfile.fd);
        pidfile.fd = -1;
    }
    free(pidfile.path);
    pidfile.path = NULL;
}
