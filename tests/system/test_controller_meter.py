# SPDX-License-Identifier: Apache-2.0
"""Meters of what goes to the controllers: controller(meter_id=N), and the meter "controller" for all of it.  Holds for
genuine Open vSwitch, too (SWITCH_KIND=ovs), but where both are compared anyway."""
import re
import struct

import pytest

import openflow as of
from switchlib import wait_for

pytestmark = pytest.mark.rootless

FRAME = "ffffffffffff" "020000000001" "88b5" + "00" * 46


def start(make_hermetic, **kw):
    sw = make_hermetic(**kw)
    sw.add_bridge("br0", "fail_mode=secure", "protocols=OpenFlow10,OpenFlow13")
    sw.add_ports("br0", "p1", "p2")
    return sw


class Listener:
    """Counts packet-ins."""

    def __init__(self, sw):
        self.peer, self.n = of.Peer(sw.dir + "/br0.mgmt"), 0
        assert self.peer.errors(of.message(of.OF13, of.SET_CONFIG, struct.pack("!HH", 0, 128))) == []

    def count(self):
        self.n += sum(m[1] == of.PACKET_IN for m in self.peer.answers())
        return self.n


@pytest.fixture
def sw(make_hermetic):
    sw = start(make_hermetic)
    sw.listener = Listener(sw)
    yield sw
    sw.listener.peer.close()


def ofctl13(sw, *args):
    return sw.ofctl("-O", "OpenFlow13", *args)


def metered(sw, meter):
    """(packets, packets beyond it) of a meter."""
    text = ofctl13(sw, "meter-stats", "br0", "meter=%s" % meter)
    return tuple(int(re.search(pattern, text).group(1)) for pattern in (r"packet_in_count:(\d+)", r"0: packet_count:(\d+)"))


def send(sw, n, meter, seen):
    """Sends 'n' frames, of which the meter sees all; 'seen' packet-ins have come by then."""
    before = metered(sw, meter)[0]
    for _ in range(n):
        sw.appctl("netdev-dummy/receive", "p1", FRAME)
    wait_for(lambda: metered(sw, meter)[0] == before + n, what="the meter's count")
    wait_for(lambda: sw.listener.count() >= seen, what="packet-ins")
    assert sw.listener.count() == seen


def add_meter(sw, meter, burst=4):
    ofctl13(sw, "add-meter", "br0", "meter=%s,pktps,burst,bands=type=drop,rate=1,burst_size=%d" % (meter, burst))


def test_a_meter_limits_packet_ins_and_nothing_else(sw):
    sw.appctl("time/stop")
    add_meter(sw, 3)
    sw.ofctl("add-flow", "br0", "in_port=1,actions=controller(meter_id=3),2")
    assert "controller(meter_id=3),output:2" in sw.ofctl("dump-flows", "br0").replace('"p2"', "2")
    send(sw, 10, 3, 4)
    assert metered(sw, 3) == (10, 6)
    wait_for(lambda: "tx pkts=10" in sw.ofctl("dump-ports", "br0", "p2"), what="all frames at p2")
    sw.appctl("time/warp", "2000")
    send(sw, 5, 3, 6)
    assert metered(sw, 3) == (15, 9)


def test_a_meter_for_all_packet_ins(sw):
    sw.appctl("time/stop")
    add_meter(sw, "controller", 2)
    add_meter(sw, 3, 3)
    sw.ofctl("add-flow", "br0", "in_port=1,actions=controller")
    send(sw, 6, "controller", 2)
    # One that an action names comes instead.
    sw.ofctl("mod-flows", "br0", "in_port=1,actions=controller(meter_id=3)")
    send(sw, 6, 3, 5)
    assert metered(sw, "controller") == (6, 4)
    ofctl13(sw, "del-meter", "br0", "meter=controller")
    sw.ofctl("mod-flows", "br0", "in_port=1,actions=controller")
    for _ in range(6):
        sw.appctl("netdev-dummy/receive", "p1", FRAME)
    wait_for(lambda: sw.listener.count() == 11, what="packet-ins without a meter")


def test_a_meter_that_is_not_there_limits_nothing(sw):
    sw.appctl("time/stop")
    sw.ofctl("add-flow", "br0", "in_port=1,actions=controller(meter_id=9)")
    for _ in range(8):
        sw.appctl("netdev-dummy/receive", "p1", FRAME)
    wait_for(lambda: sw.listener.count() == 8, what="the packet-ins")


def test_what_traces_show(make_hermetic):
    texts = []
    for kind in ("sluice", "ovs"):
        sw = start(make_hermetic, kind=kind)
        for meter in (3, "controller"):
            add_meter(sw, meter)
        for actions in ("controller(meter_id=3),2", "controller(meter_id=4),2", "controller(pause,meter_id=3),2", "controller,2"):
            sw.ofctl("add-flow", "br0", "in_port=1,actions=" + actions)
            texts.append((kind, re.sub(r"rule_cookie=\S+?,|recirc_id=\d+", "", sw.appctl("ofproto/trace", "br0", "in_port=1"))))
    assert [t for kind, t in texts if kind == "sluice"] == [t for kind, t in texts if kind == "ovs"]


def flow13(sw, flow):
    ofctl13(sw, "add-flow", "br0", flow)


@pytest.mark.parametrize("actions, seen, out", [
    ("controller,output:2", 1, 1), ("output:2,controller", 1, 1), ("controller,controller", 2, 0), ("resubmit(,1)", 1, 1),
    ("push_vlan:0x8100,controller,pop_vlan,output:2", 1, 1), ("clone(controller),output:2", 1, 1),
    ("write_actions(controller)", 1, 0), ("goto_table:1", 1, 1), ("controller(pause),output:2", 1, 0),
    ("output:2,resubmit(,2),output:2", 1, 2)])
def test_a_flow_s_meter_limits_its_packet_ins(sw, actions, seen, out):
    """Frames beyond it go neither out nor to the controllers, and it counts each frame once."""
    sw.appctl("time/stop")
    add_meter(sw, 1, 3)
    flow13(sw, "in_port=1,actions=meter:1," + actions)
    flow13(sw, "table=1,actions=controller,output:2")
    flow13(sw, "table=2,actions=controller")
    send(sw, 8, 1, 3 * seen)
    assert metered(sw, 1) == (8, 5)
    sw.appctl("time/warp", "2000")
    send(sw, 4, 1, 5 * seen)
    assert metered(sw, 1) == (12, 7)
    wait_for(lambda: "tx pkts=%d," % (5 * out) in sw.ofctl("dump-ports", "br0", "p2"), what="frames at p2")


def test_a_meter_by_rate_counts_the_frame_as_it_is(sw):
    """In kilobits: 60 bytes and a tag are 512 bits."""
    sw.appctl("time/stop")
    ofctl13(sw, "add-meter", "br0", "meter=1,kbps,burst,stats,bands=type=drop,rate=1,burst_size=1")
    flow13(sw, "in_port=1,actions=meter:1,controller,output:2")
    send(sw, 4, 1, 2)
    assert "byte_in_count:240" in ofctl13(sw, "meter-stats", "br0", "meter=1")
    wait_for(lambda: "tx pkts=2," in sw.ofctl("dump-ports", "br0", "p2"), what="frames at p2")


def test_a_packet_out_s_flow_has_a_meter(sw):
    sw.appctl("time/stop")
    add_meter(sw, 1, 2)
    flow13(sw, "in_port=1,actions=meter:1,controller,output:2")
    for _ in range(5):
        ofctl13(sw, "packet-out", "br0", "in_port=1,packet=%s,actions=table" % FRAME)
    wait_for(lambda: metered(sw, 1) == (5, 3), what="the meter's count")
    assert sw.listener.count() == 2


def test_a_packet_s_size_leads_to_the_controllers(sw):
    """Only what takes the way is sent: of two lists that check_pkt_larger() begins, one."""
    sw.ofctl("add-flow", "br0", "in_port=1,actions=check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,1)")
    sw.ofctl("add-flow", "br0", "table=1,reg0=1,actions=controller,output:2")
    sw.ofctl("add-flow", "br0", "table=1,priority=1,reg0=0,actions=output:2")
    for size in (60, 100, 101, 400, 100):
        sw.appctl("netdev-dummy/receive", "p1", FRAME.ljust(2 * size, "0"))
    wait_for(lambda: "tx pkts=5," in sw.ofctl("dump-ports", "br0", "p2"), what="all frames at p2")
    assert sw.listener.count() == 2


def test_flows_have_no_virtual_meter(sw):
    add_meter(sw, "controller")
    p = sw.listener.peer
    meter = struct.pack("!HHI", 6, 8, 0xfffffffe)
    body = struct.pack("!QQBBHHHIIIHxx", 0, 0, 0, 0, 0, 0, 1, 0xffffffff, 0xffffffff, 0xffffffff, 0) + of.oxm_match()
    assert p.errors(of.message(of.OF13, 14, body + meter)) == [(12, 2)]
