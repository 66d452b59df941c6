# SPDX-License-Identifier: Apache-2.0
"""What ovs-appctl prints, beside genuine Open vSwitch: the same hermetic scenario through both, the
same text byte for byte.

Differences that are meant stand in docs/compat.md and are not compared here.
"""
import pytest

from switchlib import Hermetic

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


class Pair:
    """The same hermetic switch twice: Sluice, and genuine Open vSwitch."""

    def __init__(self):
        self.switches = [Hermetic(kind).start() for kind in ("sluice", "ovs")]
        self.controls = [switch.control() for switch in self.switches]

    def vsctl(self, *args):
        for switch in self.switches:
            switch.vsctl(*args)

    def run(self, line, *more):
        """(ours, theirs) of a command; run directories and the program's name made alike."""
        args = line.split() + list(more)
        return [(ok, text.replace(switch.dir, "RUNDIR").replace("vswitchd-dpdk", "vswitchd"))
                for switch, (ok, text) in zip(self.switches, [
                    control.run(*args) for control in self.controls])]

    def same(self, line, *more):
        ours, theirs = self.run(line, *more)
        assert ours == theirs, (line, *more)
        return ours

    def close(self):
        for closing in self.controls + self.switches:
            closing.close()


@pytest.fixture
def pair():
    made = Pair()
    yield made
    made.close()


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
