"""Malformed IPv6 packets: each has its reason, and none is forwarded."""
import random

from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPv6ExtHdrFragment,
                                PadN)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from case import Case, check, each
from configs import backend, config, service
from harness import replay
from packets import BALANCER_MAC, CLIENT_MAC, ether
from packets6 import CLIENT6, DNS6, WEB6, tcp6, udp6
from tunnel_packets import BOTH_SOURCES, tunnelled

WEB1, NS1 = "10.0.1.11", "fd00:1::21"
CONFIG = config({"web": [backend("web1", WEB1)], "dns": [backend("ns1", f"'{NS1}'")]},
                [service(f"'{WEB6}'"), service(f"'{DNS6}'", "udp", 53, "dns", "dns")])

SYN = tcp6(size=20)
QUERY = udp6(size=20)
OPTIONS = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
LONG = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 252)])
HOP_BY_HOP = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])


def patched(packet, offset, value):
    raw = bytearray(bytes(packet))
    raw[offset:offset + len(value)] = value
    return bytes(Ether(dst=BALANCER_MAC, src=CLIENT_MAC, type=0x86DD)) + bytes(raw)


def cut(packet, size):
    """The packet's first bytes, with a payload length that says so."""
    raw = bytes(packet)[:size]
    return patched(raw, 4, (size - 40).to_bytes(2, "big"))


def nothing_behind(next_header, rest=b"", dst=WEB6):
    return ether(IPv6(src=CLIENT6, dst=dst, nh=next_header) / Raw(rest))


def refused(name, frame, reason):
    return Case(name, [frame, ether(SYN)], [tunnelled(SYN, WEB1)], {reason: 1}, config=CONFIG, dataplane=BOTH_SOURCES)


def kernels(name, frame):
    return Case(name, [frame, ether(SYN)], [tunnelled(SYN, WEB1)], kernel=1, config=CONFIG, dataplane=BOTH_SOURCES)


CHAINED = tcp6(headers=[OPTIONS], size=20)
ROUTED = tcp6(headers=[IPv6ExtHdrRouting(type=2, addresses=["2001:db8:5::5"], segleft=0)])
FIRST = tcp6(headers=[IPv6ExtHdrFragment(m=1, id=7)], size=20)  # 20 + 20 bytes: a multiple of 8

CASES = [
    refused("no ip header", bytes(ether(SYN))[:14], "truncated"),
    refused("ip header cut", bytes(ether(SYN))[:53], "truncated"),
    refused("shorter than its payload length", bytes(ether(SYN))[:-1], "truncated"),
    refused("payload length beyond the frame", patched(SYN, 4, b"\xff\xff"), "truncated"),
    refused("tcp header cut", cut(SYN, 59), "truncated"),
    refused("udp header cut", cut(QUERY, 47), "truncated"),
    refused("no payload at all", cut(SYN, 40), "truncated"),
    refused("payload length 0", patched(SYN, 4, b"\0\0"), "truncated"),
    refused("version 5", patched(SYN, 0, b"\x50"), "bad_ip_header"),
    refused("version 4 under the type of ipv6", patched(SYN, 0, b"\x45"), "bad_ip_header"),
    refused("version 0", patched(SYN, 0, b"\0"), "bad_ip_header"),
    refused("ipv6 under the type of ipv4", bytes(Ether(dst=BALANCER_MAC, src=CLIENT_MAC, type=0x0800) / SYN),
            "bad_ip_header"),
    refused("from an ipv4-mapped address", ether(tcp6(src="::ffff:192.0.2.11")), "bad_ip_header"),
    refused("to an ipv4-mapped address", ether(tcp6(dst="::ffff:198.51.100.1")), "bad_ip_header"),
    refused("tcp data offset 4", patched(SYN, 52, b"\x40"), "bad_l4_header"),
    refused("tcp data offset 0", patched(SYN, 52, b"\0"), "bad_l4_header"),
    refused("tcp options beyond the packet", patched(tcp6(), 52, b"\xf0"), "bad_l4_header"),
    refused("udp length 7", patched(QUERY, 44, b"\0\x07"), "bad_l4_header"),
    refused("udp length 0, which only jumbograms have", patched(QUERY, 44, b"\0\0"), "bad_l4_header"),
    refused("udp length beyond the packet", patched(QUERY, 44, b"\0\xff"), "bad_l4_header"),
    refused("tcp data offset 4 behind options", patched(CHAINED, 60, b"\x40"), "bad_l4_header"),
    refused("routing type 0", ether(tcp6(headers=[IPv6ExtHdrRouting(type=0, addresses=[WEB6], segleft=1)])),
            "bad_ip_header"),
    refused("routing type 0, all its segments done",
            ether(tcp6(headers=[IPv6ExtHdrRouting(type=0, addresses=[WEB6], segleft=0)])), "bad_ip_header"),
    refused("routing type 0 behind others",
            ether(udp6(headers=[HOP_BY_HOP, OPTIONS, IPv6ExtHdrRouting(type=0, addresses=[], segleft=0)])),
            "bad_ip_header"),
    refused("hop-by-hop not first", ether(tcp6(headers=[OPTIONS, HOP_BY_HOP])), "bad_ip_header"),
    refused("hop-by-hop twice", ether(tcp6(headers=[HOP_BY_HOP, HOP_BY_HOP])), "bad_ip_header"),
    refused("authentication shorter than it can be", nothing_behind(51, b"\x06\0" + bytes(30)), "bad_ip_header"),
    refused("nine headers", ether(tcp6(headers=[OPTIONS] * 9)), "extension_headers"),
    refused("forty headers", ether(tcp6(headers=[OPTIONS] * 40)), "extension_headers"),
    refused("more than 512 bytes of headers", ether(tcp6(headers=[LONG, LONG, OPTIONS])), "extension_headers"),
    refused("a header of 2048 bytes", nothing_behind(60, b"\x06\xff" + bytes(1300)), "extension_headers"),
    refused("a header longer than the packet", patched(CHAINED, 41, b"\x06"), "truncated"),
    refused("a header cut", cut(CHAINED, 47), "truncated"),
    refused("nothing behind a header", cut(CHAINED, 48), "truncated"),
    refused("tcp header cut behind a header", cut(CHAINED, 67), "truncated"),
    refused("routing header cut", cut(ROUTED, 60), "truncated"),
    refused("two fragment headers", ether(tcp6(headers=[IPv6ExtHdrFragment(id=1), IPv6ExtHdrFragment(id=2)])),
            "bad_ip_header"),
    refused("a first fragment within its tcp header", cut(FIRST, 64), "tiny_fragment"),
    refused("a first fragment of no multiple of 8", cut(FIRST, 79), "bad_ip_header"),
    refused("a fragment beyond 65535 bytes",
            ether(IPv6(src=CLIENT6, dst=WEB6) / IPv6ExtHdrFragment(nh=17, offset=8191, id=1) / Raw(bytes(64))),
            "bad_ip_header"),
    kernels("no next header", nothing_behind(59)),
    kernels("igmp's number", nothing_behind(2, bytes(20))),
    kernels("icmp of ipv4", nothing_behind(1, bytes(20))),
    kernels("sctp to a service of tcp", nothing_behind(132, bytes(20))),
]


@each(CASES)
def test_malformed(case):
    check(case)


def test_udp_length_within_the_packet_is_taken():
    assert len(replay(CONFIG, [patched(QUERY, 44, b"\0\x09")], BOTH_SOURCES).frames) == 1


def mutated(rng, frame):
    raw = bytearray(frame)
    for _ in range(rng.choice((1, 1, 2, 8))):
        raw[rng.randrange(14, len(raw))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        del raw[rng.randrange(len(raw) + 1):]
    return bytes(raw)


def test_whatever_comes_in_what_goes_out_is_well_formed():
    seed = 20260302
    print("seed", seed)
    rng = random.Random(seed)
    models = [bytes(ether(packet)) for packet in (SYN, tcp6("PA", size=700), CHAINED, ROUTED, QUERY, udp6(size=0),
                                                  udp6(headers=[HOP_BY_HOP, OPTIONS], size=9))]
    frames = [mutated(rng, rng.choice(models)) for _ in range(4000)]
    outcome = replay(CONFIG, frames, BOTH_SOURCES)
    received = {frame[14:54 + int.from_bytes(frame[18:20], "big")] for frame in frames}
    assert len(outcome.frames) > 100 and sum(outcome.dropped.values()) > 100
    for frame in outcome.frames:
        packet = Ether(frame)
        if packet.type == 0x86DD:
            assert (packet[IPv6].plen, packet[IPv6].nh, packet[IPv6].dst) == (len(frame) - 54, 41, NS1)
            assert frame[54:] in received
        else:
            del packet.payload.chksum
            assert bytes(packet)[14:34] == frame[14:34]
            assert frame[34:] in received
