"""From rows of the Google Benchmark suites to the figures that are reported. Pure functions.

The yardstick rule: a figure of the packet path stands beside the yardstick's for as many flows, taken in
the same run; and it is void when the yardstick itself was slow, because then the machine was busy or is
another kind of machine.
"""
from rig.google_benchmark import Row

# What the yardstick takes on an idle core of the reference machine (a 2.6 GHz Xeon): up to that many
# flows or slots, nanoseconds.
FIND_REFERENCES = ((131072, 8.5), (1 << 20, 13.0), (1 << 24, 24.5))
INSERT_REFERENCES = ((1 << 20, 10.5), (1 << 24, 22.0))
SLOWEST = 1.2

# Every packet opens a flow.
OPENING = {"new", "syn_flood"}
FAMILIES = {"4": "ipv4", "6": "ipv6"}
NUMBERS = {"flows", "backends", "services"}


def is_yardstick(row: Row, kind: str) -> bool:
    return row.words == ("Yardstick", kind)


def reference(references: tuple[tuple[int, float], ...], size: int) -> float | None:
    return next((ns for most, ns in references if size <= most), None)


def yardstick_of(mix: str, flows: int, rows: list[Row]) -> tuple[float, float | None] | None:
    """The yardstick's nanoseconds and the reference's. What opens flows only stands beside an insert into a
    table with room for twice as many, all else beside a find among as many."""
    if mix in OPENING:
        sizes = {int(row.parameters["slots"]): row.ns for row in rows if is_yardstick(row, "insert")}
        with_room = [slots for slots in sizes if slots >= 2 * flows] or sorted(sizes)[-1:]
        references = INSERT_REFERENCES
    else:
        sizes = {int(row.parameters["flows"]): row.ns for row in rows if is_yardstick(row, "find")}
        with_room = [flows] if flows in sizes else []
        references = FIND_REFERENCES
    if not with_room:
        return None
    size = min(with_room)
    return sizes[size], reference(references, size)


def pipeline_row(row: Row, rows: list[Row]) -> dict:
    figures = {key: int(value) if key in NUMBERS else value for key, value in row.parameters.items()}
    figures["family"] = FAMILIES.get(figures.get("family", "4"), figures.get("family"))
    figures["ns_per_packet"] = round(row.ns, 2)
    found = yardstick_of(figures["mix"], figures["flows"], rows)
    if found is not None:
        ns, expected = found
        figures["yardstick_ns"] = round(ns, 2)
        figures["ratio"] = round(row.ns / ns, 3)
        figures["reference_ns"] = expected
        figures["void"] = expected is not None and ns > SLOWEST * expected
    return figures


def pipeline(rows: list[Row]) -> list[dict]:
    return [pipeline_row(row, rows) for row in rows if row.words == ("Pipeline",)]


def maglev_build(rows: list[Row]) -> list[dict]:
    """Ours beside the plain loop of the same size and weights; plain rows without weights serve all."""
    plain = {}
    for row in rows:
        if row.words == ("MaglevBuild", "plain"):
            plain[size_and_weights(row)] = plain[size_and_weights(row)[:2]] = row.real_ns
    figures = []
    for row in rows:
        if row.words == ("MaglevBuild", "ours"):
            key = size_and_weights(row)
            beside = plain.get(key, plain.get(key[:2]))
            figures.append({**{name: int(row.parameters[name]) for name in ("m", "n")},
                            "weights": row.parameters.get("weights", "equal"), "ms": round(row.real_ns / 1e6, 4),
                            "plain_ms": None if beside is None else round(beside / 1e6, 4)})
    return figures


def size_and_weights(row: Row) -> tuple[str, ...]:
    return tuple(row.parameters[name] for name in ("m", "n", "weights") if name in row.parameters)


def memory(rows: list[Row]) -> dict:
    """The dearest of the tables that were filled."""
    each = [row.counters["bytes_per_flow"] for row in rows if "bytes_per_flow" in row.counters]
    return {"bytes_per_flow": round(max(each), 2)} if each else {}


def parts(rows: list[Row]) -> list[dict]:
    """What is no figure of its own above: the stages one by one, and the yardstick."""
    own = {("Pipeline",), ("MaglevBuild", "ours"), ("MaglevBuild", "plain")}
    return [{"name": row.name, "ns": round(row.ns, 2)} for row in rows
            if row.words not in own and "bytes_per_flow" not in row.counters]
