// SPDX-License-Identifier: Apache-2.0
/*
 * One datagram a request or an answer, always 64 bytes, with a descriptor where it says so:
 *
 *   client             keeper
 *   P name + fd                        keep it
 *   D name             D name          closed
 *   G nonce            B nonce, then P name + fd for each, then E
 *
 * Between two switches (keep_send()) it is P name + fd for each, then E.
 *
 * Whoever reads answers skips those that a client before it did not live to read.
 */
#include "base/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <uthash.h>

#include "base/fd_pass.h"
#include "base/log.h"

LOG_MODULE(keep);

/* For an answer.  The keeper has nothing else to do. */
#define ANSWER_S 2
/* For what a switch gives up first. */
#define HAND_OVER_S 10

struct message {
    char op;
    char name[KEEP_NAME_MAX];
};

struct kept {
    UT_hash_handle hh;
    char name[KEEP_NAME_MAX];
    int fd;
};

static struct {
    int fd;            /* -1: no keeper */
    struct kept *left; /* by an earlier process, not taken yet */
    struct kept *own;  /* put by this one; the descriptors are the caller's */
} client = {.fd = -1};

/* ---- Messages ---- */

static bool
send_message(int sock, char op, const char *name, int fd)
{
    struct message message = {.op = op};
    ssize_t n;

    str_copy(message.name, name, sizeof(message.name));
    do {
        n = fd_pass_send(sock, &message, sizeof(message), MSG_NOSIGNAL, fd);
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(message);
}

/* False at the end or when nothing comes in time.  '*fd' is -1 or the caller's. */
static bool
receive_message(int sock, struct message *message, int *fd)
{
    ssize_t n;

    do {
        n = fd_pass_recv(sock, message, sizeof(*message), 0, fd);
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(*message)) {
        if (*fd >= 0) {
            close(*fd);
            *fd = -1;
        }
        return false;
    }
    message->name[sizeof(message->name) - 1] = '\0';
    return true;
}

static void
set_timeout(int sock, int option, int seconds)
{
    struct timeval tv = {.tv_sec = seconds};

    (void)setsockopt(sock, SOL_SOCKET, option, &tv, sizeof(tv)); /* Then it waits for ever. */
}

/* ---- A table of descriptors ---- */

static struct kept *
find(struct kept *table, const char *name)
{
    struct kept *kept;

    HASH_FIND_STR(table, name, kept);
    return kept;
}

/* Closes it unless the caller has taken the descriptor out (-1). */
static void
del(struct kept **table, struct kept *kept)
{
    if (kept->fd >= 0) {
        close(kept->fd);
    }
    HASH_DEL(*table, kept);
    free(kept);
}

/* Takes 'fd'. */
static void
put(struct kept **table, const char *name, int fd)
{
    struct kept *kept = find(*table, name);

    if (kept != NULL) {
        close(kept->fd);
        kept->fd = fd;
    } else if (HASH_COUNT(*table) >= KEEP_MAX) {
        close(fd);
    } else {
        kept = xzalloc(sizeof(*kept));
        str_copy(kept->name, name, sizeof(kept->name));
        kept->fd = fd;
        HASH_ADD_STR(*table, name, kept);
    }
}

/* ---- The keeper ---- */

static bool
send_all(int sock, const struct kept *table)
{
    bool ok = true;

    for (const struct kept *kept = table; ok && kept != NULL; kept = kept->hh.next) {
        ok = send_message(sock, 'P', kept->name, kept->fd);
    }
    return ok && send_message(sock, 'E', "", -1);
}

static void
answer_all(int sock, const struct kept *table, const char *nonce)
{
    if (send_message(sock, 'B', nonce, -1)) {
        (void)send_all(sock, table); /* The client waits, and goes on without. */
    }
}

void
keep_serve(int sock)
{
    struct kept *table = NULL, *kept, *next;
    struct message message;
    int fd;

    set_timeout(sock, SO_SNDTIMEO, ANSWER_S);
    while (receive_message(sock, &message, &fd)) {
        if (message.op == 'P' && fd >= 0) {
            put(&table, message.name, fd);
            continue;
        }
        if (fd >= 0) {
            close(fd);
        }
        if (message.op == 'G') {
            answer_all(sock, table, message.name);
        } else if (message.op == 'D') {
            kept = find(table, message.name);
            if (kept != NULL) {
                del(&table, kept);
            }
            (void)send_message(sock, 'D', message.name, -1); /* It waits only so long. */
        }
    }
    HASH_ITER (hh, table, kept, next) {
        del(&table, kept);
    }
    close(sock);
}

/* ---- The client ---- */

static void
lose_keeper(void)
{
    log_info("the keeper of descriptors does not answer; going on without");
    close(client.fd);
    client.fd = -1;
}

/* Reads until an answer 'op' to 'name'. */
static bool
wait_answer(char op, const char *name)
{
    struct message message;
    int fd;

    while (receive_message(client.fd, &message, &fd)) {
        if (fd >= 0) {
            close(fd);
        }
        if (message.op == op && strcmp(message.name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool
receive_all(int sock)
{
    struct message message;
    int fd;

    while (receive_message(sock, &message, &fd)) {
        if (message.op == 'E') {
            return true;
        }
        if (fd >= 0) {
            put(&client.left, message.name, fd);
        }
    }
    return false;
}

void
keep_attach(int sock)
{
    char nonce[KEEP_NAME_MAX];

    client.fd = sock;
    set_timeout(sock, SO_RCVTIMEO, ANSWER_S);
    set_timeout(sock, SO_SNDTIMEO, ANSWER_S);
    snprintf(nonce, sizeof(nonce), "%ld", (long)getpid());
    if (!send_message(sock, 'G', nonce, -1) || !wait_answer('B', nonce)) {
        lose_keeper();
        return;
    }
    if (!receive_all(sock)) {
        lose_keeper();
    }
}

static void
forget_own(const char *name)
{
    struct kept *kept = find(client.own, name);

    if (kept != NULL) {
        kept->fd = -1;
        del(&client.own, kept);
    }
}

bool
keep_is_attached(void)
{
    return client.fd >= 0;
}

int
keep_take(const char *name)
{
    struct kept *kept = find(client.left, name);
    int fd = -1;

    if (kept != NULL) {
        fd = kept->fd;
        kept->fd = -1;
        del(&client.left, kept);
    }
    return fd;
}

void
keep_put(const char *name, int fd)
{
    if (strlen(name) >= KEEP_NAME_MAX) {
        return;
    }
    forget_own(name);
    if (HASH_COUNT(client.own) < KEEP_MAX) {
        put(&client.own, name, fd);
    }
    if (client.fd >= 0 && !send_message(client.fd, 'P', name, fd)) {
        lose_keeper();
    }
}

void
keep_drop(const char *name)
{
    forget_own(name);
    if (client.fd >= 0 && (!send_message(client.fd, 'D', name, -1) || !wait_answer('D', name))) {
        lose_keeper();
    }
}

void
keep_sweep(void)
{
    struct kept *kept, *next;

    HASH_ITER (hh, client.left, kept, next) {
        keep_drop(kept->name);
        del(&client.left, kept);
    }
}

void
keep_detach(void)
{
    struct kept *kept, *next;

    HASH_ITER (hh, client.left, kept, next) {
        del(&client.left, kept);
    }
    HASH_ITER (hh, client.own, kept, next) {
        forget_own(kept->name);
    }
    if (client.fd >= 0) {
        close(client.fd);
        client.fd = -1;
    }
}

bool
keep_send(int sock)
{
    set_timeout(sock, SO_SNDTIMEO, HAND_OVER_S);
    return send_all(sock, client.own);
}

bool
keep_receive(int sock)
{
    set_timeout(sock, SO_RCVTIMEO, HAND_OVER_S);
    return receive_all(sock);
}

void
keep_turn(void)
{
    for (const struct kept *kept = client.own; kept != NULL; kept = kept->hh.next) {
        int fd = fcntl(kept->fd, F_DUPFD_CLOEXEC, 0);
        if (fd >= 0) {
            put(&client.left, kept->name, fd);
        }
    }
}
