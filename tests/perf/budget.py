#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions per packet of the fast path, counted under callgrind, against a recorded budget.

A stage or total that grew by more than 5 % over tests/perf/budget.json fails, and so does a load that does
not end.  --record writes the present counts as the new budget; do it in the commit that explains the growth.

Counted is what a PMD thread executes of this program's own code from the end of a warm-up on; both are
measured in packets, so the counts do not depend on how fast or busy the machine is.  Code of libc, DPDK's
libraries and drivers is left out, since some of it is chosen by the model of the CPU.  What is inlined
counts where it is written, and what is inlined from others' headers where it is used.  The stages of
src/pmd/input.c are told apart by the functions that lines of the source belong to.  What remains of chance
(random seeds of hashes) is below 1 %: a load that is over its budget is counted again.
"""
import argparse
import json
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUDGET = os.path.join(HERE, "budget.json")
SKIPPED = 77
RUNS = 3         # the least of them is judged, the largest recorded
CPU_LIMIT_S = 60  # of processor time; a run takes three seconds
RUN_LIMIT_S = 300  # on a machine with much else to do
TOLERANCE = 1.05
# Work per burst or seldom: below 6 instructions per packet 5 % are less than what seeds and half-full
# transmit queues at the end of a window do, and a growth by this much is nothing.
SLACK = 0.3
PACKETS = 200000

LOADS = {
    "one-flow": ["flows=1", "mega=l3", "emc=1"],
    "l3-1000": ["flows=1000", "mega=l3", "emc=1"],
    "emc-1000": ["flows=1000", "mega=exact", "emc=1"],
    "smc-1000": ["flows=1000", "mega=exact", "emc=0"],
    "dpcls-1000": ["flows=1000", "mega=exact", "emc=0", "smc=0"],
    "masks-1000": ["flows=1000", "mega=tuple", "masks=32", "emc=0", "smc=0"],
    "prefix-1000": ["flows=1000", "mega=prefix", "masks=32", "emc=0", "smc=0"],
}

# How often the clock is read depends on time: at most once per burst, under one instruction per packet.
NOT_JUDGED = ("clock",)

STAGES = {  # file of src/ -> name of the stage; any other is in "rest"
    "base/clock.c": "clock",
    "base/clock.h": "loop",
    "base/rcu.c": "loop",
    "base/rcu.h": "loop",
    "flow/extract.c": "extract",
    "flow/parse.h": "extract",
    "packet/packet.h": "extract",
    "flow/key.h": "hash",
    "pmd/input.c": "input",
    "pmd/key_hash.h": "hash",
    "pmd/cache.h": "smc",
    "pmd/burst.h": "input",
    "pmd/lane.c": "input",
    "pmd/bucket.h": "lookup",
    "pmd/bucket_sse.h": "lookup",
    "pmd/megaflow.h": "lookup",
    "pmd/dpcls.c": "dpcls",
    "pmd/sieve.h": "dpcls",
    "pmd/subtable.c": "dpcls",
    "pmd/smc.c": "smc",
    "pmd/miss.c": "miss",
    "pmd/actions.c": "execute",
    "pmd/change.c": "execute",
    "pmd/execute.c": "execute",
    "pmd/plan.c": "execute",
    "pmd/plan.h": "execute",
    "pmd/pmd.h": "execute",
    "pmd/tx.c": "send",
    "netdev/netdev.h": "send",
    "netdev/netdev_dpdk.c": "send",
    "netdev/netdev_dpdk_tx.c": "send",
    "pmd/drop.c": "loop",
    "pmd/inject.c": "loop",
    "pmd/perf.h": "loop",
    "pmd/pmd_thread.c": "loop",
    "pmd/recirc.c": "loop",
    "pmd/upcall_queue.c": "loop",
}

# Functions whose stage is not that of their file.  verify() is of both caches, as "lookup" is of all.
FUNCTIONS = {
    "pmd/input.c": {
        "extract_received": "extract", "extract_recirculated": "extract", "extract": "extract",
        "expect_trains": "hash", "train_length": "hash", "hash_keys": "hash",
        "prefetch_candidate": "verify", "verify": "verify",
        "verify_some": "verify", "verify_trains": "verify", "train_is_of_flow": "verify",
        "emc_is_resting": "emc", "emc_inv_prob": "emc", "emc_lookup": "emc",
        "smc_lookup": "smc",
        "queue_feeds_all": "promote", "feed_smc": "promote",
        "emc_insert": "promote", "emc_random_countdown": "promote", "promote": "promote",
    },
    "pmd/dpcls.c": {"is_record_of": "hash", "find_displaced": "hash", "pmd_find_lane": "hash"},
}


def functions(path):
    """(first line, last line, name) of each function of a C file in this project's style: its name
    begins a line, and so does the brace that ends it."""
    found, name, first = [], None, 0
    with open(path, encoding="utf-8") as lines:
        for i, line in enumerate(lines, 1):
            m = re.match(r"(\w+)\(", line)
            if m:
                name, first = m.group(1), i
            elif line.startswith("}") and name:
                found.append((first, i, name))
                name = None
    return found


def check_functions():
    """What FUNCTIONS names is there: else its cost would silently be another stage's."""
    for name, stages in FUNCTIONS.items():
        there = {f[2] for f in functions(os.path.join(ROOT, "src", name))}
        gone = sorted(set(stages) - there)
        if gone:
            raise RuntimeError("src/%s has no %s: see FUNCTIONS of budget.py" % (name, ", ".join(gone)))


class Profile:
    """A file of callgrind: self cost by source file (of those in FUNCTIONS by file and function), and calls
    of key_extract, which each packet has."""

    def __init__(self, path, program):
        self.program = os.path.realpath(program)
        self.names = {}
        self.costs = {}
        self.packets = 0
        self.ob = self.home = self.file = self.callee = ""
        self.after_calls = False
        self.number = 0  # of the last line; callgrind writes only how far the next one is
        self.of_line = {}
        for name in FUNCTIONS:
            self.of_line[name] = {i: f for first, last, f in
                                  functions(os.path.join(ROOT, "src", name))
                                  for i in range(first, last + 1)}
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                self.take(line.rstrip("\n"))

    def resolve(self, kind, text):
        m = re.match(r"\((\d+)\)(?: (.*))?$", text)
        if not m:
            return text
        key = (kind, m.group(1))
        if m.group(2) is not None:
            self.names[key] = m.group(2)
        return self.names.get(key, "")

    def where(self):
        """(file, function or None) of the present line."""
        ours = re.search(r"/src/(\w+/\w+\.[ch])$", self.file)
        if ours:
            name = ours.group(1)
            return name, self.of_line.get(name, {}).get(self.number)
        ours = re.search(r"/src/(\w+/\w+\.[ch])$", self.home)
        return (ours.group(1) if ours else self.file), None

    def take(self, line):
        kind, _, text = line.partition("=")
        if re.match(r"[+\-*\d]", line):
            position, cost = line.split()[:2]
            self.number = self.number if position == "*" else \
                int(position) + (self.number if position[0] in "+-" else 0)
            # The line after calls= is the callee's inclusive cost.
            if not self.after_calls and self.ob == self.program:
                where = self.where()
                self.costs[where] = self.costs.get(where, 0) + int(cost)
            self.after_calls = False
        elif kind == "fl":
            self.home = self.file = self.resolve("file", text)
        elif kind in ("fi", "fe"):
            self.file = self.resolve("file", text)
        elif kind in ("cfi", "cfl"):
            self.resolve("file", text)
        elif kind == "ob":
            self.ob = os.path.realpath(self.resolve("ob", text))
        elif kind == "cob":
            self.resolve("ob", text)
        elif kind == "fn":
            self.resolve("fn", text)
        elif kind == "cfn":
            self.callee = self.resolve("fn", text)
        elif kind == "calls":
            if self.callee == "key_extract":
                self.packets += int(text.split()[0])
            self.after_calls = True


def stage_of(where):
    """The stage of a Profile.where()."""
    name, function = where
    return FUNCTIONS.get(name, {}).get(function) or STAGES.get(name, "rest")


def run(command):
    """Runs it to its end, which has to come: who takes more processor time than there is for it is stuck,
    and who does not get it in time tells nothing either."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S + 5))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT_S, check=False,
                              preexec_fn=limit)
    except subprocess.TimeoutExpired:
        raise RuntimeError("no end after %d s" % RUN_LIMIT_S) from None
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise RuntimeError("no end after %d s of processor time" % CPU_LIMIT_S)
    if done.returncode:
        raise RuntimeError("%s failed:\n%s" % (" ".join(command), done.stderr[-2000:]))


def count(bench, load, verbose):
    """Returns {stage: instructions per packet} of one run, the judged ones' sum as "total"."""
    core = max(os.sched_getaffinity(0))
    check_functions()
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, "callgrind.out")
        command = ["valgrind", "--tool=callgrind", "--fair-sched=yes", "--callgrind-out-file=" + out, "--collect-atstart=no",
                   "--toggle-collect=pmd_spin_main", "--zero-before=measure", bench, *LOADS[load],
                   "windows=1", "packets=%d" % PACKETS, "core=%d" % core,
                   "pcap=" + os.path.join(d, "traffic.pcap")]
        run(command)
        profile = Profile(out, bench)
    if profile.packets < PACKETS / 2:
        raise RuntimeError("only %d packets counted" % profile.packets)
    stages = {}
    for where, cost in sorted(profile.costs.items(), key=str):
        stage = stage_of(where)
        stages[stage] = stages.get(stage, 0) + cost / profile.packets
        if verbose:
            print("    %-40s %-8s %7.2f" % (" ".join(filter(None, where)), stage, cost / profile.packets))
    stages["total"] = sum(v for k, v in stages.items() if k not in NOT_JUDGED)
    return stages


def allowed(stage, budget):
    return budget * TOLERANCE if stage == "total" else max(budget * TOLERANCE, budget + SLACK)


def over(stage, n, budget):
    return stage not in NOT_JUDGED and n > allowed(stage, budget.get(stage, 0))


def judge(args, load, budget):
    """Counts until nothing is over the budget, RUNS times at most; returns whether that came about."""
    least = {}
    for _ in range(RUNS):
        counted = count(args.bench, load, args.verbose)
        for stage, n in counted.items():
            least[stage] = min(n, least.get(stage, n))
        if not any(over(stage, n, budget) for stage, n in least.items()):
            break
    good = True
    for stage, n in sorted(least.items()):
        was = budget.get(stage, 0)
        if over(stage, n, budget):
            good = False
            print("FAILED budget %s, %s: %.2f instructions per packet, was %.2f, allowed %.2f; if it is worth "
                  "it: tests/perf/budget.py --record" % (load, stage, n, was, allowed(stage, was)), flush=True)
        elif stage not in NOT_JUDGED:
            print("passed budget %s, %s: %.2f instructions per packet, was %.2f"
                  % (load, stage, n, was), flush=True)
    return good


def record(args, load):
    most = {}
    for _ in range(RUNS):
        for stage, n in count(args.bench, load, args.verbose).items():
            most[stage] = max(n, most.get(stage, n))
    for stage, n in sorted(most.items()):
        print("%-12s %-8s %7.2f" % (load, stage, n), flush=True)
    return {stage: round(n, 2) for stage, n in most.items() if stage not in NOT_JUDGED}


def compilers(program):
    """Those that made it, by what they left in it; not to the package's revision."""
    done = subprocess.run(["readelf", "-p", ".comment", program], capture_output=True, text=True)
    lines = re.findall(r"\]\s+(\S.*)", done.stdout)
    return ", ".join(sorted({re.sub(r" \(.*\)", "", line) for line in lines}))


def what_built(build, bench):
    """What the counts depend on beside the sources."""
    done = subprocess.run(["meson", "introspect", build, "--buildoptions"], capture_output=True, text=True)
    options = {o["name"]: o["value"] for o in json.loads(done.stdout)} if done.returncode == 0 else {}
    names = ("march", "buildtype", "optimization", "b_ndebug", "b_lto", "b_pgo", "b_sanitize",
             "b_coverage", "c_args")
    return dict({"compiler": compilers(bench)}, **{name: options.get(name) for name in names})


def why_not(args, built, recorded):
    """Why nothing can be judged here, or None."""
    if platform.machine() != "x86_64":
        return "the counts were recorded on x86-64; this is %s" % platform.machine()
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    differs = [k for k in built if built[k] != recorded.get(k, built[k])]
    if differs and not args.record:
        return "this build differs from the recorded one: " + ", ".join(
            "%s %s, not %s" % (k, built[k], recorded[k]) for k in differs)
    return None


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--build", default=os.path.join(ROOT, "build"), help="build directory")
    p.add_argument("--record", action="store_true", help="write the present counts as the budget")
    p.add_argument("--load", action="append", choices=sorted(LOADS), help="only this one")
    p.add_argument("--verbose", action="store_true", help="show each source file")
    args = p.parse_args()
    args.bench = os.path.join(args.build, "tests", "perf", "bench_dp")
    with open(BUDGET, encoding="utf-8") as f:
        budget = json.load(f)
    built = what_built(args.build, args.bench)
    why = why_not(args, built, budget["built"])
    if why:
        print("skipped budget: " + why)
        return SKIPPED
    good = True
    for load in args.load or LOADS:
        try:
            if args.record:
                budget["loads"][load] = record(args, load)
            else:
                good &= judge(args, load, budget["loads"].get(load, {}))
        except RuntimeError as e:
            print("FAILED budget %s: %s" % (load, e))
            good = False
    if args.record and good:
        budget["built"] = built
        with open(BUDGET, "w", encoding="utf-8") as f:
            json.dump(budget, f, indent=2, sort_keys=True)
            f.write("\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
