# SPDX-License-Identifier: Apache-2.0
"""In-band control: the next hop to a controller has hidden flows, too, once the host knows its address.  Holds for
genuine Open vSwitch as well (SWITCH_KIND=ovs)."""
import re

import pytest

from switchlib import wait_for

HOP, OTHER = "02:00:00:00:01:01", "02:00:00:00:01:02"


@pytest.fixture
def sw(make_switch):
    """A bridge that is the host's way to 10.9.0.0/16, by a gateway."""
    sw = make_switch()
    sw.add_bridge("br0", "fail_mode=secure")
    sw.ns.run("ip link set br0 up")
    sw.ns.run("ip addr add 10.1.0.254/24 dev br0")
    sw.ns.run("ip route add 10.9.0.0/16 via 10.1.0.1")
    return sw


def hops(sw):
    """{(priority, address)} of the flows for next hops."""
    return set(re.findall(r"priority=(18000[34]),arp,dl_(?:src|dst)=([0-9a-f:]+),", sw.appctl("bridge/dump-flows", "br0")))


def neighbour(sw, address, mac):
    sw.ns.run("ip neigh replace %s lladdr %s dev br0 nud permanent" % (address, mac))


def flows_of(*macs):
    return {(priority, mac) for priority in ("180003", "180004") for mac in macs}


def test_a_gateway_and_a_neighbour(sw):
    sw.vsctl("set-controller", "br0", "tcp:10.9.9.9:6653", "tcp:10.9.9.10:6653")
    wait_for(lambda: "180008" in sw.appctl("bridge/dump-flows", "br0"), what="the flows")
    assert hops(sw) == set()
    neighbour(sw, "10.1.0.1", HOP)
    wait_for(lambda: hops(sw) == flows_of(HOP), what="the flows of the gateway")
    text = sw.appctl("bridge/dump-flows", "br0")
    assert re.search(r"priority=180003,arp,dl_dst=%s,arp_op=2[ ,]actions=NORMAL" % HOP, text)
    assert re.search(r"priority=180004,arp,dl_src=%s,arp_op=1[ ,]actions=NORMAL" % HOP, text)
    # Another controller, beside the bridge.
    neighbour(sw, "10.1.0.7", OTHER)
    sw.vsctl("set-controller", "br0", "tcp:10.9.9.9:6653", "tcp:10.1.0.7:6653")
    wait_for(lambda: hops(sw) == flows_of(HOP, OTHER), what="the flows of both")
    # The gateway moves; such things are looked at each ten seconds.
    neighbour(sw, "10.1.0.1", OTHER)
    wait_for(lambda: hops(sw) == flows_of(OTHER), 25, what="the flows of the new gateway")
    sw.vsctl("set", "Bridge", "br0", "other_config:disable-in-band=true")
    wait_for(lambda: hops(sw) == set(), what="no flows")


def test_nobody_on_the_way(sw):
    """No route, and an address that is the host's own: no flows, and nothing to warn of."""
    sw.vsctl("set-controller", "br0", "tcp:127.0.0.1:1", "tcp:10.77.0.1:6653")
    wait_for(lambda: "180008" in sw.appctl("bridge/dump-flows", "br0"), what="the flows")
    neighbour(sw, "10.1.0.1", HOP)
    sw.vsctl("set-controller", "br0", "tcp:127.0.0.1:1", "tcp:10.9.0.1:6653")
    wait_for(lambda: hops(sw) == flows_of(HOP), what="the flows of the gateway")
    sw.ns.run("ip link set br0 down")
    wait_for(lambda: hops(sw) == set(), 25, what="no flows without a route")
