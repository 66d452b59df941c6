# SPDX-License-Identifier: Apache-2.0
"""What the switch says about its datapath and its machine, beside genuine Open vSwitch."""
import os
import re

import pytest

from switchlib import hermetic_pair, wait_for

pytestmark = pytest.mark.rootless

# What this datapath does not have yet.
MISSING = {"add_mpls", "nd_ext", "tnl_push_pop"}


def pairs(text):
    """{key: value} of a map as ovs-vsctl prints it."""
    return dict(re.findall(r'([\w-]+)="?([^",}]*(?:,[^"=}]*)*)"?(?:, |})', text))


def statistics(sw):
    return pairs(sw.get("Open_vSwitch", ".", "statistics"))


@pytest.fixture(scope="module")
def pair():
    def prepare(sw):
        sw.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy")
        assert statistics(sw) == {}
        sw.vsctl("set", "Open_vSwitch", ".", "other_config:enable-statistics=true")
        sw.first = wait_for(lambda: statistics(sw), what="statistics")

    yield from hermetic_pair(prepare)


def is_missing(name):
    return name in MISSING or name.startswith("ct_")


def test_capabilities(pair):
    """Written for the type that a bridge has, and for no other; set-dp-features is seen there."""
    found = []
    for sw in pair:
        assert sw.appctl("dpif/set-dp-features", "br0", "sample_nesting", "0").strip() == ""
        sw.vsctl("set", "Open_vSwitch", ".", "datapaths:dummy=@d", "datapaths:netdev=@e",
                 "--", "--id=@d", "create", "Datapath", "datapath_version=x",
                 "--", "--id=@e", "create", "Datapath", "datapath_version=y")
        uuids = pairs(sw.get("Open_vSwitch", ".", "datapaths"))
        assert sw.get("Datapath", uuids["netdev"], "capabilities") == "{}"
        found.append(pairs(sw.get("Datapath", uuids["dummy"], "capabilities")))
        sw.appctl("dpif/set-dp-features", "br0", "sample_nesting", "10")
        sw.vsctl("clear", "Open_vSwitch", ".", "datapaths")
    ours, theirs = found
    assert len(theirs) > 20 and theirs["sample_nesting"] == "false"
    assert ours == {k: "false" if is_missing(k) else v for k, v in theirs.items()}


FEATURES = [["clone"], ["clone", "maybe"], ["clone", "False"], ["clone"], ["clone", "true"], ["clone"],
            ["nosuch"], ["nosuch", "false"], ["Recirc", "true"], ["max_mpls_depth", "x"],
            ["max_mpls_depth", "1"], ["max_mpls_depth"], ["max_mpls_depth", "4"],
            ["max_mpls_depth", ""], ["max_mpls_depth", "3"], ["max_vlan_headers"], ["ct_flush"],
            ["sample_nesting", "99"], ["ufid", "0"], ["ufid", "true", "x"]]


@pytest.mark.parametrize("args", FEATURES, ids="-".join)
def test_set_dp_features(pair, args):
    """The same text, in the same order of commands, and what a bridge that is not there gets."""
    for bridge in ("br0", "nosuch"):
        ours, theirs = [sw.control() for sw in pair]
        assert ours.run("dpif/set-dp-features", bridge, *args) == \
            theirs.run("dpif/set-dp-features", bridge, *args)
        ours.close()
        theirs.close()


def test_lines_of_all_features(pair):
    """One for each, in either order; what is missing says so."""
    ours, theirs = [set(sw.appctl("dpif/set-dp-features", "br0").splitlines()) for sw in pair]
    assert len(theirs) > 25
    assert ours == {line.replace(":true", ":false") if is_missing(line.split()[0]) else line
                    for line in theirs}
    assert pair[0].appctl("ofproto/list-tunnels") == pair[1].appctl("ofproto/list-tunnels")


def test_system_statistics(pair):
    """What does not move is equal, the rest has the same form."""
    found = [sw.first for sw in pair]
    ours, theirs = found
    assert set(ours) == set(theirs) >= {"cpu", "load_average", "memory", "process_ovs-vswitchd"}
    assert ours["cpu"] == theirs["cpu"] == str(os.cpu_count())
    assert re.fullmatch(r"\d+\.\d\d(,\d+\.\d\d){2}", ours["load_average"])
    ours_memory, theirs_memory = [list(map(int, x["memory"].split(","))) for x in found]
    assert ours_memory[0] == theirs_memory[0] and ours_memory[3] == theirs_memory[3]
    assert len(ours_memory) == 5 and 0 < ours_memory[2] <= ours_memory[1] <= ours_memory[0]
    process = [int(n) for n in ours["process_ovs-vswitchd"].split(",")]
    with open("/proc/%d/statm" % pair[0].pid) as f:
        size_kb = int(f.read().split()[0]) * os.sysconf("SC_PAGESIZE") // 1024
    assert len(process) == 7 and process[3] == 0 and 0 < process[1] < process[0] < 2 * size_kb
    assert 0 < process[5] <= process[4] and process[6] < os.cpu_count()
    sizes = [[part.rsplit(",", 1)[0] for part in x.get("file_systems", "").split()] for x in found]
    assert sizes[0] == sizes[1]


def test_statistics_are_renewed_while_asked_for(pair):
    """Every five seconds of real time, most of which have passed with what stands above."""
    for sw in pair:
        wait_for(lambda: statistics(sw)["process_ovs-vswitchd"] !=
                 sw.first["process_ovs-vswitchd"], what="the next ones")
        sw.vsctl("remove", "Open_vSwitch", ".", "other_config", "enable-statistics")
        wait_for(lambda: statistics(sw) == {}, what="no statistics")
