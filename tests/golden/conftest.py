"""Where MAGLB_ISA names instructions that this CPU has not, nothing runs: skipped, exit code 77."""
import pytest

from harness import run_program


def pytest_sessionstart():
    done = run_program("--config", "/nowhere/maglb.yaml", "--check")
    if "this CPU has not" in done.stderr:
        pytest.exit(f"skipped: {done.stderr.strip()}", returncode=77)
