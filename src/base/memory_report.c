// SPDX-License-Identifier: Apache-2.0
/*
 * Collects the counts of all providers for "memory/show".  Main thread only.
 */
#include "base/memory_report.h"

#include <inttypes.h>

#include "base/uthash.h"

struct provider {
    memory_report_fn *fn;
    void *aux;
    struct provider *next;
};

struct item {
    char *key;
    uint64_t count;
    UT_hash_handle hh;
};

struct memory_report {
    struct item *items;
};

static struct provider *providers;

void
memory_report_register(memory_report_fn *fn, void *aux)
{
    struct provider *p = xmalloc(sizeof(*p));

    *p = (struct provider){.fn = fn, .aux = aux, .next = providers};
    providers = p;
}

void
memory_report_unregister(memory_report_fn *fn, void *aux)
{
    for (struct provider **p = &providers; *p != NULL; p = &(*p)->next) {
        if ((*p)->fn == fn && (*p)->aux == aux) {
            struct provider *gone = *p;
            *p = gone->next;
            free(gone);
            return;
        }
    }
}

void
memory_report_add(struct memory_report *report, const char *key, uint64_t count)
{
    struct item *item;

    if (count == 0) {
        return;
    }
    HASH_FIND_STR(report->items, key, item);
    if (item == NULL) {
        item = xzalloc(sizeof(*item));
        item->key = xstrdup(key);
        HASH_ADD_KEYPTR(hh, report->items, item->key, strlen(item->key), item);
    }
    item->count += count;
}

static int
compare_items(struct item *a, struct item *b)
{
    return strcmp(a->key, b->key);
}

void
memory_report_show(struct str *out)
{
    struct memory_report report = {NULL};
    struct item *item, *next;

    for (struct provider *p = providers; p != NULL; p = p->next) {
        p->fn(&report, p->aux);
    }
    HASH_SORT(report.items, compare_items);
    HASH_ITER (hh, report.items, item, next) {
        str_printf(out, "%s:%" PRIu64 " ", item->key, item->count);
        HASH_DEL(report.items, item);
        free(item->key);
        free(item);
    }
    str_chomp(out, ' ');
    str_putc(out, '\n');
}
