# SPDX-License-Identifier: Apache-2.0
"""The database's other face: the switch as a client of a stock ovsdb-server, and of our own."""
import subprocess
import time

import pytest

from ovsdb_lib import SERVE, Server
from switchlib import wait_for

pytestmark = pytest.mark.rootless


class Client:
    """ovsdb_serve as the switch: copies next_cfg to cur_cfg and numbers the interfaces."""

    def __init__(self, remote, env):
        self.process = subprocess.Popen([SERVE, "--client", remote, "--echo-cfg"], env=env,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True)

    def close(self):
        self.process.terminate()
        output = self.process.communicate(timeout=10)[0]
        assert self.process.returncode == 0, output
        return output


@pytest.fixture(params=["stock", "sluice"])
def server(request):
    s = Server("stock")
    s.vsctl("init")
    if request.param == "sluice":
        s.stop()
        s.kind = "sluice"
        s.start()
    yield s
    s.close()


@pytest.fixture
def clients(server):
    made = []

    def make(remote=None):
        made.append(Client(remote or f"unix:{server.sock}", server.env))
        return made[-1]

    yield make
    for c in made:
        if c.process.returncode is None:
            c.close()


def vsctl(server, *args):
    """ovs-vsctl that waits for the switch."""
    return server.tool("ovs-vsctl", f"--db=unix:{server.sock}", "--timeout=20", *args)


def test_configures_and_writes_back(server, clients):
    if server.kind == "sluice":
        pytest.skip("that server is a switch itself")
    client = clients()
    vsctl(server, "add-br", "br0")
    vsctl(server, "add-port", "br0", "p1")
    assert server.vsctl("get", "interface", "p1", "ofport").strip() in "12"
    assert server.vsctl("get", "interface", "p1", "status").strip() == "{seen=yes}"
    # What it wrote does not wake it again: the database comes to rest.
    rpc = server.rpc()
    rpc.call("monitor", ["Open_vSwitch", "m", {"Interface": {}, "Open_vSwitch": {}}])
    vsctl(server, "set", "interface", "p1", "external_ids:a=b")
    time.sleep(0.5)
    assert len(rpc.take_notes()) <= 3
    assert "transaction" not in client.close()


def test_second_client_idles_until_the_first_is_gone(server, clients):
    if server.kind == "sluice":
        pytest.skip("that server is a switch itself")
    first = clients()
    vsctl(server, "add-br", "br0")
    clients()
    time.sleep(0.5)
    first.process.kill()
    first.process.communicate()
    vsctl(server, "add-br", "br1")


def test_stolen_lock(server, clients):
    if server.kind == "sluice":
        pytest.skip("that server is a switch itself")
    clients()
    vsctl(server, "add-br", "br0")
    thief = server.rpc()
    assert thief.call("steal", ["ovs_vswitchd"])[0] == {"locked": True}
    with pytest.raises(RuntimeError):
        server.tool("ovs-vsctl", f"--db=unix:{server.sock}", "--timeout=1", "add-br", "br1")
    thief.call("unlock", ["ovs_vswitchd"])
    vsctl(server, "add-br", "br2")


def test_reconnects(server, clients):
    if server.kind == "sluice":
        pytest.skip("that server is a switch itself")
    client = clients()
    vsctl(server, "add-br", "br0")
    server.stop()
    time.sleep(0.3)
    assert client.process.poll() is None
    server.start()
    vsctl(server, "add-br", "br1")
    output = client.close()
    assert "connection lost" in output and output.count("ready") == 1
    assert "WARN" not in output and "ERR" not in output


def test_starts_before_its_server(server, clients):
    server.stop()
    clients()
    time.sleep(0.3)
    server.start()
    if server.kind == "stock":
        vsctl(server, "add-br", "br0")


def test_idles_beside_a_switch_that_serves_its_own_database(server, clients):
    if server.kind == "stock":
        pytest.skip("nobody holds the lock there")
    clients()
    time.sleep(0.5)
    with pytest.raises(RuntimeError):
        server.tool("ovs-vsctl", f"--db=unix:{server.sock}", "--timeout=1", "add-br", "br0")


def test_schema_conversion_under_way(server, clients, tmp_path):
    if server.kind == "sluice":
        pytest.skip("that server has one schema only")
    client = clients()
    vsctl(server, "add-br", "br0")
    with open(server.schema) as f:
        text = f.read().replace('"version": "8.3.1"', '"version": "8.3.2"').replace(
            '"system_name": {"type": "string"}', '"system_name": {"type": "string"},'
            '"extra": {"type": "string"}')
    schema = tmp_path / "new.ovsschema"
    schema.write_text(text)
    server.tool("ovsdb-client", "convert", f"unix:{server.sock}", str(schema))
    vsctl(server, "add-br", "br1")
    assert "ERR" not in client.close()


def test_tcp(server, clients):
    if server.kind == "sluice":
        pytest.skip("that server is a switch itself")
    server.vsctl("set-manager", "ptcp:0:127.0.0.1")
    port = ""

    def bound():
        nonlocal port
        port = server.vsctl("--bare", "--columns=status", "list", "manager")
        return "bound_port=" in port

    wait_for(bound, 15, "the port")
    port = port.split("bound_port=")[1].split()[0].strip('"')
    clients(f"tcp:127.0.0.1:{port}")
    vsctl(server, "add-br", "br0")
