"""What scripts/test refuses of a report."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import bench_limits  # noqa: E402

PIPELINE = {"family": "ipv4", "mix": "established", "flows": 65536, "backends": 100, "services": 1, "size": "64",
            "ratio": 1.6, "void": False}
GOOD = {
    "pipeline": [PIPELINE],
    "end_to_end": [{"flows": 65536, "ratio": 0.65}],
    "maglev_build": [{"m": 65537, "n": 1000, "weights": "equal", "ms": 1.5, "plain_ms": 1.4}],
    "publish": {"p50_us": 170.0, "throughput_loss_percent": 0.3},
}


def refused(**changed):
    return [text for holds, text in bench_limits.verdicts({**GOOD, **changed}) if not holds]


def test_what_is_claimed_holds():
    assert len(list(bench_limits.verdicts(GOOD))) == 5 and not refused()


def test_ten_times_worse_is_refused():
    assert refused(pipeline=[{**PIPELINE, "ratio": 16.1}])[0].endswith("16.1, at most 16")
    assert refused(pipeline=[{**PIPELINE, "mix": "new", "ratio": 20.1}])
    assert refused(end_to_end=[{"flows": 65536, "ratio": 0.06}])
    assert refused(maglev_build=[{**GOOD["maglev_build"][0], "ms": 16.0}])
    assert refused(publish={"p50_us": 10_001.0, "throughput_loss_percent": 0.3})
    assert refused(publish={"p50_us": 170.0, "throughput_loss_percent": 11.0})


def test_void_rows_and_those_without_a_yardstick_say_nothing():
    alone = {key: value for key, value in PIPELINE.items() if key not in ("ratio", "void")}
    assert not refused(pipeline=[{**PIPELINE, "ratio": 99.0, "void": True}, alone])
    assert not refused(publish={})
