#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make bench: Sluice beside Debian's OVS-DPDK on the same core, ports and traffic.

bench.py [--row PATTERN]... [--rounds N] [--windows N] [--seconds S] [--json FILE] [--svg FILE]
         [--only KIND] [--list]

Each row runs on both switches in turn, 'rounds' times over; a round's figure is the best of its
windows, the row's figure the median of its rounds, the spread the distance of the extremes.  A row
that fails on one side says so in the table and stops nothing else.  The machine has to be quiet: two
cores, of which the PMD thread takes the second alone.
"""
import argparse
import fnmatch
import json
import os
import statistics
import subprocess
import sys
import tempfile

import pair
import rig
import row as rowlib
import rows_attack
import rows_control
import rows_forward
import rows_pvp
import rows_restart

KINDS = ("sluice", "ovs")
NAMES = {"sluice": "Sluice", "ovs": "OVS-DPDK 3.1.0"}
ROWS = rows_forward.ROWS + rows_control.ROWS + rows_pvp.ROWS + rows_attack.ROWS + \
    rows_restart.ROWS


def run_row(row, kinds, rounds, options, huge_dir):
    """All rounds of one row: {kind: {"metrics": {key: figures}, "rounds": [...], "errors": [...]}}."""
    seen = {kind: {"metrics": {}, "rounds": [], "errors": []} for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            try:
                seen[kind]["rounds"].append(rowlib.run_once(row, kind, options, huge_dir))
            except Exception as e:  # whatever it is, the other rows go on
                text = str(e).strip().split("\n")[0] or type(e).__name__
                seen[kind]["errors"].append(text[:200])
                print("%s on %s: %s" % (row.name, kind, text), file=sys.stderr)
    pcaps = [r["pcaps"] for result in seen.values() for r in result["rounds"] if "pcaps" in r]
    row.pair = pair.alone(pcaps[0], options.windows, options.seconds) if pcaps else None
    for result in seen.values():
        for metric in row.metrics:
            values = [r[metric.key] for r in result["rounds"] if metric.key in r]
            if values:
                result["metrics"][metric.key] = {"median": statistics.median(values),
                                                 "spread": max(values) - min(values)}
    return seen


def figure(metric, result):
    if not result:
        return " " * 21
    one = result["metrics"].get(metric.key)
    if not one:
        return "%-21s" % ("       failed" if result["errors"] else "            -")
    return "%11.*f +-%7.*f" % (metric.digits, one["median"], metric.digits, one["spread"] / 2)


def print_row(row, result):
    for metric in row.metrics:
        median = {kind: r["metrics"].get(metric.key, {}).get("median")
                  for kind, r in result.items()}
        s, o = median.get("sluice"), median.get("ovs")
        ratio = metric.ratio(s, o) if s is not None and o is not None else None
        print("%-48s %s %s %8s  %s" % (metric.title[:48], figure(metric, result.get("sluice")),
                                       figure(metric, result.get("ovs")),
                                       "%.2fx" % ratio if ratio else "-", metric.judge(s, o)))
    if row.pair:
        print("    source and sink alone: %.1f" % row.pair)
    for kind, r in result.items():
        for text in notes(r):
            print("    %-7s %s" % (kind, text))
    sys.stdout.flush()


def notes(result):
    """What else there is to say of a row on one switch: errors, hits, what an attack left."""
    for error in sorted(set(result["errors"])):
        yield "FAILED: " + error
    if not result["rounds"]:
        return
    last = result["rounds"][-1]
    if "hits" in last:
        yield "%.2f Mpps; " % last["mpps"] + " ".join(
            "%s %.0f%%" % (k.replace("simple match", "simple"), 100 * v)
            for k, v in last["hits"].items() if v >= 0.005)
    for a in last.get("attacks", ()):
        yield ("%d/s: %.0f/s arrived%s, established %.2f Mpps before, %d megaflows, memory %+.1f MB"
               % (a["rate"], a["arrived"], " (NOT ALL)" if a["arrived"] < 0.9 * a["rate"] else "",
                  a["before"] / 1e6, a["megaflows"], a["grown"] / 1e6))


def points(results, kind, family):
    for row in ROWS:
        if row.curve and row.curve[0] == family:
            one = results.get(row.name, {}).get(kind, {}).get("metrics", {}).get("cycles")
            if one:
                yield row.curve[1], one["median"]


def draw(results, path):
    """Cycles per packet over flows, both switches, as a picture."""
    data, plots = "", []
    for kind in KINDS:
        for family, title in (("l3", "one L3 rule"), ("acl", "1,000 ACL rules")):
            curve = sorted(points(results, kind, family))
            if curve:
                plots.append("'-' with linespoints lw 2 title '%s, %s'" % (NAMES[kind], title))
                data += "".join("%d %f\n" % p for p in curve) + "e\n"
    if not plots:
        return
    script = ("set terminal svg size 800,500\nset output '%s'\nset logscale xy\n"
              "set xlabel 'flows'\nset ylabel 'cycles per packet'\nset grid\nset key left top\n"
              "plot %s\n%s" % (path, ", ".join(plots), data))
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def choose(patterns):
    """The rows whose names match one of the patterns, all without any."""
    unknown = [p for p in patterns if not any(fnmatch.fnmatch(r.name, p) for r in ROWS)]
    if unknown:
        raise SystemExit("bench: no row %s; there are: %s" % (
            ", ".join(unknown), " ".join(r.name for r in ROWS)))
    return [r for r in ROWS if not patterns or any(fnmatch.fnmatch(r.name, p) for p in patterns)]


def parse_args():
    p = argparse.ArgumentParser()
    p.add_argument("--row", action="append", default=[], help="name or pattern; may be repeated")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--windows", type=int, default=5)
    p.add_argument("--seconds", type=float, default=1.0, help="length of a window")
    p.add_argument("--json")
    p.add_argument("--svg")
    p.add_argument("--only", choices=KINDS)
    p.add_argument("--list", action="store_true")
    return p.parse_args()


def save(path, info, results):
    pairs = {r.name: r.pair for r in ROWS if r.pair}
    with open(path, "w") as f:
        json.dump({"machine": info, "rows": results, "source_and_sink": pairs}, f, indent=1)


def main():
    args = parse_args()
    rows = choose(args.row)
    if args.list:
        print("\n".join(r.name for r in rows))
        return 0
    kinds = [args.only] if args.only else KINDS
    info, results = rig.machine(), {}
    # The PMD's core is for the PMD: the bench, its tools and the daemons' other threads stay away.
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {rig.PMD_CORE} or {0})
    print("%(cpu)s, %(cores)d cores, %(memory)d GB, Linux %(kernel)s, DPDK %(dpdk)s; Sluice %(commit)s,"
          " %(compiler)s, %(flags)s" % info)
    print("cycles per packet unless a row says otherwise; one PMD thread, source and sink "
          "included; %d rounds\n" % args.rounds)
    print("%-48s %21s %21s %8s" % ("", NAMES["sluice"], NAMES["ovs"], "ratio"))
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as files:
        options = rowlib.Options(files, args.windows, args.seconds)
        for row in rows:
            with rig.huge_pages(row.huge_mb + row.spare_mb) as huge_dir:
                results[row.name] = run_row(row, kinds, args.rounds, options, huge_dir)
            print_row(row, results[row.name])
            if args.json:
                save(args.json, info, results)  # what there is by now, should the run be ended
    if args.svg:
        draw(results, args.svg)
    missing = [r.name for r in rows
               if any(not results[r.name][k]["rounds"] for k in kinds)]
    if missing:
        print("no figures on one side for: " + ", ".join(missing))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
