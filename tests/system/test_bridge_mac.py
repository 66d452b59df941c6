# SPDX-License-Identifier: Apache-2.0
"""Which MAC address a bridge has.  Each of these tests holds for genuine Open vSwitch, too (SWITCH_KIND=ovs)."""
import itertools
import re

import pytest

from switchlib import wait_for

pytestmark = pytest.mark.rootless


@pytest.fixture
def sw(make_hermetic):
    """br0 with p1 and p2, whose addresses are locally administered, and an internal in0."""
    sw = make_hermetic()
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
    sw.add_ports("br0", "p1", "p2")
    sw.vsctl("add-port", "br0", "in0", "--", "set", "Interface", "in0", "type=internal")
    return sw


def mac(sw, interface):
    return sw.get("Interface", interface, "mac_in_use").strip('"')


def from_uuid(sw):
    """The last resort: bytes of the row's UUID."""
    b = bytes.fromhex(sw.get("Bridge", "br0", "_uuid").replace("-", ""))
    return ":".join("%02x" % n for n in (b[3] & 0xfe | 2, b[2], b[1], b[0], b[7], b[6]))


serial = itertools.count()


def expect(sw, want, interface="br0"):
    """Open vSwitch takes some of it with the next change only: there is one."""
    sw.vsctl("set", "Bridge", "br0", "external_ids:n=%d" % next(serial))
    wait_for(lambda: mac(sw, interface) == want, what="%s as the address of %s" % (want, interface))
    if interface == "br0":
        assert sw.get("Bridge", "br0", "datapath_id") == '"0000%s"' % want.replace(":", "")


def test_the_uuid_gives_the_address_when_no_port_does(sw):
    expect(sw, from_uuid(sw))
    sw.vsctl("set", "Bridge", "br0", 'other_config:hwaddr="00:00:00:00:77:01"')
    expect(sw, "00:00:00:00:77:01")
    for bad in ("01:00:00:00:77:01", "00:00:00:00:00:00", "11:22:33"):
        sw.vsctl("set", "Bridge", "br0", 'other_config:hwaddr="%s"' % bad)
        expect(sw, from_uuid(sw))
    with open(sw.log, encoding="utf-8") as f:
        log = re.findall(r"\|ERR\|(.*mac address.*)", f.read())
    assert list(dict.fromkeys(log)) == [
        "bridge br0: cannot set mac address to multicast address 01:00:00:00:77:01",
        "bridge br0: cannot set mac address to zero"]
    assert sw.kind == "ovs" or len(log) == 2


def test_internal_ports_take_part(sw):
    sw.vsctl("set", "Interface", "in0", 'mac="00:00:00:00:55:03"')
    expect(sw, "00:00:00:00:55:03", "in0")
    expect(sw, "00:00:00:00:55:03")
    sw.vsctl("add-port", "br0", "in1", "--", "set", "Interface", "in1", "type=internal",
             'mac="00:00:00:00:55:02"')
    expect(sw, "00:00:00:00:55:02", "in1")
    expect(sw, "00:00:00:00:55:02")
    sw.vsctl("set", "Interface", "in1", 'mac="02:00:00:00:55:01"')
    expect(sw, "02:00:00:00:55:01", "in1")
    expect(sw, "00:00:00:00:55:03")
    sw.vsctl("del-port", "in0")
    expect(sw, from_uuid(sw))


def test_a_port_may_say_its_address(sw):
    def port(name, address):
        sw.vsctl("set", "Port", name, 'mac="%s"' % address)

    port("p1", "00:00:00:00:66:04")
    expect(sw, "00:00:00:00:66:04")
    port("p2", "00:00:00:00:66:02")
    expect(sw, "00:00:00:00:66:02")
    port("br0", "00:00:00:00:66:01")
    expect(sw, "00:00:00:00:66:01")
    for nothing in ("02:00:00:00:00:01", "01:00:00:00:00:01", "00:00:00:00:00:00", "1234"):
        port("br0", nothing)
        expect(sw, "00:00:00:00:66:02")
    assert mac(sw, "p2") != "00:00:00:00:66:02"
    sw.vsctl("del-port", "p2")
    expect(sw, "00:00:00:00:66:04")


def test_addresses_of_protocols_do_not_name_a_bridge(sw):
    sw.vsctl("set", "Port", "p1", 'mac="00:e0:2b:00:00:04"', "--", "set", "Port", "p2", 'mac="00:e0:2b:00:00:05"')
    expect(sw, "00:e0:2b:00:00:05")


def test_the_output_of_a_mirror_has_no_part(sw):
    sw.vsctl("set", "Port", "p1", 'mac="00:00:00:00:66:01"', "--", "set", "Port", "p2", 'mac="00:00:00:00:66:02"')
    expect(sw, "00:00:00:00:66:01")
    sw.vsctl("set", "Bridge", "br0", "mirrors=@m", "--", "--id=@p", "get", "Port", "p1", "--",
             "--id=@m", "create", "Mirror", "name=m", "select_all=true", "output_port=@p")
    expect(sw, "00:00:00:00:66:02")


def test_a_bond_has_the_address_of_its_first_name(sw):
    sw.vsctl("add-bond", "br0", "bond0", "i2", "i1", "--", "set", "Interface", "i1", "type=internal",
             'mac="00:00:00:00:44:09"', "--", "set", "Interface", "i2", "type=internal", 'mac="00:00:00:00:44:01"')
    expect(sw, "00:00:00:00:44:09", "i1")
    expect(sw, "00:00:00:00:44:09")


def test_a_fake_bridge_has_the_address_of_its_vlan(sw):
    sw.vsctl("add-br", "fake", "br0", "7", "--", "set", "Interface", "in0", 'mac="00:00:00:00:55:01"')
    expect(sw, "00:00:00:00:55:01")
    expect(sw, from_uuid(sw), "fake")
    sw.vsctl("add-port", "br0", "in1", "tag=7", "--", "set", "Interface", "in1", "type=internal",
             'mac="00:00:00:00:55:07"')
    expect(sw, "00:00:00:00:55:07", "fake")
    expect(sw, "00:00:00:00:55:01")
    sw.vsctl("set", "Port", "p1", 'mac="00:00:00:00:55:06"')
    expect(sw, "00:00:00:00:55:06", "fake")
    sw.vsctl("set", "Interface", "fake", 'mac="00:00:00:00:66:00"')
    expect(sw, "00:00:00:00:66:00", "fake")
