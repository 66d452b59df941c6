# SPDX-License-Identifier: Apache-2.0
"""What a change of rules costs and when it holds: traffic that two PMDs forward goes the new way once
the barrier after the change is answered, whatever was changed, and of many megaflows only those are
translated anew that the change can be about."""
import re
import struct
import time

import pytest

import openflow
from switchlib import Hermetic, Switch, wait_for

V = openflow.OF14
OLD, NEW, SRC_A, SRC_B = 1, 2, 3, 4
GROUP_MOD, METER_MOD, BUNDLE_CONTROL, BUNDLE_ADD = 15, 29, 33, 34
ADD, MODIFY, DELETE = 0, 1, 3
# What the two PMDs have in hand when the change comes, one burst each, and may send later where somebody
# else has their cores (decision 2).  Whoever follows milliseconds later sends thousands.
IN_HAND = 2 * 32


@pytest.fixture
def sw():
    """Two sources without end, each polled by a PMD of its own, and two sinks."""
    switch = Switch()
    try:
        switch.start()
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=3",
                     "other_config:pmd-rxq-assign=roundrobin")
        switch.add_bridge("br0", "fail_mode=secure")
        for name, number, devargs in (("old", OLD, "net_null0,no-rx=1"), ("new", NEW, "net_null1,no-rx=1"),
                                      ("a", SRC_A, "net_null2"), ("b", SRC_B, "net_null3")):
            switch.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dpdk",
                         "options:dpdk-devargs=" + devargs, "ofport_request=%d" % number,
                         *(["other_config:pmd-rxq-affinity=0:%d" % (number - SRC_A)]
                           if number >= SRC_A else []))
        yield switch
    finally:
        switch.close()


def to(port):
    return openflow.output(V, port)


def from_port(port):
    return openflow.oxm(0, struct.pack("!I", port))


def group_mod(command, port):
    """Group 1 of type indirect."""
    action = to(port)
    bucket = struct.pack("!HHII4x", 16 + len(action), 0, openflow.ANY, openflow.ANY) + action
    return openflow.message(V, GROUP_MOD, struct.pack("!HBxI", command, 2, 1) + bucket)


def to_group():
    return struct.pack("!HHI", 22, 8, 1)


def bundled(*changes):
    """The changes as one bundle that is opened, filled, closed and committed."""
    def control(kind):
        return openflow.message(V, BUNDLE_CONTROL, struct.pack("!IHH", 7, kind, 1))
    adds = [openflow.message(V, BUNDLE_ADD, struct.pack("!IHH", 7, 0, 1) + change)
            for change in changes]
    return [control(0), *adds, control(2), control(4)]


def rule(port, *, command=0, priority=10, **more):
    return openflow.flow_mod(V, to(port), command, priority, **more)


# For each kind of change: what stands before it, and it; all traffic goes to OLD before and to NEW after.
CHANGES = {
    "a rule above": ([rule(OLD)], [rule(NEW, priority=20)]),
    "rules above, one for each port": (
        [rule(OLD)], [rule(NEW, priority=20, fields=from_port(p)) for p in (SRC_A, SRC_B)]),
    "the same rule anew": ([rule(OLD)], [rule(NEW)]),
    "modified": ([rule(OLD)], [rule(NEW, command=1)]),
    "modified strictly": ([rule(OLD)], [rule(NEW, command=2)]),
    "deleted": ([rule(NEW), rule(OLD, priority=20, cookie=5)],
                [openflow.flow_mod(V, b"", 4, 20)]),
    "a later table": ([openflow.flow_mod(V, instructions=struct.pack("!HHB3x", 1, 8, 1)),
                       rule(OLD, table=1)], [rule(NEW, table=1, priority=20)]),
    "a group": ([group_mod(ADD, OLD), openflow.flow_mod(V, to_group())], [group_mod(MODIFY, NEW)]),
    "a bundle": ([rule(OLD)], bundled(rule(NEW, priority=20, fields=from_port(SRC_A)),
                                      rule(NEW, priority=20, fields=from_port(SRC_B)))),
}


def sent(peer, port):
    """Packets that the port has sent."""
    peer.send(openflow.multipart(V, 4, struct.pack("!I4x", port)))
    return struct.unpack_from("!Q", peer.wait(openflow.multipart_request(V) + 1), 8 + 24)[0]


def settle(peer, port):
    first = sent(peer, port)
    wait_for(lambda: sent(peer, port) > first + 100000, what="traffic to port %d" % port)


def change(peer, *messages):
    errors = [m for m in peer.answers(*messages) if m[1] == openflow.ERROR]
    assert not errors, errors


def clear(peer):
    change(peer, openflow.flow_mod(V, command=DELETE, table=0xFF),
           openflow.message(V, GROUP_MOD, struct.pack("!HBxI", 2, 0, 0xFFFFFFFC)))


def test_no_packet_goes_the_old_way_after_the_barrier(sw):
    rows = sw.appctl("dpif-netdev/pmd-rxq-show")
    assert len(re.findall(r"^pmd thread .*\n(?:  isolated.*\n)(?:  port: [ab] .*\n)", rows, re.M)) == 2, rows
    peer = openflow.Peer(sw.dir + "/br0.mgmt", V)
    for what, (before, after) in CHANGES.items():
        for i in range(5):
            clear(peer)
            change(peer, *before)
            settle(peer, OLD)
            change(peer, *after)
            stopped = sent(peer, OLD)
            time.sleep(0.05)
            late = sent(peer, OLD) - stopped
            assert late <= IN_HAND, "%s, round %d: %d packets" % (what, i, late)
            settle(peer, NEW)


def frame(host):
    return ("in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),"
            "ipv4(src=10.0.%d.%d,dst=10.1.0.1,proto=17,tos=0,ttl=64,frag=no),udp(src=1,dst=2)"
            % (host >> 8, host & 255))


def translations(sw):
    return int(sw.appctl("coverage/read-counter", "revalidator_translated")) + \
        int(sw.appctl("coverage/read-counter", "revalidator_shared"))


N_HOSTS = 400
# Rules, and how many of the megaflows of hosts 10.0.0.0 ... 10.0.1.143 each can be about.
CONCERNED = [("priority=20,udp,nw_src=10.0.0.7,actions=output:3", 1),
             ("priority=20,udp,nw_src=10.0.0.64/29,actions=output:3", 8),
             ("priority=20,udp,nw_src=10.0.1.0/24,actions=output:3", N_HOSTS - 256),
             ("priority=20,udp,nw_src=10.0.9.0/24,actions=output:3", 0),
             ("priority=20,tcp,nw_src=10.0.0.0/16,actions=output:3", 0),
             ("priority=20,in_port=2,actions=output:3", 0),
             ("priority=1,udp,actions=output:3", 0),
             ("table=9,priority=20,udp,actions=output:3", 0)]


@pytest.mark.rootless
def test_only_what_a_change_can_be_about_is_looked_at():
    """Counted, not timed: of 400 megaflows those of the change's match, when it comes and when it goes."""
    sw = Hermetic()
    try:
        sw.start()
        sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "fail-mode=secure")
        sw.add_ports("br0", "p1", "p2", "p3")
        sw.vsctl("set", "Open_vSwitch", ".", "other_config:max-idle=600000")
        # Each source has a megaflow, and actions of its own: none shares another one's translation.
        sw.ofctl("add-flow", "br0", "priority=10,udp,actions=move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[],output:2")
        control = sw.control()
        for host in range(N_HOSTS):
            assert control.run("netdev-dummy/receive", "p1", frame(host))[0]
        control.close()
        wait_for(lambda: "flows: %d\n" % N_HOSTS in sw.appctl("dpctl/show"), what="a megaflow for each source")
        sw.appctl("revalidator/wait")
        for rule, concerned in CONCERNED:
            match = rule[:rule.index(",actions")]
            for change in (["add-flow", "br0", rule], ["--strict", "del-flows", "br0", match]):
                before = translations(sw)
                sw.ofctl(*change)
                sw.appctl("revalidator/wait")
                assert translations(sw) - before == concerned, change
            flows = [f for f in sw.appctl("dpctl/dump-flows").splitlines() if "actions:" in f]
            assert len(flows) == N_HOSTS and not any(f.endswith("actions:3") for f in flows), rule
    finally:
        sw.close()
