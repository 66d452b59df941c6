# SPDX-License-Identifier: Apache-2.0
"""Peers that hosts already have: ovs-tcpdump, and python3-openvswitch's IDL."""
import json
import os
import signal
import subprocess

import pytest

from switchlib import SCHEMA, wait_for

IDL = r"""
import json, sys
import ovs.db.idl, ovs.poller
remote, schema = sys.argv[1:]
helper = ovs.db.idl.SchemaHelper(schema)
helper.register_table("Open_vSwitch"); helper.register_table("Bridge")
helper.register_table("Port"); helper.register_table("Interface")
idl = ovs.db.idl.Idl(remote, helper)

def wait(question):
    seqno = -1
    for _ in range(500):
        idl.run()
        answer = question()
        if answer:
            return answer
        poller = ovs.poller.Poller()
        idl.wait(poller)
        poller.timer_wait(200)
        poller.block()
    raise SystemExit("waited in vain")

def iface(name):
    return next((r for r in idl.tables["Interface"].rows.values() if r.name == name), None)

root = wait(lambda: next(iter(idl.tables["Open_vSwitch"].rows.values()), None))
# A bridge with one port, as ovsdbapp makes it; next_cfg asks the switch to say when it is done.
txn = ovs.db.idl.Transaction(idl)
local = txn.insert(idl.tables["Interface"]); local.name = "br0"; local.type = "internal"
port = txn.insert(idl.tables["Port"]); port.name = "br0"; port.interfaces = [local]
bridge = txn.insert(idl.tables["Bridge"]); bridge.name = "br0"
bridge.datapath_type = "dummy"; bridge.ports = [port]
root.addvalue("bridges", bridge)
txn.add_comment("made by the IDL")
root.increment("next_cfg")
assert txn.commit_block() == ovs.db.idl.Transaction.SUCCESS, txn.get_error()
wanted = txn.get_increment_new_value()
wait(lambda: root.cur_cfg >= wanted)
first = iface("br0").ofport
# A second port, changes of maps, and the end of the first transaction's row by another client.
txn = ovs.db.idl.Transaction(idl)
p1 = txn.insert(idl.tables["Interface"]); p1.name = "p1"; p1.type = "dummy"
p1.setkey("external_ids", "iface-id", "x")
port = txn.insert(idl.tables["Port"]); port.name = "p1"; port.interfaces = [p1]
next(iter(idl.tables["Bridge"].rows.values())).addvalue("ports", port)
assert txn.commit_block() == ovs.db.idl.Transaction.SUCCESS, txn.get_error()
number = wait(lambda: iface("p1") and iface("p1").ofport)
txn = ovs.db.idl.Transaction(idl)
iface("p1").setkey("external_ids", "iface-id", "y"); iface("p1").delkey("other_config", "none")
row = iface("p1"); row.verify("external_ids")
assert txn.commit_block() == ovs.db.idl.Transaction.SUCCESS, txn.get_error()
print(json.dumps({"local": first, "p1": number, "id": iface("p1").external_ids}))
"""


@pytest.mark.rootless
def test_python_idl(tmp_path):
    """Inserts, references, maps and the wait for cur_cfg by Debian's Python bindings."""
    from switchlib import Hermetic
    switch = Hermetic().start()
    try:
        script = tmp_path / "idl.py"
        script.write_text(IDL)
        p = subprocess.run(["/usr/bin/python3", str(script), "unix:%s/db.sock" % switch.dir, SCHEMA],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        assert p.returncode == 0, p.stdout + p.stderr
        assert json.loads(p.stdout) == {"local": [65534], "p1": [1], "id": {"iface-id": "y"}}
        assert switch.get("Interface", "p1", "external_ids") == "{iface-id=y}"
    finally:
        switch.close()


def test_ovs_tcpdump(sw, hosts):
    """A mirror to a device that the script makes; what it sees, and that nothing stays behind."""
    sw.add_bridge("br0")
    for i in (1, 2):
        hosts.append(sw.add_host("br0", "h%d" % i, "10.1.0.%d/24" % i))
    hosts[0].ping("10.1.0.2", count=1, timeout=10, check=True)
    out = os.path.join(sw.dir, "capture")
    with open(out, "wb") as file:
        p = sw.ns.popen(["ovs-tcpdump", "--db-sock", "unix:%s/db.sock" % sw.dir, "-i", "h1", "-n",
                         "-l", "icmp"], env=sw.env, stdout=file, stderr=subprocess.STDOUT,
                        stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: "listening" in open(out, errors="replace").read() or p.poll() is not None,
                 20, "tcpdump")

        def seen():
            hosts[0].ping("10.1.0.2", count=1)
            text = open(out, errors="replace").read()
            return "echo request" in text and "echo reply" in text

        wait_for(seen, 20, "a ping in the capture: " + open(out, errors="replace").read())
        assert "m_h1" in sw.vsctl("list", "Mirror")
    finally:
        os.killpg(p.pid, signal.SIGINT)
        p.wait(20)
    wait_for(lambda: sw.vsctl("--columns=name", "list", "Mirror").strip() == "", 10,
             "the end of the mirror")
    assert sorted(sw.vsctl("list-ports", "br0").split()) == ["h1", "h2"]
    hosts[0].ping("10.1.0.2", timeout=10, check=True)
