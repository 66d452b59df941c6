// SPDX-License-Identifier: Apache-2.0
/*
 * See limits.h.
 */
#include "base/limits_report.h"

#include <inttypes.h>
#include <stdlib.h>

struct provider {
    limits_fn *fn;
    void *aux;
    struct provider *next;
};

static struct provider *providers; /* in order */

void
limits_register(limits_fn *fn, void *aux)
{
    struct provider **last = &providers, *p = xmalloc(sizeof *p);

    while (*last) {
        last = &(*last)->next;
    }
    *p = (struct provider){.fn = fn, .aux = aux};
    *last = p;
}

void
limits_unregister(limits_fn *fn, void *aux)
{
    for (struct provider **p = &providers; *p; p = &(*p)->next) {
        if ((*p)->fn == fn && (*p)->aux == aux) {
            struct provider *gone = *p;
            *p = gone->next;
            free(gone);
            return;
        }
    }
}

void
limits_put_all(struct str *out)
{
    for (const struct provider *p = providers; p; p = p->next) {
        p->fn(out, p->aux);
    }
}

void
limit_put(struct str *out, const struct limit *l)
{
    uint64_t most = MAX(l->most, l->now);

    str_printf(out, "%s%s%s: %" PRIu64 " of %" PRIu64 ", most %" PRIu64 ", %s %" PRIu64 "\n",
               l->name, l->of ? ", " : "", l->of ? l->of : "", l->now, l->max, most, l->beyond,
               l->n_beyond);
}
