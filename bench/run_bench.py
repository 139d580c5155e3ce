"""Builds the benchmarks, runs them, prints one table. Called by scripts/bench, which says how."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

from rig import Failed, Unavailable, machine, table
from rig.suites import DAEMON_TARGETS, SUITES, Bench

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = pathlib.Path(os.environ.get("MAGLB_BUILD", ROOT / "build-bench")).resolve()
BUILD_TIMEOUT = 1800


def say(text: str) -> None:
    print(text, flush=True)


def run_quietly(command: list[str], **environment: str) -> str:
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ, **environment), capture_output=True, text=True,
                          timeout=BUILD_TIMEOUT, check=False)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:3])} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def bench_programs() -> dict[str, pathlib.Path]:
    """The benchmarks that the build knows of, by name."""
    targets = json.loads(run_quietly(["meson", "introspect", "--targets", str(BUILD)]))
    return {target["name"]: pathlib.Path(target["filename"][0]) for target in targets
            if target["type"] == "executable" and pathlib.Path(target["defined_in"]).parent == ROOT / "bench"}


def build(chosen: list[str]) -> dict[str, pathlib.Path]:
    if not (BUILD / "build.ninja").exists():
        say(f"configuring {BUILD.name}")
        run_quietly(["meson", "setup", str(BUILD), str(ROOT)], CC="ccache gcc", CXX="ccache g++")
    run_quietly(["ninja", "-C", str(BUILD), "build.ninja"])
    programs = bench_programs()
    targets = [str(path.relative_to(BUILD)) for path in programs.values()]
    if "end_to_end" in chosen:
        targets += DAEMON_TARGETS
    began = time.monotonic()
    run_quietly(["ninja", "-C", str(BUILD), *targets])
    say(f"built {BUILD.name} in {time.monotonic() - began:.0f} s")
    return programs


def add(report: dict, figures: dict) -> None:
    for key, value in figures.items():
        if isinstance(value, list):
            report.setdefault(key, []).extend(value)
        else:
            report.setdefault(key, {}).update(value)


def empty_report() -> dict:
    facts = {"machine": machine.describe(), "commit": machine.commit(ROOT)}
    others = machine.busy_processes()
    for other in others:
        say(f"warning: another process is busy: {other}")
    return {**facts, "busy": others, "pipeline": [], "end_to_end": [], "maglev_build": [], "publish": {}, "memory": {},
            "parts": [], "skipped": []}


def measure(bench: Bench, chosen: list[str], report: dict, must: bool) -> bool:
    """Runs the suites in turn. False: one failed, or cannot run although it was asked for."""
    good = True
    for name in chosen:
        began = time.monotonic()
        try:
            bench.errors.clear()
            add(report, SUITES[name](bench))
            for error in bench.errors:
                say(f"{name} FAILED: {error}")
            good = good and not bench.errors
            say(f"{name}: {time.monotonic() - began:.0f} s")
        except Unavailable as why:
            report["skipped"].append({"suite": name, "reason": str(why)})
            good = good and not must
        except (Failed, AssertionError, subprocess.TimeoutExpired) as why:
            say(f"{name} FAILED: {why}")
            good = False
    return good


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures maglb and prints one table.")
    parser.add_argument("--quick", action="store_true", help="few sizes and short runs: a minute instead of ten")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="write the figures there, too")
    parser.add_argument("--only", choices=SUITES, action="append", help="this suite; may be given several times")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    chosen = [name for name in SUITES if not options.only or name in options.only]
    try:
        programs = build(chosen)
    except (Failed, subprocess.TimeoutExpired) as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    report = empty_report()
    good = measure(Bench(BUILD, programs, options.quick), chosen, report, must=bool(options.only))
    say(f"\n{', '.join(f'{key} {value}' for key, value in report['machine'].items())}; commit {report['commit']}\n")
    say(table.render(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    if not good:
        print("bench: a suite failed; see above", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
