"""The suites: each measures and returns its part of the report."""
import json
import pathlib
import subprocess
from collections.abc import Callable

from rig import Failed, Unavailable, end_to_end, google_benchmark, rows
from rig.google_benchmark import Effort, Row

# Programs with a suite of their own; every other NAME_bench in bench/ measures parts.
OWN = {"pipeline_bench", "maglev_bench", "publish_bench"}

PIPELINE = Effort(repetitions=5, min_time=0.1, timeout=300)
PIPELINE_QUICK = Effort(repetitions=3, min_time=0.02, timeout=60, filter="-(flows:(8388608|10000000)/|slots:16777216/)")
MAGLEV = Effort(repetitions=5, min_time=0.1, timeout=120)
MAGLEV_QUICK = Effort(repetitions=3, min_time=0.01, timeout=60, filter="m:65537/n:1000(/|$)")
PARTS = Effort(repetitions=3, min_time=0.05, timeout=180)
PARTS_QUICK = Effort(repetitions=1, min_time=0.01, timeout=60)
PUBLISH_TIMEOUT = 120

# The programs that are not in bench/ and that the end-to-end runs need.
DAEMON_TARGETS = ["dataplane/maglb-dataplane", "tests/dpdk/publish"]


class Bench:
    """`programs`: what the build has in bench/, by name."""

    def __init__(self, build: pathlib.Path, programs: dict[str, pathlib.Path], quick: bool):
        self.build = build
        self.programs = programs
        self.quick = quick
        self.errors: list[str] = []  # of single rows; the others count

    def program(self, name: str) -> pathlib.Path:
        if name not in self.programs:
            raise Unavailable(f"{name} is not in this build")
        return self.programs[name]

    def measure(self, name: str, effort: Effort, quick: Effort) -> list[Row]:
        measured = google_benchmark.run(self.program(name), quick if self.quick else effort)
        self.errors += measured.errors
        if not measured.rows:
            raise Failed(f"{name} measured nothing")
        return measured.rows

    def pipeline(self) -> dict:
        measured = self.measure("pipeline_bench", PIPELINE, PIPELINE_QUICK)
        return {"pipeline": rows.pipeline(measured), "parts": rows.parts(measured)}

    def end_to_end(self) -> dict:
        return end_to_end.run(self.build, end_to_end.QUICK if self.quick else end_to_end.Plan())

    def maglev(self) -> dict:
        measured = self.measure("maglev_bench", MAGLEV, MAGLEV_QUICK)
        return {"maglev_build": rows.maglev_build(measured), "parts": rows.parts(measured)}

    def publish(self) -> dict:
        command = [str(self.program("publish_bench")), *(["--quick"] if self.quick else [])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PUBLISH_TIMEOUT, check=False)
        if done.returncode != 0:
            raise Failed(f"publish_bench ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return {"publish": json.loads(done.stdout)}

    def parts(self) -> dict:
        names = sorted(name for name in self.programs if name.endswith("_bench") and name not in OWN)
        if not names:
            raise Unavailable("no program for parts is in this build")
        measured = [row for name in names for row in self.measure(name, PARTS, PARTS_QUICK)]
        return {"parts": rows.parts(measured), "memory": rows.memory(measured)}


# In the order in which they run.
SUITES: dict[str, Callable[[Bench], dict]] = {
    "pipeline": Bench.pipeline,
    "end_to_end": Bench.end_to_end,
    "maglev": Bench.maglev,
    "publish": Bench.publish,
    "parts": Bench.parts,
}
