"""VLANs, by a kernel that has them: tagged links to a backend, and to a client.

    eth0.100             10.100.0.50      id 100
    eth0.200.100         10.101.0.50      id [200, 100]
    eth0.300             10.200.0.10      id 300, in a namespace of the guest's: a client

The guest answers clients by its untagged card; its own client by a cable between the two namespaces. The
balancer's kernel knows no VLAN and no way to these backends: the port's VLAN has a `next_hop_mac`, and
nothing probes them.
"""

import json

import pytest
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from forwards import Forward
from network import GUEST_MAC, HERE, MTU, SERVICE
from scene import running_scene
from services import digest, pattern
from support import wait_until
from test_judge import asked, query, send, tunnelled

FORWARD = Forward("ipip")


class Link:
    def __init__(self, ids, address):
        self.ids, self.address = ids, address
        self.devices = ["eth0." + ".".join(map(str, ids[: k + 1])) for k in range(len(ids))]

    @property
    def device(self):
        return self.devices[-1]

    def frame(self):
        """The outer one of two tags is a service tag (802.1ad)."""
        outer = Ether(dst=GUEST_MAC) / Dot1AD(vlan=self.ids[0]) if len(self.ids) == 2 else Ether(dst=GUEST_MAC)
        return outer / Dot1Q(vlan=self.ids[-1])

    def script(self):
        lines, below = [], "eth0"
        for device, number in zip(self.devices, self.ids):
            kind = "802.1ad" if len(self.ids) == 2 and below == "eth0" else "802.1Q"
            lines += [f"ip link add link {below} name {device} type vlan proto {kind} id {number}"]
            lines += [f"ethtool -K {device} gro off", f"ip link set {device} up"]
            lines += [f"echo 0 >/proc/sys/net/ipv4/conf/{device}/rp_filter"]
            below = device
        return "\n".join([*lines, f"ip address add {self.address}/24 dev {self.device}"])


LINKS = [Link([100], "10.100.0.50"), Link([200, 100], "10.101.0.50")]


@pytest.fixture(params=LINKS, ids=lambda link: link.device)
def link(request, guest, backend, network):
    guest.shell(request.param.script())
    network.ip("lb", f"route add unreachable {request.param.address}/32")
    # Linux lets a frame be one tag longer than the MTU says, and this wire is Linux'.
    network.set_wire_mtu(MTU + 4 * (len(request.param.ids) - 1))
    yield request.param
    network.set_wire_mtu(MTU)
    network.ip("lb", f"route del unreachable {request.param.address}/32")
    guest.shell(f"ip link del {request.param.devices[0]}")


def test_judge_wants_the_tags(link, network, backend):
    """Without maglb: the right tags lead to the tunnel, others and none do not."""
    backend.open_tunnel(FORWARD, link.address)
    try:
        before = asked(backend, 4)
        packet = tunnelled(FORWARD, query(4), dst=link.address)
        send(network, Ether(dst=GUEST_MAC) / Dot1Q(vlan=99) / packet)
        send(network, link.frame() / packet)
        wait_until("the datagram arrives", lambda: asked(backend, 4) > before, 5)
        assert (asked(backend, 4), backend.received(link.device)[0]) == (before + 1, 1)
    finally:
        backend.close_tunnel(FORWARD)


def test_backend_behind_a_vlan(link, network, backend, request):
    tags = link.ids[0] if len(link.ids) == 1 else link.ids
    vlans = [{"name": "servers", "id": tags, "next_hop_mac": GUEST_MAC}]
    with running_scene(FORWARD, network, backend, link.address, {"type": "none"}, vlans=vlans) as scene:
        request.node.maglb_balancer = scene.balancer
        with scene.judged():
            assert scene.client("get", "/big/100000") == digest(pattern(100000))
            assert scene.client("post", 200000) == digest(pattern(200000))
            # Tags are no part of what the MTU counts.
            assert network.path_mtu(SERVICE[4]) == scene.fits
            size = scene.datagram(scene.fits)
            assert scene.client("udp", size, "df", 10) == digest(pattern(size))
            assert backend.received(link.device)[0] == scene.out_of_tunnel()


class TaggedClient:
    """A client in a namespace of the guest's, behind VLAN 300."""

    ADDRESS = "10.200.0.10"
    IDS = 300

    def __init__(self, guest, balancer_mac):
        self.guest = guest
        self.inside = ["ip", "netns", "exec", "tagged"]
        guest.shell(f"""
            ip netns add tagged
            ip link add link eth0 name eth0.300 netns tagged type vlan id {self.IDS}
            ip link add back0 type veth peer name eth1 address 02:00:00:00:30:01 netns tagged
            ip -n tagged address add {self.ADDRESS}/24 dev eth0.300
            ip -n tagged link set eth0.300 up
            ip -n tagged link set eth1 up
            ip -n tagged neigh add 10.200.0.1 lladdr {balancer_mac} dev eth0.300 nud permanent
            ip -n tagged route add default via 10.200.0.1
            for name in all default eth0.300 eth1; do
                ip netns exec tagged sh -c "echo 0 >/proc/sys/net/ipv4/conf/$name/rp_filter"
            done
            ip link set back0 up
            echo 0 >/proc/sys/net/ipv4/conf/back0/rp_filter
            ip route add {self.ADDRESS}/32 dev back0
            ip neigh add {self.ADDRESS} lladdr 02:00:00:00:30:01 dev back0 nud permanent
        """)

    def client(self, what, *arguments):
        command = [*self.inside, "/usr/bin/python3", "-B", f"{HERE}/client.py", what, SERVICE[4]]
        return self.guest.run(*command, *map(str, arguments)).strip()

    def path_mtu(self):
        words = self.guest.run(*self.inside, "ip", "route", "get", SERVICE[4]).split()
        return int(words[words.index("mtu") + 1]) if "mtu" in words else None

    def remove(self):
        self.guest.shell("ip route del 10.200.0.10/32; ip link del back0; ip netns del tagged")


@pytest.fixture
def tagged_client(guest, backend, network):
    link = json.loads(network.run("lb", "ip", "-j", "link", "show", "lb0").stdout)[0]
    one = TaggedClient(guest, link["address"])
    yield one
    one.remove()


def test_client_behind_a_vlan(tagged_client, network, backend, request):
    """Tagged packets are taken, forwarded without their tag, and too big ones answered with it."""
    vlans = [{"name": "clients", "id": TaggedClient.IDS, "next_hop_mac": GUEST_MAC}]
    with running_scene(FORWARD, network, backend, vlans=vlans) as scene:
        request.node.maglb_balancer = scene.balancer
        with scene.judged():
            assert tagged_client.client("get", "/") == f"guest {TaggedClient.ADDRESS}"
            assert tagged_client.client("post", 100000) == digest(pattern(100000))
            assert tagged_client.path_mtu() == scene.fits
