"""A client, the balancer's daemons and the guest behind them: what every test of forwarding plays in."""

import contextlib

import yaml

from daemons import Daemons, machine_document
from network import BALANCER, CLIENT, GUEST, MTU, SERVICE

IP_HEADER = {4: 20, 6: 40}
UDP_HEADER = 8


class Scene:
    """A client, the daemons and the guest behind one way of forwarding."""

    def __init__(self, forward, network, backend, balancer):
        self.forward, self.network, self.backend, self.balancer = forward, network, backend, balancer
        self.service = SERVICE[forward.inner]
        self.client_address = CLIENT[forward.inner]

    @property
    def fits(self):
        """The largest IP packet of the service's that needs no fragments in the tunnel."""
        return MTU - self.forward.overhead

    def datagram(self, packet_size):
        return packet_size - IP_HEADER[self.forward.inner] - UDP_HEADER

    def client(self, *arguments):
        what, *more = arguments
        return self.network.client(what, self.service, *more)

    def out_of_tunnel(self):
        return self.backend.received()[0]

    @contextlib.contextmanager
    def judged(self):
        """Nothing known of path MTUs before, no complaint of the kernel's and no packet uncounted after."""
        self.network.forget_path_mtus()
        before = self.backend.complaints()
        yield
        self.balancer.check_running()
        self.balancer.check_equation()
        assert self.backend.complaints() == before, "the guest's kernel complains"


def service_document(forward, address=None, health=None):
    """A maglb.yaml with the guest as the only backend of a TCP and a UDP service."""
    probe = {"type": "http", "port": 80, "path": "/healthz"}
    probe |= {"interval": "2s", "timeout": "2s", "rise": 1, "fall": 10}
    backend = {"name": "guest", "address": address or GUEST[forward.outer]}
    common = {"address": SERVICE[forward.inner], "pool": "web", "forward": forward.mode} | forward.more
    return {
        "version": 1,
        "seed": 7,
        "pools": {"web": {"health": health or probe, "backends": [backend]}},
        "services": [
            {"name": "web", "protocol": "tcp", "port": 80} | common,
            {"name": "dns", "protocol": "udp", "port": 53} | common,
        ],
    }


class Balancer(Daemons):
    """Both daemons in the lab's balancer, on its one port; `port` is what dataplane.yaml says more of it."""

    def __init__(self, network, document, **port):
        super().__init__(network, document)
        machine = machine_document(1) | {"tunnel_source": {"ipv4": BALANCER[4], "ipv6": BALANCER[6]}}
        machine["ports"][0] |= port
        self.machine.write_text(yaml.safe_dump(machine))


@contextlib.contextmanager
def running_scene(forward, network, backend, address=None, health=None, **port):
    """The guest's tunnel and the daemons; they have to end well."""
    backend.open_tunnel(forward, address)
    balancer = Balancer(network, service_document(forward, address, health), **port)
    try:
        balancer.start()
        yield Scene(forward, network, backend, balancer)
        codes = balancer.stop()
        assert all(code == 0 for code in codes.values()), f"the daemons did not end well: {codes}"
    finally:
        balancer.stop()
        balancer.remove()
        backend.close_tunnel(forward)
