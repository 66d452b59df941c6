# SPDX-License-Identifier: Apache-2.0
"""balance-tcp bonds with lb-output-action=true: the datapath has the buckets, and megaflows say lb_output(id).  Holds
for genuine Open vSwitch, too (SWITCH_KIND=ovs), where the hash does not count and buckets are not moved."""
import re

import pytest

from switchlib import wait_for
from test_lacp import connections, deliver, make, pdu, send_by_a_queue, trace

pytestmark = pytest.mark.rootless


def start(make_hermetic, kind=None):
    sw = make(make_hermetic, kind, mode="balance-tcp", more=("other_config:lb-output-action=true",
                                                             "other_config:bond-rebalance-interval=4000"))
    sw.vsctl("add-port", "br0", "p9", "--", "set", "Interface", "p9", "type=dummy", "ofport_request=9")
    for n in (1, 2):
        deliver(sw, "p%d" % n, pdu(n))
    return sw


@pytest.fixture
def sw(make_hermetic):
    return start(make_hermetic)


def flows(sw):
    """Actions of the megaflows of what p9 sends, without those that were not renewed yet."""
    return [f for f in sw.appctl("dpctl/dump-flows").splitlines() if "in_port(9)" in f]


def sent(sw):
    """Frames that each member sent, but for those of LACP."""
    stats = sw.appctl("lacp/show-stats", "bond0")
    pdus = [int(re.search(r"member: p%d:\n  TX PDUs: (\d+)" % n, stats).group(1)) for n in (1, 2)]
    return [int(re.search(r"tx pkts=(\d+)", sw.ofctl("dump-ports", "br0", "p%d" % n)).group(1)) - pdus[n - 1]
            for n in (1, 2)]


def members(sw):
    """{bucket: datapath port} of dpif-netdev/bond-show."""
    lines = sw.appctl("dpif-netdev/bond-show").splitlines()
    assert lines[0] == "Bonds:" and re.fullmatch(r"\s*bond-id \d+:", lines[1])
    return {int(b): int(p) for b, p in re.findall(r"bucket (\d+) - member (\d+)", "\n".join(lines[2:]))}


def parts(actions):
    """Which port a flood sends to first is no promise."""
    return sorted(re.split(r",(?![^(]*\))", actions.strip()))


def test_the_same_texts_as_genuine_open_vswitch(make_hermetic):
    said = []
    for kind in ("sluice", "ovs"):
        sw = start(make_hermetic, kind)
        connections(sw, [1000])
        wait_for(lambda: flows(sw), what="the megaflow")
        wait_for(lambda: len(members(sw)) == 256, what="the buckets")
        flow, = flows(sw)
        show = [line for line in sw.appctl("bond/show").splitlines() if "lb_output" in line or "recirculation" in line]
        assert set(members(sw).values()) <= {1, 2}
        said.append((parts(flow.rsplit("actions:", 1)[-1]), show, parts(trace(sw, "in_port=p9")), re.sub(r"member \d+", "member N", sw.appctl("dpif-netdev/bond-show"))))
        sw.vsctl("set", "Port", "bond0", "other_config:lb-output-action=false")
        sw.appctl("time/warp", "10")
        said[-1] += (parts(trace(sw, "in_port=p9")), [line for line in sw.appctl("bond/show").splitlines() if "lb_output" in line],
                     sw.appctl("dpif-netdev/bond-show"))
    assert said[0] == said[1]
    assert said[0][-1] == ""
    assert "enabled, bond-id: 1" in "".join(said[0][1]) and said[0][2] == ["100", "lb_output(1)"]


def test_one_pass_and_both_members(sw):
    connections(sw, range(1000, 1200))
    wait_for(lambda: sum(sent(sw)) >= 200, what="the frames")
    assert len(flows(sw)) == 1 and "dp_hash" not in sw.appctl("dpctl/dump-flows")
    if sw.kind == "sluice":
        assert min(sent(sw)) > 50 and sum(sent(sw)) == 200
        assert set(members(sw).values()) == {1, 2}
        kb = sum(map(int, re.findall(r"hash \d+: (\d+) kB", sw.appctl("bond/show"))))
        assert kb <= 200 * 60 // 1024


def test_a_link_that_fails_takes_nothing_with_it(sw):
    connections(sw, [1000])
    wait_for(lambda: sum(sent(sw)) == 1, what="the first frame")
    sw.appctl("netdev-dummy/set-admin-state", "p1", "down")
    sw.appctl("time/warp", "10")
    wait_for(lambda: set(members(sw).values()) == {2}, what="all buckets on p2")
    before = sent(sw)[1]
    connections(sw, range(1000, 1050))
    wait_for(lambda: sent(sw)[1] == before + 50, what="all frames by p2")
    flow, = flows(sw)
    assert "lb_output(1)" in flow


def counters(sw):
    return [int(sw.appctl("coverage/read-counter", name)) for name in ("dpif_flow_put", "revalidator_translated")]


def test_buckets_move_without_megaflows(make_hermetic):
    sw = start(make_hermetic, "sluice")
    by_port = {}
    for port in range(1000, 1040):
        before = sent(sw)
        connections(sw, [port])
        wait_for(lambda: sum(sent(sw)) > sum(before), what="the frame")
        if sent(sw)[0] > before[0]:
            by_port.setdefault(port, None)
    heavy = list(by_port)[:6]
    connections(sw, heavy, size=1500, times=120)
    before = counters(sw)
    old = members(sw)

    def moved():
        sw.appctl("time/warp", "500")
        return [b for b, port in members(sw).items() if old[b] != port]
    wait_for(moved, 15, "a bucket that moves")
    assert {members(sw)[b] for b in moved()} == {2}
    assert "shift" in open(sw.log, encoding="utf-8").read()
    assert re.search(r"member p2: .*hash (%s): \d+ kB load" % "|".join(map(str, moved())), sw.appctl("bond/show"), re.S)
    sw.appctl("revalidator/wait")
    assert counters(sw)[0] == before[0]
    p1, p2 = sent(sw)
    connections(sw, heavy, times=10)
    wait_for(lambda: sum(sent(sw)) == p1 + p2 + 60, what="the frames")
    assert sent(sw)[1] > p2


def test_wished_and_not_wished(make_hermetic):
    """To and fro under traffic: nothing is lost."""
    sw = start(make_hermetic, "sluice")
    for n, wish in enumerate(("false", "true", "false", "true"), 1):
        sw.vsctl("set", "Port", "bond0", "other_config:lb-output-action=" + wish)
        connections(sw, range(1000, 1020))
        wait_for(lambda: sum(sent(sw)) == 20 * n, what="the frames")
        wait_for(lambda: ("lb_output(" in flows(sw)[0]) == (wish == "true"), what="the actions")
    sw.vsctl("set", "Port", "bond0", "bond_mode=balance-slb")
    assert "lb_output action: disabled, bond-id: -1" in sw.appctl("bond/show")
    sw.vsctl("del-port", "bond0")
    assert "bond-id" not in sw.appctl("dpif-netdev/bond-show")
    assert sw.alarms() == []


def test_queues(make_hermetic):
    sw = start(make_hermetic, "sluice")
    send_by_a_queue(sw)
    assert sw.alarms() == []


CHANGES = {"mode": ["bond_mode=active-backup"], "slb": ["bond_mode=balance-slb"],
           "wish": ["other_config:lb-output-action=false"]}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_buckets_stay_until_the_flows_follow(make_hermetic, change):
    """What megaflows of before send with lb_output goes out until they were looked at anew, and packets on their way
    some time longer; then the buckets go."""
    sw = start(make_hermetic, "sluice")
    connections(sw, [1000])
    wait_for(lambda: sum(sent(sw)) == 1 and flows(sw), what="the first frame")
    bond = re.search(r"lb_output\((\d+)\)", flows(sw)[0])[1]
    sw.appctl("revalidator/pause")
    sw.vsctl("set", "Port", "bond0", *change)
    assert sw.appctl("dpif-netdev/bond-show") == ""
    connections(sw, range(1000, 1050))
    wait_for(lambda: sum(sent(sw)) == 51, what="frames of the flow of before")
    assert "lb_output(" in flows(sw)[0]
    sw.appctl("revalidator/resume")
    wait_for(lambda: "lb_output(" not in flows(sw)[0], what="the flow that follows")
    gone = "datapath_drop_invalid_bond"
    assert sw.appctl("coverage/read-counter", gone).strip() == "0"
    sw.appctl("time/warp", "3000", "1000")
    sw.appctl("revalidator/pause")
    sw.appctl("dpctl/del-flows")
    sw.appctl("dpctl/add-flow", "in_port(9),eth(),eth_type(0x0800),ipv4(frag=no)", "lb_output(%s)" % bond)
    connections(sw, range(1000, 1005))
    wait_for(lambda: sw.appctl("coverage/read-counter", gone).strip() == "5", what="frames for a bond that is gone")
    sw.appctl("revalidator/resume")
    assert sw.alarms() == []


def test_a_wish_that_comes_back_before_the_flows_follow(make_hermetic):
    """The buckets of before are those of the bond again, and do not go with what was waited for."""
    sw = start(make_hermetic, "sluice")
    connections(sw, [1000])
    wait_for(lambda: sum(sent(sw)) == 1 and flows(sw), what="the first frame")
    sw.appctl("revalidator/pause")
    for change in ("bond_mode=active-backup", "bond_mode=balance-tcp", "other_config:lb-output-action=false",
                   "other_config:lb-output-action=true"):
        sw.vsctl("set", "Port", "bond0", change)
    assert len(members(sw)) == 256
    sw.appctl("revalidator/resume")
    sw.appctl("revalidator/wait")
    sw.appctl("time/warp", "3000", "1000")
    connections(sw, range(1000, 1050))
    wait_for(lambda: sum(sent(sw)) == 51, what="the frames")
    assert "lb_output(" in flows(sw)[0] and set(members(sw).values()) == {1, 2}
    kb = sum(map(int, re.findall(r"hash \d+: (\d+) kB", sw.appctl("bond/show"))))
    assert kb <= 51 * 60 // 1024
    assert sw.alarms() == []
