"""Runs a Google Benchmark program and takes the median of each row's repetitions."""
import dataclasses
import json
import pathlib
import statistics
import subprocess
import tempfile

from rig import Failed

MEASURING_CORE = "1"
NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# What the library appends to a name that is not the row's own.
APPENDED = {"manual_time", "real_time", "process_time"}
APPENDED_PARAMETERS = {"iterations", "repeats", "min_time", "min_warmup_time", "threads"}
NOT_COUNTERS = {"family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads", "iterations",
                "real_time", "cpu_time"}


@dataclasses.dataclass(frozen=True)
class Row:
    """"Pipeline/family:4/flows:1024" is ("Pipeline",) and {"family": "4", "flows": "1024"}."""

    words: tuple[str, ...]
    parameters: dict[str, str]
    real_ns: float
    counters: dict[str, float]

    @property
    def name(self) -> str:
        return "/".join([*self.words, *(f"{key}:{value}" for key, value in self.parameters.items())])

    @property
    def ns(self) -> float:
        """Per packet or operation: the counter of that name where the row has one."""
        return self.counters.get("ns", self.real_ns)


@dataclasses.dataclass(frozen=True)
class Effort:
    repetitions: int
    min_time: float  # seconds of each repetition
    filter: str = "."
    timeout: int = 300


def split_name(name: str) -> tuple[tuple[str, ...], dict[str, str]]:
    words = []
    parameters = {}
    for part in name.split("/"):
        key, colon, value = part.partition(":")
        if not colon and part not in APPENDED:
            words.append(part)
        elif colon and key not in APPENDED_PARAMETERS:
            parameters[key] = value
    return tuple(words), parameters


@dataclasses.dataclass(frozen=True)
class Measured:
    rows: list[Row]
    errors: list[str]  # of rows that said themselves that they went wrong


def medians(report: dict) -> Measured:
    """The rows of a report in the order of their families: interleaving has mixed them."""
    repetitions: dict[str, list[dict]] = {}
    errors = {}
    for entry in sorted(report["benchmarks"], key=lambda entry: entry.get("family_index", 0)):
        name = entry.get("run_name", entry["name"])
        if entry.get("error_occurred"):
            errors[name] = f"{name}: {entry.get('error_message', 'failed')}"
        elif entry.get("run_type") == "iteration":
            repetitions.setdefault(name, []).append(entry)
    good = [median_row(name, entries) for name, entries in repetitions.items() if name not in errors]
    return Measured(good, list(errors.values()))


def median_row(name: str, entries: list[dict]) -> Row:
    counters = {key for key, value in entries[0].items()
                if isinstance(value, (int, float)) and not isinstance(value, bool) and key not in NOT_COUNTERS}
    words, parameters = split_name(name)
    return Row(words, parameters,
               statistics.median(entry["real_time"] * NANOSECONDS[entry["time_unit"]] for entry in entries),
               {key: statistics.median(entry[key] for entry in entries) for key in sorted(counters)})


def run(program: pathlib.Path, effort: Effort) -> Measured:
    """On one core, the rows' repetitions in random order, so that a drift of the machine meets all."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        command = ["taskset", "-c", MEASURING_CORE, str(program), f"--benchmark_filter={effort.filter}",
                   f"--benchmark_repetitions={effort.repetitions}", f"--benchmark_min_time={effort.min_time}",
                   "--benchmark_enable_random_interleaving=true", f"--benchmark_out={report.name}",
                   "--benchmark_out_format=json"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=effort.timeout, check=False)
        except subprocess.TimeoutExpired:
            raise Failed(f"{program.name} is not done after {effort.timeout} s") from None
        text = pathlib.Path(report.name).read_text()
    if done.returncode != 0 or not text:
        raise Failed(f"{program.name} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return medians(json.loads(text))
