# SPDX-License-Identifier: Apache-2.0
"""Which server of the database the switch talks to: clusters of one member and of three, servers that say
that they are cut off, several remotes, old servers, hosts by their names."""
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from ovsdb_lib import SCHEMA, SERVE, STOCK, Server
from switchlib import close_all, wait_for

pytestmark = pytest.mark.rootless


class Client:
    """ovsdb_serve as the switch: copies next_cfg to cur_cfg."""

    def __init__(self, remote, directory, *options):
        self.log = os.path.join(directory, "client.log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen([SERVE, "--client", remote, "--echo-cfg", *options],
                                            stdout=log, stderr=log,
                                            env=dict(os.environ, OVS_RUNDIR=str(directory)))

    def read_log(self):
        with open(self.log) as f:
            return f.read()

    def close(self):
        self.process.terminate()
        assert self.process.wait(10) == 0, self.read_log()


class Member:
    """A server of a cluster, with a directory of its own."""

    def __init__(self, directory, name, join=None):
        self.dir = str(directory)
        self.raft = "unix:%s/%s.raft" % (self.dir, name)
        self.sock = "%s/%s.sock" % (self.dir, name)
        self.db, self.ctl = self.sock[:-5] + ".db", self.sock[:-5] + ".ctl"
        tool = (["create-cluster", self.db, SCHEMA, self.raft] if join is None
                else ["join-cluster", self.db, "Open_vSwitch", self.raft, join.raft])
        subprocess.run(["ovsdb-tool"] + tool, check=True, timeout=20)
        self.process = subprocess.Popen(
            [STOCK, self.db, "--remote=punix:" + self.sock, "--unixctl=" + self.ctl,
             "-vconsole:off"], env=dict(os.environ, OVS_RUNDIR=self.dir), cwd=self.dir)
        if join is None:
            subprocess.run(["ovsdb-client", "--timeout=20", "wait", "unix:" + self.sock,
                            "Open_vSwitch", "connected"], check=True)

    def is_leader(self):
        out = subprocess.run(["ovs-appctl", "-t", self.ctl, "cluster/status", "Open_vSwitch"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                             timeout=20, check=False).stdout
        return "Role: leader" in out

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


@pytest.fixture
def things():
    """What is closed at the end, the last one first."""
    made = []

    def add(thing):
        made.append(thing)
        return thing

    yield add
    close_all(made)


def vsctl(remote, *args, wait=True):
    """ovs-vsctl, which waits for the switch unless told not to."""
    done = subprocess.run(["ovs-vsctl", "--db=" + remote, "--timeout=30"] +
                          ([] if wait else ["--no-wait"]) + list(args), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_cluster_of_one(things, tmp_path):
    member = things(Member(tmp_path, "a"))
    vsctl("unix:" + member.sock, "init", wait=False)
    client = things(Client("unix:" + member.sock, tmp_path))
    vsctl("unix:" + member.sock, "add-br", "br0")
    assert "WARN" not in client.read_log() and "ERR" not in client.read_log()


def test_the_leader_of_three_is_followed(things, tmp_path):
    first = things(Member(tmp_path, "a"))
    members = [first] + [things(Member(tmp_path, name, first)) for name in "bc"]
    for m in members[1:]:
        subprocess.run(["ovsdb-client", "--timeout=20", "wait", "unix:" + m.sock, "Open_vSwitch",
                        "connected"], check=True)
    # Followers first, so that they have to be passed by.
    remote = ",".join("unix:" + m.sock for m in reversed(members))
    vsctl(remote, "init", wait=False)
    client = things(Client(remote, tmp_path))
    vsctl(remote, "add-br", "br0")
    assert "it is not the leader" in client.read_log()
    first.close()
    wait_for(lambda: any(m.is_leader() for m in members[1:]), 60, "another leader")
    vsctl(remote, "add-br", "br1")
    assert vsctl(remote, "list-br").split() == ["br0", "br1"]


class Pretender:
    """Passes what a client says to a server, but answers for "_Server" itself."""

    def __init__(self, path, server, answer):
        self.server, self.answer = server, answer
        self.asked = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(4)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.server)
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        text = ""
        try:
            while True:
                data = client.recv(1 << 16)
                if not data:
                    break
                text += data.decode()
                while text:
                    try:
                        msg, end = json.JSONDecoder().raw_decode(text)
                    except ValueError:
                        break
                    text = text[end:]
                    self._take(msg, client, server)
        except OSError:
            pass
        for s in (client, server):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _take(self, msg, client, server):
        if "method" in msg:
            self.asked.append(msg["method"])
        if msg.get("params", [None])[:1] == ["_Server"]:
            result, error = self.answer(msg["method"])
            client.sendall(json.dumps({"id": msg["id"], "result": result,
                                       "error": error}).encode())
        else:
            server.sendall(json.dumps(msg).encode())

    @staticmethod
    def _pump(source, target):
        try:
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                target.sendall(data)
        except OSError:
            pass

    def close(self):
        self.listener.close()


@pytest.fixture
def server(things):
    s = things(Server("stock"))
    s.vsctl("init")
    return s


def self_schema(*columns):
    types = {"name": {"type": "string"}, "model": {"type": "string"},
             "connected": {"type": "boolean"}, "leader": {"type": "boolean"}}
    return {"name": "_Server", "version": "1.0.0",
            "tables": {"Database": {"columns": {c: types[c] for c in columns}}}}


def says(schema, row):
    """The answers of a server with one row of Database."""
    rows = {"Database": {"00000000-0000-4000-8000-000000000001": {"initial": row}}}
    return lambda method: (schema if method == "get_schema" else rows, None)


UNKNOWN = {"error": "unknown database", "details": "get_schema request specifies unknown database"}
ALL = ("name", "model", "connected", "leader")


@pytest.mark.parametrize("answer", [
    lambda method: (None, UNKNOWN),
    lambda method: (self_schema(*ALL), None) if method == "get_schema" else (None, UNKNOWN),
    lambda method: ({"name": "_Server", "version": "1.0.0", "tables": {}}, None),
    says(self_schema("name"), {"name": "Open_vSwitch"}),
    says(self_schema(*ALL), {"name": "Open_vSwitch", "model": "relay", "connected": True}),
], ids=["no _Server", "no monitor_cond", "no table", "no columns", "relay"])
def test_servers_that_are_used(things, server, tmp_path, answer):
    path = str(tmp_path / "odd.sock")
    things(Pretender(path, server.sock, answer))
    things(Client("unix:" + path, tmp_path))
    vsctl("unix:" + server.sock, "add-br", "br0")


@pytest.mark.parametrize("row", [
    {"name": "Open_vSwitch", "model": "relay"},
    {"name": "Open_vSwitch", "model": "clustered", "leader": True},
    {"name": "Open_vSwitch", "model": "clustered", "connected": True},
    {"name": "Other", "model": "standalone", "connected": True},
], ids=["cut off relay", "cut off", "follower", "another database"])
def test_servers_that_are_passed_by(things, server, tmp_path, row):
    path = str(tmp_path / "odd.sock")
    odd = things(Pretender(path, server.sock, says(self_schema(*ALL), row)))
    client = things(Client("unix:%s,unix:%s" % (path, server.sock), tmp_path))
    vsctl("unix:" + server.sock, "add-br", "br0")
    # Neither the lock nor the contents were asked of it.
    assert set(odd.asked) <= {"get_schema", "monitor_cond", "set_db_change_aware"}
    assert "monitor_cond" in odd.asked
    assert "WARN" not in client.read_log()


def test_the_next_server_when_one_is_gone(things, server, tmp_path):
    """Two ways to one server: when the first ends, the second is taken."""
    path = str(tmp_path / "way.sock")
    subprocess.run(["ovs-appctl", "-t", find_ctl(server), "ovsdb-server/add-remote",
                    "punix:" + path], check=True, env=server.env)
    client = things(Client("unix:%s,unix:%s" % (path, server.sock), tmp_path))
    vsctl("unix:" + server.sock, "add-br", "br0")
    assert path + ": connected" in client.read_log()
    subprocess.run(["ovs-appctl", "-t", find_ctl(server), "ovsdb-server/remove-remote",
                    "punix:" + path], check=True, env=server.env)
    vsctl("unix:" + server.sock, "add-br", "br1")
    assert server.sock + ": connected" in client.read_log()


def find_ctl(server):
    return next(os.path.join(server.dir, f) for f in os.listdir(server.dir) if f.endswith(".ctl"))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def test_a_host_by_its_name(things, tmp_path):
    port = free_port()
    server = things(Server("stock", remotes=["ptcp:%d:127.0.0.1" % port]))
    server.vsctl("init")
    things(Client("tcp:localhost:%d" % port, tmp_path))
    vsctl("unix:" + server.sock, "add-br", "br0")
    server.stop(signal.SIGKILL)
    server.start()
    vsctl("unix:" + server.sock, "add-br", "br1")


def test_keys_that_come_later(things, tmp_path):
    """Whoever puts them in place need not be there before the switch."""
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    port = free_port()
    client = things(Client("ssl:localhost:%d" % port, tmp_path, "--private-key=" + key,
                           "--certificate=" + cert, "--ca-cert=" + cert))
    wait_for(lambda: "|ERR|ssl:localhost:%d: private key %s" % (port, key) in client.read_log(), 20,
             "the error about the key")
    # One that is its own authority, for both ends.
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key + ".new", "-out", cert,
                    "-subj", "/CN=both", "-days", "2"], check=True, timeout=60,
                   stderr=subprocess.DEVNULL)
    os.rename(key + ".new", key)
    server = things(Server("stock", remotes=["pssl:%d:127.0.0.1" % port],
                           args=["--private-key=" + key, "--certificate=" + cert,
                                 "--ca-cert=" + cert]))
    server.vsctl("init")
    vsctl("unix:" + server.sock, "add-br", "br0")
    assert "ssl:localhost:%d: connected" % port in client.read_log()


def test_a_manager_by_its_name(things):
    """The database that the switch serves itself goes out to clients that listen."""
    server = things(Server("sluice"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        name = "tcp:localhost:%d" % listener.getsockname()[1]
        server.vsctl("init", "--", "set-manager", "tcp:nosuch.invalid:1", name)
        conn = listener.accept()[0]
        conn.settimeout(20)
        conn.sendall(b'{"method":"list_dbs","params":[],"id":"x"}')
        assert b"Open_vSwitch" in conn.recv(1 << 16)
        wait_for(lambda: server.vsctl("--bare", "--columns=is_connected", "find", "Manager",
                                      'target="%s"' % name).strip() == "true", 20, "the Manager's row")
        conn.close()
    assert sorted(server.vsctl("get-manager").split()) == sorted(["tcp:nosuch.invalid:1", name])


def test_a_host_that_nobody_knows(things, server, tmp_path):
    """It is said, tried again, and keeps nobody from the next one."""
    client = things(Client("tcp:nosuch.invalid:6640", tmp_path))
    wait_for(lambda: "no address of host nosuch.invalid is known" in client.read_log(), 60, "the error about the name")
    assert client.process.poll() is None
    more = tmp_path / "more"
    more.mkdir()
    things(Client("tcp:nosuch.invalid:6640,unix:" + server.sock, more))
    vsctl("unix:" + server.sock, "--timeout=60", "add-br", "br0")


@pytest.mark.parametrize("remote", [
    "tcp:", "tcp::6640", "tcp:a b:1", "tcp:host:x", "tcp:host:99999", "tcp:10.0.0.256:6640",
    "tcp:a\nb:6640", "tcp:" + "a" * 20000, "unix:", "unix:" + "a" * 20000, "punix:x,unix:y",
    "unix:a,", "cid:12", "tcp:\x01:1", "ssl:localhost:6640",
])
def test_names_that_make_no_sense(tmp_path, remote):
    done = subprocess.run([SERVE, "--client", remote], env=dict(os.environ, OVS_RUNDIR=tmp_path),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
    text = done.stdout.decode()
    assert done.returncode == 1
    assert len(text.strip().splitlines()) == 1 and len(text) < 400
    assert all(c.isprintable() for c in text.strip())
