"""Runs maglb-replay over frames and reads back what it sent and counted.

The input capture is written by hand here, and the output is read by scapy: neither goes through the
code under test. Every run is held to the counter equation.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import struct
import subprocess
import tempfile

from scapy.utils import RawPcapReader

PATIENCE_SECONDS = 120
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND  # of the captures, in nanoseconds

MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D
ETHERNET = 1


@dataclasses.dataclass(frozen=True)
class Input:
    """A frame of the input; `at` in nanoseconds after START."""
    frame: bytes
    at: int
    wire_length: int = 0  # 0: captured whole


@dataclasses.dataclass(frozen=True)
class Outcome:
    frames: list  # bytes
    times: list   # nanoseconds after START
    counters: dict
    notes: str    # standard error
    raw: bytes    # the whole file

    @property
    def dropped(self):
        """By reason, those that happened."""
        return {reason: count for reason, count in self.counters["dropped"].items() if count}

    def service(self, name):
        return self.counters["services"][name]

    def backend(self, pool, name):
        return self.counters["backends"][pool][name]


def program():
    root = pathlib.Path(__file__).resolve().parents[2]
    build = pathlib.Path(os.environ.get("MAGLB_BUILD", root / "build"))
    path = build / "tools" / "maglb-replay" / "maglb-replay"
    assert path.exists(), f"{path} is not built: MAGLB_BUILD names the build folder"
    return path


def run_program(*arguments):
    return subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True, check=False,
                          timeout=PATIENCE_SECONDS)


def as_inputs(frames):
    """Frames as scapy packets, bytes or Inputs; those without a time come a millisecond apart."""
    return [frame if isinstance(frame, Input) else Input(bytes(frame), at=i * 1_000_000)
            for i, frame in enumerate(frames)]


def capture(inputs, magic=NANO, link=ETHERNET, order="<"):
    unit = 1 if magic == NANO else 1000
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for item in inputs:
        seconds, rest = divmod(START + item.at, SECOND)
        parts.append(struct.pack(order + "IIII", seconds, rest // unit, len(item.frame),
                                 item.wire_length or len(item.frame)))
        parts.append(item.frame)
    return b"".join(parts)


def read_capture(path):
    frames, times = [], []
    with contextlib.closing(RawPcapReader(str(path))) as reader:
        assert reader.nano and reader.linktype == ETHERNET
        for frame, meta in reader:
            assert meta.caplen == meta.wirelen == len(frame)
            frames.append(frame)
            times.append(meta.sec * SECOND + meta.usec - START)
    return frames, times


def assert_equation(counters):
    left = counters["received"] + counters["originated"]
    right = counters["sent"] + counters["kernel"] + counters["held"] + sum(counters["dropped"].values())
    assert left == right, f"received + originated = {left}, sent + kernel + held + dropped = {right}"


def replay(config, frames, dataplane=None, magic=NANO):
    inputs = as_inputs(frames)
    with tempfile.TemporaryDirectory(prefix=f"maglb-golden-{os.getpid()}-") as name:
        folder = pathlib.Path(name)
        (folder / "maglb.yaml").write_text(config)
        (folder / "in.pcap").write_bytes(capture(inputs, magic))
        arguments = ["--config", folder / "maglb.yaml", "--in", folder / "in.pcap", "--out", folder / "out.pcap",
                     "--json"]
        if dataplane:
            (folder / "dataplane.yaml").write_text(dataplane)
            arguments += ["--dataplane", folder / "dataplane.yaml"]
        done = run_program(*arguments)
        assert done.returncode == 0, done.stderr
        counters = json.loads(done.stdout)
        sent, times = read_capture(folder / "out.pcap")
        raw = (folder / "out.pcap").read_bytes()
    assert_equation(counters)
    assert counters["received"] == len(inputs)
    assert counters["sent"] == len(sent)
    return Outcome(sent, times, counters, done.stderr, raw)
