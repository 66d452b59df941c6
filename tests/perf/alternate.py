# SPDX-License-Identifier: Apache-2.0
"""Two states of one switch in turn, so that a slow moment of the machine hits both."""
import os
import time

import openflow10


RAN_LAGS_S = 0.01  # the kernel writes down what a thread ran with its clock's ticks


class Look:
    """What a look saw: a moment, the seconds for which the PMD had waited for its core and those for
    which it had run by then, and packets."""

    def __init__(self, moment, waited, ran, packets):
        self.moment, self.waited, self.ran, self.packets = moment, waited, ran, packets

    def since(self, other):
        """(seconds, packets) from the look 'other' to this one.  The clock stands still while others
        have the PMD's core, which is no doing of the switch: the bench keeps its other threads away.
        The kernel counts a wait when it is over, in full, also where it began before 'other'; so a
        wait is not longer than what the PMD did not run within the window."""
        took, waited = self.moment - other.moment, max(0, self.waited - other.waited)
        off = min(took, max(0, took - (self.ran - other.ran)))
        if waited > off + RAN_LAGS_S:
            waited = off
        return took - waited, self.packets - other.packets


class Counter:
    """Packets that ports have sent, or received, together, asked for over one connection: a look
    takes no process."""

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
        """A Look; of the time that it takes itself, the middle."""
        before, pmd = time.monotonic(), self.sw.pmd_times()
        self.of.send(*(openflow10.port_stats(port) for port in self.ports))
        n = sum(self.read(self.of.wait_for(openflow10.STATS_REPLY)) for _ in self.ports)
        ran, waited = ((a + b) / 2 for a, b in zip(pmd, self.sw.pmd_times()))
        return Look((before + time.monotonic()) / 2, waited, ran, n)


class Windows:
    """The windows of one state: seconds and packets."""

    def __init__(self, counter):
        self.counter, self.begun, self.all = counter, None, []

    def __enter__(self):
        self.begun = self.counter.look()
        return self

    def __exit__(self, kind, *_exc):
        if kind is None:
            self.all.append(self.counter.look().since(self.begun))
        return False

    def rate(self, i=None):
        """Packets per second of the i-th window, or of all together."""
        some = self.all if i is None else [self.all[i]]
        seconds = sum(t for t, _ in some)
        return sum(n for _, n in some) / seconds if seconds else 0
