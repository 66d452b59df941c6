# SPDX-License-Identifier: Apache-2.0
"""A JSON-RPC client and two kinds of database servers, for the tests of src/ovsdb.

Server("sluice") is the test tool ovsdb_serve on a journal of its own; Server("stock") is
ovsdb-server of the machine's Open vSwitch.  Both live in a directory of their own.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build"))
SERVE = os.path.join(BUILD, "tests", "system", "ovsdb_serve")
SCHEMA = os.path.join(ROOT, "conf", "vswitch.ovsschema")
STOCK = shutil.which("ovsdb-server") or "/usr/sbin/ovsdb-server"


class Rpc:
    """A blocking client; notifications that arrive meanwhile are kept in .notes."""

    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.buf = ""
        self.next_id = 0
        self.notes = []
        self.replies = {}

    def close(self):
        self.sock.close()

    def send(self, method, params, msg_id=None):
        if msg_id is None:
            self.next_id += 1
            msg_id = self.next_id
        self.raw(json.dumps({"method": method, "params": params, "id": msg_id}))
        return msg_id

    def notify(self, method, params):
        self.raw(json.dumps({"method": method, "params": params, "id": None}))

    def raw(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def recv(self):
        """The next message."""
        decoder = json.JSONDecoder()
        while True:
            self.buf = self.buf.lstrip()
            try:
                msg, end = decoder.raw_decode(self.buf)
                self.buf = self.buf[end:]
                return msg
            except ValueError:
                pass
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError("server closed the connection")
            self.buf += data.decode()

    def wait_reply(self, msg_id):
        while msg_id not in self.replies:
            msg = self.recv()
            if msg.get("method"):
                if msg["method"] == "echo":
                    self.raw(json.dumps({"result": msg["params"], "error": None, "id": msg["id"]}))
                else:
                    self.notes.append(msg)
            else:
                self.replies[msg["id"]] = msg
        return self.replies.pop(msg_id)

    def call(self, method, params):
        """(result, error)"""
        msg = self.wait_reply(self.send(method, params))
        return msg.get("result"), msg.get("error")

    def transact(self, *ops, db="Open_vSwitch"):
        result, error = self.call("transact", [db] + list(ops))
        assert error is None, error
        return result

    def take_notes(self):
        """All notifications so far, by kind; an echo behind them makes sure that they are here."""
        self.call("echo", ["sync"])
        notes, self.notes = self.notes, []
        return sorted(notes, key=lambda note: note["method"])


class Server:
    def __init__(self, kind="sluice", schema=SCHEMA, directory=None, args=(), start=True,
                 remotes=("db:Open_vSwitch,Open_vSwitch,manager_options",)):
        self.kind = kind
        self.own_dir = directory is None
        self.dir = directory or tempfile.mkdtemp(prefix="sluice-ovsdb-")
        self.schema = schema
        self.args = list(args)
        self.remotes = list(remotes)
        self.sock = os.path.join(self.dir, "db.sock")
        self.journal = os.path.join(self.dir, "conf.db")
        self.log = os.path.join(self.dir, "server.log")
        self.env = dict(os.environ, OVS_RUNDIR=self.dir, OVS_DBDIR=self.dir, OVS_LOGDIR=self.dir,
                        OVS_SYSCONFDIR=self.dir)
        self.process = None
        if start:
            self.start()

    def start(self, wait=True):
        remote = f"punix:{self.sock}"
        if self.kind == "sluice":
            command = [SERVE] + self.args + [self.journal, remote] + self.remotes
        else:
            if not os.path.exists(self.journal):
                subprocess.run(["ovsdb-tool", "create", self.journal, self.schema], check=True)
            command = [STOCK, self.journal, f"--remote={remote}", "--no-chdir"] + self.args
            command += [f"--remote={r}" for r in self.remotes]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=self.env)
        if wait:
            self.wait_up()
        return self

    def wait_up(self, timeout=10):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"server ended: {self.read_log()}")
            try:
                Rpc(self.sock).close()
                return
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"server does not answer: {self.read_log()}")

    def read_log(self):
        with open(self.log) as f:
            return f.read()

    def stop(self, sig=signal.SIGTERM):
        """Ends the server and returns its exit status."""
        if self.process is None:
            return None
        self.process.send_signal(sig)
        status = self.process.wait(10)
        self.process = None
        if sig == signal.SIGKILL and os.path.exists(self.sock):
            os.unlink(self.sock)
        return status

    def close(self):
        status = self.stop()
        log = self.read_log() if os.path.exists(self.log) else ""
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        # Sanitizers report leaks by the exit status.
        if self.kind == "sluice" and status:
            raise RuntimeError(f"server ended with status {status}: {log[-3000:]}")

    def rpc(self, timeout=10):
        return Rpc(self.sock, timeout)

    def vsctl(self, *args, check=True, timeout=10):
        """Standard output of ovs-vsctl, which does not wait for a switch."""
        return self.tool("ovs-vsctl", f"--db=unix:{self.sock}", f"--timeout={timeout}",
                         "--no-wait", *args, check=check)

    def tool(self, *command, check=True):
        done = subprocess.run(command, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.stderr} {done.stdout}")
        return done.stdout


def norm(value):
    """JSON with sets and maps in one order, for comparison."""
    if isinstance(value, list):
        if len(value) == 2 and value[0] in ("set", "map") and isinstance(value[1], list):
            return [value[0], sorted((norm(v) for v in value[1]), key=json.dumps)]
        return [norm(v) for v in value]
    if isinstance(value, dict):
        return {k: norm(v) for k, v in sorted(value.items())}
    if isinstance(value, float) and value == int(value):
        return int(value)
    return value
