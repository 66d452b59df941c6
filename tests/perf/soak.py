#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""soak.py [MINUTES]: does the daemon grow?  A long run with little traffic and much coming and going.

Every second: frames with new addresses, super-frames and pings; every ten seconds a guest that leaves
and comes back, ports, flows and a bridge that are made and removed.  Half a minute apart its memory,
descriptors and threads are noted.  The exit status is 1 when memory at the end is above the most that
the second quarter saw by more than ALLOWANCE, or descriptors or threads have become more.
The first quarter is for tables and pools that fill up.
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
import switchlib  # noqa: E402
import test_vhost_protocol as protocol  # noqa: E402
from vhost_frontend import Driver  # noqa: E402

ALLOWANCE_KB = 2048
SAMPLE_S, CHURN_S = 30, 10


def sample(pid):
    status = {}
    with open("/proc/%d/status" % pid) as f:
        for line in f:
            key, _, value = line.partition(":")
            status[key] = value.split()
    return {"rss": int(status["VmRSS"][0]), "anon": int(status["RssAnon"][0]),
            "threads": int(status["Threads"][0]), "fds": len(os.listdir("/proc/%d/fd" % pid))}


class Load:
    def __init__(self, sw):
        self.sw, self.n, self.sent, self.came = sw, 0, 0, 0
        sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                 "other_config:userspace-tso-enable=true", "other_config:pmd-sleep-max=5000",
                 "other_config:pmd-maxsleep=5000", "other_config:max-idle=2000")
        sw.add_bridge("br0")
        self.paths = [protocol.add_server(sw, name) for name in ("a", "b", "c")]
        self.drivers = [Driver(p, features=protocol.OFFLOADS) for p in self.paths]
        self.hosts = [sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i) for i in (1, 2)]

    def second(self):
        a, b = self.drivers[:2]
        for k in range(50):
            self.n += 1
            src = b"\2" + self.n.to_bytes(5, "big")
            a.send(protocol.ether(src=src, payload=src.ljust(60)))
        a.send(protocol.tcp(os.urandom(20000), whole=False), header=protocol.super_header(False))
        self.sent += 51
        time.sleep(0.3)
        self.came += sum(len(d.receive()) for d in (b, self.drivers[2]))
        a.receive()
        self.hosts[0].ping("10.1.0.2", count=2)

    def churn(self):
        self.drivers[2].close()
        self.drivers[2] = Driver(self.paths[2], features=protocol.OFFLOADS)
        self.sw.vsctl("add-br", "tmp", "--", "set", "bridge", "tmp", "datapath_type=netdev")
        self.sw.vsctl("add-port", "br0", "t0", "--", "set", "Interface", "t0",
                      "type=dpdkvhostuserclient",
                      "options:vhost-server-path=%s/none.sock" % self.sw.dir)
        flows = "\n".join("table=1,tcp,tp_dst=%d,actions=drop" % p for p in range(1000, 1200))
        self.sw.ofctl("add-flows", "br0", "-", input=flows)
        self.sw.ofctl("del-flows", "br0", "table=1")
        self.sw.vsctl("del-br", "tmp", "--", "del-port", "t0")

    def close(self):
        for x in self.drivers + self.hosts:
            x.close()


def verdict(samples):
    quarter = max(1, len(samples) // 4)
    settled, last = samples[quarter:2 * quarter] or samples[:1], samples[-1]
    bad = []
    if last["anon"] > max(s["anon"] for s in settled) + ALLOWANCE_KB:
        bad.append("memory")
    bad += [k for k in ("fds", "threads") if last[k] > max(s[k] for s in settled)]
    return bad


def main():
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    os.nice(19)
    sw = switchlib.Switch()
    load, samples = None, []
    try:
        sw.start()
        load = Load(sw)
        start = time.monotonic()
        next_sample = next_churn = start
        while time.monotonic() < start + 60 * minutes:
            load.second()
            now = time.monotonic()
            if now >= next_churn:
                load.churn()
                next_churn = now + CHURN_S
            if now >= next_sample:
                samples.append(sample(sw.pid))
                print("%6.0f s  rss %d kB  anonymous %d kB  %d descriptors  %d threads  "
                      "%d frames sent, %d came" % (now - start, samples[-1]["rss"],
                                                   samples[-1]["anon"], samples[-1]["fds"],
                                                   samples[-1]["threads"], load.sent, load.came),
                      flush=True)
                next_sample = now + SAMPLE_S
            time.sleep(0.5)
        samples.append(sample(sw.pid))
        grown, alarms = verdict(samples), sw.alarms()
        print("".join(alarms[-20:]))
        print("grown: %s; %d lines of WARN or worse" % (", ".join(grown) or "nothing", len(alarms)))
        return 1 if grown else 0
    finally:
        if load:
            load.close()
        sw.close()


if __name__ == "__main__":
    sys.exit(main())
