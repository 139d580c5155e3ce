"""Clients that make load and tell what became of it: connload and wrk."""

import contextlib
import json
import re
import signal
import subprocess
import tempfile

from support import WEB, figure, program, wait_until


class Load:
    """A running connload; result() ends it and returns what it saw."""

    def __init__(self, lab, client, mode, address=WEB, port=80, **options):
        self.log = tempfile.TemporaryFile(mode="w+")
        arguments = [item for key, value in options.items() for item in (f"--{key.replace('_', '-')}", str(value))]
        self.process = lab.start_process(
            client, program("connload"), mode, address, str(port), *arguments,
            stdout=subprocess.PIPE, stderr=self.log, text=True,
        )  # fmt: skip

    def wait_ready(self, seconds=60):
        """Every held connection has had its first answer."""

        def ready():
            self.log.seek(0)
            return "ready" in self.log.read()

        wait_until("the connections are open", ready, seconds)
        return self

    def result(self, timeout=120, stop=True):
        if stop and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=timeout)
        return json.loads(out)

    def cancel(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


@contextlib.contextmanager
def load(lab, client, mode, **options):
    """Load around a block. The result is in .seen afterwards."""
    one = Load(lab, client, mode, **options)
    try:
        if mode == "hold":
            one.wait_ready()
        yield one
        one.seen = one.result()
    finally:
        one.cancel()


def open_many(lab, connections, clients=None, timeout=300, **options):
    """Opens connections from several clients at once; returns the sum of what they saw."""
    clients = clients or lab.clients
    loads = [Load(lab, client, "open", connections=connections // len(clients), **options) for client in clients]
    total = {"ok": 0, "failed": 0, "servers": {}, "failures": []}
    for one in loads:
        seen = one.result(timeout, stop=False)
        total["ok"] += seen["ok"]
        total["failed"] += seen["failed"]
        total["failures"] += seen["failures"]
        for server, count in seen["servers"].items():
            total["servers"][server] = total["servers"].get(server, 0) + count
    return total


def wrk(lab, client, seconds, connections, address=WEB):
    """Runs wrk and returns its figures: requests, errors by kind, answers that were not 2xx or 3xx."""
    done = lab.run(
        client, "sh", "-c",
        f"ulimit -n 65536; exec wrk -t2 -c{connections} -d{seconds}s --timeout {figure(10, 30)}s http://{address}/",
        timeout=seconds + 120,
    )  # fmt: skip
    figures = {"requests": 0, "connect": 0, "read": 0, "write": 0, "timeout": 0, "bad": 0}
    if found := re.search(r"(\d+) requests in", done.stdout):
        figures["requests"] = int(found.group(1))
    for kind, count in re.findall(r"(connect|read|write|timeout) (\d+)", done.stdout):
        figures[kind] = int(count)
    if found := re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout):
        figures["bad"] = int(found.group(1))
    return figures
