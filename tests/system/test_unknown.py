# SPDX-License-Identifier: Apache-2.0
"""What nobody defined, said to Sluice and to genuine Open vSwitch: the same errors of the standard.
Types of messages, multiparts and experimenters; flows in text that do not parse."""
import struct

import pytest

import openflow as of
from switchlib import Hermetic

pytestmark = pytest.mark.rootless

RESUME, SET_FLOW_FORMAT, FLOW_MONITOR_CANCEL = 28, 12, 31
TABLE_FEATURES = 12  # a long answer, compared elsewhere
VERSIONS = [of.OF10, of.OF13, of.OF14, of.OF15]


@pytest.fixture(scope="module")
def pair():
    switches = [Hermetic(kind).start() for kind in ("sluice", "ovs")]
    for switch in switches:
        switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy",
                     "fail_mode=secure")
        switch.add_ports("br0", "p1", "p2")
    yield switches
    for switch in switches:
        switch.close()


def unknown(version):
    """Messages that are of no known kind somewhere."""
    for kind in range(256):
        if kind in (of.HELLO, of.ERROR, of.barrier_request(version)):
            continue
        yield of.message(version, kind)
        # Bundles and groups of zeros have several errors at once.
        if kind not in (15, 34):
            yield of.message(version, kind, bytes(40))
    for kind in list(range(0, 64)) + [0x7FFF, 0xFFFE]:
        if kind != TABLE_FEATURES:
            yield of.multipart(version, kind)
    for vendor in (0, 1, of.NX, of.ONF, 0xFFFFFFFF, 0x005C16C7):
        for subtype in list(range(0, 40)) + [2300, 2301, 2302, 0xFFFFFFFF]:
            # Without bodies these have several errors at once, too.
            if subtype not in (RESUME, SET_FLOW_FORMAT, FLOW_MONITOR_CANCEL):
                yield of.experimenter(version, subtype, vendor=vendor)
        if version != of.OF10:
            yield of.multipart(version, 0xFFFF, struct.pack("!II", vendor, 0x7FFF))


def outcome(answers):
    if answers is None:
        return "hung up"
    found = []
    for _, kind, _, body in answers:
        found.append(struct.unpack("!HH", body[:4]) if kind == of.ERROR else "type %d" % kind)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_unknown_kinds(pair, version):
    peers = [of.Peer(switch.dir + "/br0.mgmt", version) for switch in pair]
    differ = []
    for m in unknown(version):
        ours, theirs = [outcome(p.answers(m)) for p in peers]
        if ours != theirs:
            differ.append((m.hex(), ours, theirs))
    for p in peers:
        p.close()
    assert differ == []


TEXTS = ["x", "in_port", "in_port(", "in_port(1", "in_port(1),", "in_port(x)", "in_port(-1)",
         "in_port(1),eth", "in_port(1),eth(src=1)", "in_port(1),eth(src=00:00:00:00:00:0g)",
         "in_port(1),eth(),eth_type(0x10000)", "in_port(1),eth(),eth_type(0x800),ipv4(src=1.2.3)",
         "in_port(1),eth(),eth_type(0x800),ipv4(src=1.2.3.256)", "in_port(1),nosuch(1)",
         "in_port(1),eth(),eth_type(0x800),ipv4(proto=300)", "in_port(1),eth(),vlan(vid=99999)",
         "in_port(1),eth(),eth_type(0x8100),vlan(vid=1,pcp=9)", "((((", "recirc_id(zz),in_port(1)",
         "in_port(1),eth(),eth_type(0x86dd),ipv6(src=:::1)", "%s%n",
         "in_port(1)" * 300, "in_port(1),in_port(2),eth(),eth_type(0x806),arp()",
         "in_port(1),eth(),eth(),eth_type(0x806),arp()",
         "in_port(1),eth(),eth_type(0x806),eth_type(0x806),arp()", "\xff"]


@pytest.mark.parametrize("text", TEXTS)
def test_flows_that_do_not_parse(pair, text):
    """What the other one refuses is refused; numbers out of range, which it cuts, as well."""
    for command in (["netdev-dummy/receive", "p1", text], ["dpctl/add-flow", text, "1"],
                    ["dpctl/del-flow", text], ["dpctl/normalize-actions", text, "1"],
                    ["ofproto/trace", text], ["dpctl/parse-actions", text]):
        found = [switch.appctl(*command, check=False).returncode != 0 for switch in pair]
        assert found[0] or not found[1], command
