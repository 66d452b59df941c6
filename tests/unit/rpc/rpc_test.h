// SPDX-License-Identifier: Apache-2.0
/*
 * Helpers for the tests over real sockets: a loop, a directory, waiting with an end.
 */
#ifndef TESTS_RPC_TEST_H
#define TESTS_RPC_TEST_H

#include "../unit.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/loop.h"

static struct loop *loop;
static char test_dir[64];

static int
rpc_test_start(void **state)
{
    signal(SIGPIPE, SIG_IGN); /* As main() does. */
    loop = loop_create("test");
    snprintf(test_dir, sizeof(test_dir), "/tmp/sluice-rpc-XXXXXX");
    return mkdtemp(test_dir) ? 0 : -1;
}

static int
rpc_test_finish(void **state)
{
    loop_destroy(loop);
    return rmdir(test_dir); /* Fails when something was left behind. */
}

/* Runs the loop until 'cond' holds, for ten seconds at most. */
#define RUN_UNTIL(cond)                        \
    do {                                       \
        time_t end_ = time(NULL) + 10;         \
        while (!(cond) && time(NULL) < end_) { \
            loop_run_once(loop, 20);           \
        }                                      \
        assert_true(cond);                     \
    } while (0)

#endif
