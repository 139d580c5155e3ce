"""A stock kernel takes maglb's packets out of their tunnel: every way of forwarding, every kind of packet.

The judge is the guest: its tunnel device must count the packets, its counters must show no complaint,
and what its sockets got must be what the client has sent, byte for byte.
"""

import pytest

from forwards import FORWARDS
from network import MTU
from scene import running_scene
from services import digest, pattern
from support import wait_until


def named(forward):
    return forward.name


@pytest.fixture(scope="module", params=FORWARDS, ids=named)
def running(request, network, backend):
    """The daemons and the guest's tunnel, for all tests of one way of forwarding."""
    with running_scene(request.param, network, backend) as scene:
        yield scene


@pytest.fixture
def scene(running, request):
    request.node.maglb_balancer = running.balancer
    with running.judged():
        yield running


def test_download(scene):
    """Small packets in the tunnel, big ones directly back; the server sees the client's address."""
    before = scene.out_of_tunnel()
    assert scene.client("get", "/") == f"guest {scene.client_address}"
    assert scene.client("get", "/big/1000000") == digest(pattern(1000000))
    assert scene.out_of_tunnel() - before >= 10


def test_upload_learns_the_path_mtu(scene):
    """A client with an MTU of 1500 is told what fits, and its whole body arrives."""
    before = scene.out_of_tunnel()
    assert scene.client("post", "1000000") == digest(pattern(1000000))
    assert scene.network.path_mtu(scene.service) == scene.fits
    assert scene.out_of_tunnel() - before >= 1000000 // scene.fits


def test_largest_datagram_that_fits(scene):
    size = scene.datagram(scene.fits)
    before = scene.out_of_tunnel()
    assert scene.client("udp", size, "df", 10) == digest(pattern(size))
    assert scene.out_of_tunnel() - before == 1
    assert scene.network.path_mtu(scene.service) is None


def test_datagram_one_byte_too_big(scene):
    """It may not be fragmented, so it does not arrive, and the client's kernel believes the answer."""
    before = scene.out_of_tunnel()
    assert scene.client("udp", scene.datagram(scene.fits + 1), "df", 1) == "none"
    assert scene.network.path_mtu(scene.service) == scene.fits
    assert scene.out_of_tunnel() == before


def test_odd_sizes(scene):
    """Datagrams of 0 to 9 bytes: padding is not taken for payload."""
    for size in range(10):
        assert scene.client("udp", size, "df", 10) == digest(pattern(size))


def test_full_datagram_without_df(scene):
    """The outer packet is fragmented; the guest's kernel puts it together before it opens the tunnel."""
    if scene.forward.inner == 6:
        pytest.skip("an IPv6 packet is never fragmented on its way")
    size = scene.datagram(MTU)
    name = "IpReasmOKs" if scene.forward.outer == 4 else "Ip6ReasmOKs"
    before = scene.backend.counters()[name]
    assert scene.client("udp", size, "whole", 10) == digest(pattern(size))
    assert scene.backend.counters()[name] == before + 1


def test_datagram_in_fragments(scene):
    """Fragments of the client's all reach the same server, whose kernel puts them together."""
    name = "IpReasmOKs" if scene.forward.inner == 4 else "Ip6ReasmOKs"
    before = scene.backend.counters()[name]
    with scene.network.smaller_route(scene.service, 1400):
        assert scene.client("udp", 4000, "fragments", 10) == digest(pattern(4000))
    assert scene.backend.counters()[name] == before + 1


def test_path_mtu_towards_the_client(scene):
    """A router behind the server says "too big" to the service's address: the server must hear it."""
    scene.backend.forget_path_mtus()
    with scene.network.narrow_client(1400):
        assert scene.client("get", "/big/300000") == digest(pattern(300000))
        wait_until("the guest knows the path MTU", lambda: scene.backend.path_mtu(scene.client_address) == 1400, 5)
    scene.backend.forget_path_mtus()
