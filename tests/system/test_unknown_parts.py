# SPDX-License-Identifier: Apache-2.0
"""Parts of messages that nobody defined, said to Sluice and to genuine Open vSwitch: actions, instructions, meter bands,
fields, commands and properties.  All numbers are tried, not some: neither takes what the other refuses but for what
docs/compat.md says, and what nobody knows has the standard's error."""
import struct

import pytest

import openflow as of

pytestmark = pytest.mark.rootless

BAD_REQUEST, BAD_ACTION, BAD_INSTRUCTION, BAD_MATCH, BAD_PROPERTY, ASYNC_FAILED, VENDORS = 1, 2, 3, 4, 14, 15, 0xFFFF
PROP_TYPE, PROP_LEN, PROP_EXPERIMENTER, PROP_EXP_TYPE = 0, 1, 5, 6
VERSIONS = [of.OF10, of.OF13, of.OF14, of.OF15]
OTHERS = [0, 1, 0x5C16C7, 0xFFFFFFFF]  # experimenters that neither knows
# docs/compat.md: actions of Nicira for NSH and tests, which we do not have (46, 47, 254); set_tunnel's neighbour of
# OpenFlow 1.0, which we take in later versions (4); dec_ttl for no controller (21).
COMPAT = {4, 21, 46, 47, 254}


@pytest.fixture
def ask(pair):
    """What both say to messages: (ours, theirs), lists of (type, code); Nicira's errors of OpenFlow 1.0 are (0xb0c2, 0)."""
    for sw in pair:
        sw.ofctl("del-flows", "br0")
    peers = {}

    def run(version, *messages):
        if version not in peers:
            peers[version] = [of.Peer(sw.dir + "/br0.mgmt", version) for sw in pair]
        said = [p.errors(*messages) for p in peers[version]]
        assert None not in said, (version, messages)
        return said

    yield run
    for both in peers.values():
        for p in both:
            p.close()


def action(kind, size):
    return struct.pack("!HH", kind, size) + bytes(size - 4)


@pytest.mark.parametrize("version", VERSIONS)
def test_actions(ask, version):
    for kind in list(range(256)) + [0x7FFF, 0xFFFE]:
        for size in (8, 16, 24):
            ours, theirs = ask(version, of.flow_mod(version, action(kind, size)))
            assert bool(ours) == bool(theirs), (kind, size, ours, theirs)
            if kind > 29:
                assert ours == theirs == [(BAD_ACTION, 0)], (kind, size)
    for vendor in OTHERS + [of.NX, of.ONF]:
        for subtype in list(range(256)) + [0x7FFF, 0xFFFF]:
            for size in (16, 24):
                what = struct.pack("!HHIH", 0xFFFF, size, vendor, subtype) + bytes(size - 10)
                ours, theirs = ask(version, of.flow_mod(version, what))
                if vendor != of.NX or subtype not in COMPAT:
                    assert bool(ours) == bool(theirs), (hex(vendor), subtype, size, ours, theirs)
                if vendor in OTHERS or 54 < subtype < 254:
                    assert ours == theirs == [(BAD_ACTION, 2 if vendor in OTHERS else 3)], (hex(vendor), subtype, ours, theirs)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_instructions_and_bands(ask, version):
    for kind in list(range(64)) + [0x7FFF, 0xFFFE, 0xFFFF]:
        for size in (8, 16, 24):
            ours, theirs = ask(version, of.flow_mod(version, instructions=action(kind, size)))
            assert bool(ours) == bool(theirs), (kind, size, ours, theirs)
            if 6 < kind < 0xFFFF:
                assert ours == theirs == [(BAD_INSTRUCTION, 0)], (kind, size)
        for size in (12, 16, 24):
            band = struct.pack("!HHII", kind, size, 100, 0) + bytes(size - 12)
            ours, theirs = ask(version, *(of.message(version, 29, struct.pack("!HHI", command, 1, 5) + more)
                                          for command, more in ((0, band), (2, b""))))
            assert ours == theirs, ("band", kind, size)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_fields(ask, version):
    for oxm_class in (0, 1, 2, 3, 0x7FFF, 0x8000, 0x8001, 0x8002, 0x8003, 0x8004, 0xFFFE, 0xFFFF):
        for field in range(128):
            for size in (1, 4):
                ours, theirs = ask(version, of.flow_mod(version, fields=of.oxm(field, bytes(size), oxm_class)))
                assert bool(ours) == bool(theirs), (hex(oxm_class), field, size, ours, theirs)
                assert not ours or ours[0][0] in (BAD_MATCH, BAD_REQUEST, VENDORS), (hex(oxm_class), field, size, ours)
                if oxm_class in (2, 3, 0x7FFF, 0x8002, 0xFFFE):
                    assert ours == theirs == [(BAD_MATCH, 6)], (hex(oxm_class), field, ours, theirs)


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_commands(ask, version):
    """Of flows, groups, meters, roles and bundles; types of groups."""
    def group(command, kind, group_id=9):
        head = struct.pack("!HBxI", command, kind, group_id)
        return of.message(version, 15, head + (struct.pack("!HHI", 0, 0, of.ANY) if version == of.OF15 else b""))

    for n in list(range(5, 256)) + [0x7FFF, 0xFFFF]:
        asked = [group(n, 0)] if n > 5 else []
        asked += [of.message(version, 29, struct.pack("!HHI", n, 1, 77)), of.message(version, 24, struct.pack("!I4xQ", n, 5))]
        if n < 256:
            asked += [of.flow_mod(version, command=n), group(0, n)]
        for m in asked:
            ours, theirs = ask(version, m)
            assert ours == theirs and ours, m.hex()


def places(version):
    """name -> message with properties, of those kinds that have some."""
    def group(properties, bucket=b""):
        return of.message(version, 15, struct.pack("!HBxIHHI", 0, 1, 5, len(bucket), 0, of.ANY) + bucket + properties)

    found = {
        "port": lambda p: of.message(version, 16, struct.pack("!I4x6s2xII", 1, bytes(6), 0, 0) + p),
        "table": lambda p: of.message(version, 17, struct.pack("!B3xI", 0, 12) + p),
        "async": lambda p: of.message(version, 28, p),
        "resume": lambda p: of.experimenter(version, 28, p),
    }
    if version == of.OF15:
        found["group"] = group
        found["bucket"] = lambda p: group(b"", struct.pack("!HHI", 8 + len(p), 0, 1) + p)
    return found


@pytest.mark.parametrize("version", [of.OF14, of.OF15])
def test_properties(ask, version):
    """Types, experimenters and their types that do not exist, and lengths that cannot be."""
    def experimenter(vendor, kind):
        return struct.pack("!HHII4x", 0xFFFF, 16, vendor, kind)

    for place, message in places(version).items():
        for kind in list(range(32, 256)) + [0x7FFF, 0xFFFD]:
            ours, theirs = ask(version, message(struct.pack("!HH4x", kind, 8)))
            assert theirs and ours == [(ASYNC_FAILED, 1) if place == "async" else (BAD_PROPERTY, PROP_TYPE)], (place, kind, ours, theirs)
        for vendor in OTHERS + [of.NX, of.ONF]:
            code = PROP_EXPERIMENTER if vendor in OTHERS else PROP_EXP_TYPE
            wanted = [(ASYNC_FAILED, 1) if place == "async" else (BAD_PROPERTY, code)]
            for kind in (0x7777, 0xFFFFFFFF):
                ours, theirs = ask(version, message(experimenter(vendor, kind)))
                assert theirs and ours == wanted, (place, hex(vendor), kind, ours, theirs)
        for kind in (0, 1, 0x7FFF, 0xFFFF):
            for length in (0, 1, 2, 3, 9, 0xFFFF):
                ours, theirs = ask(version, message(struct.pack("!HH4x", kind, length)))
                assert ours == theirs == [(BAD_PROPERTY, PROP_LEN)], (place, kind, length)
