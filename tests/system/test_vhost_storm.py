# SPDX-License-Identifier: Apache-2.0
"""Front-ends that come, go and stop their rings without a pause, while ports or the switch are exchanged; two
honest guests keep their connections."""
import os
import random
import struct
import threading
import time

import pytest

import vhost_frontend as vf
from switchlib import Failed, wait_for
from test_vhost_relay import SOON_S, add_ports, exchange, is_open, made, switch  # noqa: F401
from vhost_frontend import Driver, Frontend

SECONDS = float(os.environ.get("TORTURE_SECONDS", "4"))


class Restless(threading.Thread):
    """Connects to a server port again and again."""

    def __init__(self, path, seed):
        super().__init__()
        self.path, self.rng, self.over = path, random.Random(seed), False
        self.start()

    def run(self):
        while not self.over:
            try:
                self.rng.choice((self.half, self.whole, self.whole))()
            except (OSError, TypeError, struct.error, Failed):
                time.sleep(0.01)  # there is no port, or it has ended the connection

    def half(self):
        fe = Frontend(self.path)
        fe.s.send(struct.pack("<II", self.rng.choice((1, 5, 8)), 1))
        time.sleep(0.02 * self.rng.random())
        fe.close()

    def whole(self):
        d = Driver(self.path, features=self.rng.choice(((), (vf.PACKED,), (vf.MQ,))))
        try:
            for _ in range(self.rng.randrange(12)):
                ring = self.rng.choice(d.rings)
                self.rng.choice((lambda: d.enable(ring.index, self.rng.random() < 0.5),
                                 lambda: d.fe.ask(vf.GET_VRING_BASE, struct.pack("<II", ring.index, 0)),
                                 lambda: d._set_up(ring),
                                 lambda: d.set_memory([(0, d.size, d.fd)])))()
        finally:
            d.close()


@pytest.mark.parametrize("what", ("ports", "switch"))
def test_storm(made, what):  # noqa: F811
    sw = switch(made)
    a, b = add_ports(sw, made)
    names = ["h%d" % i for i in range(4)]

    def add(name):
        sw.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dpdkvhostuser")

    for name in names:
        add(name)
    seed = random.randrange(1 << 30)
    print("seed", seed)
    restless = [Restless("%s/%s" % (sw.dir, name), seed + i) for i, name in enumerate(names)]
    try:
        end = time.monotonic() + SECONDS
        for turn in range(1000):
            if what == "ports":
                name = names[turn % len(names)]
                sw.vsctl("del-port", name)
                add(name)
            else:
                sw.take_over()
                wait_for(lambda: all(sw.get("Interface", v, "link_state") == "up" for v in ("v0", "v1")), SOON_S,
                         "the guests")
            exchange(a, b, 100 * turn)
            if time.monotonic() > end:
                break
    finally:
        for r in restless:
            r.over = True
        for r in restless:
            r.join()
    assert is_open(a) and is_open(b) and sw.proc.poll() is None
