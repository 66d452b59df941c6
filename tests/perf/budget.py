#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions per packet of the fast path, counted under callgrind, against a recorded budget.

budget.py [--bench PATH] [--record] [--load NAME]...

Counts do not depend on what else the machine does, so a stage that grows by more than 5 % fails, on a
busy CI machine, too.  --record writes the present counts as the new budget (tests/perf/budget.json);
do it in the commit that explains the growth.  Stages are functions of src/; what is inlined counts where
it is written.  The devices' own instructions (net_pcap, net_null) are left out.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUDGET = os.path.join(HERE, "budget.json")
TOLERANCE = 1.05
SLACK = 1.0  # instructions; below this a relative bound says nothing

LOADS = {
    "one-flow": ["flows=1"],
    "l3-1000": ["flows=1000", "mega=l3"],
    "exact-1000": ["flows=1000", "mega=exact"],
    "dpcls-1000": ["flows=1000", "mega=exact", "emc=0", "smc=0"],
}

# What depends on how often the loop finds nothing is shown, not judged.
NOT_JUDGED = ("loop", "other")

STAGES = {  # file of src/ -> name of the stage
    "flow/extract.c": "extract",
    "pmd/input.c": "input",
    "pmd/key_hash.h": "input",
    "pmd/cache.h": "input",
    "pmd/bucket.h": "lookup",
    "pmd/bucket_sse.h": "lookup",
    "pmd/megaflow.h": "lookup",
    "pmd/dpcls.c": "lookup",
    "pmd/miss.c": "lookup",
    "pmd/execute.c": "execute",
    "pmd/pmd.h": "execute",
    "pmd/tx.c": "send",
    "netdev/netdev_dpdk.c": "send",
    "netdev/netdev_dpdk_tx.c": "send",
    "pmd/pmd_thread.c": "loop",
}


def parse(path):
    """Returns ({file: instructions}, packets): self cost by source file, and calls of key_extract."""
    names, costs, packets = {}, {}, 0
    current, callee, after_calls = "", "", False

    def resolve(kind, text):
        m = re.match(r"\((\d+)\)(?: (.*))?$", text)
        if not m:
            return text
        key = (kind, m.group(1))
        if m.group(2) is not None:
            names[key] = m.group(2)
        return names.get(key, "")

    with open(path) as f:
        for line in f:
            line = line.rstrip("\n")
            if line.startswith(("fl=", "fi=", "fe=")):
                current = resolve("file", line[3:])
            elif line.startswith(("cfi=", "cfl=")):
                resolve("file", line[4:])
            elif line.startswith("fn="):
                resolve("fn", line[3:])
            elif line.startswith("cfn="):
                callee = resolve("fn", line[4:])
            elif line.startswith("calls="):
                if callee == "key_extract":
                    packets += int(line[6:].split()[0])
                after_calls = True
            elif re.match(r"^[+\-*\d]", line):
                if not after_calls:  # the line after calls= is the callee's inclusive cost
                    costs[current] = costs.get(current, 0) + int(line.split()[1])
                after_calls = False
    return costs, packets


def count(bench, load):
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, "callgrind.out")
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=" + out,
                   "--collect-atstart=no", "--toggle-collect=pmd_poll_rxq", bench, *LOADS[load],
                   "windows=2", "ms=300", "pcap=" + os.path.join(d, "traffic.pcap")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            sys.exit("budget: %s failed:\n%s" % (" ".join(command), done.stderr[-2000:]))
        costs, packets = parse(out)
    if not packets:
        sys.exit("budget: no packet came through")
    stages = {}
    for name, cost in costs.items():
        m = re.search(r"src/((?:pmd|flow|netdev|packet|base)/[^/]+)$", name)
        if m:
            stage = STAGES.get(m.group(1), "other")
            stages[stage] = stages.get(stage, 0) + cost / packets
    stages["sum"] = sum(v for k, v in stages.items() if k not in NOT_JUDGED)
    return {k: round(v, 1) for k, v in sorted(stages.items())}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--bench", default="build/tests/perf/bench_dp")
    p.add_argument("--record", action="store_true")
    p.add_argument("--load", action="append", choices=sorted(LOADS))
    args = p.parse_args()
    budget = {}
    if os.path.exists(BUDGET):
        with open(BUDGET) as f:
            budget = json.load(f)
    failed = False
    for load in args.load or LOADS:
        now = count(args.bench, load)
        for stage, n in now.items():
            allowed = budget.get(load, {}).get(stage)
            over = (allowed is not None and stage not in NOT_JUDGED and
                    n > max(allowed * TOLERANCE, allowed + SLACK))
            failed |= over and not args.record
            print("%-12s %-8s %7.1f instructions/packet, budget %s%s" % (
                load, stage, n, "-" if allowed is None else "%.1f" % allowed,
                "  TOO MANY" if over else ""))
        if args.record:
            budget[load] = now
    if args.record:
        with open(BUDGET, "w") as f:
            json.dump(budget, f, indent=2, sort_keys=True)
            f.write("\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
