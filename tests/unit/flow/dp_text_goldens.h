// SPDX-License-Identifier: Apache-2.0
/*
 * Datapath text as the deployed switch (3.1.0) prints it: what 'dpctl/parse-actions' answers, and
 * what 'dpctl/dump-flows' without and with -m shows after 'dpctl/add-flow' of the text; but with
 * packet_type() as the switch's own megaflows have it.  Regenerate by hand.
 */
#ifndef TESTS_DP_TEXT_GOLDENS_H
#define TESTS_DP_TEXT_GOLDENS_H

static const struct {
    const char *text;
    const char *want;
} action_goldens[] = {
    {"drop", "drop"},
    {"push_vlan(vid=100,pcp=0),2", "push_vlan(vid=100,pcp=0),2"},
    {"push_vlan(tpid=0x88a8,vid=1,pcp=3),2", "push_vlan(tpid=0x88a8,vid=1,pcp=3),2"},
    {"pop_vlan,1", "pop_vlan,1"},
    {"set(eth(src=00:00:00:00:00:01))", "set(eth(src=00:00:00:00:00:01))"},
    {"set(ipv4(tos=0x4/0xfc,ttl=63))", "set(ipv4(tos=0x4/0xfc,ttl=63))"},
    {"set(ipv6(src=fe80::1,hlimit=3,tclass=0x12,label=0x5))",
     "set(ipv6(src=fe80::1,label=0x5,tclass=0x12,hlimit=3))"},
    {"set(tcp(src=1,dst=2))", "set(tcp(src=1,dst=2))"},
    {"set(udp(dst=2))", "set(udp(dst=2))"},
    {"set(udp(dst=2/0xff))", "set(udp(dst=2/0xff))"},
    {"set(sctp(dst=2))", "set(sctp(dst=2))"},
    {"set(arp(sip=1.2.3.4,op=2,sha=00:00:00:00:00:01))",
     "set(arp(sip=1.2.3.4,op=2,sha=00:00:00:00:00:01))"},
    {"set(icmpv6(type=1)),set(nd(target=::1,sll=00:00:00:00:00:01))",
     "set(icmpv6(type=1)),set(nd(target=::1,sll=00:00:00:00:00:01))"},
    {"set(icmp(type=1))", "set(icmp(type=1))"},
    {"set(nd_ext(nd_reserved=0x1,nd_options_type=1))",
     "set(nd_ext(nd_reserved=0x1,nd_options_type=1))"},
    {"set(mpls(label=3,tc=1,ttl=2,bos=1))", "set(mpls(label=3,tc=1,ttl=2,bos=1))"},
    {"set(skb_priority(0x5))", "set(skb_priority(0x5))"},
    {"set(skb_mark(0x5))", "set(skb_mark(0x5))"},
    {"set(skb_mark(0x5/0xf))", "set(skb_mark(0x5/0xf))"},
    {"set(tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,tp_dst=4789,flags(df|key)))",
     "set(tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,tp_dst=4789,flags(df|key)))"},
    {"set(tunnel(tun_id=0x0,dst=2.2.2.2,ttl=64,flags(key)))",
     "set(tunnel(tun_id=0x0,dst=2.2.2.2,ttl=64,flags(key)))"},
    {"set(tunnel(tun_id=0x1,ipv6_src=::1,ipv6_dst=::2,tos=0x1,ttl=64,tp_src=3,flags(key)"
     "))",
     "set(tunnel(tun_id=0x1,ipv6_src=::1,ipv6_dst=::2,tos=0x1,ttl=64,tp_src=3,flags(key)"
     "))"},
    {"trunc(100),2", "trunc(100),2"},
    {"clone(pop_vlan,2),3", "clone(pop_vlan,2),3"},
    {"sample(sample=50.0%,actions(1,2))", "sample(sample=50.0%,actions(1,2))"},
    {"userspace(pid=0,slow_path(match|cfm))", "userspace(pid=0,slow_path(cfm,match))"},
    {"userspace(pid=5,controller(reason=1,dont_send=0,continuation=0,recirc_id=2,rule_co"
     "okie=0x5,controller_id=0,max_len=65535))",
     "userspace(pid=5,controller(reason=1,dont_send=0,continuation=0,recirc_id=2,rule_co"
     "okie=0x5,controller_id=0,max_len=65535))"},
    {"userspace(pid=5,sFlow(vid=1,pcp=0,output=5),actions)",
     "userspace(pid=5,sFlow(vid=1,pcp=0,output=5),actions)"},
    {"userspace(pid=5,flow_sample(probability=5,collector_set_id=1,obs_domain_id=2,obs_p"
     "oint_id=3,output_port=4,ingress))",
     "userspace(pid=5,flow_sample(probability=5,collector_set_id=1,obs_domain_id=2,obs_p"
     "oint_id=3,output_port=4,ingress))"},
    {"userspace(pid=5,ipfix(output_port=5))", "userspace(pid=5,ipfix(output_port=5))"},
    {"meter(3)", "meter(3)"},
    {"ct", "ct"},
    {"ct(commit)", "ct(commit)"},
    {"ct(commit,zone=5,mark=0x1/0xff,label=0x1/0x3,helper=ftp,nat(src=1.1.1.1-1.1.1.9:10"
     "-20,random))",
     "ct(commit,zone=5,mark=0x1/0xff,label=0x1/0x3,helper=ftp,nat(src=1.1.1.1-1.1.1.9:10"
     "-20,random))"},
    {"ct(force_commit,zone=1,nat(dst=[fe80::1]:80))",
     "ct(force_commit,zone=1,nat(dst=[fe80::1]:80))"},
    {"ct(zone=1,nat)", "ct(zone=1,nat)"},
    {"ct(commit,nat(src),timeout=abc)", "ct(commit,timeout=abc,nat(src))"},
    {"ct(commit,nat(src=1.1.1.1:5,persistent,hash))",
     "ct(commit,nat(src=1.1.1.1:5,persistent,hash))"},
    {"ct_clear", "ct_clear"},
    {"check_pkt_len(size=100,gt(1),le(2,3))", "check_pkt_len(size=100,gt(1),le(2,3))"},
    {"check_pkt_len(size=100,gt(drop),le(2))", "check_pkt_len(size=100,gt(drop),le(2))"},
    {"lb_output(1)", "lb_output(1)"},
    {"tnl_pop(4789)", "tnl_pop(4789)"},
    {"tnl_push(tnl_port(2),header(size=50,type=4,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=17,tos=0,ttl=64,frag"
     "=0x4000),udp(src=0,dst=4789,csum=0x0),vxlan(flags=0x8000000,vni=0x1c7)),out_port(1"
     "))",
     "tnl_push(tnl_port(2),header(size=50,type=4,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=17,tos=0,ttl=64,frag"
     "=0x4000),udp(src=0,dst=4789,csum=0x0),vxlan(flags=0x8000000,vni=0x1c7)),out_port(1"
     "))"},
    {"tnl_push(tnl_port(2),header(size=70,type=4,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x86dd),ipv6(src=2001:cafe::88,dst=2001:cafe::92,label=0,proto=17"
     ",tclass=0x0,hlimit=64),udp(src=0,dst=4789,csum=0xffff),vxlan(flags=0x8000000,vni=0"
     "x7b)),out_port(100))",
     "tnl_push(tnl_port(2),header(size=70,type=4,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x86dd),ipv6(src=2001:cafe::88,dst=2001:cafe::92,label=0,proto=17"
     ",tclass=0x0,hlimit=64),udp(src=0,dst=4789,csum=0xffff),vxlan(flags=0x8000000,vni=0"
     "x7b)),out_port(100))"},
    {"tnl_push(tnl_port(2),header(size=50,type=5,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=17,tos=0,ttl=64,frag"
     "=0x4000),udp(src=0,dst=6081,csum=0x0),geneve(oam,vni=0x1c7)),out_port(1))",
     "tnl_push(tnl_port(2),header(size=50,type=5,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=17,tos=0,ttl=64,frag"
     "=0x4000),udp(src=0,dst=6081,csum=0x0),geneve(oam,vni=0x1c7)),out_port(1))"},
    {"tnl_push(tnl_port(2),header(size=42,type=3,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=47,tos=0,ttl=64,frag"
     "=0x4000),gre((flags=0x2000,proto=0x6558),key=0x1e241)),out_port(1))",
     "tnl_push(tnl_port(2),header(size=42,type=3,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=47,tos=0,ttl=64,frag"
     "=0x4000),gre((flags=0x2000,proto=0x6558),key=0x1e241)),out_port(1))"},
    {"tnl_push(tnl_port(2),header(size=46,type=3,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=47,tos=0,ttl=64,frag"
     "=0x4000),gre((flags=0xa000,proto=0x6558),csum=0x0,key=0x1e241)),out_port(1))",
     "tnl_push(tnl_port(2),header(size=46,type=3,eth(dst=f8:bc:12:44:34:b6,src=f8:bc:12:"
     "46:58:e0,dl_type=0x0800),ipv4(src=1.1.2.88,dst=1.1.2.92,proto=47,tos=0,ttl=64,frag"
     "=0x4000),gre((flags=0xa000,proto=0x6558),csum=0x0,key=0x1e241)),out_port(1))"},
    {"1 2", "1,2"},
};

static const struct {
    const char *text;
    const char *want;
    const char *verbose; /* with names of ports */
} key_goldens[] = {
    {"in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4("
     "src=1.2.3.4,dst=5.6.7.8,proto=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=80),tcp_flags("
     "syn|ack)",
     "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:01,dst=00:00"
     ":00:00:00:02),eth_type(0x0800),ipv4(src=1.2.3.4,dst=5.6.7.8,proto=6,tos=0,ttl=64,f"
     "rag=no),tcp(src=1,dst=80),tcp_flags(syn|ack)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:00:"
     "00:00:01,dst=00:00:00:00:00:02),eth_type(0x0800),ipv4(src=1.2.3.4,dst=5.6.7.8,prot"
     "o=6,tos=0,ttl=64,frag=no),tcp(src=1,dst=80),tcp_flags(syn|ack)"},
    {"in_port(1),eth(),eth_type(0x8100),vlan(vid=10,pcp=3),encap(eth_type(0x0806),arp(si"
     "p=1.2.3.4,tip=5.6.7.8,op=1/0xff,sha=00:00:00:00:00:01,tha=00:00:00:00:00:00))",
     "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x8100),vlan(vid=10,pcp=3)"
     ",encap(eth_type(0x0806),arp(sip=1.2.3.4,tip=5.6.7.8,op=1,sha=00:00:00:00:00:01,tha"
     "=00:00:00:00:00:00))",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:00:"
     "00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x810"
     "0),vlan(vid=10,pcp=3),encap(eth_type(0x0806),arp(sip=1.2.3.4,tip=5.6.7.8,op=1,sha="
     "00:00:00:00:00:01,tha=00:00:00:00:00:00))"},
    {"in_port(1),eth(),eth_type(0x8847),mpls(label=3,tc=1,ttl=64,bos=0,label=5,tc=0,ttl="
     "1,bos=1)",
     "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x8847),mpls(label=3,tc=1,"
     "ttl=64,bos=0,label=5,tc=0,ttl=1,bos=1)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:00:"
     "00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x884"
     "7),mpls(label=3,tc=1,ttl=64,bos=0,label=5,tc=0,ttl=1,bos=1)"},
    {"skb_priority(0x5),skb_mark(0x3/0xff),ct_state(+trk-new+est),ct_zone(5),ct_mark(0x5"
     "/0xf),ct_label(0x123/0xfff),recirc_id(5),dp_hash(0x5/0xf),in_port(2),eth(src=00:00"
     ":00:00:00:03),eth_type(0x0800),ipv4(proto=132,frag=first),sctp(src=3)",
     "skb_priority(0x5),skb_mark(0x3/0xff),ct_state(-new+est+trk),ct_zone(0x5),ct_mark(0"
     "x5/0xf),ct_label(0x123/0xfff),recirc_id(0x5),dp_hash(0x5/0xf),in_port(2),packet_ty"
     "pe(ns=0,id=0),eth(src=00:00:00:00:00:03),eth_type(0x0800),ipv4(proto=132,frag=firs"
     "t),sctp(src=3)",
     "skb_priority(0x5),skb_mark(0x3/0xff),ct_state(0x22/0x23),ct_zone(0x5),ct_mark(0x5/"
     "0xf),ct_label(0x123/0xfff),recirc_id(0x5),dp_hash(0x5/0xf),in_port(p2),packet_type"
     "(ns=0,id=0),eth(src=00:00:00:00:00:03,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth"
     "_type(0x0800),ipv4(src=0.0.0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=132,tos=0/0,ttl=0"
     "/0,frag=first),sctp(src=3,dst=0/0)"},
    {"ct_state(0x21/0x23),ct_tuple4(src=1.2.3.4,dst=5.6.7.8,proto=6,tp_src=1,tp_dst=2),i"
     "n_port(2),eth(),eth_type(0x0800),ipv4(frag=no)",
     "ct_state(+new-est+trk),ct_tuple4(src=1.2.3.4,dst=5.6.7.8,proto=6,tp_src=1,tp_dst=2"
     "),recirc_id(0),in_port(2),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0x21/0x23),ct_zone(0/0),ct_mark(0/0),ct_l"
     "abel(0/0),ct_tuple4(src=1.2.3.4,dst=5.6.7.8,proto=6,tp_src=1,tp_dst=2),recirc_id(0"
     "),dp_hash(0/0),in_port(p2),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:00/00:00:"
     "00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x0800),ipv4(src=0.0"
     ".0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=0/0,tos=0/0,ttl=0/0,frag=no)"},
    {"ct_state(+trk),ct_tuple6(src=::1,dst=::2,proto=17,tp_src=1,tp_dst=2),in_port(2),et"
     "h(),eth_type(0x86dd),ipv6(frag=no)",
     "ct_state(+trk),ct_tuple6(src=::1,dst=::2,proto=17,src_port=1,dst_port=2),recirc_id"
     "(0),in_port(2),packet_type(ns=0,id=0),eth_type(0x86dd),ipv6(frag=no)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0x20/0x20),ct_zone(0/0),ct_mark(0/0),ct_l"
     "abel(0/0),ct_tuple6(src=::1,dst=::2,proto=17,src_port=1,dst_port=2),recirc_id(0),d"
     "p_hash(0/0),in_port(p2),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:00/00:00:00:"
     "00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x86dd),ipv6(src=::/::,"
     "dst=::/::,label=0/0,proto=0/0,tclass=0/0,hlimit=0/0,frag=no)"},
    {"tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,tos=0x0,ttl=64,tp_src=5,tp_dst=4789,flag"
     "s(-df-csum+key)),in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)",
     "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,tp_src=5,tp_dst=4789,flags(-df-cs"
     "um+key)),recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag"
     "=no)",
     "skb_priority(0/0),tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,tp_src=5,tp_dst"
     "=4789,flags(-df-csum+key)),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),c"
     "t_label(0/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src="
     "00:00:00:00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_t"
     "ype(0x0800),ipv4(src=0.0.0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=0/0,tos=0/0,ttl=0/0"
     ",frag=no)"},
    {"tunnel(tun_id=0x5/0xff,ipv6_src=::1,ipv6_dst=::2,ttl=64,vxlan(gbp(id=5,flags=8)),f"
     "lags(-df-csum+key)),in_port(1),eth(),eth_type(0x1234)",
     "tunnel(tun_id=0x5/0xff,ipv6_src=::1,ipv6_dst=::2,ttl=64,vxlan(gbp(id=5,flags=0x8))"
     ",flags(-df-csum+key)),recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x12"
     "34)",
     "skb_priority(0/0),tunnel(tun_id=0x5/0xff,ipv6_src=::1,ipv6_dst=::2,ttl=64,vxlan(gb"
     "p(id=5,flags=0x8)),flags(-df-csum+key)),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),c"
     "t_mark(0/0),ct_label(0/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,i"
     "d=0),eth(src=00:00:00:00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00"
     ":00:00),eth_type(0x1234)"},
    {"in_port(1),packet_type(ns=1,id=0x800),eth_type(0x0800),ipv4(proto=1,frag=no),icmp("
     "type=8,code=0)",
     "recirc_id(0),in_port(1),packet_type(ns=1,id=0x800),eth_type(0x0800),ipv4(proto=1,f"
     "rag=no),icmp(type=8,code=0)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=1,id=0x800),eth_type(0x08"
     "00),ipv4(src=0.0.0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=1,tos=0/0,ttl=0/0,frag=no),"
     "icmp(type=8,code=0)"},
    {"in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(src=1),tcp_flags(+syn-"
     "ack)",
     "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(proto=6,frag="
     "no),tcp(src=1),tcp_flags(+syn-ack)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:00:"
     "00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x080"
     "0),ipv4(src=0.0.0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=6,tos=0/0,ttl=0/0,frag=no),t"
     "cp(src=1,dst=0/0),tcp_flags(+syn-ack)"},
    {"in_port(1),packet_type(ns=0,id=0),eth(),eth_type(0x0800),ipv4(frag=no)",
     "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(frag=no)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:00:"
     "00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x080"
     "0),ipv4(src=0.0.0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=0/0,tos=0/0,ttl=0/0,frag=no)"},
    {"in_port(1),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:01),eth_type(0x0800),ipv4"
     "(frag=no)",
     "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:01),eth_type"
     "(0x0800),ipv4(frag=no)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:00:"
     "00:00:01,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x0800),ipv4(src=0.0.0."
     "0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=0/0,tos=0/0,ttl=0/0,frag=no)"},
    {"recirc_id(0x2),in_port(1),eth(),eth_type(0x8100),vlan(vid=10,pcp=0/0x0),encap(eth_"
     "type(0x86dd),ipv6(src=fe80::1,dst=fe80::/ffff:ffff:ffff:ffff::,label=0x5,proto=58,"
     "tclass=0x10/0xfc,hlimit=255,frag=no),icmpv6(type=135,code=0),nd(target=fe80::2,sll"
     "=00:00:00:00:00:01))",
     "recirc_id(0x2),in_port(1),packet_type(ns=0,id=0),eth_type(0x8100),vlan(vid=10),enc"
     "ap(eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::/ffff:ffff:ffff:ffff::,label=0x5,pr"
     "oto=58,tclass=0x10/0xfc,hlimit=255,frag=no),icmpv6(type=135,code=0),nd(target=fe80"
     "::2,sll=00:00:00:00:00:01))",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0x2),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:0"
     "0:00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x8"
     "100),vlan(vid=10,pcp=0/0x0),encap(eth_type(0x86dd),ipv6(src=fe80::1,dst=fe80::/fff"
     "f:ffff:ffff:ffff::,label=0x5,proto=58,tclass=0x10/0xfc,hlimit=255,frag=no),icmpv6("
     "type=135,code=0),nd(target=fe80::2,sll=00:00:00:00:00:01,tll=00:00:00:00:00:00/00:"
     "00:00:00:00:00))"},
    {"in_port(1),eth(),eth_type(0x0806),arp(op=1)",
     "recirc_id(0),in_port(1),packet_type(ns=0,id=0),eth_type(0x0806),arp(op=1)",
     "skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0"
     "/0),recirc_id(0),dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:00:"
     "00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x080"
     "6),arp(sip=0.0.0.0/0.0.0.0,tip=0.0.0.0/0.0.0.0,op=1,sha=00:00:00:00:00:00/00:00:00"
     ":00:00:00,tha=00:00:00:00:00:00/00:00:00:00:00:00)"},
};

#endif
