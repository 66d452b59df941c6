# SPDX-License-Identifier: Apache-2.0
"""The slow path as operators see it: a miss becomes a megaflow, its counters climb to the rules, a
change is followed before the barrier's answer leaves, messages to controllers carry the packet as the
pipeline has changed it, and nothing grows without bound.  Hermetic: dummy ports, no traffic of hosts.
"""
import re
import subprocess
import time

import pytest

from switchlib import Switch, wait_for

TCP = ("in_port(%d),eth(src=50:54:00:00:00:0%d,dst=50:54:00:00:00:0%d),eth_type(0x0800),"
       "ipv4(src=10.0.%d.%d,dst=10.0.0.2,proto=6,tos=0,ttl=%d,frag=no),tcp(src=%d,dst=%d)")


def tcp(port=1, src=1, dst=2, net=0, host=1, ttl=64, sport=1000, dport=80):
    return TCP % (port, src, dst, net, host, ttl, sport, dport)


@pytest.fixture
def switch():
    s = Switch("sluice", args=["--enable-dummy=override"])
    s.start()
    s.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy",
            "fail-mode=secure")
    for i in (1, 2, 3):
        s.vsctl("add-port", "br0", "p%d" % i, "--", "set", "interface", "p%d" % i, "type=dummy",
                "ofport_request=%d" % i)
    yield s
    s.close()


def tx(switch):
    """Packets that each port has sent."""
    out = switch.ofctl("dump-ports", "br0")
    return {int(port): int(n) for port, n in
            re.findall(r"port +\"?p?(\d+)\"?: rx.*\n +tx pkts=(\d+)", out)}


def megaflows(switch):
    return switch.appctl("dpctl/dump-flows").splitlines()


def test_a_miss_becomes_a_megaflow_and_is_counted(switch):
    switch.ofctl("add-flow", "br0", "table=0,ip,actions=resubmit(,1)")
    switch.ofctl("add-flow", "br0", "table=1,tcp,actions=output:2")
    for sport in range(1000, 1010):
        switch.appctl("netdev-dummy/receive", "p1", tcp(sport=sport))
    wait_for(lambda: tx(switch)[2] == 10, what="ten packets out of p2")
    flows = [f for f in megaflows(switch) if "in_port(" in f]
    assert len(flows) == 1, flows  # Nothing looked at ports: one megaflow stands for all.
    switch.appctl("revalidator/wait")
    assert switch.n_packets("br0", "table=0") == 10
    assert switch.n_packets("br0", "table=1") == 10


def test_the_packet_after_a_barrier_sees_the_change(switch):
    sent = {2: 0, 3: 0}
    for i in range(40):
        out = 2 + i % 2
        switch.ofctl("add-flow", "br0", "in_port=1,actions=output:%d" % out)  # With a barrier.
        switch.appctl("netdev-dummy/receive", "p1", tcp())
        sent[out] += 1
        wait_for(lambda: sum(tx(switch)[p] for p in sent) == sum(sent.values()),
                 what="packet %d" % i)
        assert {p: tx(switch)[p] for p in sent} == sent, "round %d" % i


def test_deleting_a_rule_stops_its_traffic(switch):
    switch.ofctl("add-flow", "br0", "priority=10,tcp,tp_dst=80,actions=output:2")
    switch.appctl("netdev-dummy/receive", "p1", tcp())
    wait_for(lambda: tx(switch)[2] == 1)
    switch.ofctl("--strict", "del-flows", "br0", "priority=10,tcp,tp_dst=80")
    switch.appctl("netdev-dummy/receive", "p1", tcp())
    time.sleep(0.3)
    assert tx(switch)[2] == 1


def test_learning_and_moving(switch):
    switch.ofctl("add-flow", "br0", "actions=NORMAL")
    switch.appctl("netdev-dummy/receive", "p1", tcp(port=1, src=1, dst=2))
    switch.appctl("netdev-dummy/receive", "p2", tcp(port=2, src=2, dst=1))
    wait_for(lambda: tx(switch)[1] == 1)
    switch.appctl("netdev-dummy/receive", "p1", tcp(port=1, src=1, dst=2))
    wait_for(lambda: tx(switch)[2] == 2)
    # The host of address 2 moves to p3.  Established flows to it follow.
    switch.appctl("netdev-dummy/receive", "p3", tcp(port=3, src=2, dst=1))
    wait_for(lambda: re.search(r"^ +3 +0  50:54:00:00:00:02", switch.appctl("fdb/show", "br0"),
                               re.M), what="the move")
    switch.appctl("revalidator/wait")
    before = tx(switch)
    switch.appctl("netdev-dummy/receive", "p1", tcp(port=1, src=1, dst=2))
    wait_for(lambda: tx(switch)[3] == before[3] + 1)
    assert tx(switch)[2] == before[2]


def test_controllers_get_the_packet_as_it_is_then(switch):
    switch.ofctl("add-flow", "br0", "tcp,actions=mod_vlan_vid:7,mod_nw_src:1.1.1.1,controller,"
                 "strip_vlan,output:2")
    monitor = subprocess.Popen(["ovs-ofctl", "monitor", "br0", "65534"], env=switch.env,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(0.5)
    for _ in range(3):
        switch.appctl("netdev-dummy/receive", "p1", tcp())
    wait_for(lambda: tx(switch)[2] == 3)
    time.sleep(0.5)
    monitor.terminate()
    out = monitor.communicate(timeout=5)[0]
    assert out.count("via action") == 3, out
    assert out.count("tcp,dl_vlan=7,") == 3 and out.count("nw_src=1.1.1.1,") == 3, out
    switch.appctl("revalidator/wait")
    assert switch.n_packets("br0") == 3


def test_learned_flows_take_over(switch):
    switch.ofctl("add-flow", "br0", "table=0,actions=learn(table=5,idle_timeout=60,"
                 "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),resubmit(,5)")
    switch.ofctl("add-flow", "br0", "table=5,priority=1,actions=output:3")
    switch.appctl("netdev-dummy/receive", "p1", tcp(port=1, src=1, dst=2))
    wait_for(lambda: "dl_dst=50:54:00:00:00:01" in switch.ofctl("dump-flows", "br0", "table=5"))
    switch.appctl("netdev-dummy/receive", "p2", tcp(port=2, src=2, dst=1))
    wait_for(lambda: tx(switch)[1] == 1, what="the learned flow to carry")


def test_the_number_of_megaflows_is_bounded(switch):
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:flow-limit=1000")
    switch.ofctl("add-flow", "br0", "priority=1,actions=output:2")
    for host in range(1, 40):
        switch.ofctl("add-flow", "br0", "tcp,nw_src=10.0.77.%d,tp_src=%d,actions=drop"
                     % (host, host))
    n = 1150
    for i in range(n):
        switch.appctl("netdev-dummy/receive", "p1",
                      tcp(net=i % 250, host=1 + i // 250, sport=2000 + i))
        if i % 300 == 0:
            assert len(megaflows(switch)) <= 1010
    wait_for(lambda: tx(switch)[2] == n, timeout=20, what="every packet to be forwarded")
    assert len(megaflows(switch)) <= 1010
