"""The machine a figure was taken on: what it is, and whether it was busy with something else."""
import contextlib
import os
import pathlib
import platform
import re
import subprocess
import time
from collections.abc import Iterator

HUGEPAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB")
HUGEPAGE_BYTES = 2 << 20
GOVERNOR = pathlib.Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
# A process with a larger share of a core than this, in percent, disturbs what is measured.
BUSY_PERCENT = 15


def cpu_fact(name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else "unknown"


def hugepage_count(name: str) -> int:
    try:
        return int((HUGEPAGES / name).read_text())
    except (OSError, ValueError):
        return 0


def describe() -> dict:
    return {
        "cpu": cpu_fact("model name"),
        "mhz": cpu_fact("cpu MHz"),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "hugepages_2m": hugepage_count("nr_hugepages"),
        "governor": GOVERNOR.read_text().strip() if GOVERNOR.exists() else "none",
        "load_average": round(os.getloadavg()[0], 2),
    }


def commit(root: pathlib.Path) -> str:
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def ticks_by_process() -> dict[str, int]:
    """User and system time of every process, by "name (pid)"."""
    ticks = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, rest = stat.read_text(errors="replace").split("(", 1)[1].rsplit(")", 1)
            fields = rest.split()
            ticks[f"{name} ({stat.parent.name})"] = int(fields[11]) + int(fields[12])
    return ticks


def busy_processes(seconds: float = 0.5) -> list[str]:
    """Who else uses the cores just now: "cc1plus (123): 98 %"."""
    before = ticks_by_process()
    time.sleep(seconds)
    after = ticks_by_process()
    each = 100 / (os.sysconf("SC_CLK_TCK") * seconds)
    shares = {name: (ticks - before.get(name, ticks)) * each for name, ticks in after.items()}
    mine = f"({os.getpid()})"
    return [f"{name}: {share:.0f} %" for name, share in sorted(shares.items())
            if share > BUSY_PERCENT and not name.endswith(mine)]


@contextlib.contextmanager
def hugepages(wanted_bytes: int) -> Iterator[bool]:
    """Whether as many bytes of hugepages are free. Asks the kernel for what is missing, and says so; what
    was asked for is given back at the end."""
    missing = wanted_bytes // HUGEPAGE_BYTES + 1 - hugepage_count("free_hugepages")
    before = hugepage_count("nr_hugepages")
    asked = False
    if missing > 0:
        with contextlib.suppress(OSError):
            (HUGEPAGES / "nr_hugepages").write_text(str(before + missing))
            asked = True
        missing = wanted_bytes // HUGEPAGE_BYTES + 1 - hugepage_count("free_hugepages")
        print(f"hugepages: {hugepage_count('nr_hugepages') - before} of 2 MB reserved for this run", flush=True)
    try:
        yield missing <= 0
    finally:
        if asked:
            with contextlib.suppress(OSError):
                (HUGEPAGES / "nr_hugepages").write_text(str(before))
