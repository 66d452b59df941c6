# SPDX-License-Identifier: Apache-2.0
"""Mininet (Debian's) builds its networks on Sluice as it does on Open vSwitch: datapath=user.

Mininet finds the switch through OVS_RUNDIR and runs in the switch's network namespace.
"""
import json
import os
import re

import pytest

from osken import APPS, PORT, OsKen

SWITCHES = ["s1", "s2", "s3"]


def run_network(sw, controller, *more):
    out = sw.ns.run(["/usr/bin/python3", "-B", os.path.join(APPS, "mininet_net.py"), controller,
                     str(len(SWITCHES))] + list(more), env=sw.env, timeout=120)
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize("controller", ["none", "ovsc", "osken"])
def test_all_hosts_of_a_mininet_reach_each_other(make_switch, controller):
    """Bridges that learn by themselves, under Open vSwitch's test controller, and under os-ken."""
    sw = make_switch(start=False)
    osken = OsKen(sw, "learner") if controller == "osken" else None
    try:
        sw.start()
        if osken:
            osken.wait_until_listening()
            r = run_network(sw, str(PORT), "OpenFlow13")
        else:
            r = run_network(sw, controller)
    finally:
        if osken:
            osken.close()
    assert (r["lost"], r["again"]) == (0, 0)
    # A link that Mininet takes down carries nothing, and carries again when it is up.
    assert (r["cut"], r["healed"]) == (100, 0)
    if controller != "osken":  # its bridges speak OpenFlow 1.3 only, the tool asks in 1.0
        assert len(r["listeners"]) == len(SWITCHES)
        for i, name in enumerate(SWITCHES, 1):
            assert "dpid:%016x" % i in r["listeners"][i - 1]
            assert re.search(r"\d\(%s-eth1\)" % name, r["listeners"][i - 1])
            assert "DP Description: " + name in r["desc"][name]
    if controller == "none":
        assert all("table=0" in d and "actions=NORMAL" in d for d in r["dump"].values()), r["dump"]
    elif controller == "ovsc":
        assert all("CONTROLLER:128" in d for d in r["dump"].values()), r["dump"]
    # Mininet took everything down again.
    assert sw.vsctl("list-br") == ""
    assert "s1" not in sw.ns.run("ip -o link show")
