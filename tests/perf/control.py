#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of the control side: rules added, dumped and deleted; memory per rule.

control.py [--kind sluice|ovs] [--monitor] [--rules N] [--rounds N] [--json FILE] [--callgrind FILE]

No NIC, no traffic and no huge pages: the switch runs with dummy ports.  A step's figures are the best
of its rounds: seconds as the caller of the tool sees them, and the processor time that the daemon
took for it, all threads together, which hardly depends on what else the machine does.  'memory' is the
growth of the resident set over the rules added first, when allocators have nothing to give back.

--monitor adds that option, and with it the journal of flows, to compare with a run without.
--callgrind runs the daemon under callgrind and leaves the profile of everything in FILE; seconds
mean nothing then.  With --monitor each of its processes leaves a profile, FILE.PID.
"""
import argparse
import contextlib
import json
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "system")]
import switchlib  # noqa: E402
import traffic  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")


def daemon_pid(sw):
    return sw.proc.pid if sw.kind == "ovs" else sw.pid


def cpu_seconds(sw):
    """Processor time of the daemon so far."""
    with open("/proc/%d/stat" % daemon_pid(sw)) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident(sw):
    """Bytes of the daemon in memory."""
    with open("/proc/%d/statm" % daemon_pid(sw)) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Runs steps and keeps the best of each."""

    def __init__(self, sw):
        self.sw, self.figures = sw, {}

    def step(self, name, *args):
        cpu, start = cpu_seconds(self.sw), time.monotonic()
        self.sw.ofctl(*args, timeout=1800)
        took = time.monotonic() - start
        cpu = cpu_seconds(self.sw) - cpu
        best = self.figures.setdefault(name, {"seconds": took, "cpu": cpu})
        best["seconds"], best["cpu"] = min(best["seconds"], took), min(best["cpu"], cpu)


def measure(sw, path, n_rules, rounds):
    """All steps on a bridge with two dummy ports; {step: {seconds, cpu}, "memory": bytes a rule}."""
    sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
             "fail_mode=secure", timeout=120)
    sw.add_ports("br0", "p1", "p2")
    meter = Meter(sw)
    before = resident(sw)
    for i in range(rounds):
        meter.step("add-flows", "add-flows", "br0", path)
        if not i:
            meter.figures["memory"] = (resident(sw) - before) / n_rules
        meter.step("dump-flows", "--no-stats", "dump-flows", "br0")
        meter.step("del-flows", "del-flows", "br0")
        meter.step("bundle", "--bundle", "add-flows", "br0", path)
        meter.step("replace", "add-flows", "br0", path)
        meter.step("del-flows", "del-flows", "br0")
    return meter.figures


def show(figures):
    for name, f in figures.items():
        if name == "memory":
            print("%-12s %8.0f bytes a rule" % (name, f))
        else:
            print("%-12s %8.2f s %8.2f s of processor time" % (name, f["seconds"], f["cpu"]))


@contextlib.contextmanager
def switch(kind, callgrind, monitor):
    """A running switch; its daemon may be under callgrind."""
    args = ["--enable-dummy=override"] + ([] if kind == "ovs" else ["--disable-system"])
    args += ["--monitor"] if monitor else []
    with tempfile.TemporaryDirectory() as tmp:
        binary = None
        if callgrind:
            binary = os.path.join(tmp, "profiled")
            with open(binary, "w") as f:
                f.write("#!/bin/sh\nexec valgrind --tool=callgrind --callgrind-out-file='%s' '%s' "
                        '"$@"\n' % (os.path.abspath(callgrind) + (".%p" if monitor else ""),
                                     switchlib.SLUICED))
            os.chmod(binary, 0o755)
        sw = switchlib.Hermetic(kind, args, binary=binary)
        try:
            sw.start(timeout=120)
            if callgrind:  # valgrind cannot give DPDK the address space that it reserves
                sw.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                         "other_config:dpdk-extra=--no-huge -m 256")
            yield sw
        finally:
            sw.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--kind", choices=("sluice", "ovs"), default="sluice")
    p.add_argument("--monitor", action="store_true")
    p.add_argument("--rules", type=int, default=100000)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--json")
    p.add_argument("--callgrind")
    args = p.parse_args()
    with switch(args.kind, args.callgrind, args.monitor) as sw:
        path = os.path.join(sw.dir, "rules")
        with open(path, "w") as f:
            f.writelines(line + "\n" for line in traffic.acl(args.rules, "1", "2", 100000))
        figures = measure(sw, path, args.rules, args.rounds)
    show(figures)
    if args.json:
        with open(args.json, "w") as f:
            json.dump(figures, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
