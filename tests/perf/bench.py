#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: Sluice beside Debian's OVS-DPDK on the same core, ports and traffic.

bench.py [--row NAME]... [--rounds N] [--windows N] [--json FILE] [--svg FILE] [--only KIND]

Each row runs on both switches in turn, 'rounds' times over; a round's figure is the best of its
windows, the row's figure the median of its rounds, the spread the distance of the extremes.  The
machine has to be quiet: two cores, of which the PMD thread takes the second alone.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import rig
import traffic

KINDS = ("sluice", "ovs")


class Row:
    """One load: 'setup(switch, files)' builds it; 'goal' is in cycles per packet (design)."""

    def __init__(self, name, title, setup, goal=None, curve=None):
        self.name, self.title, self.setup, self.goal, self.curve = name, title, setup, goal, curve


def forward(n_flows, rules, **shape):
    """pcap source -> rules -> null sink."""
    def setup(sw, files):
        name = "f%d%s.pcap" % (n_flows, "".join("-%s%s" % kv for kv in sorted(shape.items())))
        sw.bridge()
        sw.sink()
        sw.rules(rules)
        sw.source(traffic.pcap(os.path.join(files, name), n_flows, **shape))
    return setup


L3 = ["priority=5,ip,nw_dst=192.168.0.0/16,actions=output:dst"]


def acl(n_flows, n_rules):
    # in_port is a number here, since the rules are made before the port: the sink is port 1 and
    # the source port 2.
    return forward(n_flows, list(traffic.acl(n_rules, "2", "1", n_flows)))


ROWS = [
    Row("one-flow", "one flow, in_port rule", forward(1, ["in_port=2,actions=1"]), 85),
    Row("l3-100", "100 flows, one L3 rule", forward(100, L3), 90, ("l3", 100)),
    Row("l3-10k", "10,000 flows, one L3 rule", forward(10000, L3), 105, ("l3", 10000)),
    Row("l3-100k", "100,000 flows, one L3 rule", forward(100000, L3), 140, ("l3", 100000)),
    Row("acl1k-10k", "10,000 flows, 1,000 ACL rules", acl(10000, 1000), 130, ("acl", 10000)),
    Row("acl1k-100k", "100,000 flows, 1,000 ACL rules", acl(100000, 1000), 180,
        ("acl", 100000)),
    Row("acl100k-10k", "10,000 flows, 100,000 ACL rules", acl(10000, 100000), 150),
    Row("exact-50k", "100,000 flows over 50,000 exact megaflows",
        forward(100000, list(traffic.exact(50000, "2", "1")) + ["priority=0,actions=1"],
                sources=50000), 190),
    Row("vlan", "100 flows, push VLAN",
        forward(100, ["in_port=2,actions=push_vlan:0x8100,set_field:4101->vlan_vid,output:1"])),
    Row("rewrite", "100 flows, MAC and TTL rewrite",
        forward(100, ["in_port=2,ip,actions=mod_dl_src:02:00:00:00:00:99,"
                      "mod_dl_dst:02:00:00:00:00:98,dec_ttl,output:1"])),
    Row("ipv6", "100 flows, IPv6", forward(100, ["ipv6,actions=output:1"], ipv6=True)),
    Row("size-1518", "100 flows, 1518-byte frames", forward(100, ["in_port=2,actions=1"],
                                                            size=1518)),
]


def tables_20(sw, files):
    sw.bridge()
    sw.sink()
    lines = ["table=%d,priority=1,ip,actions=resubmit(,%d)" % (t, t + 1) for t in range(19)]
    sw.rules(lines + ["table=19,actions=1"])
    sw.source(traffic.pcap(os.path.join(files, "f100.pcap"), 100))


def outputs_8(sw, files):
    sw.bridge()
    for i in range(8):
        sw.sink(port="dst%d" % i, number=i)
    sw.rules(["in_port=9,actions=" + ",".join(str(i + 1) for i in range(8))])
    sw.source(traffic.pcap(os.path.join(files, "f100.pcap"), 100))


ROWS += [
    Row("tables-20", "100 flows, pipeline of 20 tables", tables_20),
    Row("outputs-8", "100 flows, eight output ports", outputs_8),
]


def settle(sw, limit=30):
    """Waits until misses have stopped and the placement of flows in caches is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        w = rig.window(sw, 0.5)
        if w and w["hits"]["miss"] < 1e-4:
            break
    time.sleep(1)


def run_once(row, kind, files, huge_dir, windows):
    sw = rig.BenchSwitch(kind, huge_dir)
    try:
        sw.begin()
        row.setup(sw, files)
        settle(sw)
        return rig.best(sw, windows)
    finally:
        sw.close()


def run_row(row, kinds, rounds, windows, files, huge_dir):
    """All rounds of one row; returns {kind: result}."""
    seen = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            try:
                seen[kind].append(run_once(row, kind, files, huge_dir, windows))
            except Exception as e:
                print("%s on %s: %s" % (row.name, kind, str(e).split("\n")[0]), file=sys.stderr)
    result = {}
    for kind, runs in seen.items():
        if runs:
            cycles = [r["cycles"] for r in runs]
            middle = min(runs, key=lambda r: abs(r["cycles"] - statistics.median(cycles)))
            result[kind] = {"cycles": statistics.median(cycles), "mpps": middle["mpps"],
                            "hits": middle["hits"], "spread": max(cycles) - min(cycles),
                            "rounds": cycles}
    return result


def hits_text(hits):
    return " ".join("%s %.0f%%" % (k.replace("simple match", "simple"), 100 * v)
                    for k, v in hits.items() if v >= 0.005)


def print_row(row, result):
    s, o = result.get("sluice"), result.get("ovs")
    ratio = "%5.2fx" % (o["cycles"] / s["cycles"]) if s and o else "     -"
    goal = "" if not row.goal or not s else " goal %d %s" % (
        row.goal, "met" if s["cycles"] <= row.goal else "MISSED")
    def figure(r):
        return "%8.1f +-%5.1f %6.2f" % (r["cycles"], r["spread"] / 2, r["mpps"]) if r else " " * 23
    print("%-44s %s  %s  %s%s" % (row.title, figure(s), figure(o), ratio, goal))
    for kind, r in (("sluice", s), ("ovs", o)):
        if r:
            print("    %-6s %s" % (kind, hits_text(r["hits"])))
    sys.stdout.flush()


def draw(results, path):
    """Cycles per packet over flows, both switches, as a picture."""
    data, plots = "", []
    for kind in KINDS:
        for family, title in (("l3", "one L3 rule"), ("acl", "1,000 ACL rules")):
            points = sorted((row.curve[1], results[row.name][kind]["cycles"]) for row in ROWS
                            if row.curve and row.curve[0] == family
                            and kind in results.get(row.name, {}))
            if points:
                plots.append("'-' with linespoints lw 2 title '%s, %s'" % (
                    "Sluice" if kind == "sluice" else "OVS-DPDK 3.1.0", title))
                data += "".join("%d %f\n" % p for p in points) + "e\n"
    if not plots:
        return
    script = ("set terminal svg size 800,500\nset output '%s'\nset logscale xy\n"
              "set xlabel 'flows'\nset ylabel 'cycles per packet'\nset grid\nset key left top\n"
              "plot %s\n%s" % (path, ", ".join(plots), data))
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--row", action="append", default=[])
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--windows", type=int, default=5)
    p.add_argument("--json")
    p.add_argument("--svg")
    p.add_argument("--only", choices=KINDS)
    args = p.parse_args()
    unknown = set(args.row) - {r.name for r in ROWS}
    if unknown:
        p.error("unknown row %s; there are: %s" % (", ".join(unknown),
                                                   " ".join(r.name for r in ROWS)))
    rows = [r for r in ROWS if not args.row or r.name in args.row]
    kinds = [args.only] if args.only else KINDS
    info, results = rig.machine(), {}
    print("%(cpu)s, %(cores)d cores, Linux %(kernel)s, %(compiler)s, %(flags)s" % info)
    print("cycles per packet, Mpps; one PMD thread, source and sink included\n")
    print("%-44s %-23s  %-23s  %s" % ("", "Sluice", "OVS-DPDK 3.1.0", "ratio"))
    with tempfile.TemporaryDirectory() as files, rig.huge_pages(1536) as huge_dir:
        for row in rows:
            results[row.name] = run_row(row, kinds, args.rounds, args.windows, files, huge_dir)
            print_row(row, results[row.name])
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"machine": info, "rows": results}, f, indent=1)
    if args.svg:
        draw(results, args.svg)
    missing = [r.name for r in rows if set(results[r.name]) != set(kinds)]
    if missing:
        print("no figures for: " + ", ".join(missing))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
