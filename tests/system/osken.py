# SPDX-License-Identifier: Apache-2.0
"""os-ken as the controller of a switch: one osken-manager in the switch's network namespace."""
import http.client
import json
import os
import shutil
import socket
import subprocess

from switchlib import Failed, wait_for

APPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "apps")
PORT = 6653


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, which a namespace of networks does not hide."""

    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class OsKen:
    """Runs applications of tests/system/apps."""

    def __init__(self, switch, *apps):
        self.switch = switch
        self.log = os.path.join(switch.dir, "osken.log")
        self.rest = os.path.join(switch.dir, "rest.sock")
        env = dict(os.environ, REST_SOCKET=self.rest, PYTHONDONTWRITEBYTECODE="1")
        with open(self.log, "wb") as out:
            self.proc = switch.ns.popen(
                ["/usr/bin/python3", "-W", "ignore", shutil.which("osken-manager"),
                 "--ofp-listen-host", "127.0.0.1", "--ofp-tcp-listen-port", str(PORT)]
                + [os.path.join(APPS, app + ".py") for app in apps], env=env,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def text(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def said(self, dpid, event):
        """What the learner said of one kind of event of one switch: lists of words."""
        start = "LEARNER %d %s " % (dpid, event)
        return [line[len(start):].split() for line in self.text().splitlines()
                if line.startswith(start)]

    def connect(self, bridge):
        """Makes this the controller of 'bridge', once it listens."""
        self.wait_until_listening()
        self.switch.vsctl("set-controller", bridge, "tcp:127.0.0.1:%d" % PORT, "--", "set",
                          "controller", bridge, "max_backoff=1000")

    def listens(self):
        if self.proc.poll() is not None:
            raise Failed("os-ken ended: " + self.text()[-3000:])
        return self.switch.ns.run("ss -Htln sport = :%d" % PORT)

    def wait_until_listening(self):
        wait_for(self.listens, 60, "os-ken to listen")

    def wait_until_said(self, dpid, event, timeout=30):
        return wait_for(lambda: self.listens() and self.said(dpid, event), timeout,
                        "os-ken to say '%s' of %d" % (event, dpid))

    def ask(self, path, body=None):
        """One HTTP request to the application 'rest'; returns what its JSON says."""
        connection = UnixConnection(self.rest)
        try:
            connection.request("GET" if body is None else "POST", "/stats/" + path,
                               None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status != 200:
            raise Failed("%s: %d %s" % (path, response.status, text))
        return json.loads(text)

    def close(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait(5)
