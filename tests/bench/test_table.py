"""The table, from a report with something of everything."""
from rig import table

REPORT = {
    "pipeline": [{"family": "ipv4", "mix": "established", "flows": 65536, "backends": 100, "services": 1, "size": "64",
                  "ns_per_packet": 12.0, "yardstick_ns": 10.4, "ratio": 1.15, "reference_ns": 8.5, "void": True}],
    "end_to_end": [{"flows": 1000, "maglb_mpps": 30.0, "testpmd_mpps": 40.0, "ratio": 0.75, "hugepages": True}],
    "scaling": [{"workers": 1, "mpps": 30.0}, {"workers": 2, "mpps": 45.0}],
    "maglev_build": [{"m": 65537, "n": 1000, "weights": "equal", "ms": 1.5, "plain_ms": None}],
    "publish": {"p50_us": 170.0, "p99_us": 220.0, "max_rate_hz": 5000, "throughput_loss_percent": 0.3},
    "memory": {"bytes_per_flow": 18.8},
    "parts": [{"name": "Flow/find/flows:1", "ns": 3.0}],
    "skipped": [{"suite": "maglev", "reason": "it is not there"}],
}


def test_every_figure_is_in_the_table():
    text = table.render(REPORT)
    for said in ("12.0 ns", "yardstick 10.4 ns (8.5)", "1.15", "void", "30.00 Mpps", "testpmd 40.00 Mpps", "0.75",
                 "2 workers", "1.50", "1.500 ms", "170 us", "220 us", "5000 /s", "0.30 %", "18.8 bytes", "3.00 ns",
                 "skipped: it is not there"):
        assert said in text, f"{said!r} is missing in\n{text}"


def test_an_empty_report_is_a_heading():
    empty = {key: {} if isinstance(value, dict) else [] for key, value in REPORT.items()}
    assert len(table.render(empty).splitlines()) == 2
