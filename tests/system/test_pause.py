# SPDX-License-Identifier: Apache-2.0
"""controller(pause) and NXT_RESUME: a packet that a controller sends back goes on exactly where it was.

Every test but those of bad input runs against genuine Open vSwitch, too (SWITCH_KIND=ovs)."""
import os
import signal
import struct
import subprocess

import pytest

import openflow as of
from switchlib import wait_for

FRAME = "50540000000750540000000508004500001c00000000401100000a0000010a000002000100020008" + "0000"
RESUME = 28
KIND = os.environ.get("SWITCH_KIND", "sluice")
TABLE_254 = {of.OF10: (0xB0C2, 0)}  # OFPBRC_BAD_TABLE_ID, Nicira's in OpenFlow 1.0


@pytest.fixture
def br(make_hermetic):
    sw = make_hermetic()
    for name in ("br0", "br1"):
        sw.add_bridge(name, "fail_mode=secure")
    sw.add_ports("br0", "p1", "p2", "p3")
    for port, bridge, peer in (("pa", "br0", "pb"), ("pb", "br1", "pa")):
        sw.vsctl("add-port", bridge, port, "--", "set", "Interface", port, "type=patch",
                 "options:peer=" + peer, "ofport_request=9")
    return sw


def sent(sw, port):
    """Packets that went out of a dummy port."""
    return int(sw.get("Interface", port, "statistics:tx_packets"))


class Monitor:
    """ovs-ofctl monitor resume: sends every paused packet back at once."""

    def __init__(self, sw, bridge, version=None):
        self.out = open(sw.dir + "/monitor.txt", "w+")
        args = ["ovs-ofctl"] + (["-O", version] if version else [])
        self.proc = subprocess.Popen(args + ["monitor", bridge, "65534", "resume", "-P", "nxt_packet_in2"],
                                     env=sw.env, stdout=self.out, stderr=subprocess.STDOUT)

    def text(self):
        with open(self.out.name) as f:
            return f.read()

    def close(self):
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(10)
        self.out.close()


@pytest.fixture
def monitor(br):
    made = []

    def make(bridge="br0", version=None):
        made.append(Monitor(br, bridge, version))
        return made[-1]

    yield make
    for m in made:
        m.close()


CASES = {
    "last": (["actions=controller(pause),output:2"], 2),
    # Registers, metadata and the stack are what they were, and what was done to the packet stays.
    "state": (["actions=load:7->NXM_NX_REG3[],push:NXM_NX_REG3[],load:9->OXM_OF_METADATA[],resubmit(,1),output:3",
               "table=1,actions=mod_nw_tos:4,controller(pause,userdata=01.02),load:8->NXM_NX_REG4[],"
               "pop:NXM_NX_REG5[],resubmit(,2)",
               "table=2,ip,reg3=7,reg4=8,reg5=7,metadata=9,nw_tos=4,in_port=1,actions=output:2"], 2),
    "twice": (["actions=controller(pause,userdata=01),controller(pause,userdata=02),output:2"], 2),
    "clone": (["actions=clone(controller(pause),output:3),output:2"], 3),
    "larger": (["actions=check_pkt_larger(20)->NXM_NX_REG0[0],controller(pause),resubmit(,3)",
                "table=3,reg0=1,actions=output:2"], 2),
    "ttl": (["actions=controller(pause),dec_ttl,resubmit(,1)", "table=1,ip,nw_ttl=63,actions=output:2"], 2),
    "this table": (["actions=resubmit(,4)", "table=4,priority=40000,reg1=1,actions=output:2",
                    "table=4,actions=controller(pause),load:1->NXM_NX_REG1[],resubmit(1,)"], 2),
}


@pytest.mark.rootless
@pytest.mark.parametrize("case", CASES)
def test_resume_goes_on(br, monitor, case):
    flows, out = CASES[case]
    for flow in flows:
        br.ofctl("add-flow", "br0", flow)
    m = monitor()
    wait_for(lambda: br.appctl("netdev-dummy/receive", "p1", FRAME) is not None
             and sent(br, "p%d" % out), 10, "the packet to come out: " + m.text())
    assert "send: NXT_RESUME" in m.text() and "continuation.actions=unroll_xlate" in m.text()
    assert "decode error" not in m.text() and "OFPT_ERROR" not in m.text()


@pytest.mark.rootless
@pytest.mark.skipif(KIND == "ovs", reason="genuine 3.1 ends with an assertion")
@pytest.mark.parametrize("version", [None, "OpenFlow13", "OpenFlow15"])
def test_resume_into_the_action_set(br, monitor, version):
    for flow in ("udp,actions=write_actions(set_field:10.0.0.9->ip_dst,output:2),write_metadata:5,goto_table:2",
                 "table=2,actions=controller(pause),goto_table:3",
                 "table=3,ip,metadata=5,actions=write_actions(output:3)"):
        br.ofctl("-O", "OpenFlow13", "add-flow", "br0", flow)
    m = monitor(version=version)
    wait_for(lambda: br.appctl("netdev-dummy/receive", "p1", FRAME) is not None and sent(br, "p3"), 10,
             "the packet to come out: " + m.text())
    assert sent(br, "p2") == 0 and "decode error" not in m.text()


@pytest.mark.rootless
def test_pause_behind_a_patch_port(br, monitor):
    br.ofctl("add-flow", "br0", "in_port=1,actions=output:9,output:2")
    br.ofctl("add-flow", "br0", "in_port=9,actions=output:3")
    br.ofctl("add-flow", "br1", "actions=load:3->NXM_NX_REG0[],controller(pause),resubmit(,1)")
    br.ofctl("add-flow", "br1", "table=1,reg0=3,in_port=9,actions=in_port")
    monitor("br1")
    wait_for(lambda: br.appctl("netdev-dummy/receive", "p1", FRAME) is not None and sent(br, "p3"), 10, "p3")
    assert sent(br, "p2") >= 1  # The first bridge does not wait for the second one's controller.


@pytest.mark.rootless
def test_pause_in_a_bucket(br, monitor):
    br.ofctl("-O", "OpenFlow13", "add-group", "br0", "group_id=1,type=all,"
             "bucket=actions=controller(pause),output:2,bucket=output:3")
    br.ofctl("-O", "OpenFlow13", "add-flow", "br0", "actions=group:1")
    monitor()
    wait_for(lambda: br.appctl("netdev-dummy/receive", "p1", FRAME) is not None and sent(br, "p3"), 10, "p3")


@pytest.mark.rootless
def test_packet_out_pauses(br, monitor):
    m = monitor()
    wait_for(lambda: br.ofctl("packet-out", "br0", "in_port=1,packet=%s,actions=controller(pause),dec_ttl,output:2"
                              % FRAME) is not None and sent(br, "p2"), 10, "p2: " + m.text())


def paused(br, version):
    """A connection, and the body of a packet-in with a continuation that came on it."""
    p = of.Peer(br.dir + "/br0.mgmt", version)
    assert p.errors(of.message(version, of.SET_CONFIG, struct.pack("!HH", 0, 128)),
                    of.experimenter(version, 16, struct.pack("!I", 2))) == []
    br.appctl("netdev-dummy/receive", "p1", FRAME)
    body = p.wait(of.EXPERIMENTER)
    assert body[:8] == struct.pack("!II", of.NX, 30)
    return p, body[8:]


@pytest.mark.rootless
@pytest.mark.parametrize("version", [of.OF10, of.OF13, of.OF15])
def test_the_controller_may_change_the_packet(br, version):
    br.ofctl("add-flow", "br0", "actions=controller(pause),resubmit(,1)")
    br.ofctl("add-flow", "br0", "table=1,ip,nw_src=10.9.9.9,actions=output:2")
    p, body = paused(br, version)
    changed = body.replace(bytes.fromhex("0a000001"), bytes.fromhex("0a090909"))
    assert p.errors(of.experimenter(version, RESUME, changed)) == []
    wait_for(lambda: sent(br, "p2") == 1, 10, "the packet")
    p.close()


def with_property(body, more):
    """'body' with a property before the actions of its continuation, which is the last one."""
    at = 0
    while struct.unpack("!H", body[at:at + 2])[0] != 8:
        size = struct.unpack("!H", body[at + 2:at + 4])[0]
        at += size + -size % 8
    inner = body[at + 8:]
    actions = inner.index(struct.pack("!HB", 0x8006, 0))
    inner = inner[:actions] + more + inner[actions:]
    return body[:at] + struct.pack("!HH4x", 8, 8 + len(inner)) + inner


@pytest.mark.rootless
@pytest.mark.skipif(KIND == "ovs", reason="asks for our own checks")
@pytest.mark.parametrize("version", [of.OF10, of.OF13, of.OF15])
def test_bad_continuations(br, version):
    br.ofctl("add-flow", "br0", "actions=push:NXM_NX_REG0[],controller(pause),output:2")
    p, body = paused(br, version)
    for n in range(0, len(body), 8):  # Cut: an error, or a list of properties that just ends sooner.
        assert p.errors(of.experimenter(version, RESUME, body[:n])) is not None
    for i in range(len(body)):
        bad = body[:i] + bytes([body[i] ^ 0x41]) + body[i + 1:]
        assert p.errors(of.experimenter(version, RESUME, bad)) is not None
    stale = body.replace(struct.pack("!HH", 0x8000, 20), struct.pack("!HH", 0x8000, 20) + b"\1", 1)[:len(body)]
    assert p.errors(of.experimenter(version, RESUME, stale))
    table = with_property(body, struct.pack("!HHB3x", 0x8004, 5, 254))
    assert p.errors(of.experimenter(version, RESUME, table)) == [TABLE_254.get(version, (1, 9))]
    before = sent(br, "p2")
    assert p.errors(of.experimenter(version, RESUME, body)) == []  # And the right one still works.
    wait_for(lambda: sent(br, "p2") > before, 10, "the packet")
    p.close()
