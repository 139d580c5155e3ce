"""Which service a packet is for: exact ones, ranges, any port, prefixes, any protocol; the most specific wins.

The longest prefix, then the packet's own protocol before any, then the fewest ports.
"""
import ipaddress
import random

from scapy.layers.inet import GRE, ICMP, IP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH, ESP
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Raw

from case import Case, check, each
from configs import backend, config, service
from harness import replay
from packets import CLIENT, ether, ipip, tcp, udp
from packets6 import CLIENT6, tcp6, udp6
from tunnel_packets import BOTH_SOURCES, outer_of, tunnelled

# name -> prefix, protocol, port
SERVICES = {
    "exact": ("198.51.100.1", "tcp", 80),
    "range": ("198.51.100.1", "tcp", "8000-8999"),
    "narrow": ("198.51.100.1", "tcp", "8080-8090"),
    "tcp": ("198.51.100.1", "tcp", "any"),
    "one-any": ("198.51.100.1", "any", 443),
    "udp-range": ("198.51.100.1", "udp", "1-1000"),
    "address": ("198.51.100.1", "any", "any"),
    "net": ("198.51.100.0/24", "any", "any"),
    "net-web": ("198.51.100.0/24", "tcp", 80),
    "half": ("198.51.100.128/25", "udp", "any"),
    "wide": ("198.51.0.0/16", "tcp", "any"),
    "net6": ("2001:db8:1::/64", "any", "any"),
    "net6-web": ("2001:db8:1::/64", "tcp", 80),
    "host6": ("2001:db8:1::7", "udp", "any"),
    "wide6": ("2001:db8::/32", "tcp", "1-1024"),
}


def backend_of(name):
    return f"10.0.1.{1 + list(SERVICES).index(name)}"


def config_of(services):
    return config({name: [backend("b", f"10.0.{1 + i // 250}.{1 + i % 250}")] for i, name in enumerate(services)},
                  [service(f"'{prefix}'", protocol, port, name, name)
                   for name, (prefix, protocol, port) in services.items()], table_size=3)


CONFIG = config_of(SERVICES)


def taken(name, packet):
    return Case(f"{name}: {packet.summary()}", [ether(packet)], [tunnelled(packet, backend_of(name))], config=CONFIG,
                new_flows={name: 1})


def kernels(packet):
    return Case(f"kernel: {packet.summary()}", [ether(packet)], [], kernel=1, config=CONFIG)


ONE, OTHER, UPPER, FAR = "198.51.100.1", "198.51.100.2", "198.51.100.200", "198.51.7.1"
SIX, SEVEN, FAR6 = "2001:db8:1::99", "2001:db8:1::7", "2001:db8:2::1"


def of(protocol, dst, rest=bytes(40)):
    return IP(src=CLIENT, dst=dst, proto=protocol, flags="DF") / Raw(rest)


def of6(protocol, dst, rest=bytes(40)):
    return IPv6(src=CLIENT6, dst=dst, nh=protocol) / Raw(rest)


CASES = [
    taken("exact", tcp(dst=ONE, dport=80)),
    taken("range", tcp(dst=ONE, dport=8000)), taken("range", tcp(dst=ONE, dport=8999)),
    taken("range", tcp(dst=ONE, dport=8091)),
    taken("narrow", tcp(dst=ONE, dport=8080)), taken("narrow", tcp(dst=ONE, dport=8090)),
    taken("tcp", tcp(dst=ONE, dport=7999)), taken("tcp", tcp(dst=ONE, dport=9000)), taken("tcp", tcp(dst=ONE, dport=1)),
    taken("tcp", tcp(dst=ONE, dport=65535)), taken("tcp", tcp(dst=ONE, dport=0)),
    # Its own protocol comes before fewer ports.
    taken("tcp", tcp(dst=ONE, dport=443)),
    taken("udp-range", udp(dst=ONE, dport=443, df=True)), taken("udp-range", udp(dst=ONE, dport=1000, df=True)),
    taken("address", udp(dst=ONE, dport=1001, df=True)),
    taken("net-web", tcp(dst=OTHER, dport=80)), taken("net", tcp(dst=OTHER, dport=81)),
    taken("net", udp(dst=OTHER, dport=80, df=True)), taken("net", tcp(dst="198.51.100.0", dport=81)),
    taken("half", udp(dst=UPPER, dport=53, df=True)), taken("half", udp(dst="198.51.100.128", dport=1, df=True)),
    taken("net", udp(dst="198.51.100.127", dport=1, df=True)), taken("net-web", tcp(dst="198.51.100.255", dport=80)),
    taken("wide", tcp(dst=FAR, dport=80)), taken("wide", tcp(dst="198.51.255.255", dport=1)), kernels(udp(dst=FAR)),
    kernels(tcp(dst="198.52.0.0")), kernels(tcp(dst="198.50.255.255")),
    taken("net6", tcp6(dst=SIX, dport=81)), taken("net6-web", tcp6(dst=SIX)), taken("net6", udp6(dst=SIX)),
    taken("host6", udp6(dst=SEVEN)), taken("net6", tcp6(dst=SEVEN, dport=81)), taken("net6-web", tcp6(dst=SEVEN)),
    taken("net6", udp6(dst="2001:db8:1:0:ffff:ffff:ffff:ffff")), taken("wide6", tcp6(dst="2001:db8:1:1::", dport=80)),
    taken("wide6", tcp6(dst=FAR6, dport=1024)), kernels(tcp6(dst=FAR6, dport=1025)), kernels(udp6(dst=FAR6)),
    kernels(tcp6(dst="2001:db9::1")),
    # Without ports, any port only.
    taken("address", IP(src=CLIENT, dst=ONE, flags="DF") / ESP(spi=1, seq=1, data=bytes(40))),
    taken("address", IP(src=CLIENT, dst=ONE, flags="DF") / SCTP(sport=5, dport=80) / SCTPChunkInit()),
    taken("address", IP(src=CLIENT, dst=ONE, flags="DF") / GRE() / tcp()),
    taken("address", of(4, ONE, bytes(tcp()))), taken("address", of(253, ONE, b"")),
    taken("net", of(50, UPPER)), taken("net6", of6(50, SIX)), taken("net6", of6(132, SEVEN)),
    taken("net6", of6(255, SIX, b"x")),
    kernels(of(50, FAR)), kernels(of6(132, FAR6)), kernels(of(2, ONE)), kernels(of6(59, SIX)),
    kernels(IP(src=CLIENT, dst=ONE) / ICMP(type=13)),
]


@each(CASES)
def test_matching(case):
    check(case)


def test_authentication_over_ipv4_is_a_protocol_of_its_own():
    packet = IP(src=CLIENT, dst=ONE, flags="DF", proto=51) / AH(nh=6, payloadlen=4, icv=bytes(12)) / Raw(bytes(20))
    assert replay(CONFIG, [ether(packet)]).frames == [ipip(packet, backend_of("address"))]


def most_specific(services, packet):
    """By its definition: of all that match, or None."""
    address = ipaddress.ip_address(packet.dst)
    protocol = {6: "tcp", 17: "udp"}.get(packet.nh if packet.version == 6 else packet.proto)
    port = packet.dport if protocol else 0
    found = []
    for name, (prefix, wanted, ports) in services.items():
        network = ipaddress.ip_network(prefix)
        low, _, high = str(ports).partition("-")
        low, high = (0, 65535) if ports == "any" else (int(low), int(high or low))
        has_protocol = wanted == protocol or (wanted == "any" and (protocol is not None or ports == "any"))
        if network.version == address.version and address in network and has_protocol and low <= port <= high:
            found.append((-network.prefixlen, wanted == "any", high - low, name))
    return min(found)[3] if found else None


def some_services(rng, count):
    """Any of which overlap, but none so that a packet could be either's."""
    chosen, spans = {}, {}
    while len(chosen) < count:
        base, bits = rng.choice([("198.51.100.0", 32), ("198.51.100.0", 32), ("2001:db8:1::", 128)])
        length = rng.choice([bits - 16, bits - 8, bits - 6, bits - 4, bits - 2, bits])
        address = ipaddress.ip_address(int(ipaddress.ip_address(base)) + rng.randrange(64))
        prefix = str(ipaddress.ip_network(f"{address}/{length}", strict=False))
        protocol = rng.choice(["tcp", "udp", "any"])
        low = rng.randrange(1, 30)
        high = low + rng.choice([0, 0, 1, 3, 7, 20])
        ports = "any" if rng.random() < 0.3 else f"{low}-{high}" if high > low else low
        span = (0, 65535) if ports == "any" else (low, high)
        others = spans.setdefault((prefix, protocol), [])
        if any(b - a == span[1] - span[0] and a <= span[1] and span[0] <= b for a, b in others):
            continue
        others.append(span)
        chosen[f"s{len(chosen)}"] = (prefix, protocol, ports)
    return chosen


def some_packet(rng):
    if rng.random() < 0.3:
        dst = str(ipaddress.ip_address(int(ipaddress.ip_address("2001:db8:1::")) + rng.randrange(70)))
        if rng.random() < 0.2:
            return of6(132, dst)
        return rng.choice([tcp6, udp6])(dst=dst, sport=rng.randrange(65536), dport=rng.randrange(40))
    dst = str(ipaddress.ip_address(int(ipaddress.ip_address("198.51.100.0")) + rng.randrange(-4, 70)))
    if rng.random() < 0.2:
        return of(50, dst)
    return rng.choice([tcp, udp])(dst=dst, sport=rng.randrange(65536), dport=rng.randrange(40), df=True)


def test_many_services_as_the_definition_has_it():
    for seed in range(20260310, 20260316):
        print("seed", seed)
        rng = random.Random(seed)
        services = some_services(rng, 60)
        packets = [some_packet(rng) for _ in range(1000)]
        outcome = replay(config_of(services), [ether(p) for p in packets], BOTH_SOURCES)
        wanted = [most_specific(services, packet) for packet in packets]
        assert outcome.counters["kernel"] == wanted.count(None)
        sent = [(packet, name) for packet, name in zip(packets, wanted) if name]
        names = list(services)
        assert len(sent) > 300 and len({name for _, name in sent}) > 20
        assert [outer_of(frame).dst for frame in outcome.frames] == [f"10.0.1.{1 + names.index(name)}" for _, name in sent]
        assert outcome.frames == [tunnelled(packet, f"10.0.1.{1 + names.index(name)}") for packet, name in sent]
        for name in names:
            assert outcome.service(name)["packets"] == wanted.count(name)
