# SPDX-License-Identifier: Apache-2.0
"""Columns of things that are not there yet: accepted, named once in the log, and nothing suffers."""
import re
import time

import pytest

from switchlib import Hermetic, wait_for

pytestmark = pytest.mark.rootless

COLUMNS = {
    ("Bridge", "stp_enable"), ("Bridge", "rstp_enable"), ("Bridge", "mcast_snooping_enable"),
    ("Bridge", "netflow"), ("Bridge", "sflow"), ("Bridge", "ipfix"), ("Bridge", "auto_attach"),
    ("Datapath", "ct_zones"), ("Port", "bond_fake_iface"),
    ("Interface", "bfd"), ("Interface", "cfm_mpid"), ("Interface", "lldp"),
    ("Controller", "local_ip"), ("Flow_Sample_Collector_Set", "ipfix"),
}
BROADCAST = "ffffffffffff" "020000000001" "88b5" + "00" * 46


def configure(sw):
    """All of it, twice, on two bridges."""
    for br, stp in (("br0", "stp_enable"), ("br1", "rstp_enable")):
        sw.vsctl("set", "Bridge", br, stp + "=true", "mcast_snooping_enable=true",
                 "netflow=@n", "sflow=@s", "ipfix=@i", "auto_attach=@a",
                 "--", "--id=@n", "create", "NetFlow", 'targets="127.0.0.1:2055"',
                 "--", "--id=@s", "create", "sFlow", 'targets="127.0.0.1:6343"', "agent=lo",
                 "--", "--id=@i", "create", "IPFIX", 'targets="127.0.0.1:4739"',
                 "--", "--id=@a", "create", "AutoAttach", "system_name=me",
                 "--", "--id=@b", "get", "Bridge", br,
                 "--", "--id=@j", "create", "IPFIX", 'targets="127.0.0.1:4740"',
                 "--", "create", "Flow_Sample_Collector_Set", "id=1", "bridge=@b", "ipfix=@j")
        sw.vsctl("set-controller", br, "punix:%s/%s.controller" % (sw.dir, br), "--", "set", "Controller",
                 br, "local_ip=10.0.0.1", "local_netmask=255.0.0.0")
    for p in ("p1", "p2"):
        sw.vsctl("set", "Port", p, "bond_fake_iface=true", "--", "set", "Interface", p, "bfd:enable=true",
                 "cfm_mpid=1", "lldp:enable=true")
    sw.vsctl("set", "Open_vSwitch", ".", "datapaths:netdev=@d", "--", "--id=@d", "create",
             "Datapath", "datapath_version=x", "ct_zones:1=@z", "--", "--id=@z", "create",
             "CT_Zone", "external_ids:a=b")


def said(sw):
    with open(sw.log) as f:
        return re.findall(r"\|INFO\|column (\w+) of table (\w+) is accepted, but has no effect",
                          f.read())


def test_each_column_is_named_once(make_hermetic):
    sw = make_hermetic(kind="sluice")
    for br in ("br0", "br1"):
        sw.vsctl("add-br", br, "--", "set", "Bridge", br, "datapath_type=dummy")
    sw.add_ports("br0", "p1", "p2")
    assert said(sw) == []
    configure(sw)
    # Switched off again: nothing more to say, also not when it comes back.
    sw.vsctl("set", "Bridge", "br0", "stp_enable=false", "--", "set", "Interface", "p1",
             "bfd:enable=false")
    sw.vsctl("set", "Bridge", "br0", "stp_enable=true", "--", "set", "Interface", "p1",
             "bfd:enable=true")
    wait_for(lambda: len(said(sw)) >= len(COLUMNS), what="the lines")
    assert sorted((t, c) for c, t in said(sw)) == sorted(COLUMNS)
    assert sw.alarms() == []
    # Frames go as before.
    sw.appctl("netdev-dummy/receive", "p1", BROADCAST)
    wait_for(lambda: "tx pkts=1" in sw.ofctl("dump-ports", "br0", "p2"), what="the frame")


def test_what_is_off_is_not_named(make_hermetic):
    sw = make_hermetic(kind="sluice")
    sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
             "stp_enable=false", "rstp_enable=false", "mcast_snooping_enable=false")
    sw.add_ports("br0", "p1")
    sw.vsctl("set", "Port", "p1", "bond_fake_iface=false", "--", "set", "Interface",
             "p1", "bfd:enable=false", "bfd:min_tx=100", "lldp:enable=false")
    time.sleep(0.3)
    assert said(sw) == [] and sw.alarms() == []
