# SPDX-License-Identifier: Apache-2.0
"""The kinds of OpenFlow messages that the switch knows, as src/openflow/ofp_msg.def lists them, for tests that are to
leave none of them out."""
import collections
import os
import re
import struct

import openflow as of

HERE = os.path.dirname(os.path.abspath(__file__))
LINE = re.compile(r"^OFPRAW\((\w+), *(\w+), *(\w+), *(\d+), *(\d+), *(\d+), *(\d+), *(\d+)\)$", re.M)
# What a switch says, beside replies: a peer has no business to.
ASYNCHRONOUS = {"PACKET_IN", "FLOW_REMOVED", "PORT_STATUS", "ROLE_STATUS", "TABLE_STATUS", "REQUESTFORWARD",
                "FLOW_MONITOR_PAUSED", "FLOW_MONITOR_RESUMED"}
VERSIONS = [of.OF10, of.OF11, of.OF12, of.OF13, of.OF14, of.OF15]

Kind = collections.namedtuple("Kind", "name type where first last number minimum unit")


def kinds(version):
    """What a peer may say at that version."""
    with open(HERE + "/../../src/openflow/ofp_msg.def", encoding="ascii") as f:
        text = f.read()
    found = [Kind(*m[:3], *map(int, m[3:])) for m in LINE.findall(text)]
    assert len(found) == len(re.findall(r"^OFPRAW", text, re.M)) > 150
    return [k for k in found if k.first <= version <= k.last and k.type not in ASYNCHRONOUS
            and (k.type == "ECHO_REPLY" or not k.type.endswith("_REPLY"))]


def message(kind, version, body=b""):
    """A message of that kind."""
    if kind.where == "OFPT":
        return of.message(version, kind.number, body)
    if kind.where == "REQ":
        return of.multipart(version, kind.number, body)
    vendor = of.NX if kind.where.startswith("NX") else of.ONF
    if kind.where in ("NXT", "ONFT"):
        return of.experimenter(version, kind.number, body, vendor)
    head = struct.pack("!II", vendor, kind.number) + (bytes(4) if version == of.OF10 else b"")
    return of.multipart(version, 0xFFFF, head + body)


def place(m):
    """Where the number of a message stands, and the number: what tells kinds of a version apart."""
    version, kind = m[0], m[1]
    at = 8
    if kind == of.multipart_request(version):
        number = struct.unpack("!H", m[8:10])[0]
        if number != 0xFFFF:
            return "REQ", number
        at = 12 if version == of.OF10 else 16
    elif kind != of.EXPERIMENTER:
        return "OFPT", kind
    vendor, number = struct.unpack("!II", m[at:at + 8])
    return {of.NX: "NX", of.ONF: "ONF"}[vendor] + ("T" if at == 8 else "REQ"), number
