"""source_allow and source_deny: the longest prefix that holds the client decides, deny where both have it."""
import ipaddress
import random

from case import Case, check, each
from configs import WEB1, backend, config, service
from harness import replay
from packets import ether, tcp, udp
from packets6 import WEB6, tcp6, udp6
from tunnel_packets import BOTH_SOURCES, tunnelled


def listed(prefixes):
    return "[" + ", ".join(f"'{prefix}'" for prefix in prefixes) + "]"


def config_of(allow=(), deny=(), **more):
    lists = {key: listed(value) for key, value in (("source_allow", allow), ("source_deny", deny)) if value}
    return config({"web": [backend("web1", WEB1)]},
                  [service(**lists, **more), service(f"'{WEB6}'", name="web6", **lists, **more)])


def decided(name, source, is_let_in, allow=(), deny=(), **more):
    packet = tcp6(src=source) if ":" in source else tcp(src=source)
    service_name = "web6" if ":" in source else "web"
    return Case(f"{name}: {source}", [ether(packet)], [tunnelled(packet, WEB1)] if is_let_in else [],
                {} if is_let_in else {"source_denied": 1}, new_flows={service_name: int(is_let_in)},
                config=config_of(allow, deny, **more), dataplane=BOTH_SOURCES)


def let_in(name, source, allow=(), deny=(), **more):
    return decided(name, source, True, allow, deny, **more)


def kept_out(name, source, allow=(), deny=(), **more):
    return decided(name, source, False, allow, deny, **more)


NET, NET6 = "192.0.2.0/24", "2001:db8:c::/48"
IN, IN6, OUT, OUT6 = "192.0.2.11", "2001:db8:c::11", "203.0.113.5", "2001:db8:d::1"
HOLE, HOLE6 = "192.0.2.8/29", "2001:db8:c::/64"
POINT, POINT6 = "192.0.2.11", "2001:db8:c::11"

CASES = [
    let_in("allowed", IN, [NET]), let_in("allowed", IN6, [NET6]),
    kept_out("not in the allow list", OUT, [NET]), kept_out("not in the allow list", OUT6, [NET6]),
    kept_out("an allow list of the other family", IN, [NET6]), kept_out("an allow list of the other family", IN6, [NET]),
    kept_out("denied", IN, deny=[NET]), kept_out("denied", IN6, deny=[NET6]),
    let_in("not in the deny list", OUT, deny=[NET]), let_in("not in the deny list", OUT6, deny=[NET6]),
    let_in("a deny list of the other family", IN, deny=[NET6]),
    let_in("a deny list of the other family", IN6, deny=[NET]),
    kept_out("denied within allowed", IN, [NET], [HOLE]), kept_out("denied within allowed", IN6, [NET6], [HOLE6]),
    let_in("allowed around denied", "192.0.2.16", [NET], [HOLE]),
    let_in("allowed around denied", "2001:db8:c:1::", [NET6], [HOLE6]),
    let_in("allowed within denied", IN, [HOLE], [NET]), let_in("allowed within denied", IN6, [HOLE6], [NET6]),
    kept_out("denied around allowed", "192.0.2.7", [HOLE], [NET]),
    kept_out("denied around allowed", "2001:db8:c:ffff::", [HOLE6], [NET6]),
    kept_out("in both", IN, [NET], [NET]), kept_out("in both", IN6, [NET6], [NET6]),
    let_in("three deep", IN, [NET, POINT], [HOLE]), let_in("three deep", IN6, [NET6, POINT6], [HOLE6]),
    kept_out("three deep", "192.0.2.12", [NET, POINT], [HOLE]),
    kept_out("three deep", "2001:db8:c::12", [NET6, POINT6], [HOLE6]),
    let_in("all of ipv4", OUT, ["0.0.0.0/0"]), kept_out("all of ipv4", OUT6, ["0.0.0.0/0"]),
    let_in("all of ipv6", OUT6, ["::/0"]), kept_out("all of ipv6", OUT, ["::/0"]),
    kept_out("nobody", OUT, deny=["0.0.0.0/0", "::/0"]), kept_out("nobody", OUT6, deny=["0.0.0.0/0", "::/0"]),
    let_in("first of a prefix", "192.0.2.0", [NET]), let_in("last of a prefix", "192.0.2.255", [NET]),
    kept_out("before a prefix", "192.0.1.255", [NET]), kept_out("behind a prefix", "192.0.3.0", [NET]),
    kept_out("any port", IN, deny=[NET], port="any"), let_in("a range", IN6, [NET6], port="1-99"),
    kept_out("without flows", IN, deny=[NET], flow="false"),
]


@each(CASES)
def test_sources(case):
    check(case)


def test_the_denied_are_counted_for_no_service_and_the_kernel_gets_none_of_them():
    text = config_of(deny=[NET])
    outcome = replay(text, [ether(tcp()), ether(tcp("A")), ether(tcp(src=OUT)), ether(tcp(dport=81))])
    assert outcome.dropped == {"source_denied": 2} and outcome.counters["kernel"] == 1
    assert outcome.service("web") == {"packets": 1, "bytes": 40, "new_flows": 1}


def test_each_service_has_lists_of_its_own():
    text = config({"web": [backend("web1", WEB1)]},
                  [service(source_deny=listed([NET])), service(port=81, name="b", source_allow=listed([NET])),
                   service("198.51.100.2", "udp", 53, "c")])
    outcome = replay(text, [ether(tcp()), ether(tcp(dport=81)), ether(udp())])
    assert outcome.dropped == {"source_denied": 1}
    assert outcome.frames == [tunnelled(tcp(dport=81), WEB1), tunnelled(udp(), WEB1)]


def decision(allow, deny, source):
    """By its definition."""
    address = ipaddress.ip_address(source)
    holding = [(ipaddress.ip_network(prefix).prefixlen, is_deny)
               for prefixes, is_deny in ((allow, False), (deny, True)) for prefix in prefixes
               if ipaddress.ip_network(prefix).version == address.version and address in ipaddress.ip_network(prefix)]
    return not max(holding)[1] if holding else not allow


def some_prefix(rng):
    base, bits = rng.choice([("192.0.2.0", 32), ("2001:db8:c::", 128)])
    length = rng.choice([bits - 20, bits - 8, bits - 6, bits - 5, bits - 4, bits - 3, bits - 1, bits])
    return str(ipaddress.ip_network((int(ipaddress.ip_address(base)) + rng.randrange(256), length), strict=False)
               if bits == 128 else ipaddress.ip_network(f"192.0.2.{rng.randrange(256)}/{length}", strict=False))


def test_many_prefixes_as_the_definition_has_it():
    for seed in range(20260320, 20260326):
        print("seed", seed)
        rng = random.Random(seed)
        allow, deny = ([some_prefix(rng) for _ in range(rng.choice((0, 5, 40)))] for _ in range(2))
        sources = [rng.choice([f"192.0.2.{rng.randrange(256)}", f"2001:db8:c::{rng.randrange(256):x}",
                               f"192.0.{rng.randrange(32)}.1", "203.0.113.9", "2001:db8::9"]) for _ in range(600)]
        packets = [(udp6 if ":" in source else udp)(src=source, dst=WEB6 if ":" in source else "198.51.100.1", dport=80)
                   for source in sources]
        outcome = replay(config_of(allow, deny, protocol="udp"), [ether(p) for p in packets], BOTH_SOURCES)
        wanted = [packet for packet, source in zip(packets, sources) if decision(allow, deny, source)]
        assert outcome.dropped.get("source_denied", 0) == len(packets) - len(wanted)
        assert [frame[-len(packet):] for frame, packet in zip(outcome.frames, wanted, strict=True)] == [
            bytes(packet) for packet in wanted]
