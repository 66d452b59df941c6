# SPDX-License-Identifier: Apache-2.0
"""Tunnel options as fields (tun_metadata): the same calls of stock tools to Sluice and to genuine
Open vSwitch, and the same answers.  Tunnels are not needed: values come from set_field and load.

Hermetic, so that it runs without root.  What differs on purpose is in docs/compat.md.
"""
import re
import subprocess

import pytest

from switchlib import sh, wait_for
from test_tools_oracle import Both

pytestmark = pytest.mark.rootless

MAP = ("{class=0xffff,type=0,len=4}->tun_metadata0,{class=0xffff,type=1,len=8}->tun_metadata1,"
       "{class=0xffff,type=2,len=16}->tun_metadata2")

FLOWS = [
    "table=1,tun_metadata0=0x1234/0xffff,actions=drop",
    "table=1,tun_metadata0,actions=drop",
    "table=1,tun_metadata0=0x1234,actions=drop",
    "table=1,tun_metadata0=0,actions=drop",
    "table=1,tun_metadata0=0x123456789,actions=drop",
    "table=1,tun_metadata0=0/0xff,tun_metadata1,reg0=5,ip,actions=drop",
    "table=1,tun_metadata2=0x123456789abcdef0123/0xfffffffffff0000ffff,actions=drop",
    "table=1,tun_metadata5=1,actions=drop",
    "table=1,tun_metadata5,actions=drop",
    "table=2,priority=1,actions=set_field:0x1234->tun_metadata0",
    "table=2,priority=2,actions=set_field:0->tun_metadata0,set_field:0x102->tun_metadata2",
    "table=2,priority=3,actions=load:0x12->tun_metadata0[0..15]",
    "table=2,priority=4,actions=load:1->tun_metadata0[0..40]",
    "table=2,priority=5,actions=move:tun_metadata0[0..15]->tun_metadata1[16..31]",
    "table=2,priority=6,actions=move:NXM_NX_REG0[]->tun_metadata1[32..63]",
    "table=2,priority=7,actions=push:tun_metadata0[0..15],pop:tun_metadata1[48..63]",
    "table=2,priority=8,actions=move:NXM_NX_REG0[]->tun_metadata0[8..39]",
    "table=2,priority=9,actions=delete_field:tun_metadata0",
    "table=2,priority=10,actions=delete_field:tun_metadata9",
    "table=2,priority=11,actions=load:1->tun_metadata9[0..4]",
    "table=2,priority=12,actions=set_field:1->tun_metadata9",
    "table=2,priority=13,actions=learn(table=3,tun_metadata0[0..15],"
    "load:tun_metadata0[0..15]->tun_metadata1[0..15],tun_metadata1[0..15]=0x1234)",
    "table=2,priority=14,actions=output:tun_metadata0[0..15]",
    "table=2,priority=15,ip,actions=ct(zone=tun_metadata0[0..15])",
    "table=2,priority=16,actions=multipath(eth_src,50,modulo_n,1,0,tun_metadata0[0..15])",
    "table=2,priority=17,actions=check_pkt_larger(100)->tun_metadata0[0]",
    "table=2,priority=18,actions=clone(set_field:1->tun_metadata2,resubmit(,3))",
]

PIPELINE = [
    "in_port=1,actions=set_field:0x12->tun_metadata0,load:7->tun_metadata1[8..23],resubmit(,4)",
    "table=4,priority=3,tun_metadata0=0x34,actions=drop",
    "table=4,priority=2,tun_metadata2,actions=drop",
    "table=4,priority=1,tun_metadata0=0x12/0xff,tun_metadata1,"
    "actions=push:tun_metadata1[8..15],pop:tun_metadata2[120..127],delete_field:tun_metadata1,"
    "move:tun_metadata0[0..3]->reg1[4..7],learn(table=6,tun_metadata0[0..15],"
    "load:tun_metadata2[120..127]->tun_metadata1[0..7]),resubmit(,5)",
    "table=5,priority=2,tun_metadata1,actions=drop",
    "table=5,priority=1,tun_metadata2=0x7000000000000000000000000000000/"
    "0xff000000000000000000000000000000,actions=2",
]


@pytest.fixture(scope="module")
def pair():
    both = Both()
    for switch in both.switches:
        for br in ("br0", "br1"):
            switch.vsctl("add-br", br, "--", "set", "Bridge", br, "datapath_type=dummy",
                         "fail_mode=secure")
        switch.add_ports("br0", "p1", "p2")
    yield both
    both.close()


def same(both, tool, *args, input=None):
    """Output of a tool, which both must agree in."""
    ours, theirs = both.run(tool, *args, input=input)
    assert ours == theirs, args
    return ours


def test_maps_and_flows_are_the_same(pair):
    assert "NXFMFC_INVALID_TLV_FIELD" in same(pair, "ovs-ofctl", "add-flow", "br0", FLOWS[0])[2]
    assert same(pair, "ovs-ofctl", "add-tlv-map", "br0", MAP)[0] == 0
    good = [flow for flow in FLOWS if same(pair, "ovs-ofctl", "add-flow", "br0", flow)[0] == 0]
    for version in ("OpenFlow10", "OpenFlow15"):
        same(pair, "ovs-ofctl", "-O", version, "add-flows", "br0", "-", input="\n".join(good))
        for other in ("OpenFlow10", "OpenFlow11", "OpenFlow13", "OpenFlow15"):
            text = same(pair, "ovs-ofctl", "--no-stats", "-O", other, "dump-flows", "br0")[1]
            assert text.count("tun_metadata") + text.count("TUN_METADATA") >= 25
    for match in ("tun_metadata0", "tun_metadata0=0x1234", "tun_metadata9", "tun_metadata0=0/0xf"):
        same(pair, "ovs-ofctl", "--no-stats", "dump-flows", "br0", match)


def test_what_is_in_use_stays(pair):
    """After the flows above."""
    for entry in ("{class=0xffff,type=0,len=4}->tun_metadata0",
                  "{class=0xffff,type=8,len=4}->tun_metadata0",
                  "{class=0xffff,type=9,len=4}->tun_metadata9"):
        same(pair, "ovs-ofctl", "del-tlv-map", "br0", entry)
    assert "NXTTMFC_INVALID_TLV_DEL" in same(pair, "ovs-ofctl", "del-tlv-map", "br0")[2]
    same(pair, "ovs-ofctl", "add-flow", "br1", FLOWS[0])  # its own map, which is empty
    same(pair, "ovs-ofctl", "del-flows", "br0", "table=2")
    same(pair, "ovs-ofctl", "del-flows", "br0", "tun_metadata0")
    for switch in pair.switches:  # theirs lets go of a rule some time after it is gone
        wait_for(lambda: sh(["ovs-ofctl", "del-tlv-map", "br0",
                             "{class=0xffff,type=0,len=4}->tun_metadata0"], check=False,
                            env=switch.env).returncode == 0, what="an entry that is free")
        text = sh(["ovs-ofctl", "dump-tlv-map", "br0"], env=switch.env)
        assert re.findall("tun_metadata[0-9]+", text) == ["tun_metadata1", "tun_metadata2"]
    same(pair, "ovs-ofctl", "del-flows", "br0")


def test_values_in_the_pipeline(pair):
    found = []
    for switch in pair.switches:
        sh(["ovs-ofctl", "del-flows", "br0"], env=switch.env)
        wait_for(lambda: sh(["ovs-ofctl", "del-tlv-map", "br0"], check=False,
                            env=switch.env).returncode == 0, what="a map that is free")
        sh(["ovs-ofctl", "add-tlv-map", "br0", MAP], env=switch.env)
        sh(["ovs-ofctl", "add-flows", "br0", "-"], env=switch.env, input="\n".join(PIPELINE))
        out = switch.appctl("ofproto/trace", "br0", "in_port=1,tun_metadata1=0xff", "-generate")
        learned = sh(["ovs-ofctl", "--no-stats", "dump-flows", "br0", "table=6"],
                     env=switch.env)
        out = out.replace("tun_metadata0=0x12/0xffff priority", "tun_metadata0=0x12 priority")
        found.append([x for x in out.splitlines()
                      if re.search("tun_|TUN_|NXM_NX|Datapath", x)] + [learned])
    assert found[0] == found[1]
    assert "Datapath actions: 2" in "\n".join(found[0])
    assert "delete tun_metadata1" in "\n".join(found[0])
    assert "set_field:0x7/0xff->tun_metadata1" in found[0][-1]


def test_packet_ins_carry_them(pair):
    """After the flows above."""
    found = []
    for switch in pair.switches:
        sh(["ovs-ofctl", "add-flow", "br0", "in_port=2,actions=set_field:0x12->tun_metadata0,"
            "set_field:0->tun_metadata1,controller"], env=switch.env)
        with open(switch.dir + "/packet-ins", "w+") as out:
            tool = subprocess.Popen(["ovs-ofctl", "monitor", "br0", "65534", "-P", "nxt_packet_in"],
                                    env=switch.env, stdout=out, stderr=out)

            def came():
                switch.appctl("ofproto/trace", "br0", "in_port=2", "-generate")
                out.seek(0)
                return re.search("NXT_PACKET_IN.* ([^ ]*tun_metadata[^ ]*) ", out.read())
            found.append(wait_for(came, what="a packet-in").group(1))
            tool.terminate()
            tool.wait()
    assert found == 2 * ["tun_metadata0=0x12,tun_metadata1=0,in_port=2"]
