# SPDX-License-Identifier: Apache-2.0
"""The embedded database as its clients see it: the stock tools, RFC 7047 requests, bad input."""
import concurrent.futures
import json
import os
import socket
import subprocess
import time

import pytest

from ovsdb_lib import SCHEMA, Rpc, Server

pytestmark = pytest.mark.rootless
ZERO = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def server():
    s = Server()
    yield s
    s.close()


@pytest.fixture
def rpc(server):
    client = server.rpc()
    yield client
    client.close()


def select(rpc, table, *columns, where=()):
    op = {"op": "select", "table": table, "where": list(where), "columns": list(columns)}
    return rpc.transact(op)[0]["rows"]


def insert_bridge(name):
    return [{"op": "insert", "table": "Bridge", "row": {"name": name}, "uuid-name": "b"},
            {"op": "mutate", "table": "Open_vSwitch", "where": [],
             "mutations": [["bridges", "insert", ["set", [["named-uuid", "b"]]]]]}]


# ---- The stock tools ----

def test_vsctl(server):
    server.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
    server.vsctl("add-port", "br0", "p1", "tag=10", "--", "set", "interface", "p1", "type=dummy")
    server.vsctl("add-bond", "br0", "bond0", "m1", "m2", "bond_mode=active-backup")
    assert server.vsctl("list-ports", "br0").split() == ["bond0", "p1"]
    assert server.vsctl("get", "port", "p1", "tag").strip() == "10"
    assert server.vsctl("port-to-br", "p1").strip() == "br0"
    server.vsctl("set", "port", "p1", "tag=4096", check=False)
    assert server.vsctl("get", "port", "p1", "tag").strip() == "10"
    server.vsctl("set-controller", "br0", "tcp:127.0.0.1:6653")
    server.vsctl("set-fail-mode", "br0", "secure")
    server.vsctl("--", "--id=@m", "create", "mirror", "name=m", "select-all=true", "--",
                 "set", "bridge", "br0", "mirrors=@m")
    assert "Mirror" in server.tool("ovsdb-client", "dump", f"unix:{server.sock}")
    server.vsctl("del-br", "br0")
    for table in ("bridge", "port", "interface", "controller", "mirror"):
        assert server.vsctl("--columns=_uuid", "list", table) == "", table
    server.vsctl("emer-reset")


def test_vsctl_waits_for_the_switch():
    server = Server(args=["--echo-cfg"])
    try:
        server.tool("ovs-vsctl", f"--db=unix:{server.sock}", "--timeout=5", "add-br", "br0")
        assert server.vsctl("get", "interface", "br0", "ofport").strip() == "1"
    finally:
        server.close()


def test_twenty_vsctl_at_once():
    server = Server(args=["--echo-cfg"])
    try:
        def add(i):
            server.tool("ovs-vsctl", f"--db=unix:{server.sock}", "--timeout=30", "add-br", f"br{i}",
                        "--", "add-port", f"br{i}", f"p{i}")

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(add, range(20)))
        assert len(server.vsctl("list-br").split()) == 20
        root = json.loads(server.vsctl("--format=json", "--columns=cur_cfg,next_cfg", "list",
                                       "Open_vSwitch"))["data"][0]
        assert root == [20, 20]
    finally:
        server.close()


def test_ovsdb_client(server):
    remote = f"unix:{server.sock}"
    assert server.tool("ovsdb-client", "list-dbs", remote).split() == ["Open_vSwitch", "_Server"]
    assert server.tool("ovsdb-client", "get-schema-version", remote).strip() == "8.3.1"
    server.vsctl("add-br", "br0")
    backup = os.path.join(server.dir, "backup")
    with open(backup, "w") as f:
        subprocess.run(["ovsdb-client", "backup", remote], stdout=f, env=server.env, check=True)
    server.vsctl("del-br", "br0")
    with open(backup) as f:
        subprocess.run(["ovsdb-client", "--force", "restore", remote], stdin=f, env=server.env,
                       check=True)
    assert server.vsctl("list-br").strip() == "br0"
    assert server.tool("ovsdb-client", "query", remote,
                       '["Open_vSwitch",{"op":"select","table":"Bridge","where":[],'
                       '"columns":["name"]}]').strip() == '[{"rows":[{"name":"br0"}]}]'
    with subprocess.Popen(["ovsdb-client", "monitor", remote, "Bridge", "name",
                           "--format=json"], stdout=subprocess.PIPE, text=True,
                          env=server.env) as monitor:
        assert '"br0"' in monitor.stdout.readline()
        server.vsctl("add-br", "br1")
        assert '"insert"' in monitor.stdout.readline()
        monitor.terminate()


def test_schema_is_the_deployed_one(server, rpc):
    deployed = "/usr/share/openvswitch/vswitch.ovsschema"
    if not os.path.exists(deployed):
        pytest.skip("no Open vSwitch installed")
    other = Server("stock", schema=deployed)
    try:
        theirs = other.rpc().call("get_schema", ["Open_vSwitch"])[0]
    finally:
        other.close()
    ours = rpc.call("get_schema", ["Open_vSwitch"])[0]
    assert ours == theirs
    path = os.path.join(server.dir, "x.db")
    server.tool("ovsdb-tool", "create", path, SCHEMA)
    assert server.tool("ovsdb-tool", "needs-conversion", path, deployed).strip() == "no"


def test_python_idl(server):
    server.vsctl("add-br", "br0")
    program = """
import sys, ovs.db.idl, ovs.poller
schema = ovs.db.idl.SchemaHelper(sys.argv[2])
schema.register_all()
idl = ovs.db.idl.Idl(sys.argv[1], schema)
def wait(condition):
    while not condition():
        poller = ovs.poller.Poller()
        if not idl.run():
            idl.wait(poller)
            poller.timer_wait(5000)
            poller.block()
wait(lambda: idl.change_seqno)
root = list(idl.tables["Open_vSwitch"].rows.values())[0]
txn = ovs.db.idl.Transaction(idl)
bridge = txn.insert(idl.tables["Bridge"])
bridge.name = "br-idl"
root.addvalue("bridges", bridge)
root.setkey("external_ids", "idl", "was here")
print(txn.commit_block())
wait(lambda: len(idl.tables["Bridge"].rows) == 2)
print(sorted(b.name for b in idl.tables["Bridge"].rows.values()))
"""
    for remote in (f"unix:{server.sock}", "tcp:127.0.0.1:"):
        if remote.startswith("tcp"):
            server.vsctl("del-br", "br-idl", "--", "set-manager", "ptcp:0:127.0.0.1")
            remote += bound_port(server)
        done = subprocess.run(["/usr/bin/python3", "-c", program, remote, SCHEMA], timeout=20,
                              stdout=subprocess.PIPE, text=True, check=True)
        assert done.stdout.split("\n")[:2] == ["success", "['br-idl', 'br0']"]


def bound_port(server):
    """The port of the one ptcp: manager, once its status has been written."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        status = server.vsctl("--if-exists", "get", "manager", ".", "status:bound_port",
                              check=False)
        rows = json.loads(server.vsctl("--format=json", "--columns=status", "list", "manager"))
        for (status,) in rows["data"]:
            for key, value in status[1]:
                if key == "bound_port":
                    return value
        time.sleep(0.2)
    raise AssertionError("no bound_port in Manager.status")


def test_manager(server):
    server.vsctl("set-manager", "ptcp:0:127.0.0.1")
    port = int(bound_port(server))
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(b'{"method":"list_dbs","params":[],"id":1}')
        assert b"Open_vSwitch" in s.recv(1000)
        end = time.monotonic() + 15
        while server.vsctl("--bare", "--columns=is_connected", "list", "manager").strip() != "true":
            assert time.monotonic() < end
            time.sleep(0.2)
        server.vsctl("del-manager")
        while s.recv(1000):  # probes, until it is closed
            pass
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_tls(tmp_path):
    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, cwd=tmp_path)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "2")
    for name in ("server", "client"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-out", f"{name}.pem", "-days", "2")
    files = ["db:Open_vSwitch,SSL,private_key", "db:Open_vSwitch,SSL,certificate",
             "db:Open_vSwitch,SSL,ca_cert"]
    server = Server(args=["--private-key", files[0], "--certificate", files[1], "--ca-cert",
                          files[2]])
    try:
        # The keys arrive after the remote that needs them.
        server.vsctl("set-manager", "pssl:0:127.0.0.1")
        server.vsctl("set-ssl", tmp_path / "server.key", tmp_path / "server.pem",
                     tmp_path / "ca.pem")
        remote = f"ssl:127.0.0.1:{bound_port(server)}"
        assert server.tool("ovs-vsctl", f"--db={remote}", "--timeout=10", "--no-wait",
                           f"--private-key={tmp_path}/client.key",
                           f"--certificate={tmp_path}/client.pem",
                           f"--ca-cert={tmp_path}/ca.pem", "add-br", "br0", "--",
                           "list-br").strip() == "br0"
        bare = server.rpc()
        assert bare.call("list_dbs", [])[0]
        with pytest.raises(RuntimeError):  # a client without a certificate of that CA
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=x")
            server.tool("ovs-vsctl", f"--db={remote}", "--timeout=3", "--no-wait",
                        f"--private-key={tmp_path}/other.key",
                        f"--certificate={tmp_path}/other.pem", f"--ca-cert={tmp_path}/ca.pem",
                        "list-br")
    finally:
        server.close()


def test_thousand_changes(server):
    """Under ASan this also shows that nothing leaks."""
    rpc = server.rpc()
    rpc.call("monitor_cond_since", ["Open_vSwitch", "m", {"Bridge": [{}], "Port": [{}]}, ZERO])
    for i in range(500):
        assert "error" not in rpc.transact(*insert_bridge(f"b{i}"))[-1]
        op = {"op": "mutate", "table": "Open_vSwitch", "where": [],
              "mutations": [["bridges", "delete", ["set", [
                  ["uuid", select(rpc, "Bridge", "_uuid")[0]["_uuid"][1]]]]]]}
        assert rpc.transact(op) == [{"count": 1}]
    assert select(rpc, "Bridge", "name") == []
    assert len(rpc.take_notes()) == 1000


# ---- Requests ----

def test_small_requests(rpc):
    assert sorted(rpc.call("list_dbs", [])[0]) == ["Open_vSwitch", "_Server"]
    assert rpc.call("echo", [1, "x"])[0] == [1, "x"]
    assert len(rpc.call("get_server_id", [])[0]) == 36
    assert rpc.call("set_db_change_aware", [True])[0] == {}
    assert rpc.call("nosuch", [])[1]["error"] == "unknown method"
    assert rpc.call("get_schema", ["nosuch"])[1]["error"] == "unknown database"
    assert rpc.call("transact", ["nosuch"])[1]["error"] == "unknown database"
    assert rpc.call("transact", [])[1]["error"] == "syntax error"
    assert rpc.call("convert", ["Open_vSwitch", {}])[1]["error"] == "not supported"
    assert rpc.call("monitor_cancel", ["x"])[1]["error"] == "unknown monitor"


def test_server_database(rpc):
    rows = rpc.transact({"op": "select", "table": "Database", "where": []}, db="_Server")[0]["rows"]
    by_name = {r["name"]: r for r in rows}
    assert sorted(by_name) == ["Open_vSwitch", "_Server"]
    main = by_name["Open_vSwitch"]
    assert (main["model"], main["connected"], main["leader"]) == ("standalone", True, True)
    assert json.loads(main["schema"])["version"] == "8.3.1"
    error = rpc.transact({"op": "delete", "table": "Database", "where": []}, db="_Server")[0]
    assert error["error"] == "not allowed"


def test_locks(server, rpc):
    second = server.rpc()
    assert rpc.call("lock", ["l"])[0] == {"locked": True}
    assert second.call("lock", ["l"])[0] == {"locked": False}
    assert second.transact({"op": "assert", "lock": "l"})[0]["error"] == "not owner"
    assert rpc.transact({"op": "assert", "lock": "l"}) == [{}]
    assert rpc.call("lock", ["l"])[1]["error"] == "syntax error"
    assert rpc.call("unlock", ["l"])[0] == {}
    assert second.take_notes()[0]["method"] == "locked"
    assert rpc.call("steal", ["l"])[0] == {"locked": True}
    note = second.take_notes()[0]
    assert (note["method"], note["params"]) == ("stolen", ["l"])
    assert second.call("unlock", ["l"])[0] == {}
    assert second.call("lock", ["l"])[0] == {"locked": False}
    rpc.close()
    assert second.recv()["method"] == "locked"
    # The switch itself holds this one; who steals it must give it back.
    assert second.call("lock", ["ovs_vswitchd"])[0] == {"locked": False}


def test_switch_lock_can_be_stolen(server, rpc):
    assert rpc.call("steal", ["ovs_vswitchd"])[0] == {"locked": True}
    second = server.rpc()
    assert second.call("lock", ["ovs_vswitchd"])[0] == {"locked": False}
    rpc.call("unlock", ["ovs_vswitchd"])
    assert second.take_notes() == []  # the switch was first in the queue


def test_wait(server, rpc):
    wait = {"op": "wait", "table": "Bridge", "where": [["name", "==", "late"]],
            "columns": ["name"], "until": "==", "rows": [{"name": "late"}]}
    start = time.monotonic()
    result = rpc.transact(dict(wait, timeout=200))
    assert result[0]["error"] == "timed out" and 0.15 < time.monotonic() - start < 2
    first = rpc.send("transact", ["Open_vSwitch", wait, {"op": "comment", "comment": "woken"}])
    canceled = rpc.send("transact", ["Open_vSwitch", wait])
    rpc.notify("cancel", [canceled])
    assert rpc.wait_reply(canceled)["error"] == "canceled"
    second = server.rpc()
    second.transact(*insert_bridge("late"))
    assert rpc.wait_reply(first)["result"] == [{}, {}]
    # A client that goes away with a waiting transaction leaves nothing behind.
    second.send("transact", ["Open_vSwitch", dict(wait, until="!=")])
    second.close()
    rpc.transact({"op": "mutate", "table": "Open_vSwitch", "where": [],
                  "mutations": [["bridges", "delete", ["set", []]], ["next_cfg", "+=", 1]]})


def test_update_comes_before_the_reply(rpc):
    rpc.call("monitor", ["Open_vSwitch", "m", {"Bridge": {"columns": ["name"]}}])
    msg_id = rpc.send("transact", ["Open_vSwitch"] + insert_bridge("b0"))
    first = rpc.recv()
    assert first["method"] == "update" and first["id"] is None
    assert rpc.recv()["id"] == msg_id


def test_monitor_cond_since(rpc):
    rpc.transact(*insert_bridge("b0"))
    request = {"Bridge": [{"columns": ["name", "other_config"], "where": [["name", "==", "b1"]]}]}
    result, _ = rpc.call("monitor_cond_since", ["Open_vSwitch", ["m", 1], request, ZERO])
    assert result == [False, ZERO, {}]
    rpc.transact(*insert_bridge("b1"))
    rpc.transact({"op": "mutate", "table": "Bridge", "where": [],
                  "mutations": [["other_config", "insert", ["map", [["k", "v"]]]]]})
    rpc.transact({"op": "mutate", "table": "Bridge", "where": [],
                  "mutations": [["other_config", "insert", ["map", [["l", "w"]]]]]})
    changes = [list(n["params"][2]["Bridge"].values())[0] for n in rpc.take_notes()]
    assert changes == [{"insert": {"name": "b1"}},
                       {"modify": {"other_config": ["map", [["k", "v"]]]}},
                       {"modify": {"other_config": ["map", [["l", "w"]]]}}]
    rpc.call("monitor_cond_change", [["m", 1], ["m", 2], {"Bridge": [{"where": [True]}]}])
    note = rpc.take_notes()[0]
    assert note["params"][0] == ["m", 1]
    assert list(note["params"][2]["Bridge"].values())[0]["insert"]["name"] == "b0"
    assert rpc.call("monitor_cancel", [["m", 1]])[1]["error"] == "unknown monitor"
    assert rpc.call("monitor_cancel", [["m", 2]])[0] == {}
    rpc.transact(*insert_bridge("b2"))
    assert rpc.take_notes() == []


def test_large_transaction(rpc):
    ops = []
    for i in range(1000):
        ops += [{"op": "insert", "table": "Interface", "row": {"name": f"p{i}"},
                 "uuid-name": f"i{i}"},
                {"op": "insert", "table": "Port", "uuid-name": f"p{i}",
                 "row": {"name": f"p{i}", "interfaces": ["named-uuid", f"i{i}"]}}]
    ports = [["named-uuid", f"p{i}"] for i in range(1000)]
    ops += [{"op": "insert", "table": "Bridge", "uuid-name": "b",
             "row": {"name": "big", "ports": ["set", ports]}},
            {"op": "mutate", "table": "Open_vSwitch", "where": [],
             "mutations": [["bridges", "insert", ["named-uuid", "b"]]]}]
    start = time.monotonic()
    result = rpc.transact(*ops)
    assert all("error" not in r for r in result) and len(result) == len(ops)
    for i in range(0, 1000, 10):
        rpc.transact({"op": "update", "table": "Interface", "where": [["name", "==", f"p{i}"]],
                      "row": {"ofport": i}})
    rpc.transact({"op": "update", "table": "Open_vSwitch", "where": [],
                  "row": {"bridges": ["set", []]}})
    assert time.monotonic() - start < 10
    assert select(rpc, "Interface", "name") == []


# ---- Bad input ----

GARBAGE = [b"\0", b"]", b"nonsense", b'{"id":1}', b'{"method":5,"params":[],"id":1}', b"[]",
           b'{"method":"echo","params":{},"id":1}', b'{"method":"echo"' * 3, b"[" * 5000,
           b'{"a":' * 5000, b'{"method":"transact","params":["Open_vSwitch",' + b"[" * 3000,
           b'{"method":"echo","params":["\xff\xfe"],"id":1}',
           b'{"id":null,"error":null,"result":1}', b'{"method":"echo","params":[1e999999],"id":1}']


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_ends_only_its_own_session(server, rpc, data):
    bad = server.rpc(timeout=2)
    bad.raw(data)
    try:
        while True:
            bad.recv()
    except (EOFError, OSError):
        pass
    assert rpc.call("echo", ["alive"])[0] == ["alive"]


@pytest.mark.parametrize("params", [
    None, [], [None], ["Open_vSwitch", None], ["Open_vSwitch", {"op": None}],
    ["Open_vSwitch", {"op": "insert", "table": None, "row": {}}],
    ["Open_vSwitch", {"op": "insert", "table": "Bridge", "row": []}],
    ["Open_vSwitch", {"op": "insert", "table": "Bridge", "row": {"name": "a\0b"}}],
    ["Open_vSwitch", {"op": "insert", "table": "Bridge", "row": {"name": ["set", []]}}],
    ["Open_vSwitch", {"op": "insert", "table": "Bridge", "row": {"ports": ["uuid", "x"]}}],
    ["Open_vSwitch", {"op": "insert", "table": "Bridge", "row": {"ports": ["named-uuid", 1]}}],
    ["Open_vSwitch", {"op": "insert", "table": "Bridge", "row": {"flow_tables": ["map", [[1]]]}}],
    ["Open_vSwitch", {"op": "select", "table": "Bridge", "where": [[]]}],
    ["Open_vSwitch", {"op": "select", "table": "Bridge", "where": {}}],
    ["Open_vSwitch", {"op": "select", "table": "Bridge", "where": [], "columns": [1]}],
    ["Open_vSwitch", {"op": "select", "table": "Bridge", "where": [], "columns": ["name", "name"]}],
    ["Open_vSwitch", {"op": "mutate", "table": "Bridge", "where": [], "mutations": [5]}],
    ["Open_vSwitch", {"op": "mutate", "table": "Bridge", "where": []}],
    ["Open_vSwitch", {"op": "wait", "table": "Bridge", "where": [], "until": "=", "rows": []}],
    ["Open_vSwitch", {"op": "wait", "table": "Bridge", "where": [], "until": "==", "rows": 1}],
    ["Open_vSwitch", {"op": "commit"}], ["Open_vSwitch", {"op": "comment", "comment": []}],
    ["Open_vSwitch", {"op": "assert", "lock": "!"}],
], ids=str)
def test_malformed_transactions(rpc, params):
    result, error = rpc.call("transact", params if params is not None else [])
    assert error or result[-1]["error"]
    assert rpc.call("echo", ["alive"])[0] == ["alive"]


@pytest.mark.parametrize("method", ["monitor", "monitor_cond", "monitor_cond_since",
                                    "monitor_cond_change", "lock", "set_db_change_aware"])
@pytest.mark.parametrize("params", [[], [1], ["Open_vSwitch"], ["Open_vSwitch", "m", 5, ZERO],
                                    ["Open_vSwitch", "m", {"Nosuch": {}}],
                                    ["Open_vSwitch", "m", {"Bridge": {"columns": ["x"]}}],
                                    ["Open_vSwitch", "m", {"Bridge": [{"select": 1}]}],
                                    ["Open_vSwitch", "m", {"Bridge": [{"where": 1}]}, ZERO],
                                    ["Open_vSwitch", "m", {"Bridge": [{}, {}]}]], ids=str)
def test_malformed_requests(rpc, method, params):
    if method == "lock" and params == ["Open_vSwitch"]:
        pytest.skip("a lock of that name is fine")
    assert rpc.call(method, params)[1]["error"]
    assert rpc.call("echo", ["alive"])[0] == ["alive"]


def test_half_open_clients_cost_nothing(server, rpc):
    idle = [server.rpc() for _ in range(100)]
    for client in idle[:50]:
        client.raw('{"method":"transact","params":["Open_vSwitch",{"op":')
    rpc.transact(*insert_bridge("b0"))
    for client in idle:
        client.close()
    assert select(rpc, "Bridge", "name") == [{"name": "b0"}]


def test_a_client_that_never_reads_is_dropped(server, rpc):
    deaf = server.rpc()
    deaf.call("monitor", ["Open_vSwitch", "m", {"Open_vSwitch": {"columns": ["external_ids"]}}])
    big = ["map", [[f"k{i}", "x" * 4000] for i in range(100)]]
    for i in range(120):
        big[1][0][1] = str(i)
        rpc.transact({"op": "update", "table": "Open_vSwitch", "where": [],
                      "row": {"external_ids": big}})
    with open(f"/proc/{server.process.pid}/statm") as f:
        resident = int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert resident < 500 << 20  # 64 MB of backlog, and a sanitizer's share
    with pytest.raises((EOFError, OSError)):
        while True:
            deaf.recv()
    assert rpc.call("echo", ["alive"])[0] == ["alive"]


def test_second_server_on_one_journal(server):
    other = Server(start=False)
    try:
        other.journal = server.journal
        other.start(wait=False)
        assert other.process.wait(10) == 1
        other.process = None
        assert f"in use by process {server.process.pid}" in other.read_log()
    finally:
        other.close()


def test_ends_without_leaving_its_socket():
    server = Server()
    try:
        assert os.path.exists(server.sock)
        assert server.stop() == 0
        assert not os.path.exists(server.sock)
    finally:
        server.close()
