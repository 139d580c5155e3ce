"""Fixtures: one lab for the session, fresh daemons for every test, the counter equation after each."""

import os

import pytest

from daemons import Daemons
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
    options = dict(marker.kwargs) if marker else {}
    document = options.pop("document", None)
    lab.mend_all()
    one = Daemons(lab, document=document(lab) if document else None, **options)
    request.node.maglb_daemons = one
    try:
        one.start()
        yield one
        one.check_running()
        one.check_equation()
        codes = one.stop()
        assert all(code == 0 for code in codes.values()), f"the daemons did not end well: {codes}"
    except BaseException:
        request.node.add_report_section("teardown", "maglb", logs_of(one))
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
    daemons = getattr(item, "maglb_daemons", None)
    if report.failed and report.when == "call" and daemons is not None:
        report.sections.append(("maglb", logs_of(daemons)))


def pytest_configure(config):
    config.addinivalue_line("markers", "daemons(workers, document): how the daemons of a test start")
