# SPDX-License-Identifier: Apache-2.0
"""A bare OpenFlow peer of any version, for what the stock tools cannot say or do not show."""
import socket
import struct

OF10, OF11, OF12, OF13, OF14, OF15 = 1, 2, 3, 4, 5, 6
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, EXPERIMENTER = 0, 1, 2, 3, 4
FEATURES_REQUEST, FEATURES_REPLY, GET_CONFIG, SET_CONFIG = 5, 6, 7, 9
PACKET_IN, FLOW_REMOVED, PORT_STATUS, PACKET_OUT, FLOW_MOD = 10, 11, 12, 13, 14
NX, ONF = 0x2320, 0x4F4E4600
NO_BUFFER, ANY = 0xFFFFFFFF, 0xFFFFFFFF


def barrier_request(version):
    return 18 if version == OF10 else 20


def multipart_request(version):
    return 16 if version == OF10 else 18


def message(version, kind, body=b"", xid=1, length=None):
    return struct.pack("!BBHI", version, kind, length or 8 + len(body), xid) + body


def experimenter(version, subtype, body=b"", vendor=NX, xid=1):
    return message(version, EXPERIMENTER, struct.pack("!II", vendor, subtype) + body, xid)


def multipart(version, kind, body=b"", xid=1, flags=0):
    head = struct.pack("!HH", kind, flags) + (b"" if version == OF10 else bytes(4))
    return message(version, multipart_request(version), head + body, xid)


def oxm_match(fields=b""):
    body = struct.pack("!HH", 1, 4 + len(fields)) + fields
    return body + bytes(-len(body) % 8)


def oxm(field, value, oxm_class=0x8000):
    return struct.pack("!HBB", oxm_class, field << 1, len(value)) + value


def output(version, port, max_len=0xFFFF):
    if version == OF10:
        return struct.pack("!HHHH", 0, 8, port, max_len)
    port = port | 0xFFFF0000 if port >= 0xFF00 else port
    return struct.pack("!HHIH6x", 0, 16, port, max_len)


def nx_action(subtype, body=b""):
    size = 10 + len(body)
    size += -size % 8
    return (struct.pack("!HHIH", 0xFFFF, size, NX, subtype) + body).ljust(size, b"\0")


def flow_mod(version, actions=b"", command=0, priority=1, table=0, fields=b"", cookie=0, flags=0,
             instructions=None, xid=1, idle=0, hard=0):
    """A flow-mod; from OpenFlow 1.3 on 'fields' is its match and 'actions' are applied."""
    if version == OF10:
        match = fields or struct.pack("!I", (1 << 22) - 1) + bytes(36)
        body = match + struct.pack("!QHHHHIHH", cookie, command, idle, hard, priority, NO_BUFFER,
                                   0xFFFF, flags) + actions
    else:
        if instructions is None:
            instructions = struct.pack("!HH4x", 4, 8 + len(actions)) + actions if actions else b""
        body = struct.pack("!QQBBHHHIIIHH", cookie, 0, table, command, idle, hard, priority,
                           NO_BUFFER, ANY, ANY, flags, 0)
        body += oxm_match(fields) + instructions
    return message(version, FLOW_MOD, body, xid)


def packet_out(version, actions, frame, in_port=0xFFFD, xid=1):
    if version == OF10:
        head = struct.pack("!IHH", NO_BUFFER, in_port, len(actions))
    else:
        port = in_port | 0xFFFF0000 if in_port >= 0xFF00 else in_port
        if version >= OF15:
            head = struct.pack("!IHH", NO_BUFFER, len(actions), 0)
            head += oxm_match(oxm(0, struct.pack("!I", port)))
        else:
            head = struct.pack("!IIH6x", NO_BUFFER, port, len(actions))
    return message(version, PACKET_OUT, head + actions + frame, xid)


class Peer:
    """One connection: what comes is cut into messages; 'answers' waits for a barrier."""

    def __init__(self, path_or_socket, version=OF13, timeout=10):
        if isinstance(path_or_socket, str):
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(timeout)
            self.s.connect(path_or_socket)
        else:
            self.s = path_or_socket
            self.s.settimeout(timeout)
        self.version, self.data = version, b""
        self.send(message(version, HELLO))
        hello = self.receive()
        assert hello and hello[1] == HELLO, hello

    def send(self, data):
        self.s.sendall(data)

    def receive(self):
        """(version, type, xid, body) of the next message, or None at the end of the connection."""
        while True:
            if len(self.data) >= 8:
                version, kind, length, xid = struct.unpack("!BBHI", self.data[:8])
                if len(self.data) >= length:
                    body, self.data = self.data[8:length], self.data[length:]
                    return version, kind, xid, body
            try:
                got = self.s.recv(1 << 20)
            except ConnectionError:
                return None
            if not got:
                return None
            self.data += got

    def wait(self, kind):
        """The body of the next message of 'kind'; answers probes, passes over all else."""
        while True:
            m = self.receive()
            assert m, "the connection ended"
            if m[1] == ECHO_REQUEST:
                self.send(message(m[0], ECHO_REPLY, m[3], m[2]))
            elif m[1] == kind:
                return m[3]

    def answers(self, *messages, xid=0xBA):
        """What comes back for 'messages' before the answer to a barrier; None: hung up."""
        request = barrier_request(self.version)
        try:
            self.send(b"".join(messages) + message(self.version, request, xid=xid))
        except ConnectionError:
            return None
        got = []
        while True:
            m = self.receive()
            if m is None:
                return None
            if m[1:3] == (request + 1, xid):
                return got
            if m[1] != ECHO_REQUEST:
                got.append(m)

    def errors(self, *messages):
        """(type, code) of each error that 'messages' get; None: hung up."""
        got = self.answers(*messages)
        return got if got is None else [struct.unpack("!HH", m[3][:4]) for m in got if m[1] == ERROR]

    def close(self):
        self.s.close()
