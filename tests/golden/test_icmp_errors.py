"""ICMP errors about what a backend has sent go to it, unchanged (RFC 7690); all others are the kernel's."""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrFragment)
from scapy.packet import Raw

from configs import WEB1, dataplane
from case import Case, check, each
from harness import SECOND, Input, replay
from packets import CLIENT, DNS, WEB, ether, ipip, l2, l2_mac, payload, tcp, udp
from test_flows import SLACK
from unwrapping import CLIENT6, MODES, SOURCES, WEB6, ends_of, of_mode, unwrap

ROUTER, ROUTER6 = "203.0.113.9", "2001:db8:f::9"


def reply(src=WEB, dst=CLIENT, sport=80, dport=40000, size=100, layer=TCP, **ip):
    """What a backend sends from the service's address."""
    family = IPv6 if ":" in src else IP
    return family(src=src, dst=dst, **ip) / layer(sport=sport, dport=dport) / Raw(payload(size))


def error(about, type=3, code=4, quote=None, to=None, src=ROUTER, **icmp):
    body = bytes(about)[:quote] if quote else bytes(about)
    return IP(src=src, dst=to or about[IP].src) / ICMP(type=type, code=code, **icmp) / Raw(body)


V6_ERRORS = {1: ICMPv6DestUnreach, 2: ICMPv6PacketTooBig, 3: ICMPv6TimeExceeded, 4: ICMPv6ParamProblem}


def error6(about, type=2, code=0, quote=None, to=None, src=ROUTER6, **icmp):
    body = bytes(about)[:quote] if quote else bytes(about)
    return IPv6(src=src, dst=to or about[IPv6].src) / V6_ERRORS[type](code=code, **icmp) / Raw(body)


def goes(name, packet, **how):
    return Case(name, [ether(packet)], [ipip(packet, WEB1)], new_flows={"web": 0, "dns": 0}, **how)


def kernels(name, packet):
    return Case(name, [ether(packet)], [], kernel=1, new_flows={"web": 0, "dns": 0})


def ip_options(about):
    return IP(src=about[IP].src, dst=about[IP].dst, options=[b"\x07\x07\x04\0\0\0\0\0"]) / about[IP].payload


DATAGRAM = reply(DNS, sport=53, layer=UDP)
FIRST_FRAGMENT, LATER_FRAGMENT = reply(flags="MF", frag=0), reply(flags="MF", frag=3)

CASES = [
    *[goes(f"unreachable, code {code}", error(reply(), 3, code)) for code in range(16)],
    *[goes(f"time exceeded, code {code}", error(reply(), 11, code)) for code in (0, 1)],
    *[goes(f"parameter problem, code {code}", error(reply(), 12, code, ptr=1)) for code in (0, 1, 2)],
    goes("an mtu", error(reply(size=1400), 3, 4, quote=528, nexthopmtu=1400)),
    goes("no more quoted than rfc 792 asks", error(reply(), quote=28)),
    goes("options in the quoted header", error(ip_options(reply()))),
    goes("a quoted first fragment", error(FIRST_FRAGMENT)),
    goes("a quoted ttl of zero and a checksum of before", error(reply(ttl=0, chksum=0x1234))),
    goes("to a client's other port", error(reply(dport=1))),
    Case("udp", [ether(error(DATAGRAM))], [l2(error(DATAGRAM), l2_mac("10.0.1.21"))]),
    kernels("a quoted later fragment", error(LATER_FRAGMENT)),
    kernels("seven bytes behind the quoted header", error(reply(), quote=27)),
    kernels("a quoted header that is cut", error(reply(), quote=19)),
    kernels("nothing quoted", IP(src=ROUTER, dst=WEB) / ICMP(type=3, code=4)),
    kernels("what another has sent", error(reply(src="198.51.100.77"), to=WEB)),
    kernels("what the client has sent", error(tcp(), to=WEB)),
    kernels("source quench", error(reply(), 4, 0)),
    kernels("redirect", error(reply(), 5, 1)),
    kernels("a redirect's bytes behind a reserved type", error(reply(), 6, 0)),
    kernels("a port that is no service's", error(reply(sport=81))),
    kernels("udp of a tcp service", error(reply(layer=UDP))),
    kernels("an address that is no service's", error(reply(src="198.51.100.77"))),
    kernels("about an icmp error", error(IP(src=WEB, dst=CLIENT) / ICMP(type=3, code=1) / Raw(bytes(tcp())))),
    kernels("about an echo reply", error(IP(src=WEB, dst=CLIENT) / ICMP(type=0, id=7) / Raw(payload(56)))),
    kernels("ipv6 quoted", IP(src=ROUTER, dst=WEB) / ICMP(type=3, code=4) / Raw(bytes(reply(WEB6, CLIENT6)))),
]


@each(CASES)
def test_icmp_errors(case):
    outcome = check(case)
    assert outcome.counters["events"]["icmp_errors_forwarded"] == len(case.expected)
    assert outcome.service("web")["packets"] == outcome.service("dns")["packets"] == 0


V6 = [*[(1, code, {}) for code in range(9)], (2, 0, {"mtu": 1280}), (3, 0, {}), (3, 1, {}),
      *[(4, code, {"ptr": 6}) for code in range(4)]]


@pytest.mark.parametrize("type,code,more", V6)
@pytest.mark.parametrize("layer,protocol", [(TCP, "tcp"), (UDP, "udp")])
def test_icmpv6_errors(type, code, more, layer, protocol):
    packet = error6(reply(WEB6, CLIENT6, layer=layer), type, code, **more)
    outcome = replay(of_mode("ipip", 6, 6, protocol), [ether(packet)], dataplane(tunnel_source=SOURCES))
    assert unwrap(outcome.frames[0], "ipip").packet == bytes(packet)
    assert outcome.counters["events"]["icmp_errors_forwarded"] == 1


V6_KERNEL = {
    "a quoted later fragment": error6(IPv6(src=WEB6, dst=CLIENT6) / IPv6ExtHdrFragment(offset=3, nh=6) / Raw(b"x" * 64)),
    "seven bytes of tcp": error6(reply(WEB6, CLIENT6), quote=47),
    "a quoted header that is cut": error6(reply(WEB6, CLIENT6), quote=39),
    "what another has sent": error6(reply("2001:db8:100::77", CLIENT6), to=WEB6),
    "ipv4 quoted": IPv6(src=ROUTER6, dst=WEB6) / ICMPv6PacketTooBig() / Raw(bytes(reply())),
    "another port": error6(reply(WEB6, CLIENT6, sport=81)),
    "a type to come": IPv6(src=ROUTER6, dst=WEB6) / Raw(b"\x05\0\0\0\0\0\0\0" + bytes(reply(WEB6, CLIENT6))),
}


@pytest.mark.parametrize("name", V6_KERNEL)
def test_icmpv6_errors_that_are_the_kernels(name):
    outcome = replay(of_mode("ipip", 6, 6), [ether(V6_KERNEL[name])], dataplane(tunnel_source=SOURCES))
    assert (outcome.frames, outcome.counters["kernel"], outcome.dropped) == ([], 1, {})


@pytest.mark.parametrize("about", [
    IPv6(src=WEB6, dst=CLIENT6) / IPv6ExtHdrDestOpt() / TCP(sport=80, dport=40000),
    IPv6(src=WEB6, dst=CLIENT6) / IPv6ExtHdrFragment(m=1) / TCP(sport=80, dport=40000),
], ids=["options", "first fragment"])
def test_extension_headers_in_the_quote(about):
    outcome = replay(of_mode("ipip", 6, 4), [ether(error6(about))], dataplane(tunnel_source=SOURCES))
    assert unwrap(outcome.frames[0], "ipip").packet == bytes(error6(about))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
@pytest.mark.parametrize("backends", [4, 6], ids=["to v4", "to v6"])
def test_goes_where_the_flow_goes(mode, family, backends):
    """Forty flows: errors before and after their packets, to the same backend, and nothing remembered for them."""
    client, web = (CLIENT, WEB) if family == 4 else (CLIENT6, WEB6)
    frames, errors = [], []
    for sport in range(2000, 2040):
        flow = tcp("A", sport=sport) if family == 4 else IPv6(src=client, dst=web) / TCP(sport=sport, dport=80, flags="A")
        about = (error if family == 4 else error6)(reply(web, client, dport=sport))
        errors.append(bytes(about))
        frames += [ether(about), ether(flow), ether(about)]
    outcome = replay(of_mode(mode, family, backends), frames, dataplane(tunnel_source=SOURCES))
    assert (outcome.counters["sent"], outcome.dropped) == (len(frames), {})
    assert outcome.service("web")["new_flows"] == outcome.service("web")["packets"] == 40
    sent = [unwrap(frame, mode) for frame in outcome.frames]
    ends = set()
    for i, expected in enumerate(errors):
        before, flow, after = sent[3 * i:3 * i + 3]
        assert before.packet == after.packet == expected
        assert before.backend == flow.backend == after.backend
        ends.add(flow.backend)
    assert ends == set(ends_of(mode, backends))


def test_an_error_renews_nothing():
    """The flow ends when it would have ended without it."""
    text = of_mode("ipip", timeouts="{opening: 2s, established: 10s, closing: 3s, udp: 5s}")

    def at(seconds, packet, offset=0):
        return Input(bytes(ether(packet)), at=int(seconds * SECOND) + offset)

    frames = [at(0, tcp("S")), *[at(0.1 * i, error(reply())) for i in range(1, 22)]]
    assert replay(text, [*frames, at(2, tcp("A"), SLACK)]).service("web")["new_flows"] == 2
    frames = [at(0, tcp("S")), at(0.1, tcp("A")), *[at(i, error(reply())) for i in range(1, 10)]]
    assert replay(text, [*frames, at(10.1, tcp("A"), SLACK)]).service("web")["new_flows"] == 2


def test_without_a_backend_it_is_dropped():
    outcome = replay(of_mode("ipip", more_of_backends={"state": "down"}), [ether(error(reply()))])
    assert (outcome.frames, outcome.dropped) == ([], {"no_backend": 1})


@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
def test_too_big_for_the_tunnel_is_told_to_nobody(family):
    """No error about an error (RFC 1122, 3.2.2; RFC 4443, 2.4)."""
    if family == 4:
        packet = IP(flags="DF", src=ROUTER, dst=WEB) / ICMP(type=3, code=4) / Raw(bytes(reply(size=1600))[:1460])
    else:
        packet = error6(reply(WEB6, CLIENT6, size=1600), quote=1440)
    outcome = replay(of_mode("ipip", family), [ether(packet)], dataplane(tunnel_source=SOURCES))
    assert (outcome.frames, outcome.counters["originated"], outcome.dropped) == ([], 0, {"too_big": 1})
