# SPDX-License-Identifier: Apache-2.0
"""Python's IDL makes, changes and deletes bridges, on both faces of the database."""
import os
import re
import sys

import pytest

from switchlib import GENUINE, SLUICED, wait_for

# Debian's python3-openvswitch, which the interpreter of the tests need not be able to see.
sys.path.append("/usr/lib/python3/dist-packages")
idl = pytest.importorskip("ovs.db.idl")
from ovs import poller  # noqa: E402

KIND = os.environ.get("SWITCH_KIND", "sluice")


class Idl:
    """The Python IDL as Neutron and others use it: all tables, transactions that wait for the switch."""

    def __init__(self, sw):
        helper = idl.SchemaHelper("/usr/share/openvswitch/vswitch.ovsschema")
        helper.register_all()
        self.idl = idl.Idl("unix:%s/db.sock" % sw.dir, helper)
        self.wait(lambda: self.idl.has_ever_connected())

    def wait(self, condition, timeout=15):
        def step():
            self.idl.run()
            if condition():
                return True
            p = poller.Poller()
            self.idl.wait(p)
            p.timer_wait(50)
            p.block()
            return False
        wait_for(step, timeout, "the IDL")

    def rows(self, table):
        return list(self.idl.tables[table].rows.values())

    def row(self, table, name):
        return next((r for r in self.rows(table) if r.name == name), None)

    def commit(self, change):
        """Carries out change(txn), and waits until the switch has done what it says."""
        txn = idl.Transaction(self.idl)
        ovs, = self.rows("Open_vSwitch")
        change(txn)
        ovs.increment("next_cfg")
        status = txn.commit_block()
        assert status == idl.Transaction.SUCCESS, (status, txn.get_error())
        wanted = txn.get_increment_new_value()
        self.wait(lambda: ovs.cur_cfg >= wanted)
        return txn

    def close(self):
        self.idl.close()


@pytest.mark.parametrize("face", ["embedded", "stock"])
def test_python_idl_reads_and_changes(make_switch, face):
    if face == "stock":
        sw = make_switch(kind="ovs", binary=SLUICED if KIND == "sluice" else GENUINE)
    elif KIND == "ovs":
        pytest.skip("genuine Open vSwitch has one face")
    else:
        sw = make_switch()
    db = Idl(sw)
    try:
        ovs, = db.rows("Open_vSwitch")
        assert {"netdev"} <= set(ovs.datapath_types) and "internal" in ovs.iface_types

        def add(txn):
            iface = txn.insert(db.idl.tables["Interface"])
            iface.name, iface.type = "t1", "internal"
            local = txn.insert(db.idl.tables["Interface"])
            local.name, local.type = "br0", "internal"
            ports = []
            for i in (iface, local):
                port = txn.insert(db.idl.tables["Port"])
                port.name, port.interfaces = i.name, [i]
                ports.append(port)
            bridge = txn.insert(db.idl.tables["Bridge"])
            bridge.name, bridge.datapath_type, bridge.ports = "br0", "netdev", ports
            bridge.external_ids = {"by": "idl"}
            ovs.bridges = ovs.bridges + [bridge]

        db.commit(add)
        t1 = db.row("Interface", "t1")
        # What the switch writes is here when cur_cfg is.
        assert t1.ofport[0] > 0 and db.row("Interface", "br0").ofport == [65534]
        assert len(db.row("Bridge", "br0").datapath_id[0]) == 16
        assert re.match("[0-9a-f:]{17}$", t1.mac_in_use[0])

        db.commit(lambda txn: t1.setkey("external_ids", "iface-id", "x"))
        db.commit(lambda txn: setattr(db.row("Port", "t1"), "tag", 7))
        assert sw.get("port", "t1", "tag") == "7"
        assert sw.get("interface", "t1", "external_ids:iface-id") == "x"
        # What others change arrives.
        sw.vsctl("add-port", "br0", "t2", "--", "set", "interface", "t2", "type=internal")
        db.wait(lambda: db.row("Interface", "t2") and db.row("Interface", "t2").ofport)
        # Deleting a port and then the bridge takes everything along.
        db.commit(lambda txn: db.row("Bridge", "br0").delvalue("ports", db.row("Port", "t1")))
        db.wait(lambda: not db.row("Interface", "t1"))
        db.commit(lambda txn: setattr(ovs, "bridges", []))
        db.wait(lambda: not db.rows("Bridge") and not db.rows("Interface"))
    finally:
        db.close()
    assert sw.alarms() == []
