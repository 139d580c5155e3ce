"""Which yardstick a figure stands beside, and when the pair says nothing."""
import pytest
from rig import google_benchmark, rows
from rig.google_benchmark import Row


def row(name, ns=1.0, real_ns=0.0, **counters):
    words, parameters = google_benchmark.split_name(name)
    return Row(words, parameters, real_ns, {"ns": ns, **counters})


def pipeline_name(mix="established", flows=65536, family=4, **more):
    extra = "".join(f"/{key}:{value}" for key, value in more.items())
    return f"Pipeline/family:{family}/mix:{mix}/flows:{flows}/backends:100/services:1/size:64{extra}/manual_time"


YARDSTICKS = [
    row("Yardstick/find/flows:65536/manual_time", 8.0),
    row("Yardstick/find/flows:1000000/manual_time", 20.0),
    row("Yardstick/insert/slots:1048576/manual_time", 10.0),
    row("Yardstick/insert/slots:16777216/manual_time", 25.0),
]


def figures_of(name, ns):
    return rows.pipeline([*YARDSTICKS, row(name, ns)])[0]


def test_known_flows_stand_beside_a_find_among_as_many():
    assert figures_of(pipeline_name(), 12.0) == {
        "family": "ipv4", "mix": "established", "flows": 65536, "backends": 100, "services": 1, "size": "64",
        "ns_per_packet": 12.0, "yardstick_ns": 8.0, "ratio": 1.5, "reference_ns": 8.5, "void": False}


@pytest.mark.parametrize("flows, yardstick_ns", [(1024, 10.0), (524288, 10.0), (524289, 25.0), (8388608, 25.0)])
def test_new_flows_stand_beside_an_insert_with_room_for_twice_as_many(flows, yardstick_ns):
    assert figures_of(pipeline_name("new", flows), 50.0)["yardstick_ns"] == yardstick_ns


def test_a_syn_flood_stands_beside_an_insert():
    assert figures_of(pipeline_name("syn_flood", 100_000), 40.0)["ratio"] == 4.0


def test_the_largest_table_stands_beside_more_new_flows_than_any_has_room_for():
    assert figures_of(pipeline_name("new", 100_000_000), 50.0)["yardstick_ns"] == 25.0


def test_other_mixes_stand_beside_a_find():
    assert figures_of(pipeline_name("mixed"), 16.0)["ratio"] == 2.0


def test_a_slow_yardstick_voids_the_figure():
    slow = figures_of(pipeline_name(flows=1_000_000), 30.0)
    assert slow["reference_ns"] == 13.0 and slow["void"]
    assert rows.pipeline([row("Yardstick/find/flows:1000", 10.2), row(pipeline_name(flows=1000))])[0]["void"] is False
    assert rows.pipeline([row("Yardstick/find/flows:1000", 10.3), row(pipeline_name(flows=1000))])[0]["void"] is True


def test_without_a_yardstick_there_is_no_ratio():
    alone = figures_of(pipeline_name(flows=5), 9.0)
    assert alone["ns_per_packet"] == 9.0 and "ratio" not in alone and "void" not in alone


def test_what_else_a_row_says_is_kept():
    figures = figures_of(pipeline_name(family=6, isa="avx2"), 9.0)
    assert figures["family"] == "ipv6" and figures["isa"] == "avx2"


def test_maglev_stands_beside_the_plain_loop_of_its_size():
    figures = rows.maglev_build([
        row("MaglevBuild/ours/m:65537/n:1000/weights:equal", real_ns=1.5e6),
        row("MaglevBuild/ours/m:65537/n:1000/weights:mixed", real_ns=1.6e6),
        row("MaglevBuild/ours/m:655373/n:1000/weights:equal", real_ns=20e6),
        row("MaglevBuild/plain/m:65537/n:1000", real_ns=1.4e6),
    ])
    assert [(f["m"], f["weights"], f["ms"], f["plain_ms"]) for f in figures] == [
        (65537, "equal", 1.5, 1.4), (65537, "mixed", 1.6, 1.4), (655373, "equal", 20.0, None)]


def test_memory_is_told_apart_from_the_parts():
    measured = [row("Flow/memory/family:4", 0.0, bytes_per_flow=18.8),
                row("Flow/memory/family:6", 0.0, bytes_per_flow=15.0), row("Flow/find/flows:1024", 4.0),
                row("MaglevBuild/ours/m:3/n:2"), row("MaglevBuild/populate/m:3/n:2", 5.0)]
    assert rows.memory(measured) == {"bytes_per_flow": 18.8}
    assert rows.parts(measured) == [{"name": "Flow/find/flows:1024", "ns": 4.0},
                                    {"name": "MaglevBuild/populate/m:3/n:2", "ns": 5.0}]


def entry(name, real_time, unit="ns", run_type="iteration", **more):
    return {"name": name, "run_name": name, "run_type": run_type, "real_time": real_time, "cpu_time": 1.0,
            "time_unit": unit, "iterations": 7, "repetitions": 3, **more}


def test_medians_are_of_the_repetitions():
    measured = google_benchmark.medians({"benchmarks": [
        entry("A/m:1/real_time", 3, "us", ns=5.0), entry("B/iterations:4", 10),
        entry("A/m:1/real_time", 1, "us", ns=9.0),
        entry("A/m:1/real_time", 2, "us", ns=7.0), entry("A/m:1/real_time", 99, "us", run_type="aggregate")]})
    assert [(m.name, m.real_ns, m.ns) for m in measured.rows] == [("A/m:1", 2000.0, 7.0), ("B", 10.0, 10.0)]


def test_a_row_that_went_wrong_is_told_and_the_others_count():
    measured = google_benchmark.medians({"benchmarks": [
        entry("A", 1), entry("A", 1, error_occurred=True, error_message="not every packet was sent"), entry("B", 2)]})
    assert [m.name for m in measured.rows] == ["B"] and measured.errors == ["A: not every packet was sent"]
