# SPDX-License-Identifier: Apache-2.0
"""Hostile ports beside others of the same PMD.  What is judged is what the limits promise, not how fast
anything is: counters, bounds, and that others lose nothing."""
import os
import re
import subprocess

import pytest

from switchlib import ROOT, Switch, wait_for

BLAST = os.path.join(ROOT, "build", "tests", "perf", "blast")
FLOW_LIMIT = 4000
SINK, HOSTILE, SOURCE, GOOD = 1, 2, 3, 4


def wire(sw, name, number, ofport):
    """A port polled by the PMD; returns the kernel device at its other end."""
    sw.ns.run("ip link add %s-k type veth peer name %s-p" % (name, name))
    for end in (name + "-k", name + "-p"):
        sw.ns.run(["sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % end])
        sw.ns.run("ip link set %s up" % end)
    add_port(sw, name, ofport, "eth_af_packet%d,iface=%s-p" % (number, name))
    return name + "-k"


def add_port(sw, name, ofport, devargs):
    sw.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dpdk",
             "options:dpdk-devargs=" + devargs, "ofport_request=%d" % ofport)


@pytest.fixture
def sw():
    switch = Switch()
    try:
        switch.start()
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=1",
                     "other_config:flow-limit=%d" % FLOW_LIMIT)
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev",
                     "fail_mode=secure")
        add_port(switch, "sink", SINK, "net_null1,no-rx=1")
        yield switch
    finally:
        switch.close()


def counted(sw, name):
    m = re.search(r"^%s .* total: (\d+)$" % name, sw.appctl("coverage/show"), re.M)
    return int(m[1]) if m else 0


def resident_mb(sw):
    with open("/proc/%d/status" % sw.pid) as f:
        return int(re.search(r"RssAnon:\s+(\d+) kB", f.read())[1]) / 1024


def received(sw, port):
    return int(re.search(r"rx pkts=(\d+)", sw.ofctl("dump-ports", "br0", port))[1])


def drops(sw):
    """{port: its drops by reason, as text}"""
    text = sw.appctl("dpif-netdev/drops-show")
    return {m[1]: m[2] for m in re.finditer(r"^port \d+: (\S+)\n((?:  .*\n)*)", text, re.M)}


class blast:
    """blast.c, as long as the 'with' lasts at most."""

    def __init__(self, sw, device, kind, rate, seconds=60):
        self.proc = sw.ns.popen([BLAST, device, kind, str(rate), str(seconds)],
                                stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def sent(self):
        return int(self.proc.communicate(timeout=60)[0])

    def __exit__(self, *_exc):
        if self.proc.poll() is None:
            self.proc.terminate()
            self.proc.communicate(timeout=10)
        return False


def test_flood_of_shapes(sw):
    """The tuple-space explosion on one port, while a source without end keeps the PMD busy."""
    hostile, good = wire(sw, "atk", 0, HOSTILE), wire(sw, "good", 1, GOOD)
    for rule in ("priority=100,in_port=%d,actions=output:%d" % (SOURCE, SINK),
                 "priority=100,in_port=%d,actions=output:%d" % (GOOD, SINK),
                 "priority=10,in_port=%d,ip,nw_src=10.0.0.10,actions=output:%d" % (HOSTILE, SINK),
                 "priority=9,in_port=%d,udp,tp_dst=80,actions=output:%d" % (HOSTILE, SINK),
                 "priority=8,in_port=%d,udp,tp_src=12345,actions=output:%d" % (HOSTILE, SINK),
                 "priority=1,in_port=%d,actions=drop" % HOSTILE):
        sw.ofctl("add-flow", "br0", rule)
    add_port(sw, "source", SOURCE, "net_null0")
    # Until its flow is there, who sends without end overruns its own queue of misses.
    wait_for(lambda: sw.n_packets("br0", "in_port=%d" % SOURCE) > 10000, what="the source's flow")
    own = drops(sw)["source"]
    before = resident_mb(sw)
    with blast(sw, hostile, "tse", 30000):
        with blast(sw, good, "same", 300, 2) as b:
            wait_for(lambda: counted(sw, "datapath_drop_miss_share") > 1000, 20, "refused misses")
            sent = b.sent()
        wait_for(lambda: counted(sw, "megaflow_covering_mask") > 0, 20, "a lane with all its masks")
        limits = sw.appctl("dpif-netdev/limits-show")
    # Masks, flows and memory stay bounded.
    masks = re.search(r"^masks of the fullest lane(?:, \S+)?: \d+ of 34, most (\d+),", limits, re.M)
    assert masks and 32 <= int(masks[1]) <= 34, limits
    flows = re.search(r"^megaflows: (\d+) of (\d+), ", limits, re.M)
    assert int(flows[1]) <= int(flows[2]) <= FLOW_LIMIT, limits
    assert resident_mb(sw) - before < 100
    # The refused were the attacker's, and nobody else lost a packet.
    of = drops(sw)
    assert "datapath_drop_miss_share: " in of["atk"], of
    assert of["good"] == "" and of["source"] == own, of
    assert sent >= 100 and received(sw, "good") == sent
    wait_for(lambda: sw.n_packets("br0", "in_port=%d" % GOOD) == sent,
             what="all packets of the good port at its rule")


def test_flood_of_addresses(sw):
    """Ever new source addresses on one port: stations of others stay, and so does the table's size."""
    hostile, good = wire(sw, "atk", 0, HOSTILE), wire(sw, "good", 1, GOOD)
    sw.vsctl("set", "Bridge", "br0", "other_config:mac-table-size=500")
    sw.ofctl("add-flow", "br0", "actions=NORMAL")
    with blast(sw, good, "same", 100, 0.2) as b:
        b.sent()
    wait_for(lambda: re.search(r"^ +%d +0 " % GOOD, sw.appctl("fdb/show", "br0"), re.M),
             what="the good port's station")
    with blast(sw, hostile, "macs", 20000):
        wait_for(lambda: counted(sw, "mac_learning_limited") > 1000, 20, "addresses not learned")
    rows = re.findall(r"^ +(\d+) +0 ", sw.appctl("fdb/show", "br0"), re.M)
    assert len(rows) == 500 and rows.count(str(GOOD)) == 1
    assert re.search(r"^addresses .* full MAC table: .*, not learned [1-9]",
                     sw.appctl("dpif-netdev/limits-show"), re.M)


@pytest.mark.parametrize("kind", ["flows", "hash"])
def test_flood_of_flows(sw, kind):
    """Ever new five-tuples on one port, each with a megaflow of its own ("hash": all of one hash, as
    another switch has it).  The table keeps room for others, and memory stays what its limit makes it."""
    hostile, good = wire(sw, "atk", 0, HOSTILE), wire(sw, "good", 1, GOOD)
    exact = ("udp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15],"
             "move:NXM_OF_UDP_DST[]->NXM_NX_REG1[16..31],output:%d" % SINK)
    for port in (HOSTILE, GOOD):
        sw.ofctl("add-flow", "br0", "in_port=%d,%s" % (port, exact))
    before = resident_mb(sw)
    with blast(sw, hostile, kind, 20000):
        wait_for(lambda: re.search(r"^megaflows of the fullest port, atk: .* there [1-9]",
                                   sw.appctl("dpif-netdev/limits-show"), re.M), 30,
                 "flows refused to who has half of the table")
        with blast(sw, good, "flows", 500, 1) as b:
            sent = b.sent()
        limits = sw.appctl("dpif-netdev/limits-show")
        wait_for(lambda: received(sw, "good") == sent, what="the good port's packets")
        wait_for(lambda: sw.n_packets("br0", "in_port=%d" % GOOD) == sent, what="them at their rule")
    flows = re.search(r"^megaflows: (\d+) of (\d+), most (\d+),", limits, re.M)
    assert int(flows[1]) <= int(flows[2]) <= FLOW_LIMIT and int(flows[3]) <= FLOW_LIMIT, limits
    assert resident_mb(sw) - before < 60
    of = drops(sw)
    assert of["good"] == "", of
