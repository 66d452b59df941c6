# SPDX-License-Identifier: Apache-2.0
"""Fixtures: switches that are closed again whatever happens.

SWITCH_KIND=ovs runs the same tests on genuine Open vSwitch: a test that fails there asks for
something that operators do not have today, and says so.
"""
import os

import pytest

import switchlib


# Of the files that take longest on two processors: where files run side by side none of them is left over.
LONG = ("test_vhost.py", "test_auto_lb.py", "test_tools_oracle.py", "test_scale.py", "test_vhost_relay.py",
        "test_slowpath.py", "test_bonds.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))
    if os.geteuid() != 0:
        for item in items:
            if "rootless" not in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs root for namespaces"))


def pytest_configure(config):
    config.addinivalue_line("markers", "rootless: runs without root")
    config.addinivalue_line("markers", "alone: no other test runs beside it (what it needs is the whole machine's)")


def pytest_runtest_logreport(report):
    """Names what failed in the file that tools/run-tests asks for, so that it can try it by itself."""
    if report.failed and "FAILURES" in os.environ:
        with open(os.environ["FAILURES"], "a", encoding="utf-8") as failures:
            failures.write(report.nodeid + "\n")


@pytest.fixture
def make_switch():
    """A function that starts a switch; everything it made is closed at the end."""
    yield from _make_switches(switchlib.Switch)


@pytest.fixture
def make_hermetic():
    """The same for switches whose datapath and ports are dummies."""
    yield from _make_switches(switchlib.Hermetic)


def _make_switches(class_):
    made = []

    def make(kind=os.environ.get("SWITCH_KIND", "sluice"), start=True, **kw):
        switch = class_(kind, **kw)
        made.append(switch)
        return switch.start() if start else switch

    yield make
    switchlib.close_all(made)


@pytest.fixture
def hosts():
    """A list that hosts are put in to be removed at the end."""
    made = []
    yield made
    for host in made:
        host.close()


@pytest.fixture
def sw(make_switch):
    """One running Sluice."""
    return make_switch()


@pytest.fixture(scope="module")
def pair():
    """Ours and genuine Open vSwitch, hermetic, each with ports p1 and p2 on a bridge br0 that does nothing of itself."""
    def prepare(switch):
        switch.add_bridge("br0", "fail_mode=secure")
        switch.add_ports("br0", "p1", "p2")

    yield from switchlib.hermetic_pair(prepare)
