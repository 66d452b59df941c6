// SPDX-License-Identifier: Apache-2.0
/*
 * What a search among many rules and masks takes: a classifier alone, filled as one bundle would.
 * Prints bytes for each rule, and microseconds of processor time for each rule linked and for each
 * search: for packets that a rule chosen at random takes, unless a better one does, and for packets
 * of random addresses and ports, of which few find a rule early, if there is one for them at all.
 *
 * Arguments are key=value: rules=N, masks=N (at most 16,384: lengths of the two addresses' prefixes
 * and of the source port's), lookups=N, kind=prefix|any (any: bits anywhere in the MAC addresses,
 * about which no trie knows anything), near=N (in how many networks the addresses lie: few make
 * tries useless).
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/random.h"
#include "base/rcu.h"
#include "base/util.h"
#include "flow/match.h"
#include "ofproto/cls.h"

enum { MASKS_MAX = 16384, PRIORITIES = 65000 };

struct options {
    unsigned rules, masks, lookups, near;
    char kind[8];
};

static void
parse_options(struct options *o, int argc, char *argv[])
{
    *o = (struct options){
        .rules = 1000000, .masks = 144, .lookups = 20000, .near = 65536, .kind = "prefix"};
    for (int i = 1; i < argc; i++) {
        if (sscanf(argv[i], "rules=%u", &o->rules) != 1 &&
            sscanf(argv[i], "masks=%u", &o->masks) != 1 &&
            sscanf(argv[i], "lookups=%u", &o->lookups) != 1 &&
            sscanf(argv[i], "near=%u", &o->near) != 1 &&
            sscanf(argv[i], "kind=%7s", o->kind) != 1) {
            fprintf(stderr, "bench_cls: %s: not an option\n", argv[i]);
            exit(1);
        }
    }
    o->masks = MAX(MIN(o->masks, (unsigned)MASKS_MAX), 1u);
    o->rules = MAX(o->rules, 1u);
    o->lookups = MAX(o->lookups, 1u);
    o->near = MAX(o->near, 1u);
}

static double
cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static rte_be32_t
prefix(unsigned len)
{
    return len ? htonl(UINT32_MAX << (32 - len)) : 0;
}

static void
random_flow(const struct options *o, struct flow *f)
{
    uint64_t mac = random_u64();

    memset(f, 0, sizeof *f);
    f->dl_type = htons(ETH_TYPE_IP);
    f->nw_proto = IP_PROTO_UDP;
    memcpy(&f->dl_src, &mac, 6);
    memcpy(&f->dl_dst, (uint8_t *)&mac + 2, 6);
    f->nw_src = htonl(random_range(o->near) * UINT32_C(2654435761));
    f->nw_dst = htonl(random_range(o->near) * UINT32_C(2246822519));
    f->tp_src = (uint16_t)random_u32();
    f->tp_dst = (uint16_t)random_u32();
}

/* The mask of number 'i'. */
static void
make_mask(const struct options *o, unsigned i, struct flow_mask *mask)
{
    memset(mask, 0, sizeof *mask);
    mask->bits.dl_type = UINT16_MAX;
    if (!strcmp(o->kind, "any")) {
        memcpy(&mask->bits.dl_src, &i, 2);
        mask->bits.dl_dst.addr_bytes[0] = 0xff;
        mask->bits.dl_dst.addr_bytes[1] = 0xff;
        return;
    }
    mask->bits.nw_proto = UINT8_MAX;
    mask->bits.nw_src = prefix(32 - i % 32);
    mask->bits.nw_dst = prefix(32 - i / 32 % 32);
    mask->bits.tp_src = htons((uint16_t)(0xffff << i / 1024));
}

static void
make_match(const struct options *o, unsigned i, struct match *m)
{
    struct flow f;

    match_init_any(m);
    random_flow(o, &f);
    make_mask(o, i % o->masks, &m->mask);
    for (unsigned w = 0; w < FLOW_WORDS; w++) {
        m->flow.w[w] = f.w[w] & m->mask.bits.w[w];
    }
}

/* Returns how many found a rule; 'taken': the packets are such that all do. */
static unsigned
search(const struct options *o, const struct cls *cls, struct cls_rule *const *rules, bool taken)
{
    struct flow *flows = xcalloc(o->lookups, sizeof *flows);
    unsigned found = 0;

    for (unsigned i = 0; i < o->lookups; i++) {
        struct match m;

        random_flow(o, &flows[i]);
        cls_rule_get_match(rules[random_range(o->rules)], &m);
        for (unsigned w = 0; taken && w < FLOW_WORDS; w++) {
            flows[i].w[w] = m.flow.w[w] | (flows[i].w[w] & ~m.mask.bits.w[w]);
        }
    }
    double start = cpu_us();
    for (unsigned i = 0; i < o->lookups; i++) {
        struct flow_mask wc = {0};

        found += cls_lookup(cls, CLS_VERSION_MIN, &flows[i], &wc) != NULL;
    }
    printf(", %s %.2f us", taken ? "search near a rule" : "anywhere",
           (cpu_us() - start) / o->lookups);
    free(flows);
    return found;
}

int
main(int argc, char *argv[])
{
    struct options o;
    struct cls *cls = cls_create();

    parse_options(&o, argc, argv);
    rcu_init(4);
    rcu_thread_register();
    struct cls_rule **rules = xcalloc(o.rules, sizeof(struct cls_rule *));
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    double start = cpu_us();
    for (unsigned i = 0; i < o.rules; i++) {
        struct match m;

        make_match(&o, i, &m);
        rules[i] = xzalloc(sizeof(struct cls_rule) + cls_values_size(&m));
        cls_insert(cls, rules[i], &m, 1 + (int)random_range(PRIORITIES), CLS_VERSION_MIN);
    }
    cls_publish(cls);
    printf("rules=%u masks=%zu kind=%s near=%u: %.2f us for each linked", o.rules,
           cls_n_subtables(cls), o.kind, o.near, (cpu_us() - start) / o.rules);
    size_t bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    unsigned near = search(&o, cls, rules, true), anywhere = search(&o, cls, rules, false);
    printf(" (%.0f %% found), %zu bytes a rule\n", anywhere * 100.0 / o.lookups, bytes / o.rules);
    if (near != o.lookups) {
        fprintf(stderr, "bench_cls: only %u of %u found\n", near, o.lookups);
        return 1;
    }
    return 0; /* Memory goes with the process. */
}
