# SPDX-License-Identifier: Apache-2.0
"""Mirrors (SPAN, RSPAN, snaplen) beside genuine Open vSwitch: random mirrors, ports and packets, the
same datapath actions; and what the Mirror's statistics say.

MIRROR_ROUNDS and MIRROR_SEED make it longer, or other.
"""
import os
import random
import re

import pytest

from switchlib import Hermetic, wait_for

pytestmark = pytest.mark.rootless

ROUNDS = int(os.environ.get("MIRROR_ROUNDS", "20"))
SEED = int(os.environ.get("MIRROR_SEED", "4"))
PORTS = ["p%d" % i for i in range(1, 8)]


@pytest.fixture(scope="module")
def pair():
    switches = [Hermetic(kind).start() for kind in ("sluice", "ovs")]
    for switch in switches:
        args = ["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy",
                "other_config:hwaddr=02:00:00:00:00:aa"]
        for i, port in enumerate(PORTS, 1):
            args += ["--", "add-port", "br0", port, "--", "set", "Interface", port, "type=dummy",
                     "ofport_request=%d" % i]
        switch.vsctl(*args)
    yield switches
    for switch in switches:
        switch.close()


def random_mirror(rng):
    """Arguments for ovs-vsctl that give br0 a mirror.  With several, copies of one may pass another,
    and which of them is first is not defined."""
    ids = "".join(["--id=@%s get Port %s -- " % (p, p) for p in PORTS]).split()
    create = ["--id=@m", "create", "Mirror", "name=m"]
    pick = lambda: ",".join("@" + p for p in rng.sample(PORTS, rng.randint(1, 3)))
    if rng.random() < 0.3:
        create.append("select_all=true")
    if rng.random() < 0.6:
        create.append("select_src_port=" + pick())
    if rng.random() < 0.6:
        create.append("select_dst_port=" + pick())
    if rng.random() < 0.3:
        create.append("select_vlan=%d" % rng.choice([0, 1, 10]))
    if rng.random() < 0.5:
        create.append("output_port=@" + rng.choice(PORTS[4:]))
    else:
        create.append("output_vlan=%d" % rng.choice([7, 10]))
    if rng.random() < 0.3:
        create.append("snaplen=%d" % rng.choice([14, 100, 65535]))
    return ids + create + ["--", "set", "Bridge", "br0", "mirrors=@m"]


def random_ports(rng):
    args = []
    for port in PORTS:
        args += ["--", "clear", "Port", port, "tag", "trunks", "vlan_mode", "--", "set", "Port", port,
                 rng.choice(["tag=1", "tag=10", "trunks=1,10", "external_ids:a=b",
                             "external_ids:a=b"])]
    return args[1:]


def outputs(switch, flow):
    """What leaves where, sorted: (port, tag, addresses, length), since floods have no order."""
    text = switch.appctl("ofproto/trace", "br0", flow).split("Datapath actions: ")[-1].strip()
    tag = "vid=%s,pcp=0" % flow.split("dl_vlan=")[1] if "dl_vlan" in flow else None
    addresses, length, found = "", None, []
    for action in re.findall(r"[^,(]+(?:\((?:[^()]|\([^()]*\))*\))?", text):
        if action == "pop_vlan":
            assert tag, text
            tag = None
        elif action.startswith("push_vlan"):
            assert not tag, text
            tag = action[10:-1]
        elif action.startswith("set(eth"):
            addresses = action
        elif action.startswith("trunc"):
            length = action
        elif action != "drop":
            found.append((int(action), tag, addresses, length))
            length = None
    return sorted(found, key=str)


def test_random_mirrors(pair):
    rng = random.Random(SEED)
    for round_ in range(ROUNDS):
        ports, mirrors = random_ports(rng), random_mirror(rng)
        flows = rng.choice(["actions=NORMAL", "priority=9,in_port=1,actions=2,3,mod_vlan_vid:10,4\n"
                            "actions=drop", "priority=9,in_port=2,actions=NORMAL\nactions=output:1,NORMAL",
                            "actions=mod_dl_src:02:00:00:00:00:99,LOCAL,in_port"])
        for switch in pair:
            switch.vsctl(*ports, "--", "clear", "Bridge", "br0", "mirrors")
            switch.vsctl(*mirrors)
            switch.ofctl("del-flows", "br0")
            switch.ofctl("add-flows", "br0", "-", input=flows + "\n")
        for _ in range(8):
            flow = "in_port=%d,dl_src=02:00:00:00:00:01,dl_dst=%s,dl_type=0x1234%s" % (
                rng.randint(1, 7), rng.choice(["02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff", "01:80:c2:00:00:0e"]),
                rng.choice(["", "", ",dl_vlan=1", ",dl_vlan=10", ",dl_vlan=7"]))
            ours, theirs = [outputs(switch, flow) for switch in pair]
            assert ours == theirs, "%s\n%s\nround %d: %s\n%s\n%s\n%s" % (
                ours, theirs,
                round_, flow, flows, " ".join(mirrors), " ".join(ports))


def test_statistics(pair):
    for switch in pair:
        switch.vsctl("clear", "Bridge", "br0", "mirrors")
        switch.vsctl(*sum([["--", "clear", "Port", p, "tag", "trunks", "vlan_mode"]
                           for p in PORTS], [])[1:])
        switch.vsctl("--id=@p", "get", "Port", "p7", "--", "--id=@m", "create", "Mirror", "name=m",
                     "select_all=true", "output_port=@p", "--", "set", "Bridge", "br0",
                     "mirrors=@m")
        switch.ofctl("del-flows", "br0")
        switch.ofctl("add-flow", "br0", "actions=output:2")
        for _ in range(3):
            switch.appctl("netdev-dummy/receive", "p1", "in_port(1),eth(src=02:00:00:00:00:01,"
                          "dst=02:00:00:00:00:02),eth_type(0x1234)", "--len", "100")
    for switch in pair:
        wait_for(lambda: switch.get("Mirror", "m", "statistics") ==
                 "{tx_bytes=300, tx_packets=3}", 20, "the statistics of the mirror")


def test_mirrors_of_one_name(pair):
    """Names of mirrors are nobody's index; each counts what is its own."""
    for switch in pair:
        switch.vsctl("clear", "Bridge", "br0", "mirrors")
        switch.vsctl("--id=@p1", "get", "Port", "p1", "--", "--id=@p3", "get", "Port", "p3", "--",
                     "--id=@o1", "get", "Port", "p6", "--", "--id=@o2", "get", "Port", "p7", "--",
                     "--id=@a", "create", "Mirror", "select_src_port=@p1", "output_port=@o1", "--",
                     "--id=@b", "create", "Mirror", "select_src_port=@p3", "output_port=@o2", "--",
                     "set", "Bridge", "br0", "mirrors=@a,@b")
        switch.ofctl("del-flows", "br0")
        switch.ofctl("add-flow", "br0", "actions=output:2")
        for port, n in (("p1", 2), ("p3", 5)):
            for _ in range(n):
                switch.appctl("netdev-dummy/receive", port, "in_port(1),eth(src=02:00:00:00:00:01,"
                              "dst=02:00:00:00:00:02),eth_type(0x1234)", "--len", "100")
    for switch in pair:
        wait_for(lambda: sorted(switch.vsctl("--bare", "--columns=statistics", "list", "Mirror").split()) ==
                 ["tx_bytes=200", "tx_bytes=500", "tx_packets=2", "tx_packets=5"], 20,
                 "the statistics of both mirrors")


def test_patch_ports_are_mirrored(make_hermetic):
    """What comes and what goes by one, in the bridge that has the mirror (docs/compat.md)."""
    sw = make_hermetic()
    for br, other in (("br0", "br1"), ("br1", "br0")):
        sw.vsctl("add-br", br, "--", "set", "Bridge", br, "datapath_type=dummy", "--", "add-port", br, "to-" + other,
                 "--", "set", "Interface", "to-" + other, "type=patch", "options:peer=to-" + br, "ofport_request=20")
    sw.add_ports("br0", "p1", "p2")
    sw.vsctl("add-port", "br1", "z1", "--", "set", "Interface", "z1", "type=dummy", "ofport_request=1")
    numbers = dict(re.findall(r"port (\d+): (\w+)", sw.appctl("dpctl/show")))
    numbers = {name: number for number, name in numbers.items()}
    for select, bridge, rule, goes in (("src", "br1", ("br0", "actions=drop"), []),
                                       ("src", "br0", ("br0", "actions=drop"), None),
                                       ("dst", "br0", ("br0", "actions=20"), ["z1", "br1"]),
                                       ("dst", "br1", ("br0", "actions=drop"), None)):
        sw.vsctl("clear", "Bridge", "br0", "mirrors")
        sw.vsctl("--id=@p", "get", "Port", "to-br1", "--", "--id=@o", "get", "Port", "p2", "--", "--id=@m", "create",
                 "Mirror", "name=m", "select_%s_port=@p" % select, "output_port=@o", "--", "set", "Bridge", "br0",
                 "mirrors=@m")
        sw.ofctl("del-flows", "br0")
        sw.ofctl("add-flow", *rule)
        sw.appctl("fdb/flush", "br1")
        text = sw.appctl("ofproto/trace", bridge, "in_port=1,dl_dst=ff:ff:ff:ff:ff:ff,dl_src=02:00:00:00:00:01")
        sent = set(text.split("Datapath actions: ")[1].strip().split(","))
        assert (numbers["p2"] in sent) == (goes is not None), (select, bridge, text)
        assert {numbers[name] for name in goes or []} <= sent


def said(sw):
    """What the log says of mirrors, without who says it; each once."""
    with open(sw.log, encoding="utf-8") as f:
        return sorted(set(re.findall(r"\|(?:WARN|ERR)\|(bridge br0: .*mirror.*)", f.read())))


def test_mirrors_that_cannot_be_are_named(make_hermetic):
    """As genuine does, but once for each."""
    both = [make_hermetic(kind=kind) for kind in ("sluice", "ovs")]
    for sw in both:
        sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
                 "--", "add-br", "br1", "--", "set", "Bridge", "br1", "datapath_type=dummy")
        sw.add_ports("br0", "p1", "p2")
        sw.add_ports("br1", "x1")
        other = ("--id=@o", "get", "Port", "x1", "--", "--id=@p", "get", "Port", "p1")
        for name, *columns in (("none", "select_all=true"), ("away", "select_all=true", "output_port=@o"),
                               ("two", "select_all=true", "output_port=@p", "output_vlan=5"),
                               ("lost", "select_src_port=@o", "select_dst_port=@p", "output_vlan=7"),
                               ("good", "select_src_port=@p", "output_vlan=8")):
            sw.vsctl(*other, "--", "--id=@m", "create", "Mirror", "name=" + name, *columns,
                     "--", "add", "Bridge", "br0", "mirrors", "@m")
    wait_for(lambda: len(said(both[1])) == 4, what="genuine's lines")
    assert said(both[0]) == said(both[1])
    # Those that are ignored count nothing, not even zeros.
    for sw in both:
        wait_for(lambda: "tx_packets" in sw.get("Mirror", "good", "statistics"), 20, "the statistics")
        assert [sw.get("Mirror", m, "statistics") for m in ("none", "away")] == ["{}", "{}"]
    sw = both[0]
    sw.vsctl("set", "Bridge", "br0", "external_ids:a=b")
    sw.vsctl("add-port", "br0", "p3", "--", "set", "Interface", "p3", "type=dummy")
    assert len(sw.alarms()) == 4
    # One more than there can be.
    sw.vsctl(*(w for i in range(33) for w in ("--", "--id=@m%d" % i, "create", "Mirror", "name=n%d" % i, "output_vlan=9")),
             "--", "set", "Bridge", "br0", "mirrors=" + ",".join("@m%d" % i for i in range(33)))
    assert "maximum of 32 port mirrors reached, 1 are left out" in sw.alarms()[-1] and len(sw.alarms()) == 5
