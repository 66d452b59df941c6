# SPDX-License-Identifier: Apache-2.0
"""Two states of one switch in turn, so that a slow moment of the machine hits both."""
import os
import time

import openflow10


class Counter:
    """Packets that ports have sent, or received, together, asked for over one connection: a look
    takes no process.  The clock stands still while others have the PMD's core, which is no doing of
    the switch: the bench keeps its other threads away."""

    def __init__(self, sw, *ports, received=False, bridge="br0"):
        self.sw = sw
        self.of, self.ports = openflow10.Connection(os.path.join(sw.dir, bridge + ".mgmt")), ports
        self.read = openflow10.rx_packets if received else openflow10.tx_packets

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.of.sock.close()
        return False

    def look(self):
        """(moment in seconds, packets)."""
        before, waited = time.monotonic(), self.sw.pmd_waited()
        self.of.send(*(openflow10.port_stats(port) for port in self.ports))
        n = sum(self.read(self.of.wait_for(openflow10.STATS_REPLY)) for _ in self.ports)
        waited = (waited + self.sw.pmd_waited()) / 2
        return (before + time.monotonic()) / 2 - waited, n


class Windows:
    """The windows of one state: seconds and packets."""

    def __init__(self, counter):
        self.counter, self.begun, self.all = counter, None, []

    def __enter__(self):
        self.begun = self.counter.look()
        return self

    def __exit__(self, kind, *_exc):
        if kind is None:
            t, n = self.counter.look()
            self.all.append((t - self.begun[0], n - self.begun[1]))
        return False

    def rate(self, i=None):
        """Packets per second of the i-th window, or of all together."""
        some = self.all if i is None else [self.all[i]]
        return sum(n for _, n in some) / sum(t for t, _ in some)
