"""Fixtures: one lab for the session, fresh daemons for every test, the counter equation after each."""

import contextlib
import os

import pytest

from daemons import Daemons
from far import far_client
from lab import Lab


@pytest.fixture(scope="session")
def lab():
    if os.geteuid() != 0:
        pytest.skip("needs root, to make network namespaces")
    one = Lab(f"e2e{os.getpid()}")
    yield one
    one.down()


@pytest.fixture
def daemons(lab, request):
    """The daemons, ready. @pytest.mark.daemons(workers=2, document=f) changes how they start."""
    marker = request.node.get_closest_marker("daemons")
    with run_daemons(lab, request.node, **(marker.kwargs if marker else {})) as one:
        yield one


@pytest.fixture(scope="module")
def shared_daemons(lab, request):
    """As daemons, for all tests of a module that defines daemons_options: tests that change nothing."""
    with run_daemons(lab, request.node, **request.module.daemons_options) as one:
        yield one


@pytest.fixture(scope="session")
def far(lab):
    # Once: with new ones, of other MAC addresses, its neighbours would look for the old ones for a while.
    with far_client(lab) as name:
        yield name


@contextlib.contextmanager
def run_daemons(lab, node, document=None, **options):
    lab.mend_all()
    one = Daemons(lab, document=document(lab) if document else None, **options)
    try:
        one.start()
        yield one
        one.check_running()
        one.check_equation()
        codes = one.stop()
        assert all(code == 0 for code in codes.values()), f"the daemons did not end well: {codes}"
    except BaseException:
        if isinstance(node, pytest.Item):
            node.add_report_section("teardown", "maglb", logs_of(one))
        else:
            print(logs_of(one))  # of a module: pytest shows what its set-up printed
        raise
    finally:
        one.stop()
        lab.mend_all()
        one.remove()


def logs_of(daemons):
    text = ""
    for name in ("maglb-dataplane", "maglb-controlplane"):
        text += f"--- {name}\n{daemons.log(name)[-4000:]}\n"
    try:
        text += "--- maglbctl status\n" + daemons.ctl("status", check=False, timeout=5).stdout
        text += "--- maglbctl backend list\n" + daemons.ctl("backend", "list", check=False, timeout=5).stdout
        text += "--- maglbctl stats\n" + daemons.ctl("stats", check=False, timeout=5).stdout
    except Exception as error:  # the report must not hide the failure
        text += f"{error}\n"
    return text


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    used = getattr(item, "funcargs", {})
    daemons = used.get("daemons") or used.get("shared_daemons")
    if report.failed and report.when == "call" and daemons is not None:
        report.sections.append(("maglb", logs_of(daemons)))


def pytest_configure(config):
    config.addinivalue_line("markers", "daemons(workers, document): how the daemons of a test start")
