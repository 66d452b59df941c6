/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heir.h - memory that outlives its process for a moment.
 *
 * The kernel takes a process that was killed apart in this order: its memory, then its descriptors,
 * and then its parent hears of it.  A gigabyte of huge pages and the mapped memory of guests are
 * tens of milliseconds in which nobody forwards.  An heir is a process that has the same memory,
 * nothing else, and waits.  With it, descriptors are closed and the death is known as soon as the
 * last thread is dead; the memory goes when the heir ends, beside the start of the next switch.
 * docs/decisions/0039-an-heir-of-the-memory.md says why it is this.
 *
 * Who follows has to know that pages, and devices of which memory is mapped, come back later.
 * Main thread only.
 */
#ifndef BASE_HEIR_H
#define BASE_HEIR_H

#include <stdbool.h>

/* In the monitor, before its first child: those may have heirs.  Elsewhere there are none, and
 * everything here does nothing. */
void heir_allow(void);

/* Of this process, which must not change its user afterwards.  Without an heir (an old kernel) it
 * dies as ever. */
void heir_appoint(void);
/* Before a planned end: the memory is to be back when this process is gone. */
void heir_dismiss(void);

/* In a process that follows one that died: right when it begins. */
void heir_expect(void);
/* Waits until all memory of that one is back, 10 s at most.  True unless that was known before:
 * what has failed may succeed now. */
bool heir_await(void);

/* In a process that follows one that was killed, but has no monitor in common with it: waits, 10 s
 * at most, for the end of all heirs whose owners are dead. */
void heir_await_orphans(void);

#endif
