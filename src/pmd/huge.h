// SPDX-License-Identifier: Apache-2.0
//
// Big tables of the fast path: zeroed memory that costs nothing until it is touched and lies on
// huge pages where the kernel gives them, from its first byte on.
#ifndef PMD_HUGE_H
#define PMD_HUGE_H

#include <stddef.h>

void *huge_map(size_t size); // aborts when there is no address space
void huge_unmap(void *, size_t size);

#endif
