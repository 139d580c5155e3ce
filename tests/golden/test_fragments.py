"""Every piece of a datagram leaves as a packet of its own, to the backend of its flow, in whatever order
they come: those before the first one wait for it. Cut by scapy, and what came out put together by scapy."""
import itertools

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, defragment, fragment
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, defragment6, fragment6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from case import Case, check, each
from configs import NS1, WEB1, backend, config, service
from harness import SECOND, Input, replay
from packets import ether, ipip, l2, l2_mac, payload, tcp, udp

PIECES = fragment(IP(bytes(udp(size=3000))), fragsize=1480)
TCP_PIECES = fragment(IP(bytes(tcp(size=2000, df=False))), fragsize=1000)
ELSEWHERE = fragment(IP(bytes(udp(size=3000, dst="198.51.100.77"))), fragsize=1480)
NO_SERVICE = fragment(IP(bytes(udp(size=3000, dport=54))), fragsize=1480)
PING_PIECES = fragment(IP(src="192.0.2.1", dst="198.51.100.1") / ICMP() / payload(3000), fragsize=1480)
WHOLE = tcp()
NS1_MAC = l2_mac(NS1)
OVERLAP = fragment(IP(bytes(udp(size=3000))), fragsize=1000)


def tunnelled(pieces):
    return [ipip(piece, WEB1, ident=i) for i, piece in enumerate(pieces)]


CASES = [
    Case("of a datagram", [ether(p) for p in PIECES], [l2(p, NS1_MAC) for p in PIECES]),
    Case("of a segment", [ether(p) for p in TCP_PIECES], tunnelled(TCP_PIECES), new_flows={"web": 1}),
    Case("the first alone", [ether(PIECES[0])], [l2(PIECES[0], NS1_MAC)]),
    Case("the last alone waits", [ether(PIECES[-1])], [], held=1),
    Case("and is given up", [ether(PIECES[-1]), Input(bytes(ether(WHOLE)), at=3 * SECOND)], [ipip(WHOLE, WEB1)],
         {"fragment_timeout": 1}),
    Case("the last first", [ether(p) for p in reversed(PIECES)],
         [l2(p, NS1_MAC) for p in PIECES]),
    Case("twice the same", [ether(p) for p in (PIECES[0], PIECES[0], PIECES[1], PIECES[1], PIECES[2])],
         [l2(p, NS1_MAC) for p in PIECES], {"fragment_duplicate": 2}),
    Case("overlapping", [ether(p) for p in (PIECES[1], OVERLAP[1], PIECES[0], PIECES[2])], [],
         {"fragment_overlap": 4}),
    Case("too short for ports", [ether(IP(src="192.0.2.1", dst="198.51.100.1", proto=6, frag=2) / Raw(b"x"))], [],
         held=1),
    Case("tcp over the first one's flags", [ether(IP(src="192.0.2.1", dst="198.51.100.1", proto=6, frag=1) / Raw(b"x"))], [],
         {"tiny_fragment": 1}),
    Case("a first one without its header", [ether(IP(src="192.0.2.1", dst="198.51.100.1", proto=6, flags="MF") / Raw(b"x" * 16))],
         [], {"tiny_fragment": 1}),
    Case("for an address that is no service's", [ether(p) for p in ELSEWHERE], [], kernel=len(ELSEWHERE)),
    Case("for a port that is no service's", [ether(p) for p in NO_SERVICE[::-1]], [], kernel=len(NO_SERVICE)),
    Case("df is no fragment", [ether(WHOLE)], [ipip(WHOLE, WEB1)]),
    Case("the reserved flag is no fragment", [ether(IP(src="192.0.2.1", dst="198.51.100.1", flags="evil") / WHOLE[IP].payload)],
         [ipip(IP(src="192.0.2.1", dst="198.51.100.1", flags="evil") / WHOLE[IP].payload, WEB1)]),
    Case("between whole packets", [ether(WHOLE), ether(PIECES[0]), ether(WHOLE)],
         [ipip(WHOLE, WEB1), l2(PIECES[0], NS1_MAC), ipip(WHOLE, WEB1)]),
    Case("the pieces of a large ping are the kernel's", [ether(p) for p in PING_PIECES], [], kernel=len(PING_PIECES)),
]


@each(CASES)
def test_fragments(case):
    outcome = check(case)
    # What has no service is counted for none.
    assert sum(s["packets"] for s in outcome.counters["services"].values()) == len(case.expected)


FOUR = [backend(f"ns{i}", f"10.0.1.{20 + i}") for i in range(4)]
TEXT = config({"dns": FOUR}, [service("198.51.100.2", "udp", 53, "dns", "dns", forward="l2"),
                              service("2001:db8:100::2", "udp", 53, "dns6", "dns", forward="ipip")])
EACH_BYTES = 400


def cut(version, count, sport, ident):
    """A datagram of as many pieces."""
    data = Raw(payload(EACH_BYTES * count - 8 - 16))
    datagram = UDP(sport=sport, dport=53) / data
    if version == 4:
        return fragment(IP(bytes(IP(src="192.0.2.11", dst="198.51.100.2", id=ident) / datagram)), fragsize=EACH_BYTES)
    whole = IPv6(src="2001:db8:c::1", dst="2001:db8:100::2") / IPv6ExtHdrFragment(id=ident) / datagram
    return fragment6(IPv6(bytes(whole)), EACH_BYTES + 40 + 8)


def together(version, pieces):
    if version == 4:
        (whole,) = defragment([IP(bytes(p)) for p in pieces])
        return bytes(whole)
    # scapy wants them in order.
    parts = sorted((IPv6(bytes(p)) for p in pieces), key=lambda p: p[IPv6ExtHdrFragment].offset)
    return bytes(defragment6(parts))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_every_order(version, count):
    sent, expected = [], {}
    for i, order in enumerate(itertools.permutations(range(count))):
        pieces = cut(version, count, 30000 + i, i + 1)
        assert len(pieces) == count
        sent += [ether(pieces[k]) for k in order]
        whole = IP(src="192.0.2.11", dst="198.51.100.2") if version == 4 else IPv6(src="2001:db8:c::1", dst="2001:db8:100::2")
        sent.append(ether(whole / UDP(sport=30000 + i, dport=53)))
        expected[30000 + i] = pieces
    outcome = replay(TEXT, sent)
    assert outcome.dropped == {} and outcome.counters["held"] == 0 and outcome.counters["sent"] == len(sent)
    frames = [Ether(frame) for frame in outcome.frames]
    for sport, pieces in expected.items():
        batch, frames = frames[:count + 1], frames[count + 1:]
        inner = batch if version == 4 else [frame[IP].payload for frame in batch]
        backends = {frame.dst if version == 4 else frame[IP].dst for frame in batch}
        assert len(backends) == 1, f"flow {sport} went to {backends}"
        packets = [bytes(p[IP] if version == 4 else p) for p in inner[:count]]
        assert sorted(packets) == sorted(bytes(p) for p in pieces)
        first_offset = (IP(packets[0]).frag if version == 4 else IPv6(packets[0])[IPv6ExtHdrFragment].offset)
        assert first_offset == 0
        assert together(version, packets) == together(version, pieces)
