# SPDX-License-Identifier: Apache-2.0
"""Each kind of OpenFlow message that the switch knows, of each version: lengths that it cannot have, and headers that
lie about theirs.  Holds for genuine Open vSwitch, too (SWITCH_KIND=ovs)."""
import os
import struct

import pytest

import openflow as of
from openflow_kinds import VERSIONS, kinds, message

pytestmark = pytest.mark.rootless

BAD_REQUEST, BAD_LEN = 1, 6
# Served in later versions, too (docs/compat.md).
OURS = {"NXT_GROUP_MOD", "NXST_FLOW_REQUEST", "NXST_AGGREGATE_REQUEST", "NXST_GROUP_DESC_REQUEST", "NXT_SET_FLOW_FORMAT"}


@pytest.fixture
def br(make_hermetic):
    sw = make_hermetic()
    sw.add_bridge("br0", "fail_mode=secure")
    return sw


def impossible(kind):
    """Sizes of a body that the kind cannot have."""
    yield from range(kind.minimum)
    if kind.unit == 0:
        yield from (kind.minimum + 1, kind.minimum + 8)
    else:
        yield from range(kind.minimum + 1, kind.minimum + kind.unit)


@pytest.mark.parametrize("version", VERSIONS)
def test_lengths_that_cannot_be(br, version):
    """BAD_LEN, once, with the message that was wrong."""
    p = of.Peer(br.dir + "/br0.mgmt", version)
    differ, n = [], 0
    for kind in kinds(version):
        if kind.name in OURS and version != of.OF10 and os.environ.get("SWITCH_KIND") == "ovs":
            continue
        for size in impossible(kind):
            m = message(kind, version, bytes(size))
            answers = p.answers(m)
            assert answers is not None, (kind.name, size)
            n += 1
            if answers != [(version, of.ERROR, 1, struct.pack("!HH", BAD_REQUEST, BAD_LEN) + m)]:
                differ.append((kind.name, size, answers))
    assert differ == []
    assert n > 400
    p.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_headers_that_lie(br, version):
    """A length one too low or too high puts the peer out of step with itself: its connection may end, and nothing
    else does."""
    other = of.Peer(br.dir + "/br0.mgmt", version)
    for kind in kinds(version):
        m = message(kind, version, bytes(kind.minimum))
        for length in (0, 7, len(m) - 1, len(m) + 1, 0xFFFF):
            p = of.Peer(br.dir + "/br0.mgmt", version)
            p.send(m[:2] + struct.pack("!H", length) + m[4:] + of.message(version, of.ECHO_REQUEST) * 2)
            assert other.answers() == [], kind.name
            p.close()
    assert "n_tables" in br.ofctl("show", "br0")
    other.close()
