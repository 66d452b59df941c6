# SPDX-License-Identifier: Apache-2.0
"""Hidden flows of in-band control: the same as genuine Open vSwitch's, step by step, and what they do."""
import re

import pytest

from switchlib import wait_for

pytestmark = pytest.mark.rootless

STEPS = [
    ("no controller", "set Bridge br0 fail_mode=secure"),
    ("several", "set-controller br0 tcp:127.0.0.1:6633 ssl:10.1.2.3 ptcp:0 unix:/nowhere tcp:[fe80::1]:6653 tcp:127.0.0.1:6633"),
    ("disabled", "set Bridge br0 other_config:disable-in-band=true"),
    ("a manager, too", "remove Bridge br0 other_config disable-in-band -- set-manager ptcp:0:127.0.0.1 tcp:10.9.9.9"),
    ("a queue", "set Bridge br0 other_config:in-band-queue=3"),
    ("another address", "set Bridge br0 other_config:hwaddr=aa:66:aa:66:00:01"),
    ("no managers", "del-manager"),
    ("one out of band", "set-controller br0 tcp:10.1.1.1 -- set Controller br0 connection_mode=out-of-band"),
    ("in band", "set Controller br0 connection_mode=in-band"),
    ("a service", "set Controller br0 type=service"),
    ("none", "del-controller br0"),
]


def hidden(sw):
    return sorted(re.search(r"priority=(\d{6},.*)", line).group(1)
                  for line in sw.appctl("bridge/dump-flows", "br0").splitlines() if "priority=18000" in line)


def start(make_hermetic, kind=None):
    sw = make_hermetic(kind=kind) if kind else make_hermetic()
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
             "other_config:hwaddr=aa:66:aa:66:00:00")
    return sw


def test_the_same_flows_as_genuine_open_vswitch(make_hermetic):
    ours, theirs = start(make_hermetic, "sluice"), start(make_hermetic, "ovs")
    seen = []
    for name, command in STEPS:
        for sw in (ours, theirs):
            sw.vsctl(*command.split())
        wait_for(lambda: hidden(ours) == hidden(theirs), what="the same flows: " + name)
        seen.append(len(hidden(ours)))
    assert seen == [0, 11, 0, 15, 15, 15, 11, 0, 7, 7, 0]
    assert hidden(ours) == []


def test_the_controller_cannot_be_cut_off(make_hermetic):
    """A drop of everything, and deleting it, concern neither ARP nor the connection."""
    sw = start(make_hermetic)
    sw.vsctl("set", "Bridge", "br0", "fail_mode=secure", "--", "add-port", "br0", "p1", "--", "set", "Interface",
             "p1", "type=dummy", "ofport_request=1", "--", "set-controller", "br0", "tcp:10.1.2.3:6653")
    wait_for(lambda: len(hidden(sw)) == 7, what="the flows")

    def verdicts():
        packets = ("in_port=1,arp,dl_dst=aa:66:aa:66:00:00,arp_op=2", "in_port=LOCAL,arp,dl_src=aa:66:aa:66:00:00,arp_op=1",
                   "in_port=1,tcp,nw_src=10.1.2.3,tp_src=6653", "in_port=LOCAL,tcp,nw_dst=10.1.2.3,tp_dst=6653",
                   "in_port=1,tcp,nw_src=10.1.2.4,tp_src=6653", "in_port=LOCAL,tcp,nw_dst=10.1.2.3,tp_dst=6654")
        return ["drop" if "Datapath actions: drop" in sw.appctl("ofproto/trace", "br0", p) else "goes" for p in packets]
    want = ["goes"] * 4 + ["drop"] * 2
    assert verdicts() == want
    sw.ofctl("add-flow", "br0", "priority=65535,actions=drop")
    assert verdicts() == want
    sw.ofctl("del-flows", "br0")
    assert verdicts() == want
    assert "priority=18" not in sw.ofctl("dump-flows", "br0")
    sw.ofctl("replace-flows", "br0", "/dev/null")
    assert verdicts() == want
    sw.vsctl("set", "Bridge", "br0", "other_config:disable-in-band=true")
    wait_for(lambda: verdicts() == ["drop"] * 6, what="no flows")
