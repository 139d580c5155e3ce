"""Fixtures: one lab and one guest for the session, daemons for each way of forwarding."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import stock
from backend import Backend
from guest import Card, Guest
from network import CARD_MAC, GUEST_MAC, Network


@pytest.fixture(scope="session")
def packages():
    if os.geteuid() != 0:
        pytest.fail("needs root, to make network namespaces")
    try:
        return stock.prepare()
    except stock.NoStock as problem:
        pytest.fail(f"no QEMU and kernel to test with: {problem}")


@pytest.fixture(scope="session")
def network(packages):
    one = Network(f"vm{os.getpid()}")
    yield one
    one.down()


@pytest.fixture(scope="session")
def guest(packages, network):
    one = Guest(packages, network.fabric, [Card("guest0", GUEST_MAC, 5), Card("guest1", CARD_MAC, 6, pci=True)])
    yield one
    one.power_off()


@pytest.fixture(scope="session")
def backend(guest):
    return Backend(guest)


def logs_of(balancer):
    return "".join(f"--- {name}\n{balancer.log(name)[-4000:]}\n" for name in ("maglb-dataplane", "maglb-controlplane"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    balancer = getattr(item, "maglb_balancer", None)
    if report.failed and balancer is not None:
        report.sections.append(("maglb", logs_of(balancer)))
