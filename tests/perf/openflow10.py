# SPDX-License-Identifier: Apache-2.0
"""As much OpenFlow 1.0 as it takes to change a rule, ask for a barrier and read a counter."""
import socket
import struct

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY = 0, 1, 2, 3
FLOW_MOD, STATS_REQUEST, STATS_REPLY, BARRIER_REQUEST, BARRIER_REPLY = 14, 16, 17, 18, 19
ALL_WILDCARDS, DL_TYPE, NW_SRC_SHIFT = 0x3FFFFF, 1 << 4, 8
ADD, DELETE_STRICT = 0, 4
PORT_STATS = 4
NO_BUFFER, NO_PORT = 0xFFFFFFFF, 0xFFFF


def message(kind, body=b"", xid=1):
    return struct.pack("!BBHI", 1, kind, 8 + len(body), xid) + body


def flow_mod(port):
    """Everything to 'port', in place of what the rule of that priority said."""
    match = struct.pack("!I", ALL_WILDCARDS) + bytes(36)
    return message(FLOW_MOD, match + change(ADD, port, 32768))


def network_flow_mod(address, bits, port, priority, command=ADD):
    """IPv4 from a network of 'bits' to 'port'; 'address' is a number."""
    wild = ALL_WILDCARDS & ~DL_TYPE & ~(0x3F << NW_SRC_SHIFT) | (32 - bits) << NW_SRC_SHIFT
    match = struct.pack("!I18xH4xI8x", wild, 0x0800, address)
    return message(FLOW_MOD, match + change(command, port, priority))


def change(command, port, priority):
    """A FLOW_MOD after its match."""
    return struct.pack("!QHHHHIHH", 0, command, 0, 0, priority, NO_BUFFER, NO_PORT, 0) + \
        struct.pack("!HHHH", 0, 8, port, 0)


def barrier():
    return message(BARRIER_REQUEST)


def port_stats(port):
    return message(STATS_REQUEST, struct.pack("!HHH6x", PORT_STATS, 0, port))


def rx_packets(reply):
    """Of a reply to port_stats()."""
    return struct.unpack_from("!Q", reply, 8 + 4 + 8)[0]


def tx_packets(reply):
    """Of a reply to port_stats()."""
    return struct.unpack_from("!Q", reply, 8 + 4 + 8 + 8)[0]


class Connection:
    """An OpenFlow session with a bridge's management socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(path)
        self.send(message(HELLO))
        self.wait_for(HELLO)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.sock.close()
        return False

    def send(self, *messages):
        self.sock.sendall(b"".join(messages))

    def _read(self, n):
        data = b""
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise ConnectionError("the switch closed the OpenFlow connection")
            data += more
        return data

    def wait_for(self, kind):
        """The next message of that kind, whole; echo requests are answered on the way."""
        while True:
            head = self._read(8)
            _, got, length, xid = struct.unpack("!BBHI", head)
            data = head + self._read(length - 8)
            if got == kind:
                return data
            if got == ERROR:
                raise ConnectionError("OpenFlow error %s" % data[8:12].hex())
            if got == ECHO_REQUEST:
                self.send(message(ECHO_REPLY, data[8:], xid))
