"""Forward gue: variant 0 of GUE over UDP, every pair of families; the checksum over IPv6 as the service says."""
import pytest
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from case import Case, check, each
from configs import backend, config, dataplane, service
from harness import replay
from packets import checksums_hold, ether, tcp, udp
from packets6 import DNS6, WEB6, tcp6, udp6
from tunnel_packets import BOTH_SOURCES, outer_of, tunnelled, without_flow_fields

FOUR, SIX = "10.0.1.11", "fd00:1::11"
POOLS = {"four": [backend("a", FOUR)], "six": [backend("b", f"'{SIX}'")]}


def services(**options):
    return config(POOLS, [
        service("198.51.100.1", "tcp", 80, "web44", "four", forward="gue", **options),
        service("198.51.100.1", "tcp", 81, "web46", "six", forward="gue", **options),
        service(f"'{WEB6}'", "tcp", 80, "web64", "four", forward="gue", **options),
        service(f"'{WEB6}'", "tcp", 81, "web66", "six", forward="gue", **options),
        service("198.51.100.2", "udp", 53, "dns44", "four", forward="gue", **options),
        service(f"'{DNS6}'", "udp", 53, "dns66", "six", forward="gue", **options),
    ])


WITHOUT, WITH = services(), services(udp_checksum="true")


def case(name, packet, to, settings=WITHOUT, ident=0, **how):
    return Case(name, [ether(packet)], [tunnelled(packet, to, "gue", ident, **how)], config=settings,
                dataplane=BOTH_SOURCES, by_flow=True)


def in_every_pair(name, settings=WITHOUT, four=None, six=None, port=6080, **how):
    return [case(f"{name}: 4 in 4", tcp(**how, **four or {}), FOUR, settings, gue_port=port),
            case(f"{name}: 4 in 6", tcp(dport=81, **how, **four or {}), SIX, settings, gue_port=port),
            case(f"{name}: 6 in 4", tcp6(**how, **six or {}), FOUR, settings, gue_port=port),
            case(f"{name}: 6 in 6", tcp6(dport=81, **how, **six or {}), SIX, settings, gue_port=port)]


FREE = [tcp("A", size=i, df=False, id=1000 + i) for i in range(3)]

CASES = [
    *in_every_pair("syn"),
    *in_every_pair("odd length", size=33, flags="PA"),
    *in_every_pair("checksum", WITH),
    *in_every_pair("checksum, odd length", WITH, size=1001, flags="PA"),
    *in_every_pair("another port", services(gue_port=5555), port=5555),
    *in_every_pair("the last port", services(gue_port=65535), port=65535),
    *in_every_pair("class 0xbb", four={"tos": 0xBB}, six={"tc": 0xBB}),
    *in_every_pair("inner ttl 1 stays", four={"ttl": 1}, six={"hlim": 1}),
    case("udp, 4 in 4", udp(df=True), FOUR),
    case("udp, 6 in 6", udp6(), SIX),
    case("udp, 6 in 6, checksum", udp6(), SIX, WITH),
    case("df clear outside as inside", udp(), FOUR),
    case("df clear, 4 in 6", tcp(dport=81, df=False), SIX),
    Case("df clear counts the id up, df set does not",
         [ether(p) for p in (FREE[0], tcp(), tcp(dport=81, df=False), FREE[1], FREE[2])],
         [tunnelled(FREE[0], FOUR, "gue", 0), tunnelled(tcp(), FOUR, "gue"),
          tunnelled(tcp(dport=81, df=False), SIX, "gue"), tunnelled(FREE[1], FOUR, "gue", 1),
          tunnelled(FREE[2], FOUR, "gue", 2)], config=WITHOUT, dataplane=BOTH_SOURCES, by_flow=True),
    case("largest that fits, 4 in 4", tcp("A", size=1428), FOUR),
    case("largest that fits, 6 in 6", tcp6("A", dport=81, size=1388), SIX, WITH),
    Case("padding goes", [bytes(ether(tcp6(dport=81))) + b"\xaa" * 30], [tunnelled(tcp6(dport=81), SIX, "gue")],
         config=WITH, dataplane=BOTH_SOURCES, by_flow=True),
    Case("no source of the outer family: 4", [ether(tcp())], [], {"no_tunnel_source": 1}, config=WITHOUT,
         dataplane=dataplane(tunnel_source="{ipv6: 'fd00::2'}")),
    Case("no source of the outer family: 6", [ether(tcp6(dport=81))], [], {"no_tunnel_source": 1}, config=WITHOUT),
    Case("our own source would loop", [ether(tcp(src="10.0.0.2"))], [], {"loop": 1}, config=WITHOUT),
]


def outer_checksum(frame):
    return outer_of(frame)[UDP].chksum


@each(CASES)
def test_gue(case):
    for frame in check(case).frames:
        has_one = case.config == WITH and Ether(frame).type == 0x86DD
        assert (outer_checksum(frame) != 0) == has_one
        assert not has_one or checksums_hold(frame)


@pytest.mark.parametrize("size", range(12))
def test_checksums_of_many_packets_hold(size):
    packets = [tcp6("PA", sport=1024 + i, dport=81, size=size) for i in range(100)]
    outcome = replay(WITH, [ether(p) for p in packets], BOTH_SOURCES)
    for frame, packet in zip(outcome.frames, packets, strict=True):
        assert outer_checksum(frame) != 0 and checksums_hold(frame)
        assert without_flow_fields(frame) == tunnelled(packet, SIX, "gue")


@pytest.mark.parametrize("packet,dport", [(tcp, 80), (tcp, 81), (tcp6, 80), (tcp6, 81)],
                         ids=["4 in 4", "4 in 6", "6 in 4", "6 in 6"])
def test_the_source_port_is_the_flows(packet, dport):
    frames = [ether(packet(flags, sport=1024 + i, dport=dport, size=size))
              for flags, size in (("S", 0), ("A", 7)) for i in range(300)]
    outers = [outer_of(frame) for frame in replay(WITHOUT, frames, BOTH_SOURCES).frames]
    ports = [outer[UDP].sport for outer in outers]
    assert ports[:300] == ports[300:]
    assert len(set(ports)) > 280
    assert 49152 <= min(ports) < 50000 and 64500 < max(ports) <= 65535
    labels = {outer.fl for outer in outers if isinstance(outer, IPv6)}
    assert 0 not in labels and (not labels or len(labels) > 280)


def test_backends_and_services_count_the_packet_without_its_tunnel():
    outcome = replay(WITHOUT, [ether(tcp()), ether(tcp6(dport=81))], BOTH_SOURCES)
    assert outcome.service("web44") == {"packets": 1, "bytes": 40, "new_flows": 1}
    assert outcome.backend("six", "b") == {"packets": 1, "bytes": 60, "new_flows": 1}
