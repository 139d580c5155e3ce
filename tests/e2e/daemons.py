"""Both daemons in the lab's balancer, with configuration files made for it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import yaml

from support import BALANCER, BALANCER6, CommandFailed, DNS, WEB, program, wait_until


def service_document(lab, weights=None, **pool):
    """A maglb.yaml for the lab as a dict: web by ipip, web by l2, and UDP by l2."""
    health = {"type": "http", "port": 80, "path": "/healthz"}
    health |= {"interval": "1s", "timeout": "1s", "rise": 2, "fall": 3}
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


def pools_of_both_families(lab, **health):
    """Pools of all servers by their addresses of either family: web and web6. Not probed unless asked."""
    return {
        pool: {
            "health": health or {"type": "none"},
            "backends": [{"name": server, "address": lab.address_of(server, family)} for server in lab.servers],
        }
        for pool, family in (("web", 4), ("web6", 6))
    }


def machine_document(workers):
    """A dataplane.yaml for the lab: no hugepages, one AF_XDP port, `workers` workers; core 0 last."""
    return {
        "cores": {"main": 0, "workers": [(k + 1) % os.cpu_count() for k in range(workers)]},
        "memory": {"hugepages": False},
        "flow_table": {"entries": 1 << 18},
        "tunnel_source": {"ipv4": BALANCER, "ipv6": BALANCER6},
        "ports": [{"name": "uplink", "device": "net_af_xdp0,iface=lb0", "mtu": 1500}],
    }


class Daemons:
    """Both daemons in the lab's balancer, with files of their own in a directory of their own."""

    def __init__(self, lab, document=None, workers=1, machine=None):
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
        self.machine.write_text(yaml.safe_dump(machine_document(workers) | (machine or {})))

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

    def attach_decap(self):
        for server in self.lab.servers:
            self.lab.run(
                server, program("maglb-decap"), "attach", "--interface", "eth0",
                "--from", "10.0.0.0/24", "--from", "2001:db8::/64",
            )  # fmt: skip

    def start(self):
        self.attach_decap()
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
        """Both daemons agree and `up` of the backends of pool web (all unless given), if there is one, are up."""
        web = self.document["pools"].get("web")

        def ready():
            self.check_running()
            status = self.ctl_json("status")
            if not (status["ready"] and status["dataplane"]["connected"]):
                return False
            wanted = up if up is not None else len(web["backends"]) if web else 0
            return web is None or self.ctl_json("pool", "show", "web")["backends_up"] == wanted

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
            raise CommandFailed(f"maglbctl {' '.join(arguments)}: exit {done.returncode}: {done.stdout}{done.stderr}")
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
