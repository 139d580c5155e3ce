"""Fragments for a service's address are dropped by name; others are none of ours."""
from scapy.layers.inet import ICMP, IP, fragment
from scapy.packet import Raw

from case import Case, check, each
from configs import WEB1
from packets import ether, ipip, payload, tcp, udp

PIECES = fragment(IP(bytes(udp(size=3000))), fragsize=1480)
TCP_PIECES = fragment(IP(bytes(tcp(size=2000, df=False))), fragsize=1000)
ELSEWHERE = fragment(IP(bytes(udp(size=3000, dst="198.51.100.77"))), fragsize=1480)
PING_PIECES = fragment(IP(src="192.0.2.1", dst="198.51.100.1") / ICMP() / payload(3000), fragsize=1480)
WHOLE = tcp()

CASES = [
    Case("of a datagram", [ether(p) for p in PIECES], [], {"fragment": len(PIECES)}),
    Case("of a segment", [ether(p) for p in TCP_PIECES], [], {"fragment": len(TCP_PIECES)}),
    Case("the first alone", [ether(PIECES[0])], [], {"fragment": 1}),
    Case("the last alone", [ether(PIECES[-1])], [], {"fragment": 1}),
    Case("too short for ports", [ether(IP(src="192.0.2.1", dst="198.51.100.1", proto=6, frag=2) / Raw(b"x"))], [],
         {"fragment": 1}),
    Case("tcp over the first one's flags", [ether(IP(src="192.0.2.1", dst="198.51.100.1", proto=6, frag=1) / Raw(b"x"))], [],
         {"tiny_fragment": 1}),
    Case("a first one without its header", [ether(IP(src="192.0.2.1", dst="198.51.100.1", proto=6, flags="MF") / Raw(b"x" * 16))],
         [], {"tiny_fragment": 1}),
    Case("for an address that is no service's", [ether(p) for p in ELSEWHERE], [], kernel=len(ELSEWHERE)),
    Case("df is no fragment", [ether(WHOLE)], [ipip(WHOLE, WEB1)]),
    Case("the reserved flag is no fragment", [ether(IP(src="192.0.2.1", dst="198.51.100.1", flags="evil") / WHOLE[IP].payload)],
         [ipip(IP(src="192.0.2.1", dst="198.51.100.1", flags="evil") / WHOLE[IP].payload, WEB1)]),
    Case("between whole packets", [ether(WHOLE), ether(PIECES[1]), ether(WHOLE)],
         [ipip(WHOLE, WEB1), ipip(WHOLE, WEB1)], {"fragment": 1}),
    Case("the pieces of a large ping are the kernel's", [ether(p) for p in PING_PIECES], [], kernel=len(PING_PIECES)),
    Case("a whole ping is the kernel's", [ether(IP(dst="198.51.100.1") / ICMP() / payload(8))], [], kernel=1),
]


@each(CASES)
def test_fragments(case):
    outcome = check(case)
    # What has no service is counted for none.
    assert sum(s["packets"] for s in outcome.counters["services"].values()) == len(case.expected)
