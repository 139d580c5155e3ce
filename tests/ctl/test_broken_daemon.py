"""Whoever listens on the socket, the tool ends in bounded time with a message and an exit code."""
import time

import pytest

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def answer(body):
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def failed(done, code):
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("maglbctl: ")
    return done.stderr


def test_a_daemon_that_does_not_answer_is_given_up(tool, raw_daemon):
    raw_daemon(lambda connection, over: over.wait())
    message = failed(tool("--timeout", "0.3", "status"), 4)
    assert "did not answer within 300ms" in message


def test_a_daemon_that_never_finishes_is_given_up(tool, raw_daemon):
    def trickle(connection, over):
        connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
        while not over.wait(0.01):
            connection.sendall(b" ")
    raw_daemon(trickle)
    failed(tool("--timeout", "0.5", "status"), 4)


def test_a_change_without_an_answer_may_have_been_made(tool, raw_daemon):
    raw_daemon(lambda connection, over: over.wait())
    message = failed(tool("--timeout", "0.3", "backend", "remove", "web/web1"), 4)
    assert "may have been made" in message


def test_a_daemon_that_hangs_up_is_unreachable(tool, raw_daemon):
    raw_daemon(lambda connection, over: None)
    assert "closed the connection" in failed(tool("status"), 4)


@pytest.mark.parametrize("garbage", [
    b"\x00\xff\xfe" * 100,
    b"220 mail.example.org ESMTP\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    answer(b""), answer(b"not JSON"), answer(b"{\"version\": "), answer(b"[]"), answer(b"null"), answer(b"7"),
    answer(b"{}"), answer(b"{\"ready\": \"\xff\xfe\"}"), answer(b"{\"version\": 1e999}"),
    answer(b"[" * 1_000_000), answer(b"{\"ready\":" + b"[" * 50_000 + b"]" * 50_000 + b"}"),
], ids=range(16))
def test_garbage_is_a_failure(tool, raw_daemon, garbage):
    raw_daemon(lambda connection, over: connection.sendall(garbage))
    failed(tool("--timeout", "20", "status"), 1)


def test_a_garbage_error_keeps_its_status(tool, raw_daemon):
    raw_daemon(lambda connection, over: connection.sendall(b"HTTP/1.1 404 Oh\r\nContent-Length: 3\r\n\r\n<p>"))
    assert "HTTP status 404" in failed(tool("pool", "show", "web"), 5)


def test_a_redirection_is_not_followed(tool, raw_daemon):
    raw_daemon(lambda connection, over: connection.sendall(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"))
    assert "HTTP status 302" in failed(tool("status"), 1)


def endless(head, chunk):
    def behave(connection, over):
        connection.sendall(head)
        while not over.is_set():
            connection.sendall(chunk)
    return behave


def test_an_endless_answer_is_cut_off(tool, raw_daemon):
    raw_daemon(endless(HEAD + b"\r\n", b" " * 1_000_000))
    assert "larger than" in failed(tool("--timeout", "50", "status"), 1)


def test_endless_headers_are_cut_off(tool, raw_daemon):
    raw_daemon(endless(HEAD, b"X-Padding: " + b"x" * 1000 + b"\r\n"))
    assert "larger than" in failed(tool("--timeout", "50", "status"), 1)


def test_a_large_answer_is_shown(tool, raw_daemon):
    backend = b'{"pool": "web", "name": "b%d", "address": "10.0.0.1", "weight": 1}'
    body = b'{"backends": [' + b",".join(backend % number for number in range(16384)) + b"]}"
    raw_daemon(lambda connection, over: connection.sendall(answer(body)))
    done = tool("backend", "list")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 16385


def test_an_answer_in_small_pieces_is_put_together(tool, raw_daemon):
    def pieces(connection, over):
        for byte in answer(b'{"ready": true}'):
            connection.sendall(bytes([byte]))
            time.sleep(0)
    raw_daemon(pieces)
    assert tool("status").returncode == 0
