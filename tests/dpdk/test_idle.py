"""What a worker does while nothing arrives, and what that costs: the first packet after silence, and the
core. Figures are printed (pytest -s); bounds have ten times the slack of what is promised."""
import os
import statistics
import time

import pytest

from harness import Dataplane, eventually, service_file
from wire import PORTS, Wire, ip, resolved

PROMISED_US = 50
PACKETS = 200
SILENCE_MS = 5
MODES = ("poll", "adaptive")


@pytest.fixture
def wire():
    wire = Wire()
    wire.up()
    yield wire
    wire.down()


def worker_threads(dataplane):
    folder = f"/proc/{dataplane.process.pid}/task"
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/stat", encoding="utf-8") as file:
            stat = file.read()
        name, fields = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
        if "worker" in name:
            yield int(fields[11]) + int(fields[12])


def cpu_share(dataplane, seconds=2.0):
    """Of one core, of all workers together."""
    begin, ticks = time.monotonic(), sum(worker_threads(dataplane))
    time.sleep(seconds)
    return (sum(worker_threads(dataplane)) - ticks) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begin)


def serve_udp(dataplane, extra=""):
    dataplane.apply(service_file(protocol="udp", port=53) + extra)
    eventually(lambda: resolved(dataplane), "the next hops")


def report(mode, what, times, share):
    came = sorted(t for t in times if t is not None)
    assert len(came) >= PACKETS * 9 // 10, f"{len(came)} of {PACKETS} packets came back"
    median = statistics.median(came)
    print(f"{what}, {mode}: first packet after {SILENCE_MS} ms median {median:.0f} us, "
          f"9 of 10 within {came[len(came) * 9 // 10]:.0f} us; {share:.1%} of a core while idle")
    return median, share


def measure(wire, mode):
    with Dataplane(PORTS, namespace=wire.lb, options=[f"--idle={mode}"]) as dataplane:
        assert f"idle: {mode}" in dataplane.log()
        serve_udp(dataplane)
        share = cpu_share(dataplane)
        times = wire.run_script("first_packet.py", PACKETS, SILENCE_MS)
        stats = dataplane.stats()
        stats.check_equation()
        assert stats.worker("held") == 0
    return report(mode, "AF_XDP", times, share)


def test_a_sleeping_worker_is_cheap_and_awake_in_time(wire):
    (poll, poll_share), (adaptive, adaptive_share) = (measure(wire, mode) for mode in MODES)
    assert adaptive <= poll + 10 * PROMISED_US
    assert adaptive_share < poll_share / 3


def measure_tap(wire, mode):
    """A tap has no socket to sleep on; the kernel's end of it is client and server."""
    port = "  - {name: uplink, device: \"net_tap0,iface=tap0\"}\n"
    with Dataplane(port, namespace=wire.lb, options=[f"--idle={mode}"]) as dataplane:
        ip("-n", wire.lb, "addr", "flush", "dev", "lb0")
        ip("-n", wire.lb, "addr", "add", "10.0.0.2/16", "dev", "tap0")
        ip("-n", wire.lb, "link", "set", "tap0", "up")
        for server in ("10.0.1.11", "10.0.1.12"):
            ip("-n", wire.lb, "neigh", "replace", server, "lladdr", "02:00:00:00:00:01", "dev", "tap0")
        serve_udp(dataplane)
        share = cpu_share(dataplane)
        times = wire.run_script("first_packet.py", PACKETS, SILENCE_MS, namespace=wire.lb, interface="tap0")
    return report(mode, "tap", times, share)


def test_a_device_without_a_socket_is_looked_at_again_and_again(wire):
    (poll, poll_share), (adaptive, adaptive_share) = (measure_tap(wire, mode) for mode in MODES)
    assert adaptive <= poll + 10 * PROMISED_US
    assert adaptive_share < 0.8


def test_flows_expire_while_nothing_arrives(wire):
    with Dataplane(PORTS, namespace=wire.lb, options=["--idle=adaptive"]) as dataplane:
        serve_udp(dataplane, "timeouts: {opening: 100ms, udp: 100ms}\n")
        wire.run_script("first_packet.py", 1, 0)
        begin = time.monotonic()
        eventually(lambda: dataplane.stats().event("flows_expired") == 1, "the sweep")
        print(f"swept {time.monotonic() - begin:.1f} s after the last packet")
