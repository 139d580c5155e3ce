"""What leaves by a tunnel of any kind, and what its flow chose of it."""
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from configs import dataplane
from packets import BALANCER_MAC, CLIENT_MAC, GATEWAY_MAC, TUNNEL_SOURCE, checksums_hold
from packets6 import TUNNEL_SOURCE6

GUE_PORT = 6080
SOURCES = f"{{ipv4: {TUNNEL_SOURCE}, ipv6: '{TUNNEL_SOURCE6}'}}"
BOTH_SOURCES = dataplane(tunnel_source=SOURCES)


def tagged(packet, *ids, dst=BALANCER_MAC, src=CLIENT_MAC):
    """One tag is 802.1Q, the outer one of two is 802.1ad."""
    tags = [Dot1AD(vlan=vlan) for vlan in ids[:-1]] + [Dot1Q(vlan=ids[-1])]
    frame = Ether(dst=dst, src=src)
    for tag in tags:
        frame = frame / tag
    return frame / packet


def outer_header(inner, backend, protocol, ident=0, source=None):
    """Of a tunnel to `backend` for the bytes of a packet: RFC 2003, RFC 2473, and RFC 6040 for the ECN bits."""
    is_v6 = inner[0] >> 4 == 6
    tos = int.from_bytes(inner[:2], "big") >> 4 & 0xFF if is_v6 else inner[1]
    if ":" in backend:
        return IPv6(src=source or TUNNEL_SOURCE6, dst=backend, nh=protocol, hlim=64, tc=tos)
    dont_fragment = is_v6 or bool(inner[6] & 0x40)
    return IP(src=source or TUNNEL_SOURCE, dst=backend, proto=protocol, ttl=64, tos=tos,
              flags="DF" if dont_fragment else 0, id=0 if dont_fragment else ident)


def tunnelled(packet, backend, mode="ipip", ident=0, source=None, gre_key=None, gue_port=GUE_PORT, tags=(),
              next_hop=GATEWAY_MAC):
    """What leaves for `backend` but for what its flow chooses: the flow label and GUE's source port are 0, and
    with them GUE's checksum. To be compared with without_flow_fields()."""
    inner = bytes(packet)
    is_v6 = inner[0] >> 4 == 6
    if mode == "ipip":
        protocol, shim = 41 if is_v6 else 4, None
    elif mode == "gre":
        protocol = 47
        shim = GRE(proto=0x86DD if is_v6 else 0x0800, key_present=int(gre_key is not None), key=gre_key)
    else:
        # GUE variant 0: version, C and length 0; the protocol; no flags.
        protocol, shim = 17, UDP(sport=0, dport=gue_port, chksum=0) / Raw(bytes([0, 41 if is_v6 else 4, 0, 0]))
    outer = outer_header(inner, backend, protocol, ident, source)
    packet = outer / Raw(inner) if shim is None else outer / shim / Raw(inner)
    if tags:
        return bytes(tagged(packet, *tags, dst=next_hop, src=BALANCER_MAC))
    return bytes(Ether(src=BALANCER_MAC, dst=next_hop) / packet)


def outer_of(frame):
    """The outer header that left, scapy's."""
    packet = Ether(frame)
    while not isinstance(packet, (IP, IPv6)):
        packet = packet.payload
    return packet


def without_flow_fields(frame):
    """A tunnel's frame with what its flow chose as 0; what has to hold of it is asserted."""
    outer = outer_of(frame)
    at = len(frame) - len(bytes(outer))
    raw = bytearray(frame)
    header = 40 if outer.version == 6 else 20
    if outer.version == 6:
        assert outer.fl != 0
        raw[at + 1] &= 0xF0
        raw[at + 2:at + 4] = b"\0\0"
    if raw[at + (6 if outer.version == 6 else 9)] == 17:
        assert 49152 <= int.from_bytes(raw[at + header:at + header + 2], "big") <= 65535
        raw[at + header:at + header + 2] = b"\0\0"
        if raw[at + header + 6:at + header + 8] != b"\0\0":
            assert checksums_hold(frame)
            raw[at + header + 6:at + header + 8] = b"\0\0"
    return bytes(raw)
