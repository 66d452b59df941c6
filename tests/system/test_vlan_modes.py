# SPDX-License-Identifier: Apache-2.0
"""What each VLAN mode of a port takes in and sends, beside genuine Open vSwitch."""
import re

import pytest

from switchlib import hermetic_pair

pytestmark = pytest.mark.rootless

FRAMES = ["in_port=%d%s" % (port, tag) for port in (1, 2)
          for tag in ("", ",dl_vlan=5", ",dl_vlan=6", ",dl_vlan=7", ",dl_vlan=0,dl_vlan_pcp=3")]


@pytest.fixture(scope="module")
def pair():
    def prepare(sw):
        sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
        sw.add_ports("br0", "p1", "p2", "p3")

    yield from hermetic_pair(prepare)


def answers(sw, *columns):
    """Of a bridge whose port p2 is so: {frame: (datapath actions in any order, why it is dropped)}."""
    sw.vsctl("clear", "Port", "p2", "vlan_mode", "tag", "trunks", "cvlans", "--", "set", "Port", "p2", *columns)
    found = {}
    for frame in FRAMES:
        text = sw.appctl("ofproto/trace", "br0", frame +
                         ",dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,dl_type=0x1234")
        actions = re.search("Datapath actions: (.*)", text)[1]
        found[frame] = (sorted(re.split(r",(?![^(]*\))", actions)), re.findall(">>>>.*", text))
    return found


@pytest.mark.parametrize("columns", [
    ["external_ids:a=b"], ["trunks=5"], ["tag=5"], ["tag=0"], ["tag=5", "trunks=7"], ["vlan_mode=access"],
    ["vlan_mode=trunk", "tag=5"], ["vlan_mode=trunk", "trunks=0,7"], ["vlan_mode=native-tagged", "tag=6"],
    ["vlan_mode=native-untagged", "tag=6"], ["vlan_mode=native-untagged", "tag=6", "trunks=0,5"],
    ["vlan_mode=native-tagged", "tag=6", "trunks=5,6"], ["vlan_mode=native-untagged"],
    ["vlan_mode=dot1q-tunnel", "tag=5"], ["vlan_mode=dot1q-tunnel", "tag=5", "cvlans=7"],
    ["vlan_mode=dot1q-tunnel", "tag=5", "other_config:qinq-ethtype=802.1q"]], ids=" ".join)
def test_the_same_actions_and_words(pair, columns):
    ours, theirs = (answers(sw, *columns) for sw in pair)
    assert ours == theirs


@pytest.mark.parametrize("mode", ["native-tagged", "native-untagged"])
def test_a_native_vlan_0_is_trunked(pair, mode):
    """As ovs-vswitchd.conf.db(5) says of native VLANs; genuine Open vSwitch takes its frames and sends none."""
    ours = answers(pair[0], "vlan_mode=" + mode, "tag=0", "trunks=5")
    assert ours["in_port=1"] == (["100", "2", "3"], []) and ours["in_port=2"] == (["1", "100", "3"], [])
    assert "2" not in ours["in_port=1,dl_vlan=6"][0]


def test_a_tunnel_of_vlan_0_keeps_the_customers_tag(pair):
    ours = answers(pair[0], "vlan_mode=dot1q-tunnel")
    assert ours["in_port=2,dl_vlan=5"] == (["1", "100", "3"], [])
