# SPDX-License-Identifier: Apache-2.0
"""Frames with two VLAN tags: what is matched, pushed, popped and switched, as genuine Open vSwitch does it
with other_config:vlan-limit 1 (its default), and no tag lost with any limit."""
import contextlib
import struct

import pytest

from switchlib import Hermetic, wait_for

pytestmark = pytest.mark.rootless

ETH = "50540000000a505400000009"
IP = "080045000028000000004006" + "0000c0a80001c0a80002" + "0008000900000000000000005002000000000000"
OUTER, INNER = "88a82005", "81004009"
FRAME = ETH + OUTER + INNER + IP

TAGGED = "vlan_tci=0x1000/0x1000,actions="
ACTIONS = [
    "2", "normal", "push_vlan:0x8100,set_field:4101->vlan_vid,2", "push_vlan:0x88a8,2",
    "pop_vlan,2", "pop_vlan,push_vlan:0x8100,3", "mod_vlan_vid:5,2,pop_vlan,3", "group:1",
    "clone(push_vlan:0x8100,set_field:4103->vlan_vid,2),3", "set_field:0->vlan_tci,2",
    "push_mpls:0x8847,set_field:77->mpls_label,2", "push_vlan:0x8100,2,pop_vlan,3",
]


class Box:
    """A switch with four dummies whose output is kept."""

    def __init__(self, sw):
        self.sw = sw
        self.seen = {}
        self.sw.add_bridge("br0", "fail_mode=secure")
        for n in range(1, 5):
            self.sw.vsctl("add-port", "br0", "p%d" % n, "--", "set", "Interface", "p%d" % n,
                          "type=dummy", "ofport_request=%d" % n,
                          "options:tx_pcap=%s/p%d.pcap" % (self.sw.dir, n))
        self.ofctl("add-group", "br0",
                      "group_id=1,type=all,bucket=2,bucket=push_vlan:0x8100,set_field:4103->vlan_vid,3")

    def ofctl(self, *args):
        return self.sw.ofctl("-O", "OpenFlow13", *args)

    def frames(self, n):
        """What port 'n' sent since it was last asked."""
        with open("%s/p%d.pcap" % (self.sw.dir, n), "rb") as f:
            data = f.read()
        at, out = 24, []
        while at + 16 <= len(data):
            size = struct.unpack("<I", data[at + 8:at + 12])[0]
            out.append(data[at + 16:at + 16 + size].hex())
            at += 16 + size
        new, self.seen[n] = out[self.seen.get(n, 0):], len(out)
        return new

    def run(self, flow, frame=FRAME):
        """What each port sends of the frame with one flow in the table; [] of none: dropped."""
        self.ofctl("del-flows", "br0")
        self.ofctl("add-flow", "br0", flow)
        self.sw.appctl("fdb/flush", "br0")
        before = self.received()
        self.sw.appctl("netdev-dummy/receive", "p1", frame)
        wait_for(lambda: self.received() == before + 1, 10, "the frame's reception")
        self.received()  # long enough for what it takes from there to the file
        return [self.frames(n) for n in range(1, 5)]

    def received(self):
        return int(self.ofctl("dump-ports", "br0", "p1").split("rx pkts=")[1].split(",")[0])


@pytest.fixture(scope="module")
def boxes():
    with contextlib.ExitStack() as stack:
        made = []
        for kind in ("sluice", "ovs"):
            sw = Hermetic(kind)
            stack.callback(sw.close)
            made.append(Box(sw.start()))
        yield made


def test_two_tags_with_the_default_limit(boxes):
    for actions in ACTIONS:
        ours, theirs = [box.run(TAGGED + actions) for box in boxes]
        assert ours == theirs, actions
    # What is behind the first tag is payload.
    for flow in ("ip,actions=dec_ttl,2", "dl_type=0x8100,actions=2", "tcp,actions=mod_nw_src:9.9.9.9,2"):
        ours, theirs = [box.run(flow) for box in boxes]
        assert ours == theirs, flow


def test_a_pushed_tag_leaves_the_others_whatever_the_limit(boxes):
    ours = boxes[0]
    pushed = ETH + "81000005" + OUTER + INNER + IP
    for limit in ("0", "1", "2"):
        ours.sw.vsctl("set", "Open_vSwitch", ".", "other_config:vlan-limit=" + limit)
        got = ours.run(TAGGED + "push_vlan:0x8100,set_field:4101->vlan_vid,2,pop_vlan,3")
        assert got == [[], [pushed], [FRAME], []], limit
        got = ours.run("ip,dl_vlan=5,actions=dec_ttl,2")  # seen behind both tags, or not
        assert (got[1] == []) == (limit == "1"), limit


def test_tunnel_ports_carry_double_tags(boxes):
    for box in boxes:
        box.sw.vsctl("remove", "Open_vSwitch", ".", "other_config", "vlan-limit")
        box.sw.vsctl("set", "Port", "p1", "vlan_mode=dot1q-tunnel", "tag=100")
    ours, theirs = [box.run("actions=normal") for box in boxes]
    assert ours == theirs
    assert ours[2] == [ETH + "88a80064" + OUTER + INNER + IP]
