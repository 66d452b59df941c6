# SPDX-License-Identifier: Apache-2.0
"""vhost-user ports with real guests (QEMU, software emulation)."""
import re

import pytest

from guests import Guest
from switchlib import wait_for


@pytest.fixture
def guests():
    made = []
    yield made
    for g in made:
        g.close()


def vhost_port(sw, name, bridge="br0", *more):
    """A dpdkvhostuserclient port; returns the path on which QEMU has to listen."""
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-init=true")
    path = "%s/%s.sock" % (sw.dir, name)
    sw.vsctl("add-port", bridge, name, "--", "set", "Interface", name, "type=dpdkvhostuserclient",
             "options:vhost-server-path=" + path, *more)
    return path


def two_guests(sw, guests, **kw):
    sw.add_bridge("br0")
    for i in (1, 2):
        path = vhost_port(sw, "vm%d" % i)
        guests.append(Guest(sw.dir, i, [path], ["10.1.0.%d/24" % i], **kw))
    for g in guests:
        g.start()
    return guests


def test_two_guests_and_a_host(sw, guests, hosts):
    a, b = two_guests(sw, guests)
    a.ping("10.1.0.2", check=True)
    hosts.append(sw.add_host("br0", "p3", "10.1.0.3/24"))
    b.ping("10.1.0.3", check=True)
    hosts[0].ping("10.1.0.1", check=True)
    status = sw.get("Interface", "vm1", "status")
    assert "mode=client" in status and "status=connected" in status, status
    assert sw.get("Interface", "vm1", "link_state") == "up"
    wait_for(lambda: re.search(r"rx_packets=[1-9]", sw.get("Interface", "vm1", "statistics")), 12)
    for key in ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "rx_errors", "tx_errors",
                "rx_dropped", "tx_dropped"):
        assert key + "=" in sw.get("Interface", "vm1", "statistics"), key
    # VLAN access ports keep them apart.
    sw.vsctl("set", "port", "vm1", "tag=5")
    assert not a.ping("10.1.0.2", count=2)
    sw.vsctl("clear", "port", "vm1", "tag")
    a.ping("10.1.0.2", check=True)
    # The guest goes and comes back on the same socket.
    b.kill()
    wait_for(lambda: sw.get("Interface", "vm2", "link_state") == "down", 10)
    a.ping("10.1.0.3", check=True)
    b.start()
    a.ping("10.1.0.2", check=True)
    # The switch goes and comes back.
    sw.kill()
    sw.start()
    wait_for(lambda: a.ping("10.1.0.2", count=1), 15, "traffic after a restart of the switch")
