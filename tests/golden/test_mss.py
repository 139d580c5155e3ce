"""mss: SYNs offer no more than the service says (RFC 9293, 3.7.1), and nothing else of any packet changes."""
import random

import pytest
from scapy.layers.inet import IP, TCP, IPOption_NOP, in4_chksum
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, PadN
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from case import Case, check, each
from configs import WEB1, backend, config, service
from harness import replay
from packets import CLIENT, WEB, checksums_hold, ether, ipip, l2, l2_mac, tcp, udp
from packets6 import CLIENT6, WEB6, tcp6
from tunnel_packets import BOTH_SOURCES, tagged, tunnelled

LIMIT = 1200
SIX = "fd00:1::11"
CONFIG = config({"web": [backend("web1", WEB1)], "six": [backend("web6", f"'{SIX}'")]}, [
    service(mss=LIMIT), service(port=81, name="l2", forward="l2", mss=LIMIT),
    service(port=82, name="gue", pool="six", forward="gue", udp_checksum="true", mss=LIMIT),
    service(port=83, name="unclamped"), service(protocol="any", port=84, name="any", mss=LIMIT),
    service(port=85, name="least", mss=536), service(port=86, name="most", mss=65495),
    service(f"'{WEB6}'", name="web6", mss=LIMIT),
    service("198.51.100.0/24", "any", "any", name="wide", mss=LIMIT),
])


def offering(mss, before=(), after=()):
    return [*before, ("MSS", mss), *after]


def case(name, packet, expected):
    return Case(name, [ether(packet)], [tunnelled(expected, WEB1)], config=CONFIG, dataplane=BOTH_SOURCES)


def lowered(name, flags="S", build=tcp, mss=1460, to=LIMIT, before=(), after=(), **how):
    return case(name, build(flags, tcp_options=offering(mss, before, after), **how),
                build(flags, tcp_options=offering(to, before, after), **how))


def unchanged(name, packet):
    return case(name, packet, packet)


def with_options(options, data=b""):
    """Of any bytes, which scapy would not write; a multiple of 4."""
    assert len(options) % 4 == 0
    ip = IP(src=CLIENT, dst=WEB, flags="DF", proto=6)
    header = bytearray(bytes(TCP(sport=40000, dport=80, flags="S", seq=1000, dataofs=5 + len(options) // 4, chksum=0)))
    segment = header + options + data
    segment[16:18] = in4_chksum(6, ip, bytes(segment)).to_bytes(2, "big")
    return ip / Raw(bytes(segment))


NOP, END = b"\1", b"\0"
LARGE = b"\2\4\x05\xb4"
DESTINATION = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
HOP_BY_HOP = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])
USUAL = [("SAckOK", b""), ("Timestamp", (12345, 0)), ("NOP", None), ("WScale", 7)]

RAW = [
    case("several: all of them", with_options(LARGE + b"\2\4\x04\x4c" + b"\2\4\xff\xff"),
         with_options(b"\2\4\x04\xb0" + b"\2\4\x04\x4c" + b"\2\4\x04\xb0")),
    unchanged("of 3 bytes", with_options(b"\2\3\x05" + NOP)), unchanged("of 5 bytes", with_options(b"\2\5\x05\xb4\0" + NOP * 3)),
    unchanged("of no length", with_options(b"\2\0\x05\xb4")), unchanged("of 1 byte", with_options(b"\2\1\x05\xb4")),
    unchanged("beyond the header", with_options(NOP * 2 + b"\2\4")),
    unchanged("a kind as the last byte", with_options(NOP * 3 + b"\2")),
    unchanged("behind the end of options", with_options(END + NOP * 3 + LARGE)),
    unchanged("behind one of no length", with_options(b"\x08\0\0\0" + LARGE)),
    unchanged("behind one that is too long", with_options(b"\x08\x28\0\0" + LARGE)),
    unchanged("in the data", with_options(b"", LARGE)),
    case("in front of one that is malformed", with_options(LARGE + b"\x08\0\0\0"), with_options(b"\2\4\x04\xb0" + b"\x08\0\0\0")),
]
BROKEN = {one.name for one in RAW}

CASES = [
    lowered("syn"), lowered("syn and ack", "SA"), lowered("syn, ecn setup", "SEC"), lowered("one above", mss=1201),
    lowered("the largest", mss=65535), lowered("jumbo", mss=8960), lowered("the usual options", after=USUAL),
    lowered("the last option", before=[("NOP", None)] * 3 + USUAL[:2]),
    *[lowered(f"{n} bytes in front", before=[("NOP", None)] * n, after=[("NOP", None)] * (4 - n)) for n in (1, 2, 3)],
    lowered("with data", size=33), lowered("df clear", df=False), lowered("fast open", size=100, after=[(34, b"cookie12")]),
    lowered("behind ip options", options=[IPOption_NOP()] * 8), lowered("to the least", to=536, dport=85),
    lowered("to the most", mss=65535, to=65495, dport=86), lowered("ipv6", build=tcp6),
    lowered("ipv6, the usual options", build=tcp6, after=USUAL),
    lowered("ipv6 behind headers", build=tcp6, headers=[HOP_BY_HOP, DESTINATION]),
    lowered("protocol any", dport=84), lowered("a prefix", dst="198.51.100.77", dport=4711),
    unchanged("as much", tcp(tcp_options=offering(LIMIT))), unchanged("less is not raised", tcp(tcp_options=offering(536))),
    unchanged("one", tcp(tcp_options=offering(1))), unchanged("none at all", tcp(tcp_options=offering(0))),
    unchanged("no offer is made up", tcp()), unchanged("no offer beside others", tcp(tcp_options=USUAL)),
    unchanged("ipv6, less", tcp6(tcp_options=offering(1000))),
    *[unchanged(f"flags {flags}", tcp(flags, tcp_options=offering(1460), size=9)) for flags in ("A", "PA", "FA", "R", "U")],
    unchanged("no flags", tcp(0, tcp_options=offering(1460))),
    unchanged("a service that asks for nothing", tcp(dport=83, tcp_options=offering(1460))),
    unchanged("a datagram", udp(dst=WEB, dport=84, df=True)),
    *RAW,
    Case("l2", [ether(tcp(dport=81, tcp_options=offering(1460)))],
         [l2(tcp(dport=81, tcp_options=offering(LIMIT)), l2_mac(WEB1))], config=CONFIG),
    Case("gue with a checksum", [ether(tcp(dport=82, tcp_options=offering(1460)))],
         [tunnelled(tcp(dport=82, tcp_options=offering(LIMIT)), SIX, "gue")], config=CONFIG, dataplane=BOTH_SOURCES,
         by_flow=True),
    Case("behind a priority tag", [tagged(tcp(tcp_options=offering(1460)), 0)],
         [ipip(tcp(tcp_options=offering(LIMIT)), WEB1)], config=CONFIG),
]


@each(CASES)
def test_mss(case):
    for frame in check(case).frames:
        # Options that cannot be are not what scapy makes of them.
        assert checksums_hold(frame) or case.by_flow or case.name in BROKEN


@pytest.mark.parametrize("version", [4, 6])
def test_checksums_of_many_syns_hold(version):
    seed = 20260330 + version
    print("seed", seed)
    rng = random.Random(seed)
    build, to, source = (tcp, WEB, CLIENT) if version == 4 else (tcp6, WEB6, CLIENT6)
    sent, expected = [], []
    for _ in range(1000):
        how = {"sport": rng.randrange(1, 65536), "size": rng.randrange(9), "src": source, "dst": to}
        before, after = ([("NOP", None)] * rng.randrange(5) for _ in range(2))
        mss = rng.randrange(65536)
        sent.append(build("S", tcp_options=offering(mss, before, after), **how))
        expected.append(build("S", tcp_options=offering(min(mss, LIMIT), before, after), **how))
    outcome = replay(CONFIG, [ether(packet) for packet in sent], BOTH_SOURCES)
    assert outcome.frames == [tunnelled(packet, WEB1) for packet in expected]


def checksum_of(packet):
    return TCP(bytes(packet[TCP])).chksum


@pytest.mark.parametrize("build", [tcp, tcp6], ids=["4", "6"])
@pytest.mark.parametrize("clamped_is_zero", [True, False], ids=["after", "before"])
def test_a_checksum_of_zero(build, clamped_is_zero):
    """An urgent pointer that makes the checksum 0, of the offer as it leaves or as it came."""
    def syn(mss, pointer):
        packet = build(tcp_options=offering(mss))
        packet[TCP].urgptr = pointer
        return packet.__class__(bytes(packet))
    pointer = checksum_of(syn(LIMIT if clamped_is_zero else 1460, 0))
    sent, expected = syn(1460, pointer), syn(LIMIT, pointer)
    assert checksum_of(expected if clamped_is_zero else sent) == 0
    assert replay(CONFIG, [ether(sent)], BOTH_SOURCES).frames == [tunnelled(expected, WEB1)]


def test_a_wrong_checksum_stays_wrong():
    packet = tcp(tcp_options=offering(1460))
    packet[TCP].chksum = 0xDEAD
    frame = replay(CONFIG, [ether(packet)]).frames[0]
    assert Ether(frame)[TCP].options == [("MSS", LIMIT)]
    assert not checksums_hold(frame)
