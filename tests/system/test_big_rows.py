# SPDX-License-Identifier: Apache-2.0
"""Rows of megabytes and maps of thousands of keys, in a database of ours and in a stock server's: they are taken, memory
has a bound, frames and commands go on, and the next small change works."""
import json
import re
import socket

import pytest

from switchlib import SLUICED, Hermetic, wait_for

pytestmark = pytest.mark.rootless

MB = 1 << 20
FRAME = "ffffffffffff" "020000000001" "88b5" + "00" * 46


@pytest.fixture(params=["embedded", "stock"])
def sw(request):
    switch = Hermetic() if request.param == "embedded" else Hermetic("ovs", binary=SLUICED)
    try:
        switch.start()
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
        switch.add_ports("br0", "p1", "p2")
        yield switch
    finally:
        switch.close()


def transact(sw, *ops):
    """One transaction by hand: no command line is that long."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(sw.dir + "/db.sock")
        s.sendall(json.dumps({"id": 1, "method": "transact", "params": ["Open_vSwitch", *ops]}).encode())
        text = b""
        while True:
            data = s.recv(MB)
            assert data, "the server hung up"
            text += data
            try:
                reply = json.loads(text)
            except ValueError:
                continue
            assert reply["error"] is None and not any("error" in r for r in reply["result"]), reply
            return


def set_columns(table, **columns):
    return {"op": "update", "table": table, "where": [], "row": {c: ["map", v] for c, v in columns.items()}}


def peak_mb(sw):
    with open("/proc/%d/status" % sw.pid, encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1]) >> 10


def test_large_values(sw):
    before = peak_mb(sw)
    keys = [["k%05d" % i, "v%d" % i] for i in range(10000)]
    changes = [[set_columns("Open_vSwitch", other_config=[["big", "x" * (8 * MB) + str(i)]])] for i in range(6)]
    changes += [[set_columns("Bridge", external_ids=[["a", "y" * 4 * MB]], other_config=[["b", "z" * 4 * MB]])],
                [set_columns(t, external_ids=keys, other_config=keys) for t in ("Open_vSwitch", "Interface", "Port")],
                [set_columns(t, external_ids=[], other_config=[]) for t in ("Open_vSwitch", "Bridge", "Interface", "Port")]]
    for n, change in enumerate(changes, 1):
        transact(sw, *change)
        sw.appctl("netdev-dummy/receive", "p1", FRAME)
        wait_for(lambda n=n: "tx pkts=%d," % n in sw.ofctl("dump-ports", "br0", "p2"), what="the frame")
    # 90 MB of values in all.  What one change needs is a few copies of it.
    assert peak_mb(sw) - before < 400
    sw.vsctl("add-port", "br0", "p3", "--", "set", "Interface", "p3", "type=dummy", "ofport_request=9")
    assert sw.get("Interface", "p3", "ofport") == "9"
    assert [a for a in sw.alarms() if "poll interval" not in a] == []

