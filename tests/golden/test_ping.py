"""Pings to service addresses: answered here, or forwarded where the service asks for it."""
import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from case import Case, check, each
from configs import backend, config, dataplane, service
from harness import SECOND, Input, replay
from packets import BALANCER_MAC, CLIENT, CLIENT_MAC, WEB, ether, ipip, payload, tcp
from unwrapping import BACKENDS, CLIENT6, MODES, SOURCES, WEB6, ends_of, of_mode, quoted, unwrap


def ping(src=CLIENT, dst=WEB, id=7, seq=1, size=56, code=0, **ip):
    return IP(src=src, dst=dst, **ip) / ICMP(type=8, code=code, id=id, seq=seq) / Raw(payload(size))


def ping6(src=CLIENT6, dst=WEB6, id=7, seq=1, size=56, code=0, **ip):
    return IPv6(src=src, dst=dst, **ip) / ICMPv6EchoRequest(id=id, seq=seq, code=code, data=payload(size))


def pong(src=WEB, dst=CLIENT, id=7, seq=1, size=56, **ip):
    return bytes(Ether(src=BALANCER_MAC, dst=CLIENT_MAC) / IP(src=src, dst=dst, ttl=64, **ip) /
                 ICMP(type=0, id=id, seq=seq) / Raw(payload(size)))


def pong6(src=WEB6, dst=CLIENT6, id=7, seq=1, size=56, **ip):
    return bytes(Ether(src=BALANCER_MAC, dst=CLIENT_MAC) / IPv6(src=src, dst=dst, hlim=64, **ip) /
                 ICMPv6EchoReply(id=id, seq=seq, data=payload(size)))


def identified(packet):
    packet[IP].id = 0x4321
    return packet.__class__(bytes(fresh(packet)))


def fresh(packet):
    del packet[IP].chksum
    return packet


def spoilt(packet):
    frame = bytearray(bytes(ether(packet)))
    frame[-1] ^= 0x55  # behind the checksum
    return bytes(frame)


def answered(name, packet, answer, **how):
    return Case(name, [packet], [answer], new_flows={"web": 0}, **how)


def refused(name, packet):
    return Case(name, [ether(packet)], [], {"bad_echo": 1})


def kernels(name, packet):
    return Case(name, [ether(packet)], [], kernel=1)


CASES = [
    *[answered(f"{size} bytes", ether(ping(size=size)), pong(size=size)) for size in (0, 1, 56, 57, 1472)],
    answered("any id and sequence", ether(ping(id=0xffff, seq=0xfffe)), pong(id=0xffff, seq=0xfffe)),
    answered("zeros", ether(ping(id=0, seq=0)), pong(id=0, seq=0)),
    answered("the request's class and df", ether(ping(tos=0xb8, flags="DF", ttl=3)), pong(tos=0xb8, flags="DF")),
    answered("the request's identification", ether(identified(ping())), bytes(identified(Ether(pong())))),
    answered("padding stays behind", bytes(ether(ping(size=0))) + b"\xee" * 18, pong(size=0)),
    Case("all in one burst, each its own", [Input(bytes(ether(ping(seq=i))), at=0) for i in range(32)],
         [pong(seq=i) for i in range(32)]),
    Case("between a flow's packets", [ether(tcp()), ether(ping()), ether(tcp("A"))],
         [ipip(tcp(), "10.0.1.11"), pong(), ipip(tcp("A"), "10.0.1.11")], new_flows={"web": 1}),
    refused("a code", ping(code=1)),
    refused("options", ping(options=[b"\x07\x07\x04\0\0\0\0\0"])),
    refused("from itself", ping(src=WEB)),
    *[refused(f"from {source}", ping(src=source))
      for source in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255")],
    kernels("no service's address", ping(dst="198.51.100.77")),
    kernels("an echo reply", IP(src=CLIENT, dst=WEB) / ICMP(type=0)),
    kernels("a timestamp request", IP(src=CLIENT, dst=WEB) / ICMP(type=13) / Raw(b"\0" * 8)),
    kernels("a first fragment", ping(flags="MF")),
    kernels("a later fragment", IP(src=CLIENT, dst=WEB, proto=1, frag=9) / Raw(payload(64))),
    Case("cut before its id", [ether(IP(src=CLIENT, dst=WEB, proto=1) / Raw(b"\x08\0\0\0"))], [], kernel=1),
]


@each(CASES)
def test_ping(case):
    outcome = check(case)
    echoes = sum(1 for frame in outcome.frames if ICMP in Ether(frame) and Ether(frame)[IP].proto == 1)
    assert outcome.counters["events"]["echoes_answered"] == echoes
    assert outcome.counters["originated"] == 0  # the answer is the request, sent back


@pytest.mark.parametrize("size", [0, 1, 56, 57, 1452])
@pytest.mark.parametrize("how", [{}, {"tc": 0xb8, "fl": 0x12345}], ids=["plain", "class and label"])
def test_ping_of_ipv6(size, how):
    outcome = replay(of_mode("ipip", 6), [ether(ping6(size=size, hlim=3, **how))], dataplane(tunnel_source=SOURCES))
    assert [frame.hex() for frame in outcome.frames] == [pong6(size=size, **how).hex()]
    assert outcome.counters["events"]["echoes_answered"] == 1


@pytest.mark.parametrize("packet,dropped", [
    (ping6(code=1), {"bad_echo": 1}), (ping6(src=WEB6), {"bad_echo": 1}), (ping6(src="::"), {"bad_echo": 1}),
    (ping6(src="::1"), {"bad_echo": 1}), (ping6(src="ff02::1"), {"bad_echo": 1}),
    (IPv6(src=CLIENT6, dst=WEB6) / IPv6ExtHdrDestOpt() / ping6().payload, {"bad_echo": 1}),
    (IPv6(src=CLIENT6, dst=WEB6) / IPv6ExtHdrFragment(m=1) / ping6().payload, {}),
    (ping6(dst="2001:db8:100::2"), {}),
], ids=["code", "from itself", "unspecified", "loopback", "multicast", "options", "fragment", "no service"])
def test_pings_of_ipv6_that_are_not_answered(packet, dropped):
    outcome = replay(of_mode("ipip", 6), [ether(packet)], dataplane(tunnel_source=SOURCES))
    assert (outcome.frames, outcome.dropped, outcome.counters["kernel"]) == ([], dropped, 0 if dropped else 1)


def test_a_wrong_checksum_stays_wrong():
    """The checksum is changed in step, so that the client sees what happened to its packet."""
    answer = Ether(replay(of_mode("ipip"), [spoilt(ping())]).frames[0])
    right = answer.copy()
    del right[ICMP].chksum
    assert Ether(bytes(right))[ICMP].chksum != answer[ICMP].chksum


@pytest.mark.parametrize("state", ["down", "drain"])
@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
def test_answered_when_no_backend_is_up(state, family):
    packet, answer = (ping(), pong()) if family == 4 else (ping6(), pong6())
    outcome = replay(of_mode("ipip", family, more_of_backends={"state": state}), [ether(packet)])
    assert outcome.frames == [answer]


def prefix_service(**more):
    return config({"web": [backend(f"b{i}", address) for i, address in enumerate(BACKENDS[4])]},
                  [service("198.51.100.0/28", "tcp", 80, **more),
                   service(quoted("2001:db8:100::/64"), "tcp", 80, name="web6", **more)])


def test_every_address_of_a_prefix_answers():
    inside = ["198.51.100.0", "198.51.100.9", "198.51.100.15"]
    inside6 = ["2001:db8:100::", "2001:db8:100::1", "2001:db8:100:0:ffff::9"]
    frames = [ether(ping(dst=to)) for to in inside] + [ether(ping6(dst=to)) for to in inside6]
    outside = [ether(ping(dst="198.51.100.16")), ether(ping(dst="198.51.99.255")), ether(ping6(dst="2001:db8:100:1::"))]
    outcome = replay(prefix_service(), frames + outside)
    assert outcome.frames == [pong(src=to) for to in inside] + [pong6(src=to) for to in inside6]
    assert outcome.counters["kernel"] == len(outside)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
@pytest.mark.parametrize("backends", [4, 6], ids=["to v4", "to v6"])
def test_forwarded(mode, family, backends):
    """One run of pings stays at one backend; another id or client may have another. None is a flow."""
    runs = [(source, ident) for source in range(1, 6) for ident in range(1, 9)]
    packets = []
    for seq in range(3):
        for source, ident in runs:
            packets.append(ping(src=f"192.0.2.{source}", id=ident, seq=seq) if family == 4 else
                           ping6(src=f"2001:db8:c::{source}", id=ident, seq=seq))
    outcome = replay(of_mode(mode, family, backends, ping="forward"), [ether(packet) for packet in packets],
                     dataplane(tunnel_source=SOURCES))
    sent = [unwrap(frame, mode) for frame in outcome.frames]
    assert [one.packet for one in sent] == [bytes(packet) for packet in packets]
    rounds = [[one.backend for one in sent[i:i + len(runs)]] for i in range(0, len(sent), len(runs))]
    assert rounds[0] == rounds[1] == rounds[2]
    assert set(rounds[0]) == set(ends_of(mode, backends))
    assert outcome.service("web")["new_flows"] == 0
    assert outcome.counters["events"]["echoes_answered"] == outcome.counters["events"]["flows_created"] == 0


def test_forwarded_from_a_prefix():
    packets = [ping(dst="198.51.100.9"), ping6(dst="2001:db8:100::9")]
    outcome = replay(prefix_service(ping="forward"), [ether(packet) for packet in packets])
    assert [unwrap(frame, "ipip").packet for frame in outcome.frames] == [bytes(packet) for packet in packets]


def test_an_address_of_its_own_is_not_asked_of_its_prefix():
    text = config({"web": [backend("b", "10.0.1.11")]},
                  [service("198.51.100.0/28", ping="forward"), service(name="own")])
    outcome = replay(text, [ether(ping()), ether(ping(dst="198.51.100.2"))])
    assert outcome.frames == [pong(), ipip(ping(dst="198.51.100.2"), "10.0.1.11")]


def test_forwarded_to_nobody():
    outcome = replay(of_mode("ipip", more_of_backends={"state": "down"}, ping="forward"), [ether(ping())])
    assert (outcome.frames, outcome.dropped) == ([], {"no_backend": 1})


@pytest.mark.parametrize("gap,answers", [(0, 500), (SECOND // 500, 1500)], ids=["at once", "spread"])
def test_a_flood_is_bounded(gap, answers):
    outcome = replay(of_mode("ipip"), [Input(bytes(ether(ping(seq=i))), at=i * gap) for i in range(1500)])
    assert len(outcome.frames) == answers
    assert outcome.dropped == ({"echo_limit": 1500 - answers} if answers < 1500 else {})
