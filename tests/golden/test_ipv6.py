"""IPv6 services and backends: every pair of families in IP in IP, and l2 (RFC 2473, RFC 2003, RFC 4213)."""
import pytest
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN
from scapy.layers.ipsec import AH
from scapy.layers.l2 import Ether

from case import Case, check, each
from configs import backend, config, dataplane, service
from harness import replay
from packets import CLIENT_MAC, checksums_hold, ether, l2, tcp, udp
from packets6 import WEB6, DNS6, l2_mac6, tcp6, udp6
from tunnel_packets import BOTH_SOURCES, outer_of, tunnelled

FOUR, SIX = "10.0.1.11", "fd00:1::11"
POOLS = {"four": [backend("a", FOUR)], "six": [backend("b", f"'{SIX}'")]}
CONFIG = config(POOLS, [
    service(f"'{WEB6}'", "tcp", 80, "web66", "six"),
    service(f"'{WEB6}'", "tcp", 81, "web64", "four"),
    service(f"'{DNS6}'", "udp", 53, "dns66", "six"),
    service(f"'{DNS6}'", "udp", 54, "dns64", "four"),
    service(f"'{DNS6}'", "udp", 55, "dnsl2", "six", forward="l2"),
    service(f"'{WEB6}'", "tcp", 82, "webl2", "six", forward="l2"),
    service("198.51.100.1", "tcp", 80, "web46", "six"),
    service("198.51.100.2", "udp", 53, "dns46", "six"),
    service("198.51.100.1", "tcp", 81, "web44", "four"),
])


def case(name, packet, backend_address, **how):
    return Case(name, [ether(packet)], [tunnelled(packet, backend_address, **how)], config=CONFIG,
                dataplane=BOTH_SOURCES, by_flow=True)


def direct(name, packet):
    return Case(name, [ether(packet)], [l2(packet, l2_mac6(SIX))], config=CONFIG, dataplane=BOTH_SOURCES)


def in_every_pair(name, make4, make6):
    """The packet of each family to backends of each."""
    return [case(f"{name}: 6 in 6", make6(80), SIX), case(f"{name}: 6 in 4", make6(81), FOUR),
            case(f"{name}: 4 in 6", make4(80), SIX), case(f"{name}: 4 in 4", make4(81), FOUR)]


PAD = PadN(optdata=b"\0" * 4)
HOP_BY_HOP = IPv6ExtHdrHopByHop(options=[PAD])
LONG = IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 252)])
DESTINATION = IPv6ExtHdrDestOpt(options=[PAD])
MOBILE = IPv6ExtHdrRouting(type=2, addresses=["2001:db8:5::5"], segleft=0)
SEGMENTS = IPv6ExtHdrRouting(type=4, addresses=[WEB6], segleft=0)
AUTHENTICATED = AH(spi=7, seq=1, icv=b"\x11" * 12, payloadlen=4)
ATOMIC = IPv6ExtHdrFragment(offset=0, m=0, id=99)
CHAINS = {
    "hop-by-hop": [HOP_BY_HOP], "destination options": [DESTINATION], "routing type 2": [MOBILE],
    "routing type 4": [SEGMENTS], "authentication": [AUTHENTICATED], "an atomic fragment": [ATOMIC],
    "all of them": [HOP_BY_HOP, DESTINATION, SEGMENTS, ATOMIC, AUTHENTICATED, DESTINATION],
    "eight": [HOP_BY_HOP] + [DESTINATION] * 7,
    "512 bytes": [LONG, LONG],
}

CASES = [
    *in_every_pair("syn", lambda port: tcp(dport=port), lambda port: tcp6(dport=port)),
    *in_every_pair("odd length", lambda port: tcp("PA", dport=port, size=33), lambda port: tcp6("PA", dport=port, size=33)),
    case("udp, 6 in 6", udp6(), SIX), case("udp, 6 in 4", udp6(dport=54), FOUR), case("udp, 4 in 6", udp(df=True), SIX),
    case("udp, 4 in 6, df clear", udp(), SIX),
    case("empty datagram", udp6(size=0), SIX),
    *[one for tos in (1, 2, 3, 0xB8, 0xFF)
      for one in in_every_pair(f"class {tos:#04x}", lambda port, tos=tos: tcp(dport=port, tos=tos),
                               lambda port, tos=tos: tcp6(dport=port, tc=tos))],
    *[one for ttl in (1, 255)
      for one in in_every_pair(f"inner ttl {ttl} stays", lambda port, ttl=ttl: tcp(dport=port, ttl=ttl),
                               lambda port, ttl=ttl: tcp6(dport=port, hlim=ttl))],
    case("the inner flow label stays", tcp6(fl=0xABCDE), SIX),
    case("largest that fits, 6 in 6", tcp6("A", size=1400), SIX),
    case("largest that fits, 6 in 4", tcp6("A", dport=81, size=1420), FOUR),
    case("largest that fits, 4 in 6", tcp("A", size=1420), SIX),
    Case("padding goes", [bytes(ether(udp6(size=1))) + b"\xaa" * 30], [tunnelled(udp6(size=1), SIX)], config=CONFIG,
         dataplane=BOTH_SOURCES, by_flow=True),
    *[case(f"behind {name}: 6 in 6", tcp6(headers=chain), SIX) for name, chain in CHAINS.items()],
    *[case(f"behind {name}: 6 in 4", tcp6(dport=81, headers=chain), FOUR) for name, chain in CHAINS.items()],
    *[case(f"udp behind {name}", udp6(headers=chain), SIX) for name, chain in CHAINS.items()],
    *[direct(f"l2 behind {name}", tcp6(dport=82, headers=chain)) for name, chain in CHAINS.items()],
    direct("l2, tcp", tcp6(dport=82)),
    direct("l2, udp", udp6(dport=55)),
    direct("l2: class, label and hop limit stay", udp6(dport=55, tc=0xB9, hlim=1, fl=0x12345)),
    direct("l2 fills the mtu", udp6(dport=55, size=1452)),
    Case("no source of the outer family: 6 in 6", [ether(tcp6())], [], {"no_tunnel_source": 1}, config=CONFIG),
    Case("no source of the outer family: 4 in 6", [ether(tcp())], [], {"no_tunnel_source": 1}, config=CONFIG),
    Case("6 in 4 needs no ipv6 source", [ether(tcp6(dport=81))], [tunnelled(tcp6(dport=81), FOUR)], config=CONFIG),
    Case("no source of the outer family: 6 in 4", [ether(tcp6(dport=81))], [], {"no_tunnel_source": 1}, config=CONFIG,
         dataplane=dataplane(tunnel_source="{ipv6: 'fd00::2'}")),
    Case("our own source would loop", [ether(tcp6(src="fd00::2"))], [], {"loop": 1}, config=CONFIG,
         dataplane=BOTH_SOURCES),
    Case("another port is the kernel's", [ether(tcp6(dport=443))], [], kernel=1, config=CONFIG),
    Case("another address is the kernel's", [ether(tcp6(dst="2001:db8:1::3"))], [], kernel=1, config=CONFIG),
    Case("another protocol is the kernel's", [ether(udp6(dst=WEB6, dport=80))], [], kernel=1, config=CONFIG),
    Case("to a multicast mac is the kernel's", [ether(tcp6(), dst="33:33:00:00:00:01")], [], kernel=1, config=CONFIG),
]


@each(CASES)
def test_ipv6(case):
    for frame in check(case).frames:
        assert Ether(frame).src != CLIENT_MAC
        # scapy computes none behind an authentication header.
        assert checksums_hold(frame) or "authentication" in case.name or "all of them" in case.name


def test_new_flows_and_bytes_are_counted():
    outcome = replay(CONFIG, [ether(tcp6()), ether(tcp6("A", size=10)), ether(udp6())], BOTH_SOURCES)
    assert outcome.service("web66") == {"packets": 2, "bytes": 60 + 70, "new_flows": 1}
    assert outcome.backend("six", "b") == {"packets": 3, "bytes": 60 + 70 + 68, "new_flows": 2}


@pytest.mark.parametrize("packet", [tcp6, tcp], ids=["6 in 6", "4 in 6"])
def test_the_flow_label_is_the_flows(packet):
    flows = [packet(sport=1024 + i) for i in range(300)]
    outcome = replay(CONFIG, [ether(p) for p in flows] + [ether(packet("A", sport=1024 + i, size=9)) for i in range(300)],
                     BOTH_SOURCES)
    labels = [outer_of(frame).fl for frame in outcome.frames]
    assert labels[:300] == labels[300:]
    assert 0 not in labels and len(set(labels)) > 290
    assert 100 < sum(label >> 19 for label in labels[:300]) < 200  # of all its 20 bits


def test_the_id_counts_packets_with_df_clear_only():
    packets = [tcp(dport=81, df=False), tcp6(dport=81), tcp(dport=80, df=False), tcp(dport=81), tcp(dport=81, df=False)]
    outcome = replay(CONFIG, [ether(p) for p in packets], BOTH_SOURCES)
    outers = [outer_of(frame) for frame in outcome.frames]
    assert [outer.id for outer in outers if outer.version == 4] == [0, 0, 0, 1]
