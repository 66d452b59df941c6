# SPDX-License-Identifier: Apache-2.0
"""Packets that come back to the datapath: below a popped label, for groups that hash.  Against genuine Open vSwitch,
too (SWITCH_KIND=ovs), but for what counts our own bounds."""
import os
import re
import time

import pytest

from switchlib import Failed, wait_for

KIND = os.environ.get("SWITCH_KIND", "sluice")
MPLS = "020000000002020000000001" "8847" "00005309" "4500001c00000000401166cf0a0000010a000002" "0003005000080000"
IP = "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02),eth_type(0x0800)," \
    "ipv4(src=10.0.0.1,dst=10.0.0.2,proto=17,tos=0,ttl=64,frag=no),udp(src=%d,dst=80)"
TCP = IP.replace("proto=17", "proto=6").replace("udp", "tcp")  # Open vSwitch hashes no ports of UDP
ours = pytest.mark.skipif(KIND != "sluice", reason="our own bounds")


@pytest.fixture
def br(make_hermetic):
    sw = make_hermetic()
    sw.add_bridge("br0", "fail_mode=secure")
    sw.add_ports("br0", "p1", "p2", "p3")
    return sw


def megaflows(sw, pattern):
    return [f for f in sw.appctl("dpctl/dump-flows").splitlines() if re.search(pattern, f)]


def sent(sw, port):
    return int(re.search(r"tx pkts=(\d+)", sw.ofctl("dump-ports", "br0", port)).group(1))


def receive(sw, *frames):
    for i in range(0, len(frames), 50):
        sw.appctl("netdev-dummy/receive", "p1", *frames[i:i + 50])


def counted(sw, event):
    """Of coverage/show, which lists no event that never was."""
    return int(sw.appctl("coverage/read-counter", event))


def test_below_a_label(br):
    """What is below is parsed anew, and registers, stack and the rest of the list are as they were."""
    br.ofctl("add-flows", "br0", "-", input="""
        mpls,actions=pop_mpls:0x0800,load:5->NXM_NX_REG3[],push:NXM_NX_REG3[],resubmit(,1),pop:NXM_NX_REG4[],output:3
        table=1,ip,nw_dst=10.0.0.2,reg3=5,actions=dec_ttl,output:2
        table=1,priority=1,actions=output:1""")
    receive(br, MPLS)
    wait_for(lambda: megaflows(br, r"recirc_id\(0x"), what="the second megaflow")
    first, = megaflows(br, r"recirc_id\(0\)")
    second, = megaflows(br, r"recirc_id\(0x")
    assert re.search(r"actions:pop_mpls\(eth_type=0x800\),recirc\(0x1\)$", first)
    assert second.startswith("recirc_id(0x1),in_port(1)") and second.endswith("actions:set(ipv4(ttl=63)),2,3")
    lines = br.appctl("ofproto/trace", "recirc_id(0x1)," + IP % 3).splitlines()
    at = lines.index("    thaw")
    assert lines[at + 1:at + 12] == [
        "            Resuming from table 0",
        "        Restoring actions: push:NXM_NX_REG3[],resubmit(,1),pop:NXM_NX_REG4[],unroll_xlate(table=0, cookie=0),output:3",
        "    push:NXM_NX_REG3[]",
        "    resubmit(,1)",
        "     1. ip,reg3=0x5,nw_dst=10.0.0.2, priority 32768",
        "            dec_ttl",
        "            output:2",
        "    pop:NXM_NX_REG4[]",
        "     -> NXM_NX_REG4[] is now 0x5",
        "    unroll_xlate(table=0, cookie=0)",
        "    restored state: table=0, cookie=0"]
    assert lines[-1] == "Datapath actions: set(ipv4(ttl=63)),2,3"
    with pytest.raises(Failed, match="no recirculation data for recirc_id 0x99"):
        br.appctl("ofproto/trace", "recirc_id(0x99)," + IP % 3)


def test_tunnel_options_need_no_parsing(br):
    """What is set beside the packet does not depend on what is below the label."""
    br.ofctl("add-tlv-map", "br0", "{class=0xffff,type=0,len=4}->tun_metadata0")
    for field, recircs in (("7->tun_metadata0", False), ("10.0.0.9->nw_dst", True)):
        br.ofctl("add-flow", "br0", "mpls,actions=pop_mpls:0x0800,set_field:%s,output:2" % field)
        out = br.appctl("ofproto/trace", "br0", "in_port=1,mpls,mpls_bos=1").splitlines()[-1]
        assert out.startswith("Datapath actions: pop_mpls(eth_type=0x800),") and ("recirc(" in out) == recircs


def test_rules_change_behind_it(br):
    """The second megaflow follows rules, the first one keeps its number."""
    br.ofctl("add-flows", "br0", "-", input="mpls,actions=pop_mpls:0x0800,resubmit(,1)\ntable=1,ip,actions=output:2")
    receive(br, MPLS)
    wait_for(lambda: megaflows(br, r"recirc_id\(0x1\).*actions:2$"), what="the second megaflow")
    br.ofctl("add-flow", "br0", "table=1,priority=40000,udp,actions=output:3")
    br.appctl("revalidator/wait")
    receive(br, MPLS)
    wait_for(lambda: sent(br, "p3") == 1, what="the packet at p3")
    assert megaflows(br, r"recirc_id\(0\).*actions:pop_mpls\(eth_type=0x800\),recirc\(0x1\)$")
    br.ofctl("del-flows", "br0", "table=0")
    br.appctl("revalidator/wait")
    receive(br, MPLS)
    time.sleep(0.1)
    assert (sent(br, "p2"), sent(br, "p3")) == (1, 1)


WEIGHTS = ["group_id=1,type=select,bucket=weight:1,actions=output:2,bucket=weight:3,actions=output:3"]


def add_group(sw, *groups):
    sw.ofctl("-O", "OpenFlow15", "add-groups", "br0", "-", input="\n".join(groups))


def test_select_by_dp_hash(br):
    """Connections spread by weight over a few megaflows, whatever their number."""
    add_group(br, *WEIGHTS)
    br.ofctl("add-flow", "br0", "actions=group:1")
    receive(br, *(TCP % port for port in range(1, 201)))
    wait_for(lambda: sent(br, "p2") + sent(br, "p3") == 200, what="200 packets")
    assert 20 <= sent(br, "p2") <= 80
    assert len(megaflows(br, r"^recirc_id\(0\).*actions:hash\(sym_l4\(0\)\),recirc\(0x1\)$")) == 1
    assert 8 <= len(megaflows(br, r"^recirc_id\(0x1\),dp_hash\(0x[0-9a-f]+/0xf\).*actions:[23]$")) <= 16
    before = sent(br, "p2")
    receive(br, *(TCP % port for port in list(range(1, 51)) * 2))  # the same choice again
    wait_for(lambda: sent(br, "p2") + sent(br, "p3") == 300, what="100 more")
    assert (sent(br, "p2") - before) % 2 == 0
    br.appctl("revalidator/wait")
    assert "packet_count=300" in br.ofctl("-O", "OpenFlow15", "dump-group-stats", "br0", "group_id=1")
    br.ofctl("add-flow", "br0", "actions=group:1")  # Translated anew, a hash that ends in zeros is one, too.
    br.appctl("revalidator/wait")
    assert not megaflows(br, r"^recirc_id\(0x1\),.*hash\(sym_l4")


@pytest.mark.parametrize("group, actions", [
    ("selection_method=dp_hash,bucket=actions=output:2", r"hash\(l4\(0\)\),recirc\(0x\w+\)"),
    ("selection_method=dp_hash,selection_method_param=0x100000007,bucket=actions=output:2", r"hash\(sym_l4\(7\)\),recirc\(0x\w+\)"),
    ("selection_method=dp_hash,selection_method_param=0x200000007,bucket=actions=output:2", r"hash\(l4\(7\)\),recirc\(0x\w+\)"),
    ("bucket=weight:1,actions=output:2,bucket=weight:255,actions=output:2", r"hash\(sym_l4\(0\)\),recirc\(0x\w+\)"),
    ("bucket=weight:1,actions=output:2,bucket=weight:256,actions=output:2", "2,3"),
    ("bucket=weight:0,actions=output:2,bucket=weight:0,actions=output:2", "3"),
    ("selection_method=hash,fields(ip_src),bucket=actions=output:2", "2,3")])
def test_how_groups_choose(br, group, actions):
    add_group(br, "group_id=1,type=select," + group)
    br.ofctl("add-flow", "br0", "actions=group:1,output:3")
    out = br.appctl("ofproto/trace", IP % 3).splitlines()
    assert re.fullmatch("Datapath actions: " + actions, out[-1])


def test_dead_bucket(br):
    """The slots of a bucket that is not alive go to the next one."""
    add_group(br, "group_id=1,type=select,bucket=watch_port:2,actions=output:2,bucket=watch_port:3,actions=output:3")
    br.ofctl("add-flow", "br0", "actions=group:1")
    br.appctl("netdev-dummy/set-admin-state", "p2", "down")
    wait_for(lambda: "LINK_DOWN" in br.ofctl("show", "br0"), what="the link to go down")
    br.appctl("revalidator/wait")
    receive(br, *(TCP % port for port in range(1, 41)))
    wait_for(lambda: sent(br, "p3") == 40, what="all at p3")


def test_debug_recirc(br):
    br.ofctl("add-flows", "br0", "-", input="actions=debug_recirc,resubmit(,1)\ntable=1,actions=debug_recirc,output:2")
    receive(br, IP % 3)
    wait_for(lambda: sent(br, "p2") == 1, what="the packet")
    assert len(megaflows(br, "recirc_id")) == 3


def test_round_and_round(br):
    """Who recirculates for ever is stopped, also where each pass goes through a handler."""
    br.ofctl("add-flows", "br0", "-", input="actions=controller(max_len=20),debug_recirc,resubmit(,0)")
    receive(br, IP % 3)
    wait_for(lambda: counted(br, "datapath_drop_recirc_error") == 1, what="the end of it")
    br.ofctl("add-flow", "br0", "actions=debug_recirc,resubmit(,0)")
    br.appctl("revalidator/wait")
    receive(br, IP % 3)
    wait_for(lambda: counted(br, "datapath_drop_recirc_error") == 2, what="the end of it")


@ours
def test_unknown_number(br):
    """Put by hand: nobody knows what it stands for."""
    br.ofctl("add-flow", "br0", "actions=drop")
    br.appctl("revalidator/pause")
    br.appctl("dpctl/add-flow", "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)", "recirc(0x999)")
    receive(br, IP % 3)
    wait_for(lambda: counted(br, "drop_action_no_recirculation_context") >= 1, what="the drop")
    assert not megaflows(br, r"recirc_id\(0x999\)")
    br.appctl("revalidator/resume")


def n_kept(sw):
    found = re.search(r"recirculations:(\d+)", sw.appctl("memory/show"))
    return int(found.group(1)) if found else 0


@ours
def test_many_states(br):
    """Who makes a state with each packet takes half of what there is; then groups do without."""
    add_group(br, *WEIGHTS)
    big = "note:" + ".".join(["00"] * 50000)
    br.ofctl("add-flows", "br0", "-", input="udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],group:1," + big)
    receive(br, *(IP % port for port in range(1, 801)))
    wait_for(lambda: sent(br, "p2") + sent(br, "p3") == 800, what="800 packets")
    assert 500 < n_kept(br) < 700  # of 50 kB
    assert counted(br, "xlate_hash_without_recirc") >= 100
    assert megaflows(br, r"recirc_id\(0\).*src=800,.*actions:[23]$")


@ours
def test_nothing_is_kept(br):
    """Numbers go with the megaflows that need them, and with bridges."""
    br.add_bridge("br1")
    add_group(br, *WEIGHTS)
    br.ofctl("add-flow", "br0", "udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],group:1")
    receive(br, *(IP % port for port in range(1, 101)))
    wait_for(lambda: sent(br, "p2") + sent(br, "p3") == 100, what="100 packets")
    assert n_kept(br) >= 100  # a state for each value of the register
    br.ofctl("del-flows", "br0")
    br.appctl("revalidator/purge")
    wait_for(lambda: n_kept(br) == 0, what="the states to go")
    br.ofctl("add-flow", "br0", "actions=group:1")
    receive(br, IP % 3)
    wait_for(lambda: n_kept(br) == 1, what="a state")
    br.vsctl("del-br", "br0")
    wait_for(lambda: n_kept(br) == 0, what="it to go with its bridge")
