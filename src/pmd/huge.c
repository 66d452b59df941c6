// SPDX-License-Identifier: Apache-2.0
//
// See huge.h.  A huge page must be aligned in memory, which mmap() does not promise: map more, give
// the ends back.
#include "pmd/huge.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/util.h"

static const size_t huge_page = 2 << 20;

// Below this the waste of a huge page is larger than its use.
static size_t
huge_round(size_t size)
{
    return size >= huge_page / 4 ? ROUND_UP(size, huge_page) : ROUND_UP(size, (size_t)4096);
}

void *
huge_map(size_t size)
{
    size_t rounded = huge_round(size);
    uint8_t *p = mmap(NULL, rounded + huge_page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        abort();
    }
    uint8_t *start = (uint8_t *)ROUND_UP((uintptr_t)p, huge_page);
    if (start > p) {
        munmap(p, (size_t)(start - p));
    }
    if (start < p + huge_page) {
        munmap(start + rounded, (size_t)(p + huge_page - start));
    }
    if (rounded >= huge_page) {
        madvise(start, rounded, MADV_HUGEPAGE);
    }
    return start;
}

void
huge_unmap(void *p, size_t size)
{
    if (p) {
        munmap(p, huge_round(size));
    }
}
