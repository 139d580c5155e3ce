"""Options, exit codes and files of maglb-replay."""
import json
import os
import stat
import subprocess

import pytest
from scapy.utils import wrpcapng

from configs import ONE_BACKEND, backend, config, dataplane, service
from harness import (ETHERNET, MICRO, NANO, Input, as_inputs, assert_equation, capture, program, read_capture, replay,
                     run_program)
from packets import ether, ipip, sized_tcp, tcp

FRAMES = as_inputs([ether(tcp()), ether(tcp("A"))])
LINUX_SLL, RAW_IP = 113, 101


@pytest.fixture
def files(tmp_path):
    (tmp_path / "maglb.yaml").write_text(ONE_BACKEND)
    (tmp_path / "in.pcap").write_bytes(capture(FRAMES))
    return tmp_path


def run(files, *more, **instead):
    options = {"config": files / "maglb.yaml", "in": files / "in.pcap", "out": files / "out.pcap"}
    options.update({name.rstrip("_"): value for name, value in instead.items()})
    arguments = [part for name, value in options.items() if value is not None for part in (f"--{name}", value)]
    return run_program(*arguments, *more)


def left_over(files):
    return sorted(path.name for path in files.iterdir() if path.name not in ("maglb.yaml", "in.pcap"))


def test_version_and_help():
    version = run_program("--version")
    assert version.returncode == 0 and version.stdout.startswith("maglb-replay ")
    shown = run_program("--help")
    assert shown.returncode == 0
    for option in ("--config", "--in", "--out", "--dataplane", "--json", "--check", "--version"):
        assert option in shown.stdout


@pytest.mark.parametrize("arguments", [
    [], ["--frobnicate"], ["--config"], ["--in", "a", "--out", "b"], ["--config", "a"], ["--config", "a", "--in", "b"],
    ["--config", "a", "--out", "b"], ["--config", "a", "extra"], ["--config", "a", "--check", "--in", "b"],
], ids=" ".join)
def test_usage(arguments):
    done = run_program(*arguments)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.startswith("maglb-replay: ")


def test_out_is_not_in(files):
    os.symlink("in.pcap", files / "same.pcap")
    for name in ("in.pcap", "same.pcap"):
        done = run(files, out=files / name)
        assert done.returncode == 2 and "--out" in done.stderr
    assert (files / "in.pcap").read_bytes() == capture(FRAMES)


def test_json_is_one_object_with_every_key(files):
    done = run(files, "--json")
    assert done.returncode == 0 and done.stderr == ""
    counters = json.loads(done.stdout)
    assert {"received", "originated", "sent", "kernel", "held", "dropped", "services", "backends"} <= set(counters)
    assert set(counters["dropped"]) == {
        "truncated", "bad_ip_header", "bad_ip_checksum", "bad_l4_header", "fragment_timeout",
        "fragment_overlap", "fragment_duplicate", "fragment_limit", "nat_fragment", "source_denied", "echo_limit",
        "bad_echo", "tiny_fragment", "extension_headers", "loop", "tunnel_error", "no_backend", "backends_full",
        "no_tunnel_source",
        "no_nat_source", "no_nat_port", "no_session", "ttl_exceeded", "no_next_hop", "too_big", "no_headroom",
        "no_buffer", "multi_segment", "no_kernel_path", "tx_full", "hand_over_full"}
    assert set(counters["services"]) == {"web", "dns"}
    assert counters["backends"] == {"dns": {"ns1": {"packets": 0, "bytes": 0, "new_flows": 0}},
                                    "web": {"web1": {"packets": 2, "bytes": 80, "new_flows": 1}}}
    assert_equation(counters)


def test_text_for_people(files):
    done = run(files)
    assert done.returncode == 0
    assert "received" in done.stdout and "web/web1" in done.stdout


@pytest.mark.parametrize("line,column,text", [
    (2, 7, ONE_BACKEND.replace("seed: 7", "seed: -7")),
    (5, 17, ONE_BACKEND.replace("table_size: 251", "table_size: 250", 1)),
    (13, 50, ONE_BACKEND.replace("protocol: tcp", "protocol: sctp")),
])
def test_invalid_configuration(files, line, column, text):
    (files / "maglb.yaml").write_text(text)
    for arguments in ({}, {"in_": None, "out": None}):
        done = run(files, *(["--check"] if arguments else []), **arguments)
        assert done.returncode == 3
        assert done.stderr.startswith(f"{files}/maglb.yaml:{line}:{column}: "), done.stderr
        assert done.stdout == "" and left_over(files) == []


def test_invalid_dataplane_file(files):
    (files / "dataplane.yaml").write_text(dataplane(mtu=1))
    done = run(files, dataplane=files / "dataplane.yaml")
    assert done.returncode == 3
    assert f"{files}/dataplane.yaml:4:" in done.stderr


def test_more_than_the_dataplane_takes(files):
    pools = {"a": [backend(f"b{i}", f"10.0.1.{i}") for i in range(1, 5)]}
    (files / "maglb.yaml").write_text(config(pools, [service(pool="a")]))
    (files / "dataplane.yaml").write_text(dataplane(more="limits: {backends: 3}\n"))
    done = run(files, dataplane=files / "dataplane.yaml")
    assert done.returncode == 3 and "backends" in done.stderr


def test_check(files):
    done = run(files, "--check", in_=None, out=None)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_missing_files(files):
    assert run(files, in_=files / "none.pcap").returncode == 1
    assert run(files, config=files / "none.yaml").returncode == 3
    assert run(files, out=files / "none" / "out.pcap").returncode == 1
    assert left_over(files) == []


def test_an_empty_capture_gives_an_empty_capture(files):
    (files / "in.pcap").write_bytes(capture([]))
    assert run(files).returncode == 0
    assert (files / "out.pcap").stat().st_size == 24
    # Nothing of ours in it: written all the same.
    (files / "in.pcap").write_bytes(capture(as_inputs([ether(tcp(dport=81))])))
    assert run(files).returncode == 0
    assert (files / "out.pcap").stat().st_size == 24


@pytest.mark.parametrize("link", [RAW_IP, LINUX_SLL])
def test_only_ethernet(files, link):
    (files / "in.pcap").write_bytes(capture(FRAMES, link=link))
    done = run(files)
    assert done.returncode == 1 and "Ethernet" in done.stderr
    assert left_over(files) == []


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: raw[:30], lambda raw: raw[:24] + b"\xff" * 40],
                         ids=["last frame cut", "record header cut", "absurd lengths"])
def test_a_damaged_capture_leaves_nothing(files, damage):
    (files / "in.pcap").write_bytes(damage(capture(FRAMES)))
    (files / "out.pcap").write_bytes(b"from before")
    done = run(files)
    assert done.returncode == 1 and "in.pcap: frame" in done.stderr and done.stdout == ""
    assert left_over(files) == ["out.pcap"]
    assert (files / "out.pcap").read_bytes() == b"from before"


@pytest.mark.parametrize("raw", [b"", b"\0" * 100, b"not a capture"], ids=["empty", "zeros", "text"])
def test_no_capture_at_all(files, raw):
    (files / "in.pcap").write_bytes(raw)
    done = run(files)
    assert done.returncode == 1 and "in.pcap" in done.stderr
    assert left_over(files) == []


@pytest.mark.parametrize("magic", [MICRO, NANO])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_pcap_is_read(files, magic, order):
    (files / "in.pcap").write_bytes(capture(FRAMES, magic=magic, order=order, link=ETHERNET))
    assert run(files).returncode == 0
    frames, times = read_capture(files / "out.pcap")
    assert len(frames) == 2 and times == [0, 1_000_000]


def test_pcapng_is_read(files):
    wrpcapng(str(files / "in.pcap"), [ether(tcp()), ether(tcp("A"))])
    assert run(files).returncode == 0
    assert len(read_capture(files / "out.pcap")[0]) == 2


def test_special_files_are_written_not_replaced(files):
    assert run(files, out="/dev/null").returncode == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert run(files, out="/dev/full").returncode == 1


def test_a_link_stays_a_link(files):
    (files / "target.pcap").write_bytes(b"")
    os.symlink("target.pcap", files / "out.pcap")
    assert run(files).returncode == 0
    assert (files / "out.pcap").is_symlink() and len(read_capture(files / "target.pcap")[0]) == 2


def test_standard_output_that_is_full(files):
    with open("/dev/full", "w") as full:
        done = subprocess.run([program(), "--config", files / "maglb.yaml", "--in", files / "in.pcap", "--out",
                               files / "out.pcap"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=120)
    assert done.returncode == 1


def test_frames_cut_by_the_snap_length_are_truncated():
    whole = bytes(ether(tcp(size=200)))
    outcome = replay(ONE_BACKEND, [Input(whole[:96], 0, len(whole)), Input(bytes(ether(tcp())), 1)])
    assert outcome.dropped == {"truncated": 1}
    assert outcome.frames == [ipip(tcp(), "10.0.1.11")]
    assert "1 frame cut short" in outcome.notes


def test_frames_that_fit_no_buffer():
    huge = Input(bytes(ether(tcp())) + b"\0" * 70000, 0)
    outcome = replay(ONE_BACKEND, [huge, Input(bytes(ether(tcp())), 1)])
    assert outcome.dropped == {"multi_segment": 1}
    assert len(outcome.frames) == 1 and "1 frame longer than 65535 bytes" in outcome.notes


def test_the_largest_frame():
    largest = sized_tcp(65521, df=True)
    outcome = replay(ONE_BACKEND, [ether(largest)])
    assert outcome.dropped == {"too_big": 1} and outcome.counters["originated"] == 1
    padded = Input(bytes(ether(tcp())) + b"\0" * (65535 - 54), 0)
    assert replay(ONE_BACKEND, [padded]).frames == [ipip(tcp(), "10.0.1.11")]
