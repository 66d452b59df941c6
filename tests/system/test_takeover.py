# SPDX-License-Identifier: Apache-2.0
"""sluiced --takeover: another process becomes the switch while the first one goes on forwarding."""
import os
import signal
import socket
import time

import pytest

from outage import Outage
from switchlib import SLUICED, Switch, sh, switch_with_two_hosts, wait_for

# Far above what it takes (docs/decisions/0015): a machine that runs other tests must not fail here.
SOON_S = 20


@pytest.fixture(params=[(), ("--monitor",)], ids=["plain", "monitor"])
def running(request):
    with switch_with_two_hosts(*request.param) as made:
        yield made


def test_traffic_goes_on(running):
    sw, hosts = running
    sw.ns.run("ip addr add 10.1.0.9/24 dev br0")
    sw.ns.run("ip link set br0 up")
    index = sw.ns.run("cat /sys/class/net/br0/ifindex")
    outage = Outage(hosts[0], "10.1.0.2")
    try:
        time.sleep(0.3)
        sw.take_over()
        time.sleep(0.3)
        result = outage.finish()
    finally:
        outage.close()
    # Nothing is lost but what a busy machine keeps waiting: it was 240 ms when stopped and started.
    assert result["lost"] < 100, result
    assert sw.ns.run("cat /sys/class/net/br0/ifindex") == index
    assert wait_for(lambda: hosts[1].ping("10.1.0.9", count=1), SOON_S, "the local port")
    assert sw.get("Interface", "p1", "ofport") == "1"
    # What is asked and changed now reaches the new process, and it can be replaced as well.
    sw.vsctl("del-port", "br0", "p1")
    assert hosts[0].silent("10.1.0.2")
    sw.vsctl("add-port", "br0", "p1")
    sw.take_over()
    wait_for(lambda: hosts[0].ping("10.1.0.2", count=1), SOON_S, "traffic")
    assert not sw.alarms()


FLOWS = """\
table=0,priority=7,tcp,in_port=1,nw_dst=10.0.0.0/8,tp_dst=80,actions=set_field:5->reg3,goto_table:3
table=0,priority=65535,cookie=0x1122334455667788,idle_timeout=600,hard_timeout=9000,arp,actions=NORMAL
table=0,priority=9,udp6,ipv6_dst=fc00::/7,actions=group:5
table=0,priority=3,ip,actions=meter:2,resubmit(,4)
table=3,priority=1,ip,vlan_tci=0x1005/0x1fff,actions=strip_vlan,ct(commit,table=4),output:2
table=4,send_flow_rem,importance=3,actions=learn(table=5,idle_timeout=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),NORMAL
table=5,priority=4,reg1=0x7,conj_id=3,actions=CONTROLLER:99,write_actions(output:1)
table=5,priority=2,actions=conjunction(3,1/2)
"""


def state_of(sw):
    """What OpenFlow says of br0 but for counters and times, and the MAC table without ages."""
    def of(*args):
        return sw.ofctl("-O", "OpenFlow15", *args)

    # What the hosts' own traffic teaches comes when it likes.
    flows = sorted(line for line in of("--no-stats", "dump-flows", "br0").splitlines()
                   if "actions=" in line and "table=5, idle_timeout=9" not in line)
    meters = sorted(of("dump-meters", "br0").splitlines()[1:])
    groups = sorted(of("dump-groups", "br0").splitlines()[1:])
    macs = sorted(line.split()[:3] for line in sw.appctl("fdb/show", "br0").splitlines()[1:])
    return flows, meters, groups, macs


def test_flows_groups_meters_and_addresses_come_along(running):
    sw, hosts = running
    def of(*args):
        return sw.ofctl("-O", "OpenFlow15", *args)

    of("add-meter", "br0", "meter=2,kbps,burst,band=type=drop,rate=100000,burst_size=20000")
    of("add-group", "br0", "group_id=5,type=select,selection_method=hash,fields(ip_src),"
       "bucket=bucket_id=1,weight:2,actions=output:1,bucket=bucket_id=7,weight:1,actions=output:2")
    of("add-group", "br0", "group_id=4,type=ff,bucket=watch_port:1,actions=group:5")
    sw.ofctl("-O", "OpenFlow15", "add-flows", "br0", "-", input=FLOWS)
    sw.appctl("fdb/add", "br0", "p2", "0", "02:00:00:00:00:77")
    hosts[0].ping("10.1.0.2", count=1)
    before = state_of(sw)
    assert len(before[0]) >= 8 and len(before[1]) == 2 and len(before[2]) == 2, before
    assert len(before[3]) >= 3, before
    sw.take_over()
    assert state_of(sw) == before
    # None at all is a state as well: no NORMAL of a new bridge.
    sw.ofctl("del-flows", "br0")
    sw.take_over()
    assert state_of(sw)[0] == []
    assert not sw.alarms()


def test_a_successor_that_dies_does_no_harm(running):
    sw, hosts = running
    old = sw.pid
    sw.ns.run("ip addr add 10.1.0.9/24 dev br0")
    sw.ns.run("ip link set br0 up")
    sw.ofctl("add-flow", "br0", "priority=3,cookie=0x5,ip,actions=NORMAL")
    flows = sw.flows("br0")
    # It asks and then does not go on.
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    path = sw.dir + "/successor"
    listener.bind(path)
    listener.listen(1)
    sw.appctl("sluice/hand-over", path)
    conn = listener.accept()[0]
    names = []
    while True:
        message = conn.recv(64)
        if message[:1] == b"E":
            break
        names.append(message[1:].rstrip(b"\0").decode())
    assert {"internal:br0", "system:p1", "system:p2"} <= set(names)
    # Nobody has the pidfile, and frames are forwarded nevertheless.
    assert not os.path.exists(sw.dir + "/ovs-vswitchd.pid")
    hosts[0].ping("10.1.0.2", count=10, check=True)
    conn.close()
    wait_for(lambda: os.path.exists(sw.dir + "/ovs-vswitchd.pid"), SOON_S, "the pidfile")
    assert sw.pid == old
    wait_for(lambda: hosts[0].ping("10.1.0.9", count=1), SOON_S, "traffic")
    assert sw.flows("br0") == flows
    sw.vsctl("add-port", "br0", "more", "--", "set", "Interface", "more", "type=internal")
    assert "more" in sw.ns.run("ip -o link show")
    hosts[0].ping("10.1.0.2", count=3, check=True)


def test_without_anybody_it_is_a_start():
    sw = Switch(args=["--takeover"])
    try:
        sw.start()
        sw.add_bridge("br0")
        assert not sw.alarms()
    finally:
        sw.close()


def test_not_without_memory_for_packet_buffers(tmp_path):
    """EAL starts with little memory, as that of a machine on which others took the rest."""
    sw = Switch()
    try:
        sw.start()
        sw.add_bridge("br0")
        with open(sw.dir + "/ovs-vswitchd.dpdk", "w") as f:
            f.write("ordinary\0dpdk-extra\0--no-huge -m 8\0")
        p = sh([SLUICED, "--pidfile", "--no-chdir", "--takeover"], check=False, env=sw.env, timeout=60)
        assert p.returncode == 1
        assert "cannot take over from pid %d: there is no memory for packet buffers" % sw.pid in p.stderr
        assert sw.vsctl("list-br").split() == ["br0"]
    finally:
        sw.close()


def test_refused_by_one_that_is_no_switch(tmp_path):
    """A process that holds the pidfile and does not answer."""
    sw = Switch()
    try:
        sw.start()
        os.kill(sw.pid, signal.SIGSTOP)
        p = sh([SLUICED, "--pidfile", "--no-chdir", "--takeover", "--unixctl=/nowhere"],
               check=False, env=sw.env, timeout=60)
        os.kill(sw.pid, signal.SIGCONT)
        assert p.returncode == 1
        assert "cannot take over from pid %d" % sw.pid in p.stderr
        sw.vsctl("show")
    finally:
        sw.close()
