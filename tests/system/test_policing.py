# SPDX-License-Identifier: Apache-2.0
"""ingress_policing_* and the QoS types egress-policer and trtcm-policer: what passes a bucket that hardly
refills, what is counted, what qos/* says, and that settings change while traffic flows."""
import os
import re
import time

import pytest

import test_vhost_protocol as vhost
from switchlib import Hermetic, Switch, wait_for

PAYLOAD = 100
FRAME = "ffffffffffff" "020000000001" "88b5" + "00" * PAYLOAD
N = 20


@pytest.fixture
def sw():
    switch = Hermetic().start()
    try:
        switch.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy",
                     "fail_mode=secure", "--", "set", "Open_vSwitch", ".",
                     "other_config:stats-update-interval=5000")
        switch.add_ports("br0", "p1", "p2")
        switch.ofctl("add-flow", "br0", "in_port=1,actions=output:2")
        yield switch
        assert [a for a in switch.alarms() if "QoS" not in a] == []
    finally:
        switch.close()


def port_count(sw, port, direction, what):
    """rx/tx pkts, bytes, drop of an OpenFlow port; None if not known."""
    text = sw.ofctl("dump-ports", "br0", port)
    value = re.search(r"%s pkts=\S+.*" % direction, text).group(0)
    value = re.search(r"%s=([0-9?]+)" % what, value).group(1)
    return None if value == "?" else int(value)


def send(sw, n=N, port="p1", frame=FRAME):
    """Sends 'n' frames into 'port'; returns how many left on p2."""
    sw.appctl("revalidator/wait")
    before = port_count(sw, "p2", "tx", "pkts")
    seen = port_count(sw, port, "rx", "pkts")
    for _ in range(n):
        sw.appctl("netdev-dummy/receive", port, frame)
    wait_for(lambda: port_count(sw, port, "rx", "pkts") == seen + n, what="the frames")
    sw.appctl("revalidator/wait")
    return port_count(sw, "p2", "tx", "pkts") - before


def coverage(sw, name):
    return int(sw.appctl("coverage/read-counter", name))


@pytest.mark.rootless
def test_ingress_policing_by_bytes(sw):
    assert send(sw) == N
    # 125 bytes in a second, and a bucket of 1000: ten payloads.
    sw.vsctl("set", "Interface", "p1", "ingress_policing_rate=1", "ingress_policing_burst=8")
    passed = send(sw)
    assert 10 <= passed <= 14
    assert port_count(sw, "p1", "rx", "drop") == N - passed
    assert coverage(sw, "datapath_drop_rx_policed") == N - passed
    # Another setting of the row leaves the bucket as empty as it is.
    sw.vsctl("set", "Interface", "p1", "other_config:emc-enable=false")
    assert send(sw) <= 4
    sw.vsctl("set", "Interface", "p1", "ingress_policing_rate=0")
    assert send(sw) == N


@pytest.mark.rootless
def test_ingress_burst_has_a_default(sw):
    # 8000 kbit: 1,000,000 bytes, far more than what is sent.
    sw.vsctl("set", "Interface", "p1", "ingress_policing_rate=1")
    assert send(sw, 60) == 60


@pytest.mark.rootless
def test_giant_rates_do_not_wrap(sw):
    """2 ** 64 / 1000 in thousands of bits, with the smallest bucket: as much as 32 bits can say."""
    sw.vsctl("set", "Interface", "p1", "ingress_policing_rate=18446744073709552", "ingress_policing_burst=8")
    assert send(sw) == N
    sw.vsctl("set", "Interface", "p1", "ingress_policing_rate=1", "ingress_policing_burst=18446744073709552")
    assert send(sw) == N
    sw.vsctl("set", "Interface", "p1", "ingress_policing_rate=0", "--",
             "set", "Port", "p2", "qos=@q", "--", "--id=@q", "create", "QoS", "type=egress-policer",
             "other_config:cir=18446744073709551615", "other_config:cbs=18446744073709551615")
    assert send(sw) == N
    assert sw.appctl("qos/show", "p2") == (
        "QoS: p2 egress-policer\ncbs: 18446744073709551615\ncir: 18446744073709551615\n")


@pytest.mark.rootless
def test_ingress_policing_by_packets(sw):
    # A thousand packets in a second, and as many at once.
    sw.vsctl("set", "Interface", "p1", "ingress_policing_kpkts_rate=1",
             "ingress_policing_kpkts_burst=1")
    assert send(sw) == N
    assert coverage(sw, "datapath_drop_rx_policed") == 0


@pytest.mark.rootless
def test_egress_policer(sw):
    sw.vsctl("set", "Port", "p2", "qos=@q", "--", "--id=@q", "create", "QoS",
             "type=egress-policer", "other_config:cir=1", "other_config:cbs=1000")
    passed = send(sw)
    assert passed == 10
    assert port_count(sw, "p2", "tx", "drop") == N - passed
    assert coverage(sw, "datapath_drop_tx_policed") == N - passed
    assert sw.appctl("qos/show", "p2") == "QoS: p2 egress-policer\ncbs: 1000\ncir: 1\n"
    # A larger bucket comes full.
    sw.vsctl("set", "QoS", sw.get("Port", "p2", "qos"), "other_config:cbs=100000")
    assert send(sw) == N
    sw.vsctl("clear", "Port", "p2", "qos")
    assert send(sw) == N
    assert sw.appctl("qos/show", "p2") == "QoS not configured on p2\n"


@pytest.mark.rootless
def test_packet_out_is_policed_too(sw):
    sw.vsctl("set", "Port", "p2", "qos=@q", "--", "--id=@q", "create", "QoS",
             "type=egress-policer", "other_config:cir=1", "other_config:cbs=300")
    for _ in range(5):
        sw.ofctl("packet-out", "br0", "in_port=none packet=%s actions=2" % FRAME)
    wait_for(lambda: port_count(sw, "p2", "tx", "drop") == 2, what="the drops")
    assert port_count(sw, "p2", "tx", "pkts") == 3


@pytest.mark.rootless
def test_trtcm_policer_has_queues(sw):
    sw.vsctl("set", "Port", "p2", "qos=@q", "--", "--id=@q", "create", "QoS",
             "type=trtcm-policer", "other_config:cir=1", "other_config:cbs=500",
             "other_config:eir=1", "other_config:ebs=300", "queues:1=@one", "--", "--id=@one",
             "create", "Queue", "other_config:cir=1", "other_config:cbs=1200")
    assert send(sw) == 8  # five committed, three in excess
    sw.ofctl("add-flow", "br0", "in_port=1,actions=set_queue:1,output:2")
    assert send(sw) == 12
    # A queue that is not there is the default one, which is empty.
    sw.ofctl("add-flow", "br0", "in_port=1,actions=set_queue:7,output:2")
    assert send(sw) == 0
    text = sw.appctl("qos/show", "p2")
    assert text == ("QoS: p2 trtcm-policer\ncbs: 500\ncir: 1\nebs: 300\neir: 1\n"
                    "\nDefault:\n  cbs: 500\n  cir: 1\n  ebs: 300\n  eir: 1\n"
                    "  tx_packets: 8\n  tx_bytes: 800\n  tx_errors: 32\n"
                    "\nQueue 1:\n  cbs: 1200\n  cir: 1\n  ebs: 0\n  eir: 0\n"
                    "  tx_packets: 12\n  tx_bytes: 1200\n  tx_errors: 8\n")


@pytest.mark.rootless
def test_recirculated_packets_keep_their_queue(sw):
    """Also where all that is left to do is to send, or a list, or the queue is another one by then."""
    sw.vsctl("set", "Port", "p2", "qos=@q", "--", "--id=@q", "create", "QoS",
             "type=trtcm-policer", "other_config:cir=1", "other_config:cbs=500",
             "queues:1=@one", "queues:2=@two", "--", "--id=@one", "create", "Queue",
             "other_config:cir=1", "other_config:cbs=1200", "--", "--id=@two", "create", "Queue",
             "other_config:cir=1", "other_config:cbs=900")
    count = lambda: [port_count(sw, "p2", "tx", "pkts"), coverage(sw, "datapath_drop_tx_policed")]
    for actions, n in (("set_queue:1,debug_recirc,output:2", 12),
                       ("set_queue:2,debug_recirc,mod_dl_src:02:00:00:00:00:02,output:2", 9),
                       ("set_queue:1,debug_recirc,set_queue:0,output:2", 5)):
        sw.ofctl("add-flow", "br0", "in_port=1,actions=" + actions)
        before = count()
        send(sw)
        wait_for(lambda: sum(count()) == sum(before) + N, what="the second pass of all")
        assert count()[0] - before[0] == n, actions


@pytest.mark.rootless
def test_types_and_errors(sw):
    assert sw.appctl("qos/show-types", "p1") == \
        "QoS type: egress-policer\nQoS type: trtcm-policer\n"
    for command in ("qos/show", "qos/show-types"):
        p = sw.appctl(command, "nix", check=False)
        assert p.returncode == 2 and p.stderr.startswith("no such interface\n")


@pytest.mark.rootless
def test_a_rate_without_a_bucket_is_told_once(sw):
    sw.vsctl("set", "Port", "p2", "qos=@q", "--", "--id=@q", "create", "QoS",
             "type=egress-policer", "other_config:cir=1")
    sw.vsctl("set", "Port", "p1", "external_ids:a=b")
    assert send(sw) == N
    assert len([a for a in sw.alarms() if "QoS egress-policer is off" in a]) == 1


@pytest.mark.rootless
def test_disciplines_of_the_kernel_are_accepted(sw):
    for i, kind in enumerate(("linux-htb", "linux-noop")):
        sw.vsctl("set", "Port", "p%d" % (i + 1), "qos=@q", "--", "--id=@q", "create", "QoS",
                 "type=" + kind, "other_config:max-rate=1000", "queues:0=@z", "--", "--id=@z",
                 "create", "Queue", "other_config:min-rate=10")
    assert send(sw) == N
    with open(sw.log) as f:
        lines = [line for line in f if "has no effect here" in line]
    assert len(lines) == 1 and "|INFO|" in lines[0] and "linux-" in lines[0]
    assert sw.alarms() == []


RATE_KBPS, FRAME_PAYLOAD = 8000, 50  # of net_null's frames of 64 bytes
FRAMES_PER_S = RATE_KBPS * 1000 / 8 / FRAME_PAYLOAD
# Two seconds of it: a thread that is kept from its core for less finds in the bucket what it missed.
BUCKET_KBIT = 2 * RATE_KBPS


def frames_per_second(sw, port):
    """What leaves 'port', measured between two looks."""
    def look():
        start = time.monotonic()
        n = int(re.search(r"tx pkts=(\d+)", sw.ofctl("dump-ports", "br0", port)).group(1))
        return n, (start + time.monotonic()) / 2
    (n, start), _ = look(), time.sleep(1)
    m, end = look()
    return (m - n) / (end - start)


@pytest.mark.parametrize("where", ["ingress", "egress"])
@pytest.mark.parametrize("kind", ["sluice", "ovs"])
def test_rates_of_dpdk_ports(where, kind):
    """A source without end is held to the rate, as it is by genuine Open vSwitch."""
    sw = Switch(kind)
    try:
        if kind == "ovs":
            sw._start_server()
            sw._start_server = lambda: None
            sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                     
                     "other_config:dpdk-extra=--no-huge --legacy-mem -m 512 --no-pci "
                     "--file-prefix t%d" % os.getpid())
        sw.start()
        sw.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=1")
        sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev",
                 "fail_mode=secure")
        policing = ["ingress_policing_rate=%d" % RATE_KBPS, "ingress_policing_burst=%d" % BUCKET_KBIT]
        sw.vsctl("add-port", "br0", "d1", "--", "set", "Interface", "d1", "type=dpdk",
                 "options:dpdk-devargs=net_null0", "ofport_request=1",
                 *(policing if where == "ingress" else []))
        sw.vsctl("add-port", "br0", "d2", "--", "set", "Interface", "d2", "type=dpdk",
                 "options:dpdk-devargs=net_null1,no-rx=1", "ofport_request=2")
        if where == "egress":
            sw.vsctl("set", "Port", "d2", "qos=@q", "--", "--id=@q", "create", "QoS",
                     "type=egress-policer", "other_config:cir=%d" % (RATE_KBPS * 1000 // 8),
                     "other_config:cbs=%d" % (BUCKET_KBIT * 1000 // 8))
        sw.ofctl("add-flow", "br0", "in_port=1,actions=output:2")
        # The source is far faster: what is dropped shows that the full bucket of the beginning is gone.
        port, key = ("d1", "ovs_rx_qos_drops") if where == "ingress" else ("d2", "ovs_tx_qos_drops")
        wait_for(lambda: int(re.search(key + r"=(\d+)", sw.get("Interface", port, "statistics") +
                                       key + "=0").group(1)) > 1000, 20, key)
        # Between two looks the thread may have caught up what it had missed before: some are allowed.
        rates = []
        while not rates or len(rates) < 10 and not 0.9 < rates[-1] < 1.1:
            rates.append(frames_per_second(sw, "d2") / FRAMES_PER_S)
        assert 0.9 < rates[-1] < 1.1, rates
        if where == "egress":
            assert sorted(sw.appctl("qos/show", "d2").split()) == sorted(
                "QoS: d2 egress-policer cir: 1000000 cbs: 2000000".split())
        assert sorted(sw.appctl("qos/show-types", "d2").split()) == sorted(
            "QoS type: egress-policer QoS type: trtcm-policer".split())
    finally:
        sw.close()


@pytest.mark.parametrize("kind", ["sluice", "ovs"])
def test_a_guest_that_is_policed(kind):
    """What a guest sends beyond its bucket was never received: the columns that libvirt shows."""
    sw, guest = Switch(kind), None
    try:
        sw.start()
        vhost.begin(sw)
        path = vhost.add_server(sw, "v0")
        sw.vsctl("set", "Interface", "v0", "ingress_policing_rate=1", "ingress_policing_burst=8",
                 "--", "set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=1")
        guest = vhost.Driver(path)
        wait_for(lambda: sw.get("Interface", "v0", "link_state") == "up", 20, "v0 to connect")
        for _ in range(N):
            guest.send(vhost.ether(payload=bytes(PAYLOAD)))
        dropped = lambda: int(re.search(r"ovs_rx_qos_drops=(\d+)", sw.get(
            "Interface", "v0", "statistics") + "ovs_rx_qos_drops=0").group(1))
        wait_for(lambda: dropped() >= N - 12, 20, "the drops in the database")
        assert N - 12 <= dropped() <= N - 10
        if kind == "sluice":  # genuine Open vSwitch shows question marks here
            look = lambda what: port_count(sw, "v0", "rx", what)
            assert look("pkts") == N - dropped() and look("drop") == dropped()
            assert look("bytes") == look("pkts") * (14 + PAYLOAD)
    finally:
        if guest:
            guest.close()
        sw.close()
