"""tunnel_source as a prefix: an address of it for each flow; a packet from any of them would loop."""
import collections
import ipaddress

import pytest

from case import Case, check, each
from configs import backend, config, dataplane, service
from harness import replay
from packets import checksums_hold, ether, tcp, udp
from packets6 import WEB6, tcp6
from tunnel_packets import outer_of, tunnelled, without_flow_fields

FOUR, SIX = "10.0.1.11", "fd00:1::11"


def config_of(mode):
    return config({"four": [backend("a", FOUR)], "six": [backend("b", f"'{SIX}'")]},
                  [service("198.51.100.1", "tcp", 80, "web44", "four", forward=mode),
                   service("198.51.100.1", "tcp", 81, "web46", "six", forward=mode),
                   service(f"'{WEB6}'", "tcp", 80, "web64", "four", forward=mode),
                   service(f"'{WEB6}'", "tcp", 81, "web66", "six", forward=mode)])


def sources(four, six):
    return dataplane(tunnel_source=f"{{ipv4: {four}, ipv6: '{six}'}}")


PREFIXES = {"24 and 64": ("10.9.9.0/24", "fd00:9::/64"), "16 and 48": ("10.9.0.0/16", "fd00:9::/48"),
            "31 and 127": ("10.9.9.8/31", "fd00:9::8/127"), "8 and 32": ("10.0.0.0/8", "fd00::/32"),
            "29 and 90": ("10.9.9.8/29", "fd00:9::/90"), "32 and 128": ("10.9.9.9/32", "fd00:9::9/128")}
FLOWS = 150  # of each pair
PAIRS = [(tcp, 80), (tcp, 81), (tcp6, 80), (tcp6, 81)]


@pytest.mark.parametrize("prefixes", PREFIXES)
@pytest.mark.parametrize("mode", ["ipip", "gue", "gre"])
def test_each_flow_has_an_address_of_the_prefix(prefixes, mode):
    flows = [(packet, dport, 1024 + i) for i in range(FLOWS) for packet, dport in PAIRS]
    packets = [packet("S", sport=sport, dport=dport) for packet, dport, sport in flows]
    packets += [packet("A", sport=sport, dport=dport, size=5) for packet, dport, sport in flows]
    outcome = replay(config_of(mode), [ether(p) for p in packets], sources(*PREFIXES[prefixes]))
    outers = [outer_of(frame) for frame in outcome.frames]
    chosen = [outer.src for outer in outers]
    assert chosen[:len(flows)] == chosen[len(flows):]
    for prefix, version in zip(PREFIXES[prefixes], (4, 6)):
        network = ipaddress.ip_network(prefix)
        shares = collections.Counter(outer.src for outer in outers[:len(flows)] if outer.version == version)
        assert shares.total() == 2 * FLOWS
        assert all(ipaddress.ip_address(address) in network for address in shares)
        # Spread: most of few addresses are there, and none has many times its share.
        size = min(network.num_addresses, 2 * FLOWS)
        assert len(shares) >= 0.5 * size
        assert max(shares.values()) <= 2 * shares.total() / size + 10
    for frame, outer, packet in list(zip(outcome.frames, outers, packets, strict=True))[:200]:
        to = SIX if outer.version == 6 else FOUR
        assert without_flow_fields(frame) == tunnelled(packet, to, mode, source=outer.src)
        assert mode != "ipip" or checksums_hold(frame)


def test_one_address_is_every_flows():
    outcome = replay(config_of("ipip"), [ether(tcp(sport=1024 + i)) for i in range(100)], sources("10.9.9.9", "fd00:9::9"))
    assert {outer_of(frame).src for frame in outcome.frames} == {"10.9.9.9"}


def looped(packet, mode="ipip"):
    return Case(f"{mode}: {packet.summary()}", [ether(packet)], [], {"loop": 1}, config=config_of(mode),
                dataplane=sources("10.9.9.0/24", "fd00:9::/64"))


LOOPS = [
    *[looped(tcp(src=source), mode) for source in ("10.9.9.0", "10.9.9.1", "10.9.9.255") for mode in ("ipip", "gue", "l2")],
    *[looped(tcp6(src=source), mode) for source in ("fd00:9::", "fd00:9::1", "fd00:9::ffff:ffff:ffff:ffff")
      for mode in ("ipip", "gre", "l2")],
]


@each(LOOPS)
def test_packets_from_our_own_addresses_loop(case):
    check(case)


@pytest.mark.parametrize("packet", [tcp(src="10.9.8.255"), tcp(src="10.9.10.0"), tcp6(src="fd00:9:0:1::"),
                                    tcp6(src="fd00:8:ffff:ffff:ffff:ffff:ffff:ffff")], ids=lambda p: p.src)
def test_packets_from_next_to_them_do_not(packet):
    outcome = replay(config_of("ipip"), [ether(packet)], sources("10.9.9.0/24", "fd00:9::/64"))
    assert len(outcome.frames) == 1 and outcome.dropped == {}


def test_to_another_service_than_ours_it_is_the_kernels():
    outcome = replay(config_of("ipip"), [ether(udp(src="10.9.9.7"))], sources("10.9.9.0/24", "fd00:9::/64"))
    assert outcome.counters["kernel"] == 1
