# SPDX-License-Identifier: Apache-2.0
"""A Mininet network on switches of the daemon that OVS_RUNDIR names: userspace bridges, and hosts that
ping each other.  Usage: mininet_net.py CONTROLLER SWITCHES [PROTOCOLS]; run it in a network namespace.

CONTROLLER is 'none' (bridges that learn by themselves), 'ovsc' (Open vSwitch's test controller) or a
port where one listens.  The last line is the result: a JSON object.
"""
import json
import sys
from functools import partial

from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import OVSBridge, OVSController, OVSSwitch, RemoteController
from mininet.topo import LinearTopo


class Elsewhere(RemoteController):
    """A controller that is there: Mininet would ask by telnet, and stumbles over greetings that are no text."""

    def checkListening(self):
        pass


def main():
    controller, n = sys.argv[1], int(sys.argv[2])
    protocols = sys.argv[3] if len(sys.argv) > 3 else None
    setLogLevel("info")
    if controller == "none":
        switch, makers = partial(OVSBridge, datapath="user"), {"controller": None}
    else:
        switch = partial(OVSSwitch, datapath="user", protocols=protocols)
        makers = {"controller": OVSController if controller == "ovsc" else
                  partial(Elsewhere, ip="127.0.0.1", port=int(controller))}
    net = Mininet(topo=LinearTopo(k=n, n=1), switch=switch, autoSetMacs=True, waitConnected=True,
                  listenPort=6654, **makers)
    net.start()
    result = {"lost": net.pingAll(timeout="3"), "again": net.pingAll(timeout="3"),
              "dump": {s.name: s.dpctl("dump-flows") for s in net.switches},
              "desc": {s.name: s.dpctl("dump-desc") for s in net.switches},
              "dpids": {s.name: s.dpid for s in net.switches},
              "listeners": [net.switches[0].cmd("ovs-ofctl show tcp:127.0.0.1:%d" % s.listenPort)
                            for s in net.switches if s.listenPort],
              "connected": {s.name: s.connected() for s in net.switches}}
    link = net.linksBetween(net["s1"], net["s2"])[0]
    net.configLinkStatus("s1", "s2", "down")
    result["cut"] = net.ping([net["h1"], net["h2"]], timeout="0.3")
    net.configLinkStatus("s1", "s2", "up")
    result["healed"] = net.ping([net["h1"], net["h2"]], timeout="3")
    assert link.intf1.isUp()
    net.stop()
    print(json.dumps(result))


main()
