# SPDX-License-Identifier: Apache-2.0
"""coverage/read-counter: the counters that dashboards of Open vSwitch read are there and count."""
import os
import re

import pytest

from switchlib import wait_for
from text_pair import IP4, pair  # noqa: F401

pytestmark = pytest.mark.rootless


def test_counters_that_dashboards_read(pair):
    """They count, and what is asked of them is answered; how often differs."""
    ours = pair.controls[0]
    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    pair.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy", "ofport_request=1")
    names = ("netdev_sent", "netdev_received", "dpif_flow_put", "xlate_actions", "bridge_reconfigure",
             "rev_flow_table", "dpif_execute", "rconn_sent", "vconn_received", "util_xalloc", "netdev_get_stats",
             "ofproto_recv_openflow", "ofproto_packet_out", "pstream_open")
    before = [int(ours.run("coverage/read-counter", name)[1]) for name in names]
    pair.switches[0].ofctl("add-flow", "br0", "actions=in_port")
    assert ours.run("netdev-dummy/receive", "p1", IP4 % (17, "udp(src=8,dst=9)"))[0]
    pair.switches[0].ofctl("packet-out", "br0", "in_port=none packet=%s actions=1" % ("00" * 60))
    pair.vsctl("add-br", "br1", "--", "set", "bridge", "br1", "datapath_type=dummy")
    pair.vsctl("set", "bridge", "br0", "other_config:mac-aging-time=301")
    for name, was in zip(names, before):
        wait_for(lambda: int(ours.run("coverage/read-counter", name)[1]) > was, 10, name)


def test_counters_of_ports_and_bonds(pair):
    ours = pair.controls[0]
    switch = pair.switches[0]

    def count(name):
        return int(ours.run("coverage/read-counter", name)[1])

    pair.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    before = count("ofproto_update_port")
    pair.vsctl("add-port", "br0", "p1", "--", "set", "Interface", "p1", "type=dummy", "ofport_request=1")
    wait_for(lambda: count("ofproto_update_port") > before, what="a port that came")
    pair.vsctl("add-port", "br0", "p2", "--", "set", "Interface", "p2", "type=dummy", "ofport_request=2")
    before = count("rev_port_toggled")
    ours.run("netdev-dummy/set-admin-state", "p1", "up")
    ours.run("netdev-dummy/set-admin-state", "p1", "down")
    wait_for(lambda: count("rev_port_toggled") > before, what="a link that went")
    before = count("rev_bond")
    switch.vsctl("add-bond", "br0", "b0", "m1", "m2", "--", "set", "Interface", "m1", "type=dummy", "--",
                 "set", "Interface", "m2", "type=dummy")
    wait_for(lambda: count("rev_bond") > before, what="a bond")
    # 62 kB of actions, where a resubmit is still taken, and 98 kB from there.
    pairs = ["mod_dl_src:00:00:00:00:00:%02x,output:2" % (i % 2) for i in range(2040)]
    switch.ofctl("add-flows", "br0", "-", input="actions=%s,resubmit(,1)\ntable=1,actions=%s\n" % (
        ",".join(pairs[:1000]), ",".join(pairs)))
    before = count("xlate_actions_oversize")
    text = ours.run("ofproto/trace", "br0", "in_port=1")[1]
    assert count("xlate_actions_oversize") == before + 1, text[-300:]


NEVER = os.path.join(os.path.dirname(__file__), "../../src/base/coverage_never.def")


def test_counters_that_cannot_count(pair):
    """Those that Open vSwitch has for what does not happen here are 0, not an error; and all of them are its own."""
    with open(NEVER, encoding="ascii") as f:
        names = re.findall(r"^NEVER\((\w+)\)$", f.read(), re.M)
    assert len(names) > 40
    ours, theirs = pair.controls
    for name in names:
        assert ours.run("coverage/read-counter", name) == (True, "0\n"), name
        assert theirs.run("coverage/read-counter", name)[0], name
