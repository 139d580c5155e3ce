"""maglb inside the guest: its second card is the dataplane's, the guest's kernel on the first one the backend.

    c1 ---- [ fabric ] ---- guest1: the dataplane ---- [ fabric ] ---- guest0: the guest's kernel
"""

import contextlib
import json

import yaml

from forwards import Forward
from network import CLIENT, MTU, SERVICE
from scene import service_document
from services import digest, pattern
from support import program, wait_until

FORWARD = Forward("ipip")
DATAPLANE = "/run/maglb/dataplane.sock"
API = "/run/maglb/api.sock"


class GuestBalancer:
    """Both daemons in the guest. Their commands begin with `inside`: of a namespace of its own, or nothing."""

    def __init__(self, guest, workers, source, port, hugepages, inside=()):
        self.guest = guest
        self.inside = list(inside)
        self.pids = []
        machine = {
            "cores": {"main": 0, "workers": workers},
            "memory": {"hugepages": hugepages},
            "flow_table": {"entries": 1 << 18},
            "tunnel_source": {"ipv4": source},
            "ports": [{"name": "uplink", "mtu": MTU} | port],
        }
        self.guest.shell("rm -rf /run/maglb; mkdir -p /run/maglb/state")
        self.write("/run/maglb/dataplane.yaml", machine)
        self.write("/run/maglb/maglb.yaml", service_document(FORWARD))

    def write(self, path, document):
        self.guest.run("sh", "-c", 'printf %s "$1" >"$2"', "sh", yaml.safe_dump(document), path)

    def start(self):
        self._start("maglb-dataplane", "--config", "/run/maglb/dataplane.yaml", "--idle=adaptive", "--socket", DATAPLANE)
        self._start(
            "maglb-controlplane", "--config", "/run/maglb/maglb.yaml", "--state-dir", "/run/maglb/state",
            "--dataplane-socket", DATAPLANE, "--api-socket", API,
        )  # fmt: skip
        wait_until("the daemons in the guest are ready", self.ready, 60, every=0.5)

    def _start(self, name, *arguments):
        self.pids.append(self.guest.start(*self.inside, program(name), *arguments, log="/run/maglb/log"))

    def ready(self):
        code, output = self.ask("status")
        if code != 0:
            return False
        status = json.loads(output)
        return status["ready"] and status["dataplane"]["connected"]

    def ask(self, *words):
        ctl = [program("maglbctl"), "--socket", API, "-o", "json", *words]
        return self.guest.run(*ctl, check=False)

    def stats(self):
        code, output = self.ask("stats", "--workers")
        assert code == 0, output
        return json.loads(output)

    def check_equation(self, totals):
        accepted = totals["received"] + totals["originated"]
        spent = totals["sent"] + totals["kernel"] + sum(totals["dropped"].values()) + totals["held"]
        assert accepted == spent, totals

    def log(self):
        return self.guest.run("cat", "/run/maglb/log", check=False)[1][-4000:]

    def stop(self):
        codes = [self.guest.end(pid) for pid in reversed(self.pids)]
        self.pids = []
        return codes


@contextlib.contextmanager
def running_in_guest(balancer, source, network, backend, request):
    """The daemons, the guest's tunnel and the way to them; they have to end well."""
    backend.open_tunnel(FORWARD)
    network.ip("fabric", f"route replace 198.51.100.0/24 via {source}")
    try:
        balancer.start()
        yield balancer
        codes = balancer.stop()
        assert codes == [0, 0], f"the daemons did not end well: {codes}"
    except BaseException:
        request.node.add_report_section("call", "maglb", balancer.log())
        raise
    finally:
        balancer.stop()
        network.ip("fabric", "route replace 198.51.100.0/24 via 10.0.0.2")
        backend.close_tunnel(FORWARD)


def check_forwarding(balancer, network, backend):
    """100 flows of a packet each, then TCP both ways; every worker has a share."""
    network.forget_path_mtus()
    complaints, before = backend.complaints(), backend.received()[0]
    assert network.client("many", SERVICE[4], 100) == "100"
    assert backend.received()[0] - before == 100
    assert network.client("get", SERVICE[4], "/") == f"guest {CLIENT[4]}"
    assert network.client("get", SERVICE[4], "/big/200000") == digest(pattern(200000))
    assert network.client("post", SERVICE[4], 200000) == digest(pattern(200000))
    assert network.path_mtu(SERVICE[4]) == MTU - FORWARD.overhead
    stats = balancer.stats()
    balancer.check_equation(stats["totals"])
    assert stats["totals"]["sent"] >= 200
    assert all(worker["received"] > 0 for worker in stats["workers"]), stats["workers"]
    assert backend.complaints() == complaints
