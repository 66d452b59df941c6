# SPDX-License-Identifier: Apache-2.0
"""Rows with a guest's stand-in: dpdk-testpmd's virtio_user on vhost-user ports.

All guests of a row are ports of one testpmd on core 0; processes that take turns on a core would lose
what comes while the other one runs.
"""
import os
import subprocess
import threading
import time

import rig
import rows_forward
from row import Metric, Row

LIMIT_S = 60
SOURCE = 100  # the traffic source's OpenFlow port: rules stand before it is there


class Testpmd:
    """testpmd on core 0, listening on the sockets, as long as the 'with' lasts.  In mode io ports
    forward in pairs: the first one to the second one and back, and so on."""

    def __init__(self, sw, mode, sockets):
        vdevs = []
        for i, path in enumerate(sockets):
            vdevs += ["--vdev", "net_virtio_user%d,path=%s,server=1,queue_size=1024" % (i, path)]
        self.proc = subprocess.Popen(
            ["dpdk-testpmd", "--lcores", "0@0,1@0", "--in-memory", "--single-file-segments",
             "--no-pci", "--no-telemetry", "--file-prefix", "b%d" % os.getpid(), "-m", "256",
             *vdevs, "--", "-i", "--total-num-mbufs=16384", "--forward-mode=" + mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=sw.env)
        self.text = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.command("start")

    def _read(self):
        for line in self.proc.stdout:
            self.text = (self.text + line)[-20000:]

    def command(self, *lines):
        for line in lines:
            self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def forward(self, mode):
        """Goes on in another mode."""
        self.command("stop", "set fwd " + mode, "start")

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        try:
            self.command("quit")
            self.proc.wait(10)
        except (subprocess.TimeoutExpired, OSError):
            self.proc.kill()
            self.proc.wait()
        self.reader.join(5)
        return False


def up(sw, guest, ports):
    """Waits until the guest's side of each port is there."""
    for port in ports:
        try:
            rig.switchlib.wait_for(lambda p=port: sw.get("Interface", p, "link_state") == "up", 30,
                                   "the link of " + port)
        except rig.switchlib.Failed as e:
            said = [line for line in guest.text.splitlines() if line.strip()][-1:]
            raise rig.switchlib.Failed("%s; testpmd's last words: %s" % (e, said)) from None


def through(sw, options, *ports):
    """What is sent to 'ports' in all, in Mpps, and the PMD's cycles for each packet that it receives:
    the best of some windows each."""
    def sent():
        return sum(sw.port_packets(port, "tx") for port in ports)
    begin = sent()
    rig.switchlib.wait_for(lambda: sent() > begin, 10, "packets to come through")
    rig.settle(sw, 10)
    seen = []
    for _ in range(options.windows):
        before, start = sent(), time.monotonic()
        window = rig.window(sw, options.seconds)
        rate = (sent() - before) / (time.monotonic() - start)
        if window:
            seen.append((rate, window))
    if not seen or not max(rate for rate, _ in seen):
        raise rig.switchlib.Failed("no packets come through")
    best = min((w for _, w in seen), key=lambda w: w["cycles"])
    return {"mpps": max(rate for rate, _ in seen) / 1e6, "cycles": best["cycles"],
            "hits": best["hits"]}


def begin(sw, options, n_guest_ports, rules, sink=False):
    """A bridge with ports vm1..., a sink 'dst' if any, and a source where a rule names it; returns
    the sockets."""
    sw.bridge()
    if sink:
        sw.sink()
    paths = [sw.vhost("vm%d" % (i + 1)) for i in range(n_guest_ports)]
    sw.rules(["in_port=%s,actions=output:%s" % rule for rule in rules])
    if any(SOURCE in rule for rule in rules):
        sw.source(rows_forward.pcap(options, 100), more=["ofport_request=%d" % SOURCE])
    return paths


def to_guest(sw, options):
    """pcap source -> vhost -> testpmd, which throws them away."""
    paths = begin(sw, options, 1, [(SOURCE, "vm1")])
    with Testpmd(sw, "rxonly", paths) as guest:
        up(sw, guest, ["vm1"])
        return through(sw, options, "vm1")


def pvp(sw, options):
    """pcap source -> vhost -> testpmd -> vhost -> null sink; testpmd hands frames on as they are,
    then with their addresses swapped, which makes it the slower of the two."""
    paths = begin(sw, options, 2, [(SOURCE, "vm1"), ("vm2", "dst")], sink=True)
    with Testpmd(sw, "io", paths) as guest:
        up(sw, guest, ["vm1", "vm2"])
        answer = through(sw, options, "dst")
        guest.forward("macswap")
        answer["macswap"] = through(sw, options, "dst")["mpps"]
        return answer


def pvvp(sw, options):
    """pcap source -> vhost -> first guest -> vhost -> vhost -> second guest -> vhost -> null sink."""
    paths = begin(sw, options, 4, [(SOURCE, "vm1"), ("vm2", "vm3"), ("vm4", "dst")], sink=True)
    with Testpmd(sw, "io", paths) as guest:
        up(sw, guest, ["vm1", "vm2", "vm3", "vm4"])
        return through(sw, options, "dst")


def guest_to_guest(sw, options):
    """testpmd -> vhost -> vhost -> testpmd, both ways."""
    paths = begin(sw, options, 2, [("vm1", "vm2"), ("vm2", "vm1")])
    with Testpmd(sw, "flowgen", paths) as guest:
        up(sw, guest, ["vm1", "vm2"])
        return through(sw, options, "vm1", "vm2")


def row(name, title, measure, mpps=None, cycles=None, more=(), takes=(8, 9)):
    """'mpps' and 'cycles' are (goal, what OVS-DPDK had), if there is a goal."""
    goals = {key: dict(zip(("goal", "ovs"), pair)) for key, pair in
             (("mpps", mpps or ()), ("cycles", cycles or ()))}
    return Row(name, [Metric("mpps", title + ": Mpps", "Mpps", best="high", digits=2,
                             **goals["mpps"]),
                      Metric("cycles", title + ": cycles per packet", **goals["cycles"]), *more],
               measure, limit=LIMIT_S, spare_mb=1536, takes=takes)


ROWS = [
    row("to-guest", "pcap to testpmd in rxonly", to_guest, cycles=(211, 264)),
    row("pvp", "pcap, testpmd io, null", pvp, mpps=(5.1, 5.1),
        more=[Metric("macswap", "pcap, testpmd macswap, null: Mpps", "Mpps", goal=5.8, best="high",
                     digits=2, ovs=5.8)], takes=(12, 13)),
    row("pvvp", "pcap, two guests (testpmd io), null", pvvp),
    row("guest-guest", "guest to guest (flowgen, both)", guest_to_guest),
]
