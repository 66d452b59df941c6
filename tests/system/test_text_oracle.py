# SPDX-License-Identifier: Apache-2.0
"""Right and wrong flows in ofproto/trace, in filters of dpctl/dump-flows and in dpctl/parse-actions: texts
changed at random, the same answer from Sluice and from genuine Open vSwitch, byte for byte.

TEXT_ROUNDS and TEXT_SEED make it longer, or other.  What docs/compat.md lists is not among the texts.
"""
import os
import random
import re

import pytest

from text_pair import BRIDGES, pair  # noqa: F401

pytestmark = pytest.mark.rootless

ROUNDS = int(os.environ.get("TEXT_ROUNDS", "300"))
SEED = int(os.environ.get("TEXT_SEED", "1"))

FLOWS = """in_port=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2,tcp_src=80,tcp_dst=90
in_port=p1,udp,nw_ttl=64,udp_src=8,udp_dst=9
in_port=LOCAL,icmp,icmp_type=8,icmp_code=0
in_port="p2",icmp6,ipv6_src=fe80::1,ipv6_dst=fe80::2,icmpv6_type=135,icmpv6_code=0,nd_target=fe80::3
in_port=2,arp,arp_spa=1.2.3.4,arp_tpa=1.2.3.5,arp_sha=00:00:00:00:00:01,arp_tha=00:00:00:00:00:02
in_port=1,dl_vlan=5,dl_vlan_pcp=3,ip,nw_proto=17,nw_frag=first
in_port=1,dl_type=0x1234,dl_src=00:00:00:00:00:01,dl_dst=00:00:00:00:00:02
in_port=1,tcp6,tcp_flags=syn|ack,ipv6_label=0x12345
in_port:1,sctp,sctp_src(1),sctp_dst=2
in_port=1,metadata=0x1234,reg0=5,reg15=0xff,xreg1=0x123456789,xxreg2=0x1,ip
in_port=1,pkt_mark=5,dp_hash=0x5,skb_priority=7
table=5,in_port=1,tcp
in_port=1 tcp nw_src=1.2.3.4,actions=2
in_port=nix,tcp""".splitlines()
VALUES = ["", "x", "5x", "5/x", "5/", "1.2.3", "1.2.3.4/24", "1.2.3.4/99", "99999999999999999999999", "*", "+syn",
          "+syn-foo", "syn|foo", "later", "bogus", "fe80::/64", "fe80::/129", "fe80::g", "00:00:00:00:00",
          "00:00:00:00:00:01/ff:ff:ff:00:00:00", "0x100000000"]
ACTIONS = """1,2,3
push_vlan(vid=5,pcp=3),1,pop_vlan,2
push_vlan(tpid=0x88a8,vid=5,pcp=3,cfi=1),1
set(eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)),1
set(ipv4(src=1.2.3.4,dst=5.6.7.8,tos=0/0xfc,ttl=5)),1
set(ipv6(src=fe80::1,hlimit=4)),1
set(tcp(src=5)),set(udp(dst=5)),set(sctp(src=1,dst=3)),1
set(arp(sip=1.2.3.4,op=2)),1
set(nd(target=fe80::3,sll=00:00:00:00:00:05)),1
set(mpls(label=5,tc=3,ttl=1,bos=0)),1
set(skb_priority(0x5)),set(skb_mark(0x5)),1
meter(5),1
trunc(100),1
sample(sample=10.0%,actions(1,2)),3
clone(1,push_vlan(vid=5,pcp=0),2),3
check_pkt_len(size=200,gt(4),le(push_vlan(vid=3,pcp=0),3)),2
userspace(pid=0,slow_path(cfm)),1
userspace(pid=5,sFlow(vid=9,pcp=7,output=10))
userspace(pid=5,controller(reason=1,dont_send=0,continuation=0,recirc_id=4,rule_cookie=0x5,controller_id=0,max_len=99))
ct(commit,zone=5,nat(src=10.0.0.240-10.0.0.254:32768-65535,persistent)),ct_clear
ct(commit,mark=0xa0a0a0a0/0xfefefefe,timeout=ovs_tp_1,helper=ftp)
lb_output(1),tnl_pop(4)
drop""".splitlines()


def random_items(rng, text, words):
    """Items of a list taken away, doubled, in another order, cut, or with another name or value."""
    for _ in range(rng.choice([1, 1, 2])):
        items = text.split(",")
        i = rng.randrange(len(items))
        kind = rng.randrange(6)
        if kind == 0:
            del items[i]
        elif kind == 1:
            items.insert(rng.randrange(len(items) + 1), items[i])
        elif kind == 2:
            rng.shuffle(items)
        elif kind == 3:
            items[i] = re.sub(r"^\w+", rng.choice(words), items[i])
        elif kind == 4:
            items[i] = re.sub(r"=.*", lambda m: "=" + rng.choice(VALUES), items[i])
        else:
            items.append(rng.choice(words))
        text = ",".join(items)
    return text


def without_megaflow(answer):
    return answer[0], re.sub("Megaflow: .*", "", answer[1])


def test_flows(pair):
    """Of packets, and filters."""
    rng = random.Random(SEED)
    words = sorted(set(re.findall(r"[a-z_]\w+", " ".join(FLOWS))) - {"p1", "p2", "nix", "ack", "syn", "first", "icmp_type",
                                                                     "icmp_code", "nw_src", "nw_dst"})
    pair.vsctl(*BRIDGES)
    for switch in pair.switches:
        switch.ofctl("add-flows", "br0", "-", input="in_port=1,actions=2,3\nin_port=2,tcp,actions=mod_vlan_vid:5,1\n")
    n_ok = 0
    for i in range(len(FLOWS) + ROUNDS):
        text = FLOWS[i] if i < len(FLOWS) else random_items(rng, rng.choice(FLOWS), words)
        if re.search("tcp_flags(=?)(,|$)", text):
            continue  # nothing is no flag to theirs
        ours, theirs = map(without_megaflow, pair.run("ofproto/trace", "br0", text))
        if re.search("out of range for|0x100000000: unknown .* flag", ours[1]):
            continue  # theirs are cut
        assert ours == theirs, (i, text)
        n_ok += ours[0]
        ours, theirs = pair.run("dpctl/dump-flows", "filter=" + text)
        if "wildcards not allowed" not in theirs[1]:  # they are, with ours
            assert ours == theirs, (i, "filter=" + text)
    assert 0 < n_ok < len(FLOWS) + ROUNDS


def test_actions(pair):
    rng = random.Random(SEED)
    for i in range(len(ACTIONS) + ROUNDS):
        text = ACTIONS[i % (len(ACTIONS) - (i >= len(ACTIONS)))]
        if i >= len(ACTIONS):
            kind, at = rng.randrange(3), rng.randrange(len(text))
            if kind == 0:
                text = text[:at]
            elif kind == 1:
                text = rng.choice(["%s,%s", "%s%s", "%s, %s", "%s,,%s"]) % (text, rng.choice(ACTIONS[:-1]))
            else:
                text = re.sub(r"(?<![-.\d])\d+(?=[),])", lambda m: rng.choice(["", "0", "1", "x"]), text,
                              count=rng.randrange(1, 4))
        ours, theirs = pair.run("dpctl/parse-actions", text)
        # A negative number where an errno belongs is the length that theirs read.
        assert ours == (theirs[0], re.sub(r"\((Unknown error -\d+|End of file)\)", "(Invalid argument)", theirs[1])), (
            i, text)


def test_lines_of_dumps_are_traced(pair):
    """dpctl/dump-flows -m prints masks; what is behind a line's flow is not part of it."""
    pair.vsctl(*BRIDGES)
    for flow in ("skb_priority(0/0),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/0),recirc_id(0),"
                 "dp_hash(0/0),in_port(p1),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:00/00:00:00:00:00:00,"
                 "dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x0800),ipv4(src=0.0.0.0/0.0.0.0,"
                 "dst=10.0.0.0/255.0.0.0,proto=6,tos=0/0,ttl=64,frag=no),tcp(src=0/0,dst=80/0xfff0),tcp_flags(0/0)",
                 "in_port(1),eth(src=00:00:00:00:00:01)", "in_port(1),eth(),eth_type(0x0806),arp(op=1/0xff)"):
        for words in ([flow], ["ovs-dummy", flow]):
            ours, theirs = map(without_megaflow, pair.run("ofproto/trace", *words))
            assert ours == theirs, words
