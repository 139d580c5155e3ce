"""What the end-to-end tests stand on: the lab, the daemons in it, and clients that make load.

Everything a run makes carries its prefix (the process number), so that runs go side by side. Nothing
here waits a fixed time for something to happen: it polls until a deadline.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MAGLB_BUILD", ROOT / "build")).resolve()
# The full figures of a release; without it durations are short and times get tenfold slack, since a
# test machine may be busy with other things.
FULL = os.environ.get("MAGLB_FULL") == "1"
SLACK = 1 if FULL else 10

WEB = "198.51.100.1"
DNS = "198.51.100.2"


def figure(full, short):
    return full if FULL else short


def program(name):
    """A built program, wherever in the build directory its folder is."""
    folders = {
        "maglb-dataplane": "dataplane",
        "maglb-controlplane": "controlplane",
        "maglbctl": "tools/maglbctl",
        "maglb-decap": "tools/maglb-decap",
        "connload": "tests/support",
    }
    path = BUILD / folders[name] / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not built")
    return str(path)


def wait_until(what, check, seconds=30.0, every=0.05):
    """Polls check() until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            result = check()
            if result:
                return result
            last = None
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s" + (f" ({last})" if last else ""))
        time.sleep(every)


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
            raise AssertionError(f"{name}: {' '.join(command)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def start_process(self, name, *command, **more):
        return subprocess.Popen(self.command(name, *command), **more)

    def curl(self, client, url, *more, timeout=20, check=True):
        done = self.run(client, "curl", "-s", "-S", "-m", str(timeout), *more, url, timeout=timeout + 10, check=check)
        return done.stdout.strip()

    def address_of(self, server):
        return f"10.0.1.{10 + int(server[1:])}"

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


def service_document(lab, weights=None, **pool):
    """A maglb.yaml for the lab as a dict: web by ipip, web by l2, and UDP by l2."""
    health = {"type": "http", "port": 80, "path": "/healthz", "interval": "1s", "timeout": "1s", "rise": 2, "fall": 3}
    backends = [
        {"name": server, "address": lab.address_of(server), "weight": (weights or {}).get(server, 100)}
        for server in lab.servers
    ]
    return {
        "version": 1,
        "seed": 7,
        "pools": {
            "web": {"scheduler": "maglev", "health": health, "backends": backends} | pool,
            "dns": {"health": {"type": "none"}, "backends": [dict(backend) for backend in backends]},
        },
        "services": [
            {"name": "web", "address": WEB, "protocol": "tcp", "port": 80, "pool": "web", "forward": "ipip"},
            {"name": "web-l2", "address": DNS, "protocol": "tcp", "port": 80, "pool": "web", "forward": "l2"},
            {"name": "dns", "address": DNS, "protocol": "udp", "port": 53, "pool": "dns", "forward": "l2"},
        ],
    }


def machine_document(workers):
    """A dataplane.yaml for the lab: no hugepages, one AF_XDP port, `workers` workers; core 0 last."""
    return {
        "cores": {"main": 0, "workers": [(k + 1) % os.cpu_count() for k in range(workers)]},
        "memory": {"hugepages": False},
        "flow_table": {"entries": 1 << 18},
        "tunnel_source": {"ipv4": "10.0.0.2"},
        "ports": [{"name": "uplink", "device": "net_af_xdp0,iface=lb0", "mtu": 1500}],
    }


class Daemons:
    """Both daemons in the lab's balancer, with files of their own in a directory of their own."""

    def __init__(self, lab, document=None, workers=1):
        self.lab = lab
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=f"{lab.prefix}-"))
        self.dataplane_socket = self.directory / "dataplane.sock"
        self.api_socket = self.directory / "api.sock"
        self.config = self.directory / "maglb.yaml"
        self.machine = self.directory / "dataplane.yaml"
        self.state = self.directory / "state"
        self.processes = {}
        self.document = document or service_document(lab)
        self.write(self.document)
        self.machine.write_text(yaml.safe_dump(machine_document(workers)))

    def write(self, document):
        """Replaces maglb.yaml. Nobody reads it until asked to."""
        self.document = document
        text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
        self.config.write_text(text)

    def _start(self, name, *arguments):
        log = open(self.directory / f"{name}.log", "ab")
        with log:
            self.processes[name] = self.lab.start_process(
                "lb", program(name), *arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start_dataplane(self):
        self._start("maglb-dataplane", "--config", str(self.machine), "--socket", str(self.dataplane_socket))

    def start_controlplane(self):
        self.state.mkdir(exist_ok=True)
        self._start(
            "maglb-controlplane", "--config", str(self.config), "--dataplane-socket", str(self.dataplane_socket),
            "--api-socket", str(self.api_socket), "--state-dir", str(self.state),
        )  # fmt: skip

    def start(self):
        for server in self.lab.servers:
            self.lab.run(server, program("maglb-decap"), "attach", "--interface", "eth0", "--from", "10.0.0.0/24")
        self.start_dataplane()
        self.start_controlplane()
        self.wait_ready()
        return self

    def running(self, name):
        return name in self.processes and self.processes[name].poll() is None

    def check_running(self):
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise AssertionError(f"{name} ended with {process.returncode}: {self.log(name)[-2000:]}")

    def wait_ready(self, up=None):
        """Both daemons agree and `up` of the backends of pool web (all unless given) are up."""
        up = len(self.document["pools"]["web"]["backends"]) if up is None else up

        def ready():
            self.check_running()
            status = self.ctl_json("status")
            pool = self.ctl_json("pool", "show", "web")
            return status["ready"] and status["dataplane"]["connected"] and pool["backends_up"] == up

        wait_until("the daemons are ready", ready, 60)

    def kill9(self, name):
        self.processes[name].kill()
        self.processes.pop(name).wait(30)

    def stop(self):
        """Asks both to end. Returns their exit codes; -9 for one that had to be killed."""
        codes = {}
        for name in ("maglb-controlplane", "maglb-dataplane"):
            process = self.processes.pop(name, None)
            if process is None:
                continue
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                codes[name] = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
                codes[name] = -9
        for server in self.lab.servers:
            self.lab.run(server, program("maglb-decap"), "detach", "--interface", "eth0", check=False)
        return codes

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self, name):
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def reload(self):
        self.processes["maglb-controlplane"].send_signal(signal.SIGHUP)

    def ctl(self, *arguments, check=True, timeout=30, **more):
        done = subprocess.run(
            [program("maglbctl"), "--socket", str(self.api_socket), *arguments],
            capture_output=True, text=True, timeout=timeout, **more,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"maglbctl {' '.join(arguments)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def ctl_json(self, *arguments):
        return json.loads(self.ctl("-o", "json", *arguments).stdout)

    def backend(self, name, pool="web"):
        return self.ctl_json("backend", "show", pool, name)

    def wait_published(self, seconds=30):
        """The workers read what the control plane has last said."""
        wait_until("the dataplane runs the last state", lambda: self.ctl_json("status")["ready"], seconds)

    def change(self, *arguments):
        """A change by maglbctl that the workers have seen."""
        self.ctl(*arguments)
        self.wait_published()

    def wait_effective(self, name, effective, seconds=30, pool="web"):
        wait_until(f"{name} is {effective}", lambda: self.backend(name, pool)["effective"] == effective, seconds)
        self.wait_published()

    def totals(self):
        return self.ctl_json("stats")["totals"]

    def check_equation(self):
        """received + originated = sent + kernel + dropped + held, exact once the workers are at rest."""

        def holds():
            totals = self.totals()
            accepted = totals["received"] + totals["originated"]
            spent = totals["sent"] + totals["kernel"] + sum(totals["dropped"].values()) + totals["held"]
            self.equation = f"received + originated = {accepted}, where they went = {spent}: {totals}"
            return accepted == spent

        try:
            wait_until("the counter equation holds", holds, 10)
        except AssertionError as error:
            raise AssertionError(f"{error}: {getattr(self, 'equation', '')}") from None


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
