# SPDX-License-Identifier: Apache-2.0
"""Datapath flows that dpctl adds, changes and takes away by hand, beside genuine Open vSwitch."""
import re

import pytest

from switchlib import wait_for
from text_pair import BRIDGES, pair  # noqa: F401

pytestmark = pytest.mark.rootless

ARP = "eth(),eth_type(0x806),arp()"
BY_HAND = [
    ["dpctl/add-flow", "in_port(1)," + ARP, "2"],
    ["dpctl/add-flow", "--may-create", "in_port(1)," + ARP, "3"],
    ["dpctl/add-flow", "x", "y", "z"],
    ["dpctl/add-flow", "x"],
    ["dpctl/add-flow", "in_port(1", "2"],
    ["dpctl/add-flow", "in_port(1)", "2"],
    ["dpctl/add-flow", "in_port(1),eth()", "2"],
    ["dpctl/add-flow", "in_port(2),eth(),eth_type(0x800),ipv4()", "foo"],
    ["dpctl/add-flow", "dummy@ovs-dummy",
     "in_port(2),eth(src=00:00:00:00:00:01),eth_type(0x0800),ipv4(frag=no)",
     "push_vlan(vid=5,pcp=0),1"],
    ["dpctl/mod-flow", "-s", "in_port(1)," + ARP, "1"],
    ["dpctl/mod-flow", "--clear", "in_port(1)," + ARP, "1"],
    ["dpctl/mod-flow", "in_port(3)," + ARP, "1"],
    ["dpctl/get-flow", "ufid:12345678-1234-1234-1234-123456789abc"],
    ["dpctl/get-flow", "junk"],
    ["dpctl/get-flow", "ufid:zz"],
    ["dpctl/del-flow", "xx"],
    ["dpctl/del-flow", "in_port(3)," + ARP],
    ["dpctl/del-flow", "-s", "in_port(1)," + ARP],
    ["dpctl/del-flow", "in_port(1)," + ARP],
    ["dpctl/del-flows", "/nonexistent"],
    ["dpctl/add-flows", "/nonexistent"],
    ["dpctl/parse-actions", "1,2", "drop"],
    ["dpctl/parse-actions", "foo"],
    ["dpctl/parse-actions", "push_vlan(vid=5,pcp=0),set(eth(dst=00:00:00:00:00:01)),1,pop_vlan,2"],
    ["dpctl/normalize-actions", "in_port(1)," + ARP, "2,set(ipv4(ttl=3)),3"],
    ["dpctl/normalize-actions", "x", "2"],
    ["dpctl/normalize-actions", "in_port(1)," + ARP, "bogus"],
    ["dpctl/normalize-actions",
     "in_port(1),eth(),eth_type(0x8100),vlan(vid=5,pcp=0),encap(eth_type(0x800),ipv4())",
     "2,pop_vlan,3,push_vlan(vid=9,pcp=0),1"],
]
FILES = [
    ("dpctl/add-flows", ["in_port(1,%s 3" % ARP, "in_port(1),%s bogus" % ARP, "in_port(1)," + ARP,
                         "in_port(1),%s 2" % ARP, "in_port(1),%s 2" % ARP, "in_port(2),%s 2" % ARP,
                         "# a comment"]),
    ("dpctl/mod-flows", ["in_port(3),%s 3" % ARP, "modify in_port(1),%s 1" % ARP,
                         "bogus in_port(1),%s 1" % ARP, "delete in_port(2)," + ARP,
                         "delete in_port(3),%s 1" % ARP, "add in_port(3),%s 2" % ARP, "  "]),
    ("dpctl/del-flows", ["in_port(3)," + ARP, "in_port(3)," + ARP]),
    ("dpctl/del-flows", ["in_port(1),%s 9" % ARP, "zz"]),
]


def test_flows_by_hand(pair, tmp_path):
    pair.vsctl(*BRIDGES)
    pair.same("time/stop")
    for switch in pair.switches:  # so that no revalidator takes them away between two commands
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:max-revalidator=60000")
    for args in BY_HAND:
        pair.same(*args)
    pair.same("dpctl/del-flows")
    for command, text in FILES:
        path = tmp_path / "flows"
        path.write_text("\n".join(text) + "\n")
        pair.same(command, str(path))
    pair.same("dpctl/del-flows")
    pair.same("dpctl/dump-flows")


def test_a_megaflow_is_modified(pair):
    """By the text of a packet of it: that flow gets other actions, no second one comes."""
    pair.vsctl(*BRIDGES)
    pair.same("time/stop")
    for switch in pair.switches:
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:max-revalidator=60000")
        switch.ofctl("del-flows", "br0")
        switch.ofctl("add-flow", "br0", "in_port=1,actions=3")
    frame = ("in_port(1),eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02),eth_type(0x0806),"
             "arp(sip=10.0.0.1,tip=10.0.0.2,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:00)")
    pair.same("netdev-dummy/receive", "p1", frame)

    def actions():
        return [re.findall(r"actions:(\w+)", text) for _, text in pair.run("dpctl/dump-flows")]
    for switch in pair.switches:
        wait_for(lambda: "actions:3" in switch.appctl("dpctl/dump-flows"), 10, "the flow")
    pair.same("dpctl/mod-flow", "recirc_id(0)," + frame.replace(
        "in_port(1)", "in_port(1),packet_type(ns=0,id=0)"), "2")
    assert actions() == [["2"], ["2"]]
    pair.same("dpctl/del-flows")
    for switch in pair.switches:
        switch.ofctl("del-flows", "br0")


def test_flows_by_hand_are_revalidated(pair):
    """The next pass gives them the right actions or takes them away, and idle they expire."""
    key = ("recirc_id(%s),in_port(%d),packet_type(ns=0,id=0),eth(src=00:00:00:00:00:0%d,"
           "dst=00:00:00:00:00:02),eth_type(0x0806),arp(sip=10.0.0.1,tip=10.0.0.2,op=1/0xff,"
           "sha=00:00:00:00:00:01,tha=00:00:00:00:00:00)")

    def dumped():
        ours, theirs = [sorted(text.splitlines()) for _, text in pair.run("dpctl/dump-flows")]
        assert ours == theirs
        return re.findall(r"actions:(\w+)", "\n".join(ours))

    for switch in pair.switches:
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:max-revalidator=60000")
    pair.vsctl(*BRIDGES)
    for switch in pair.switches:
        switch.ofctl("add-flow", "br0", "in_port=1,dl_src=00:00:00:00:00:01,actions=3")
        switch.ofctl("add-flow", "br0", "priority=0,actions=drop")
    pair.same("time/stop")
    pair.same("revalidator/wait")  # a pass after the change of rules must not come in between
    for recirc, port, src in (("0", 1, 1), ("0", 1, 3), ("0", 77, 1), ("0x99", 1, 1)):
        pair.same("dpctl/add-flow", key % (recirc, port, src), "2")
    pair.same("dpctl/add-flow", "in_port(1),eth(dst=00:00:00:00:00:05),eth_type(0x0806),arp()",
              "2")  # looks at less than a rule does
    assert dumped() == ["2"] * 5
    for switch in pair.switches:
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:max-revalidator=100")
    pair.same("revalidator/wait")
    pair.same("revalidator/wait")
    assert dumped() == ["3", "drop"]
    pair.same("time/warp", "9000")
    pair.same("revalidator/wait")
    pair.same("revalidator/wait")
    assert dumped() == ["3", "drop"]
    pair.same("time/warp", "2000")
    pair.same("revalidator/wait")
    pair.same("revalidator/wait")
    assert dumped() == []
