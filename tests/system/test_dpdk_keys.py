# SPDX-License-Identifier: Apache-2.0
"""other_config:dpdk-* and its neighbours: words that DPDK does not understand, memory of each port's own,
and as many queues as guests are told of."""
import glob
import os
import re
import stat

import pytest

import vhost_frontend as vf
from switchlib import wait_for
from test_vhost_protocol import begin, connect, drivers, ether  # noqa: F401

BAD = ("dpdk-extra=--bogus", "dpdk-extra=-l 0 --bogus", "dpdk-extra=-l 4095", "dpdk-extra=--iova-mode=x")


def configure(sw, key, init):
    words = ["other_config:%s=\"%s\"" % tuple(key.split("=", 1))]
    sw.vsctl("--no-wait", "set", "Open_vSwitch", ".", *words,
             *(["other_config:dpdk-init=" + init] if init else []))


@pytest.mark.parametrize("key,init", [(BAD[0], None), (BAD[0], "false"), (BAD[0], "try"),
                                      (BAD[2], "try"), (BAD[3], "try")])
def test_bridges_do_without_keys_that_are_wrong(sw, hosts, key, init):
    """As with Open vSwitch, where only DPDK's ports need them; one line says so."""
    configure(sw, key, init)
    sw.add_bridge("br0")
    for i in (1, 2):
        hosts.append(sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i))
    hosts[0].ping("10.1.0.2", check=True)
    for kind, option in (("dpdk", "dpdk-devargs=net_null0"),
                         ("dpdkvhostuserclient", "vhost-server-path=/nowhere"), ("dpdkvhostuser", "x=y")):
        p = sw.vsctl("add-port", "br0", "d", "--", "set", "Interface", "d", "type=" + kind,
                     "options:" + option, check=False)
        assert "Address family not supported by protocol" in p.stderr, p.stderr
        sw.vsctl("del-port", "d")
    if sw.kind == "sluice":
        assert sw.get("Open_vSwitch", ".", "dpdk_initialized") == "false"
        assert len([a for a in sw.alarms() if "DPDK runs without other_config:dpdk-*" in a]) == 1
    # A later start is one with the keys as they are then.
    sw.vsctl("remove", "Open_vSwitch", ".", "other_config", key.split("=")[0])
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-init=true")
    assert sw.proc.poll() is None
    hosts[0].ping("10.1.0.2", check=True)


def test_a_mask_that_is_none_is_named(sw):
    configure(sw, "dpdk-lcore-mask=0-3", "true")
    sw.add_bridge("br0")
    assert sw.get("Open_vSwitch", ".", "dpdk_initialized") == "true"
    assert [a for a in sw.alarms() if "other_config:dpdk-lcore-mask '0-3' is not understood" in a]


def test_sockets_of_guests_in_a_folder_of_their_own(sw):
    """vhost-sock-dir is a folder under the run directory, and stays there."""
    folder = os.path.join(sw.dir, "guests")
    os.mkdir(folder)
    configure(sw, "vhost-sock-dir=guests", "true")
    sw.add_bridge("br0")
    sw.vsctl("add-port", "br0", "v1", "--", "set", "Interface", "v1", "type=dpdkvhostuser")
    assert sw.get("Interface", "v1", "error") == "[]"
    wait_for(lambda: stat.S_ISSOCK(os.stat(folder + "/v1").st_mode), 10, "the socket")
    sw.vsctl("del-port", "v1")
    wait_for(lambda: os.listdir(folder) == [], 10, "the folder to be empty")


def test_sockets_of_guests_do_not_leave_the_run_directory(sw):
    configure(sw, "vhost-sock-dir=../../tmp", "true")
    sw.add_bridge("br0")
    p = sw.vsctl("add-port", "br0", "v1", "--", "set", "Interface", "v1", "type=dpdkvhostuser", check=False)
    assert "leaves the run directory" in p.stderr
    assert not os.path.exists("/tmp/v1")


def cores_of_threads(pid):
    """{name of a thread: cores that it may run on}, of main, handlers and revalidators."""
    found = {}
    for task in glob.glob("/proc/%d/task/*" % pid):
        name = open(task + "/comm", encoding="utf-8").read().strip()
        if task.endswith("/%d" % pid) or re.match("handler|revalidator", name):
            found[name] = re.search(r"Cpus_allowed_list:\s*(\S+)", open(task + "/status", encoding="utf-8").read())[1]
    return found


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="takes two cores")
@pytest.mark.parametrize("key,wanted", [("dpdk-lcore-mask=%x", "both"), ("dpdk-lcore-mask=%x", "high"),
                                        ("dpdk-extra=-l %d", "high"), (None, None)])
def test_main_and_handlers_stay_where_lcores_are(sw, key, wanted):
    """On the lowest core of the mask, so that PMDs have the others for themselves."""
    low, high = sorted(os.sched_getaffinity(0))[-2:]
    core = low if wanted == "both" else high
    if key:
        configure(sw, key % (core if "extra" in key else 1 << high | 1 << core), "true")
    sw.add_bridge("br0")
    found = cores_of_threads(sw.proc.pid)
    assert {re.sub(r"\d+$", "", name) for name in found} >= {"handler", "revalidator"} and len(found) >= 3
    assert len(set(found.values())) == 1
    if key:
        assert set(found.values()) == {str(core)}
    else:
        assert re.search("[-,]", found.popitem()[1])


@pytest.mark.parametrize("init", ("true", "TRUE"))
def test_a_switch_that_must_have_dpdk_ends_without(sw, init):
    configure(sw, BAD[0], init)
    assert sw.proc.wait(20) != 0
    with open(sw.log, encoding="utf-8") as f:
        assert "cannot start DPDK" in f.read()


def test_memory_of_each_ports_own(sw, drivers):  # noqa: F811
    """per-port-memory, for guests with one queue and with many, and again with other queues."""
    begin(sw, "other_config:per-port-memory=true")
    a, b = connect(sw, drivers, "a"), connect(sw, drivers, "b")
    a.send(ether())
    b.expect(1)

    def pools():
        return set(re.findall(r"mempool <(\S+)>", sw.appctl("netdev-dpdk/get-mempool-info")))

    def pool_of(name):
        text = sw.appctl("netdev-dpdk/get-mempool-info", name)
        (found,) = set(re.findall(r"mempool <(\S+)>", text))
        return found

    assert pool_of("a") != pool_of("b") and {pool_of("a"), pool_of("b")} <= pools()
    drivers.remove(a)
    a.close()
    wait_for(lambda: "disconnected" in sw.get("Interface", "a", "status"), 20, "its end")
    again = vf.Driver(sw.dir + "/a", features=(vf.MQ,), pairs=3)
    drivers.append(again)
    wait_for(lambda: 'n_rxq="3"' in sw.get("Interface", "a", "status"), 20, "three queues")
    again.send(ether(), queue=2)
    b.expect(1)
    assert pool_of("a") != pool_of("b")
    # It is one of DPDK's ports for the other command, too.
    for state in ("down", "up"):
        assert sw.appctl("netdev-dpdk/set-admin-state", "a", state) == "OK\n"
        wait_for(lambda: sw.get("Interface", "a", "admin_state") == state, 20, state)
        assert sw.get("Interface", "a", "link_state") == state


def test_as_many_queues_as_are_offered(sw, drivers):  # noqa: F811
    """The library tells guests of 128 pairs, and each of them is polled and sent to."""
    begin(sw)
    a = connect(sw, drivers, "a", features=(vf.MQ,), pairs=100, fill=False)
    b = connect(sw, drivers, "b")
    wait_for(lambda: 'n_rxq="100"' in sw.get("Interface", "a", "status"), 20, "all queues")
    for queue in (0, 63, 64, 99):
        a.send(ether(payload=b"from %d" % queue), queue=queue)
        b.expect(1)
    for queue in range(99):
        a.enable(2 * queue, False)
    a.fill(a.rings[198])
    wait_for(lambda: b.send(ether(src=b"\2\0\0\0\0\3")) or a.receive(99), 20, "a frame in the last")
