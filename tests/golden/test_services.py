"""Services of one address on other ports and protocols, pools that several share, and services without flows."""
from configs import backend, config, service
from harness import SECOND, Input, replay
from packets import WEB, ether, ipip, l2, l2_mac, tcp, udp

POOLS = {"a": [backend("a1", "10.0.1.1")], "b": [backend("b1", "10.0.1.2")], "c": [backend("c1", "10.0.1.3")]}
SERVICES = [
    service(WEB, "tcp", 80, "http", "a"),
    service(WEB, "tcp", 443, "https", "b"),
    service(WEB, "udp", 443, "quic", "c", forward="l2"),
    service("198.51.100.2", "tcp", 80, "other", "a", forward="l2"),
    service(WEB, "tcp", 65535, "last", "b"),
    service(WEB, "tcp", 1, "first", "b"),
]
CONFIG = config(POOLS, SERVICES)


def test_each_goes_to_its_pool():
    sent = [tcp(dport=80), tcp(dport=443), udp(dst=WEB, dport=443), tcp(dst="198.51.100.2"), tcp(dport=65535),
            tcp(dport=1)]
    outcome = replay(CONFIG, [ether(packet) for packet in sent])
    assert outcome.frames == [
        ipip(sent[0], "10.0.1.1"), ipip(sent[1], "10.0.1.2"), l2(sent[2], l2_mac("10.0.1.3")),
        l2(sent[3], l2_mac("10.0.1.1")), ipip(sent[4], "10.0.1.2"), ipip(sent[5], "10.0.1.2")]
    assert {name: s["packets"] for name, s in outcome.counters["services"].items()} == dict.fromkeys(
        ["http", "https", "quic", "other", "last", "first"], 1)
    assert outcome.backend("a", "a1")["packets"] == 2
    assert outcome.backend("b", "b1")["packets"] == 3


def test_ports_between_are_the_kernels():
    outcome = replay(CONFIG, [ether(tcp(dport=port)) for port in (2, 79, 81, 442, 444, 65534, 0)])
    assert outcome.counters["kernel"] == 7


def test_a_service_without_flows_remembers_none():
    pools = {"web": [backend(f"w{i}", f"10.0.1.{i}") for i in range(1, 6)]}
    frames = [Input(bytes(ether(tcp(flags, sport=1000 + i))), at=(i + 200 * n) * SECOND // 1000)
              for n, flags in enumerate(["S", "A", "FA", "S"]) for i in range(200)]
    without = replay(config(pools, [service(flow="off")]), frames)
    tracked = replay(config(pools, [service()]), frames)
    assert without.service("web")["new_flows"] == 0
    assert tracked.service("web")["new_flows"] == 400
    assert without.counters["events"]["flows_created"] == 0
    # The table does not change in a replay, so both choose alike.
    assert without.frames == tracked.frames
