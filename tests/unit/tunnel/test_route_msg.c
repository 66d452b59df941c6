// SPDX-License-Identifier: Apache-2.0
/* Messages of rtnetlink, as the kernel sends them and as it does not. */
#include "../unit.h"

#include <time.h>

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include "tunnel/route_msg.h"

struct message {
    char bytes[512];
    struct nlmsghdr *nlh;
    struct rtmsg *rtm;
};

static void
begin(struct message *m, int family, unsigned int dst_len)
{
    memset(m, 0, sizeof(*m));
    m->nlh = mnl_nlmsg_put_header(m->bytes);
    m->nlh->nlmsg_type = RTM_NEWROUTE;
    m->rtm = mnl_nlmsg_put_extra_header(m->nlh, sizeof(*m->rtm));
    m->rtm->rtm_family = (uint8_t)family;
    m->rtm->rtm_dst_len = (uint8_t)dst_len;
    m->rtm->rtm_table = RT_TABLE_MAIN;
    m->rtm->rtm_type = RTN_UNICAST;
}

static void
put_ip(struct message *m, uint16_t type, const char *text)
{
    uint8_t ip[16];
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;

    assert_int_equal(inet_pton(family, text, ip), 1);
    mnl_attr_put(m->nlh, type, family == AF_INET ? 4 : 16, ip);
}

/* "DST/PLEN gw GW kind K mark M metric N if I", or "" for what is not taken. */
static const char *
decoded(const struct message *m)
{
    static char text[128];
    struct route r;
    uint32_t ifindex;
    struct str s = STR_INIT;

    if (route_msg_decode(m->nlh, &r, &ifindex)) {
        address_format(&s, &r.dst);
        str_printf(&s, "/%u gw ", r.plen);
        address_format(&s, &r.gw);
        str_printf(&s, " kind %u mark %u metric %u if %u", r.kind, r.mark, r.metric, ifindex);
    }
    str_copy(text, str_cstr(&s), sizeof(text));
    str_free(&s);
    return text;
}

static void
routes_are_decoded(void **state)
{
    struct message m;

    begin(&m, AF_INET, 24);
    put_ip(&m, RTA_DST, "10.1.2.0");
    mnl_attr_put_u32(m.nlh, RTA_OIF, 7);
    mnl_attr_put_u32(m.nlh, RTA_PRIORITY, 100);
    assert_string_equal(decoded(&m), "10.1.2.0/120 gw :: kind 0 mark 0 metric 100 if 7");
    begin(&m, AF_INET, 0);
    put_ip(&m, RTA_GATEWAY, "10.1.2.254");
    mnl_attr_put_u32(m.nlh, RTA_OIF, 8);
    assert_string_equal(decoded(&m), "0.0.0.0/96 gw 10.1.2.254 kind 0 mark 0 metric 0 if 8");
    begin(&m, AF_INET6, 128);
    m.rtm->rtm_type = RTN_LOCAL;
    m.rtm->rtm_table = RT_TABLE_LOCAL;
    put_ip(&m, RTA_DST, "fc00::1");
    mnl_attr_put_u32(m.nlh, RTA_OIF, 1);
    assert_string_equal(decoded(&m), "fc00::1/128 gw :: kind 2 mark 0 metric 0 if 1");
}

static void
a_gateway_of_the_other_family(void **state)
{
    struct message m;
    uint8_t via[18] = {AF_INET6, 0, 0xfe, 0x80, [17] = 9};

    begin(&m, AF_INET, 0);
    mnl_attr_put_u32(m.nlh, RTA_OIF, 8);
    mnl_attr_put(m.nlh, RTA_VIA, sizeof(via), via);
    assert_string_equal(decoded(&m), "0.0.0.0/96 gw fe80::9 kind 0 mark 0 metric 0 if 8");
    begin(&m, AF_INET, 0);
    mnl_attr_put_u32(m.nlh, RTA_OIF, 8);
    mnl_attr_put(m.nlh, RTA_VIA, 1, via);
    assert_string_equal(decoded(&m), "");
}

static void
begin_good(struct message *m)
{
    begin(m, AF_INET, 24);
    put_ip(m, RTA_DST, "10.1.2.0");
    mnl_attr_put_u32(m->nlh, RTA_OIF, 7);
}

static void
others_are_left_out(void **state)
{
    struct message m;

    begin_good(&m);
    assert_string_not_equal(decoded(&m), "");
    m.nlh->nlmsg_type = RTM_DELROUTE;
    assert_string_equal(decoded(&m), "");
    begin_good(&m);
    m.rtm->rtm_table = 77;
    assert_string_equal(decoded(&m), "");
    begin_good(&m);
    mnl_attr_put_u32(m.nlh, RTA_TABLE, 1000);
    assert_string_equal(decoded(&m), "");
    begin_good(&m);
    m.rtm->rtm_type = RTN_BLACKHOLE;
    assert_string_equal(decoded(&m), "");
    begin_good(&m);
    m.rtm->rtm_flags = RTM_F_CLONED;
    assert_string_equal(decoded(&m), "");
    begin_good(&m);
    m.rtm->rtm_family = AF_UNIX;
    assert_string_equal(decoded(&m), "");
    begin_good(&m);
    m.rtm->rtm_dst_len = 33;
    assert_string_equal(decoded(&m), "");
    begin_good(&m);
    m.nlh->nlmsg_len = MNL_NLMSG_HDRLEN + sizeof(struct rtmsg) - 1;
    assert_string_equal(decoded(&m), "");
    begin(&m, AF_INET, 24); /* several next hops: no device */
    put_ip(&m, RTA_DST, "10.1.2.0");
    assert_string_equal(decoded(&m), "");
}

/* An attribute that is a byte short or long, of each kind. */
static void
lengths_are_checked(void **state)
{
    static const struct {
        uint16_t type, size;
    } attrs[] = {{RTA_DST, 4},   {RTA_GATEWAY, 4}, {RTA_OIF, 4},
                 {RTA_TABLE, 4}, {RTA_MARK, 4},    {RTA_PRIORITY, 4}};
    static const uint8_t zeros[32];

    for (size_t i = 0; i < ARRAY_SIZE(attrs); i++) {
        for (int off = -1; off <= 1; off++) {
            struct message m;

            begin_good(&m);
            mnl_attr_put(m.nlh, attrs[i].type, (size_t)(attrs[i].size + off), zeros);
            /* Device 0 is none. */
            assert_int_equal(*decoded(&m) != '\0', off == 0 && attrs[i].type != RTA_OIF);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_decoded),
        cmocka_unit_test(a_gateway_of_the_other_family),
        cmocka_unit_test(others_are_left_out),
        cmocka_unit_test(lengths_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
