"""Whatever comes to the API's socket: the daemon goes on and answers the next one."""

import random
import re
import signal
import socket
import time

import pytest

from conftest import PLAIN, wait_for


@pytest.fixture
def api(daemon):
    daemon.write(PLAIN)
    return daemon.start()


def raw(daemon):
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.settimeout(30)
    while True:
        try:
            one.connect(daemon.socket)
            return one
        except BlockingIOError:  # the kernel's queue of connections is full
            time.sleep(0.01)


def everything(connection):
    """What the daemon says until it closes."""
    said = b""
    try:
        while piece := connection.recv(65536):
            said += piece
    except ConnectionError:
        pass
    return said


def test_survives_garbage(api):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chosen = random.Random(seed)
    starts = [b"", b"GET ", b"GET / HTTP/1.1\r\n", b"PUT /v1/config HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n",
              b"POST /v1/config HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
              b"GET /%00%ff/../../etc HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00",
              b"GET /v1/status HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"]
    for i in range(200):
        with raw(api) as connection:
            try:
                connection.sendall(starts[i % len(starts)] + chosen.randbytes(chosen.randrange(0, 3000)))
            except ConnectionError:
                pass
    assert api.answers() and api.get("/v1/services/web")["port"] == 80


def test_answers_what_is_no_http_and_closes(api):
    with raw(api) as connection:
        connection.sendall(b"hello\r\n\r\n")
        said = everything(connection)
    assert said.startswith(b"HTTP/1.1 400 ")


def test_refuses_a_head_or_a_body_that_is_too_big(api):
    with raw(api) as connection:
        try:
            connection.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"a" * 40000 + b"\r\n\r\n")
        except ConnectionError:
            pass
        assert everything(connection).startswith(b"HTTP/1.1 431 ")
    with raw(api) as connection:
        connection.sendall(b"PUT /v1/config HTTP/1.1\r\nHost: x\r\nContent-Length: 16777217\r\n\r\n")
        assert everything(connection).startswith(b"HTTP/1.1 413 ")
    assert api.answers()


def test_a_body_of_its_bound_is_read_and_refused_for_what_it_is(api):
    status, _, _ = api.request("PUT", "/v1/config", b"#" * (16 << 20))
    assert status == 400


def test_answers_pipelined_requests_in_order(api):
    with raw(api) as connection:
        connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                           b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = everything(connection)
    codes = re.findall(rb"HTTP/1\.1 (\d+) ", said)
    assert codes == [b"200", b"404", b"200"] and said.endswith(b"ok\n")


def test_slow_and_silent_peers_keep_no_place_from_others(api):
    crowd = [raw(api) for _ in range(200)]
    try:
        for connection in crowd:
            try:
                connection.send(b"GET /li")
            except ConnectionError:
                pass
        for _ in range(20):
            assert api.answers()
    finally:
        for connection in crowd:
            connection.close()


def test_a_head_that_never_ends_is_cut_off(api):
    with raw(api) as connection:
        begin = time.monotonic()
        closed = False
        connection.settimeout(1)
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        while not closed and time.monotonic() - begin < 60:
            try:
                connection.send(b"X: y\r\n")
                closed = connection.recv(1) == b""
            except TimeoutError:
                pass
            except ConnectionError:
                closed = True
    assert closed and api.answers()


def test_a_peer_that_does_not_read_its_answers_does_no_harm(api):
    with raw(api) as connection:
        connection.settimeout(2)
        try:
            for _ in range(2000):
                connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        except (TimeoutError, ConnectionError):
            pass
        for _ in range(20):
            assert api.answers()


def test_a_dataplane_that_sends_garbage_is_left_and_tried_again(daemon):
    import os
    daemon.write(PLAIN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(daemon.dataplane)
        listener.listen()
        listener.settimeout(30)
        daemon.start()
        for garbage in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x04abcd", b"GET / HTTP/1.1\r\n\r\n", b""):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(garbage)
                wait_for(daemon.answers, "the API answers")
                time.sleep(0.05)
        assert daemon.get("/v1/status")["dataplane"]["connected"] is False
    os.unlink(daemon.dataplane)
    assert daemon.stop(signal.SIGTERM) == 0
