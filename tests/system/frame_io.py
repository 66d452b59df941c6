# SPDX-License-Identifier: Apache-2.0
"""Helper process of oracle.Lab: sends frames on e1..eN and collects what comes back out.

Reads one JSON job a line: {"gap": seconds, "frames": [[port, hex]...], "control": [path, command]};
answers one line with the frames received until it has been quiet for a while: [[port, hex]...].
With a control socket, the next frame waits until flows have counted the one before; 'command' brings
their counters up to date.
"""
import json
import re
import select
import socket
import struct
import sys
import time

QUIET = 0.25
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 8, 23, 33


def open_port(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((name, 3))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setblocking(False)
    return s


def receive(s):
    """One frame with the VLAN tag that the kernel took out put back."""
    data, aux, _, _ = s.recvmsg(65536, 128)
    for level, kind, value in aux:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", value[:20])
            if status & 0x10:
                tpid = tpid if status & 0x40 else 0x8100
                data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data


class Settler:
    """Asks a switch by its control socket whether it has dealt with a frame, and learned from it."""

    def __init__(self, path, refresh):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(path)
        self.refresh, self.n_requests = refresh, 0
        self.n_packets = self.packets()

    def ask(self, method, *params):
        self.n_requests += 1
        self.sock.sendall(json.dumps({"id": self.n_requests, "method": method,
                                      "params": params}).encode())
        text = ""
        while True:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError("the switch closed its control socket")
            text += data.decode()
            try:
                return json.loads(text)["result"]
            except ValueError:
                pass

    def packets(self):
        """How many the flows of br0 have had."""
        self.ask(self.refresh)
        return sum(map(int, re.findall(r"n_packets=(\d+)", self.ask("bridge/dump-flows", "br0"))))

    def settle(self):
        end = time.monotonic() + 1  # what is malformed is not counted
        before = self.n_packets
        while self.n_packets == before and time.monotonic() < end:
            self.n_packets = self.packets()


def main():
    socks = [open_port("e%d" % i) for i in range(1, int(sys.argv[1]) + 1)]
    number = {s.fileno(): i for i, s in enumerate(socks, 1)}
    for line in sys.stdin:
        job, got = json.loads(line), []
        settler = Settler(*job["control"]) if job.get("control") else None

        def drain(wait):
            ready = select.select(socks, [], [], wait)[0]
            for s in ready:
                try:
                    while True:
                        got.append((number[s.fileno()], receive(s).hex()))
                except BlockingIOError:
                    pass
            return bool(ready)

        for port, frame in job["frames"]:
            socks[port - 1].send(bytes.fromhex(frame))
            drain(0)
            if settler:
                settler.settle()
            if job["gap"]:
                end = time.monotonic() + job["gap"]
                while time.monotonic() < end:
                    drain(job["gap"] / 4)
        while drain(QUIET):
            pass
        print(json.dumps(got), flush=True)


if __name__ == "__main__":
    main()
