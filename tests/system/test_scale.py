# SPDX-License-Identifier: Apache-2.0
"""Many ports, many MAC addresses, many changes."""
import os
import random
import re

from switchlib import ROOT, sh, wait_for

SENDER = r"""
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
for i in range(int(sys.argv[2])):
    src = struct.pack("!HI", 0x0200, i + 1)
    s.send(b"\xff" * 6 + src + b"\x88\xb5" + bytes(46))
    if i % 32 == 31:
        time.sleep(0.002)
"""


def test_256_ports_on_one_bridge(sw, hosts):
    n = 256
    sw.add_bridge("br0")
    batch = []
    for i in range(1, n + 1, 2):
        a, b = "q%d" % i, "q%d" % (i + 1)
        sw.ns.run("ip link add %s type veth peer name %s" % (a, b))
        batch += ["--", "add-port", "br0", a, "--", "add-port", "br0", b]
        # The two ends of a pair on one bridge would make a loop: separate VLANs, no trunks.
        batch += ["--", "set", "port", a, "tag=%d" % i, "--", "set", "port", b, "tag=%d" % (i + 1)]
    sw.vsctl(*batch[1:], timeout=60)
    ports = sw.vsctl("--bare", "--columns=ofport", "list", "Interface").split()
    assert len(set(ports)) == n + 1 and "-1" not in ports
    show = sw.ofctl("-O", "OpenFlow10", "dump-ports", "br0")
    assert "%d ports" % (n + 1) in show
    hosts += [sw.add_host("br0", "x%d" % i, "10.7.0.%d/24" % i) for i in (1, 2)]
    hosts[0].ping("10.7.0.2", check=True)


def test_10000_macs_are_learned(sw, hosts):
    n = 10000
    sw.add_bridge("br0", "other_config:mac-table-size=20000")
    hosts += [sw.add_host("br0", "p%d" % i) for i in (1, 2)]
    hosts[0].run(["/usr/bin/python3", "-c", SENDER, "eth0", str(n)])

    def learned():
        text = sw.appctl("fdb/stats-show", "br0")
        return int(re.search(r"Current/maximum MAC entries in the table: (\d+)/20000",
                             text).group(1)) >= n
    # A few frames of the burst may be lost on their way: they are sent again until all arrived.
    for _ in range(5):
        try:
            wait_for(learned, 5, "the MAC table to fill")
            break
        except AssertionError:
            hosts[0].run(["/usr/bin/python3", "-c", SENDER, "eth0", str(n)])
    assert learned()
    shown = sw.appctl("fdb/show", "br0")
    assert shown.count("\n") >= n
    assert re.search(r"^ +1 +0  02:00:00:00:27:10 ", shown, re.M), "MAC 10,000 is missing"


def test_1000_changes_leave_no_trace(sw):
    """Bridges and ports come and go; descriptors, threads and memory stay where they were."""
    rng = random.Random(1)
    sw.ns.run("ip link add v0 type veth peer name v1")

    def used():
        pid = sw.proc.pid if sw.kind == "ovs" else sw.pid
        with open("/proc/%d/status" % pid) as f:
            text = f.read()
        return (len(os.listdir("/proc/%d/fd" % pid)),
                int(re.search(r"Threads:\s+(\d+)", text).group(1)),
                int(re.search(r"VmRSS:\s+(\d+)", text).group(1)))

    def round_of_changes():
        sw.vsctl("add-br", "b0", "--", "set", "bridge", "b0", "datapath_type=netdev",
                 "--", "add-port", "b0", "v0", "--", "add-port", "b0", "t0",
                 "--", "set", "interface", "t0", "type=internal",
                 "--", "add-port", "b0", "pa", "--", "set", "interface", "pa", "type=patch",
                 "options:peer=pb", "--", "add-br", "b1", "--", "set", "bridge", "b1",
                 "datapath_type=netdev", "--", "add-port", "b1", "pb", "--", "set", "interface",
                 "pb", "type=patch", "options:peer=pa")
        sw.vsctl("set", "port", "v0", "tag=%d" % rng.randrange(4096))
        sw.vsctl("--", "del-port", "b0", "t0", "--", "add-port", "b0", "nosuch%d" %
                 rng.randrange(9), check=False)
        sw.vsctl("del-br", "b0", "--", "del-br", "b1")

    n_changes_per_round = 14
    for _ in range(10):
        round_of_changes()
    before = used()
    for _ in range(1000 // n_changes_per_round + 1):
        round_of_changes()
    after = used()
    assert after[0] <= before[0] + 2, "descriptors: %d, then %d" % (before[0], after[0])
    assert after[1] <= before[1], "threads: %d, then %d" % (before[1], after[1])
    if os.environ.get("SANITIZED"):
        return  # freed memory stays in quarantine; leaks are told at the end
    assert after[2] <= before[2] * 1.2 + 4096, "kB: %d, then %d" % (before[2], after[2])


def test_two_switches_side_by_side(make_switch, hosts):
    """Two daemons in one network namespace, which genuine Open vSwitch cannot do."""
    one = make_switch("sluice")
    two = make_switch("sluice", netns=one.ns)
    for i, s in enumerate((one, two)):
        s.add_bridge("br%d" % i)
        hosts += [s.add_host("br%d" % i, "s%dp%d" % (i, j), "10.8.%d.%d/24" % (i, j))
                  for j in (1, 2)]
    hosts[0].ping("10.8.0.2", check=True)
    hosts[2].ping("10.8.1.2", check=True)


def status_kb(sw, field):
    with open("/proc/%d/status" % (sw.proc.pid if sw.kind == "ovs" else sw.pid)) as f:
        return int(re.search(field + r":\s+(\d+)", f.read()).group(1))


def rules_of_many_shapes(n, n_shapes=8192):
    """Each shape is a mask of its own: lengths of two prefixes and of the port's."""
    rng = random.Random(3)
    for i in range(n):
        shape = i % n_shapes
        ports = 1 + 2 * (shape % 8)
        mask = 0xffff << (16 - ports) & 0xffff
        ips = [".".join(str(rng.randrange(1, 255)) for _ in range(4)) for _ in range(2)]
        yield "priority=%d,udp,nw_src=%s/%d,nw_dst=%s/%d,tp_dst=0x%x/0x%x,actions=drop" % (
            2 + i, ips[0], 1 + shape // 256, ips[1], 1 + shape // 8 % 32,
            rng.randrange(65536) & mask, mask)


def test_rules_of_8192_shapes(sw, tmp_path):
    """As a bundle and one by one: in time and memory that follow the number of rules."""
    n = 20000
    sw.add_bridge("br0")
    sw.ofctl("del-flows", "br0")
    path = tmp_path / "rules"
    path.write_text("priority=1,actions=LOCAL\n" + "".join(
        line + "\n" for line in rules_of_many_shapes(n)))
    before = status_kb(sw, "VmRSS")
    for bundle in (["--bundle"], []):
        sw.ofctl(*bundle, "add-flows", "br0", path, timeout=120)
        assert "flow_count=%d" % (n + 1) in sw.ofctl("dump-aggregate", "br0")
        dump = sw.ofctl("--no-stats", "dump-flows", "br0", timeout=60)
        assert dump.count("nw_src") == n
        # The rule of highest priority decides: what it matches, as it was dumped.
        best = re.search(r".*\bpriority=%d,.*" % (n + 1), dump).group(0)
        src, dst, port = (re.search(f + r"=([^/,]*)", best).group(1)
                          for f in ("nw_src", "nw_dst", "tp_dst"))
        flow = "in_port=LOCAL,udp,nw_src=%s,nw_dst=%s,udp_dst=%d" % (src, dst, int(port, 16))
        assert "priority %d" % (n + 1) in sw.appctl("ofproto/trace", "br0", flow)
        sw.ofctl("del-flows", "br0")
    if not os.environ.get("SANITIZED"):
        grown = status_kb(sw, "VmHWM") - before
        assert grown < 160 << 10, "%d kB at its peak" % grown


def n_megaflows(sw):
    return int(re.search(r"^  flows: (\d+)", sw.appctl("dpctl/show"), re.M).group(1))


def port_packets(sw, port, direction):
    return int(re.search(direction + r" pkts=(\d+)", sw.ofctl("dump-ports", "br0", port)).group(1))


def test_200000_megaflows_forward_and_follow(sw):
    """Four sources of 50,000 flows each, each flow of each port with a megaflow of its own.  All of
    them forward, and all of them follow a change of the rules that lets one flow through."""
    n, sources = 50000, 4
    pcap, out = sw.dir + "/flows.pcap", sw.dir + "/out.pcap"
    sh([ROOT + "/tests/lib/make-pcap", "--flows", str(n), "--sources", "25000", pcap])
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
             "other_config:dpdk-extra=--no-huge -m 1200 --no-pci",
             "other_config:flow-limit=500000", "other_config:max-idle=600000")
    sw.add_bridge("br0", "fail_mode=secure")
    for name, devargs in (("sink", "net_null0,no-rx=1"), ("some", "net_pcap9,tx_pcap=" + out)):
        sw.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dpdk",
                 "options:dpdk-devargs=" + devargs)
    exact = ("udp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],"
             "move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15],output:%s")
    sw.ofctl("add-flow", "br0", "priority=1," + exact % "sink")
    for i in range(sources):
        sw.vsctl("add-port", "br0", "src%d" % i, "--", "set", "Interface", "src%d" % i, "type=dpdk",
                 "mtu_request=%d" % (1500 + i * 1000),
                 "options:dpdk-devargs=net_pcap%d,rx_pcap=%s,infinite_rx=1" % (i, pcap), timeout=60)
    wait_for(lambda: n_megaflows(sw) >= n * sources, 60, "200,000 megaflows")

    before = port_packets(sw, "sink", "tx")
    misses = sw.appctl("coverage/read-counter", "datapath_drop_upcall_error")
    wait_for(lambda: port_packets(sw, "sink", "tx") > before + 4 * n * sources, 20,
             "each flow to pass several times")
    assert sw.appctl("coverage/read-counter", "datapath_drop_upcall_error") == misses

    sw.ofctl("--bundle", "replace-flows", "br0", "-", input=(
        "priority=2,udp,nw_src=10.3.7.1,actions=output:some\npriority=1,udp,actions=drop\n"))
    sw.appctl("revalidator/wait")
    stopped = port_packets(sw, "sink", "tx")
    some = port_packets(sw, "some", "tx")
    wait_for(lambda: port_packets(sw, "some", "tx") >= some + 100, 20, "the flow that may pass")
    assert port_packets(sw, "sink", "tx") == stopped, "a megaflow did not follow"
    sw.ofctl("del-flows", "br0")
    sw.vsctl("del-port", "some")  # closes the file
    with open(out, "rb") as f:
        data = f.read()[24:]
    frames = [data[i + 16:i + 76] for i in range(0, len(data) - 75, 76)]
    assert frames and {f[26:30] for f in frames} == {bytes([10, 3, 7, 1])}
