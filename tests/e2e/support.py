"""What every end-to-end test uses: figures, programs, waiting.

Nothing here waits a fixed time for something to happen: it polls until a deadline.
"""

import os
import pathlib
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MAGLB_BUILD", ROOT / "build")).resolve()
# The full figures of a release; without it durations are short and times get tenfold slack, since a
# test machine may be busy with other things.
FULL = os.environ.get("MAGLB_FULL") == "1"
SLACK = 1 if FULL else 10

WEB = "198.51.100.1"
DNS = "198.51.100.2"
WEB6 = "2001:db8:f::1"
DNS6 = "2001:db8:f::2"
# The balancer's own: where its tunnels come from.
BALANCER = "10.0.0.2"
BALANCER6 = "2001:db8::2"


def figure(full, short):
    return full if FULL else short


# What the tests are ready for and the packet path is not, with the reason that is shown.
NOT_YET = {}


def needs(what):
    return pytest.mark.skipif(what in NOT_YET, reason=NOT_YET.get(what, ""))


def in_url(address):
    return f"[{address}]" if ":" in address else address


def program(name):
    """A built program, wherever in the build directory its folder is."""
    folders = {
        "maglb-dataplane": "dataplane",
        "maglb-controlplane": "controlplane",
        "maglbctl": "tools/maglbctl",
        "maglb-decap": "tools/maglb-decap",
        "connload": "tests/support",
    }
    path = BUILD / folders[name] / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built")
    return str(path)


class CommandFailed(AssertionError):
    """A command ended with another exit code than 0. Who polls may try again."""


def wait_until(what, check, seconds=30.0, every=0.05):
    """Polls check() until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            result = check()
            if result:
                return result
            last = None
        except (CommandFailed, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s" + (f" ({last})" if last else ""))
        time.sleep(every)
