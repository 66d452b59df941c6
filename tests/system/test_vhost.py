# SPDX-License-Identifier: Apache-2.0
"""vhost-user ports with real guests (QEMU, software emulation)."""
import json
import os
import re

import pytest

from guests import Guest, Monitor
from switchlib import wait_for
from test_vhost_protocol import has_right_sums
from test_vhost_testpmd import packets, read_pcap


@pytest.fixture
def guests():
    made = []
    yield made
    for g in made:
        g.close()


def vhost_port(sw, name, bridge="br0", *more):
    """A dpdkvhostuserclient port; returns the path on which QEMU has to listen."""
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-init=true")
    path = "%s/%s.sock" % (sw.dir, name)
    sw.vsctl("add-port", bridge, name, "--", "set", "Interface", name, "type=dpdkvhostuserclient",
             "options:vhost-server-path=" + path, *more)
    return path


def boot(guests):
    for g in guests:
        g.launch()
    for g in guests:
        g.start()
    return guests


def two_guests(sw, guests, **kw):
    sw.add_bridge("br0")
    for i in (1, 2):
        path = vhost_port(sw, "vm%d" % i)
        guests.append(Guest(sw.dir, i, [path], ["10.1.0.%d/24" % i], **kw))
    return boot(guests)


def iperf3(client, address, *more):
    """Passes a megabyte, however long it takes."""
    out = client.sh("iperf3 -J -n 1M -c %s %s" % (address, " ".join(more)), check=False).stdout
    has_passed(out, 1 << 20)


def has_passed(out, n):
    report = json.loads(out)
    assert "error" not in report, report["error"]
    assert report["end"]["sum_sent"]["bytes"] >= n and report["end"]["sum_received"]["bytes"] > 0


def serve_iperf3(guest):
    guest.sh("iperf3 -s -D >/dev/null 2>&1 </dev/null")


def test_two_guests_and_a_host(sw, guests, hosts):
    """Ping and iperf3 both ways, columns, access ports; then each end goes away under traffic."""
    a, b = two_guests(sw, guests, memory=112)
    a.ping("10.1.0.2", check=True)
    hosts.append(sw.add_host("br0", "p3", "10.1.0.3/24"))
    b.ping("10.1.0.3", check=True)
    hosts[0].ping("10.1.0.1", check=True)
    serve_iperf3(b)
    iperf3(a, "10.1.0.2")
    iperf3(a, "10.1.0.2", "-R")
    status = sw.get("Interface", "vm1", "status")
    for word in ("mode=client", "status=connected", "features=\"0x", "num_of_vrings=\"2\"",
                 "vring_0_size=\"256\"", "vring_1_size=\"256\"", "numa=", "vm1.sock", "n_rxq=\"1\""):
        assert word in status, status
    assert sw.get("Interface", "vm1", "link_state") == "up"
    wait_for(lambda: re.search(r"rx_packets=[1-9]", sw.get("Interface", "vm1", "statistics")), 12)
    for key in ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "rx_errors", "tx_errors",
                "rx_dropped", "tx_dropped", "ovs_tx_retries", "ovs_tx_failure_drops",
                "ovs_tx_mtu_exceeded_drops"):
        assert key + "=" in sw.get("Interface", "vm1", "statistics"), key
    # VLAN access ports keep them apart, and join those of one VLAN.
    sw.vsctl("set", "port", "vm1", "tag=5")
    assert not a.ping("10.1.0.2", count=2)
    sw.vsctl("set", "port", "vm2", "tag=5")
    a.ping("10.1.0.2", check=True)
    sw.vsctl("clear", "port", "vm1", "tag", "--", "clear", "port", "vm2", "tag")
    a.ping("10.1.0.2", check=True)
    # The guest goes under traffic and comes back on the same socket.
    a.background("ping -i 0.1 -w 20 10.1.0.2")
    b.kill()
    wait_for(lambda: sw.get("Interface", "vm2", "link_state") == "down", 10)
    a.ping("10.1.0.3", check=True)
    b.start()
    a.ping("10.1.0.2", check=True)
    # The switch goes and comes back: a TCP stream outlives it.
    serve_iperf3(b)
    stream = a.background("iperf3 -J -b 8M -n 3M -c 10.1.0.2")
    wait_for(lambda: "ESTABLISHED" in b.sh("netstat -tn"), 20, "the stream")
    sw.kill()
    sw.start()
    status, out = a.finish(stream, timeout=90)
    assert status == 0, out
    has_passed(out, 3 << 20)
    wait_for(lambda: a.ping("10.1.0.2", count=1), 15, "traffic after a restart of the switch")


def test_two_switches_and_offloads(make_switch, guests):
    """Guests with TSO on two switches, one with the offload and one without, joined by a veth pair
    that sees whole frames only, as a mirror in a pcap file shows."""
    sws = [make_switch(), make_switch()]
    for i, sw in enumerate(sws, 1):
        tso = "true" if i == 1 else "false"
        sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=" + tso)
        sw.add_bridge("br0")
        path = vhost_port(sw, "vm%d" % i)
        guests.append(Guest(sw.dir, i, [path], ["10.1.0.%d/24" % i], memory=112))
    sws[0].ns.run("ip link add up0 type veth peer name up0 netns " + sws[1].ns.name)
    for sw in sws:
        sw.ns.run(["sysctl", "-qw", "net.ipv6.conf.up0.disable_ipv6=1"])
        sw.ns.run("ip link set up0 up")
        sw.vsctl("add-port", "br0", "up0")
    seen = sws[0].dir + "/seen.pcap"
    sws[0].vsctl("add-port", "br0", "seen", "--", "set", "Interface", "seen", "type=dpdk",
                 "options:dpdk-devargs=net_pcap0,tx_pcap=" + seen,
                 "--", "add-port", "br0", "nowhere", "--", "set", "Interface", "nowhere", "type=dpdk",
                 "options:dpdk-devargs=net_null0,no-rx=1",
                 "--", "--id=@p", "get", "port", "seen", "--", "--id=@u", "get", "port", "up0",
                 "--", "--id=@m", "create", "mirror", "name=m", "select_dst_port=@u",
                 "output_port=@p", "--", "set", "bridge", "br0", "mirrors=@m")
    a, b = boot(guests)
    a.ping("10.1.0.2", check=True)
    assert "tcp-segmentation-offload: on" in a.sh("ethtool -k eth0")
    assert "tcp-segmentation-offload: off" in b.sh("ethtool -k eth0")
    serve_iperf3(b)
    iperf3(a, "10.1.0.2")
    iperf3(a, "10.1.0.2", "-R")
    # The guest hands over fewer frames than the switch then has.
    handed_over = int(a.sh("cat /sys/class/net/eth0/statistics/tx_packets"))
    assert packets(sws[0], "vm1", "rx") > handed_over
    sws[0].vsctl("clear", "bridge", "br0", "mirrors", "--", "del-port", "seen")
    frames = [f for f in read_pcap(seen) if f[12:14] == b"\x08\0" and f[23] == 6]
    assert len(frames) > 50 and max(map(len, frames)) == 1514
    assert all(has_right_sums(f) for f in frames[:400])
    # What goes to net_null is gone, and counted there.
    sws[0].ofctl("add-flow", "br0", "in_port=vm1,actions=output:nowhere")
    assert not a.ping("10.1.0.2", count=2)
    assert packets(sws[0], "nowhere", "tx") >= 2


@pytest.mark.parametrize("postcopy", (False, True) if os.environ.get("GUESTS") == "all" else (False,),
                         ids=lambda p: "postcopy" if p else "precopy")
def test_live_migration(sw, guests, hosts, postcopy):
    """A guest moves from one QEMU and port to another while it is pinged, and goes on.  GUESTS=all
    also moves it postcopy."""
    if postcopy:
        sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:vhost-postcopy-support=true")
    sw.add_bridge("br0")
    hosts.append(sw.add_host("br0", "p3", "10.1.0.3/24"))
    mig = "unix:%s/migration" % sw.dir
    for name in ("from", "to"):
        os.mkdir("%s/%s" % (sw.dir, name))
        path = vhost_port(sw, name)
        more = Monitor.arguments("%s/%s/qmp" % (sw.dir, name))
        if name == "to":
            more += ["-x", "-incoming", "-x", "defer"]
        guests.append(Guest("%s/%s" % (sw.dir, name), 1, [path], ["10.1.0.1/24"], more=more))
    old, new = guests
    boot([old])
    new.launch()
    monitors = [Monitor("%s/qmp" % g.dir) for g in guests]
    if postcopy:
        for m in monitors:
            m.run("migrate-set-capabilities",
                  capabilities=[{"capability": "postcopy-ram", "state": True}])
        # So slow that it cannot end before.
        monitors[0].run("migrate-set-parameters", **{"max-bandwidth": 1 << 20})
    monitors[1].run("migrate-incoming", uri=mig)
    mark = old.sh("echo $RANDOM > /tmp/mark; cat /tmp/mark")
    hosts[0].ping("10.1.0.1", check=True)
    pings = hosts[0].popen("ping -n -q -i 0.02 -s 1000 10.1.0.1", stdout=-1, text=True)
    monitors[0].run("migrate", uri=mig)
    if postcopy:
        monitors[0].run("migrate-start-postcopy")

    def done():
        s = monitors[0].run("query-migrate")
        assert s["status"] not in ("failed", "cancelled"), s
        return s["status"] == "completed" and s

    ram = wait_for(done, 60, "the migration")["ram"]
    assert (ram["postcopy-bytes"] > 0) == postcopy, ram
    wait_for(lambda: hosts[0].ping("10.1.0.1", count=5), 20, "answers from the new place")
    pings.send_signal(2)
    out = pings.communicate(timeout=10)[0]
    sent, came = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", out).groups())
    assert came > 0 and sent - came < 0.8 * sent, out
    assert new.answers().sh("cat /tmp/mark") == mark
    new.ping("10.1.0.3", check=True)
    for m in monitors:
        m.close()
