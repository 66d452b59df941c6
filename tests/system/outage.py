# SPDX-License-Identifier: Apache-2.0
"""How long is the silence?  An echo request each millisecond from a host, and what came back when.

Run as a program inside a network namespace it pings its argument until its input ends, then prints
one line of JSON.  Outage is the handle on that for tests and for the bench.  The peer is whatever
answers pings: a namespace, a guest, testpmd in icmpecho mode.
"""
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

STEP_S = 0.001


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def request(ident, number):
    body = struct.pack("!HHQ", ident, number & 0xffff, number) + bytes(32)
    return struct.pack("!BBH", 8, 0, checksum(b"\x08\x00\x00\x00" + body)) + body


def probe(address):
    """Pings until standard input ends; the reply times are those of this process's clock."""
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.connect((address, 0))
    s.setblocking(False)
    ident = os.getpid() & 0xffff
    replies, sent, due = [], 0, time.monotonic()
    while True:
        now = time.monotonic()
        if now >= due:
            try:
                s.send(request(ident, sent))
                sent += 1
            except OSError:
                pass  # No answer to ARP, a link that is down: that is what is measured.
            due = max(due + STEP_S, now - 5 * STEP_S)
        ready = select.select([s, sys.stdin], [], [], max(0, due - time.monotonic()))[0]
        if s in ready:
            try:
                packet = s.recv(2048)
            except OSError:
                continue
            icmp = packet[(packet[0] & 15) * 4:]
            if icmp[0] == 0 and len(icmp) >= 16 and icmp[4:6] == struct.pack("!H", ident):
                replies.append((time.monotonic(), struct.unpack("!Q", icmp[8:16])[0]))
        if sys.stdin in ready and not os.read(0, 100):
            break
    return sent, replies


def report(sent, replies):
    """Silence is the longest time between two answers; lost is counted between the first and last."""
    gaps = [(b[0] - a[0], a[0]) for a, b in zip(replies, replies[1:])]
    silence, since = max(gaps, default=(float("inf"), 0))
    numbers = {n for _, n in replies}
    lost = max(numbers) - min(numbers) + 1 - len(numbers) if numbers else sent
    return {"sent": sent, "received": len(numbers), "lost": lost, "silence_ms": silence * 1e3,
            "since": since, "first": replies[0][0] if replies else None,
            "last": replies[-1][0] if replies else None}


class Outage:
    """Pings 'address' from Host 'host' until finish()."""

    def __init__(self, host, address):
        self.proc = host.popen([sys.executable, os.path.abspath(__file__), address],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def finish(self):
        """The measurement: {"silence_ms", "lost", "sent", "received", "since"...}."""
        out = self.proc.communicate(timeout=30)[0]
        return json.loads(out)

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()


if __name__ == "__main__":
    print(json.dumps(report(*probe(sys.argv[1]))))
