"""The lab of the end-to-end tests with the guest as its server, and IPv6 beside IPv4.

    c1 ---- br1 [ fabric ] br0 ---- guest0, guest1: taps, the guest's eth0 and eth1
  192.0.2.11   router       |          10.0.1.50      -
  2001:db8:2::11            |          2001:db8:1::50
                            lb
                         10.0.0.2, 2001:db8:1::2

The fabric routes 198.51.100.0/24 and 2001:db8:51::/64 to the balancer. Every MTU is 1500.
"""

import contextlib
import pathlib
import subprocess

from lab import Lab

HERE = pathlib.Path(__file__).resolve().parent
MTU = 1500
CLIENT = {4: "192.0.2.11", 6: "2001:db8:2::11"}
BALANCER = {4: "10.0.0.2", 6: "2001:db8:1::2"}
GUEST = {4: "10.0.1.50", 6: "2001:db8:1::50"}
GATEWAY = {4: "10.0.0.1", 6: "2001:db8:1::1"}
SERVICE = {4: "198.51.100.1", 6: "2001:db8:51::1"}
GUEST_MAC = "02:00:00:00:50:00"
CARD_MAC = "02:00:00:00:50:01"  # of the card that the guest gives to vfio


class Network(Lab):
    def __init__(self, prefix):
        super().__init__(prefix, servers=1, clients=1)
        self.servers = []  # that maglb-decap must be attached to: the guest needs none
        try:
            self._be_a_plain_wire()
            self._add_ipv6()
            for tap, kind in (("guest0", ""), ("guest1", "multi_queue")):
                self.ip("fabric", f"tuntap add dev {tap} mode tap {kind}")
                self.ip("fabric", f"link set {tap} master br0 mtu {MTU} up")
        except BaseException:
            self.down()
            raise

    @property
    def fabric(self):
        return f"{self.prefix}-fabric"

    def ip(self, name, *commands):
        for command in commands:
            self.run(name, "ip", *command.split())

    def _be_a_plain_wire(self):
        """A bridge that looks into packets would drop the broken ones before the judge sees them."""
        script = "for f in /proc/sys/net/bridge/bridge-nf-call-*; do [ ! -e $f ] || echo 0 >$f; done"
        self.run("fabric", "sh", "-c", script)
        # A VLAN tag is in the frame when the XDP program looks for it.
        self.run("fabric", "ethtool", "-K", "lbp", "txvlan", "off")

    def _add_ipv6(self):
        for name in ("fabric", "lb", "c1"):
            self.run(name, "sh", "-c", "echo 0 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6 >/dev/null")
        self.run("fabric", "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        self.ip("fabric", "address add 2001:db8:1::1/64 dev br0 nodad", "address add 2001:db8:2::1/64 dev br1 nodad")
        self.ip("lb", f"address add {BALANCER[6]}/64 dev lb0 nodad", "route replace default via 2001:db8:1::1")
        self.ip("c1", f"address add {CLIENT[6]}/64 dev eth0 nodad", "route replace default via 2001:db8:2::1")
        self.ip("fabric", f"route add 2001:db8:51::/64 via {BALANCER[6]}")

    def set_wire_mtu(self, mtu):
        """Of every device between the balancer and the guest's first card."""
        self.ip("lb", f"link set lb0 mtu {mtu}")
        for device in ("lbp", "guest0", "br0"):
            self.ip("fabric", f"link set {device} mtu {mtu}")

    def forget_path_mtus(self, name="c1"):
        self.ip(name, "route flush cache", "-6 route flush cache")

    def client(self, *arguments, timeout=60):
        """What client.py prints in the client's namespace."""
        try:
            done = self.run("c1", "/usr/bin/python3", "-B", f"{HERE}/client.py", *map(str, arguments), timeout=timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"client {arguments}: no answer within {timeout} s") from None
        return done.stdout.strip()

    def path_mtu(self, destination, name="c1"):
        """What the client's kernel has learned about the way to `destination`; None if nothing."""
        words = self.run(name, "ip", "route", "get", destination).stdout.split()
        return int(words[words.index("mtu") + 1]) if "mtu" in words else None

    @contextlib.contextmanager
    def smaller_route(self, destination, mtu):
        """The client fragments what it sends to `destination` into packets of `mtu` bytes."""
        inner = 6 if ":" in destination else 4
        via = "2001:db8:2::1" if inner == 6 else "192.0.2.1"
        self.ip("c1", f"route add {destination} via {via} mtu lock {mtu}")
        try:
            yield
        finally:
            self.ip("c1", f"route del {destination}")

    @contextlib.contextmanager
    def narrow_client(self, mtu):
        """The fabric's link to the clients takes packets of `mtu` bytes; the client does not know."""
        self.ip("fabric", f"link set br1 mtu {mtu}")
        try:
            yield
        finally:
            self.ip("fabric", f"link set br1 mtu {MTU}")
