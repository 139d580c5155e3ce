"""The words that cases are written in: packets as clients send them, and as backends get them.

Everything is built by scapy, checksums and lengths included.
"""
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

CLIENT = "192.0.2.11"
WEB = "198.51.100.1"
DNS = "198.51.100.2"
TUNNEL_SOURCE = "10.0.0.2"

CLIENT_MAC = "02:00:00:00:c1:01"
BALANCER_MAC = "02:00:00:00:1b:01"
GATEWAY_MAC = "02:00:00:00:00:01"

IPIP_OVERHEAD = 20


def ether(packet, dst=BALANCER_MAC, src=CLIENT_MAC):
    return Ether(dst=dst, src=src) / packet


def payload(size):
    return bytes(i * 7 % 251 for i in range(size))


def tcp(flags="S", sport=40000, dport=80, src=CLIENT, dst=WEB, size=0, df=True, options=(), tcp_options=(), **ip):
    return (IP(src=src, dst=dst, flags="DF" if df else 0, options=list(options), **ip) /
            TCP(sport=sport, dport=dport, flags=flags, seq=1000, options=list(tcp_options)) / Raw(payload(size)))


def udp(sport=40000, dport=53, src=CLIENT, dst=DNS, size=20, df=False, **ip):
    return IP(src=src, dst=dst, flags="DF" if df else 0, **ip) / UDP(sport=sport, dport=dport) / Raw(payload(size))


def sized_tcp(total, **how):
    """A packet of `total` bytes of IP."""
    return tcp(size=total - len(tcp(**how)), **how)


def ipip(packet, backend, ident=0, source=TUNNEL_SOURCE, next_hop=GATEWAY_MAC):
    """What leaves for `backend` (RFC 2003). `ident` is of the outer header when DF is clear."""
    inner = bytes(packet)
    dont_fragment = bool(inner[6] & 0x40)
    outer = IP(src=source, dst=backend, proto=4, ttl=64, tos=inner[1], flags="DF" if dont_fragment else 0,
               id=0 if dont_fragment else ident)
    return bytes(Ether(src=BALANCER_MAC, dst=next_hop, type=0x0800) / outer / Raw(inner))


def l2(packet, next_hop):
    raw = bytes(packet)
    return bytes(Ether(src=BALANCER_MAC, dst=next_hop, type=0x86DD if raw[0] >> 4 == 6 else 0x0800) / Raw(raw))


def l2_mac(address):
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def fragmentation_needed(packet, mtu):
    """ICMP 3/4 to the sender, quoting as much as keeps it within 576 bytes (RFC 1812 4.3.2.3).

    Never fragmented, so it needs no identification (RFC 6864, 4.1).
    """
    quote = bytes(packet)[:576 - 28]
    ip = IP(src=packet[IP].dst, dst=packet[IP].src, ttl=64, id=0, tos=0, flags="DF")
    return bytes(Ether(src=BALANCER_MAC, dst=CLIENT_MAC) / ip / ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(quote))


def checksums_hold(frame):
    """Whether scapy, asked to compute every checksum again, arrives at the same frame."""
    packet = Ether(frame)
    for layer in (IP, TCP, UDP, ICMP):
        index = 1
        while (found := packet.getlayer(layer, index)) is not None:
            del found.chksum
            index += 1
    return bytes(packet) == frame
