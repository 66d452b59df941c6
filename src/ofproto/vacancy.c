// SPDX-License-Identifier: Apache-2.0
/*
 * vacancy.c - the room that is left in flow tables, and who is told when it runs short (OpenFlow
 * 1.4, 7.4.6): below vacancy_down, once, until it was above vacancy_up, and the other way round.
 *
 * Main thread: table-mods set it, each transaction of flows asks.
 */
#include "ofproto/ofproto_priv.h"

/* Percent. */
static uint8_t
vacancy_now(const struct oftable *t)
{
    uint64_t room = t->n_flows < t->max_flows ? t->max_flows - t->n_flows : 0;

    return room ? (uint8_t)(room * 100 / t->max_flows) : 0;
}

void
oftable_set_vacancy(struct oftable *t, bool on, uint8_t down, uint8_t up)
{
    t->vacancy_down = down;
    t->vacancy_up = up;
    if (!on) {
        t->vacancy_event = 0;
    } else if (!t->vacancy_event) {
        t->vacancy_event = vacancy_now(t) < up ? OFPTR_VACANCY_UP : OFPTR_VACANCY_DOWN;
    }
}

struct ofp_table_desc
oftable_desc(const struct ofproto *p, uint8_t table_id)
{
    const struct oftable *t = &p->tables[table_id];

    return (struct ofp_table_desc){
        .table_id = table_id,
        .eviction = t->evict_by_controller,
        .eviction_flags = OFPTMPEF_OTHER | OFPTMPEF_IMPORTANCE | OFPTMPEF_LIFETIME,
        .vacancy = t->vacancy_event != 0,
        .vacancy_down = t->vacancy_down,
        .vacancy_up = t->vacancy_up,
        .vacancy_now = vacancy_now(t),
    };
}

static void
report(struct ofproto *p, uint8_t table_id)
{
    struct oftable *t = &p->tables[table_id];
    uint8_t now = vacancy_now(t);
    uint8_t event = now < t->vacancy_down ? OFPTR_VACANCY_DOWN
                    : now > t->vacancy_up ? OFPTR_VACANCY_UP
                                          : 0;

    if (event && event == t->vacancy_event) {
        const struct ofp_table_desc desc = oftable_desc(p, table_id);

        connmgr_send_table_status(p->connmgr, &desc, event);
        t->vacancy_event = event == OFPTR_VACANCY_DOWN ? OFPTR_VACANCY_UP : OFPTR_VACANCY_DOWN;
    }
}

void
vacancy_run(struct ofproto *p, const struct flow_txn *txn)
{
    for (size_t i = 0; i < ARRAY_SIZE(txn->touched); i++) {
        for (uint64_t left = txn->touched[i]; left; left &= left - 1) {
            uint8_t table_id = (uint8_t)(i * 64 + (size_t)__builtin_ctzll(left));

            if (p->tables[table_id].vacancy_event) {
                report(p, table_id);
            }
        }
    }
}
