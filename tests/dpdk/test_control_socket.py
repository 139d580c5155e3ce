"""What arrives on the control socket is hostile until it is checked."""
import os
import random
import socket
import struct

from harness import Dataplane, eventually, service_file

PORTS = "  - {name: uplink, device: net_null0, next_hop_mac: \"02:00:00:00:00:01\"}\n"


def throw(path, data):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        peer.settimeout(10)
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):
                pass
        except OSError:
            pass


def test_garbage_leaves_it_running():
    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    random.seed(seed)
    with Dataplane(PORTS) as dataplane:
        dataplane.apply(service_file())
        for length in (0, 1, 3, 4, 5, 100, 65536, 300000):
            throw(dataplane.socket, random.randbytes(length))
            throw(dataplane.socket, struct.pack(">I", length) + random.randbytes(length))
        throw(dataplane.socket, struct.pack(">I", 0xffffffff))
        assert dataplane.stats().raw["generation"] == "1"
        eventually(lambda: dataplane.stats().worker("received") > 0, "packets")


def test_a_refused_change_leaves_the_running_one():
    with Dataplane(PORTS, extra="limits: {backends: 2}\n") as dataplane:
        dataplane.apply(service_file())
        assert dataplane.ask("apply", dataplane.write("bad.yaml", service_file(
            backends=[f"10.0.1.{i}" for i in range(1, 9)])), "--generation", "2", check=False) is None
        stats = dataplane.stats().raw
        assert stats["generation"] == "1" and stats["publishes_rejected"] == "1"
        assert [b["name"] for b in stats["backends"]] == ["s1", "s2"]


def test_a_second_instance_is_refused_the_socket():
    with Dataplane(PORTS) as dataplane:
        second = Dataplane(PORTS)
        second.socket = dataplane.socket
        second.spawn()
        assert second.process.wait(60) != 0
        assert dataplane.socket in second.log()
        assert dataplane.ask("hello")["generation"] == "0"


def test_many_generations_leave_nothing_behind():
    with Dataplane(PORTS) as dataplane:
        for generation in range(1, 60):
            dataplane.apply(service_file(backends=[f"10.0.1.{1 + generation % 5}", "10.0.1.100"]), generation)
        assert dataplane.stats().raw["publishes"] == "59"
