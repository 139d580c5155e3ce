"""Builds, runs the test suites and sums them up. Called by scripts/test, which says how.

A case is a GoogleTest case, a pytest case, a fuzz target or one of the repository's own checks. A
program that ends badly without a report is a failed case, and so is a suite that cannot run.
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import bench_limits

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MAGLB_BUILD", ROOT / "build")).resolve()
# More builds find what the first does not: another compiler's warnings, wrong memory, undefined behaviour.
BUILD_SANITIZERS = BUILD.with_name(BUILD.name + "-sanitizers")
BUILD_SANITIZERS_GCC = BUILD.with_name(BUILD.name + "-sanitizers-gcc")
BUILD_CLANG = BUILD.with_name(BUILD.name + "-clang")
BUILD_FUZZ = BUILD.with_name(BUILD.name + "-fuzz")
LIBRARIES_ONLY = ["-Dprograms=false", "-Dbenches=false"]
QUICK_TO_BUILD = ["-Ddebug=false"]  # a fifth less; reports name functions without their lines
JOBS = str(os.cpu_count() or 2)
SUITES = ["checks", "unit", "golden", "programs", "clang", "sanitizers", "e2e", "bench", "fuzz-quick",
          "sanitizers-gcc", "fuzz", "vm"]
QUICK_FUZZ_SECONDS = 120  # of all targets together
# These run when asked for, by name or all with "full": they take long, and the guest's packages are downloaded.
DEFAULT = [suite for suite in SUITES if suite not in ("sanitizers-gcc", "fuzz", "vm")]
ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


class Tally:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def say(text):
    print(text, flush=True)


def run(command, timeout=None, environment=None):
    """Runs in a process group of its own. Returns (exit code, output); 124 when the time is over."""
    command = [str(word) for word in command]
    if shutil.which(command[0]) is None and not (ROOT / command[0]).exists():
        return 127, f"{command[0]}: is not there\n"
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(os.environ, **(environment or {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output or ""
    except subprocess.TimeoutExpired:
        # Asked first: a test run takes its namespaces down when it is interrupted.
        for signal_number, patience in ((2, 30), (9, 10)):
            try:
                os.killpg(process.pid, signal_number)
                output, _ = process.communicate(timeout=patience)
                break
            except (ProcessLookupError, subprocess.TimeoutExpired):
                output = ""
        return 124, (output or "") + f"\nnot done after {timeout} s\n"
    except KeyboardInterrupt:
        os.killpg(process.pid, 2)
        process.wait(60)
        raise


def failed_case(name, output=""):
    tally = Tally()
    tally.failed.append(name)
    if output:
        say("\n".join(output.splitlines()[-60:]))
    say(f"FAILED {name}")
    return tally


def passed_case(name):
    tally = Tally()
    tally.passed = 1
    say(f"ok     {name}")
    return tally


def setup(build, compilers, options):
    if (build / "build.ninja").exists():
        command = ["ninja", "-C", build, "build.ninja"]  # again if a meson.build has changed
    else:
        say(f"configuring {build.name}")
        command = ["meson", "setup", build, ROOT, *options]
    code, output = run(command, 600, compilers)
    return None if code == 0 else (f"configuration of {build.name}", output)


def build_targets(build, targets=()):
    started = time.monotonic()
    code, output = run(["ninja", "-C", build, "-j", JOBS, *targets], 1800)
    if code != 0:
        return f"build in {build.name}", output
    say(f"built  {build.name} in {time.monotonic() - started:.0f} s")
    return None


def setup_main():
    return setup(BUILD, {"CC": "ccache gcc", "CXX": "ccache g++"}, [])


def setup_sanitizers(build, compilers):
    options = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1", *QUICK_TO_BUILD, *LIBRARIES_ONLY]
    return setup(build, dict(zip(("CC", "CXX"), compilers)), options)


def suite_of(one):
    """The suite here of a test of the build: unit and golden by name, the others drive whole programs."""
    names = {name.split(":")[-1] for name in one["suite"]}
    return next((name for name in ("unit", "golden") if name in names), "programs")


def introspected_tests(build, suite):
    code, output = run(["meson", "introspect", "--tests", build], 120)
    if code != 0:
        return []
    return [one for one in json.loads(output) if suite == suite_of(one)]


def count_report(path, name, code, output, label):
    """Reads a JUnit report of GoogleTest or pytest."""
    try:
        cases = list(ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return failed_case(f"{label}{name}: ended with {code} and without a report", output)
    tally = Tally()
    for case in cases:
        title = f"{label}{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            if title not in tally.failed:
                tally.failed.append(title)
        elif skip is not None or case.get("status") == "notrun":
            reason = (skip.get("message") if skip is not None else "") or "disabled"
            tally.skipped.append(f"{title}: {' '.join(reason.split())}")
        else:
            tally.passed += 1
    if not cases:
        tally.failed.append(f"{label}{name}: has no cases")
    elif code != 0 and not tally.failed:
        tally.failed.append(f"{label}{name}: ended with {code}")
    if tally.failed:
        say("\n".join(output.splitlines()[-80:]))
    word = "FAILED" if tally.failed else "ok    "
    say(f"{word} {label}{name}: {tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped")
    return tally


def run_program(build, one, label):
    """A test of the build: a GoogleTest program, pytest, or another command judged by its exit code."""
    name = one["name"]
    report = build / "reports" / f"{name}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    command = list(one["cmd"])
    reports = True
    if pathlib.Path(command[0]).name.endswith("_test"):
        command.append(f"--gtest_output=xml:{report}")
    elif "pytest" in command:
        command.append(f"--junitxml={report}")
    else:
        reports = False
    environment = {**one.get("env", {}), "MAGLB_BUILD": str(build), **ENVIRONMENT}
    code, output = run(command, max(300, 2 * (one.get("timeout") or 0)), environment)
    if reports:
        return count_report(report, name, code, output, label)
    return passed_case(label + name) if code == 0 else failed_case(f"{label}{name}: ended with {code}", output)


def run_meson_suite(build, suite, label=""):
    tests = introspected_tests(build, suite)
    tally = Tally()
    # Programs share no port or file, so they may run side by side.
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        for one in pool.map(lambda test: run_program(build, test, label), tests):
            tally.add(one)
    return tally


def targets_of(build, suites):
    """The test programs of the suites and whatever else their commands are made of."""
    targets = []
    for suite in suites:
        for one in introspected_tests(build, suite):
            for word in one["cmd"]:
                path = pathlib.Path(word)
                if path.is_absolute() and path.is_relative_to(build):
                    targets.append(str(path.relative_to(build)))
    return sorted(set(targets))


def run_pytest(folder, build, label="", arguments=(), timeout=900):
    report = build / "reports" / f"pytest-{folder.name}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    command = ["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    environment = {"MAGLB_BUILD": str(build), **ENVIRONMENT}
    code, output = run([*command, folder, *arguments], timeout, environment)
    return count_report(report, folder.name, code, output, label)


def has_pytest(folder):
    return any(folder.glob("test_*.py"))


def suite_checks(_):
    tally = Tally()
    for name, command in (
        ("format", ["scripts/format", "--check"]),
        ("check-deps", ["scripts/check-deps"]),
        ("check-deps catches crossed walls", ["scripts/check-deps", "--self-test"]),
    ):
        code, output = run(command, 120)
        tally.add(passed_case(name) if code == 0 else failed_case(name, output))
    return tally


def suite_unit(_):
    if problem := setup_main():
        return failed_case(*problem)
    if problem := build_targets(BUILD, targets_of(BUILD, ["unit"])):
        return failed_case(*problem)
    return run_meson_suite(BUILD, "unit")


def run_golden(build, label=""):
    tally = run_meson_suite(build, "golden", label)
    if has_pytest(ROOT / "tests/golden") and not introspected_tests(build, "golden"):
        tally.add(run_pytest(ROOT / "tests/golden", build, label))
    return tally


def suite_golden(_):
    if problem := setup_main() or build_targets(BUILD):
        return failed_case(*problem)
    return run_golden(BUILD)


def suite_programs(_):
    if problem := setup_main() or build_targets(BUILD):
        return failed_case(*problem)
    return run_meson_suite(BUILD, "programs")


def suite_clang(_):
    """The daemons and tools by the other compiler; the sanitizers' build has the libraries and their tests."""
    options = ["-Doptimization=0", "-Dtests=false", *QUICK_TO_BUILD]
    problem = setup(BUILD_CLANG, {"CC": "ccache clang-14", "CXX": "ccache clang++-14"}, options)
    if problem := problem or build_targets(BUILD_CLANG):
        return failed_case(*problem)
    return passed_case("clang builds every program")


def run_sanitizers(build, compilers, label):
    if problem := setup_sanitizers(build, compilers) or build_targets(build):
        return failed_case(*problem)
    tally = run_meson_suite(build, "unit", label)
    tally.add(run_golden(build, label))
    return tally


def suite_sanitizers(_):
    return run_sanitizers(BUILD_SANITIZERS, ("ccache clang-14", "ccache clang++-14"), "sanitizers: ")


def suite_sanitizers_gcc(_):
    return run_sanitizers(BUILD_SANITIZERS_GCC, ("ccache gcc", "ccache g++"), "sanitizers, gcc: ")


def suite_e2e(arguments):
    if problem := setup_main() or build_targets(BUILD):
        return failed_case(*problem)
    limit = 7200 if os.environ.get("MAGLB_FULL") == "1" else 1200
    return run_pytest(ROOT / "tests/e2e", BUILD, arguments=arguments, timeout=limit)


def suite_bench(_):
    """The benchmarks run, and nothing is far from what it should be."""
    if problem := setup_main():
        return failed_case(*problem)
    figures = BUILD / "reports" / "bench.json"
    figures.parent.mkdir(exist_ok=True)
    figures.unlink(missing_ok=True)
    code, output = run(["scripts/bench", "--quick", "--json", figures], 900, {"MAGLB_BUILD": str(BUILD)})
    if not figures.exists():
        return failed_case(f"scripts/bench: ended with {code}", output)
    say(output.rstrip())
    report = json.loads(figures.read_text())
    tally = passed_case("scripts/bench") if code == 0 else failed_case(f"scripts/bench: ended with {code}")
    tally.skipped += [f"bench {one['suite']}: {one['reason']}" for one in report["skipped"]]
    for holds, name in bench_limits.verdicts(report):
        tally.add(passed_case(name) if holds else failed_case(name))
    return tally


def fuzz_targets():
    """The fuzz programs, built; or what went wrong on the way there."""
    problem = setup(
        BUILD_FUZZ,
        {"CC": "ccache clang-14", "CXX": "ccache clang++-14"},
        ["-Db_sanitize=address,undefined", "-Db_lundef=false", *LIBRARIES_ONLY, "-Dfuzz=true"],
    )
    if problem:
        return [], problem
    _, output = run(["meson", "introspect", "--targets", BUILD_FUZZ], 120)
    targets = [
        one for one in json.loads(output) if one["type"] == "executable" and "tests/fuzz" in one["defined_in"]
    ]
    programs = [pathlib.Path(one["filename"][0]) for one in targets]
    return programs, build_targets(BUILD_FUZZ, [program.relative_to(BUILD_FUZZ) for program in programs])


def fuzz(program, seconds):
    corpus = BUILD_FUZZ / "corpus" / program.name
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "tests/fuzz/corpus" / program.name.removesuffix("_fuzz")
    options = [f"-max_total_time={seconds}", f"-artifact_prefix={corpus.parent}/"]
    code, output = run([program, *options, corpus, *([seeds] if seeds.exists() else [])], seconds + 300)
    name = f"fuzz {program.name} for {seconds} s"
    return passed_case(name) if code == 0 else failed_case(name, output)


def suite_fuzz(_):
    programs, problem = fuzz_targets()
    if problem:
        return failed_case(*problem)
    tally = Tally()
    for program in programs:
        tally.add(fuzz(program, int(os.environ.get("MAGLB_FUZZ_SECONDS", "300"))))
    return tally if tally.passed or tally.failed else failed_case("fuzz: no target")


def suite_vm(arguments):
    """A stock kernel in an emulated guest judges the tunnels."""
    daemons = ["dataplane/maglb-dataplane", "controlplane/maglb-controlplane"]
    tools = ["tools/maglbctl/maglbctl", "tools/maglb-decap/maglb-decap"]
    if problem := setup_main() or build_targets(BUILD, daemons + tools):
        return failed_case(*problem)
    code, output = run(["/usr/bin/python3", "-B", "tests/vm/stock.py"], 900)
    if code != 0:
        return failed_case("the guest's packages", output)
    say(output.rstrip())
    return run_pytest(ROOT / "tests/vm", BUILD, arguments=arguments, timeout=720)


def suite_fuzz_quick(_):
    """Every target for a short while, side by side: what breaks on the first inputs is found with each run."""
    programs, problem = fuzz_targets()
    if problem or not programs:
        return failed_case(*(problem or ("fuzz-quick: no target",)))
    tally = Tally()
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        for one in pool.map(lambda program: fuzz(program, QUICK_FUZZ_SECONDS // len(programs)), programs):
            tally.add(one)
    return tally


def main(arguments):
    extra = []
    if "--" in arguments:
        place = arguments.index("--")
        arguments, extra = arguments[:place], arguments[place + 1 :]
    unknown = [name for name in arguments if name not in SUITES and arguments != ["full"]]
    if unknown:
        print(f"test: no suite '{unknown[0]}'; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    chosen = SUITES if arguments == ["full"] else arguments or DEFAULT
    started = time.monotonic()
    total = Tally()
    for suite in chosen:
        began = time.monotonic()
        say(f"--- {suite}")
        tally = globals()[f"suite_{suite.replace('-', '_')}"](extra)
        if not (tally.passed or tally.failed or tally.skipped):
            tally.failed.append(f"{suite}: has no tests")
        total.add(tally)
        say(f"--- {suite}: {time.monotonic() - began:.0f} s")
    for line in total.skipped:
        say(f"skipped: {line}")
    for line in total.failed:
        say(f"failed: {line}")
    say(f"took {time.monotonic() - started:.0f} s")
    say(f"{total.passed} passed, {len(total.failed)} failed, {len(total.skipped)} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
