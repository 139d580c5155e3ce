"""The dataplane on AF_XDP, between the namespaces of wire.py."""
import shutil
import subprocess
import time

import pytest

from harness import Dataplane
from wire import PORTS, Wire, ip, serve


@pytest.fixture
def wire():
    wire = Wire()
    wire.up()
    yield wire
    wire.down()


def test_services_are_forwarded_and_the_rest_is_the_kernels(wire):
    with Dataplane(PORTS, namespace=wire.lb) as dataplane:
        serve(dataplane)
        came = wire.exchange(200)
        assert set(came) == {"10.0.1.11", "10.0.1.12"} and sum(came.values()) == 200
        assert wire.ping()
        stats = dataplane.stats()
        stats.check_equation()
        # The fabric's kernel knows no tunnel, and says so to its source.
        assert stats.worker("received") - stats.dropped("tunnel_error") == 200 == stats.worker("sent")
        dataplane.stop()
    assert wire.xdp() is None and wire.ping()


def test_two_workers_serve_two_queues(wire):
    with Dataplane(PORTS, workers="[0, 1]", namespace=wire.lb) as dataplane:
        serve(dataplane)
        assert sum(wire.exchange(200).values()) == 200
        stats = dataplane.stats()
        stats.check_equation()
        assert stats.worker("received") - stats.dropped("tunnel_error") == 200
        assert stats.worker("received", 0) > 0 and stats.worker("received", 1) > 0


def test_forwards_again_after_kill(wire):
    with Dataplane(PORTS, namespace=wire.lb) as dataplane:
        serve(dataplane)
        before = wire.exchange(50)
        for _ in range(3):
            dataplane.kill()
            begin = time.monotonic()
            dataplane.start()
            serve(dataplane)
            print(f"ready {time.monotonic() - begin:.2f} s after kill -9")
            assert wire.exchange(50) == before


def test_a_program_of_someone_else_is_refused_by_name(wire, tmp_path):
    if not shutil.which("clang-14"):
        pytest.skip("clang-14 is not installed")
    source = tmp_path / "other.c"
    source.write_text("__attribute__((section(\"xdp\"), used)) int somebody(void* c) { return 2; }\n")
    subprocess.run(["clang-14", "-target", "bpf", "-O2", "-c", source, "-o", tmp_path / "other.o"], check=True)
    ip("-n", wire.lb, "link", "set", "lb0", "xdp", "obj", str(tmp_path / "other.o"), "sec", "xdp")
    dataplane = Dataplane(PORTS, namespace=wire.lb)
    dataplane.spawn()
    assert dataplane.process.wait(60) != 0
    assert "port uplink" in dataplane.log() and "somebody" in dataplane.log()
    assert wire.xdp() is not None


def test_a_second_instance_leaves_the_first_its_interface(wire):
    with Dataplane(PORTS, namespace=wire.lb) as dataplane:
        serve(dataplane)
        second = Dataplane(PORTS, namespace=wire.lb)
        second.spawn()
        assert second.process.wait(60) != 0
        assert "lb0 is served by another maglb-dataplane" in second.log()
        assert sum(wire.exchange(20).values()) == 20


SQUAT = """
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
taken = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
taken.bind("\\0maglb-dataplane/lb0")
print("taken", flush=True)
sys.stdin.read()
"""


def test_another_user_of_the_machine_cannot_take_the_interface(wire):
    with subprocess.Popen(["ip", "netns", "exec", wire.lb, "/usr/bin/python3", "-c", SQUAT], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as squatter:
        assert squatter.stdout.readline() == "taken\n"
        with Dataplane(PORTS, namespace=wire.lb) as dataplane:
            serve(dataplane)
            assert sum(wire.exchange(20).values()) == 20
        squatter.stdin.close()


def test_services_that_go_are_the_kernels_again(wire):
    with Dataplane(PORTS, namespace=wire.lb) as dataplane:
        serve(dataplane)
        dataplane.apply("version: 1\npools: {}\nservices: []\n", 2)
        assert wire.exchange(5) == {}
        assert dataplane.stats().worker("received") == 0
