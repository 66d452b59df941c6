# SPDX-License-Identifier: Apache-2.0
"""MTU of internal ports: they follow the smallest of the others, but for those with mtu_request."""
import json

import pytest

from switchlib import wait_for


@pytest.fixture
def net(sw):
    for name, mtu in (("e0", 1400), ("e1", 9000)):
        sw.ns.run("ip link add %s mtu %d type veth peer name %sp mtu %d" % (name, mtu, name, mtu))
        sw.ns.run("ip link set %s up" % name)
    sw.add_bridge("br0")
    return sw


def mtus(sw, *names):
    links = {d["ifname"]: d["mtu"] for d in json.loads(sw.ns.run("ip -j link"))}
    return [links[name] for name in names]


def add_internal(sw, name, *more):
    sw.vsctl("add-port", "br0", name, "--", "set", "interface", name, "type=internal", *more)


def test_internal_ports_follow_the_others(net):
    sw = net
    assert mtus(sw, "br0") == [1500]
    sw.vsctl("add-port", "br0", "e0")
    assert mtus(sw, "br0") == [1400]
    # One that is new, and one whose MTU is the operator's, which the others follow, too.
    add_internal(sw, "i1")
    assert mtus(sw, "br0", "i1") == [1400, 1400]
    add_internal(sw, "i2", "mtu_request=1300")
    assert mtus(sw, "br0", "i1", "i2") == [1300, 1300, 1300]
    sw.vsctl("del-port", "i2")
    assert mtus(sw, "br0", "i1") == [1400, 1400]
    # What is changed in the kernel is followed, too.
    sw.ns.run("ip link set e0 mtu 1280")
    wait_for(lambda: mtus(sw, "br0", "i1") == [1280, 1280], 10, "the new MTU")
    sw.vsctl("del-port", "e0")
    assert mtus(sw, "br0", "i1") == [1500, 1500]


def test_a_large_mtu_is_for_those_that_are_there(net):
    """A new internal port is cut down to the others' MTU, but not raised to it."""
    sw = net
    sw.vsctl("add-port", "br0", "e1")
    assert mtus(sw, "br0") == [9000]
    add_internal(sw, "i1")
    assert mtus(sw, "br0", "i1") == [9000, 1500]
    sw.vsctl("set", "interface", "br0", "mtu_request=2000")
    assert mtus(sw, "br0") == [2000]
