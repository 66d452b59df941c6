# SPDX-License-Identifier: Apache-2.0
"""Random sequences of ovs-vsctl commands on Sluice's database and on a stock one: the same output,
the same exit status, the same contents in the end.  OVSDB_VSCTL_COMMANDS lengthens the run.
"""
import json
import os
import random
import re
import subprocess

import pytest

from ovsdb_lib import STOCK, Server

pytestmark = [pytest.mark.rootless,
              pytest.mark.skipif(not os.path.exists(STOCK), reason="no stock ovsdb-server")]
UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def command(rng):
    bridge = rng.choice(["br0", "br1", "br2"])
    port = rng.choice(["p1", "p2", "p3", "p4", "br0"])
    key = rng.choice(["a", "b", "c"])
    value = rng.choice(["1", "x", '""', '"a b"', "é"])
    may = rng.choice(["--may-exist", "--if-exists", None])
    add = ["--may-exist"] if may == "--may-exist" else []
    gone = ["--if-exists"] if may == "--if-exists" else []
    return rng.choice([
        add + ["add-br", bridge],
        add + ["add-br", "vlan7", bridge, "7"],
        gone + ["del-br", bridge],
        add + ["add-port", bridge, port, f"tag={rng.choice([1, 4095, 4096, -1])}"],
        add + ["add-port", bridge, port, "--", "set", "interface", port, "type=internal",
               f"options:{key}={value}"],
        ["add-bond", bridge, "bond0", "m1", "m2", f"bond_mode={rng.choice(['balance-slb', 'no'])}"],
        gone + ["del-port", port],
        gone + ["del-port", bridge, port],
        ["set", "port", port, f"trunks={rng.choice(['1,2,3', '[]', '2', '1,1', '4096'])}"],
        ["add", "port", port, "trunks", str(rng.randint(0, 9))],
        ["remove", "port", port, "trunks", str(rng.randint(0, 9))],
        ["clear", "port", port, rng.choice(["trunks", "tag", "interfaces", "name"])],
        ["set", "bridge", bridge, f"other_config:{key}={value}"],
        ["remove", "bridge", bridge, "other_config", key],
        ["add", "bridge", bridge, "other_config", f"{key}={value}"],
        ["set", "bridge", bridge, f"fail_mode={rng.choice(['secure', 'standalone', 'never'])}"],
        ["set-fail-mode", bridge, "secure"],
        ["set-controller", bridge, "tcp:127.0.0.1:6653", "ssl:127.0.0.1"],
        ["del-controller", bridge],
        ["br-set-external-id", bridge, key, value],
        ["br-get-external-id", bridge],
        ["--", "--id=@q", "create", "queue", "dscp=5", "--", "--id=@x", "create", "qos",
         "type=t", "queues:0=@q", "--", "set", "port", port, "qos=@x"],
        ["--all", "destroy", rng.choice(["qos", "queue"])],
        ["--", "--id=@m", "create", "mirror", f"name={key}", "--", f"--id=@p", "get", "port", port,
         "--", "set", "mirror", "@m", "select-dst-port=@p", "--", "add", "bridge", bridge,
         "mirrors", "@m"],
        ["clear", "bridge", bridge, "mirrors"],
        ["--", "--id=@n", "create", "netflow", f"targets={value}", "--", "set", "bridge", bridge,
         "netflow=@n"],
        ["set", "open", ".", f"next_cfg={rng.choice([1, 2**63 - 1, 2**63])}"],
        ["destroy", "bridge", bridge],
        ["list-br"], ["list-ports", bridge], ["port-to-br", port], ["br-to-vlan", "vlan7"],
        ["get", "port", port, "trunks", "tag"], ["--if-exists", "get", "bridge", bridge, "netflow"],
        ["--columns=name,tag,trunks", "find", "port", f"trunks{{>=}}{rng.randint(0, 5)}"],
        ["show"],
        ["wait-until", "bridge", bridge, f"other_config:{key}={value}"],
    ])


def run(server, args):
    done = subprocess.run(["ovs-vsctl", f"--db=unix:{server.sock}", "--timeout=1", "--no-wait",
                           "--no-syslog", "-vconsole:off", *args], env=server.env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    # Rows come in the order of their UUIDs.
    lines = sorted(UUID.sub("UUID", done.stdout).splitlines())
    return done.returncode, lines, UUID.sub("UUID", done.stderr)


def dump(server):
    """All tables, each UUID replaced by what it leads to, so that two servers can be compared."""
    text = server.tool("ovsdb-client", "dump", f"unix:{server.sock}", "--format=json")
    tables, decoder = [], json.JSONDecoder()
    while text.strip():
        table, end = decoder.raw_decode(text.lstrip())
        text = text.lstrip()[end:]
        tables.append(table)
    name = {}
    for table in tables:
        columns = table["headings"]
        label = next((c for c in ("name", "target", "type") if c in columns), None)
        for row in table["data"]:
            row = dict(zip(columns, row))
            name[row["_uuid"][1]] = f"{table['caption']} {row.get(label)}"

    def plain(value):
        if isinstance(value, list):
            if len(value) == 2 and value[0] == "uuid":
                return name.get(value[1], "nothing")
            if len(value) == 2 and value[0] in ("set", "map"):
                return sorted((plain(v) for v in value[1]), key=json.dumps)
            return [plain(v) for v in value]
        return value

    return {t["caption"]: sorted(([plain(v) for v in row] for row in t["data"]), key=json.dumps)
            for t in tables}


@pytest.mark.parametrize("seed", [1, 2])
def test_random_commands(seed):
    rng = random.Random(seed)
    servers = [Server("stock"), Server("stock", start=False)]
    try:
        # The same first row in both: a journal of the stock server, served by ours.
        servers[0].vsctl("init")
        servers[1].start()
        servers[1].vsctl("init")
        servers[1].stop()
        servers[1].kind = "sluice"
        servers[1].start()
        op = {"op": "update", "table": "Open_vSwitch", "where": [],
              "row": {"ovs_version": ["set", []], "db_version": ["set", []]}}
        servers[1].rpc().transact(op)
        done = []
        for _ in range(int(os.environ.get("OVSDB_VSCTL_COMMANDS", "120"))):
            args = command(rng)
            done.append(" ".join(args))
            stock, ours = (run(s, args) for s in servers)
            # ovs-vsctl prints the server's words when a transaction fails.
            if "transaction error" not in stock[2] and "violation" not in stock[2]:
                assert ours == stock, done
            else:
                assert ours[0] == stock[0], done
        stock, ours = (dump(s) for s in servers)
        assert ours == stock, done
    finally:
        for server in servers:
            server.close()
