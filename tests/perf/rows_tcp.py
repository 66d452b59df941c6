# SPDX-License-Identifier: Apache-2.0
"""Rows of TCP through the switch: iperf3 between namespaces on kernel ports and between Linux guests,
without and with userspace-tso-enable.  Ends and switch share the machine, so these are figures of the
whole way; in guests under software emulation the guest's own work is most of it."""
import json
import time

import rig
from guests import Guest
from row import Metric, Row
from rows_restart import start_again
from switchlib import wait_for

SECONDS = 3
ADDRESS = "10.1.0.2"


def received(text):
    """Mbit/s that arrived, from iperf3's JSON."""
    report = json.loads(text)
    if "error" in report:
        raise rig.switchlib.Failed("iperf3: " + report["error"])
    return report["end"]["sum_received"]["bits_per_second"] / 1e6


def once(serve, client):
    """The rate of one run; the server is there when a client gets an answer."""
    serve()
    last = []

    def run():
        try:
            last[:] = [received(client("iperf3 -J -t %d -c %s" % (SECONDS, ADDRESS)))]
        except (ValueError, rig.switchlib.Failed) as e:
            last[:] = [e]
            return False
        return True
    end = time.monotonic() + 15
    while not run():
        if time.monotonic() > end:
            raise last[0]
        time.sleep(0.2)
    return last[0]


def with_and_without(sw, ends):
    """ends(on) makes both ends anew and returns (serve, client, close): a guest's offloads are agreed
    upon when it boots.  The switch reads the option when it starts."""
    answer = {}
    for key in ("off", "on"):
        if key == "on":
            sw.vsctl("--no-wait", "set", "Open_vSwitch", ".",
                     "other_config:userspace-tso-enable=true")
            sw.stop()
            start_again(sw)
        serve, client, close = ends(key == "on")
        try:
            answer[key] = once(serve, client)
        finally:
            close()
    return answer


def between_hosts(sw, options):
    sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
    hosts = [sw.add_host("br0", "p%d" % i, "10.1.0.%d/24" % i) for i in (1, 2)]

    def ends(on):
        # Without the option Open vSwitch loses super-frames and passes on begun checksums.
        for h in hosts:
            h.run("ethtool -K eth0 tx %s tso %s gso %s" % ((("off", "on")[on],) * 3))
        wait_for(lambda: hosts[0].ping(ADDRESS, count=1), 20, "traffic")
        servers = []
        return (lambda: servers.append(hosts[1].popen("iperf3 -s -1", stdout=-3)),
                lambda command: hosts[0].run(command, check=False).stdout,
                lambda: [s.kill() or s.wait() for s in servers])
    try:
        return with_and_without(sw, ends)
    finally:
        for h in hosts:
            h.close()


def between_guests(sw, options):
    sw.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
    paths = [sw.vhost("vm%d" % i) for i in (1, 2)]

    def ends(_on):
        guests = [Guest(sw.dir, i, [path], ["10.1.0.%d/24" % i], memory=112)
                  for i, path in enumerate(paths, 1)]

        def close():
            for g in guests:
                g.close()
        try:
            for g in guests:
                g.launch()
            for g in guests:
                g.start()
            wait_for(lambda: guests[0].ping(ADDRESS, count=1), 20, "traffic")
        except Exception:
            close()
            raise
        return (lambda: guests[1].sh("iperf3 -s -D >/dev/null 2>&1 </dev/null"),
                lambda command: guests[0].sh(command, check=False).stdout, close)
    return with_and_without(sw, ends)


def metrics(where):
    return [Metric(key, "TCP, %s, TSO %s: Mbit/s" % (where, key), "Mbit/s", best="high", digits=0)
            for key in ("off", "on")]


ROWS = [
    Row("tcp-hosts", metrics("namespaces"), between_hosts, limit=60, takes=(10, 10)),
    Row("tcp-guests", metrics("guests"), between_guests, limit=300, takes=(28, 28)),
]
