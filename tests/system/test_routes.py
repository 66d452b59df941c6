# SPDX-License-Identifier: Apache-2.0
"""Routes and neighbours of tunnels: ovs/route/*, tnl/*, beside genuine Open vSwitch, and how the table follows
the kernel's."""
import os

import pytest

from switchlib import Control, Netns, Switch, hermetic_pair, wait_for


@pytest.fixture
def controls():
    """Two hermetic switches with bridge br0, which has addresses of both families."""
    def prepare(switch):
        switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
        switch.vsctl("add-port", "br0", "p1", "--", "set", "interface", "p1", "type=dummy")
        switch.appctl("netdev-dummy/ip4addr", "br0", "1.1.2.88/24")
        switch.appctl("netdev-dummy/ip6addr", "br0", "fc00::88/64")

    pair = hermetic_pair(prepare)
    made = [switch.control() for switch in next(pair)]
    yield made
    for control in made:
        control.close()
    next(pair, None)


def same(controls, line):
    """What both answer, the lines of a table in an order of their own."""
    ours, theirs = [control.run(*line.split()) for control in controls]
    # What has expired is STALE there until it is looked for next, and gone here.
    in_order = [(ok, sorted(one for one in text.splitlines(keepends=True) if not one.endswith(" STALE\n")))
                for ok, text in (ours, theirs)]
    assert in_order[0] == in_order[1], line
    return ours[1]


ROUTES = """ovs/route/show
ovs/route/add
ovs/route/add 1.1.2.0/24
ovs/route/add 1.1.2.92/24 br0
ovs/route/add 1.1.2.92/24 br0 pkt_mark=1234
ovs/route/add 1.1.2.92/24 br0 pkt_mark=1234
ovs/route/add 2.2.2.0/24 br0 1.1.2.1
ovs/route/add 2.2.3.0/24 br0 1.1.2.1 pkt_mark=0x10
ovs/route/add 2.2.4.0/24 br0
ovs/route/add 2.2.4.0/24 br0 9.9.9.9
ovs/route/add 2.2.4.0/24 br0 fc00::1
ovs/route/add 2.2.4.0/24 br0 junk
ovs/route/add 2.2.4.0/24 br0 1.1.2.1 junk
ovs/route/add 2.2.4.0/24 br0 1.1.2.1 junk more
ovs/route/add 2.2.4.0/24 nosuch
ovs/route/add 2.2.4.0/24 p1
ovs/route/add 2.2.4.0/33 br0
ovs/route/add 1.1.2.5/255.255.255.0 br0
ovs/route/add 1.1.2.5/255.0.255.0 br0
ovs/route/add 1.1.2.7 br0
ovs/route/add junk br0
ovs/route/add 0.0.0.0/0 br0 1.1.2.254
ovs/route/add fc00::/64 br0
ovs/route/add fc01::1/64 br0 fc00::1
ovs/route/add fc02::/64 br0
ovs/route/add fc02::/64 br0 1.1.2.1
ovs/route/add fc00::/129 br0
ovs/route/add ::/0 br0 fc00::fe pkt_mark=7
ovs/route/show
ovs/route/show x
ovs/route/lookup
ovs/route/lookup 1.1.2.92
ovs/route/lookup 1.1.2.7
ovs/route/lookup 1.1.2.92 pkt_mark=1234
ovs/route/lookup 1.1.2.92 pkt_mark=1
ovs/route/lookup 1.1.2.92 junk
ovs/route/lookup 1.1.2.92 pkt_mark=1 x
ovs/route/lookup 2.2.2.5
ovs/route/lookup 2.2.3.5 pkt_mark=16
ovs/route/lookup 99.1.1.1
ovs/route/lookup 1.1.2.0/24
ovs/route/lookup 1.1.2.1/32
ovs/route/lookup fc00::5
ovs/route/lookup fc01::5
ovs/route/lookup fc07::5
ovs/route/lookup fc07::5 pkt_mark=7
ovs/route/lookup junk
ovs/route/lookup fc00::/64
ovs/route/del
ovs/route/del 1.1.2.0/24
ovs/route/del 1.1.2.0/24
ovs/route/del 1.1.2.0/24 pkt_mark=9
ovs/route/del 1.1.2.99/24 pkt_mark=1234
ovs/route/del 1.1.2.0/24 junk
ovs/route/del fc01::/64
ovs/route/del fc01::/65
ovs/route/del junk
ovs/route/show""".splitlines()

NEIGHBOURS = """tnl/arp/show
tnl/neigh/show
tnl/ports/show
tnl/ports/show -v
tnl/ports/show x
tnl/ports/show x y
tnl/neigh/set br0 1.1.2.92 aa:55:aa:55:00:01
tnl/arp/set br0 1.1.2.93 AA:55:AA:55:00:02
tnl/arp/set br0 1.1.2.93 aa:55:aa:55:00:03
tnl/arp/set nosuch 1.1.2.93 aa:55:aa:55:00:04
tnl/arp/set a-name-that-is-too-long 1.1.2.94 aa:55:aa:55:00:04
tnl/neigh/set br0 fc00::5 aa:55:aa:55:00:05
tnl/neigh/set br0 fc00:1111:2222:3333:4444:5555:6666:7777 aa:55:aa:55:00:06
tnl/neigh/set br0 junk aa:55:aa:55:00:05
tnl/neigh/set br0 1.1.2.0/24 aa:55:aa:55:00:05
tnl/neigh/set br0 1.1.2.1 junk
tnl/neigh/set br0 1.1.2.1 aa:55:aa:55:00
tnl/neigh/set br0 1.1.2.1 aa55:aa55:0001
tnl/neigh/set br0 1.1.2.1 0:1:2:3:4:5
tnl/neigh/set br0 1.1.2.1
tnl/arp/show
tnl/neigh/show
tnl/neigh/show x
tnl/neigh/aging
tnl/arp/aging
tnl/neigh/aging 0
tnl/neigh/aging -1
tnl/neigh/aging junk
tnl/neigh/aging 3601
tnl/neigh/aging 3600
tnl/arp/aging
tnl/neigh/aging 10
tnl/neigh/aging
time/stop
time/warp 9000
tnl/neigh/show
tnl/arp/set br0 1.1.2.93 aa:55:aa:55:00:03
time/warp 1500
tnl/neigh/show
tnl/neigh/flush
tnl/arp/flush
tnl/neigh/show
tnl/egress_port_range
tnl/egress_port_range 5
tnl/egress_port_range 0 5
tnl/egress_port_range junk 5
tnl/egress_port_range 5 junk
tnl/egress_port_range 5 65536
tnl/egress_port_range 65535 65536 x
tnl/egress_port_range 40000 50000
tnl/egress_port_range
tnl/egress_port_range 500 400
tnl/egress_port_range""".splitlines()


@pytest.mark.rootless
def test_routes_of_users(controls):
    for line in ROUTES:
        same(controls, line)
    assert "User: ::/0 MARK 7 dev br0 GW fc00::fe SRC fc00::88" in same(controls, "ovs/route/show")


@pytest.mark.rootless
def test_neighbours_and_ports(controls):
    for line in NEIGHBOURS:
        same(controls, line)


@pytest.mark.rootless
def test_an_ip4_address_takes_no_ip6_route(make_hermetic):
    """Open vSwitch takes the IPv6 default route for it."""
    switch = make_hermetic("sluice")
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    switch.appctl("netdev-dummy/ip6addr", "br0", "fc00::88/64")
    switch.appctl("ovs/route/add", "::/0", "br0", "fc00::fe")
    assert "gateway fc00::fe" in switch.appctl("ovs/route/lookup", "fc07::1")
    control = switch.control()
    assert control.run("ovs/route/lookup", "9.9.9.9") == (False, "Not found\n")
    control.close()


@pytest.mark.rootless
def test_tables_are_bounded(make_hermetic):
    switch = make_hermetic("sluice")
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    switch.appctl("netdev-dummy/ip4addr", "br0", "1.1.2.88/24")
    control = switch.control()
    for mark in range(4096):
        assert control.run("ovs/route/add", "1.1.2.0/24", "br0", "pkt_mark=%d" % mark)[0]
    ok, text = control.run("ovs/route/add", "1.1.2.0/24", "br0", "pkt_mark=4096")
    assert not ok and "4096" in text
    for i in range(16384):
        assert control.run("tnl/neigh/set", "br0", "10.0.%d.%d" % (i >> 8, i & 255), "0:0:0:0:0:1")[0]
    ok, text = control.run("tnl/neigh/set", "br0", "11.0.0.1", "0:0:0:0:0:1")
    assert not ok and "16384" in text
    assert control.run("tnl/neigh/set", "br0", "10.0.0.1", "0:0:0:0:0:2")[0]
    assert len(control.run("tnl/neigh/show")[1].splitlines()) == 16386
    control.close()


# -- the kernel's routes -----------------------------------------------------------------------
@pytest.fixture
def ns():
    """A namespace with devices v0 and v1, two ends of one line."""
    made = Netns("rt")
    made.run("ip link add v0 type veth peer name v1")
    for dev in ("v0", "v1"):
        made.run("sysctl -qw net.ipv6.conf.%s.accept_dad=0" % dev)
        made.run("ip link set %s up" % dev)
    yield made
    made.close()


def table(switch):
    return sorted(switch.appctl("ovs/route/show").splitlines())


def test_the_kernels_routes(ns):
    """The same lines as genuine Open vSwitch, after each change."""
    switches = []
    try:
        for kind in ("sluice", "ovs"):
            switches.append(Switch(kind, netns=ns).start())
        for change in ("addr add 10.1.1.1/24 dev v0", "addr add 10.1.1.2/24 dev v0", "addr add fc00::1/64 dev v0",
                       "addr add 10.9.0.1/16 dev v1", "route add 20.0.0.0/8 via 10.1.1.254",
                       "route add default via 10.1.1.253", "route add 30.0.0.0/8 dev v1",
                       "-6 route add default via fc00::fe", "-6 route add fc05::/16 dev v0",
                       "route add blackhole 40.0.0.0/8",
                       "route add 60.0.0.0/8 nexthop via 10.1.1.254 nexthop via 10.1.1.253",
                       "route del 20.0.0.0/8", "addr del fc00::1/64 dev v0", "link set v1 down", "link del v0"):
            ns.run("ip " + change)
            ours = table(switches[0])
            wait_for(lambda: table(switches[1]) == table(switches[0]), 5,
                     "%s: the same as %s, not %s" % (change, ours, table(switches[1])))
            if change.startswith("-6 route add default"):
                assert "Cached: ::/0 dev v0 GW fc00::fe SRC fc00::1" in ours
            if change.startswith("route add default"):
                assert "Cached: 0.0.0.0/0 dev v0 GW 10.1.1.253 SRC 10.1.1.1" in ours
        assert not [line for line in table(switches[0]) if " dev v" in line]
    finally:
        for switch in switches:
            switch.close()


def test_users_routes_beside_the_kernels(ns, make_switch):
    switch = make_switch("sluice", netns=ns)
    ns.run("ip addr add 10.1.1.1/24 dev v0")
    ns.run("ip addr add 10.1.2.1/24 dev v1 label v1:1")
    switch.appctl("ovs/route/add", "10.1.1.0/25", "v1", "10.1.2.9")
    assert "User: 10.1.1.0/25 dev v1 GW 10.1.2.9 SRC 10.1.2.1" in table(switch)
    assert "dev v1" in switch.appctl("ovs/route/lookup", "10.1.1.5")
    assert "dev v0" in switch.appctl("ovs/route/lookup", "10.1.1.200")
    assert "dev v0" in switch.appctl("ovs/route/lookup", "10.1.1.1")  # the host's own address
    ns.run("ip addr flush dev v0")
    assert "dev v1" in switch.appctl("ovs/route/lookup", "10.1.1.1")
    assert not switch.alarms()


def test_the_lowest_metric_counts(ns, make_switch):
    """Of several routes with one prefix; Open vSwitch takes the one with the highest."""
    switch = make_switch("sluice", netns=ns)
    ns.run("ip addr add 10.1.1.1/24 dev v0")
    for metric in (100, 300, 200):
        ns.run("ip route add default via 10.1.1.%d metric %d" % (metric / 100, metric))
    assert "gateway 10.1.1.1\n" in switch.appctl("ovs/route/lookup", "9.9.9.9")
    ns.run("ip route del default metric 100")
    assert "gateway 10.1.1.2\n" in switch.appctl("ovs/route/lookup", "9.9.9.9")


def test_other_tables_are_left_out(ns, make_switch):
    """Packets take them by rules only, if at all.  Open vSwitch has them in its one table, as newer ones have not."""
    switch = make_switch("sluice", netns=ns)
    ns.run("ip addr add 10.1.1.1/24 dev v0")
    ns.run("ip route add 50.0.0.0/8 via 10.1.1.254 table 77")
    ns.run("ip route add 50.0.0.0/8 via 10.1.1.253 table default")
    assert [line for line in table(switch) if " 50." in line] == ["Cached: 50.0.0.0/8 dev v0 GW 10.1.1.253 SRC 10.1.1.1"]


def test_routes_are_read_when_asked_for(ns, make_switch):
    """Nobody reads the kernel's routes while they change; who asks has what is there, read once for all that changed."""
    switch = make_switch("sluice", netns=ns)
    control = Control(switch.control_path())

    def n_dumps():
        return int(control.run("coverage/read-counter", "route_table_dump")[1])

    ns.run("ip addr add 10.1.1.1/24 dev v0")
    batch = os.path.join(switch.dir, "batch")
    with open(batch, "w", encoding="ascii") as f:
        f.writelines("route add 20.%d.%d.0/24 via 10.1.1.254\n" % (i >> 8, i & 255) for i in range(5000))
    ns.run(["ip", "-batch", batch])
    assert n_dumps() == 0
    assert len(table(switch)) > 5000
    read = n_dumps()
    assert read > 0
    assert len(table(switch)) > 5000
    assert n_dumps() == read  # Nothing is new.
    ns.run("ip route del 20.0.7.0/24")
    assert control.run("ovs/route/lookup", "20.0.8.1")[0]
    assert not control.run("ovs/route/lookup", "20.0.7.1")[0]
    assert n_dumps() == read + 1
    assert not switch.alarms()
    control.close()


def test_without_the_systems_routes(ns, make_switch):
    switch = make_switch("sluice", netns=ns, args=["--disable-system-route"])
    ns.run("ip addr add 10.1.1.1/24 dev v0")
    assert table(switch) == ["Route Table:"]
    switch.appctl("ovs/route/add", "10.1.1.0/24", "v0")
    assert table(switch) == ["Route Table:", "User: 10.1.1.0/24 dev v0 SRC 10.1.1.1"]


def test_that_option_lets_no_controller_out(make_hermetic):
    """Controllers' Unix sockets stay confined to the run directory with --disable-system-route."""
    switch = make_hermetic("sluice", args=("--enable-dummy=override", "--disable-system", "--disable-system-route"))
    switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", "--",
                 "set-controller", "br0", "unix:/nonexistent/x.mgmt")
    wait_for(lambda: any("/nonexistent/x.mgmt" in line for line in switch.alarms()), 5, "the refusal")
