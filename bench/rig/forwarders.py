"""The two programs that are compared, each on one port of DPDK's net_pcap driver that replays a capture
without end and drops what is sent."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

from rig import Failed

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/dpdk"))
import harness  # noqa: E402  (how tests start the dataplane, too)

MAIN_CORE = 0
BURST = 32
BACKENDS = 100
FLOW_ENTRIES = 1 << 20
# Flows are there and caches are warm.
WARM_UP_SECONDS = 0.7
TESTPMD_PATIENCE_SECONDS = 60
MBUF_BYTES = 2560  # with what DPDK puts around it
MBUF_BYTES_OF_SMALL_PAGES = 4608  # testpmd gives each a page of its own


def buffers_for(packets: int) -> int:
    """The capture lies in them as a whole; as many again, and not fewer than is usual, are on their way."""
    return max(8192, 1 << (packets - 1).bit_length()) * 2 - 1


def device(captures: list[pathlib.Path]) -> str:
    return "net_pcap0," + ",".join(f"rx_pcap={path}" for path in captures) + ",infinite_rx=1"


@contextlib.contextmanager
def children_on_main_core() -> Iterator[None]:
    """What is started meanwhile stays off the cores that are measured."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {MAIN_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def maglb_rates(build: pathlib.Path, captures: list[pathlib.Path], buffers: int, hugepages: bool, workers: list[int],
                readings: int) -> list[float]:
    """Packets sent a second, by readings of a second each. Fails if one packet is not sent."""
    harness.DATAPLANE = str(build / "dataplane/maglb-dataplane")
    harness.PUBLISH = str(build / "tests/dpdk/publish")
    port = (f"  - {{name: uplink, device: \"{device(captures)}\", next_hop_mac: \"02:00:00:00:00:01\", "
            f"buffers: {buffers}}}\n")
    memory = f"memory: {{hugepages: {'on' if hugepages else 'off'}}}\n"
    services = harness.service_file(backends=[f"10.0.1.{i + 1}" for i in range(BACKENDS)])
    with harness.Dataplane(port, str(workers), extra=memory, flow_entries=FLOW_ENTRIES) as dataplane:
        with children_on_main_core():
            dataplane.apply(services)
            time.sleep(WARM_UP_SECONDS)
            return [sent_per_second(dataplane) for _ in range(readings)]


def core_seconds(pid: int) -> float:
    """What the worker threads of a DPDK program have had of their cores, in all."""
    nanoseconds = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().startswith("rte-worker"):
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def sent_per_second(dataplane: harness.Dataplane) -> float:
    """A second of the workers' own: what another process takes from a core slows neither program down."""
    before, begin = stats_and_core_seconds(dataplane)
    time.sleep(1)
    after, end = stats_and_core_seconds(dataplane)
    check_all_sent(after)
    return (after.worker("sent") - before.worker("sent")) / (end - begin) * len(after.raw["workers"])


def stats_and_core_seconds(dataplane: harness.Dataplane) -> tuple[harness.Stats, float]:
    asked = core_seconds(dataplane.process.pid)
    stats = dataplane.stats()
    return stats, (asked + core_seconds(dataplane.process.pid)) / 2


def check_all_sent(stats: harness.Stats) -> None:
    dropped = {reason["name"]: int(reason["value"]) for worker in stats.raw["workers"] for reason in worker["dropped"]}
    under_way = BURST * len(stats.raw["workers"])
    if any(dropped.values()) or abs(stats.worker("received") - stats.worker("sent")) > under_way:
        raise Failed(f"maglb-dataplane did not send every packet; dropped: {dropped}")


def testpmd_command(captures: list[pathlib.Path], buffers: int, hugepages: bool) -> list[str]:
    megabytes = 64 + (buffers * MBUF_BYTES_OF_SMALL_PAGES >> 20)
    memory = ["--in-memory"] if hugepages else ["--no-huge", "--no-shconf", "-m", str(megabytes)]
    eal = ["--lcores", f"0@{MAIN_CORE},1@1", "--main-lcore", "0", "--no-pci", "--no-telemetry", "--log-level=*:warning"]
    return ["dpdk-testpmd", *eal, *memory, "--vdev", device(captures), "--", "--forward-mode=macswap", "--nb-cores=1",
            f"--burst={BURST}", f"--total-num-mbufs={buffers}", "--stats-period=1"]


def testpmd_rates(captures: list[pathlib.Path], buffers: int, hugepages: bool, readings: int) -> list[float]:
    """Packets sent a second, from its port's statistics of every second."""
    command = testpmd_command(captures, buffers, hugepages)
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd=folder) as process:
        patience = threading.Timer(TESTPMD_PATIENCE_SECONDS + readings, process.kill)
        patience.start()
        try:
            return read_rates(process, readings)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()
            patience.cancel()


def read_rates(process: subprocess.Popen, readings: int) -> list[float]:
    """As above by the worker's share of its core. The first reading is of the start, and is left out."""
    rates: list[float] = []
    said = []
    had, then = 0.0, time.monotonic()
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"Tx-pps:\s+(\d+)", line):
            has, now = core_seconds(process.pid), time.monotonic()
            rates.append(float(found.group(1)) * (now - then) / max(has - had, 1e-9))
            had, then = has, now
        if len(rates) > readings:
            return rates[1:]
    raise Failed("dpdk-testpmd ended early:\n" + "".join(said[-20:]))
