"""Forward ipip (RFC 2003): DF and TOS from the inner header, ID from a counter when DF is clear."""
from scapy.layers.inet import IP, IPOption_NOP, IPOption_RR
from scapy.layers.l2 import Ether

from case import Case, check, each
from configs import ONE_BACKEND, WEB1, dataplane
from harness import replay
from packets import BALANCER_MAC, CLIENT_MAC, checksums_hold, ether, ipip, tcp

SYN = tcp()
DATA = tcp("PA", size=100)
FREE = [tcp("A", size=i, df=False, id=1000 + i) for i in range(4)]
RECORD_ROUTE = tcp(options=[IPOption_RR(length=11, pointer=4, routers=["0.0.0.0"] * 2), IPOption_NOP()])
TCP_OPTIONS = tcp(tcp_options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("WScale", 7)])
ODD = tcp("PA", size=33)

CASES = [
    Case("syn", [ether(SYN)], [ipip(SYN, WEB1)], new_flows={"web": 1, "dns": 0}),
    Case("data", [ether(DATA)], [ipip(DATA, WEB1)]),
    Case("odd length", [ether(ODD)], [ipip(ODD, WEB1)]),
    Case("largest that fits", [ether(tcp("A", size=1440))], [ipip(tcp("A", size=1440), WEB1)]),
    Case("df set has id 0 outside, whatever it is inside", [ether(tcp(id=77))], [ipip(tcp(id=77), WEB1)]),
    Case("df clear counts the id up", [ether(p) for p in FREE], [ipip(p, WEB1, ident=i) for i, p in enumerate(FREE)]),
    Case("df set does not count the id up",
         [ether(FREE[0]), ether(SYN), ether(FREE[1])],
         [ipip(FREE[0], WEB1, ident=0), ipip(SYN, WEB1), ipip(FREE[1], WEB1, ident=1)]),
    *[Case(f"tos {tos:#04x}", [ether(tcp(tos=tos))], [ipip(tcp(tos=tos), WEB1)]) for tos in (1, 2, 3, 0xB8, 0xFF)],
    *[Case(f"inner ttl {ttl} stays", [ether(tcp(ttl=ttl))], [ipip(tcp(ttl=ttl), WEB1)]) for ttl in (1, 255)],
    Case("ip options stay inside", [ether(RECORD_ROUTE)], [ipip(RECORD_ROUTE, WEB1)]),
    Case("tcp options", [ether(TCP_OPTIONS)], [ipip(TCP_OPTIONS, WEB1)]),
    Case("a wrong tcp checksum is the backend's to judge",
         [ether(tcp(size=8).__class__(bytes(tcp(size=8))[:36] + b"\xde\xad" + bytes(tcp(size=8))[38:]))],
         [ipip(bytes(tcp(size=8))[:36] + b"\xde\xad" + bytes(tcp(size=8))[38:], WEB1)]),
    *[Case(f"{n} bytes of ethernet padding go", [bytes(ether(SYN)) + b"\xaa" * n], [ipip(SYN, WEB1)])
      for n in (1, 6, 200, 1500)],
    Case("any mac is taken, and answered from", [Ether(src=CLIENT_MAC, dst="02:99:00:00:00:01") / SYN],
         [Ether(src="02:99:00:00:00:01", dst="02:00:00:00:00:01") / IP(ipip(SYN, WEB1)[14:])]),
    Case("tunnel source of dataplane.yaml", [ether(SYN)], [ipip(SYN, WEB1, source="10.9.9.9")],
         dataplane=dataplane(tunnel_source="{ipv4: 10.9.9.9}")),
    Case("next_hop_mac of dataplane.yaml", [ether(SYN)], [ipip(SYN, WEB1, next_hop="02:aa:bb:cc:dd:ee")],
         dataplane=dataplane(port=', next_hop_mac: "02:aa:bb:cc:dd:ee"')),
    Case("no tunnel source", [ether(SYN)], [], dropped={"no_tunnel_source": 1}, dataplane=dataplane(tunnel_source="")),
    Case("our own tunnel source would loop", [ether(tcp(src="10.0.0.2"))], [], dropped={"loop": 1}),
]


@each(CASES)
def test_ipip(case):
    for frame in check(case).frames:
        assert Ether(frame).src != CLIENT_MAC
        assert checksums_hold(frame) or case.name.startswith("a wrong tcp checksum")


def test_the_id_wraps():
    # More frames than a burst: the counter runs through all of them.
    packets = [tcp("A", df=False, id=i) for i in range(300)]
    outcome = replay(ONE_BACKEND, [ether(p) for p in packets] * 220)
    assert [int.from_bytes(frame[18:20], "big") for frame in outcome.frames] == [i % 65536 for i in range(66000)]


def test_counts_bytes_of_the_packet_as_received():
    outcome = replay(ONE_BACKEND, [bytes(ether(SYN)) + b"\0" * 6, ether(DATA)])
    assert outcome.service("web") == {"packets": 2, "bytes": len(SYN) + len(DATA), "new_flows": 1}
    assert outcome.backend("web", "web1") == outcome.service("web")
    assert outcome.service("dns") == outcome.backend("dns", "ns1") == {"packets": 0, "bytes": 0, "new_flows": 0}


def test_output_has_the_times_of_the_frames():
    outcome = replay(ONE_BACKEND, [ether(SYN), ether(DATA), ether(DATA)])
    assert outcome.times == [0, 1_000_000, 2_000_000]
    assert BALANCER_MAC == Ether(outcome.frames[0]).src
