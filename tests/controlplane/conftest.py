"""The real daemon in a directory of its own, servers to be probed in a network namespace that the test
process makes for itself, and a peer that speaks the dataplane's end of the protocol. Everything is
polled with deadlines; nothing depends on speed."""

import ctypes
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

DEADLINE = 30.0


def wait_for(condition, what, deadline=DEADLINE):
    """The first true value of condition(), or a failure that says what did not happen."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline} s: {what}")
        time.sleep(0.02)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=20):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Server:
    """An HTTP server on an address of its own, healthy or not, or not there."""

    def __init__(self, address, port=0):
        self.address, self.port = address, port
        self.status = 200
        self.httpd = None
        self.requests = 0

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests += 1
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        http.server.ThreadingHTTPServer.allow_reuse_address = True
        self.httpd = http.server.ThreadingHTTPServer((self.address, self.port), Handler)
        self.port = self.httpd.server_address[1]
        threading.Thread(target=self.httpd.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        if self.httpd:
            self.httpd.shutdown()
            self.httpd.server_close()
            self.httpd = None


class Peer:
    def __init__(self, directory):
        self.directory = directory
        self.socket = os.path.join(directory, "dataplane.sock")
        self.log = os.path.join(directory, "applied.jsonl")
        self.process = None
        self.boots = 0

    def start(self, *options):
        self.boots += 1
        self.process = subprocess.Popen([os.environ["MAGLB_DATAPLANE_PEER"], "--socket", self.socket, "--log",
                                         self.log, "--boot-id", str(self.boots), *options])
        wait_for(lambda: os.path.exists(self.socket), "the peer listens")
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.process.send_signal(number)
            self.process.wait(20)
            self.process = None

    def changes(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def state(self):
        applied = [change for change in self.changes() if change["result"] == "applied"]
        return applied[-1]["state"] if applied else None

    def backend(self, pool, name):
        state = self.state()
        return state and state["pools"].get(pool, {}).get("backends", {}).get(name)


class Daemon:
    def __init__(self, directory):
        self.directory = directory
        self.config = os.path.join(directory, "maglb.yaml")
        self.socket = os.path.join(directory, "api.sock")
        self.state_dir = os.path.join(directory, "state")
        self.dataplane = os.path.join(directory, "dataplane.sock")
        self.log = os.path.join(directory, "log")
        self.process = None

    def write(self, text):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def arguments(self):
        return [os.environ["MAGLB_CONTROLPLANE"], "--config", self.config, "--api-socket", self.socket,
                "--state-dir", self.state_dir, "--dataplane-socket", self.dataplane, "--log-level", "debug"]

    def start(self, **environment):
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(self.arguments(), stderr=log, env={**os.environ, **environment})
        wait_for(lambda: self.process.poll() is not None or self.answers(), "the API answers")
        assert self.process.poll() is None, open(self.log, encoding="utf-8").read()
        return self

    def answers(self):
        try:
            return self.get("/livez", raw=True) == b"ok\n"
        except OSError:
            return False

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.process.send_signal(number)
            code = self.process.wait(20)
            self.process = None
            return code
        return None

    def request(self, method, path, body=None):
        """(status, headers, bytes)"""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, body=body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def get(self, path, raw=False, status=200):
        code, _, body = self.request("GET", path)
        assert code == status, (code, body)
        return body if raw else json.loads(body)

    def call(self, method, path, body=None, status=200):
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        code, _, answer = self.request(method, path, body)
        assert code == status, (code, answer)
        return json.loads(answer)

    def backend(self, pool, name):
        return self.get(f"/v1/pools/{pool}/backends/{name}")


@pytest.fixture
def directory():
    path = tempfile.mkdtemp(prefix=f"maglb-cp-{os.getpid()}-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def peer(directory):
    one = Peer(directory)
    yield one
    one.stop()


@pytest.fixture
def daemon(directory):
    one = Daemon(directory)
    yield one
    one.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def namespace():
    """This process, and the daemons it starts, in a network namespace with addresses of servers."""
    clone_newnet = 0x40000000
    if ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) != 0:
        pytest.skip("no right to make a network namespace: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for i in (1, 2, 3):
        subprocess.run(["ip", "address", "add", f"10.99.0.{i}/32", "dev", "lo"], check=True)


@pytest.fixture
def servers(namespace):
    """Three servers with one port."""
    first = Server("10.99.0.1").start()
    all_of_them = [first] + [Server(f"10.99.0.{i}", first.port).start() for i in (2, 3)]
    yield all_of_them
    for server in all_of_them:
        server.stop()


PLAIN = """\
version: 1
seed: 7
pools:
  web:
    table_size: 251
    health: {type: none}
    backends:
      - {name: web1, address: 10.0.1.11}
      - {name: web2, address: 10.0.1.12}
  dns:
    table_size: 251
    health: {type: none}
    backends: [{name: ns1, address: 10.0.1.21}]
services:
  - {name: web, address: 198.51.100.1, protocol: tcp, port: 80, pool: web, forward: ipip}
  - {name: dns, address: 198.51.100.2, protocol: udp, port: 53, pool: dns, forward: l2}
"""


def probed(servers, fall=2, interval="100ms"):
    """A document whose pool is probed at the servers."""
    backends = "\n".join(f"      - {{name: web{i + 1}, address: {server.address}}}"
                         for i, server in enumerate(servers))
    return f"""\
version: 1
pools:
  web:
    table_size: 251
    health: {{type: http, port: {servers[0].port}, path: /, status: 200, interval: {interval}, timeout: 90ms,
             rise: 1, fall: {fall}}}
    backends:
{backends}
services:
  - {{name: web, address: 198.51.100.1, protocol: tcp, port: 80, pool: web}}
"""
