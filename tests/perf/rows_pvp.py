# SPDX-License-Identifier: Apache-2.0
"""Rows with a guest's stand-in: dpdk-testpmd's virtio_user on vhost-user ports."""
import os
import subprocess
import threading
import time

import rig
import rows_forward
from row import Metric, Row


class Testpmd:
    """testpmd on core 0, listening on the sockets, as long as the 'with' lasts."""

    def __init__(self, sw, mode, sockets, start="start"):
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
        self.command(start)

    def _read(self):
        for line in self.proc.stdout:
            self.text = (self.text + line)[-20000:]

    def command(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        try:
            self.command("quit")
            self.proc.wait(10)
        except (subprocess.TimeoutExpired, OSError):
            self.proc.kill()
            self.proc.wait()
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


def through(sw, options, port, direction):
    """The best rate of some windows, in Mpps, and the PMD's cycles per packet."""
    time.sleep(1)
    rate = max(sw.rate(port, direction, options.seconds) for _ in range(options.windows))
    best = rig.best(sw, options.windows, options.seconds)
    if not rate:
        raise rig.switchlib.Failed("no packets come through")
    return {"mpps": rate / 1e6, "cycles": best["cycles"], "hits": best["hits"]}


def to_guest(sw, options):
    """pcap source -> vhost -> testpmd, which throws them away."""
    sw.bridge()
    path = sw.vhost("vm1")
    sw.rules(["in_port=2,actions=output:1"])
    sw.source(rows_forward.pcap(options, 100))
    with Testpmd(sw, "rxonly", [path]) as guest:
        up(sw, guest, ["vm1"])
        return through(sw, options, "vm1", "tx")


def pvp(sw, options):
    """pcap source -> vhost -> testpmd -> vhost -> null sink."""
    sw.bridge()
    sw.sink()
    paths = [sw.vhost("vm1"), sw.vhost("vm2")]
    sw.rules(["in_port=4,actions=output:2", "in_port=3,actions=output:1"])
    sw.source(rows_forward.pcap(options, 100))
    with Testpmd(sw, "io", paths) as guest:
        up(sw, guest, ["vm1", "vm2"])
        return through(sw, options, "dst", "tx")


def guest_to_guest(sw, options):
    """testpmd -> vhost -> vhost -> testpmd, both ways."""
    sw.bridge()
    paths = [sw.vhost("vm1"), sw.vhost("vm2")]
    sw.rules(["in_port=1,actions=output:2", "in_port=2,actions=output:1"])
    with Testpmd(sw, "flowgen", paths) as guest:
        up(sw, guest, ["vm1", "vm2"])
        return through(sw, options, "vm2", "tx")


def row(name, title, measure):
    return Row(name, [Metric("mpps", title + ": Mpps", "Mpps", best="high", digits=2),
                      Metric("cycles", title + ": cycles per packet")], measure,
               spare_mb=1536, takes=(7, 8))


ROWS = [
    row("to-guest", "pcap to testpmd in rxonly", to_guest),
    row("pvp", "pcap, guest (testpmd io), null", pvp),
    row("guest-guest", "two guest ports (flowgen)", guest_to_guest),
]
