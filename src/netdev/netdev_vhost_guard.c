// SPDX-License-Identifier: Apache-2.0
//
// The handler puts a page of zeros where the missing one should be and lets the access go on: the
// guest that lied reads zeros or loses what we wrote, and nobody else notices.  Everything here is
// async-signal-safe.  Other faults (failing memory, misalignment) end the process as before.
#include "netdev/netdev_vhost_guard.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t n_patched; // any thread: w, main: r
static uintptr_t page_size;        // main: w before the handler is set, any thread: r

static bool
patch_page(void *address)
{
    void *page = (void *)((uintptr_t)address & ~(page_size - 1));

    return mmap(page, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                -1, 0) != MAP_FAILED;
}

static void
on_sigbus(int signum, siginfo_t *info, void *context)
{
    if (info->si_code == BUS_ADRERR && patch_page(info->si_addr)) {
        atomic_fetch_add_explicit(&n_patched, 1, memory_order_relaxed);
        return;
    }
    // The access is repeated and meets the default action.
    signal(SIGBUS, SIG_DFL);
}

void
netdev_vhost_guard_start(void)
{
    struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESTART};

    if (page_size == 0) {
        page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
        sigemptyset(&action.sa_mask);
        sigaction(SIGBUS, &action, NULL);
    }
}

uint64_t
netdev_vhost_guard_count(void)
{
    return atomic_load_explicit(&n_patched, memory_order_relaxed);
}
