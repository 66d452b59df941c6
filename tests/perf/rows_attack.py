# SPDX-License-Identifier: Apache-2.0
"""Rows of attacks: what is left of the established traffic of one port while another port of the
same PMD is hit.

The established traffic runs as fast as the PMD can; hostile frames come through a veth pair
(net_af_packet) from tests/perf/blast.c, at a fixed rate, on the other core.  The figure is the rate
of the established traffic during the attack in percent of the rate before it.  Notes say how
much of the attack arrived, and what it left in the flow table and in memory.
"""
import os
import signal
import subprocess
import time

import rig
import rows_forward
from row import Metric, Row

BLAST = os.path.join(rig.HERE, "..", "..", "build", "tests", "perf", "blast")
ESTABLISHED_FLOWS = 1000
GOAL = 95

# The sink is port 1, the hostile port 2 and the source 3.
ESTABLISHED = "priority=100,in_port=3,actions=output:1"


def tse_rules():
    """The published policy: three permits, everything else of that port is dropped."""
    return [ESTABLISHED,
            "priority=10,in_port=2,ip,nw_src=10.0.0.10,actions=output:1",
            "priority=9,in_port=2,udp,tp_dst=80,actions=output:1",
            "priority=8,in_port=2,udp,tp_src=12345,actions=output:1",
            "priority=1,in_port=2,actions=drop"]


def exact_rules():
    """Translation reads addresses and ports, so each flow needs a megaflow of its own."""
    return [ESTABLISHED,
            "priority=10,in_port=2,udp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],"
            "move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG1[16..31],"
            "output:1"]


def upcall_rules():
    """Each frame is for the controller: no megaflow takes it off the slow path."""
    return [ESTABLISHED, "priority=10,in_port=2,actions=controller:128"]


def normal_rules():
    return ["actions=NORMAL"]


class Blast:
    """The attacker, as long as the 'with' lasts."""

    def __init__(self, sw, device, kind, rate):
        self.proc = sw.ns.popen(["taskset", "-c", "0", BLAST, device, kind, str(rate), "120"],
                                stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
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


def established(sw, options):
    """The mean rate that gets through to the sink over three seconds or more: a stall counts."""
    return sw.rate("dst", "tx", max(3 if options.windows > 1 else 0,
                                    options.seconds * options.windows))


def attacked(sw, device, options, kind, rate, warm, before):
    """One attack; returns what it left of the established traffic, which was 'before' without."""
    resident = sw.resident()
    with Blast(sw, device, kind, rate):
        time.sleep(warm)
        arrived, start = sw.port_packets("atk", "rx"), time.monotonic()
        during = established(sw, options)
        arrived = (sw.port_packets("atk", "rx") - arrived) / (time.monotonic() - start)
        megaflows = sw.n_megaflows()
    return {"kept": 100 * during / before, "before": before, "arrived": arrived,
            "megaflows": megaflows, "grown": sw.resident() - resident}


def attack(kind, rules, rates):
    def measure(sw, options):
        device = prepare(sw, options, rules)
        answer, before = {"attacks": []}, established(sw, options)
        for rate in rates:
            # A slow attacker needs its time to open all of its shapes.
            warm = min(10, max(2, 8192 / rate)) if options.windows > 1 else 2
            one = attacked(sw, device, options, kind, rate, warm, before)
            answer["kept-%d" % rate] = one["kept"]
            answer["attacks"].append(dict(one, rate=rate))
        return answer
    return measure


def row(name, title, kind, rules, rates=(100000,)):
    metrics = [Metric("kept-%d" % rate, "%s, %s/s: %% kept" % (title, format(rate, ",")), "percent",
                      GOAL, "high") for rate in rates]
    return Row(name, metrics, attack(kind, rules, rates), limit=180,
               takes=(13, 13) if len(rates) == 1 else (30, 30))


ROWS = [
    row("attack-floor", "one known frame again and again", "same", tse_rules),
    row("attack-tse", "8,192 shapes", "tse", tse_rules, (1000, 20000, 100000)),
    row("attack-upcall", "frames for the controller", "tse", upcall_rules),
    row("attack-hash", "five-tuples of one hash", "hash", exact_rules),
    row("attack-mac", "a new source MAC each frame", "macs", normal_rules),
    row("attack-flows", "a new flow each frame", "flows", exact_rules),
]
