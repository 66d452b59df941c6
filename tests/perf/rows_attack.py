# SPDX-License-Identifier: Apache-2.0
"""Rows of attacks: what is left of the established traffic of one port while another port of the
same PMD is hit.

The established traffic, 100 flows over eight megaflows (one with NORMAL), runs as fast as the PMD can;
hostile frames come through a veth pair (net_af_packet) from tests/perf/blast.c, at a fixed rate, on the
other core.  The attacker pauses and goes on in turn; the figure is the rate of the established traffic
while it sends in percent of the rate while it pauses, all windows together.  Windows are short and many, so that a slow moment
of the machine hits both.  Where a switch does not come back in the pauses, the figure is in percent
of what it did without an attack; as machines change their speed, too, "without" is before the
attack or after it, when all its megaflows are gone, whichever was slower.
Memory has a goal of its own: what the daemon had grown by under any of the row's attacks.  Notes say
what the rate was before the attack, how much of the attack arrived, and what it left in the flow table.
"""
import os
import signal
import subprocess
import time

import rig
import rows_forward
from alternate import Counter, Windows
from row import Metric, Row

BLAST = os.path.join(rig.HERE, "..", "..", "build", "tests", "perf", "blast")
ESTABLISHED_FLOWS = 100
GOAL = 95
# What the limits come to: three quarters of flow-limit (200,000) for one port, some 530 bytes each,
# and queues and caches beside them (docs/datapath.md).
GROWN_MB = 128
PAIRS, PAIR_S = 24, 0.125
GAP_S = 0.05  # what is on its way arrives
RECOVERS = 0.8

# The sink is port 1, the hostile port 2 and the source 3.
SINK, HOSTILE = 1, 2
ESTABLISHED = ["priority=100,in_port=3,ip,nw_dst=0.0.0.%d/0.0.0.7,actions=output:1" % i for i in range(8)]


def tse_rules():
    """The published policy: three permits, everything else of that port is dropped."""
    return ESTABLISHED + [
        "priority=10,in_port=2,ip,nw_src=10.0.0.10,actions=output:1",
        "priority=9,in_port=2,udp,tp_dst=80,actions=output:1",
        "priority=8,in_port=2,udp,tp_src=12345,actions=output:1",
        "priority=1,in_port=2,actions=drop"]


def tse6_rules():
    """The same for IPv6: 128 bits of address in place of 32."""
    return ESTABLISHED + [
        "priority=10,in_port=2,ipv6,ipv6_src=2001:db8::a,actions=output:1",
        "priority=9,in_port=2,udp6,tp_dst=80,actions=output:1",
        "priority=8,in_port=2,udp6,tp_src=12345,actions=output:1",
        "priority=1,in_port=2,actions=drop"]


def exact_rules():
    """Translation reads addresses and ports, so each flow needs a megaflow of its own."""
    return ESTABLISHED + [
        "priority=10,in_port=2,udp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],"
        "move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG1[16..31],"
        "output:1"]


def upcall_rules():
    """Each frame is for the controller: no megaflow takes it off the slow path."""
    return ESTABLISHED + ["priority=10,in_port=2,actions=controller:128"]


def normal_rules():
    return ["actions=NORMAL"]


class Blast:
    """The attacker, as long as the 'with' lasts."""

    def __init__(self, sw, device, kind, rate):
        self.proc = sw.ns.popen(["taskset", "-c", "0", BLAST, device, kind, str(rate), "120"],
                                stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def pause(self):
        self.proc.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.proc.send_signal(signal.SIGCONT)

    def __exit__(self, *_exc):
        self.go_on()
        # 'ip netns exec' replaces itself, so this is the sender.
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.communicate()
        return False


def prepare(sw, options, rules):
    """Ports, rules and established traffic; returns the device to attack from."""
    sw.bridge()
    sw.sink()
    device = sw.wire()
    if rules is normal_rules:
        sw.vsctl("set", "bridge", "br0", "fail_mode=standalone")
        sw.control([["fdb/add", "br0", "dst", "0", "02:00:00:00:00:02"]])
    sw.rules(rules())
    sw.source(rows_forward.pcap(options, ESTABLISHED_FLOWS))
    rig.settle(sw)
    return device


def in_turn(blast, sent, came, options):
    """Pairs of windows with the attacker at rest and at work, and what came of it in the latter."""
    rest, hit, arrived = Windows(sent), Windows(sent), Windows(came)
    n, length = (PAIRS, PAIR_S) if options.windows > 1 else (1, options.seconds)
    for _ in range(n):
        blast.pause()
        time.sleep(GAP_S)
        with rest:
            time.sleep(length)
        blast.go_on()
        time.sleep(GAP_S)
        with arrived, hit:
            time.sleep(length)
    return rest, hit, arrived


def calm(sw, sent, options):
    """The rate when nothing of the attack is left."""
    sw.appctl("dpctl/del-flows")
    time.sleep(1)  # OVS-DPDK takes that long to install a deleted flow anew
    established = Windows(sent)
    with established:
        time.sleep(1 if options.windows > 1 else options.seconds)
    return established.rate()


def attacked(sw, device, options, kind, rate, before, counters):
    """One attack; returns what it left of the established traffic, which was 'before' without."""
    with Blast(sw, device, kind, rate) as blast:
        # A slow attacker needs its time to open all of its shapes.
        time.sleep(min(10, max(2, 8192 / rate)) if options.windows > 1 else 2)
        rest, hit, arrived = in_turn(blast, *counters, options)
        megaflows, resident = sw.n_megaflows(), sw.resident()
    base, after = rest.rate(), calm(sw, counters[0], options)
    if base < RECOVERS * min(before, after):
        sw.remarks.append("%d/s: does not recover in the attacker's pauses, so judged by the rate "
                          "without attack" % rate)
        base = min(before, after)
    return {"kept": 100 * hit.rate() / base, "before": before, "rest": rest.rate(), "after": after,
            "arrived": arrived.rate(), "megaflows": megaflows, "resident": resident,
            "pairs": [[rest.rate(i), hit.rate(i)] for i in range(len(hit.all))]}


def attack(kind, rules, rates):
    def measure(sw, options):
        device, answer = prepare(sw, options, rules), {"attacks": []}
        resident = sw.resident()
        with Counter(sw, SINK) as sent, Counter(sw, HOSTILE, received=True) as came:
            without = calm(sw, sent, options)
            for rate in rates:
                one = attacked(sw, device, options, kind, rate, without, (sent, came))
                without = one["after"]
                answer["kept-%d" % rate] = one["kept"]
                one["grown"] = one.pop("resident") - resident
                answer["attacks"].append(dict(one, rate=rate))
        answer["grown"] = max(one["grown"] for one in answer["attacks"]) / 1e6
        return answer
    return measure


def row(name, title, kind, rules, rates=(100000,)):
    metrics = [Metric("kept-%d" % rate, "%s, %s/s: %% kept" % (title, format(rate, ",")), "percent",
                      GOAL, "high") for rate in rates]
    metrics.append(Metric("grown", title + ": memory grown", "MB", GROWN_MB))
    return Row(name, metrics, attack(kind, rules, rates), limit=180,
               takes=(18, 18) if len(rates) == 1 else (45, 45))


ROWS = [
    row("attack-floor", "one known frame again and again", "same", tse_rules),
    row("attack-tse", "8,192 shapes", "tse", tse_rules, (1000, 20000, 100000)),
    row("attack-masks", "32 shapes that have flows", "masks", tse_rules),
    row("attack-tse6", "32,768 shapes of IPv6", "tse6", tse6_rules, (20000,)),
    row("attack-upcall", "frames for the controller", "tse", upcall_rules),
    row("attack-hash", "five-tuples of one hash", "hash", exact_rules),
    row("attack-mac", "a new source MAC each frame", "macs", normal_rules),
    row("attack-flows", "a new flow each frame", "flows", exact_rules),
]
