"""Runs maglbctl against a server on a Unix socket that the test plays."""
import os
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest

from fake_daemon import FakeDaemon

# A busy machine may take long; what is tested never needs it.
PATIENCE_SECONDS = 60


class Tool:
    def __init__(self, path, socket_path):
        self.path = path
        self.socket_path = socket_path

    def __call__(self, *arguments, stdin="", env=None, **options):
        environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        environment["MAGLB_SOCKET"] = self.socket_path
        environment.update(env or {})
        return subprocess.run([self.path, *arguments], input=stdin, env=environment, text=True, timeout=PATIENCE_SECONDS,
                              capture_output=True, check=False, **options)


@pytest.fixture
def folder():
    """Short, since the path of a Unix socket is at most 107 bytes."""
    path = tempfile.mkdtemp(prefix=f"maglbctl-{os.getpid()}-")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def tool(folder):
    path = os.environ.get("MAGLBCTL")
    if not path:
        pytest.skip("MAGLBCTL does not name the program to test")
    return Tool(path, os.path.join(folder, "api.sock"))


@pytest.fixture
def daemon(tool):
    """Answers as docs/api.md says, from fake_daemon.ANSWERS."""
    with FakeDaemon(tool.socket_path) as running:
        yield running


@pytest.fixture
def raw_daemon(tool):
    """start(behave): behave(connection) is called for each connection, once a request has arrived."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(tool.socket_path)
    listener.listen()
    over = threading.Event()
    threads = []

    def serve(behave):
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    behave(connection, over)
                except OSError:
                    pass  # the client has had enough: what the test is about

    def start(behave):
        threads.append(threading.Thread(target=serve, args=(behave,), daemon=True))
        threads[-1].start()

    yield start
    over.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
