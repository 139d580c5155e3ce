"""maglb-dataplane beside dpdk-testpmd in macswap mode: the same capture, the same driver and core, in turn.

On its own: python3 bench/rig/end_to_end.py BUILD [--quick], from the repository's root.
"""
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from rig import Unavailable, capture, forwarders, machine  # noqa: E402

MEGA = 1e6
# What the dataplane takes beside buffers and what testpmd takes are small against this.
SPARE_BYTES = 256 << 20


@dataclasses.dataclass(frozen=True)
class Plan:
    flows: tuple[int, ...] = (1, 1024, 65536)
    rounds: int = 3
    readings: int = 3  # of a second each, of each program in each round


QUICK = Plan(flows=(65536,), rounds=2, readings=1)


def check_available() -> None:
    if os.geteuid() != 0:
        raise Unavailable("DPDK needs root")
    if not {0, 1} <= os.sched_getaffinity(0):
        raise Unavailable("it takes the cores 0 and 1")
    if shutil.which("dpdk-testpmd") is None:
        raise Unavailable("dpdk-testpmd is not installed (dpdk-dev)")


def run(build: pathlib.Path, plan: Plan) -> dict:
    """{"end_to_end": [...], "scaling": [...]}"""
    check_available()
    buffers = forwarders.buffers_for(max(max(plan.flows), capture.FEWEST_PACKETS))
    with tempfile.TemporaryDirectory(prefix="maglb-bench-") as folder, \
            machine.hugepages(buffers * forwarders.MBUF_BYTES + SPARE_BYTES) as hugepages:
        rows = [compare(build, pathlib.Path(folder), flows, plan, hugepages) for flows in plan.flows]
        return {"end_to_end": rows, "scaling": scale(build, pathlib.Path(folder), plan, hugepages)}


def compare(build: pathlib.Path, folder: pathlib.Path, flows: int, plan: Plan, hugepages: bool) -> dict:
    """In turn, so that what else the machine does meets both."""
    path = folder / f"{flows}.pcap"
    buffers = forwarders.buffers_for(capture.write(path, range(flows)))
    maglb: list[float] = []
    testpmd: list[float] = []
    for _ in range(plan.rounds):
        maglb += forwarders.maglb_rates(build, [path], buffers, hugepages, [1], plan.readings)
        testpmd += forwarders.testpmd_rates([path], buffers, hugepages, plan.readings)
    ours, theirs = statistics.median(maglb), statistics.median(testpmd)
    return {"flows": flows, "maglb_mpps": round(ours / MEGA, 2), "testpmd_mpps": round(theirs / MEGA, 2),
            "ratio": round(ours / theirs, 3), "hugepages": hugepages}


def scale(build: pathlib.Path, folder: pathlib.Path, plan: Plan, hugepages: bool) -> list[dict]:
    """One and two workers with the same flows in all. The second worker has the core that the main thread
    has, and the tool that reads the figures."""
    flows = max(plan.flows)
    paths = [folder / "half0.pcap", folder / "half1.pcap"]
    for path, half in zip(paths, (range(flows // 2), range(flows // 2, flows))):
        capture.write(path, half)
    rows = []
    for workers, captures in (([1], [folder / f"{flows}.pcap"]), ([1, 0], paths)):
        size = forwarders.buffers_for(flows // len(captures))
        rates = forwarders.maglb_rates(build, captures, size, hugepages, workers, plan.readings)
        rows.append({"workers": len(workers), "mpps": round(statistics.median(rates) / MEGA, 2)})
    return rows


if __name__ == "__main__":
    print(json.dumps(run(pathlib.Path(sys.argv[1]), QUICK if "--quick" in sys.argv else Plan()), indent=2))
