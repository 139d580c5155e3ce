"""The BPF programs' own tests under a stock kernel: its verifier, its helpers, its routes.

The rest of this folder judges what decapsulates and steers by traffic; probes through tunnels are sent by a
program that only these tests run.
"""

import re

import pytest

from support import BUILD

TESTS = {
    "probe-tunnel": "tests/unit/bpf/probe_bpf_test",
    "tunnel-marks": "tests/unit/controlplane/probe/tunnel_marks_test",
}


@pytest.mark.parametrize("test", TESTS)
def test_passes_as_here(guest, test):
    code, output = guest.run(str(BUILD / TESTS[test]), "--gtest_brief=1", timeout=120, check=False)
    assert code == 0, output[-4000:]
    passed = re.search(r"\[  PASSED  \] (\d+) tests?\.", output)
    assert passed and int(passed[1]) > 0 and "SKIPPED" not in output, output[-4000:]
