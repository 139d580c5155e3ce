"""What the figures of scripts/bench must not be worse than, whatever else the machine does: the figures
that are claimed, with ten times the slack. Finer is for people who look at an idle machine's table.
"""
from collections.abc import Iterator

# The claims are of tables that no first-level cache holds.
FEWEST_FLOWS = 65536
ESTABLISHED_RATIO = 16.0
NEW_RATIO = 20.0
END_TO_END_RATIO = 0.065
MAGLEV_RATIO = 11.0
# Of the median, where the claim is of the 99th percentile: others' time slices are not ours to answer for.
PUBLISH_US = 10_000.0
LOSS_PERCENT = 10.0

# What a figure is, whether it holds, and what it was: "pipeline new, 524288 flows: 3.1, at most 20".
Verdict = tuple[bool, str]


def at_most(what: str, value: float, limit: float) -> Verdict:
    return value <= limit, f"{what}: {value:g}, at most {limit:g}"


def at_least(what: str, value: float, limit: float) -> Verdict:
    return value >= limit, f"{what}: {value:g}, at least {limit:g}"


def pipeline(report: dict) -> Iterator[Verdict]:
    limits = {"established": ESTABLISHED_RATIO, "new": NEW_RATIO}
    for row in report["pipeline"]:
        if row["mix"] in limits and row["flows"] >= FEWEST_FLOWS and "ratio" in row and not row["void"]:
            what = (f"pipeline {row['family']} {row['mix']}, {row['flows']} flows, {row['backends']} backends, "
                    f"{row['services']} services, size {row['size']}")
            yield at_most(what, row["ratio"], limits[row["mix"]])


def verdicts(report: dict) -> Iterator[Verdict]:
    yield from pipeline(report)
    for row in report["end_to_end"]:
        yield at_least(f"end to end, {row['flows']} flows", row["ratio"], END_TO_END_RATIO)
    for row in report["maglev_build"]:
        if row["plain_ms"] is not None:
            what = f"maglev build, {row['m']} slots, {row['n']} backends, weights {row['weights']}"
            yield at_most(what, round(row["ms"] / row["plain_ms"], 3), MAGLEV_RATIO)
    if report["publish"]:
        yield at_most("publish, microseconds", report["publish"]["p50_us"], PUBLISH_US)
        yield at_most("publish, percent of throughput", report["publish"]["throughput_loss_percent"], LOSS_PERCENT)
