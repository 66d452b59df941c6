# SPDX-License-Identifier: Apache-2.0
"""Full tables, what tables say they can do, and traces of actions with limits, beside genuine Open
vSwitch."""
import re

import pytest

from switchlib import hermetic_pair

pytestmark = pytest.mark.rootless

FIELDS = "eth_src symmetric_l4 symmetric_l3l4 symmetric_l3l4+udp symmetric_l3 nw_src nw_dst".split()
ALGORITHMS = "modulo_n hash_threshold hrw iter_hash".split()
TCP = "tcp,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1," \
      "nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=80"
PACKETS = [TCP, TCP.replace("tcp,", "udp,").replace("tp_", "udp_"),
           "in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,dl_type=0x88b5"]


@pytest.fixture(scope="module")
def pair():
    def prepare(sw):
        sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
                 "protocols=OpenFlow10,OpenFlow13,OpenFlow14")
        sw.add_ports("br0", "p1", "p2", "p3", "p4")

    yield from hermetic_pair(prepare)


def both(pair, fn):
    ours, theirs = [fn(sw) for sw in pair]
    return ours, theirs


def flow_table(sw, limit, *more):
    sw.vsctl("--", "--id=@t", "create", "Flow_Table", "flow_limit=%d" % limit, *more,
             "--", "set", "Bridge", "br0", "flow_tables:0=@t")


def reset(sw):
    sw.vsctl("clear", "Bridge", "br0", "flow_tables")
    sw.ofctl("del-flows", "br0")


def crowd(*numbers):
    """Flows of ports 1, 2..., 'numbers' of each, each later one with more time than those before."""
    lines = []
    for port, n in enumerate(numbers, 1):
        for _ in range(n):
            lines.append("in_port=%d,priority=%d,udp,nw_src=10.0.%d.1,hard_timeout=%d,actions=drop" %
                         (port, len(lines) + 1, port, 1000 + 50 * len(lines)))
    return "\n".join(lines)


@pytest.mark.parametrize("groups", [
    [], ['"NXM_OF_IN_PORT[]"'], ["in_port"], ['"NXM_OF_IN_PORT[1..2]"'], ['"NXM_OF_IP_SRC[8..15]"'],
    ["nonsense"], ["nonsense", '"NXM_OF_IN_PORT[]"'], ['"NXM_OF_TCP_SRC[]"'],
    ['"NXM_OF_IN_PORT[]"', '"NXM_OF_UDP_SRC[]"']], ids=",".join)
def test_who_makes_room(pair, groups):
    """The largest group does, in the order in which its flows end."""
    def run(sw):
        reset(sw)
        flow_table(sw, 9, "overflow_policy=evict", *["groups=" + ",".join(groups)][:len(groups)])
        sw.ofctl("add-flows", "br0", "-", input=crowd(6, 2, 3, 1))
        return sw.flows("br0")

    ours, theirs = both(pair, run)
    assert ours == theirs and len(ours) == 9


def test_a_lower_limit(pair):
    """Evicts at once, where the policy says so."""
    for policy, left in (("evict", 4), ("refuse", 8)):
        def run(sw):
            reset(sw)
            sw.ofctl("add-flows", "br0", "-", input=crowd(6, 2))
            flow_table(sw, 4, "overflow_policy=" + policy, "groups=in_port")
            return sw.flows("br0")

        ours, theirs = both(pair, run)
        assert ours == theirs and len(ours) == left


def test_eviction_of_database_and_controller(pair):
    """What a controller switches on stays on, and is all that it is told."""
    def run(sw):
        reset(sw)
        said = []
        for change in (lambda: flow_table(sw, 5, "overflow_policy=evict"),
                       lambda: sw.ofctl("-O", "OpenFlow14", "mod-table", "br0", "0", "evict"),
                       lambda: reset(sw),
                       lambda: sw.ofctl("-O", "OpenFlow14", "mod-table", "br0", "0", "noevict")):
            change()
            said.append(sw.ofctl("-O", "OpenFlow14", "dump-table-desc", "br0").splitlines()[2])
        return said

    ours, theirs = both(pair, run)
    assert ours == theirs and [" eviction=on" in line for line in ours] == [False, True, True, False]


def test_fields_of_table_features(pair):
    """All but what docs/compat.md names."""
    ours, theirs = both(pair, lambda sw: sw.ofctl("-O", "OpenFlow13", "dump-table-features", "br0"))
    theirs = re.sub(r" nsh_\{[^}]*\}| packet_type", "", theirs)
    assert "in_{port,port_oxm}" in ours and "nw_tos" in ours and "vlan_{tci,vid" in ours
    assert ours.splitlines()[1:] == theirs.splitlines()[1:]


def trace(sw, flow, *more):
    """Without the bits that the megaflow matches, which are no promise."""
    text = sw.appctl("ofproto/trace", "br0", flow, *more)
    return re.sub(r"Megaflow:.*\n", "", text)


@pytest.mark.parametrize("packet", [[], ["-generate"]], ids=["flow", "packet"])
def test_labels_beyond_the_limit(pair, packet):
    """A line of their own where there is a packet that is dropped."""
    for n in (3, 4):
        def run(sw):
            reset(sw)
            sw.ofctl("-O", "OpenFlow13", "add-flow", "br0",
                     "tcp,actions=" + "push_mpls:0x8847," * n + "output:2")
            return trace(sw, TCP, *packet)

        ours, theirs = both(pair, run)
        assert ours == theirs
        assert ("Too many MPLS labels" in ours) == (n == 4)
        assert (">>>> dropping packet" in ours) == (n == 4 and packet != [])


def without_link(text):
    """A trace without the number that a hash gave; link 0 leaves the flow as it was."""
    text = re.sub(r"Final flow: unchanged", text.splitlines()[0].replace("Flow", "Final flow"), text)
    return re.sub(r"reg0=\w+,|(now )\w+|Megaflow:.*\n", r"\1", text)


def test_multipath(pair):
    """Every way to hash: only the link that it chooses may differ."""
    lines = ["reg5=%d,actions=multipath(%s,50,%s,16,0,NXM_NX_REG0[0..7]),resubmit(,1)" % (
        i * len(FIELDS) + j, fields, algorithm)
        for i, algorithm in enumerate(ALGORITHMS) for j, fields in enumerate(FIELDS)]
    for sw in pair:
        reset(sw)
        sw.ofctl("add-flows", "br0", "-", input="\n".join([*lines, "table=1,actions=output:2"]))
    controls = [sw.control() for sw in pair]
    for i, line in enumerate(lines):
        for packet in PACKETS:
            ours, theirs = [without_link(c.run("ofproto/trace", "br0", "reg5=%d,%s" % (i, packet))[1])
                            for c in controls]
            assert ours == theirs, (line, packet)
            assert "Datapath actions: 2" in ours
    for control in controls:
        control.close()


@pytest.mark.parametrize("counter", ["txn_success", "rev_reconfigure"])
def test_counters_that_both_have(pair, counter):
    """A port that comes is a transaction of the switch, and a change that flows must follow."""
    for sw in pair:
        before = int(sw.appctl("coverage/read-counter", counter))
        sw.add_ports("br0", "x1")
        assert int(sw.appctl("coverage/read-counter", counter)) > before
        sw.vsctl("del-port", "x1")


@pytest.mark.parametrize("actions", [
    "output:p2", "output:nobody", "output:2", "output:77", "group:5", "meter:1", "goto_table:5", "write_metadata:5", "clear_actions",
    "write_actions(output:2)", "conjunction(1,1/2)", "enqueue:1:1", "enqueue:2:1", "output:in_port", "output:reg0", "output:reg0[0..3]", "dec_ttl(1,2),2",
    "dec_ttl,2", "resubmit(,0)", "nonsense", "mod_nw_tos:4,2", "mod_nw_tos:6"])
@pytest.mark.parametrize("packet", ["in_port=1,tcp,nw_ttl=64", "udp,nw_ttl=64", "in_port=nobody,ip"])
def test_packets_of_a_controller(pair, actions, packet):
    """What ofproto/trace-packet-out says of actions, right and wrong ones, and of packets without a port."""
    def run(sw):
        reset(sw)
        p = sw.appctl("ofproto/trace-packet-out", "br0", packet, actions, check=False)
        return p.returncode, re.sub(r"Megaflow:.*\n", "", p.stdout), p.stderr.replace(sw.dir, "").split("\n")[0]

    ours, theirs = both(pair, run)
    assert ours == theirs


def test_a_packet_from_nowhere(pair):
    ours, theirs = both(pair, lambda sw: trace(sw, "tcp"))
    assert ours == theirs and "in_port=ANY" in ours
