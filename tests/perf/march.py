#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the -march of a build is worth: cycles per packet of the fast path of several builds in turn.

march.py [--rounds N] [--load NAME]... BUILD...

Each BUILD is a build directory (meson setup -Dmarch=...; ninja tests/perf/bench_dp).  Every round runs
every load once on every build, in an order that changes; a run's figure is the best of its windows
of 200 ms.  Printed are the median and the least of the rounds and their ratios to the first build:
on a busy machine the least is what the machine does when nothing disturbs it.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

LOADS = {
    "one-flow": ["flows=1", "mega=l3"],
    "l3-10k": ["flows=10000", "mega=l3"],
    "exact-50k": ["flows=50000", "mega=exact"],
    "masks-20": ["flows=10000", "mega=tuple", "masks=20", "emc=0", "smc=0"],
}
RUN_LIMIT_S = 60


def cycles(build, load, core, pcap):
    done = subprocess.run([os.path.join(build, "tests", "perf", "bench_dp"), *LOADS[load],
                           "core=%d" % core, "windows=10", "ms=200", "pcap=" + pcap],
                          capture_output=True, text=True, timeout=RUN_LIMIT_S, check=True)
    return float(re.search(r"best ([\d.]+)", done.stdout).group(1))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--load", action="append", choices=sorted(LOADS))
    p.add_argument("builds", nargs="+", metavar="BUILD")
    args = p.parse_args()
    core, loads = max(os.sched_getaffinity(0)), args.load or list(LOADS)
    seen = {(b, load): [] for b in args.builds for load in loads}
    with tempfile.TemporaryDirectory() as d:
        for i in range(args.rounds):
            turn = i % len(args.builds)
            for load in loads:
                for build in args.builds[turn:] + args.builds[:turn]:
                    seen[build, load].append(cycles(build, load, core, d + "/traffic.pcap"))
    for load in loads:
        first = seen[args.builds[0], load]
        for build in args.builds:
            one = seen[build, load]
            print("%-10s %-30s median %6.1f (%.3f)  least %6.1f (%.3f)"
                  % (load, build, statistics.median(one),
                     statistics.median(one) / statistics.median(first), min(one),
                     min(one) / min(first)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
