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


# --- DHCP ------------------------------------------------------------------------------------------------

REPLY = "in_port=%s,udp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.2,udp_src=67,udp_dst=68"


def datapath_actions(sw, packet):
    return re.search(r"Datapath actions: (.*)", sw.appctl("ofproto/trace", "br0", packet)).group(1)


def ports_and_controller(sw):
    sw.vsctl("set", "Bridge", "br0", "fail_mode=secure")
    sw.add_ports("br0", "p1", "p2")
    sw.vsctl("set-controller", "br0", "tcp:10.1.2.3:6653")
    wait_for(lambda: len(hidden(sw)) == 7, what="the flows")


def local_number(sw):
    return re.search(r"br0 65534/(\d+):", sw.appctl("dpif/show")).group(1)


def test_dhcp_replies_get_to_the_bridge_itself(make_hermetic):
    """Holds for genuine Open vSwitch, too (SWITCH_KIND=ovs)."""
    sw = start(make_hermetic)
    ports_and_controller(sw)
    local = local_number(sw)
    other = re.search(r"p2 2/(\d+):", sw.appctl("dpif/show")).group(1)
    both = "%s,%s" % (other, local)
    for actions, want in {"drop": local, "LOCAL": local, "2": both, "2,LOCAL": both, "resubmit(,1)": local,
                          "push_vlan:0x8100,set_field:4103->vlan_vid,output:2": "push_vlan(vid=7,pcp=0)," + both, "write_actions(output:LOCAL)": local,
                          "write_actions(output:2)": both}.items():
        sw.ofctl("-O", "OpenFlow13", "add-flow", "br0", "priority=65535,actions=" + actions)
        assert datapath_actions(sw, REPLY % 1) == want, actions
    sw.ofctl("-O", "OpenFlow13", "add-flow", "br0", "priority=65535,actions=drop")
    for other in ("udp_src=68,udp_dst=67", "udp_src=67,udp_dst=67", "udp_src=1067,udp_dst=68"):
        assert datapath_actions(sw, (REPLY % 1).replace("udp_src=67,udp_dst=68", other)) == "drop"
    assert datapath_actions(sw, (REPLY % 1).replace("udp", "tcp")) == "drop"
    for command in ("set Bridge br0 other_config:disable-in-band=true", "remove Bridge br0 other_config disable-in-band",
                    "set Controller br0 connection_mode=out-of-band"):
        sw.vsctl(*command.split())
        wait_for(lambda: datapath_actions(sw, REPLY % 1) == (local if "remove" in command else "drop"), what=command)


def frame(sport, dport):
    """The bytes of UDP from and to these ports."""
    ip = bytes.fromhex("45000020000000004011" "66cb" "0a000001" "0a000002")
    udp = b"%b%b" % (sport.to_bytes(2, "big"), dport.to_bytes(2, "big")) + bytes.fromhex("000c0000") + b"abcd"
    return (bytes.fromhex("020000000002" "020000000001" "0800") + ip + udp).hex().ljust(120, "0")


def test_flows_of_other_udp_do_not_take_dhcp_replies_along(make_hermetic):
    """And they stay few: a flow is not one source port's."""
    sw = start(make_hermetic, "sluice")
    ports_and_controller(sw)
    control = sw.control()
    for sport in [*range(1, 500, 7), *range(1024, 65536, 997)]:
        control.run("netdev-dummy/receive", "p1", frame(sport, 68))
    for dport in range(1, 500, 7):
        control.run("netdev-dummy/receive", "p1", frame(67, dport))
    for _ in range(3):
        control.run("netdev-dummy/receive", "p1", frame(67, 68))
    wait_for(lambda: "tx pkts=3" in sw.ofctl("dump-ports", "br0", "LOCAL"), what="the replies at the bridge's port")
    assert len(control.run("dpctl/dump-flows")[1].splitlines()) <= 2 + 2 * 16
    control.close()


def test_what_the_bridge_answers_itself_does_not_come_back(make_hermetic):
    sw = start(make_hermetic, "sluice")
    ports_and_controller(sw)
    assert datapath_actions(sw, REPLY % "LOCAL") == "drop"


def test_what_recirculates_sends_one_reply(make_hermetic):
    """What is looked at twice by the datapath is sent to the bridge's port once."""
    sw = start(make_hermetic, "sluice")
    ports_and_controller(sw)
    sw.ofctl("-O", "OpenFlow13", "add-group", "br0", "group_id=1,type=select,bucket=output:2,bucket=output:2")
    sw.ofctl("add-flow", "br0", "priority=65535,actions=group:1")
    sw.appctl("netdev-dummy/receive", "p1", frame(67, 68))
    wait_for(lambda: "tx pkts=1" in sw.ofctl("dump-ports", "br0", "p2"), what="the reply at p2")
    wait_for(lambda: "tx pkts=1" in sw.ofctl("dump-ports", "br0", "LOCAL"), what="the reply at the bridge's port")
    assert "tx pkts=1," in sw.ofctl("dump-ports", "br0", "LOCAL")
