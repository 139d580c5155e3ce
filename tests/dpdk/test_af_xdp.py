"""The dataplane on AF_XDP:

    [ fabric: p0 10.0.0.1, 10.0.1.11, 10.0.1.12 ] ---- veth, two queues ---- [ lb: lb0 10.0.0.2 ]

The fabric is client, router and servers in one: it sends to the service and sees the IPIP packets.
"""
import json
import os
import shutil
import subprocess
import time

import pytest

from harness import Dataplane, eventually, service_file

HERE = os.path.dirname(os.path.abspath(__file__))
PORTS = "  - {name: uplink, device: \"net_af_xdp0,iface=lb0\"}\n"


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


class Wire:
    def __init__(self):
        self.lb = f"maglb-dpdk-{os.getpid()}-lb"
        self.fabric = f"maglb-dpdk-{os.getpid()}-fabric"

    def up(self):
        for namespace in (self.lb, self.fabric):
            ip("netns", "add", namespace)
            subprocess.run(["ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"],
                           check=True)
        queues = ("numtxqueues", "2", "numrxqueues", "2")
        ip("link", "add", "lb0", "netns", self.lb, *queues, "type", "veth", "peer", "name", "p0", "netns", self.fabric,
           *queues)
        ip("-n", self.lb, "addr", "add", "10.0.0.2/16", "dev", "lb0")
        for address in ("10.0.0.1/16", "10.0.1.11/16", "10.0.1.12/16"):
            ip("-n", self.fabric, "addr", "add", address, "dev", "p0")
        ip("-n", self.lb, "link", "set", "lb0", "up")
        ip("-n", self.fabric, "link", "set", "p0", "up")

    def down(self):
        for namespace in (self.lb, self.fabric):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)

    def exchange(self, count):
        mac = json.loads(ip("-j", "-n", self.lb, "link", "show", "lb0"))[0]["address"]
        done = subprocess.run(["ip", "netns", "exec", self.fabric, "/usr/bin/python3", "-B", f"{HERE}/exchange.py",
                               "p0", mac, str(count)], capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    def ping(self):
        return subprocess.run(["ip", "netns", "exec", self.fabric, "ping", "-c1", "-W2", "10.0.0.2"],
                              capture_output=True, check=False).returncode == 0

    def xdp(self):
        return json.loads(ip("-j", "-n", self.lb, "link", "show", "lb0"))[0].get("xdp")


@pytest.fixture
def wire():
    wire = Wire()
    wire.up()
    yield wire
    wire.down()


def resolved(dataplane):
    return all("via uplink" in backend["next_hop"] for backend in dataplane.stats().raw["backends"])


def serve(dataplane):
    dataplane.apply(service_file())
    eventually(lambda: resolved(dataplane), "the next hops")


def test_services_are_forwarded_and_the_rest_is_the_kernels(wire):
    with Dataplane(PORTS, namespace=wire.lb) as dataplane:
        serve(dataplane)
        came = wire.exchange(200)
        assert set(came) == {"10.0.1.11", "10.0.1.12"} and sum(came.values()) == 200
        assert wire.ping()
        stats = dataplane.stats()
        stats.check_equation()
        assert stats.worker("received") == 200 == stats.worker("sent")
        dataplane.stop()
    assert wire.xdp() is None and wire.ping()


def test_two_workers_serve_two_queues(wire):
    with Dataplane(PORTS, workers="[0, 1]", namespace=wire.lb) as dataplane:
        serve(dataplane)
        assert sum(wire.exchange(200).values()) == 200
        stats = dataplane.stats()
        stats.check_equation()
        assert stats.worker("received") == 200
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
