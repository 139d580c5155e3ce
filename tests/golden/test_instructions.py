"""MAGLB_ISA: what it names changes nothing but speed, and a name that is none is refused."""
import os
import subprocess

import pytest

from harness import program

NAMES = ("baseline", "avx2", "avx512")


def run(name, *arguments):
    return subprocess.run([program(), *arguments], capture_output=True, text=True, check=False, timeout=60,
                          env={**os.environ, "MAGLB_ISA": name})


@pytest.mark.parametrize("name", ["sse9", "AVX2", "avx2 "])
def test_a_name_that_is_none_is_refused_before_anything_is_opened(name):
    done = run(name, "--config", "/nowhere/maglb.yaml", "--check")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"maglb-replay: MAGLB_ISA: {name} is none of {', '.join(NAMES)}\n"


def test_empty_is_as_if_it_were_not_set():
    assert run("", "--config", "/nowhere/maglb.yaml", "--check").returncode == 3


@pytest.mark.parametrize("name", NAMES)
def test_what_this_cpu_has_not_is_refused(name):
    done = run(name, "--config", "/nowhere/maglb.yaml", "--check")
    assert done.returncode in (2, 3)
    if done.returncode == 2:
        assert done.stderr == f"maglb-replay: MAGLB_ISA: this CPU has not the instructions of {name}\n"
