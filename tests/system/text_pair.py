# SPDX-License-Identifier: Apache-2.0
"""The same hermetic scenario through Sluice and through genuine Open vSwitch, for tests that compare
what ovs-appctl prints."""
import pytest

from switchlib import Hermetic

BRIDGES = """add-br br0 -- set bridge br0 datapath_type=dummy fail-mode=secure
 -- set bridge br0 other-config:hwaddr=aa:55:aa:55:00:00
 -- add-port br0 p1 -- set interface p1 type=dummy ofport_request=1
 -- add-port br0 p2 -- set interface p2 type=dummy ofport_request=2
 -- add-port br0 p3 -- set interface p3 type=dummy ofport_request=3
 -- add-br br1 -- set bridge br1 datapath_type=dummy
 -- set bridge br1 other-config:hwaddr=aa:66:aa:66:00:00
 -- add-port br1 pa -- set interface pa type=patch options:peer=pb
 -- add-port br0 pb -- set interface pb type=patch options:peer=pa ofport_request=9""".split()

# A frame from a protocol and its part, as netdev-dummy/receive takes it.
IP4 = ("in_port(1),eth(src=50:54:00:00:00:09,dst=50:54:00:00:00:0a),eth_type(0x0800),ipv4(src=1.1.1.1,"
       "dst=2.2.2.2,proto=%d,tos=0,ttl=64,frag=no),%s")


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
