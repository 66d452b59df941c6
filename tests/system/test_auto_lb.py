# SPDX-License-Identifier: Apache-2.0
"""pmd-auto-lb: two busy queues on one of two PMD threads part after a minute, and only then, and only if
they are asked to.  Null devices, of which two give packets without end."""
import re
import time

import pytest

from switchlib import Switch, wait_for
from test_pmd_options import config, queues

BUSY, IDLE = ("q0busy", "q2busy"), ("q1idle", "q3idle")
ORDER = sorted(BUSY + IDLE)


@pytest.fixture
def sw():
    switch = Switch().start()
    try:
        config(switch, "pmd-cpu-mask=3", "pmd-sleep-max=1000", "pmd-auto-lb-load-threshold=50")
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev",
                     "fail_mode=secure")
        yield switch
    finally:
        switch.close()


def add_ports(sw):
    """All at once: as long as no load was seen they are placed in turn, so that the
    first and the third one meet."""
    args = []
    for i, name in enumerate(ORDER):
        quiet = ",no-rx=1" if name in IDLE else ""
        args += ["--", "add-port", "br0", name, "--", "set", "Interface", name, "type=dpdk",
                 "options:dpdk-devargs=net_null%d%s" % (i, quiet)]
    sw.vsctl(*args[1:])


def make_them_meet(sw):
    for _ in range(4):
        add_ports(sw)
        if core_of(sw, BUSY[0]) == core_of(sw, BUSY[1]):
            return
        for name in ORDER:  # the load was noted just in between
            sw.vsctl("del-port", name)
    raise AssertionError("the busy queues do not meet")


def core_of(sw, port):
    return [core for core, (_, q) in queues(sw).items() if (port, 0) in q][0]


def counted(sw, name):
    m = re.search(r"^%s .* total: (\d+)$" % name, sw.appctl("coverage/show"), re.M)
    return int(m[1]) if m else 0


def test_two_busy_queues_part_after_a_minute(sw):
    make_them_meet(sw)
    # Off, it looks at nothing; the minute begins when it is switched on.
    assert counted(sw, "pmd_auto_lb_dry_run") == 0
    config(sw, "pmd-auto-lb=true")
    begin = time.monotonic()
    wait_for(lambda: counted(sw, "pmd_auto_lb_dry_run"), 90, "the first look")
    assert time.monotonic() - begin > 50
    wait_for(lambda: core_of(sw, BUSY[0]) != core_of(sw, BUSY[1]), 10, "the queues to part")
    assert counted(sw, "pmd_auto_lb_rebalance") == 1
    with open(sw.log) as f:
        log = f.read()
    assert "PMD auto load balance is enabled, interval 1 mins, pmd load threshold 50%" in log
    assert "PMD auto load balance performing dry run." in log
    assert re.search(r"Numa node 0\. Current variance \d+ Estimated variance \d+\. "
                     r"Variance improvement \d+%\.", log)
    assert "PMD load variance improvement threshold 25% is met." in log
    assert "PMD auto load balance dry run. Requesting datapath reconfigure." in log
