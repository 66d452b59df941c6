// SPDX-License-Identifier: Apache-2.0
//
// Packets that wait for another pass through the datapath.  The poll loop drains the list after
// each burst, so the stack never grows with the number of passes; a packet gets at most
// RECIRC_MAX_DEPTH.
#include "pmd/dp_int.h"

void
recirc_push(struct pmd *pmd, struct rte_mbuf *m, const struct packet_md *md, uint8_t depth)
{
    struct recirc_list *l = &pmd->recirc;

    if (UNLIKELY(depth > RECIRC_MAX_DEPTH || l->n == RECIRC_MAX)) {
        drop_packet(m, DROP_RECIRC);
        return;
    }
    l->p[l->n].m = m;
    l->p[l->n].md = *md;
    l->p[l->n].depth = depth;
    l->n++;
}

// Packets of equal depth go together, oldest first; what they add is drained in turn.
void
recirc_drain(struct pmd *pmd)
{
    struct recirc_list *l = &pmd->recirc;

    while (UNLIKELY(l->n)) {
        struct burst *b = &pmd->burst;
        struct packet_md md[BURST_MAX];
        unsigned n = MIN(l->n, (unsigned)BURST_MAX);

        b->depth = l->p[0].depth;
        for (b->n = 0; b->n < n && l->p[b->n].depth == b->depth; b->n++) {
            b->m[b->n] = l->p[b->n].m;
            md[b->n] = l->p[b->n].md;
        }
        l->n -= b->n;
        memmove(&l->p[0], &l->p[b->n], l->n * sizeof l->p[0]);
        b->md = md;
        b->in_port = ODPP_NONE;
        pmd_input(pmd, b);
        b->md = NULL;
        b->depth = 0;
    }
}
