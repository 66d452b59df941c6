# SPDX-License-Identifier: Apache-2.0
"""ofproto/trace beside genuine Open vSwitch: the same bridges, flows and packets must give the same
text, line by line.

Not compared: the Megaflow line outside of NORMAL (ours looks at fewer bits where a set action needs
no protocol, and subtables of one priority are searched in another order), and the numbers of
recirculation contexts.
"""
import re

import pytest

from switchlib import Failed, Switch

PORTS = [("p1", "", 1), ("p2", "", 2), ("p3", "", 3), ("p4", "tag=10", 4), ("p5", "tag=20", 5),
         ("p6", "trunks=10,20", 6), ("p7", "tag=10 vlan_mode=native-tagged trunks=20", 7),
         ("p8", "tag=10 vlan_mode=native-untagged", 8)]

MAC1, MAC2, MAC9 = "50:54:00:00:00:01", "50:54:00:00:00:02", "50:54:00:00:00:09"

# NORMAL: (packet, options).  In order: what is learned with -generate matters to what follows.
NORMAL = [
    ("in_port=p1,dl_src=%s,dl_dst=%s" % (MAC1, MAC2), []),
    ("in_port=1,dl_src=%s,dl_dst=%s" % (MAC1, MAC2), ["-generate"]),
    ("in_port=2,dl_src=%s,dl_dst=%s" % (MAC2, MAC1), []),
    ("in_port=1,dl_src=%s,dl_dst=%s" % (MAC2, MAC1), []),
    ("in_port=4,dl_src=%s,dl_dst=%s" % (MAC9, MAC1), []),
    ("in_port=4,dl_src=%s,dl_dst=%s,dl_vlan=10" % (MAC9, MAC1), []),
    ("in_port=4,dl_src=%s,dl_dst=%s,dl_vlan=0" % (MAC9, MAC1), []),
    ("in_port=6,dl_src=%s,dl_dst=%s,dl_vlan=10,dl_vlan_pcp=3" % (MAC9, MAC1), []),
    ("in_port=6,dl_src=%s,dl_dst=%s" % (MAC9, MAC1), []),
    ("in_port=6,dl_src=%s,dl_dst=%s,dl_vlan=30" % (MAC9, MAC1), []),
    ("in_port=7,dl_src=%s,dl_dst=%s" % (MAC9, MAC1), []),
    ("in_port=7,dl_src=%s,dl_dst=%s,dl_vlan=20" % (MAC9, MAC1), []),
    ("in_port=8,dl_src=%s,dl_dst=%s" % (MAC9, MAC1), []),
    ("in_port=20,dl_src=%s,dl_dst=%s" % (MAC9, MAC1), []),
    ("in_port=LOCAL,dl_src=%s,dl_dst=01:80:c2:00:00:00" % MAC9, []),
    ("in_port=99,dl_src=%s,dl_dst=%s" % (MAC9, MAC1), []),
    ("in_port=1,arp,arp_op=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.1,dl_dst=ff:ff:ff:ff:ff:ff,"
     "dl_src=%s" % MAC1, []),
    ("in_port=1,arp,arp_op=2,arp_spa=10.0.0.1,arp_tpa=10.0.0.1,dl_dst=ff:ff:ff:ff:ff:ff,"
     "dl_src=50:54:00:00:00:05", ["-generate"]),
]

# (flows, packets)
PIPELINES = [
    (["table=0,in_port=1,actions=drop"], ["in_port=1", "in_port=2"]),
    (["table=0,priority=5,ip,actions=resubmit(,1)",
      "table=1,cookie=0x12,tcp,tp_dst=80,actions=mod_vlan_vid:5,output:2,strip_vlan,output:3",
      "table=1,priority=1,actions=drop"],
     ["in_port=1,tcp,tp_dst=80,nw_ttl=64", "in_port=1,tcp,tp_dst=81", "in_port=1,icmp"]),
    (["ip,actions=dec_ttl,output:2"], ["in_port=1,tcp,nw_ttl=64", "in_port=1,tcp,nw_ttl=1"]),
    (["ip,actions=mod_nw_src:1.2.3.4,mod_tp_dst:99,load:0x5->NXM_NX_REG0[],"
      "move:NXM_NX_REG0[]->NXM_OF_IP_DST[],set_field:00:00:00:00:00:07->eth_src,2"],
     ["in_port=1,tcp,nw_ttl=1", "in_port=1,udp,nw_ttl=1"]),
    (["actions=controller"], ["in_port=1,udp,nw_ttl=1"]),
    (["actions=output:1,in_port,LOCAL"], ["in_port=1,udp"]),
    (["actions=output:20,output:2"], ["in_port=1,udp"]),
    (["actions=output:77"], ["in_port=1,udp"]),
    (["actions=output:reg0[0..15],output(port=2,max_len=64)"], ["in_port=1,udp,reg0=2"]),
    (["actions=resubmit(,0)"], ["in_port=1,udp"]),
    (["actions=clone(mod_vlan_vid:3,2),3,push:NXM_NX_REG0[],pop:NXM_NX_REG1[],note:00.11,exit,4"],
     ["in_port=1,udp,reg0=2"]),
    (["actions=pop:NXM_NX_REG1[]"], ["in_port=1,udp"]),
    (["actions=learn(table=5,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),"
      "resubmit(,5)"], ["in_port=1,udp,dl_src=50:54:00:00:00:01"]),
    (["actions=enqueue:2:5,pop_queue,set_queue:3,output:3,pop_queue,2"], ["in_port=3,tcp"]),
    (["dl_vlan=5,actions=2", "vlan_tci=0,actions=3"],
     ["in_port=1,ip", "in_port=1,ip,dl_vlan=5,dl_vlan_pcp=2", "in_port=1,ip,dl_vlan=6"]),
    (["actions=in_port,resubmit(2,3),resubmit(,4)", "table=3,in_port=2,actions=LOCAL"],
     ["in_port=1,tcp"]),
    (["ip,actions=mod_nw_tos:4,mod_nw_ecn:2,mod_nw_ttl:3,mod_vlan_pcp:3,set_field:5->metadata,2"],
     ["in_port=1,tcp"]),
    (["ipv6,actions=set_field:fe80::1->ipv6_src,set_field:0x5->ipv6_label,dec_ttl,2"],
     ["in_port=1,tcp6,nw_ttl=64", "in_port=1,tcp6,nw_ttl=1"]),
    (["in_port=1,ip,nw_frag=first,actions=2", "priority=1,actions=3"],
     ["in_port=1,tcp,nw_frag=first", "in_port=1,tcp,nw_frag=later", "in_port=1,tcp"]),
    (["ip,actions=check_pkt_larger(1000)->NXM_NX_REG0[0],resubmit(,4)", "table=4,reg0=1,actions=2",
      "table=4,priority=1,actions=3"], ["in_port=1,tcp"]),
    (["actions=load:3->NXM_NX_REG1[],push:NXM_NX_REG1[],load:2->NXM_NX_REG2[],clone(pop:NXM_NX_REG4[],"
      "push:NXM_NX_REG2[]),pop:NXM_NX_REG3[],output:NXM_NX_REG3[]"], ["in_port=1,tcp"]),
    (["actions=load:3->NXM_NX_REG1[],push:NXM_NX_REG1[],output:20,pop:NXM_NX_REG3[],output:NXM_NX_REG3[]"],
     ["in_port=1,tcp"]),
    (["actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG4[0..3]),load:0x123456789->NXM_NX_XXREG1[0..63],"
      "move:NXM_NX_XXREG1[0..95]->NXM_NX_XXREG0[4..99]"], ["in_port=1,tcp"]),
    (["actions=clone(resubmit(,2),output:2),output:3", "table=2,actions=exit"], ["in_port=1,tcp"]),
]

PIPELINES_13 = [
    (["actions=push_vlan:0x8100,set_field:4106->vlan_vid,push_vlan:0x88a8,"
      "set_field:4107->vlan_vid,2,pop_vlan,3"], ["in_port=1,ip"]),
    (["ip,actions=write_actions(output:2,set_field:1.2.3.4->ip_dst),goto_table:1"],
     ["in_port=1,tcp"]),
    (["ip,actions=write_actions(output:2),goto_table:1", "table=1,actions=clear_actions"],
     ["in_port=1,tcp"]),
    (["ip,actions=clear_actions,write_actions(set_field:1.2.3.4->ip_dst),goto_table:1",
      "table=1,actions=clear_actions,write_actions(output:2)"], ["in_port=1,tcp"]),
    (["ip,actions=write_actions(set_field:1.2.3.4->ip_dst,dec_ttl),goto_table:1", "table=1,actions=output:2"],
     ["in_port=1,tcp,nw_ttl=1"]),
    (["ip,actions=output:3,resubmit(,2),write_actions(push_vlan:0x8100),goto_table:4", "table=2,actions=goto_table:3"],
     ["in_port=1,tcp"]),
    (["actions=write_actions(group:1,output:3),goto_table:2", "table=2,actset_output=3,actions=output:2"],
     ["in_port=1,tcp"]),
    (["actions=write_actions(output:3),goto_table:1", "table=1,actions=write_actions(group:1),goto_table:2",
      "table=2,actset_output=3,actions=output:2"], ["in_port=1,tcp"]),
    (["actions=write_actions(group:1),goto_table:1", "table=1,actions=clear_actions,write_actions(output:3),goto_table:2",
      "table=2,actset_output=3,actions=output:2"], ["in_port=1,tcp"]),
    (["actions=resubmit(,2),clone(output:3),write_actions(output:2)", "table=2,actions=write_actions(output:1)"],
     ["in_port=3,tcp"]),
    (["ip,actions=group:1,output:1,output:3"], ["in_port=1,tcp"]),
    (["ip,actions=group:2,output:1,output:3"], ["in_port=1,tcp"]),
    (["ip,actions=group:5,output:1,output:3"], ["in_port=1,tcp"]),
]

GROUPS = ["group_id=1,type=all,bucket=output:2,bucket=mod_vlan_vid:4,output:3",
          "group_id=2,type=indirect,bucket=output:2",
          "group_id=5,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:3,output:3"]


class Pair:
    """Both switches, set up alike."""

    def __init__(self):
        self.switches = [Switch("sluice", args=["--enable-dummy=override"]),
                         Switch("ovs", args=["--enable-dummy=override", "--disable-system"])]
        for s in self.switches:
            s.start()
            for br in ("br0", "br1"):
                s.vsctl("add-br", br, "--", "set", "bridge", br, "datapath_type=dummy",
                        "fail-mode=secure")
            for name, settings, ofport in PORTS:
                s.vsctl("add-port", "br0", name, *settings.split(), "--", "set", "interface", name,
                        "type=dummy", "ofport_request=%d" % ofport)
            for br, name, peer, ofport in (("br0", "pa0", "pa1", 20), ("br1", "pa1", "pa0", 21)):
                s.vsctl("add-port", br, name, "--", "set", "interface", name, "type=patch",
                        "options:peer=" + peer, "ofport_request=%d" % ofport)
            s.vsctl("add-port", "br1", "q1", "--", "set", "interface", "q1", "type=dummy",
                    "ofport_request=1")
            s.ofctl("add-flow", "br1", "actions=NORMAL")

    def set_flows(self, flows, *options):
        for s in self.switches:
            s.ofctl(*options, "del-flows", "br0")
            for flow in flows:
                s.ofctl(*options, "add-flow", "br0", flow)

    def traces(self, packet, options, keep_megaflow):
        return [normalise(trace(s, packet, options), keep_megaflow) for s in self.switches]

    def close(self):
        for s in self.switches:
            s.close()


def trace(switch, packet, options):
    try:
        return switch.appctl("ofproto/trace", "br0", packet, "--names", *options)
    except Failed as e:
        return error_text(e)


def error_text(failed):
    """What the switch said, without the tool's own words before and after it."""
    return str(failed).split("\n", 1)[1].rsplit("ovs-appctl:", 1)[0]


def normalise(text, keep_megaflow):
    text = re.sub(r"recirc_id=\d+,rule", "recirc_id=N,rule", text)
    text = text.replace("vlan_tci1=0x0000,", "").replace("recirc_id=0,eth,", "recirc_id=0,")
    if not keep_megaflow:
        text = re.sub(r"Megaflow: .*\n", "", text)
    return text


@pytest.fixture(scope="module")
def pair():
    p = Pair()
    yield p
    p.close()


def compare(pair, packet, options=(), keep_megaflow=False):
    ours, theirs = pair.traces(packet, options, keep_megaflow)
    assert ours == theirs, packet


def test_normal(pair):
    pair.set_flows(["actions=NORMAL"])
    for packet, options in NORMAL:
        compare(pair, packet, options, keep_megaflow=True)


@pytest.mark.parametrize("n", range(len(PIPELINES)))
def test_pipeline(pair, n):
    flows, packets = PIPELINES[n]
    pair.set_flows(flows)
    for packet in packets:
        compare(pair, packet)


@pytest.mark.parametrize("n", range(len(PIPELINES_13)))
def test_pipeline_of_openflow_13(pair, n):
    flows, packets = PIPELINES_13[n]
    for s in pair.switches:
        s.ofctl("-OOpenFlow13", "del-groups", "br0")
        for group in GROUPS:
            s.ofctl("-OOpenFlow13", "add-group", "br0", group)
    pair.set_flows(flows, "-OOpenFlow13")
    for packet in packets:
        compare(pair, packet)


LEARN = ["learn(table=8,cookie=0x5,load:1->NXM_NX_REG0[0..3],NXM_OF_IN_PORT[])",
         "learn(table=8,priority=3,hard_timeout=600,idle_timeout=9,send_flow_rem,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
         "output:NXM_OF_IN_PORT[])", "learn(table=8,NXM_OF_IN_PORT[])"]


@pytest.mark.parametrize("action", LEARN)
def test_learned_flow(pair, action):
    """What a packet that does all learns."""
    pair.set_flows(["actions=" + action])
    compare(pair, "in_port=1,tcp,dl_src=50:54:00:00:00:01", ["-generate"])


def test_errors(pair):
    for args in (["br9", "in_port=1"], ["br0"], ["br0", "in_port=1,ip,nw_dst=1.2.3.4/8"]):
        texts = []
        for s in pair.switches:
            with pytest.raises(Failed) as e:
                s.appctl("ofproto/trace", *args)
            texts.append(error_text(e.value))
        assert texts[0] == texts[1]


FDB = [["fdb/add", "br0", "p1", "5", "00:11:22:33:44:55"], ["fdb/show", "br0"],
       ["fdb/add", "br0", "p2", "5", "00:11:22:33:44:55"], ["fdb/stats-show", "br0"],
       ["fdb/show", "br0"], ["fdb/flush", "br0"], ["fdb/show", "br0"],
       ["fdb/del", "br0", "5", "00:11:22:33:44:55"], ["fdb/show", "br0"],
       ["fdb/stats-clear", "br0"], ["fdb/stats-show", "br0"], ["fdb/flush"], ["fdb/stats-clear"]]
FDB_ERRORS = [["fdb/add", "br9", "p1", "5", "00:11:22:33:44:55"], ["fdb/show", "br9"], ["fdb/show"],
              ["fdb/add", "br0", "p1", "5", "0011"], ["fdb/flush", "br9"], ["fdb/stats-show"],
              ["fdb/del", "br0", "5", "00:11:22:33:44:55"]]


def test_fdb(pair):
    for s in pair.switches:
        s.appctl("fdb/flush")
        s.appctl("fdb/stats-clear")
    for command in FDB:
        ours, theirs = [s.appctl(*command) for s in pair.switches]
        assert ours == theirs, command
    for command in FDB_ERRORS:
        texts = []
        for s in pair.switches:
            with pytest.raises(Failed) as e:
                s.appctl(*command)
            texts.append(error_text(e.value))
        assert texts[0] == texts[1], command
