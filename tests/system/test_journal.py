# SPDX-License-Identifier: Apache-2.0
"""OpenFlow state that is in no database comes back after a crash under --monitor."""
import os
import random
import signal
import threading
import time

import pytest

from switchlib import Hermetic, sh, wait_for

SOON_S = 20

FLOWS = """\
table=0,priority=7,tcp,in_port=1,nw_dst=10.0.0.0/8,tp_dst=80,actions=set_field:5->reg3,goto_table:3
table=0,priority=65535,cookie=0x1122334455667788,idle_timeout=600,hard_timeout=9000,arp,actions=NORMAL
table=0,priority=9,udp6,ipv6_dst=fc00::/7,actions=group:5
table=0,priority=3,cookie=0xffffffff,ip,actions=meter:2,resubmit(,4)
table=3,priority=1,ip,vlan_tci=0x1005/0x1fff,actions=strip_vlan,ct(commit,table=4),output:2
table=4,send_flow_rem,importance=3,actions=learn(table=5,idle_timeout=9,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[]),NORMAL
table=5,priority=4,reg1=0x7,conj_id=3,actions=CONTROLLER:99,write_actions(output:1)
table=5,priority=2,actions=conjunction(3,1/2)
table=6,priority=0,actions=drop
table=6,priority=1,tcp,tp_src=0x8000/0xf000,actions=drop
"""


@pytest.fixture
def sw():
    switch = Hermetic(args=["--enable-dummy=override", "--disable-system", "--monitor"])
    try:
        switch.start()
        for br in ("br0", "br1"):
            switch.add_bridge(br, "fail_mode=secure")
        switch.add_ports("br0", "p1", "p2")
        yield switch
    finally:
        switch.close()


def answers(sw):
    return sh(["ovs-appctl", "-T", "5", "version"], check=False, env=sw.env).returncode == 0


def crash(sw):
    """Kills the worker and waits for the next one."""
    old = sw.pid
    os.kill(old, signal.SIGKILL)

    def changed():
        try:
            return sw.pid != old and answers(sw) and os.path.exists(sw.dir + "/br0.mgmt") and \
                sh(["ovs-ofctl", "show", "br0"], check=False, env=sw.env).returncode == 0
        except (OSError, ValueError):
            return False
    wait_for(changed, SOON_S, "another worker")
    sw.vsctl("set", "Open_vSwitch", ".", "external_ids:x=%d" % sw.pid)  # the configuration is in force


def of(sw, *args, **kw):
    return sw.ofctl("-O", "OpenFlow15", *args, **kw)


def state_of(sw, br):
    """What OpenFlow says of a bridge but for counters and times, and the MAC table without ages."""
    flows = sorted(line for line in of(sw, "--no-stats", "dump-flows", br).splitlines()
                   if "actions=" in line)
    meters = sorted(of(sw, "dump-meters", br).splitlines()[1:])
    groups = sorted(of(sw, "dump-groups", br).splitlines()[1:])
    macs = sorted(line.split()[:3] for line in sw.appctl("fdb/show", br).splitlines()[1:])
    return flows, meters, groups, macs


def log_of(sw):
    with open(sw.log) as f:
        return f.read()


def fill(sw):
    of(sw, "add-meter", "br0", "meter=2,kbps,burst,band=type=drop,rate=100000,burst_size=20000")
    of(sw, "add-meter", "br0", "meter=3,pktps,band=type=drop,rate=7")
    of(sw, "add-group", "br0", "group_id=5,type=select,selection_method=hash,fields(ip_src),"
       "bucket=bucket_id=1,weight:2,actions=output:1,bucket=bucket_id=7,weight:1,actions=output:2")
    of(sw, "add-group", "br0", "group_id=4,type=ff,bucket=watch_port:1,actions=group:5")
    of(sw, "add-group", "br0", "group_id=6,type=all,bucket=actions=output:1")
    of(sw, "add-flows", "br0", "-", input=FLOWS)
    of(sw, "--bundle", "add-flows", "br1", "-", input="".join(
        "table=%d,priority=%d,tcp,nw_src=10.1.%d.%d,tp_dst=%d,actions=output:%d\n" %
        (i % 3, i, i >> 8, i & 255, i, i % 7 + 1) for i in range(1500)))


def learn(sw):
    sw.appctl("fdb/add", "br0", "p2", "0", "02:00:00:00:00:77")
    of(sw, "add-flow", "br0", "table=0,priority=65535,in_port=2,actions=resubmit(,4)")
    sw.appctl("netdev-dummy/receive", "p2", "in_port(2),eth(src=02:00:00:00:00:05,"
              "dst=02:00:00:00:00:06),eth_type(0x1234)")
    wait_for(lambda: "02:00:00:00:00:05" in sw.appctl("fdb/show", "br0"), SOON_S, "the address")
    wait_for(lambda: "dl_dst=02:00:00:00:00:05" in of(sw, "dump-flows", "br0", "table=5"), SOON_S,
             "the learned flow")
    time.sleep(2)  # addresses are written a second after they changed


def test_everything_is_there_again(sw):
    fill(sw)
    learn(sw)
    before = state_of(sw, "br0"), state_of(sw, "br1")
    assert len(before[0][0]) >= 12 and len(before[0][1]) == 5 and len(before[0][2]) == 3, before
    assert len(before[0][3]) >= 2 and len(before[1][0]) == 1500, before
    crash(sw)
    for now, then in zip(state_of(sw, "br0") + state_of(sw, "br1"), before[0] + before[1]):
        assert now == then
    # Changes of what was restored are in the next journal: modified, deleted, replaced.
    of(sw, "mod-flows", "br0", "table=3,actions=drop")
    of(sw, "del-groups", "br0", "group_id=5")  # with the flows that use it
    of(sw, "insert-buckets", "br0", "group_id=6,command_bucket_id=last,"
       "bucket=bucket_id=9,actions=output:2")
    of(sw, "del-meters", "br0", "meter=2")
    of(sw, "del-flows", "br1", "table=1")
    of(sw, "add-flow", "br1", "table=2,priority=2,tcp,nw_src=10.1.0.2,tp_dst=2,actions=output:9")
    before = state_of(sw, "br0"), state_of(sw, "br1")
    crash(sw)
    assert (state_of(sw, "br0"), state_of(sw, "br1")) == before
    # None at all is a state as well.
    sw.ofctl("del-flows", "br1")
    crash(sw)
    assert state_of(sw, "br1")[0] == []
    assert not [line for line in sw.alarms() if "crashes" not in line and "right after" not in line]


def test_a_journal_is_for_the_same_bridge_and_the_same_rule(sw):
    sw.ofctl("add-flow", "br0", "actions=output:1")
    sw.ofctl("add-flow", "br1", "actions=output:2")
    # Another bridge of the same name, a bridge with a controller where there was none.
    sw.vsctl("del-br", "br0")
    sw.add_bridge("br0", "fail_mode=secure")
    crash(sw)
    assert sw.flows("br0") == [] and sw.flows("br1") == ["actions=output:2"]
    # Told to keep nothing, and to keep it again.
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:flow-journal=false")
    crash(sw)
    assert sw.flows("br1") == []
    sw.ofctl("add-flow", "br1", "actions=output:3")
    sw.vsctl("remove", "Open_vSwitch", ".", "other_config", "flow-journal")
    time.sleep(1.5)
    crash(sw)
    assert sw.flows("br1") == ["actions=output:3"]
    # What is told to end keeps nothing.
    sw.stop()
    sw.start()
    assert sw.flows("br1") == []


def test_state_that_kills_is_not_restored_for_ever(sw):
    sw.ofctl("add-flow", "br1", "actions=output:2")
    for _ in range(4):
        assert sw.flows("br1") == ["actions=output:2"]
        assert "in a row crashed" not in log_of(sw)
        crash(sw)
    assert sw.flows("br1") == []
    assert "bridge br1: 3 processes in a row crashed soon after they had restored its flows" in \
        log_of(sw)
    # And what comes now is kept again.
    sw.ofctl("add-flow", "br1", "actions=output:3")
    crash(sw)
    assert sw.flows("br1") == ["actions=output:3"]


def test_hard_timeouts_go_on(sw):
    sw.ofctl("add-flow", "br1", "priority=1,hard_timeout=8,actions=output:2")
    sw.ofctl("add-flow", "br1", "priority=2,idle_timeout=600,actions=output:2")
    began = time.monotonic()
    time.sleep(4.5)
    crashed = time.monotonic()
    crash(sw)
    wait_for(lambda: len(sw.flows("br1")) == 1, SOON_S, "the end of the flow")
    # Not as long after the crash as one that began anew.
    assert time.monotonic() - began >= 7.5 and time.monotonic() - crashed < 7.5


class Changer(threading.Thread):
    """Changes flows without a pause and notes what was acknowledged."""

    def __init__(self, sw, seed):
        super().__init__(daemon=True)
        self.sw, self.random = sw, random.Random(seed)
        self.acked, self.doubt, self.is_enough = {}, {}, False

    def run(self):
        while not self.is_enough:
            flows = {"priority=%d" % self.random.randrange(1, 400): self.random.randrange(1, 9)
                     for _ in range(self.random.choice((1, 1, 5, 40)))}
            delete = self.random.random() < 0.3
            text = "".join("delete_strict %s\n" % m if delete else "add %s,actions=output:%d\n" % (m, o)
                           for m, o in flows.items())
            self.doubt = {m: None if delete else o for m, o in flows.items()}
            if sh(["ovs-ofctl", "--bundle", "add-flows", "br1", "-"], check=False, input=text,
                  env=self.sw.env).returncode:
                return
            for match, out in self.doubt.items():
                if out is None:
                    self.acked.pop(match, None)
                else:
                    self.acked[match] = out
            self.doubt = {}


def test_what_was_acknowledged_is_there(sw):
    for seed in range(3):
        sw.ofctl("del-flows", "br1")
        changer = Changer(sw, seed)
        changer.start()
        wait_for(lambda: changer.acked, SOON_S, "flows")
        time.sleep(0.3 + 0.17 * seed)
        crash(sw)
        changer.is_enough = True  # it may not have noticed, between two bundles
        changer.join(SOON_S)
        assert not changer.is_alive()
        there = {}
        for flow in sw.flows("br1"):
            match, out = flow.split(" actions=output:")
            there[match.strip(" ,")] = int(out)
        with_doubt = dict(changer.acked)
        for match, out in changer.doubt.items():
            with_doubt.pop(match, None)
            if out is not None:
                with_doubt[match] = out
        # A bundle is there as a whole or not at all.
        assert there in (changer.acked, with_doubt)
