"""The words of packets.py for IPv6."""
import ipaddress

from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, in6_chksum
from scapy.layers.ipsec import AH
from scapy.packet import Raw

from packets import payload

CLIENT6 = "2001:db8:c::11"
WEB6 = "2001:db8:1::1"
DNS6 = "2001:db8:1::2"
TUNNEL_SOURCE6 = "fd00::2"

HEADER_NUMBERS = {TCP: 6, UDP: 17, IPv6ExtHdrDestOpt: 60}


def behind(ip, headers, last):
    """`last` behind an IPv6 header and its extension headers."""
    if any(isinstance(header, AH) for header in headers):
        # scapy leaves both to whom the key is known.
        last.chksum = in6_chksum(6 if TCP in last else 17, ip, bytes(last))
    for header, following in zip(headers, [*headers[1:], last]):
        ip = ip / (AH(**{**header.fields, "nh": HEADER_NUMBERS[type(following)]}) if isinstance(header, AH) else header)
    return ip / last


def tcp6(flags="S", sport=40000, dport=80, src=CLIENT6, dst=WEB6, size=0, headers=(), tcp_options=(), **ip):
    segment = TCP(sport=sport, dport=dport, flags=flags, seq=1000, options=list(tcp_options)) / Raw(payload(size))
    return behind(IPv6(src=src, dst=dst, **ip), headers, segment)


def udp6(sport=40000, dport=53, src=CLIENT6, dst=DNS6, size=20, headers=(), **ip):
    return behind(IPv6(src=src, dst=dst, **ip), headers, UDP(sport=sport, dport=dport) / Raw(payload(size)))


def l2_mac6(address):
    return "02:00:" + ipaddress.ip_address(address).packed[-4:].hex(":")
