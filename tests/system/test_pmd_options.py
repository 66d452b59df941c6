# SPDX-License-Identifier: Apache-2.0
"""What ovs-vsctl says about PMD threads and DPDK ports must show in ovs-appctl: cores, pinned queues,
isolation, sleep, descriptors, MTU, caches, idle flows, devices attached and detached while it runs."""
import re

import pytest

from switchlib import Switch, wait_for


@pytest.fixture
def sw():
    switch = Switch().start()
    try:
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=1",
                     "other_config:pmd-sleep-max=500")
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=netdev",
                     "fail_mode=secure")
        switch.vsctl("add-port", "br0", "d0", "--", "set", "Interface", "d0", "type=dpdk",
                     "options:dpdk-devargs=net_null0,no-rx=1", "options:n_rxq=2")
        yield switch
    finally:
        switch.close()


def config(sw, *pairs):
    sw.vsctl("set", "Open_vSwitch", ".", *["other_config:" + p for p in pairs])


def queues(sw):
    """{core: (isolated, [(port, queue)])} as pmd-rxq-show has it."""
    found = {}
    for line in sw.appctl("dpif-netdev/pmd-rxq-show").splitlines():
        m = re.match(r"pmd thread numa_id \d+ core_id (\d+):", line)
        if m:
            core = int(m.group(1))
            found[core] = [None, []]
        m = re.match(r"  isolated : (true|false)", line)
        if m:
            found[core][0] = m.group(1) == "true"
        m = re.match(r"  port: (\S+) +queue-id: +(\d+) ", line)
        if m:
            found[core][1].append((m.group(1), int(m.group(2))))
    return {core: (isolated, sorted(q)) for core, (isolated, q) in found.items()}


def port_config(sw, port):
    line = [l for l in sw.appctl("dpif/show").splitlines() if l.split()[:1] == [port]][0]
    return dict(pair.split("=", 1) for pair in re.search(r"dpdk: (.*)\)", line)[1].split(", "))


def test_cores_and_pinned_queues(sw):
    assert queues(sw) == {0: (False, [("d0", 0), ("d0", 1)])}
    config(sw, "pmd-cpu-mask=3", "pmd-rxq-assign=roundrobin")
    sw.vsctl("set", "Interface", "d0", "other_config:pmd-rxq-affinity=0:1,1:1")
    assert queues(sw)[1] == (True, [("d0", 0), ("d0", 1)])
    # A queue that nobody pinned keeps away from the core that is taken.
    sw.vsctl("set", "Interface", "d0", "options:n_rxq=3")
    assert queues(sw) == {0: (False, [("d0", 2)]), 1: (True, [("d0", 0), ("d0", 1)])}
    # Only queues that are placed by load may come to it all the same.
    config(sw, "pmd-rxq-isolate=false")
    assert queues(sw)[1][0] is True
    config(sw, "pmd-rxq-assign=group")
    assert queues(sw)[1][0] is False
    config(sw, "pmd-rxq-assign=roundrobin")
    # A core that is not there, and an affinity that is gone.
    sw.vsctl("set", "Interface", "d0", "other_config:pmd-rxq-affinity=0:77")
    assert sum((q for _, q in queues(sw).values()), []).count(("d0", 0)) == 1
    sw.vsctl("remove", "Interface", "d0", "other_config", "pmd-rxq-affinity")
    assert sorted(len(q) for _, q in queues(sw).values()) == [1, 2]
    config(sw, "pmd-cpu-mask=2")
    assert queues(sw) == {1: (False, [("d0", 0), ("d0", 1), ("d0", 2)])}


def test_what_the_log_says(sw):
    """In Open vSwitch's words, which operators and their tools look for."""
    sw.vsctl("set", "Interface", "d0", "other_config:pmd-rxq-affinity=0:77,1:0")
    config(sw, "pmd-rxq-assign=nonsense", "pmd-rxq-isolate=false",
           "pmd-auto-lb-load-threshold=101", "pmd-auto-lb-improvement-threshold=50",
           "pmd-auto-lb-rebal-interval=0")
    config(sw, "pmd-rxq-assign=group", "pmd-auto-lb=true", "pmd-auto-lb-rebal-interval=3",
           "emc-insert-inv-prob=0", "smc-enable=false", "tx-flush-interval=5", "pmd-perf-metrics=true")
    config(sw, "emc-insert-inv-prob=7", "smc-enable=true", "pmd-perf-metrics=false")

    def log():
        with open(sw.log) as f:
            return f.read()
    for text in ("|WARN|Core 77 cannot be pinned with port 'd0' rx queue 0. Use pmd-cpu-mask to enable a "
                 "pmd on core 77. An alternative core will be assigned.",
                 "|INFO|Core  0 on numa node 0 is pinned with port 'd0' rx queue 1 (measured processing "
                 "cycles ",
                 "|WARN|No non-isolated pmd on any numa available for port 'd0' rx queue 0 (measured "
                 "processing cycles ",
                 "|WARN|Unsupported rx queue to PMD assignment mode in pmd-rxq-assign. Defaulting to "
                 "'cycles'.",
                 "|WARN|pmd-rxq-isolate can only be set false when using pmd-rxq-assign=group",
                 "|INFO|Rxq to PMD assignment mode changed to: 'group'.",
                 "|INFO|pmd-rxq-affinity does not isolate PMD core",
                 "|INFO|Performing pmd to rx queue assignment using group algorithm.",
                 "|INFO|Core  0 on numa node 0 assigned port 'd0' rx queue 0 (measured processing cycles ",
                 "|INFO|EMC insertion probability changed to zero",
                 "|INFO|EMC insertion probability changed to 1/7 (~14.29%)",
                 "|INFO|SMC cache is disabled", "|INFO|SMC cache is enabled",
                 "|INFO|Flushing interval for tx queues set to 5 us",
                 "|INFO|PMD performance metrics collection enabled",
                 "|INFO|PMD performance metrics collection disabled",
                 "|INFO|PMD max sleep request is 500 usecs.",
                 "|INFO|PMD load based sleeps are enabled.",
                 "|INFO|PMD auto load balance improvement threshold set to 50%",
                 "|INFO|PMD auto load balance is disabled.",
                 "|INFO|PMD auto load balance interval set to 3 mins",
                 "|INFO|PMD auto load balance is enabled, interval 3 mins, pmd load threshold 95%, "
                 "improvement threshold 50%."):
        assert text in log(), text
    assert "load threshold set to" not in log()


def test_sleep(sw):
    assert sw.appctl("dpif-netdev/pmd-sleep-show").split("\n")[:3] == [
        "Default max sleep:  500 us", "pmd thread numa_id 0 core_id 0:", "  max sleep:  500 us"]

    def sleeps():
        return int(re.search(r"sleep iterations: +(\d+)",
                             sw.appctl("dpif-netdev/pmd-perf-show", "-pmd", "0"))[1])
    wait_for(lambda: sleeps() > 0, what="the PMD to sleep")
    config(sw, "pmd-sleep-max=0")
    sw.appctl("dpif-netdev/pmd-stats-clear")
    assert sw.appctl("dpif-netdev/pmd-sleep-show").startswith("Default max sleep:    0 us")
    # The old name of the key.
    sw.vsctl("remove", "Open_vSwitch", ".", "other_config", "pmd-sleep-max")
    config(sw, "pmd-maxsleep=300")
    assert sw.appctl("dpif-netdev/pmd-sleep-show").startswith("Default max sleep:  300 us")


def test_descriptors_mtu_and_queues(sw):
    sw.vsctl("set", "Interface", "d0", "options:n_rxq_desc=512", "options:n_txq_desc=1024",
             "options:n_rxq=4", "mtu_request=9000")
    c = port_config(sw, "d0")
    assert (c["configured_rxq_descriptors"], c["configured_txq_descriptors"],
            c["configured_rx_queues"], c["mtu"]) == ("512", "1024", "4", "9000")
    assert sw.get("Interface", "d0", "mtu") == "9000"
    # What is no power of two is not taken; a port is never lost by it.
    sw.vsctl("set", "Interface", "d0", "options:n_rxq_desc=333")
    assert port_config(sw, "d0")["configured_rxq_descriptors"] == "2048"
    assert sw.get("Interface", "d0", "error") == "[]"


def test_devices_come_and_go(sw):
    def detach(device):
        return sw.appctl("netdev-dpdk/detach", device, check=False).stderr

    assert "is being used by the following interfaces: d0" in detach("net_null0")
    for i in range(3):
        sw.vsctl("add-port", "br0", "d1", "--", "set", "Interface", "d1", "type=dpdk",
                 "options:dpdk-devargs=net_ring%d" % i)
        assert sw.get("Interface", "d1", "error") == "[]"
        sw.vsctl("del-port", "d1")
    assert "not found in DPDK" in detach("net_ring0")
    # The device of one port under another name, as soon as it is free.
    sw.vsctl("add-port", "br0", "d2", "--", "set", "Interface", "d2", "type=dpdk",
             "options:dpdk-devargs=net_null0,no-rx=1")
    assert "already in use" in sw.get("Interface", "d2", "error")
    sw.vsctl("del-port", "d0")
    assert sw.get("Interface", "d2", "error") == "[]"


def test_statistics_have_the_names_of_the_queues(sw):
    wait_for(lambda: "rx_q0_packets" in sw.get("Interface", "d0", "statistics"), 20,
             "statistics of queues")


def test_drops_of_devices(sw):
    """Frames that are too long for the device that they are to leave by."""
    sw.ofctl("add-flow", "br0", "in_port=2,actions=output:1")
    sw.vsctl("add-port", "br0", "d1", "--", "set", "Interface", "d1", "type=dpdk",
             "options:dpdk-devargs=net_null1,size=2000", "mtu_request=3000", "ofport_request=2")

    def drops(port):
        return dict(re.findall(r"^  (\w+): (\d+)$", sw.appctl("dpif-netdev/drops-show", port), re.M))
    wait_for(lambda: int(drops("d0").get("ovs_tx_mtu_exceeded_drops", 0)) > 100, what="drops by d0")
    assert not any(name.endswith("qos_drops") or name == "tx_dropped" for name in drops("d0"))
    assert "ovs_tx_mtu_exceeded_drops" not in drops("d1")


def test_idle_flows_go(sw):
    config(sw, "max-idle=500")
    sw.vsctl("add-port", "br0", "t0", "--", "set", "Interface", "t0", "type=internal")
    sw.ns.run("ip link set t0 up")
    sw.ns.run("ip addr add 10.9.0.1/24 dev t0")
    sw.ns.run("ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev t0")

    def seen():
        sw.ns.run("ping -c 1 -W 0.01 10.9.0.2", check=False)
        return "(max 0)" not in sw.appctl("upcall/show")
    wait_for(seen, 20, "a flow to be seen")
    wait_for(lambda: "0x0800" not in sw.appctl("dpctl/dump-flows"), 9.5, "the flow to expire")
