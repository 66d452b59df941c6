# SPDX-License-Identifier: Apache-2.0
"""What operators see of the datapath: drops by port and reason, limits, stages and how they are set.
Hermetic: dummy ports."""
import re
import time

import pytest

from switchlib import Hermetic, wait_for

TCP = ("in_port(1),eth(src=50:54:00:00:00:01,dst=50:54:00:00:00:02),eth_type(0x0800),"
       "ipv4(src=10.0.0.1,dst=10.0.0.2,proto=6,tos=0,ttl=64,frag=no),tcp(src=%d,dst=80)")


@pytest.fixture
def switch():
    s = Hermetic()
    s.start()
    s.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "fail-mode=secure")
    s.add_ports("br0", "p1", "p2")
    yield s
    s.close()


def drops(switch, port):
    out = switch.appctl("dpif-netdev/drops-show", port)
    assert out.startswith("port ") and out.splitlines()[0].endswith(": " + port)
    return {k: int(n) for k, n in re.findall(r"^  (\w+): (\d+)$", out, re.M)}


def receive(switch, sport, n=1):
    for _ in range(n):
        switch.appctl("netdev-dummy/receive", "p1", TCP % sport)


def stat(switch, name):
    out = switch.appctl("dpif-netdev/pmd-stats-show")
    return sum(int(n) for n in re.findall(r"^  %s: (\d+)$" % name, out, re.M))


def test_drops_by_port_and_reason(switch):
    switch.ofctl("add-flow", "br0", "in_port=1,actions=drop")
    receive(switch, 1000, 4)
    # The first by the handler that translated it, the others by the megaflow.
    wait_for(lambda: drops(switch, "p1").get("drop_action_of_pipeline") == 4,
             what="four drops of p1")
    assert drops(switch, "p2") == {}
    both = switch.appctl("dpif-netdev/drops-show")
    assert "p1\n" in both and "p2\n" in both
    p = switch.appctl("dpif-netdev/drops-show", "nope", check=False)
    assert p.returncode == 2 and "nope: no such port" in p.stderr


def test_drops_sum_to_what_is_missing(switch):
    """Frames that one rule after another loses: each is counted once, under one reason."""
    def lose(n, reason, *, at_least=None, sport=1000):
        before = drops(switch, "p1")
        receive(switch, sport, n)
        lost = lambda: {k: v - before.get(k, 0) for k, v in drops(switch, "p1").items()
                        if v != before.get(k, 0)}
        if at_least is None:
            wait_for(lambda: lost() == {reason: n}, what="%d of %s, not %s" % (n, reason, lost()))
        else:
            wait_for(lambda: lost().get(reason, 0) >= at_least, what=reason)
            assert set(lost()) == {reason}, "none of them twice"
    flows = lambda flow: switch.ofctl("-O", "OpenFlow13", "replace-flows", "br0", "-", input=flow)
    flows("in_port=1,actions=output:77\n")
    lose(5, "drop_action_of_pipeline")
    flows("in_port=1,actions=resubmit(,1)\ntable=1,actions=resubmit(,1)\n")
    lose(5, "drop_action_recursion_too_deep")
    switch.ofctl("-O", "OpenFlow13", "add-meter", "br0",
                 "meter=1,pktps,burst,band=type=drop,rate=1,burst_size=1")
    flows("in_port=1,actions=meter:1,output:2\n")
    lose(20, "datapath_drop_meter", at_least=10)
    flows("in_port=1,actions=output:2\n")
    switch.vsctl("set", "Interface", "p1", "ingress_policing_rate=1", "ingress_policing_burst=1")
    lose(30, "datapath_drop_rx_policed", at_least=20)
    switch.vsctl("set", "Interface", "p1", "ingress_policing_rate=0")
    switch.vsctl("set", "port", "p2", "qos=@q", "--", "--id=@q", "create", "qos",
                 "type=egress-policer", "other_config:cir=1", "other_config:cbs=100")
    lose(30, "datapath_drop_tx_policed", at_least=20)
    assert drops(switch, "p2") == {}, "they were p1's"


def test_limits_tell_how_full_they_are(switch):
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:flow-limit=12345",
                 "other_config:pmd-miss-share=7", "other_config:smc-max-entries=20000")
    switch.ofctl("add-flow", "br0", "in_port=1,tcp,tp_src=1000,actions=output:2")
    receive(switch, 1000)
    wait_for(lambda: "megaflows: 1 of 12345, most 1, refused 0\n" in
             switch.appctl("dpif-netdev/limits-show"), what="one megaflow of 12345")
    out = switch.appctl("dpif-netdev/limits-show")
    for line in (r"ports: 3 of 4095, most 3, refused 0",
                 r"PMD threads: 0 of 127, most 0, cores left without one 0",
                 r"translations that wait for a recirculation: 0 of 65536, most 0, refused 0",
                 r"bytes of those translations: 0 of 67108864, most 0, refused for either bound 0",
                 r"those of the fullest port: 0 of 32768, most 0, "
                 r"refused when three quarters of all were there 0",
                 r"megaflows of the fullest port, p1: 1 of 6172, most 1, refused when three quarters "
                 r"of all were there 0",
                 r"masks of the fullest lane, p1: 1 of 34, most 1, flows put under a covering mask 0",
                 r"misses that wait, worst port, p1: 0 of 511, most 1, dropped 0",
                 r"misses that waited in vain, all ports: dropped 0",
                 r"misses' share of a PMD that others wait for: 7 %, dropped 0",
                 r"rests of queues whose misses were refused: 0",
                 r"exact-match cache, words, .*core -?\d+: \d+ of 8192, most \d+, evicted 0",
                 r"signature cache, room for words, .*: 8192 of 16384, most 8192, words evicted 0",
                 r"answers that wait for the busiest PMD: 0 of 1023, most \d+, dropped 0",
                 r"learned MAC addresses, br0: 0 of 8192, most 0, evicted 0",
                 r"jobs of handlers for the main thread: \d+ of 4096, most \d+, dropped 0",
                 r"jobs before a packet for controllers: \d+ of 2048, most \d+, packets dropped, of "
                 r"those 0",
                 r"bytes that a controller has yet to read: 0 of 1048576, most 0, packets not sent to "
                 r"it 0",
                 r"LACP frames that wait for the main thread, 8 of a port: dropped 0",
                 r"TLS handshakes at once, 256 of a listener: refused 0",
                 r"peers that left too much unread, 64 MiB of OpenFlow: disconnected 0",
                 r"cohorts of megaflows: 0 of 64, most 0, not founded 0"):
        assert re.search("^" + line + "$", out, re.M), (line, out)


def limit(switch, name):
    """(now, of, most, beyond) of a line of limits-show."""
    m = re.search(r"^%s: (\d+) of (\d+), most (\d+), .* (\d+)$" % re.escape(name),
                  switch.appctl("dpif-netdev/limits-show"), re.M)
    return tuple(int(n) for n in m.groups())


def test_limits_count_what_they_refuse(switch):
    switch.vsctl("set", "bridge", "br0", "other_config:mac-table-size=10")
    switch.appctl("revalidator/pause")  # they choose the limit anew each time
    switch.appctl("upcall/set-flow-limit", "2")
    switch.ofctl("add-flow", "br0", "actions=NORMAL")
    for i in range(14):
        mac = "%02x" % (2 * i)
        switch.appctl("netdev-dummy/receive", "p1",
                      "ff" * 6 + "0200000000" + mac + "1234" + "00" * 46)
    wait_for(lambda: limit(switch, "learned MAC addresses, br0") == (10, 10, 10, 4),
             what="four addresses pushed out")
    now, of, most, refused = limit(switch, "megaflows")
    assert now == of == most == 2 and refused == 12
    switch.appctl("revalidator/resume")
    switch.appctl("dpctl/del-flows")
    now, _, most, _ = limit(switch, "megaflows")
    assert (now, most) == (0, 2), "what was seen stays"


def test_the_size_of_the_exact_match_cache(switch):
    def words():
        out = switch.appctl("dpif-netdev/limits-show")
        return set(re.findall(r"^exact-match cache, words, .*: \d+ of (\d+), ", out, re.M))
    assert words() == {"8192"}
    for asked, got in (("3000", "2048"), ("1", "1024"), ("99999999", "1048576"), ("many", "8192"),
                       ("-1", "8192"), ("65536", "65536")):
        switch.vsctl("set", "Open_vSwitch", ".", "other_config:emc-entries=" + asked)
        assert words() == {got}, asked
    switch.vsctl("remove", "Open_vSwitch", ".", "other_config", "emc-entries")
    assert words() == {"8192"}


def test_a_port_without_emc(switch):
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:emc-insert-inv-prob=1", "--",
                 "set", "Interface", "p1", "other_config:emc-enable=false")
    switch.ofctl("add-flow", "br0", "in_port=1,actions=output:2")
    receive(switch, 1000)
    wait_for(lambda: "flows: 1\n" in switch.appctl("dpctl/show"), what="the megaflow")
    receive(switch, 1000, 5)
    wait_for(lambda: stat(switch, "smc hits") + stat(switch, "megaflow hits") == 5,
             what="five hits below the EMC")
    assert stat(switch, "emc hits") == 0
    switch.vsctl("set", "Interface", "p1", "other_config:emc-enable=true")
    receive(switch, 1000, 5)
    wait_for(lambda: stat(switch, "emc hits") >= 4, what="hits of the EMC")


def busy(switch):
    """Turns metrics on and sends some packets through; returns pmd-perf-show of the main thread."""
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-perf-metrics=true")
    switch.ofctl("add-flow", "br0", "in_port=1,actions=output:2")
    receive(switch, 1000, 10)
    wait_for(lambda: stat(switch, "packets received") >= 10, what="ten packets")
    return switch.appctl("dpif-netdev/pmd-perf-show", "-it", "3", "-ms", "2")


def test_histograms_and_history(switch):
    out = busy(switch)
    rows = out[out.index("Histograms\n"):].splitlines()
    assert rows[1].split("  ")[0].strip() == "" and "max vhost qlen" in rows[1]
    bins = [re.findall(r"(\S+) +(\d+)", row) for row in rows[2:34]]
    assert len(bins) == 32 and all(len(row) == 7 for row in bins), rows
    assert [column[0] for column in bins[31]] == [">"] * 7
    averages = rows[35]
    assert "  vhost qlen" in averages and "max" not in averages, averages
    packets = sum(int(row[1][1]) for row in bins)  # iterations, by packets
    assert packets >= 10, out
    assert re.search(r"^   iter +cycles +packets +cycles/pkt +pkts/batch +vhost qlen +upcalls "
                     r"+cycles/upcall$", out, re.M), out
    assert re.search(r"^   ms +iterations +cycles/it +Kpps ", out, re.M), out
    assert "Histograms" not in switch.appctl("dpif-netdev/pmd-perf-show", "-nh")


def test_stages(switch):
    p = switch.appctl("dpif-netdev/pmd-stage-show", check=False)
    assert p.returncode == 2 and "pmd-perf-metrics=true" in p.stderr
    busy(switch)
    out = switch.appctl("dpif-netdev/pmd-stage-show")
    stages = dict(re.findall(r"^  ([a-z, ]+?) {2,}(\d+) +\d+ +[\d.]+ +[\d.]+%$", out, re.M))
    assert list(stages) == ["receive", "extract", "hash", "emc", "smc", "dpcls", "upcall",
                            "promote", "execute", "send, recirculate"], out
    # Counting begins with the first iteration that ends after metrics were turned on.
    assert int(stages["receive"]) >= 5
    assert stages["receive"] == stages["extract"] == stages["hash"] == stages["emc"]


def test_suspicious_iterations_are_logged(switch):
    p = switch.appctl("dpif-netdev/pmd-perf-log-set", "on", "-b", "101", check=False)
    assert p.returncode == 2 and "at most 100" in p.stderr
    p = switch.appctl("dpif-netdev/pmd-perf-log-set", "sometimes", check=False)
    assert p.returncode == 2 and "Usage: ovs-appctl dpif-netdev/pmd-perf-log-set [on|off]" in p.stderr
    # Each iteration takes longer than no time at all.
    assert switch.appctl("dpif-netdev/pmd-perf-log-set", "on", "-b", "2", "-a", "0", "-us", "0",
                         "-q", "512", "-e") == ""
    busy(switch)

    def logged():
        with open(switch.log) as f:
            text = f.read()
        return ("Suspicious iteration (Excessive total time)" in text
                and "Neighborhood of suspicious iteration:" in text)
    wait_for(logged, what="a suspicious iteration in the log")
    switch.appctl("dpif-netdev/pmd-perf-log-set", "off")


def polled(switch, *names):
    for i, name in enumerate(names, 1):
        switch.vsctl("add-port", "br0", name, "--", "set", "Interface", name, "type=dummy-pmd",
                     "ofport_request=%d" % i)


@pytest.fixture(params=["sluice", "ovs"])
def either(request):
    """Three ports polled by a PMD that may sleep; ours and genuine Open vSwitch."""
    s = Hermetic(request.param)
    try:
        s.start()
        s.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "fail-mode=secure", "--", "set",
                "Open_vSwitch", ".", "other_config:pmd-perf-metrics=true",
                "other_config:pmd-maxsleep=500")
        polled(s, "p1", "p2", "p3")
        yield s
    finally:
        s.close()


def perf(switch):
    """Iterations of the first thread, samples of each of its histograms by bin, and averages."""
    out = switch.appctl("dpif-netdev/pmd-perf-show")
    its = int(re.search(r"^  Iterations: +(\d+)", out, re.M).group(1))
    rows = out.split("Histograms\n")[1].splitlines()
    bins = [re.findall(r"(\S+) +(\d+)", row) for row in rows[1:33]]
    names = re.split(r"  +", rows[0].strip())
    columns = {name: {row[i][0]: int(row[i][1]) for row in bins} for i, name in enumerate(names)}
    averages = rows[35].split() if len(rows) > 35 else []  # genuine has no line before the first iteration
    return its, columns, dict(zip(names, map(float, averages)))


def one_by_one(switch, sport, n):
    """'n' frames, each in an iteration of its own."""
    before = stat(switch, "packets received")
    for i in range(n):
        receive(switch, sport)
        wait_for(lambda: stat(switch, "packets received") == before + i + 1, what="a frame")


def test_histograms_are_of_what_happened(either):
    """Frames that come alone and go to two ports."""
    either.ofctl("add-flow", "br0", "in_port=1,actions=2,3")
    one_by_one(either, 1000, 1)
    either.appctl("dpif-netdev/pmd-stats-clear")
    wait_for(lambda: 0 < perf(either)[0], what="iterations")
    one_by_one(either, 1000, 10)
    either.appctl("dpif-netdev/pmd-perf-show")
    its, columns, averages = perf(either)
    later = perf(either)[0]
    # Every iteration is in four of them, but for some between two lines of an answer.
    for name in ("cycles/it", "packets/it", "max vhost qlen", "upcalls/it"):
        assert its - 3 <= sum(columns[name].values()) <= later + 3, name
    assert columns["packets/it"]["1"] == columns["pkts/batch"]["1"] == 10
    assert sum(columns["pkts/batch"].values()) == sum(columns["cycles/pkt"].values()) == 10
    assert averages["pkts/batch"] == 1.0
    assert abs(averages["packets/it"] * later - 10) < 1
    it = either.appctl("dpif-netdev/pmd-perf-show", "-nh", "-it", "3").splitlines()
    at = [i for i, line in enumerate(it) if line.startswith("   iter ")][0]
    numbers = [int(line.split()[0]) for line in it[at + 1:at + 4]]
    assert numbers == list(range(numbers[0], numbers[0] - 3, -1)), "numbers of iterations"
    # Counters do not depend on the metrics.
    for on in ("false", "true"):
        either.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-perf-metrics=" + on)
        assert stat(either, "packets received") == 10


def test_each_pass_has_one_fate(either):
    """Hits of the stages and upcalls sum to the packets, those for controllers included."""
    either.vsctl("set", "Open_vSwitch", ".", "other_config:emc-insert-inv-prob=1")
    either.ofctl("add-flow", "br0", "in_port=1,tcp,tp_src=1000,actions=2")
    either.ofctl("add-flow", "br0", "in_port=1,tcp,tp_src=1001,actions=controller")
    either.appctl("dpif-netdev/pmd-stats-clear")
    for sport in (1000, 1001):
        one_by_one(either, sport, 1)
        wait_for(lambda: "tp_src" not in either.appctl("dpctl/dump-flows") and
                 "src=%d" % sport in either.appctl("dpctl/dump-flows"), what="a megaflow")
        one_by_one(either, sport, 9)
    assert stat(either, "miss with success upcall") == 2, "a controller's packet had a megaflow"
    fates = [stat(either, name) for name in
             ("simple match hits", "emc hits", "smc hits", "megaflow hits",
              "miss with success upcall", "miss with failed upcall")]
    assert sum(fates) == stat(either, "packets received") == 20, fates
    assert re.search(r"lookups: hit:18 missed:2 lost:0", either.appctl("dpctl/show"))


def test_stages_are_not_idle_time(switch):
    """A packet-out that recirculates, long after the last frame: the time between is no stage's."""
    switch.vsctl("set", "Open_vSwitch", ".", "other_config:pmd-perf-metrics=true")
    switch.ofctl("-O", "OpenFlow13", "add-group", "br0",
                 "group_id=1,type=select,bucket=output:1,bucket=output:2")
    switch.ofctl("add-flow", "br0", "in_port=1,actions=2")
    one_by_one(switch, 1000, 3)

    def stages():
        out = switch.appctl("dpif-netdev/pmd-stage-show")
        found = re.findall(r"^  ([a-z, ]+?) {2,}(\d+) +(\d+) ", out, re.M)
        return {name: int(n) for name, n, _ in found}, sum(int(c) for _, _, c in found)
    packets, before = stages()
    hz = tsc_hz(switch)
    time.sleep(1)
    switch.ofctl("-O", "OpenFlow13", "packet-out", "br0",
                 "in_port=1,packet=%s020000000001123400%s,actions=group:1" % ("ff" * 6, "00" * 45))
    wait_for(lambda: stages()[0]["extract"] > packets["extract"], what="the packet that came back")
    assert stages()[1] - before < hz / 2


def tsc_hz(switch):
    """Cycles of a second, from what pmd-perf-show says of the used ones."""
    out = switch.appctl("dpif-netdev/pmd-perf-show", "-nh")
    used, percent = re.search(r"Used TSC cycles: +(\d+) +\( *([\d.]+) %", out).groups()
    its, us = re.search(r"^  Iterations: +(\d+) +\(([\d.]+) us/it", out, re.M).groups()
    assert float(percent) <= 100
    return int(used) / (int(its) * float(us)) * 1e6
