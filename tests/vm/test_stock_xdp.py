"""maglb-dataplane on AF_XDP under a stock kernel: another verifier, another driver than the lab's veth."""

import pytest

from guest_balancer import GuestBalancer, check_forwarding, running_in_guest
from network import GATEWAY, MTU

SOURCE = "10.0.0.4"


@pytest.fixture
def namespace(guest):
    """The guest's second card in a network namespace of its own."""
    guest.shell(f"""
        ip netns add balancer
        ip link set eth1 netns balancer
        ip -n balancer link set lo up
        ip -n balancer link set eth1 mtu {MTU} up
        ip -n balancer address add {SOURCE}/16 dev eth1
        ip -n balancer route add default via {GATEWAY[4]}
    """)
    yield ["ip", "netns", "exec", "balancer"]
    guest.shell("ip -n balancer link set eth1 netns 1; ip netns del balancer")


@pytest.mark.parametrize("workers", [[1], [1, 0]], ids=["one-queue", "two-queues"])
def test_forwards_on_af_xdp(workers, namespace, guest, backend, network, request):
    guest.run(*namespace, "ethtool", "-L", "eth1", "combined", str(len(workers)))
    port = {"device": "net_af_xdp0,iface=eth1"}
    balancer = GuestBalancer(guest, workers, SOURCE, port, hugepages=False, inside=namespace)
    with running_in_guest(balancer, SOURCE, network, backend, request):
        check_forwarding(balancer, network, backend)
