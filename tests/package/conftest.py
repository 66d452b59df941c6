# SPDX-License-Identifier: Apache-2.0
"""Machines of their own that have the built package as /tmp/sluice.deb."""
import glob
import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))

from machine import Machine, NoSystemd, SystemdMachine  # noqa: E402

DPKG = "DEBIAN_FRONTEND=noninteractive dpkg --force-confold "


@pytest.fixture
def machine():
    yield from _with_package(Machine)


@pytest.fixture
def systemd_machine():
    try:
        yield from _with_package(SystemdMachine)
    except NoSystemd as e:
        pytest.skip(str(e))


def _with_package(kind):
    found = glob.glob(os.path.join(ROOT, "build-deb", "sluice_*.deb"))
    assert len(found) == 1, found
    m = kind()
    try:
        m.put(found[0], "/tmp/sluice.deb")
        yield m
    finally:
        m.close()
