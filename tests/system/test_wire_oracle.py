# SPDX-License-Identifier: Apache-2.0
"""Random messages of old and new versions of OpenFlow, byte by byte, to Sluice and to genuine Open vSwitch: matches whose
fields do not go together, requests for statistics by them.  The same errors, the same flows.

WIRE_ROUNDS and WIRE_SEED make it longer, or repeat a round that failed."""
import os
import random
import struct

import pytest

import openflow as of

pytestmark = pytest.mark.rootless

ROUNDS = int(os.environ.get("WIRE_ROUNDS", "5"))
SEED = int(os.environ.get("WIRE_SEED", "1"))
STEPS = 60

TYPES = [0, 0x600, 0x5FF, 0x800, 0x806, 0x8035, 0x86DD, 0x8847, 0x8100, 0x88CC]
PROTOCOLS = [0, 1, 6, 17, 47, 58, 132]
ADD, MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT = range(5)


def fields(rng):
    """Values of a match of OpenFlow 1.0 and 1.1, any of which may make no sense beside the others."""
    def mac():
        return bytes([2, 0, 0, 0, 0, rng.randint(1, 2)])

    def ip():
        return bytes([10, rng.randint(0, 1), 0, rng.randint(1, 2)])

    return {"port": rng.choice([1, 2, 0xFFFE, 0xFFFD]), "src": mac(), "dst": mac(), "vlan": rng.choice([0xFFFF, 0, 1, 5, 0x1005, 0xFFFE]),
            "pcp": rng.choice([0, 3, 7]), "type": rng.choice(TYPES), "tos": rng.choice([0, 4, 32, 184]),
            "proto": rng.choice(PROTOCOLS), "nw_src": ip(), "nw_dst": ip(), "tp_src": rng.choice([0, 8, 80, 256]),
            "tp_dst": rng.choice([0, 1, 80, 65535])}


def match10(rng):
    f = fields(rng)
    wild = 0
    for bit in (0, 1, 2, 3, 4, 5, 6, 7, 20, 21):
        wild |= (rng.random() < 0.6) << bit
    for shift in (8, 14):
        wild |= rng.choice([0, 8, 24, 31, 32, 33, 63, 32, 32]) << shift
    wild |= rng.choice([0, 0, 0, 0x3FF << 22])
    of_ethernet, of_ip = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 20, 7 << 5 | 1 << 21
    addresses = [wild >> shift & 63 for shift in (8, 14)]
    if not ~wild & of_ethernet and (~wild & of_ip or min(addresses) < 32):
        wild &= ~(1 << 2)  # else nothing might be left, which is another match there (docs/compat.md)
    return struct.pack("!IH", wild, f["port"]) + f["src"] + f["dst"] + struct.pack("!HBxHBB2x", f["vlan"], f["pcp"], f["type"], f["tos"],
                                                                                  f["proto"]) + f["nw_src"] + f["nw_dst"] + struct.pack(
        "!HH", f["tp_src"], f["tp_dst"])


def match11(rng):
    f = fields(rng)
    wild = sum((rng.random() < 0.6) << bit for bit in range(10))
    port = f["port"] if f["port"] < 0xFF00 else f["port"] | 0xFFFF0000

    def mask(n):
        return rng.choice([bytes(n), b"\xff" * n, b"\xff" * n, b"\xff" + bytes(n - 1), bytes(n - 1) + b"\xff"])

    return struct.pack("!HHII", 0, 88, port, wild) + f["src"] + mask(6) + f["dst"] + mask(6) + struct.pack(
        "!HBxHBB", f["vlan"], f["pcp"], f["type"], f["tos"], f["proto"]) + f["nw_src"] + mask(4) + f["nw_dst"] + mask(4) + struct.pack(
        "!HHIB3x", f["tp_src"], f["tp_dst"], rng.choice([0, 5, 0xFFFFF, 0x100000]), rng.choice([0, 3, 8])) + struct.pack(
        "!QQ", rng.choice([0, 5]), rng.choice([0, 0xFFFFFFFFFFFFFFFF, 0xF]))


OXM = {0: 4, 1: 4, 2: 8, 3: 6, 4: 6, 5: 2, 6: 2, 7: 1, 8: 1, 9: 1, 10: 1, 11: 4, 12: 4, 13: 2, 14: 2, 15: 2, 16: 2, 17: 2, 18: 2, 19: 1,
       20: 1, 21: 2, 22: 4, 23: 4, 24: 6, 25: 6, 26: 16, 27: 16, 28: 4, 29: 1, 30: 1, 31: 16, 32: 6, 33: 6, 34: 4, 35: 1, 36: 1, 38: 8, 39: 2}
MASKABLE = {2, 3, 4, 6, 11, 12, 22, 23, 24, 25, 26, 27, 28, 38}


def oxm_value(rng, field, size):
    if field == 5:
        return struct.pack("!H", rng.choice(TYPES))
    if field == 10:
        return bytes([rng.choice(PROTOCOLS)])
    if field == 6:
        return struct.pack("!H", rng.choice([0, 5, 0x1000, 0x1005, 0x2005]))
    if field == 0:
        return struct.pack("!I", rng.choice([1, 2, 0xFFFFFFFE, 0xFFFFFFFD, 70000]))
    return bytes(size - 1) + bytes([rng.choice([0, 1, 2, 3, 7, 8, 64, 135, 136, 255])])


def match_oxm(rng):
    """A few fields in any order; mostly with what they need before them."""
    body = b""
    wanted = rng.choice([[5], [5, 10], [5, 10, 19], [5, 10, 29, 30], [6], [6, 7], []]) + rng.sample(sorted(OXM), rng.choice([0, 1, 1, 2, 3]))
    if rng.random() < 0.1:
        rng.shuffle(wanted)
    for field in wanted:
        size = OXM[field]
        if rng.random() < 0.03:
            size += rng.choice([-1, 1])
        size = max(size, 1)
        value = oxm_value(rng, field, OXM[field])[:size].ljust(size, b"\0")
        masked = rng.random() < (0.3 if field in MASKABLE else 0.05)
        if masked:
            mask = rng.choice([b"\xff" * size, bytes(size), b"\xff" + bytes(size - 1), bytes(size - 1) + b"\x0f"])
            if not any(mask):
                continue  # theirs says packet_type=(0,0) of it (docs/compat.md)
            if rng.random() < 0.9:
                value = bytes(a & b for a, b in zip(value, mask))
            value += mask
        body += struct.pack("!HBB", 0x8000, field << 1 | masked, len(value)) + value
    return struct.pack("!HH", 1, 4 + len(body)) + body + bytes(-(4 + len(body)) % 8)


def random_match(rng, version):
    return match10(rng) if version == of.OF10 else match11(rng) if version == of.OF11 else match_oxm(rng)


def flow_mod(rng, version, match):
    command = rng.choice([ADD] * 6 + [MODIFY, MODIFY_STRICT, DELETE, DELETE_STRICT])
    priority, cookie = rng.choice([1, 7, 32768]), rng.randint(0, 2)
    flags = rng.choice([0, 0, 0, 1, 2])
    out = rng.choice([0xFFFF, 0xFFFF, 1])
    action = of.output(version, rng.choice([1, 2]))
    if version == of.OF10:
        body = match + struct.pack("!QHHHHIHH", cookie, command, 0, 0, priority, of.NO_BUFFER, out, flags) + action
    else:
        body = struct.pack("!QQBBHHHIIIH2x", cookie, rng.choice([0, 0, 3]), rng.choice([0, 1] + [255] * (version > of.OF11 and command >= DELETE)),
                           command, 0, 0, priority, of.NO_BUFFER, out if out != 0xFFFF else of.ANY, of.ANY, flags)
        body += match + struct.pack("!HH4x", 4, 8 + len(action)) + action
    return of.message(version, of.FLOW_MOD, body)


def stats_request(rng, version, match):
    kind, table, out = rng.choice([1, 2]), rng.choice([255, 0, 1, 254]), rng.choice([0xFFFF, 1])
    if version == of.OF10:
        body = match + struct.pack("!BxH", table, out)
    else:
        body = struct.pack("!B3xII4xQQ", table, out if out != 0xFFFF else of.ANY, of.ANY, rng.randint(0, 2), rng.choice([0, 3])) + match
    return of.multipart(version, kind, body)


def canonical(flow):
    """An entry of the statistics of OpenFlow 1.1 and later, times left out, with the fields of its match in order.  That packets are
    frames theirs says of some matches only."""
    at, (kind, size) = 40, struct.unpack("!HH", flow[40:44])
    if kind == 0:  # the match of OpenFlow 1.1
        return flow
    tlvs, left = [], flow[at + 4:at + size]
    while left:
        n = 4 + left[3]
        tlvs.append(left[:n].hex())
        left = left[n:]
    return flow[2:at], sorted(t for t in tlvs if t != "8000580400000000"), flow[at + size + -size % 8:]


def entries(version, messages):
    """What replies say, without times and in no order."""
    seen = []
    for v, kind, _, body in messages:
        if kind == of.ERROR:
            error = struct.unpack("!HH", body[:4])
            # Which of several mistakes of a match is named is no promise.
            seen.append((v, "error", error if error[0] != 4 else 4))
        elif kind == of.multipart_request(version) + 1:
            which, body = body[:2], body[4 if version == of.OF10 else 8:]
            if which == b"\0\2":
                seen.append((v, "aggregate", body))
            while which == b"\0\1" and body:
                size = struct.unpack("!H", body[:2])[0]
                at = (44, 52) if version == of.OF10 else (4, 12)  # the duration
                flow = body[:at[0]] + body[at[1]:size]
                seen.append((v, "flow", flow if version == of.OF10 else canonical(flow)))
                body = body[size:]
        else:
            seen.append((v, kind, body))
    return sorted(seen, key=repr)


def dump(peer):
    """All flows as OpenFlow 1.3 tells them."""
    return entries(peer.version, peer.answers(of.multipart(peer.version, 1, struct.pack("!B3xII4xQQ", 255, of.ANY, of.ANY, 0, 0) + of.oxm_match())))


@pytest.mark.parametrize("version", [of.OF10, of.OF11, of.OF12, of.OF13, of.OF14, of.OF15])
@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_random_matches(pair, version, seed):
    rng = random.Random("%d %d" % (seed, version))
    for sw in pair:
        sw.ofctl("del-flows", "br0")
    peers = [of.Peer(sw.dir + "/br0.mgmt", version) for sw in pair]
    readers = [of.Peer(sw.dir + "/br0.mgmt", of.OF13) for sw in pair]
    for step in range(STEPS):
        match = random_match(rng, version)
        flow = rng.random() < 0.7 or version == of.OF15
        message = (flow_mod if flow else stats_request)(rng, version, match)
        ours, theirs = (entries(version, p.answers(message)) for p in peers)
        assert ours == theirs, "step %d: %s" % (step, message.hex())
        if flow:
            ours, theirs = (dump(p) for p in readers)
            assert ours == theirs, "step %d: %s" % (step, message.hex())
    for p in peers + readers:
        p.close()
