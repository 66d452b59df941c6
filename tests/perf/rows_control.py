# SPDX-License-Identifier: Apache-2.0
"""Rows of the control side: rules in and out, flow set-ups, a change's way to the packets, memory."""
import os
import re
import signal
import subprocess
import time

import openflow10
import rig
import rows_forward
import traffic
from alternate import Counter, Windows
from row import Metric, Row

N_RULES = 100000


def rules_file(options, n=N_RULES):
    path = os.path.join(options.files, "acl%d" % n)
    if not os.path.exists(path):
        with open(path, "w") as f:
            f.write("\n".join(traffic.acl(n, "2", "1", 10000)) + "\n")
    return path


def timed(sw, *args, timeout=300):
    start = time.monotonic()
    sw.ofctl(*args, timeout=timeout)
    return time.monotonic() - start


def n_rules(sw):
    return int(re.search(r"flow_count=(\d+)", sw.ofctl("dump-aggregate", "br0")).group(1))


def check_rules(sw, at_least):
    n = n_rules(sw)
    if n < at_least:
        raise rig.switchlib.Failed("only %d rules" % n)
    return n


def rules_quiet(sw, options):
    """No traffic: add-flows, dump-flows, memory, del-flows, then the same as one bundle."""
    sw.bridge()
    sw.sink()
    path, before = rules_file(options), sw.resident()
    answer = {"add": timed(sw, "add-flows", "br0", path)}
    n = check_rules(sw, N_RULES * 9 // 10)
    answer["memory"] = (sw.resident() - before) / n
    answer["dump"] = timed(sw, "dump-flows", "br0")
    timed(sw, "del-flows", "br0")
    answer["bundle"] = timed(sw, "--bundle", "add-flows", "br0", path)
    check_rules(sw, N_RULES * 9 // 10)
    return answer


def rules_million(sw, options):
    """A million rules with different matches, no traffic: as one bundle, dump, memory, del-flows."""
    n, path = 1000000, os.path.join(options.files, "distinct")
    if not os.path.exists(path):
        with open(path, "w") as f:
            f.writelines(line + "\n" for line in traffic.distinct(n, "2", "1"))
    sw.bridge()
    sw.sink()
    before = sw.resident()
    answer = {"bundle": timed(sw, "--bundle", "add-flows", "br0", path)}
    answer["memory"] = (sw.resident() - before) / check_rules(sw, n)
    answer["dump"] = timed(sw, "dump-flows", "br0")
    answer["delete"] = timed(sw, "del-flows", "br0")
    return answer


def two_sinks_file(options, n=N_RULES):
    """The same rules; what they would drop goes to a second sink."""
    path = os.path.join(options.files, "acl%d-two" % n)
    if not os.path.exists(path):
        with open(path, "w") as f:
            f.write("\n".join(traffic.acl(n, "3", "1", 10000, denied="output:2")) + "\n")
    return path


def rules_traffic(sw, options):
    """The same under traffic of 10,000 flows that the rules are about, at full speed.

    The load changes as rules come: it has one megaflow at first and thousands at the end, which is what
    the rules cost, not their coming.  So they come twice: at a stretch, which is what is timed, and with
    pauses, so that the traffic can be compared with that over the same rules at rest ('adding').  One
    rule in fifty takes all traffic for a while; so what rules deny goes to a sink of its own and counts
    like the rest: a sink that gets nothing since a rule says so would look like a loss."""
    sw.bridge()
    for i in range(2):
        sw.sink(port="dst%d" % i, number=i)
    default = ["priority=0,actions=output:1"]
    sw.rules(default)
    sw.source(rows_forward.pcap(options, 10000))
    rig.settle(sw)
    path = two_sinks_file(options)
    with Counter(sw, 1, 2) as counter:
        still, coming = Windows(counter), Windows(counter)
        with still:
            time.sleep(max(1.0, options.seconds))
        with coming:
            answer = {"add": timed(sw, "add-flows", "br0", path)}
        check_rules(sw, N_RULES * 9 // 10)
        time.sleep(3)
        with still:
            time.sleep(max(1.0, options.seconds))
        answer["kept"] = 100 * coming.rate() / still.rate(0)
        answer["steady"] = 100 * coming.rate() / still.rate(1)
        sw.rules(default)
        rig.settle(sw)
        answer.update(adding_in_turn(sw, path, counter))
    return answer


ADDING_S, ADD_MIN_S, REST_S = 10, 0.25, 0.3


def adding_in_turn(sw, path, counter):
    """Rules come and pause in turn, for as long as there are any, ADDING_S of it at most.  What is
    expected of the traffic while some come is the mean of the pauses before and after them."""
    rest, run = Windows(counter), Windows(counter)
    tool = subprocess.Popen(["ovs-ofctl", "add-flows", "br0", path], env=sw.env,
                            stderr=subprocess.PIPE, text=True)
    try:
        tool.send_signal(signal.SIGSTOP)
        gone = 0
        while tool.poll() is None and gone < ADDING_S:
            pause(rest)
            with run:
                tool.send_signal(signal.SIGCONT)
                try:
                    tool.wait(max(ADD_MIN_S, gone / 5))
                except subprocess.TimeoutExpired:
                    tool.send_signal(signal.SIGSTOP)
            gone = sum(t for t, _ in run.all)
        pause(rest)
    finally:
        tool.kill()
        errors = tool.communicate()[1]
    if tool.returncode not in (0, -signal.SIGKILL):
        raise rig.switchlib.Failed("ovs-ofctl add-flows: " + errors)
    expected = sum(t * (rest.rate(i) + rest.rate(i + 1)) / 2 for i, (t, _) in enumerate(run.all))
    return {"adding": 100 * sum(n for _, n in run.all) / expected, "seen": n_rules(sw),
            "pairs": [[rest.rate(i), run.rate(i)] for i in range(len(run.all))]}


def pause(rest):
    time.sleep(0.1)  # what the last rules changed finds its place
    with rest:
        time.sleep(REST_S)


def setup_rate(sw, options):
    """Each frame a new flow, translated through 20 tables: megaflows installed per second."""
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:flow-limit=2000000",
             "other_config:max-idle=600000")
    sw.bridge()
    sw.sink()
    # Open vSwitch begins with a limit of 10,000, whatever flow-limit says, and deletes what is beyond.
    sw.appctl("upcall/set-flow-limit", "2000000")
    last = ("priority=1,udp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],"
            "move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15]")
    lines = traffic.pipeline(20, "1")
    sw.rules(lines[:-1] + ["table=19," + last + ",output:1"])
    sw.source(rows_forward.pcap(options, 250000))
    seen, end = [(time.monotonic(), sw.n_megaflows())], time.monotonic() + 8
    while time.monotonic() < end and seen[-1][1] < 245000:
        time.sleep(0.05)
        seen.append((time.monotonic(), sw.n_megaflows()))
    # The steepest stretch of at least half a second, or of all there was.
    best = 0
    for i, (t0, n0) in enumerate(seen):
        for t1, n1 in seen[i + 1:]:
            if t1 - t0 >= 0.4:
                best = max(best, (n1 - n0) / (t1 - t0))
                break
    if not best:
        (t0, n0), (t1, n1) = seen[0], seen[-1]
        best = (n1 - n0) / (t1 - t0)
    return {"rate": best, "megaflows": seen[-1][1]}


def megaflow_memory(sw, options):
    """Resident bytes per megaflow: 50,000 exact ones against one."""
    sw.bridge()
    sw.sink()
    sw.rules(["actions=output:1"])
    sw.source(rows_forward.pcap(options, 50000))
    rig.settle(sw)
    before, n_before = sw.resident(), sw.n_megaflows()
    sw.appctl("upcall/disable-megaflows")
    sw.appctl("revalidator/purge")
    rig.switchlib.wait_for(lambda: sw.n_megaflows() > 48000, 40, "50,000 megaflows")
    n = sw.n_megaflows() - n_before
    return {"memory": (sw.resident() - before) / n, "megaflows": n}


N_HELD, HOLD_LIMIT_S = 1000000, 150


def million_megaflows(sw, options):
    """A megaflow for each of a million flows: whether they are held, what they take, what forwarding
    over them costs, and what is left of their memory when they are gone."""
    sw.vsctl("set", "Open_vSwitch", ".", "other_config:flow-limit=2000000",
             "other_config:max-idle=600000", "other_config:pmd-miss-share=100")
    sw.bridge()
    sw.sink()
    sw.rules(["actions=output:1"])
    sources = rows_forward.million_sources(sw, options, 65536)
    rig.settle(sw)
    before, begun = sw.resident(), time.monotonic()
    sw.rules(["priority=1,udp,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],"
              "move:NXM_OF_UDP_SRC[]->NXM_NX_REG1[0..15],output:1"])
    while sw.n_megaflows() < N_HELD and time.monotonic() - begun < HOLD_LIMIT_S:
        time.sleep(0.1)
    answer = {"took": time.monotonic() - begun, "held": sw.n_megaflows()}
    for _ in range(10):  # revalidators choose the limit anew with each walk
        time.sleep(0.5)
        answer["held"] = min(answer["held"], sw.n_megaflows())
    answer["memory"] = (sw.resident() - before) / max(answer["held"], 1)
    answer.update(rows_forward.cycles(sw, options, 60))
    for port in sources:
        sw.vsctl("del-port", port, timeout=60)
    sw.appctl("revalidator/purge")
    rig.switchlib.wait_for(lambda: sw.n_megaflows() == 0, 60, "the megaflows to be gone")
    time.sleep(10)  # what was freed is given back after a while
    answer["left"] = (sw.resident() - before) / 1e6
    return answer


def barrier(sw, options):
    """Milliseconds of packets that still went the old way after a barrier's answer."""
    sw.bridge()
    for i in range(2):
        sw.sink(port="dst%d" % i, number=i)
    sw.rules(["actions=output:1"])
    sw.source(rows_forward.pcap(options, 10000))
    rig.settle(sw)
    return leaks(sw, lambda i: openflow10.flow_mod(2 - i % 2), lambda i: 1 + i % 2,
                 sw.rate("dst0", "tx", 0.5))


def barrier_part(sw, options):
    """The same where 10,000 megaflows stand and a rule takes 2,048 of them, comes and goes.

    The first ports have their own networks' packets, the second what the rule takes from them, the
    third everything else."""
    sw.bridge()
    for i in range(3):
        sw.sink(port="dst%d" % i, number=i)
    sw.rules(list(traffic.exact(2048, "4", "1")) +
             [line.replace("output:1", "output:3") for line in traffic.exact(10000, "4", "1")][2048:])
    sw.source(rows_forward.pcap(options, 10000, sources=10000))
    rig.settle(sw)
    if sw.n_megaflows() < 10000:
        raise rig.switchlib.Failed("only %d megaflows" % sw.n_megaflows())

    def change(i):
        return openflow10.network_flow_mod(10 << 24, 13, 2, 20, openflow10.DELETE_STRICT if i % 2
                                           else openflow10.ADD)
    return leaks(sw, change, lambda i: 1 + i % 2, sw.rate("dst0", "tx", 0.5))


def leaks(sw, change, old_port, rate, n=20):
    """'n' changes in a row, each with a barrier.  For the i-th: what old_port(i), which the change
    takes packets away from, still sends after the barrier's answer, in ms of the 'rate' before; and
    how long the answer took."""
    seen, answers = [], []
    with openflow10.Connection(os.path.join(sw.dir, "br0.mgmt")) as of:
        for i in range(n):
            ask = openflow10.port_stats(old_port(i))
            start = time.monotonic()
            of.send(change(i), openflow10.barrier(), ask)
            of.wait_for(openflow10.BARRIER_REPLY)
            answers.append(1000 * (time.monotonic() - start))
            at_barrier = openflow10.tx_packets(of.wait_for(openflow10.STATS_REPLY))
            time.sleep(0.15)
            of.send(ask)
            late = openflow10.tx_packets(of.wait_for(openflow10.STATS_REPLY)) - at_barrier
            seen.append(late / rate * 1000)
    seen.sort()
    return {"median": seen[n // 2], "worst": seen[-1], "leaks": seen,
            "answer": sorted(answers)[n // 2]}


ROWS = [
    Row("rules", [
        Metric("add", "add-flows, 100,000 ACL rules", "s", 2.0, digits=2, ovs=5.3),
        Metric("bundle", "--bundle add-flows, 100,000 ACL rules", "s", 0.8, digits=2, ovs=1.23),
        Metric("dump", "dump-flows, 100,000 rules", "s", 0.35, digits=2, ovs=0.45),
        Metric("memory", "memory per ACL rule", "bytes", 350, digits=0, ovs=760),
    ], rules_quiet, limit=300, takes=(7, 10)),
    Row("rules-million", [
        Metric("bundle", "--bundle add-flows, 1,000,000 distinct rules", "s", digits=1),
        Metric("dump", "dump-flows, 1,000,000 rules", "s", digits=1),
        Metric("memory", "memory per rule of 1,000,000", "bytes", digits=0),
        Metric("delete", "del-flows, 1,000,000 rules", "s", digits=2),
    ], rules_million, limit=400, takes=(25, 85), most_rounds=1),
    Row("rules-traffic", [
        Metric("add", "add-flows, 100,000 ACL rules, under traffic", "s", 2.5, digits=2, ovs=79),
        Metric("adding", "traffic meanwhile: % of that in pauses", "percent", 90, "high"),
        Metric("kept", "traffic meanwhile: % of that before", "percent", best="high"),
        Metric("steady", "traffic meanwhile: % of that after", "percent", best="high"),
    ], rules_traffic, limit=420, takes=(25, 130)),
    Row("setup", [Metric("rate", "flow set-ups per second, 20 tables", "1/s", 400000, "high",
                         digits=0, ovs=137000)], setup_rate, limit=90, takes=(4, 10)),
    Row("memory-megaflow", [Metric("memory", "memory per megaflow", "bytes", digits=0)],
        megaflow_memory, limit=90, takes=(4, 22)),
    Row("megaflows-1m", [
        Metric("held", "1,000,000 megaflows asked for: held", "", N_HELD, "high", digits=0),
        Metric("took", "1,000,000 megaflows: until they stand", "s"),
        Metric("memory", "1,000,000 megaflows: memory of each", "bytes", digits=0),
        Metric("cycles", "1,000,000 flows over as many megaflows"),
        Metric("left", "1,000,000 megaflows: memory left after them", "MB"),
    ], million_megaflows, limit=300, huge_mb=5120, takes=(45, 200), most_rounds=1),
    Row("barrier", [
        Metric("median", "barrier to effect on packets, median", "ms", digits=3),
        Metric("worst", "barrier to effect on packets, worst of 20", "ms", digits=3),
        Metric("answer", "barrier to its answer, median", "ms", digits=3),
    ], barrier, limit=90, takes=(7, 7)),
    Row("barrier-part", [
        Metric("median", "barrier, 2,048 of 10,000 megaflows: median", "ms", digits=3),
        Metric("worst", "barrier, 2,048 of 10,000 megaflows: worst", "ms", digits=3),
        Metric("answer", "barrier, 2,048 of 10,000 megaflows: answer", "ms", digits=3),
    ], barrier_part, limit=90, takes=(7, 9)),
]
