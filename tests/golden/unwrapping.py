"""What left the balancer, taken apart by scapy: for whom, in what, and the packet as it was put in.

For the cases in which the outer header's fields of the flow (a GUE source port, a flow label) are not the
subject; ipip() of packets.py predicts a frame to the byte.
"""
import dataclasses

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Ether

from configs import backend, config, service

GUE_PORT = 6080
ETHERNET = 14
IPV4_IN, IPV6_IN = 4, 41

WEB6 = "2001:db8:100::1"
CLIENT6 = "2001:db8:c::11"
SOURCES = '{ipv4: 10.0.0.2, ipv6: "2001:db8::2"}'
BACKENDS = {4: ["10.0.1.11", "10.0.1.12", "10.0.1.13"],
            6: ["2001:db8:1::a00:10b", "2001:db8:1::a00:10c", "2001:db8:1::a00:10d"]}
MODES = ["ipip", "gue", "gre", "l2"]


@dataclasses.dataclass(frozen=True)
class Sent:
    backend: str  # the outer destination; of l2 the MAC address
    packet: bytes


def quoted(address):
    return f'"{address}"' if ":" in address else address


def of_mode(mode, service_family=4, backend_family=4, protocol="tcp", port=80, more_of_backends=None, **more):
    """One service of three backends."""
    backends = [backend(f"b{i}", quoted(address), **(more_of_backends or {}))
                for i, address in enumerate(BACKENDS[backend_family])]
    address = "198.51.100.1" if service_family == 4 else quoted(WEB6)
    return config({"web": backends}, [service(address, protocol, port, forward=mode, **more)])


def ends_of(mode, backend_family):
    """By whom Sent names the backends, in their order."""
    if mode != "l2":
        return BACKENDS[backend_family]
    return [f"02:00:0a:00:01:{last:02x}" for last in (0x0b, 0x0c, 0x0d)]


def unwrap(frame, mode):
    if mode == "l2":
        return Sent(Ether(frame).dst, frame[ETHERNET:])
    ether = Ether(frame)
    outer = ether.payload
    assert isinstance(outer, (IP, IPv6))
    inner_type = 0
    at = ETHERNET + (20 if isinstance(outer, IP) else 40)
    protocol = outer.proto if isinstance(outer, IP) else outer.nh
    if isinstance(outer, IP):
        assert (outer.ihl, outer.len, outer.src) == (5, len(frame) - ETHERNET, "10.0.0.2")
        again = outer.copy()
        del again.chksum
        assert IP(bytes(again)).chksum == outer.chksum
    else:
        assert (outer.plen, outer.src) == (len(frame) - at, "2001:db8::2")
    if mode == "gue":
        udp = outer[UDP]
        assert protocol == 17 and udp.dport == GUE_PORT and udp.len == len(frame) - at and udp.chksum == 0
        assert frame[at + 8] == 0 and frame[at + 10:at + 12] == b"\0\0"
        inner_type = frame[at + 9]
        at += 12
    elif mode == "gre":
        assert protocol == 47 and frame[at:at + 2] == b"\0\0"
        inner_type = {0x0800: IPV4_IN, 0x86DD: IPV6_IN}[outer[GRE].proto]
        at += 4
    else:
        inner_type = protocol
    assert inner_type == (IPV4_IN if frame[at] >> 4 == 4 else IPV6_IN)
    return Sent(outer.dst, frame[at:])
