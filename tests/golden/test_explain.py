"""--explain: what is said of each frame is what the frame became, read from the output by scapy."""
import json
import random

import pytest
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from configs import ONE_BACKEND, backend, config, service
from harness import as_inputs, capture, read_capture, run_program
from packets import ether, sized_tcp, tcp
from test_nat import V4, V6, Talk

BACKENDS = {f"web{i}": f"10.0.1.{10 + i}" for i in range(1, 5)}
POOL = config({"web": [backend(name, address) for name, address in BACKENDS.items()]}, [service()])


def explained(tmp_path, text, frames, which, dataplane=""):
    (tmp_path / "maglb.yaml").write_text(text)
    (tmp_path / "in.pcap").write_bytes(capture(as_inputs(frames)))
    arguments = ["--config", tmp_path / "maglb.yaml", "--in", tmp_path / "in.pcap", "--out", tmp_path / "out.pcap",
                 "--explain", which]
    if dataplane:
        (tmp_path / "dataplane.yaml").write_text(dataplane)
        arguments += ["--dataplane", tmp_path / "dataplane.yaml"]
    done = run_program(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    people = run_program(*arguments)
    assert people.returncode == 0, people.stderr
    return json.loads(done.stdout)["explained"], read_capture(tmp_path / "out.pcap")[0], people.stdout


def test_each_frame_goes_where_it_is_said_to_go(tmp_path):
    chance = random.Random(4)
    frames = []
    for _ in range(400):
        port = chance.randrange(1024, 1100)
        packet = tcp(chance.choice("SAAAFR"), sport=port)
        if chance.random() < 0.2:
            packet[IP].dst = "198.51.100.77"  # nobody's
        frames.append(ether(packet))
    said, sent, _ = explained(tmp_path, POOL, frames, "1-400")
    assert [one["frame"] for one in said] == list(range(1, 401))
    out = iter(sent)
    for one in said:
        if one["result"]["verdict"] == "kernel":
            assert one["service"] == ""
            continue
        assert one["result"]["verdict"] == "sent"
        assert Ether(next(out))[IP].dst == BACKENDS[one["backend"]]
    assert next(out, None) is None
    assert {one["backend"] for one in said} > set(BACKENDS)


def test_a_dropped_frame_has_its_reason(tmp_path):
    said, _, people = explained(tmp_path, ONE_BACKEND, [ether(sized_tcp(1490, flags="A"))], "1")
    assert said[0]["result"]["verdict"] == "answered"
    assert said[0]["result"]["reason"] == "too_big"
    assert said[0]["backend"] == "web1"
    assert people.startswith("frame 1\n") and "too_big" in people and "do not fit the MTU of 1500" in people


def test_steps_are_in_the_order_of_the_path(tmp_path):
    said, _, people = explained(tmp_path, ONE_BACKEND, [ether(tcp())], "1")
    stages = [step["stage"] for step in said[0]["steps"]]
    assert stages == ["packet", "service", "flow", "table", "backend", "way", "size", "result", "new flow"]
    assert "ipip from 10.0.0.2 to 10.0.1.11" in people


@pytest.mark.parametrize("family", [V4, V6], ids=lambda family: family.name)
def test_a_connection_of_nat_is_known_by_its_session_from_both_sides(tmp_path, family):
    talk = Talk(family)
    talk.handshake()
    talk.client_says(b"GET", flags="PA", seq=1001, ack=5001)
    said, _, people = explained(tmp_path, talk.config, talk.inputs, "1-4", talk.dataplane)
    opening, reply, *later = said
    assert [one["result"]["verdict"] for one in said] == ["sent"] * 4
    assert {one["service"] for one in said} == {"web"}
    assert [step["stage"] for step in reply["steps"]] == ["packet", "service", "flow", "way", "size", "result"]
    sees = f"on web1, which sees {family.nat if family is V4 else f'[{family.nat}]'}:{talk.nat_port}"
    assert "no worker has a nat session of it" in str(opening["steps"])
    assert "opening" in str(reply["steps"]) and "back to the client" in str(reply["steps"])
    assert "established" in str(later[-1]["steps"]) and "as the flow's session says" in str(later[-1]["steps"])
    assert people.count(sees) == 3


@pytest.mark.parametrize("which", ["0", "x", "3-2", "-1", "1-", ""])
def test_what_is_no_range_is_refused(tmp_path, which):
    (tmp_path / "maglb.yaml").write_text(ONE_BACKEND)
    done = run_program("--config", tmp_path / "maglb.yaml", "--in", "a", "--out", "b", f"--explain={which}")
    assert done.returncode == 2 and "--explain" in done.stderr


def test_a_frame_that_is_not_there_is_an_error(tmp_path):
    (tmp_path / "maglb.yaml").write_text(ONE_BACKEND)
    (tmp_path / "in.pcap").write_bytes(capture(as_inputs([ether(tcp())] * 3)))
    files = ["--config", tmp_path / "maglb.yaml", "--in", tmp_path / "in.pcap", "--out", tmp_path / "out.pcap"]
    done = run_program(*files, "--explain", "9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "maglb-replay: --explain: there is no frame 9: the capture has 3\n"
    assert not (tmp_path / "out.pcap").exists()
    assert run_program(*files, "--explain", "2-9").stdout.count("frame ") == 2
