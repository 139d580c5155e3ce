"""Whatever is written to the sockets, both daemons go on."""

import os
import random
import socket
import stat
import struct

from load import load, open_many
from support import wait_until


def throw(path, payload, wait=0.05):
    """Writes payload to a socket and reads what comes back, if anything."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(wait)
        try:
            one.connect(str(path))
            one.sendall(payload)
            return one.recv(65536)
        except OSError:
            return b""


def frames(rng):
    """Frames of every wrong kind: lengths of nothing, of too much, of more than comes; bodies of noise."""
    yield b""
    yield struct.pack(">I", 0)
    yield struct.pack(">I", 0xFFFFFFFF) + b"x" * 100
    yield struct.pack(">I", 67_108_865) + b"x"
    yield struct.pack(">I", 67_108_864) + b"x"
    for _ in range(150):
        body = rng.randbytes(rng.randrange(0, 400))
        yield struct.pack(">I", len(body)) + body
    for _ in range(50):
        yield rng.randbytes(rng.randrange(1, 4000))


def requests(rng):
    yield b"\r\n\r\n"
    yield b"GET /v1/status"
    yield b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n"
    yield b"GET /v1/status HTTP/9.9\r\n\r\n"
    yield b"PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    yield b"PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"
    yield b"PUT /v1/config HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n"
    yield b"POST /v1/pools/web/backends HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n[[[["
    deep = b"[" * 200_000
    yield b"POST /v1/pools/web/backends HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(deep) + deep
    yield b"PATCH /v1/pools/web/backends/s1 HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"weight\": 1e9}"
    for _ in range(100):
        body = rng.randbytes(rng.randrange(0, 300))
        yield b"PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    for _ in range(100):
        yield rng.randbytes(rng.randrange(1, 4000))


def test_garbage_on_the_sockets_leaves_both_daemons_running(lab, daemons):
    seed = int(os.environ.get("MAGLB_SEED", "1"))
    print("seed", seed)
    rng = random.Random(seed)
    generation = daemons.ctl_json("status")["generation"]
    with load(lab, "c1", "hold", connections=50, interval_ms=100, timeout_ms=15000) as held:
        for payload in frames(rng):
            throw(daemons.dataplane_socket, payload)
        for payload in requests(rng):
            throw(daemons.api_socket, payload)
        daemons.check_running()
        daemons.wait_ready()
    status = daemons.ctl_json("status")
    assert status["generation"] == generation
    assert held.seen["failed"] == 0 and held.seen["moved"] == 0
    assert open_many(lab, 100)["failed"] == 0


def test_open_connections_that_say_nothing_keep_no_one_out(lab, daemons):
    idle = []
    try:
        for path in (daemons.dataplane_socket, daemons.api_socket):
            for _ in range(100):
                one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                idle.append(one)
                one.settimeout(1)
                try:
                    one.connect(str(path))
                except OSError:
                    break  # a bound of the daemon's; it must still answer others
        wait_until("the API answers", lambda: daemons.ctl("status", check=False, timeout=5).returncode == 0, 30)
    finally:
        for one in idle:
            one.close()
    daemons.check_running()
    daemons.wait_ready()


def test_sockets_are_closed_to_others(lab, daemons):
    assert stat.S_IMODE(os.stat(daemons.dataplane_socket).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(daemons.api_socket).st_mode) == 0o660


# A raw sender: noise with the headers of a service in front. Runs inside a client.
NOISE = """
import random, socket, struct, sys
rng = random.Random(int(sys.argv[2]))
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
    for n in range(3000):
        body = rng.randbytes(rng.randrange(0, 200))
        header = struct.pack(">BBHHHBBH4s4s", 0x45, rng.randrange(256), 20 + len(body), rng.randrange(65536),
                             rng.choice([0, 0x4000, 0x2000, 0x1fff, 0x00b9]), rng.choice([1, 2, 64]),
                             rng.choice([1, 4, 6, 17, 47, 255]), 0, socket.inet_aton("192.0.2.11"),
                             socket.inet_aton(sys.argv[1]))
        raw.sendto(header + body, (sys.argv[1], 0))
"""


def test_noise_on_the_wire_harms_no_connection(lab, daemons):
    with load(lab, "c2", "hold", connections=50, interval_ms=100, timeout_ms=15000) as held:
        for address in ("198.51.100.1", "198.51.100.2"):
            lab.run("c1", "/usr/bin/python3", "-c", NOISE, address, "1", timeout=120)
        daemons.check_running()
    assert held.seen["failed"] == 0 and held.seen["moved"] == 0
    assert open_many(lab, 100, clients=["c3"])["failed"] == 0
