"""The report as one table for people."""
from collections.abc import Iterator

HEADINGS = ("suite", "what", "measured", "beside it", "ratio", "")
Line = tuple[str, str, str, str, str, str]


def count(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1000, "K")):
        if number >= size and number % size == 0:
            return f"{number // size}{letter}"
    return str(number)


def ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def pipeline_lines(report: dict) -> Iterator[Line]:
    shown = {"family", "mix", "flows", "backends", "services", "ns_per_packet", "yardstick_ns", "ratio", "reference_ns",
             "void"}
    for row in report["pipeline"]:
        extra = "".join(f", {key} {value}" for key, value in row.items() if key not in shown)
        what = (f"{row['family']} {row['mix']}: {count(row['flows'])} flows, {row['backends']} backends, "
                f"{row['services']} services{extra}")
        beside = ""
        if "yardstick_ns" in row:
            expected = f" ({row['reference_ns']:g})" if row["reference_ns"] is not None else ""
            beside = f"yardstick {row['yardstick_ns']:.1f} ns{expected}"
        void = "void: the yardstick is too slow" if row.get("void") else ""
        yield "pipeline", what, f"{row['ns_per_packet']:.1f} ns", beside, ratio(row.get("ratio")), void


def end_to_end_lines(report: dict) -> Iterator[Line]:
    for row in report["end_to_end"]:
        yield ("end to end", f"{count(row['flows'])} flows, 1 worker", f"{row['maglb_mpps']:.2f} Mpps",
               f"testpmd {row['testpmd_mpps']:.2f} Mpps", ratio(row["ratio"]),
               "" if row["hugepages"] else "void: without hugepages")
    scaling = report.get("scaling", [])
    for row in scaling[1:]:
        yield ("end to end", f"{row['workers']} workers", f"{row['mpps']:.2f} Mpps",
               f"1 worker {scaling[0]['mpps']:.2f} Mpps", ratio(row["mpps"] / scaling[0]["mpps"]),
               "main thread shares a worker's core")


def maglev_lines(report: dict) -> Iterator[Line]:
    for row in report["maglev_build"]:
        plain = row["plain_ms"]
        what = f"{row['m']} slots, {row['n']} backends, weights {row['weights']}"
        beside = "" if plain is None else f"plain loop {plain:.3f} ms"
        yield "maglev build", what, f"{row['ms']:.3f} ms", beside, ratio(row["ms"] / plain if plain else None), ""


def publish_lines(report: dict) -> Iterator[Line]:
    figures = report["publish"]
    if figures:
        yield "publish", "to all workers, median", f"{figures['p50_us']:.0f} us", "", "", ""
        yield "publish", "to all workers, 99th percentile", f"{figures['p99_us']:.0f} us", "", "", ""
        yield "publish", "most changes", f"{figures['max_rate_hz']:.0f} /s", "", "", ""
        yield "publish", "throughput lost to 1000 changes/s", f"{figures['throughput_loss_percent']:.2f} %", "", "", ""


def part_lines(report: dict) -> Iterator[Line]:
    if report["memory"]:
        yield "memory", "flow table, per flow", f"{report['memory']['bytes_per_flow']:.1f} bytes", "", "", ""
    for row in report["parts"]:
        yield "parts", row["name"], f"{row['ns']:.2f} ns", "", "", ""


def lines(report: dict) -> list[Line]:
    sections = (pipeline_lines, end_to_end_lines, maglev_lines, publish_lines, part_lines)
    found = [line for section in sections for line in section(report)]
    return found + [(one["suite"], f"skipped: {one['reason']}", "", "", "", "") for one in report["skipped"]]


def render(report: dict) -> str:
    table = [HEADINGS, *lines(report)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    right = {2, 3, 4}
    rendered = []
    for line in table:
        cells = [cell.rjust(width) if column in right else cell.ljust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        rendered.append("  ".join(cells).rstrip())
    return "\n".join([rendered[0], "-" * len(rendered[0]), *rendered[1:]])
