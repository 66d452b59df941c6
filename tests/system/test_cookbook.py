# SPDX-License-Identifier: Apache-2.0
"""The everyday commands, typed as the documentation of the stock tools has them."""
import re
import time

import pytest

from switchlib import Failed, wait_for


def four_hosts(sw, hosts, bridge="br0", n=2):
    sw.add_bridge(bridge)
    for i in range(1, n + 1):
        hosts.append(sw.add_host(bridge, "p%d" % i, "10.1.0.%d/24" % i))
    return hosts


def test_bridges_and_ports(sw):
    sw.ns.run("ip link add v0 type veth peer name v1")
    sw.vsctl("add-br", "br0")
    sw.vsctl("set", "bridge", "br0", "datapath_type=netdev")
    sw.vsctl("add-br", "br1")
    assert sw.vsctl("list-br").split() == ["br0", "br1"]
    sw.vsctl("br-exists", "br0")
    assert sw.vsctl("br-exists", "nobr", check=False).returncode == 2
    sw.vsctl("add-port", "br0", "v0")
    assert sw.vsctl("list-ports", "br0").split() == ["v0"]
    assert sw.vsctl("port-to-br", "v0").strip() == "br0"
    assert sw.get("Interface", "v0", "ofport") == "1"
    assert sw.get("Interface", "br0", "ofport") == "65534"
    assert "Bridge br0" in sw.vsctl("show")
    sw.vsctl("del-port", "br0", "v0")
    assert sw.vsctl("list-ports", "br0") == ""
    sw.vsctl("del-br", "br1")
    assert sw.vsctl("list-br").split() == ["br0"]
    assert "br1" not in sw.ns.run("ip -br link")
    p = sw.vsctl("add-br", "a/b", check=False)
    assert p.returncode != 0 or "a/b" not in sw.ns.run("ip -br link")


def test_two_hosts_ping(sw, hosts):
    a, b = four_hosts(sw, hosts)
    a.ping("10.1.0.2", check=True)
    assert sw.flows("br0") == ["priority=0 actions=NORMAL"]
    fdb = sw.appctl("fdb/show", "br0")
    assert re.search(r"^ +1 +0  %s +\d+$" % a.mac(), fdb, re.M), fdb
    assert re.search(r"^ +2 +0  %s +\d+$" % b.mac(), fdb, re.M), fdb
    assert sw.n_packets("br0") >= 6


def test_statistics_reach_database_and_openflow(sw, hosts):
    a, _ = four_hosts(sw, hosts)
    a.ping("10.1.0.2", count=20, interval=0.01, check=True)
    ports = sw.ofctl("dump-ports", "br0", "p1")
    assert int(re.search(r"rx pkts=(\d+)", ports).group(1)) >= 20
    wait_for(lambda: re.search(r"rx_packets=(\d\d+)", sw.get("Interface", "p1", "statistics")),
             12, "Interface.statistics")


def test_drop_from_port_2(sw, hosts):
    a, b = four_hosts(sw, hosts)
    b.ping("10.1.0.1", check=True)
    sw.ofctl("add-flow", "br0", "priority=10,in_port=2,actions=drop")
    assert b.silent("10.1.0.1")
    sw.ofctl("del-flows", "br0", "in_port=2")
    b.ping("10.1.0.1", check=True)
    sw.ofctl("add-flow", "br0", "priority=65535,actions=drop")
    assert a.silent("10.1.0.2")
    sw.ofctl("del-flows", "br0")
    assert sw.flows("br0") == []
    assert a.silent("10.1.0.2")
    sw.ofctl("add-flow", "br0", "actions=NORMAL")
    a.ping("10.1.0.2", check=True)


SHORT_FORMS = ["ip", "arp", "icmp", "tcp", "udp", "ipv6", "tcp6", "udp6", "icmp6"]


@pytest.mark.parametrize("form", SHORT_FORMS)
def test_short_forms(sw, form):
    sw.add_bridge("br0")
    sw.ofctl("del-flows", "br0")
    sw.ofctl("add-flow", "br0", "%s,actions=drop" % form)
    assert sw.flows("br0") == ["%s actions=drop" % form]
    sw.ofctl("del-flows", "br0", form)
    assert sw.flows("br0") == []


def test_barrier_means_the_next_packet(sw, hosts):
    """A flow change is in force for what is sent once the tool has returned, under running traffic."""
    a, b = four_hosts(sw, hosts)
    a.ping("10.1.0.2", check=True)
    flood = a.popen("ping -q -n -i 0.002 10.1.0.2", stdout=-3, stderr=-3)
    try:
        for _ in range(10):
            sw.ofctl("add-flow", "br0", "priority=9,icmp,in_port=1,actions=drop")
            assert a.run("ping -q -n -c 1 -W 0.2 10.1.0.2", check=False).returncode == 1
            sw.ofctl("--strict", "del-flows", "br0", "priority=9,icmp,in_port=1")
            a.run("ping -q -n -c 1 -W 10 10.1.0.2")
    finally:
        flood.terminate()
        flood.wait(5)


def test_local_port_address(sw, hosts):
    sw.vsctl("add-br", "ovsbr0")
    sw.vsctl("set", "bridge", "ovsbr0", "datapath_type=netdev")
    hosts.append(sw.add_host("ovsbr0", "p1", "172.16.18.1/16"))
    sw.ns.run("ip addr add 172.16.18.230/16 dev ovsbr0")
    sw.ns.run("ip link set ovsbr0 up")
    hosts[0].ping("172.16.18.230", check=True)
    sw.ns.run("ping -c 2 -i 0.1 -W 2 172.16.18.1")


def test_move_a_device_and_its_address_onto_a_bridge(sw, hosts):
    from switchlib import Host
    host = Host(sw, "nic0", "192.168.50.2/24")
    hosts.append(host)
    sw.ns.run("ip addr add 192.168.50.1/24 dev nic0")
    sw.ns.run(["sysctl", "-qw", "net.ipv4.conf.nic0.arp_ignore=0"])
    host.ping("192.168.50.1", check=True)
    sw.add_bridge("br0")
    sw.vsctl("add-port", "br0", "nic0")
    sw.ns.run("ip addr flush dev nic0")
    sw.ns.run("ip addr add 192.168.50.1/24 dev br0")
    sw.ns.run("ip link set br0 up")
    host.run("ip neigh flush all")
    host.ping("192.168.50.1", check=True)


def trunked_pair(make_switch, hosts):
    """Two switches joined by a trunk, each with a host in VLAN 1 and one in VLAN 2."""
    one = make_switch()
    two = make_switch()
    for sw in (one, two):
        sw.add_bridge("br0")
    one.ns.run("ip link add trunk0 type veth peer name trunk0 netns %s" % two.ns.name)
    for sw in (one, two):
        sw.ns.run("ip link set trunk0 up")
        sw.vsctl("add-port", "br0", "trunk0", "trunks=1,2")
    for i, (sw, tag) in enumerate([(one, 1), (one, 2), (two, 1), (two, 2)], 1):
        hosts.append(sw.add_host("br0", "h%d" % i, "10.0.0.%d/24" % i, "tag=%d" % tag))
    return one, two


def test_vlans_over_a_trunk(make_switch, hosts):
    trunked_pair(make_switch, hosts)
    h1, h2, h3, h4 = hosts
    h1.ping("10.0.0.3", check=True)
    h2.ping("10.0.0.4", check=True)
    for here, there in ((h1, "10.0.0.2"), (h1, "10.0.0.4"), (h2, "10.0.0.3"), (h3, "10.0.0.4")):
        assert here.silent(there), "VLANs leak towards " + there


def test_vlan_settings_change_under_traffic(make_switch, hosts):
    """ovs-vsctl waits for the configuration; the megaflows of before are looked at anew soon after."""
    one, _ = trunked_pair(make_switch, hosts)
    h1, h2, h3, h4 = hosts

    def change(*args):
        one.vsctl(*args)
        one.appctl("revalidator/wait")
    ping = h1.popen("ping -q -n -i 0.01 10.0.0.3", stdout=-3, stderr=-3)
    try:
        h1.ping("10.0.0.3", check=True)
        change("set", "port", "h1", "tag=2")
        assert h1.silent("10.0.0.3")
        h1.ping("10.0.0.4", check=True)
        change("set", "port", "h1", "tag=1")
        h1.ping("10.0.0.3", check=True)
        change("set", "port", "trunk0", "trunks=2")
        assert h1.silent("10.0.0.3")
        h2.ping("10.0.0.4", check=True)
        change("set", "port", "trunk0", "trunks=1,2", "vlan_mode=native-untagged", "tag=7")
        h1.ping("10.0.0.3", check=True)
        change("clear", "port", "trunk0", "tag", "--", "set", "port", "trunk0", "vlan_mode=trunk")
        h1.ping("10.0.0.3", check=True)
    finally:
        ping.terminate()
        ping.wait(5)


def test_patch_ports_translate_vlans(make_switch, hosts):
    """An integration bridge with local VLAN 5, a physical bridge with VLAN 100 on the wire.

    The far end of the wire is a second switch with an access port in VLAN 100."""
    sw, far = make_switch(), make_switch()
    sw.add_bridge("br-int")
    sw.add_bridge("br-phys")
    far.add_bridge("br0")
    sw.vsctl("add-port", "br-int", "int-phys", "--", "set", "interface", "int-phys",
             "type=patch", "options:peer=phys-int",
             "--", "add-port", "br-phys", "phys-int", "--", "set", "interface", "phys-int",
             "type=patch", "options:peer=int-phys")
    sw.ns.run("ip link add wire type veth peer name wire netns %s" % far.ns.name)
    for s, bridge in ((sw, "br-phys"), (far, "br0")):
        s.ns.run("ip link set wire up")
        s.vsctl("add-port", bridge, "wire")
    vm = sw.add_host("br-int", "vm", "10.3.0.1/24", "tag=5")
    out = far.add_host("br0", "out", "10.3.0.2/24", "tag=100")
    hosts += [vm, out]
    assert vm.silent("10.3.0.2")
    patch = {n: sw.get("Interface", n, "ofport") for n in ("int-phys", "phys-int")}
    sw.ofctl("add-flow", "br-phys",
             "priority=4,in_port=%s,dl_vlan=5,actions=mod_vlan_vid:100,NORMAL"
             % patch["phys-int"])
    sw.ofctl("add-flow", "br-phys", "priority=2,in_port=%s,actions=drop" % patch["phys-int"])
    sw.ofctl("add-flow", "br-int",
             "priority=3,in_port=%s,dl_vlan=100,actions=mod_vlan_vid:5,NORMAL"
             % patch["int-phys"])
    sw.ofctl("add-flow", "br-int", "priority=2,in_port=%s,actions=drop" % patch["int-phys"])
    vm.ping("10.3.0.2", check=True)
    out.ping("10.3.0.1", check=True)


def test_ofctl_show_and_dumps(sw, hosts):
    four_hosts(sw, hosts)
    show = sw.ofctl("show", "br0")
    assert "OFPT_FEATURES_REPLY" in show and "n_tables:254, n_buffers:0" in show
    assert re.search(r"^ 1\(p1\): addr:", show, re.M) and "LOCAL(br0)" in show
    assert "port  1" in sw.ofctl("dump-ports", "br0") or "p1" in sw.ofctl("dump-ports", "br0")
    assert "1(p1)" in sw.ofctl("dump-ports-desc", "br0")
    assert "table 0" in sw.ofctl("dump-tables", "br0")
    assert "flow_count=1" in sw.ofctl("dump-aggregate", "br0")
    sw.ofctl("mod-port", "br0", "p1", "down")
    assert hosts[0].silent("10.1.0.2")
    sw.ofctl("mod-port", "br0", "p1", "up")
    hosts[0].ping("10.1.0.2", check=True)


def test_a_failed_port_harms_nobody(sw, hosts):
    a, _ = four_hosts(sw, hosts)
    a.ping("10.1.0.2", check=True)
    p = sw.vsctl("add-port", "br0", "nosuch", check=False)
    assert "could not open network device nosuch" in p.stderr
    assert sw.get("Interface", "nosuch", "ofport") == "-1"
    assert "could not open network device nosuch" in sw.get("Interface", "nosuch", "error")
    a.ping("10.1.0.2", check=True)
    with pytest.raises(Failed):
        sw.vsctl("get", "Interface", "unknown", "ofport")


def test_secure_bridge_forwards_nothing_by_itself(sw, hosts):
    sw.add_bridge("br0", "fail_mode=secure")
    hosts += [sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i) for i in (1, 2)]
    assert sw.flows("br0") == []
    assert hosts[0].silent("10.1.0.2")


def test_it_leaves_nothing_behind(make_switch):
    import os
    sw = make_switch()
    sw.add_bridge("br0")
    assert sw.stop() < 2.5
    left = [f for f in os.listdir(sw.dir) if f not in ("conf.db", "stderr", "ovs-vswitchd.log")
            and not f.endswith(".~lock~")]
    assert left == [], left
    assert "br0" not in sw.ns.run("ip -br link")
    assert sw.alarms() == []
