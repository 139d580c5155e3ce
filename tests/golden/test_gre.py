"""Forward gre (RFC 2784), with a key (RFC 2890) or none: every pair of families."""
import pytest
from scapy.layers.l2 import GRE, Ether

from case import Case, check, each
from configs import backend, config, service
from packets import checksums_hold, ether, tcp, udp
from packets6 import DNS6, WEB6, tcp6, udp6
from tunnel_packets import BOTH_SOURCES, tunnelled

FOUR, SIX = "10.0.1.11", "fd00:1::11"
POOLS = {"four": [backend("a", FOUR)], "six": [backend("b", f"'{SIX}'")]}
KEYS = [None, 0, 1, 0xDEADBEEF, 0xFFFFFFFF]


def services(key):
    options = {"forward": "gre"} if key is None else {"forward": "gre", "gre_key": key}
    return config(POOLS, [
        service("198.51.100.1", "tcp", 80, "web44", "four", **options),
        service("198.51.100.1", "tcp", 81, "web46", "six", **options),
        service(f"'{WEB6}'", "tcp", 80, "web64", "four", **options),
        service(f"'{WEB6}'", "tcp", 81, "web66", "six", **options),
        service("198.51.100.2", "udp", 53, "dns44", "four", **options),
        service(f"'{DNS6}'", "udp", 53, "dns66", "six", **options),
    ])


def case(name, packet, to, key=None, ident=0):
    return Case(name, [ether(packet)], [tunnelled(packet, to, "gre", ident, gre_key=key)], config=services(key),
                dataplane=BOTH_SOURCES, by_flow=True)


def in_every_pair(name, key=None, four=None, six=None, **how):
    return [case(f"{name}: 4 in 4", tcp(**how, **four or {}), FOUR, key),
            case(f"{name}: 4 in 6", tcp(dport=81, **how, **four or {}), SIX, key),
            case(f"{name}: 6 in 4", tcp6(**how, **six or {}), FOUR, key),
            case(f"{name}: 6 in 6", tcp6(dport=81, **how, **six or {}), SIX, key)]


FREE = [tcp("A", size=i, df=False, id=1000 + i) for i in range(3)]

CASES = [
    *[one for key in KEYS for one in in_every_pair(f"key {key}", key)],
    *in_every_pair("odd length", size=33, flags="PA"),
    *in_every_pair("odd length with a key", 7, size=33, flags="PA"),
    *in_every_pair("class 0xbb", four={"tos": 0xBB}, six={"tc": 0xBB}),
    *in_every_pair("inner ttl 1 stays", four={"ttl": 1}, six={"hlim": 1}),
    case("udp, 4 in 4, df set", udp(df=True), FOUR),
    case("udp, 4 in 4, df clear", udp(), FOUR),
    case("udp, 6 in 6", udp6(), SIX, 0),
    case("df clear, 4 in 6", tcp(dport=81, df=False), SIX),
    Case("df clear counts the id up, df set does not", [ether(p) for p in (FREE[0], tcp(), FREE[1], tcp6(), FREE[2])],
         [tunnelled(FREE[0], FOUR, "gre", 0), tunnelled(tcp(), FOUR, "gre"), tunnelled(FREE[1], FOUR, "gre", 1),
          tunnelled(tcp6(), FOUR, "gre"), tunnelled(FREE[2], FOUR, "gre", 2)], config=services(None),
         dataplane=BOTH_SOURCES, by_flow=True),
    case("largest that fits, 4 in 4", tcp("A", size=1436), FOUR),
    case("largest that fits, 4 in 4 with a key", tcp("A", size=1432), FOUR, 1),
    case("largest that fits, 6 in 6 with a key", tcp6("A", dport=81, size=1392), SIX, 1),
    Case("padding goes", [bytes(ether(tcp6(dport=81))) + b"\xaa" * 30], [tunnelled(tcp6(dport=81), SIX, "gre")],
         config=services(None), dataplane=BOTH_SOURCES, by_flow=True),
    Case("no source of the outer family: 6", [ether(tcp6(dport=81))], [], {"no_tunnel_source": 1},
         config=services(None)),
    Case("our own source would loop", [ether(tcp6(src="fd00::2"))], [], {"loop": 1}, config=services(None),
         dataplane=BOTH_SOURCES),
]


@each(CASES)
def test_gre(case):
    for frame in check(case).frames:
        assert checksums_hold(frame)


@pytest.mark.parametrize("key", KEYS)
def test_scapy_reads_the_header(key):
    outcome = check(case("read", tcp6(dport=81), SIX, key))
    gre = Ether(outcome.frames[0])[GRE]
    assert (gre.version, gre.proto, gre.chksum_present, gre.seqnum_present) == (0, 0x86DD, 0, 0)
    assert gre.key_present == (key is not None)
    assert key is None or gre.key == key
    assert bytes(gre.payload) == bytes(tcp6(dport=81))
