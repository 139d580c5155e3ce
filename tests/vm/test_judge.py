"""The judge itself: packets made here by the RFCs are understood, broken ones are complained about.

Without maglb: frames go straight from the balancer's namespace to the guest. A tunnel's end in the guest
is so known to work before maglb's packets are held against it, and its silence to mean something.
"""

import struct

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Raw

from forwards import FORWARDS, Forward
from network import BALANCER, CLIENT, GUEST, GUEST_MAC, SERVICE
from support import wait_until

PROTOCOL = {4: 4, 6: 41}
SEND = """
import socket, sys
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
    wire.bind(("lb0", 0))
    wire.send(bytes.fromhex(sys.stdin.read()))
"""


def packet(family, source, destination, protocol=17):
    if family == 4:
        return IP(src=source, dst=destination, proto=protocol)
    return IPv6(src=source, dst=destination, nh=protocol)


def query(family):
    return packet(family, CLIENT[family], SERVICE[family]) / UDP(sport=4321, dport=53) / Raw(b"question")


def between(forward):
    """What lies between the outer and the inner header, and the outer header's protocol."""
    inner = PROTOCOL[forward.inner]
    if forward.mode == "gre":
        key = {"key_present": 1, "key": forward.more["gre_key"]} if forward.more else {}
        return 47, GRE(proto={4: 0x0800, 6: 0x86DD}[forward.inner], **key)
    if forward.mode == "gue":  # draft-ietf-intarea-gue: version 0, no flags, the inner protocol
        return 17, UDP(sport=50000, dport=forward.port) / Raw(struct.pack("!BBH", 0, inner, 0))
    return inner, None


def tunnelled(forward, inner, **outer):
    protocol, middle = between(forward)
    head = packet(forward.outer, BALANCER[forward.outer], GUEST[forward.outer], protocol)
    for name, value in outer.items():
        setattr(head, name, value)
    return head / middle / inner if middle is not None else head / inner


def send(network, frame):
    network.run("lb", "/usr/bin/python3", "-c", SEND, input=bytes(frame).hex())


def asked(backend, family):
    return backend.counters()["UdpInDatagrams" if family == 4 else "Udp6InDatagrams"]


@pytest.fixture
def tunnel(request, backend):
    forward = getattr(request, "param", Forward("ipip"))
    backend.open_tunnel(forward)
    yield forward
    backend.close_tunnel(forward)


@pytest.mark.parametrize("tunnel", FORWARDS, ids=lambda forward: forward.name, indirect=True)
def test_understands(tunnel, network, backend):
    before, complaints = asked(backend, tunnel.inner), backend.complaints()
    # GUE's own datagram is counted, too.
    expected = before + (2 if tunnel.mode == "gue" and tunnel.inner == tunnel.outer else 1)
    send(network, Ether(dst=GUEST_MAC) / tunnelled(tunnel, query(tunnel.inner)))
    wait_until("the datagram arrives", lambda: asked(backend, tunnel.inner) == expected, 5)
    assert backend.received() == (1, 0)
    assert backend.complaints() == complaints


def broken_udp():
    inner = query(4)
    inner[UDP].chksum = 0x1234
    return inner


def broken_ip():
    inner = query(4)
    inner.chksum = 0x1234
    return inner


@pytest.mark.parametrize(
    "name, make",
    [
        ("UdpInCsumErrors", lambda forward: tunnelled(forward, broken_udp())),
        ("IpInHdrErrors", lambda forward: tunnelled(forward, broken_ip())),
        ("IpInHdrErrors", lambda forward: tunnelled(forward, query(4), chksum=0x1234)),
        ("IpExtInTruncatedPkts", lambda forward: tunnelled(forward, query(4), len=1000)),
    ],
    ids=["inner-udp-checksum", "inner-ip-checksum", "outer-ip-checksum", "outer-length"],
)
def test_complains(name, make, tunnel, network, backend):
    before = backend.complaints().get(name, 0)
    send(network, Ether(dst=GUEST_MAC) / make(tunnel))
    wait_until(f"{name} grows", lambda: backend.complaints().get(name, 0) > before, 5)


def test_wrong_key_does_not_arrive(network, backend):
    with_key = next(one for one in FORWARDS if "gre_key" in one.more)
    other = Forward("gre", extra=8, more={"gre_key": with_key.more["gre_key"] + 1}, options="")
    backend.open_tunnel(with_key)
    try:
        before = asked(backend, 4)
        send(network, Ether(dst=GUEST_MAC) / tunnelled(other, query(4)))
        send(network, Ether(dst=GUEST_MAC) / tunnelled(with_key, query(4)))
        wait_until("the second arrives", lambda: asked(backend, 4) > before, 5)
        assert backend.received()[0] == 1
    finally:
        backend.close_tunnel(with_key)
