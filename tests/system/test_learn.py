# SPDX-License-Identifier: Apache-2.0
"""learn(): what becomes of the flows that it made, beside genuine Open vSwitch, while the clock stands still."""
import re

import pytest

from switchlib import hermetic_pair, wait_for

pytestmark = pytest.mark.rootless

LEARN = "learn(table=5,%sNXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])"
HELD = LEARN % "delete_learned,cookie=9,"


@pytest.fixture(scope="module")
def pair():
    def prepare(sw):
        sw.add_bridge("br0", "fail_mode=secure")
        sw.add_ports("br0", "p1", "p2", "p3")
        sw.appctl("time/stop")

    yield from hermetic_pair(prepare)


def add(sw, *flows):
    sw.ofctl("-O", "OpenFlow13", "add-flows", "br0", "-", input="\n".join(flows))


def frame(src, dst=2):
    return "02000000%04x" % dst + "02000000%04x" % src + "88b5" + "00" * 46


def receive(sw, port, *sources, dst=2):
    for source in sources:
        sw.appctl("netdev-dummy/receive", port, frame(source, dst))
        sw.appctl("revalidator/wait")
        if sw.kind == "ovs":  # its megaflows stay for a while when flows go
            sw.appctl("revalidator/purge")


def dump(sw, *what):
    return sorted(re.sub(" actions=.*output", " actions=output", line) for line in
                  sw.ofctl("-O", "OpenFlow13", "dump-flows", "br0", *what).splitlines() if "actions=" in line)


def wait_for_packets(sw, n):
    """Until the learned flow has counted them: a frame may still be on its way when receive() is back."""
    def counted():
        sw.appctl("revalidator/wait")
        return "n_packets=%d," % n in dump(sw, "table=5")[0]

    wait_for(counted, what="%d packets of the learned flow" % n)


def both(pair, run):
    for sw in pair:
        sw.ofctl("del-flows", "br0")
    ours, theirs = [run(sw) for sw in pair]
    assert ours == theirs
    return ours


@pytest.mark.parametrize("second", ["hard_timeout=90,", "idle_timeout=8,", "hard_timeout=30,cookie=7,", "hard_timeout=30,send_flow_rem,",
                                    "hard_timeout=30,"], ids=lambda s: s[:-1])
def test_what_is_learned_again_goes_on(pair, second):
    """As a modify: its counters, age and timeouts stay, whatever else is new."""
    def run(sw):
        add(sw, "in_port=1,actions=" + LEARN % "hard_timeout=30,", "in_port=3,actions=" + LEARN % second,
            "in_port=2,actions=resubmit(,5)")
        receive(sw, "p1", 1)
        wait_for(lambda: len(dump(sw, "table=5")) == 1, what="a learned flow")
        receive(sw, "p2", 8, 8, dst=1)
        wait_for_packets(sw, 2)
        sw.appctl("time/warp", "5000", "500")
        receive(sw, "p3", 1)
        wait_for(lambda: "actions=output:3" in dump(sw, "table=5")[0], what="the flow learned again")
        receive(sw, "p2", 8, dst=1)
        wait_for_packets(sw, 3)
        return dump(sw, "table=5")

    assert "n_packets=3" in both(pair, run)[0]


@pytest.mark.parametrize("change, left", [
    ("del-flows br0 table=0", 3), ("del-flows br0 table=3", 0), ("mod-flows br0 table=0,actions=drop", 3),
    ("mod-flows br0 actions=drop", 0), ("add-flow br0 table=0,actions=drop", 3), ("replace-flows br0 -", 0),
    ("mod-flows br0 table=0,actions=" + HELD + ",output:3", 3), ("-O OpenFlow14 --bundle replace-flows br0 -", 0),
    ("-O OpenFlow14 --bundle add-flow br0 table=3,actions=drop", 0)], ids=lambda v: str(v)[:40])
def test_flows_go_with_those_that_taught_them(pair, change, left):
    """With the last one: one of table 3, and unless that is to change one of table 0."""
    def run(sw):
        add(sw, "actions=clone(%s),output:2" % HELD, "table=3,actions=" + HELD, "table=5,cookie=10,in_port=1,actions=drop",
            "table=6,cookie=9,in_port=1,actions=drop")
        if "table=3" in change:
            sw.ofctl("-O", "OpenFlow13", "mod-flows", "br0", "table=0,actions=" + (LEARN % "cookie=9,"))
        receive(sw, "p1", 1, 3, 4)
        wait_for(lambda: len(dump(sw, "table=5,cookie=9/-1")) == 3, what="three learned flows")
        sw.ofctl(*change.split(), input="")
        return dump(sw)

    assert sum("table=5" in f and "cookie=0x9" in f for f in both(pair, run)) == left


def test_flows_go_one_after_the_other(pair):
    """A learned flow goes whose timeout ends the flow that taught it; and what goes may be a teacher, too."""
    def run(sw):
        add(sw, "table=1,hard_timeout=3,actions=learn(table=2,delete_learned,cookie=9,output:NXM_OF_IN_PORT[])",
            "table=2,cookie=9,in_port=2,actions=learn(table=3,delete_learned,cookie=8,output:NXM_OF_IN_PORT[])",
            "table=3,cookie=8,in_port=2,actions=learn(table=4,delete_learned,cookie=7,output:NXM_OF_IN_PORT[])",
            "table=4,cookie=7,actions=drop", "table=4,cookie=6,in_port=1,actions=drop")
        sw.appctl("time/warp", "4000", "500")
        wait_for(lambda: len(dump(sw)) == 1, what="all flows but one gone")
        return dump(sw)

    assert "cookie=0x6" in both(pair, run)[0]


LIMITED = "table=0,in_port=1,actions=learn(table=5,cookie=9,priority=%d,limit=2,result_dst=NXM_NX_REG0[3],%sNXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]," \
          "output:NXM_OF_IN_PORT[]),resubmit(,1)"
BY_RESULT = ["table=1,cookie=1,reg0=8/8,actions=2", "table=1,cookie=2,reg0=0/8,actions=3"]


def told(sw):
    """How many packets were told that there was room, and that there was none."""
    return [sw.n_packets("br0", "table=1,cookie=%d/-1" % c) for c in (1, 2)]


def n_learned(sw):
    return len(dump(sw, "table=5,cookie=9/-1"))


def test_packets_are_told_whether_there_was_room(pair):
    """The first two hosts have it and keep it; others get it when one of them goes."""
    def run(sw):
        add(sw, LIMITED % (7, "hard_timeout=30,"), *BY_RESULT)
        seen = []
        for sources in ([1], [1, 2], [3], [3, 1], [2, 4]):
            receive(sw, "p1", *sources)
            seen.append(told(sw))
        wait_for(lambda: n_learned(sw) == 2, what="two learned flows")
        sw.ofctl("del-flows", "br0", "table=5,dl_dst=02:00:00:00:00:01")
        receive(sw, "p1", 3, 1, 3)
        seen.append(told(sw))
        wait_for(lambda: n_learned(sw) == 2, what="two learned flows again")
        sw.appctl("time/warp", "40000", "1000")
        wait_for(lambda: n_learned(sw) == 0, what="expiry")
        receive(sw, "p1", 4, 5, 3)
        seen.append(told(sw))
        return seen, dump(sw, "table=5")

    seen, _ = both(pair, run)
    assert seen == [[1, 0], [3, 0], [3, 1], [4, 2], [5, 3], [7, 4], [9, 5]]


def test_flows_of_others_take_room(pair):
    """Whoever made the flows of that cookie and table; and what would change one there needs room, too."""
    def run(sw):
        add(sw, "table=5,cookie=9,arp,actions=drop", LIMITED % (7, ""), *BY_RESULT,
            (LIMITED % (7, "load:1->NXM_NX_REG1[],")).replace("in_port=1", "in_port=3"), "table=6,cookie=9,arp,actions=drop")
        seen = []
        for port, *sources in (("p1", 1, 2), ("p3", 1), ("p1", 1)):
            receive(sw, port, *sources)
            seen.append(told(sw))
        sw.ofctl("del-flows", "br0", "table=5,arp")
        receive(sw, "p3", 1)
        receive(sw, "p1", 1)
        seen.append(told(sw))
        sw.ofctl("-O", "OpenFlow13", "mod-flows", "br0", "table=0,in_port=1,actions=" + (LIMITED % (8, "")).split("actions=")[1])
        receive(sw, "p1", 2, 1)
        seen.append(told(sw))
        return seen, dump(sw, "table=5")

    both(pair, run)


def test_traces_of_a_limited_learn(pair):
    """Without -generate nothing is learned and no result written."""
    def trace(sw, *options):
        out = sw.appctl("ofproto/trace", "br0", "in_port=1,dl_src=02:00:00:00:00:05,dl_dst=02:00:00:00:00:02,dl_type=0x88b5", *options)
        return [line for line in out.splitlines() if not line.startswith(("Megaflow", "Final"))]

    def run(sw):
        add(sw, LIMITED % (7, ""), *BY_RESULT)
        seen = [trace(sw)]
        receive(sw, "p1", 1, 2)
        wait_for(lambda: n_learned(sw) == 2, what="two learned flows")
        return seen + [trace(sw), trace(sw, "-generate"), n_learned(sw)]

    both(pair, run)


def test_many_hosts_and_a_limit(pair):
    """Each is told what becomes of its flow, and as many have one as are told so."""
    sw = pair[0]
    sw.ofctl("del-flows", "br0")
    add(sw, (LIMITED % (7, "")).replace("limit=2", "limit=20"), *BY_RESULT)
    control = sw.control()
    for i in range(200):
        assert control.run("netdev-dummy/receive", "p1", frame(i + 1))[0]
    control.close()
    assert told(sw) == [20, 180]
    wait_for(lambda: n_learned(sw) == 20, what="20 learned flows")
