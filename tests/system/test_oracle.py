# SPDX-License-Identifier: Apache-2.0
"""Random flow tables and frames through Sluice and genuine Open vSwitch: the same comes out.

ORACLE_ROUNDS and ORACLE_SEED make it longer, or repeat a round that failed.
"""
import os
import random
import re
from collections import Counter

import pytest

from oracle import (GROUPS, RICH_GROUPS, RICH_METERS, Lab, mpls_flows, mpls_frame, random_flows,
                    random_frame, rich_flows, without_known)

ROUNDS = int(os.environ.get("ORACLE_ROUNDS", "6"))
SEED = int(os.environ.get("ORACLE_SEED", "1"))
KINDS = tuple(os.environ.get("ORACLE_KINDS", "sluice,ovs").split(","))


@pytest.fixture(scope="module")
def labs():
    made = []
    try:
        for kind in KINDS:
            made.append(Lab(kind))
        yield made
    finally:
        for lab in made:
            lab.close()


def both(labs, fn):
    """fn(lab) on both; returns (ours, theirs)."""
    return [fn(lab) for lab in labs]


def sent_by_one(labs, frames, gap):
    """What only ours and what only the other one sends of these frames."""
    ours, theirs = both(labs, lambda lab: Counter(without_known(lab.send(frames, gap))))
    return sorted((ours - theirs).elements()), sorted((theirs - ours).elements())


def counted(lab):
    """The flows with their packet counts, sorted.  Not as OpenFlow 1.0: where an instruction stands behind
    actions ovs-ofctl stops to print what that says."""
    lab.sw.appctl("revalidator/wait")
    out = lab.sw.ofctl("-O", "OpenFlow13", "dump-flows", "br0")
    lines = []
    for line in out.splitlines():
        if "actions=" in line:
            lines.append(re.sub(r"cookie=\S+, |duration=\S+, |idle_age=\d+, |"
                                r"hard_age=\d+, ", "", line).strip())
    return sorted(lines)


# 31032: flags of a first fragment.
@pytest.mark.parametrize("round_", [31032, *range(SEED, SEED + ROUNDS)])
def test_random_flows_and_frames(labs, round_):
    rng = random.Random(round_)
    flows = "\n".join(random_flows(rng, rng.choice([5, 20, 60])))
    frames = [(rng.randint(1, 4), random_frame(rng)) for _ in range(150)]
    frames *= 2  # the second time through the caches
    for lab in labs:
        lab.sw.ofctl("del-flows", "br0")
        lab.sw.ofctl("add-flows", "br0", "-", input=flows)
        if lab.sw.kind == "ovs":  # its megaflows of the round before may still be there
            lab.sw.appctl("revalidator/wait")
    ours, theirs = both(labs, lambda lab: lab.sw.flows("br0"))
    assert ours == theirs
    assert sent_by_one(labs, frames, 0.0005) == ([], []), "seed %d" % round_
    ours, theirs = both(labs, counted)
    assert ours == theirs, "seed %d" % round_


@pytest.mark.parametrize("round_", range(SEED, SEED + max(1, ROUNDS // 2)))
def test_random_pipelines(labs, round_):
    """Instructions, groups, clones, the stack, learned flows: the same comes out, and is counted."""
    rng = random.Random(9000 + round_)
    flows = rich_flows(rng, rng.choice([10, 30, 60]))
    frames = [(rng.randint(1, 4), random_frame(rng)) for _ in range(100)]
    for lab in labs:
        lab.sw.ofctl("del-flows", "br0")
        lab.sw.ofctl("-O", "OpenFlow15", "del-groups", "br0")
        lab.sw.ofctl("-O", "OpenFlow15", "add-groups", "br0", "-", input="\n".join(RICH_GROUPS))
        lab.sw.ofctl("-O", "OpenFlow13", "del-meters", "br0")
        for meter in RICH_METERS:
            lab.sw.ofctl("-O", "OpenFlow13", "add-meter", "br0", meter)
        lab.sw.appctl("revalidator/wait")
    refused = both(labs, lambda lab: [
        lab.sw.ofctl("-O", "OpenFlow13", "add-flow", "br0", flow, check=False).returncode for flow in flows])
    assert refused[0] == refused[1]
    first = both(labs, lambda lab: Counter(without_known(lab.send(frames, one_by_one=True))))
    counts = both(labs, counted)
    for lab in labs:
        lab.sw.ofctl("del-flows", "br0")
        lab.sw.ofctl("-O", "OpenFlow15", "del-groups", "br0")
    assert first[0] == first[1], "seed %d: %s, %s" % (round_, first[0] - first[1], first[1] - first[0])
    assert counts[0] == counts[1], "seed %d" % round_


def dropped_by_p1(lab):
    return int(re.search(r"drop=(\d+)", lab.sw.ofctl("dump-ports", "br0", "p1"))[1])


def test_drops_of_the_kernel_count(labs):
    """The kernel's own stack drops a tagged frame that nobody but the switch wants."""
    frames = [(1, bytes.fromhex("020000000002020000000001") + b"\x81\0\0\x05\x88\xb5" + bytes(46))] * 5
    more = []
    for lab in labs:
        before = dropped_by_p1(lab)
        lab.send(frames, 0.001)
        more.append(dropped_by_p1(lab) - before)
    assert more[0] == more[1] == 5


def normal_run(lab, frames):
    """What comes out, and which MACs are known where in the end."""
    lab.sw.ofctl("del-flows", "br0")
    lab.sw.ofctl("add-flow", "br0", "actions=NORMAL")
    lab.sw.appctl("fdb/flush", "br0")
    out = without_known(lab.send(frames, one_by_one=True))
    lab.sw.appctl("revalidator/wait")
    return out, sorted(re.sub(r"\s+\d+$", "", line)
                       for line in lab.sw.appctl("fdb/show", "br0").splitlines()[1:])


# 785: priority tags between trunks.
@pytest.mark.parametrize("round_", [785, *range(SEED, SEED + max(1, ROUNDS // 2))])
def test_normal_with_vlans(labs, round_):
    """The learning switch: every VLAN mode, frames one after the other."""
    rng = random.Random(1000 + round_)
    settings = []
    for i in range(1, 5):
        mode = rng.choice(["access", "trunk", "trunk-all", "native-tagged", "native-untagged"])
        args = ["--", "clear", "port", "p%d" % i, "tag", "trunks", "vlan_mode"]
        tag = str(rng.choice([1, 2]))
        if mode == "access":
            args += ["--", "set", "port", "p%d" % i, "tag=" + tag]
        elif mode == "trunk":
            args += ["--", "set", "port", "p%d" % i, "trunks=1,100"]
        elif mode != "trunk-all":
            args += ["--", "set", "port", "p%d" % i, "vlan_mode=" + mode, "tag=" + tag]
        settings += args
    frames = [(rng.randint(1, 4), random_frame(rng)) for _ in range(60)]
    # To itself: goes where it was last seen if a datapath flow is there, which only ours still has.
    frames = [(port, f) for port, f in frames if f[:6] != f[6:12]]
    for lab in labs:
        lab.sw.vsctl(*settings[1:])
    ours, theirs = both(labs, lambda lab: normal_run(lab, frames))
    assert ours == theirs, "seed %d" % round_
    for lab in labs:
        for i in range(1, 5):
            lab.sw.vsctl("clear", "port", "p%d" % i, "tag", "trunks", "vlan_mode")


def trace(lab, flow):
    """What the flow becomes and what is done with it, from ofproto/trace.  Where a packet is flooded, the
    order of ports that follow each other is no promise."""
    out = lab.sw.appctl("ofproto/trace", "br0", flow)
    final, actions = [re.search("^%s: (.*)" % name, out, re.M)[1] for name in ("Final flow", "Datapath actions")]
    if re.search(r"^ +(flood|all)$", out, re.M | re.I):
        actions = re.sub(r"(?<![^,])\d+(,\d+)+(?![^,])", lambda m: ",".join(sorted(m[0].split(","))), actions)
    return final, actions


def test_trace_of_random_flows(labs):
    rng = random.Random(SEED + 77)
    flows = "\n".join(random_flows(rng, 40))
    for lab in labs:
        lab.sw.ofctl("del-flows", "br0")
        lab.sw.ofctl("add-flows", "br0", "-", input=flows)
    for i in range(30):
        flow = "in_port=%d,udp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:0%d,nw_src=10.0.0.%d," \
            "nw_dst=10.0.0.2,nw_ttl=64,udp_src=%d,udp_dst=80" % (
                rng.randint(1, 4), rng.randint(1, 4), rng.randint(1, 3), rng.choice([1000, 443]))
        ours, theirs = both(labs, lambda lab: trace(lab, flow))
        assert ours == theirs, flow


@pytest.mark.parametrize("round_", range(SEED, SEED + max(1, ROUNDS // 2)))
def test_random_recirculation(labs, round_):
    """Labels popped and groups that hash: the packet comes back, and everything goes on as it was."""
    rng = random.Random(5000 + round_)
    flows = mpls_flows(rng)
    frames = [(rng.randint(1, 4), mpls_frame(rng) if rng.random() < 0.8 else random_frame(rng)) for _ in range(60)]
    flows.append("table=0,priority=1,actions=load:1->NXM_NX_REG0[0..7],group:3,output:4")
    for lab in labs:
        lab.sw.ofctl("del-flows", "br0")
        lab.sw.ofctl("-O", "OpenFlow15", "del-groups", "br0")
        lab.sw.ofctl("-O", "OpenFlow15", "add-groups", "br0", "-", input="\n".join(GROUPS))
        for flow in flows:  # what one of them refuses the other must, too
            lab.sw.ofctl("add-flow", "br0", flow, check=False)
        lab.sw.appctl("revalidator/wait")
    ours, theirs = both(labs, lambda lab: lab.sw.flows("br0"))
    assert ours == theirs
    first = sent_by_one(labs, frames * 2, 0.002)
    for lab in labs:  # The same rules again: megaflows are translated anew, from what they match.
        lab.sw.ofctl("add-flows", "br0", "-", input="\n".join(ours))
        lab.sw.appctl("revalidator/wait")
    again = sent_by_one(labs, frames, 0.002)
    for lab in labs:
        lab.sw.ofctl("del-flows", "br0")
        lab.sw.ofctl("-O", "OpenFlow15", "del-groups", "br0")
    assert (first, again) == (([], []), ([], [])), "seed %d" % round_
