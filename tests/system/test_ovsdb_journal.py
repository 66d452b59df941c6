# SPDX-License-Identifier: Apache-2.0
"""The journal of the embedded database: crashes, damage, full disks, compaction, other schemas."""
import glob
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from ovsdb_lib import SCHEMA, Server

pytestmark = pytest.mark.rootless


@pytest.fixture
def server():
    s = Server()
    yield s
    s.close()


def add_queue(rpc, name):
    """Adds a row of the root set; True once that is confirmed."""
    result = rpc.transact({"op": "insert", "table": "Queue",
                           "row": {"external_ids": ["map", [["name", name]]]}})
    return "error" not in result[-1]


def queues(server):
    rows = server.rpc().transact({"op": "select", "table": "Queue", "where": [],
                                  "columns": ["external_ids"]})[0]["rows"]
    return {dict(row["external_ids"][1])["name"] for row in rows}


def stock_queues(server):
    """What a stock server finds in the journal."""
    server.stop()
    server.kind = "stock"
    server.start()
    found = queues(server)
    server.stop()
    server.kind = "sluice"
    return found


def test_nothing_committed_is_lost_by_kill(server):
    rng = random.Random(1)
    confirmed = set()
    n = 0
    for _ in range(int(os.environ.get("OVSDB_KILLS", "10"))):
        stop = threading.Event()

        def write(worker):
            nonlocal n
            rpc = server.rpc()
            try:
                while not stop.is_set():
                    n += 1
                    name = f"{worker}-{n}-{'x' * rng.randint(0, 3000)}"
                    if add_queue(rpc, name):
                        confirmed.add(name)
            except (OSError, EOFError):
                pass

        workers = [threading.Thread(target=write, args=(w,)) for w in range(3)]
        for w in workers:
            w.start()
        time.sleep(rng.uniform(0.01, 0.15))
        server.stop(signal.SIGKILL)
        stop.set()
        for w in workers:
            w.join()
        server.start()
        assert confirmed <= queues(server)
    assert len(confirmed) > 20
    assert confirmed <= stock_queues(server)
    assert "damaged" not in server.read_log()


@pytest.mark.parametrize("cut", [1, 30, 70, 100])
def test_torn_tail(server, cut):
    for i in range(5):
        add_queue(server.rpc(), f"q{i}")
    server.stop()
    size = os.path.getsize(server.journal)
    os.truncate(server.journal, size - cut)
    server.start()
    assert queues(server) == {f"q{i}" for i in range(4)}
    log = server.read_log()
    assert log.count("WARN") == 1 and "cutting it off" in log
    assert add_queue(server.rpc(), "after")
    assert stock_queues(server) == {"q0", "q1", "q2", "q3", "after"}


def test_damaged_middle(server):
    for i in range(6):
        add_queue(server.rpc(), f"q{i}")
    server.stop()
    with open(server.journal, "r+b") as f:
        data = f.read()
        at = data.index(b'"q3"')
        f.seek(at)
        f.write(b'"qX"')
    server.start()
    assert queues(server) == {"q0", "q1", "q2"}
    log = server.read_log()
    assert "ERR" in log and "damaged at byte" in log
    (copy,) = glob.glob(server.journal + ".damaged-*")
    with open(copy, "rb") as f:
        kept = f.read()
    assert b'"q4"' in kept and b'"q5"' in kept and b'"q2"' not in kept
    assert stock_queues(server) == {"q0", "q1", "q2"}


def test_wrong_length_in_the_middle_is_damage_not_a_torn_tail(server):
    for i in range(4):
        add_queue(server.rpc(), f"q{i}")
    server.stop()
    with open(server.journal, "rb") as f:
        lines = f.read().split(b"\n")
    header = next(i for i, line in enumerate(lines) if b'"q1"' in line) - 1
    lines[header] = lines[header].replace(b"JSON ", b"JSON 99999")
    with open(server.journal, "wb") as f:
        f.write(b"\n".join(lines))
    server.start()
    assert queues(server) == {"q0"}
    (copy,) = glob.glob(server.journal + ".damaged-*")
    with open(copy, "rb") as f:
        assert b'"q3"' in f.read()


def test_random_damage_never_stops_a_start(server):
    for i in range(8):
        add_queue(server.rpc(), f"q{i}")
    server.stop()
    with open(server.journal, "rb") as f:
        good = f.read()
    start = good.index(b"\n", good.index(b"\n") + 1) + 1  # behind the schema
    rng = random.Random(2)
    for _ in range(15):
        data = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            kind, at = rng.randint(0, 2), rng.randrange(start, len(data))
            if kind == 0:
                data[at] ^= 1 << rng.randint(0, 7)
            elif kind == 1:
                del data[at:at + rng.randint(1, 200)]
            else:
                data[at:at] = bytes(rng.randint(0, 255) for _ in range(rng.randint(1, 50)))
        with open(server.journal, "wb") as f:
            f.write(data)
        server.start()
        assert queues(server) <= {f"q{i}" for i in range(8)}
        server.stop()
        for copy in glob.glob(server.journal + ".damaged-*"):
            os.unlink(copy)


@pytest.mark.parametrize("contents, text", [
    (b"", "the file is empty"),
    (b"hello\n", "not a database journal"),
    (b"OVSDB CLUSTER 3 0123456789012345678901234567890123456789\n{}\n", "cluster-to-standalone"),
    (b"OVSDB JSON 3 5f36b2ea290645ee34d943220a14b54ee5ea5be5\n{}\n", "valid schema"),
])
def test_files_that_are_no_journal(contents, text):
    server = Server(start=False)
    try:
        with open(server.journal, "wb") as f:
            f.write(contents)
        server.start(wait=False)
        assert server.process.wait(10) == 1
        server.process = None
        assert text in server.read_log()
        with open(server.journal, "rb") as f:
            assert f.read() == contents
    finally:
        server.close()


def test_another_database(tmp_path):
    schema = tmp_path / "other"
    schema.write_text('{"name":"Other","version":"1.0.0","tables":{"T":{"columns":{'
                      '"c":{"type":"string"}}}}}')
    server = Server(start=False)
    try:
        subprocess.run(["ovsdb-tool", "create", server.journal, schema], check=True)
        server.start(wait=False)
        assert server.process.wait(10) == 1
        server.process = None
        assert "holds the database Other, not Open_vSwitch" in server.read_log()
    finally:
        server.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_full_disk():
    server = Server(start=False, remotes=())
    small = os.path.join(server.dir, "small")
    os.mkdir(small)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], check=True)
    try:
        server.journal = os.path.join(small, "conf.db")
        server.start()
        rpc = server.rpc()
        rpc.call("monitor", ["Open_vSwitch", "m", {"Queue": {"columns": ["external_ids"]}}])
        stored, failed = set(), 0
        for i in range(60):
            name = f"q{i}-" + "x" * 10000
            if add_queue(rpc, name):
                stored.add(name)
            else:
                failed += 1
        assert stored and failed
        result = rpc.transact({"op": "insert", "table": "Queue",
                               "row": {"external_ids": ["map", [["name", "y" * 200000]]]}})
        assert result[-1]["error"] == "I/O error" and result[0]["uuid"]
        assert queues(server) == stored
        assert len(rpc.take_notes()) == len(stored)
        # Changes that never touch the disk still work, and so does the rest when there is room.
        assert rpc.transact({"op": "update", "table": "Interface", "where": [],
                             "row": {"mtu": 1500}}) == [{"count": 0}]
        subprocess.run(["mount", "-o", "remount,size=1m", small], check=True)
        assert add_queue(rpc, "roomy")
        stored.add("roomy")
        server.stop(signal.SIGKILL)
        server.start()
        assert queues(server) == stored
    finally:
        server.close()
        subprocess.run(["umount", small], check=False)
        server.close()


def test_compaction(server):
    rpc = server.rpc()
    add_queue(rpc, "kept")
    inode = os.stat(server.journal).st_ino
    for i in range(120):
        value = ["map", [["k", str(i) + "x" * 100000]]]
        assert rpc.transact({"op": "update", "table": "Open_vSwitch", "where": [],
                             "row": {"other_config": value}}) == [{"count": 1}]
    assert "compacted from" in server.read_log()
    assert os.stat(server.journal).st_ino != inode
    assert os.path.getsize(server.journal) < 10 << 20
    assert not glob.glob(server.journal + ".tmp")
    assert server.vsctl("get", "Open_vSwitch", ".", "other_config:k").startswith('"119x')
    server.stop(signal.SIGKILL)
    server.start()
    assert server.vsctl("get", "Open_vSwitch", ".", "other_config:k").startswith('"119x')
    assert stock_queues(server) == {"kept"}


def test_ephemeral_columns_never_touch_the_disk(server):
    rpc = server.rpc()
    server.vsctl("add-br", "br0")
    before = os.path.getsize(server.journal)
    rpc.transact({"op": "update", "table": "Interface", "where": [],
                  "row": {"mtu": 1400, "statistics": ["map", [["rx_packets", 7]]]}})
    assert os.path.getsize(server.journal) == before
    assert server.vsctl("get", "interface", "br0", "mtu").strip() == "1400"
    server.stop()
    server.start()
    assert server.vsctl("get", "interface", "br0", "mtu").strip() == "[]"


def schema_with(tmp_path, change):
    with open(SCHEMA) as f:
        schema = json.load(f)
    change(schema)
    path = tmp_path / "schema"
    path.write_text(json.dumps(schema))
    return str(path)


def update(server, table, row):
    """Sets columns that ovs-vsctl, which knows one schema only, cannot set."""
    op = {"op": "update", "table": table, "where": [], "row": row}
    assert server.rpc().transact(op) == [{"count": 1}]


def test_older_schema_is_converted(tmp_path):
    def change(schema):
        schema["version"] = "7.0.0"
        del schema["tables"]["Interface"]["columns"]["mtu_request"]
        del schema["tables"]["CT_Zone"], schema["tables"]["CT_Timeout_Policy"]
        del schema["tables"]["Datapath"]["columns"]["ct_zones"]
        schema["tables"]["Bridge"]["columns"]["gone"] = {"type": "string"}

    server = Server("stock", schema=schema_with(tmp_path, change))
    try:
        server.vsctl("init")
        server.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "other_config:k=v")
        update(server, "Bridge", {"gone": "x"})
        server.stop()
        server.kind = "sluice"
        server.start()
        assert server.vsctl("get", "bridge", "br0", "other_config:k").strip() == "v"
        assert server.vsctl("get", "interface", "br0", "mtu_request").strip() == "[]"
        assert len(glob.glob(server.journal + ".backup7.0.0-*")) == 1
        assert server.tool("ovsdb-tool", "db-version", server.journal).strip() == "8.3.1"
        server.stop()
        server.start()
        assert server.vsctl("list-br").strip() == "br0"
    finally:
        server.close()


def test_newer_schema_is_kept(tmp_path):
    def change(schema):
        schema["version"] = "8.8.0"
        schema["tables"]["Bridge"]["columns"]["newer"] = {"type": "string"}

    server = Server("stock", schema=schema_with(tmp_path, change))
    try:
        server.vsctl("init")
        server.vsctl("add-br", "br0")
        update(server, "Bridge", {"newer": "x"})
        server.stop()
        server.kind = "sluice"
        server.start()
        assert server.rpc().transact({"op": "select", "table": "Bridge", "where": [],
                                      "columns": ["newer"]}) == [{"rows": [{"newer": "x"}]}]
        assert not glob.glob(server.journal + ".backup*")
    finally:
        server.close()


def test_contents_that_do_not_fit_are_refused_unharmed(tmp_path):
    def change(schema):
        schema["version"] = "7.0.0"
        schema["tables"]["Port"]["columns"]["tag"] = {"type": {"key": "integer", "min": 0}}

    server = Server("stock", schema=schema_with(tmp_path, change))
    try:
        server.vsctl("init")
        server.vsctl("add-br", "br0")
        update(server, "Port", {"tag": 70000})
        server.stop()
        with open(server.journal, "rb") as f:
            before = f.read()
        server.kind = "sluice"
        server.start(wait=False)
        assert server.process.wait(10) == 1
        server.process = None
        assert "do not fit" in server.read_log() and "tag" in server.read_log()
        with open(server.journal, "rb") as f:
            assert f.read() == before
    finally:
        server.close()


def test_stock_tools_read_the_journal(server):
    server.vsctl("add-br", "br0")
    log = server.tool("ovsdb-tool", "-mm", "show-log", server.journal)
    assert "ovs-vsctl" in log and "add-br br0" in log and "table Bridge insert row" in log
    answer = server.tool("ovsdb-tool", "query", server.journal,
                         '["Open_vSwitch",{"op":"select","table":"Bridge","where":[],'
                         '"columns":["name"]}]')
    assert answer.strip() == '[{"rows":[{"name":"br0"}]}]'
    server.stop()
    server.tool("ovsdb-tool", "compact", server.journal)
    server.start()
    assert server.vsctl("list-br").strip() == "br0"
