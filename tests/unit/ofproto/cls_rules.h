// SPDX-License-Identifier: Apache-2.0
/*
 * cls_rules.h - rules of a classifier for its tests: made and freed, and what they match, the slow
 * way.
 */
#ifndef CLS_RULES_H
#define CLS_RULES_H 1

#include "../unit.h"

#include "base/random.h"
#include "flow/match.h"
#include "ofproto/cls.h"
#include "ofproto/cls_int.h"

struct twin_rule {
    struct match match;
    struct cls_rule *rule;
};

static inline struct cls_rule *
rule_create(const struct match *m)
{
    return xzalloc(sizeof(struct cls_rule) + cls_values_size(m));
}

static inline void
rule_destroy(void *rule)
{
    cls_rule_release(rule);
    free(rule);
}

static inline bool
matches(const struct match *m, const struct flow *f)
{
    for (unsigned w = 0; w < FLOW_WORDS; w++) {
        if ((f->w[w] & m->mask.bits.w[w]) != m->flow.w[w]) {
            return false;
        }
    }
    return true;
}

/* Small domains, so that rules overlap and packets hit them. */
static inline void
random_flow(struct flow *f)
{
    memset(f, 0, sizeof *f);
    f->ofp_in_port = 1 + random_range(2);
    f->regs[3] = random_range(3);
    f->dl_type = random_range(8) ? htobe16_(ETH_TYPE_IP) : htobe16_(ETH_TYPE_IPV6);
    f->dl_dst.addr_bytes[5] = (uint8_t)random_range(2);
    f->vlans[0].tci = htobe16_(0x1000 | random_range(2));
    f->nw_src =
        htobe32_(0x0a000000 | random_range(4) << 22 | random_range(4) << 7 | random_range(3));
    f->nw_dst = htobe32_(random_range(2) ? 0xc0a80000 | random_range(4) : random_u32());
    f->ipv6_src.s6_addr[0] = (uint8_t)(random_range(2) * 0x20);
    f->ipv6_src.s6_addr[6] = (uint8_t)random_range(3);
    f->ipv6_src.s6_addr[15] = (uint8_t)random_range(2);
    f->nw_proto = random_range(2) ? IP_PROTO_TCP : IP_PROTO_UDP;
    f->tp_src = htobe16_((uint16_t)random_range(4));
    f->tp_dst = htobe16_((uint16_t)(80 + random_range(3) * 100));
    f->tcp_flags = htobe16_((uint16_t)random_range(3));
}

static inline uint32_t
prefix32(unsigned len)
{
    return len ? htobe32_(UINT32_MAX << (32 - len)) : 0;
}

#endif
