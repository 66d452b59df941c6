# SPDX-License-Identifier: Apache-2.0
"""What ovs-appctl prints, beside genuine Open vSwitch: the same hermetic scenario through both, the
same text byte for byte.

Differences that are meant stand in docs/compat.md and are not compared here.
"""
import re

import pytest

from switchlib import Hermetic, sh, wait_for
from text_pair import BRIDGES, IP4, pair  # noqa: F401

pytestmark = pytest.mark.rootless


def junk(control):
    """Every command with arguments that mean nothing; the daemon must answer them all."""
    ok, text = control.run("list-commands")
    for line in text.splitlines()[1:]:
        command = line.split()[0]
        if command in ("exit", "time/stop", "revalidator/pause", "vlog/set",
                       "vlog/close"):
            continue
        for args in ([], ["br0"], ["nonsense"], ["", ""], ["br0", "in_port(1)"], ["-m", "x", "y"],
                     ["br0", "%", "%s", "1"]):
            control.run(command, *args)


@pytest.fixture
def hermetic():
    switch = Hermetic().start()
    yield switch
    switch.close()


def test_no_command_ends_the_daemon(hermetic):
    """Before the first bridge, with one, and after the last."""
    control = hermetic.control()
    junk(control)
    hermetic.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    hermetic.add_ports("br0", "p1")
    junk(control)
    hermetic.vsctl("del-br", "br0")
    junk(control)
    control.close()


def usages(switch):
    """Names and usages of list-commands."""
    lines = switch.appctl("list-commands").splitlines()[1:]
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines}


def test_usages_of_commands(pair):
    ours, theirs = [usages(switch) for switch in pair.switches]
    both = set(ours) & set(theirs)
    assert len(both) > 80
    assert {name: ours[name] for name in both} == {name: theirs[name] for name in both}


# An argument with a space cannot be one of these lines.
NO_BRIDGE = """upcall/show
dpif/show
dpif/dump-dps
revalidator/purge
upcall/disable-megaflows
upcall/enable-megaflows
upcall/disable-ufid
upcall/enable-ufid
upcall/set-flow-limit 1000
dpctl/dump-dps
dpctl/show
dpctl/dump-flows
dpctl/add-flow in_port(1) 1
ofproto/list
fdb/show br0
dpif/dump-flows br0
dpif/show-dp-features br0
bridge/dump-flows br0
bridge/reconnect
bridge/reconnect br0
dpif-netdev/pmd-stats-show
dpif-netdev/pmd-stats-clear
dpif-netdev/pmd-rxq-show
dpif-netdev/pmd-rxq-rebalance
dpif-netdev/pmd-perf-show
dpif-netdev/subtable-lookup-info-get
dpif-netdev/subtable-lookup-prio-get
dpif-netdev/dpif-impl-get
dpif-netdev/miniflow-parser-get
netdev-dummy/conn-state
netdev-dummy/receive x y
vlog/list-pattern
version""".splitlines()


def test_without_a_bridge(pair):
    """Before the first and after the last one."""
    for line in NO_BRIDGE:
        pair.same(line)
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    pair.same("ofproto/list")
    pair.vsctl("del-br", "br0")
    for line in NO_BRIDGE:
        pair.same(line)


TCP = ("in_port(1),eth(src=50:54:00:00:00:05,dst=50:54:00:00:00:07),eth_type(0x0800),"
       "ipv4(src=192.168.0.1,dst=192.168.0.2,proto=6,tos=0,ttl=64,frag=no),"
       "tcp(src=80,dst=8080),tcp_flags(syn)")


@pytest.fixture
def bridged(pair):
    """Two bridges, flows, and two packets through each port while the clock stands still."""
    pair.vsctl(*BRIDGES)
    for switch in pair.switches:
        switch.ofctl("add-flows", "br0", "-", input="in_port=1,actions=2,3\n"
                     "in_port=2,tcp,actions=mod_vlan_vid:5,1,strip_vlan,3\n"
                     "in_port=3,actions=LOCAL,9\n")
    pair.same("time/stop")
    for port in ("p1", "p2", "p3"):
        for seen in ("packets:", "packets:1,"):  # the first one is a miss
            pair.same("netdev-dummy/receive", port, TCP)
            for control in pair.controls:
                wait_for(lambda: control.run("dpctl/dump-flows")[1].count(seen) == int(port[1]),
                         what="the flow of " + port)
    pair.same("time/warp", "300")
    pair.same("revalidator/wait")
    return pair


def lines(reply):
    """(is good, the lines in an order of their own, without how old flows are: one switch came up later)."""
    return reply[0], sorted(re.sub(r"\bduration=\d+s", "duration=", line) for line in reply[1].splitlines())


DUMPS = """dpctl/dump-flows
dpctl/dump-flows --names
dpctl/dump-flows dummy@ovs-dummy
dpctl/dump-flows type=ovs
dpctl/dump-flows type=all
dpctl/dump-flows type=non-offloaded,dpdk
dpctl/dump-flows filter=tcp
dpctl/dump-flows filter=in_port=1
dpctl/dump-flows filter=in_port=p2
dpctl/dump-flows filter=in_port=2,tcp
dpctl/dump-flows pmd=-1
dpif/dump-flows br0
dpif/dump-flows --names br0
dpif/dump-flows br1
bridge/dump-flows br0
bridge/dump-flows --offload-stats br0
bridge/dump-flows br1""".splitlines()

TEXTS = """dpif/show
dpif/dump-dps
dpctl/dump-dps
dpctl/show
dpctl/show -s
dpctl/show dummy@ovs-dummy
ofproto/list
fdb/show br0
dpctl/dump-flows type=offloaded
dpctl/dump-flows type=partially-offloaded
dpctl/dump-flows type=bogus
dpctl/dump-flows filter=junk
dpctl/dump-flows nosuch
dpctl/dump-flows --bogus
dpctl/dump-flows pmd=77
dpctl/dump-flows pmd=x
dpctl/show nosuch
dpctl/show nosuch more
dpctl/show -x
dpctl/show -m
dpctl/show --names --more
dpctl/cache-get-size nosuch
dpctl/cache-get-size -x
dpctl/cache-get-size -m
dpctl/get-flow x y z
dpctl/del-flow x y z
dpif-netdev/pmd-perf-log-set bogus
ofproto/trace -m
ofproto/trace br0 in_port=1 -bogus
vlog/set PATTERN
vlog/set PATTERN:
vlog/set PATTERN::x
vlog/set PATTERN:file
vlog/set PATTERN:file:%D{%Y-%m-%dT%H:%M:%S.###Z}|%05N|%c%T|%p|%m
vlog/set FACILITY
vlog/set FACILITY:bogus
vlog/list-pattern
dpif/dump-flows br9
dpif-netdev/pmd-rxq-show -pmd 99
dpif-netdev/pmd-rxq-show
dpif-netdev/pmd-stats-show -pmd 99
dpif-netdev/bond-show
dpif-netdev/bond-show x
dpif-netdev/dpif-impl-set dpif_scalar
dpif-netdev/dpif-impl-set zz
dpif-netdev/subtable-lookup-prio-set zz 3
dpif-netdev/miniflow-parser-set scalar
dpif-netdev/miniflow-parser-set zz
odp-execute/action-impl-set scalar
odp-execute/action-impl-set zz
dpctl/cache-get-size
dpctl/offload-stats-show
dpctl/del-dp nosuch
netdev-dummy/conn-state
netdev-dummy/conn-state p1
netdev-dummy/conn-state zz
netdev-dummy/set-admin-state zz up
netdev-dummy/set-admin-state p1 sideways
netdev-dummy/ip4addr p1 1.2.3.4
netdev-dummy/ip4addr p1 1.2.3.4/8
netdev-dummy/ip4addr zz 1.2.3.4/8
netdev-dummy/ip4addr p1 x/8
netdev-dummy/ip4addr p1 1.2.3.4/99
netdev-dummy/ip6addr p1 fc00::1
netdev-dummy/ip6addr p1 x
netdev-dummy/ip6addr zz fc00::1
netdev-dummy/receive p1 junk
netdev-dummy/receive p1 in_port(1),eth(
netdev-dummy/receive p1 in_port(1),eth() --len x
netdev-dummy/receive p1 --qid 9 in_port(1),eth()
netdev-dummy/receive p1 0011
netdev-dummy/receive p1 in_port(1),eth(),eth_type(0x1234) --len 59
netdev-dummy/receive p1 in_port(1),eth(),eth_type(0x1234) --len 60
netdev-dummy/receive p1 in_port(1),eth() --len 54
netdev-dummy/receive p1 tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,flags(key)),in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x1234)
netdev-dummy/receive p1 tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,flags(key)),in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x1234)
netdev-dummy/receive p1 00112233445566778899aabb08
netdev-dummy/receive nosuch 00
time/warp x
time/warp 100 0
time/warp 10
coverage/read-counter bogus
fdb/show
dpctl/dump-dps x
bridge/dump-flows br9
dpif-dummy/change-port-number ovs-dummy p3 1
dpif-dummy/change-port-number x p3 1
dpif-dummy/change-port-number ovs-dummy zz 1
dpif-dummy/change-port-number ovs-dummy p3 0
dpif-dummy/change-port-number ovs-dummy p3 x
dpif-dummy/change-port-number ovs-dummy p3 44""".splitlines()


def test_texts(bridged):
    for line in DUMPS:
        ours, theirs = bridged.run(line)
        assert lines(ours) == lines(theirs), line
    for line in TEXTS:
        bridged.same(line)
    bridged.same("netdev-dummy/receive", "p1", " 00 11 22 33 44 55\n66 77 88 99 aa bb 08 06\t")
    bridged.same("netdev-dummy/receive", "p1", "00 11 22 33 44 55 66 77 88 99 aa bb 08")
    for which in ("", "p1 ", "br0 "):
        bridged.same("netdev-dummy/set-admin-state %sdown" % which)
        bridged.same("netdev-dummy/set-admin-state %sup" % which)
    for control in bridged.controls:
        wait_for(lambda: "p3 3/44: (dummy)" in control.run("dpif/show")[1], what="the new number")


def test_traces_of_groups(pair):
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    for n in "123":
        pair.vsctl("add-port", "br0", "p" + n, "--", "set", "Interface", "p" + n, "type=dummy",
                   "ofport_request=" + n)
    for group in ("1,type=all,bucket=2,bucket=mod_vlan_vid:7,3",
                  "2,type=ff,bucket=watch_port:88,2,bucket=watch_port:3,3",
                  "3,type=indirect,bucket=dec_ttl,2",
                  "4,type=ff,bucket=watch_port:88,watch_group:9,2"):
        for switch in pair.switches:
            switch.ofctl("-O", "OpenFlow13", "add-group", "br0", "group_id=" + group)
    for actions in ("group:1", "group:2", "group:3", "group:4", "group:1,group:2,2",
                    "write_actions(group:1)"):
        for switch in pair.switches:
            switch.ofctl("-O", "OpenFlow13", "add-flow", "br0", "actions=" + actions)
        ours, theirs = [text.split("Megaflow:")[0] for _, text in
                        pair.run("ofproto/trace", "br0", "in_port=1,tcp,nw_ttl=9")]
        assert ours == theirs, actions


IP6 = ("in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x86dd),ipv6(src=fe80::1,"
       "dst=fe80::2,label=0,proto=%d,tclass=0,hlimit=64,frag=no),%s")


def test_frames_made_of_flows_have_the_same_size(pair):
    """Tests that count bytes see the same numbers."""
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    pair.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy")
    sizes = [set(), set()]
    for flow in (IP4 % (17, "udp(src=8,dst=9)"), IP4 % (6, "tcp(src=8,dst=9),tcp_flags(ack)"),
                 IP4 % (6, "tcp(src=8,dst=9),tcp_flags(syn)"), IP4 % (1, "icmp(type=8,code=0)"),
                 IP4 % (1, "icmp(type=3,code=1)"), IP6 % (58, "icmpv6(type=128,code=0)"),
                 IP6 % (132, "sctp(src=1,dst=2)"), IP4.split(",ipv4")[0].replace("0x0800", "0x1234"),
                 "in_port(1),packet_type(ns=1,id=0x800),ipv4(src=1.1.1.1,dst=2.2.2.2,proto=17,tos=0,"
                 "ttl=64,frag=no),udp(src=8,dst=9)"):
        for switch, control, seen in zip(pair.switches, pair.controls, sizes):
            ok, text = control.run("netdev-dummy/receive", "p1", flow)
            assert ok, (switch.kind, flow, text)
            wait_for(lambda: rx(switch)[0] == len(seen) + 1, 10, flow)
            seen.add((len(seen), rx(switch)[1], flow))
    assert sizes[0] == sizes[1]


def rx(switch):
    """Packets and bytes that p1 received."""
    words = switch.ofctl("dump-ports", "br0", "p1").split("rx pkts=")[1].split(", ")
    return int(words[0]), int(words[1].split("=")[1])


def test_small_answers(pair):
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    pair.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy", "ofport_request=1")
    for line in ("vlog/disable-rate-limit bogus", "bond/hash 1:2:3:4:5", "bond/hash x", "bond/hash x 0 y",
                 "bond/hash x y z", "fdb/del br0 x y", "fdb/del br0 5 y"):
        pair.same(line)
    assert pair.controls[0].run("bond/hash", "1:2:3:4:5:6") == pair.controls[0].run(
        "bond/hash", "01:02:03:04:05:06")
    for tool in (["mod-port", "br0", "1", "no-stp"], ["-O", "OpenFlow14", "queue-get-config", "br0", "1", "3"]):
        answers = [sh(["ovs-ofctl"] + tool + ["--timeout=5"], check=False, env=switch.env)
                   for switch in pair.switches]
        assert len({(a.returncode, re.sub(r"xid=\w+", "", a.stderr)) for a in answers}) == 1, answers
    ports = [switch.ofctl("dump-ports-desc", "br0").split(" 1(p1)")[1] for switch in pair.switches]
    assert ["NO_STP" in text for text in ports] == [True, True]


WRONG_WORDS = """dpctl/cache-set-size x y z
dpctl/cache-set-size x y 1
dpctl/cache-set-size dummy@ovs-dummy y 1
dpctl/cache-set-size -m y 5
dpctl/offload-stats-show
dpctl/offload-stats-show x
dpctl/offload-stats-show dummy@ovs-dummy
dpctl/parse-actions -m
dpctl/parse-actions -x 1
dpctl/parse-actions -s -m --clear 2
dpctl/parse-actions 1 2 x 3
dpctl/normalize-actions x y z
dpctl/normalize-actions x y z w v
dpctl/normalize-actions x y =2
dpctl/normalize-actions x y p1=
dpctl/normalize-actions -x in_port(1) 1
dpctl/list-commands -q
dpif-netdev/dpif-impl-get
dpif-netdev/miniflow-parser-set scalar
dpif-netdev/miniflow-parser-set scalar 5
dpif-netdev/miniflow-parser-set scalar -pmd 0
dpif-netdev/miniflow-parser-set scalar 5 6 7 8
dpif-netdev/miniflow-parser-set 5 scalar
dpif-netdev/miniflow-parser-set x
dpif-netdev/miniflow-parser-set x y z
dpif-netdev/miniflow-parser-set -pmd
dpif-netdev/miniflow-parser-set -pmd 0
dpif-netdev/miniflow-parser-set -pmd x scalar
dpif-netdev/miniflow-parser-set -pmd 9 scalar""".splitlines()


def test_wrong_words(pair):
    """Which of them is named, and what could stand there."""
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    for line in WRONG_WORDS:
        pair.same(line)
    flow = "in_port(p1),eth(),eth_type(0x800),ipv4()"
    assert pair.same("dpctl/normalize-actions", flow, "p2,1", "p1=5", "p2=3", "p2=9")[1].endswith(": 1,9\n")
    pair.same("dpctl/normalize-actions", "-m", flow, "push_vlan(vid=5,pcp=0),p1", "p1=5")
    pair.same("dpctl/normalize-actions", flow, "p2", "p1=5")
    for actions in ("2,1", "10,9,2,trunc(100),5,4", "clone(3,2),2,2,1",
                    "3,push_vlan(vid=1,pcp=0),2,1,set(eth(src=00:00:00:00:00:01)),9,4,pop_vlan,1"):
        pair.same("dpctl/normalize-actions", flow, actions, "p1=1")
    assert not pair.controls[0].run("dpctl/normalize-actions", flow, "1", "p1=4294967296")[0]


def test_order_of_dpctls_commands(pair):
    ours, theirs = [control.run("dpctl/list-commands", "-m")[1].splitlines() for control in pair.controls]
    assert [line for line in theirs if line in ours] == ours
    assert len(ours) == 22


def test_who_reads_frames(pair):
    """Implementations are listed with the cores that have them."""
    pair.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=3")
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    mine = pair.controls[0].run("dpif-netdev/miniflow-parser-get")[1].splitlines()[1]
    assert mine in pair.controls[1].run("dpif-netdev/miniflow-parser-get")[1].splitlines()
    pair.vsctl("add-port", "br0", "q1", "--", "set", "Interface", "q1", "type=dummy-pmd")
    wait_for(lambda: pair.same("dpif-netdev/dpif-impl-get")[1].endswith("(pmds: 0,1)\n"), what="two threads")
    mine = pair.controls[0].run("dpif-netdev/miniflow-parser-get")[1].splitlines()[1]
    assert mine in pair.controls[1].run("dpif-netdev/miniflow-parser-get")[1].splitlines()
    pair.same("dpif-netdev/miniflow-parser-set -pmd 1 scalar")

    for words in (["dpif/dump-flows", "br0", "x", "y", "z", "w"], ["dpif/dump-flows", "-m", "--names", "-m", "br0"],
                  ["upcall/set-flow-limit", "-1"], ["upcall/set-flow-limit", "-5"],
                  ["upcall/set-flow-limit", "4294967295"], ["upcall/set-flow-limit", "x"]):
        pair.same(*words)
    for number in ("4294967296", "-2147483649", "99999999999999999999"):
        assert not pair.controls[0].run("upcall/set-flow-limit", number)[0]
    assert "(limit " in pair.controls[0].run("upcall/show")[1]


def test_a_pinned_queue_shares_its_core_only_in_groups(pair):
    """pmd-rxq-isolate=false counts with pmd-rxq-assign=group, and is named where it does not."""
    pair.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=3", "other_config:pmd-rxq-isolate=false")
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    pair.vsctl("add-port", "br0", "q1", "--", "set", "Interface", "q1", "type=dummy-pmd", "options:n_rxq=3",
               "other_config:pmd-rxq-affinity=0:1")

    def cores():
        return [re.findall(r"core_id (\d+)|isolated : (\w+)", text) for _, text in pair.run("dpif-netdev/pmd-rxq-show")]
    for assign, isolated in (("cycles", "true"), ("group", "false"), ("roundrobin", "true")):
        pair.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-rxq-assign=" + assign)
        want = [("0", ""), ("", "false"), ("1", ""), ("", isolated)]
        wait_for(lambda: cores() == [want, want], what="%s: %s" % (assign, want))
    for switch in pair.switches:
        assert any("pmd-rxq-isolate can only be set false" in line for line in switch.alarms())


def test_settings_of_auto_load_balance(pair):
    """What is out of range asks for the default."""
    pair.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=1")
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")

    def said():
        lines = []
        for switch in pair.switches:
            with open(switch.log, encoding="utf-8") as f:
                lines.append(re.findall(r"PMD auto load balance is enabled, .*", f.read())[-1:])
        return lines
    for interval, load, improvement in ((7, 50, 10), (0, 101, 9), (99999, 1, 101), (20000, 100, 100), (2, 0, 0)):
        pair.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-auto-lb=true",
                   "other_config:pmd-auto-lb-rebal-interval=%d" % interval,
                   "other_config:pmd-auto-lb-load-threshold=%d" % load,
                   "other_config:pmd-auto-lb-improvement-threshold=%d" % improvement)
        wait_for(lambda: said()[0] and said()[0] == said()[1], what="the same line after %d" % interval)
    assert "interval 2 mins, pmd load threshold 0%, improvement threshold 0%" in said()[0][0]


def test_ports_without_a_device(pair):
    """What is shown of a type that is not known, and QoS where there is none."""
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    for switch in pair.switches:
        switch.vsctl("add-port", "br0", "p9", "--", "set", "Interface", "p9", "type=nix", check=False)
    pair.vsctl("add-port", "br0", "p8", "--", "set", "Interface", "p8", "type=dummy")
    for switch in pair.switches:
        switch.vsctl("set", "Interface", "p8", "type=nix", check=False)
        wait_for(lambda: switch.get("Interface", "p8", "ofport") == "-1", what="no device")
    columns = ("link_resets", "admin_state", "link_state", "mac_in_use", "mtu", "ifindex", "statistics", "status")
    for port, resets in (("p9", "[]"), ("p8", "0")):
        for column in columns:
            shown = [switch.get("Interface", port, column) for switch in pair.switches]
            assert shown[0] == shown[1], (port, column, shown)
        assert pair.switches[0].get("Interface", port, "link_resets") == resets
    pair.same("qos/show", "br0")
    for port in ("p9", "p8"):
        pair.same("qos/show", port)
        pair.same("qos/show-types", port)


def test_settings_that_ask_for_the_default(pair):
    """0 does, for the MAC table; what is too small is the smallest."""
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    pair.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy")
    for size in ("0", "5", "x", "20", "2000000"):
        pair.vsctl("set", "Bridge", "br0", "other_config:mac-table-size=" + size)
        pair.same("fdb/stats-show br0")
    pair.same("time/stop")
    for age, passes, stays in (("0", 290, True), ("0", 20, False), ("5", 10, True), ("5", 10, False)):
        pair.vsctl("set", "Bridge", "br0", "other_config:mac-aging-time=" + age)
        if stays:
            pair.same("fdb/flush br0")
            for control in pair.controls:
                control.run("dpctl/del-flows")
                control.run("netdev-dummy/receive", "p1", TCP)
                wait_for(lambda: "50:54" in control.run("fdb/show", "br0")[1], what="the address")
        pair.same("time/warp %d000" % passes)
        for control in pair.controls:
            wait_for(lambda: ("50:54" in control.run("fdb/show", "br0")[1]) == stays, what="age %s: %s" % (age, stays))


def test_prefixes_that_are_no_fields(pair):
    """Each is named; ours says it once."""
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    pair.vsctl("--id=@t", "create", "Flow_Table", "prefixes=ip_src,bogus", "--", "set", "Bridge", "br0",
               "flow_tables:3=@t")

    def lines(switch):
        with open(switch.log, encoding="utf-8") as f:
            return re.findall(r"WARN\|(.*prefixes.*)", f.read())
    wait_for(lambda: lines(pair.switches[1]), what="genuine's line")
    pair.vsctl("set", "Bridge", "br0", "external_ids:a=b")
    assert lines(pair.switches[0]) == lines(pair.switches[1])[:1]


FRAME = "50540000000a50540000000908004500"
TRACES = [words.split() for words in """in_port(1
foo(1)
x
br0 in_port(1)
br0 zz
br9 in_port=1
br9 in_port=1 zz
dummy in_port(1)
ovs-dummy in_port(1)
x in_port(1)
br0 in_port=1 zz
br0 in_port=1 5054
br0 in_port=1 zz -generate
br0 in_port=1 -generate 00
br0 in_port=1 a b
x y z w --bogus
x y z --bogus
-generate
--names
br0 -generate
br0 in_port=1 --ct-next
br0 in_port=1 -consistent
br0 in_port=1 FRAME
br0 in_port=1 FRAME -generate
br0 in_port=1 FRAMEx
br0 in_port=1 FRAME5
br0 FRAME
br9 in_port=1 FRAME
in_port(1) FRAME
ovs-dummy in_port(1) FRAME
in_port(1) FRAME x
FRAME""".replace("FRAME", FRAME).splitlines()]
TRACES += [[""], ["br0", ""], ["", ""], ["in_port(1)", ""], ["br0", "in_port=1", ""],
           ["br0", "in_port=1", " 50 5450540000000a50540000000908004500\n"]]


def test_words_of_traces(pair):
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    pair.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy", "ofport_request=1")
    for words in TRACES:
        pair.same("ofproto/trace", *words)
        pair.same("ofproto/trace-packet-out", *words, "1")
        pair.same("ofproto/trace-packet-out", *words, "zz=5")
    for words in (["br0", "in_port=1", "-generate"], ["br0", "in_port=1", "--names"],
                  ["br0", "in_port=1", "-consistent", "1"]):
        pair.same("ofproto/trace-packet-out", *words)
    for actions in ("group:1", "meter:7,1", "clone(group:1)", "write_actions(group:1)", "goto_table:1"):
        assert not pair.same("ofproto/trace-packet-out", "br0", "in_port=1", actions)[0]
    for switch in pair.switches:
        switch.ofctl("-OOpenFlow13", "add-group", "br0", "group_id=1,type=all,bucket=output:1")
    pair.same("ofproto/trace-packet-out", "br0", "in_port=9", "group:1")
    for words in (["br0", "in_port=1", "50" * 65536], ["br0", "in_port=1", "5" * 131071]):
        assert not pair.controls[0].run("ofproto/trace", *words)[0]
    assert pair.controls[0].run("ofproto/trace", "br0", "in_port=1", "50" * 65535)[0]
