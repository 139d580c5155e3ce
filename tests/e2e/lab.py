"""scripts/lab for tests: everything carries the run's prefix, so that runs go side by side."""

import contextlib
import os
import pathlib
import subprocess

from support import ROOT, CommandFailed


class Lab:
    """scripts/lab with a prefix of its own."""

    def __init__(self, prefix, servers=4, clients=4, queues=2):
        self.prefix = prefix
        self.servers = [f"s{k}" for k in range(1, servers + 1)]
        self.clients = [f"c{k}" for k in range(1, clients + 1)]
        self.environment = dict(os.environ, MAGLB_LAB=prefix)
        self._lab("up", "--servers", str(servers), "--clients", str(clients), "--queues", str(queues))

    def _lab(self, *arguments):
        done = subprocess.run(
            [str(ROOT / "scripts/lab"), *arguments], env=self.environment, capture_output=True, text=True, timeout=120
        )
        if done.returncode != 0:
            raise AssertionError(f"lab {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def down(self):
        self._lab("down")

    def kill(self, server):
        self._lab("kill-server", server)

    def start(self, server):
        self._lab("start-server", server)

    def stop(self, server):
        self._lab("stop-server", server)

    def cont(self, server):
        self._lab("cont-server", server)

    def mend_all(self):
        for server in self.servers:
            self._lab("cont-server", server)
            self._lab("start-server", server)
        self.spread_queues()

    def command(self, name, *command):
        return ["ip", "netns", "exec", f"{self.prefix}-{name}", *command]

    def run(self, name, *command, timeout=60, check=True, **more):
        done = subprocess.run(self.command(name, *command), capture_output=True, text=True, timeout=timeout, **more)
        if check and done.returncode != 0:
            raise CommandFailed(f"{name}: {' '.join(command)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def start_process(self, name, *command, **more):
        return subprocess.Popen(self.command(name, *command), **more)

    def curl(self, client, url, *more, timeout=20, check=True):
        done = self.run(client, "curl", "-s", "-S", "-m", str(timeout), *more, url, timeout=timeout + 10, check=check)
        return done.stdout.strip()

    def address_of(self, name, family=4):
        """Of a server or a client."""
        number = 10 + int(name[1:])
        if name in self.clients:
            return f"192.0.2.{number}" if family == 4 else f"2001:db8:c::{number}"
        return f"10.0.1.{number}" if family == 4 else f"2001:db8:0:1::{number}"

    @contextlib.contextmanager
    def served(self, *addresses):
        """More service addresses, on the servers' lo, for a block. A prefix is all of its addresses."""
        def change(what):
            for server in self.servers:
                lines = "".join(f"route {what} local {one} dev lo\n" for one in addresses)
                self.run(server, "ip", "-batch", "-", input=lines)

        change("add")
        try:
            yield
        finally:
            change("delete")

    def forget_routes(self, *names):
        """What their kernels have learnt of MTUs."""
        for name in names:
            self.run(name, "ip", "route", "flush", "cache")
            self.run(name, "ip", "-6", "route", "flush", "cache")

    def requests(self, server, since=0.0):
        """The server's access log: one dict a request."""
        path = pathlib.Path("/run/maglb-lab", self.prefix, server, "access.log")
        names = ("time", "connection", "client", "client_port", "address", "status", "bytes", "path")
        rows = [dict(zip(names, line.split())) for line in path.read_text().splitlines()] if path.exists() else []
        return [row for row in rows if len(row) == len(names) and float(row["time"]) >= since]

    def aim_queues(self, queue):
        """Sends everything that enters the balancer to one receive queue, from the next packet on."""
        self._set_queues({queue})

    def spread_queues(self):
        """Undoes aim_queues: the flow's hash picks the queue."""
        self._set_queues(set())

    def _set_queues(self, chosen):
        everyone = f"{(1 << os.cpu_count()) - 1:x}"
        script = "; ".join(
            f"echo {everyone if queue in chosen else 0} >/sys/class/net/lbp/queues/tx-{queue}/xps_cpus"
            for queue in range(2)
        )
        self.run("fabric", "sh", "-c", script)
