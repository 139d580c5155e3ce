"""Too big for the egress MTU: never sent as it is. With DF, and over IPv6, the sender is told (RFC 1191, RFC 8201);
without DF it leaves in pieces, which scapy puts together again."""
import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, defragment
from scapy.layers.inet6 import (ICMPv6PacketTooBig, IPv6, IPv6ExtHdrFragment, defragment6)
from scapy.layers.l2 import GRE, Ether
from scapy.packet import Raw

from case import Case, check, each
from configs import NS1, ONE_BACKEND, WEB1, backend, config, dataplane, service
from harness import SECOND, Input, replay
from packets import (BALANCER_MAC, CLIENT_MAC, checksums_hold, ether, fragmentation_needed, ipip, l2, l2_mac, payload,
                     sized_tcp, tcp, udp)

FITS, TOO_BIG = sized_tcp(1480, flags="A"), sized_tcp(1481, flags="A")
FULL = sized_tcp(1500, flags="A")
WITHOUT_DF = sized_tcp(1481, flags="A", df=False)
SMALL_FITS, SMALL_TOO_BIG = sized_tcp(556, flags="A"), sized_tcp(557, flags="A")
QUERY = udp(size=1473, df=True)
JUMBO = sized_tcp(9000, flags="A")
UNANSWERED = ["0.0.0.0", "127.0.0.1", "224.0.0.9", "240.0.0.1", "255.255.255.255"]

CASES = [
    Case("just fits", [ether(FITS)], [ipip(FITS, WEB1)]),
    Case("one byte too many", [ether(TOO_BIG)], [fragmentation_needed(TOO_BIG, 1480)], {"too_big": 1}, originated=1),
    Case("full size", [ether(FULL)], [fragmentation_needed(FULL, 1480)], {"too_big": 1}, originated=1),
    Case("jumbo", [ether(JUMBO)], [fragmentation_needed(JUMBO, 1480)], {"too_big": 1}, originated=1),
    Case("l2 has no overhead", [ether(QUERY)], [fragmentation_needed(QUERY, 1500)], {"too_big": 1}, originated=1),
    Case("smallest mtu fits", [ether(SMALL_FITS)], [ipip(SMALL_FITS, WEB1)], dataplane=dataplane(mtu=576)),
    Case("smallest mtu", [ether(SMALL_TOO_BIG)], [fragmentation_needed(SMALL_TOO_BIG, 556)], {"too_big": 1},
         originated=1, dataplane=dataplane(mtu=576)),
    Case("jumbo mtu", [ether(JUMBO)], [ipip(JUMBO, WEB1)], dataplane=dataplane(mtu=9020)),
    Case("padding does not count", [bytes(ether(FITS)) + b"\0" * 100], [ipip(FITS, WEB1)]),
    *[Case(f"no answer to {source}", [ether(sized_tcp(1481, src=source))], [], {"too_big": 1})
      for source in UNANSWERED],
    Case("no answer to a group's mac", [ether(TOO_BIG, src="03:00:00:00:00:01")], [], {"too_big": 1}),
    Case("between others", [ether(FITS), ether(TOO_BIG), ether(udp())],
         [ipip(FITS, WEB1), fragmentation_needed(TOO_BIG, 1480), l2(udp(), l2_mac(NS1))], {"too_big": 1}, originated=1),
]


@each(CASES)
def test_too_big(case):
    for frame in check(case).frames:
        # Not of a quote, which is cut.
        assert ICMP in Ether(frame) or checksums_hold(frame)


def test_scapy_reads_the_answer():
    answer = Ether(replay(ONE_BACKEND, [ether(TOO_BIG)]).frames[0])
    assert (answer[IP].src, answer[IP].dst) == (TOO_BIG[IP].dst, TOO_BIG[IP].src)
    assert (answer[ICMP].type, answer[ICMP].code, answer[ICMP].nexthopmtu) == (3, 4, 1480)
    assert answer[IP].len == 576
    quoted = bytes(answer[ICMP].payload)
    assert quoted == bytes(TOO_BIG)[:548]
    again = answer.copy()
    del again[IP].chksum
    assert Ether(bytes(again))[IP].chksum == answer[IP].chksum
    # The ICMP checksum by its definition: the sum over the message is all ones.
    message = bytes(answer)[34:34 + answer[IP].len - 20]
    total = sum(int.from_bytes(message[i:i + 2], "big") for i in range(0, len(message), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF


@pytest.mark.parametrize("gap,answered", [(0, 50), (SECOND // 50, 150)], ids=["at once", "spread"])
def test_answers_are_rate_limited(gap, answered):
    outcome = replay(ONE_BACKEND, [Input(bytes(ether(TOO_BIG)), at=i * gap) for i in range(150)])
    assert outcome.counters["originated"] == len(outcome.frames) == answered
    assert outcome.dropped == {"too_big": 150}
    assert outcome.counters["events"]["icmp_suppressed"] == 150 - answered


def test_a_packet_that_is_too_big_still_belongs_to_its_flow():
    outcome = replay(ONE_BACKEND, [ether(sized_tcp(100)), ether(TOO_BIG), ether(sized_tcp(100, flags="A"))])
    assert outcome.service("web")["new_flows"] == 1
    assert outcome.service("web")["packets"] == 3
    assert outcome.backend("web", "web1")["packets"] == 2


BOTH_SOURCES = "{ipv4: 10.0.0.2, ipv6: \"2001:db8::2\"}"
SERVER_V6 = "2001:db8:1::11"
WEB_V6, CLIENT_V6 = "2001:db8:100::1", "2001:db8:9::1"
SERVERS = {"ipv4 outer": WEB1, "ipv6 outer": SERVER_V6}


def tunnels(server, **options):
    """The web service of both families, on one server."""
    return config({"web": [backend("web1", f'"{server}"')]},
                  [service(**options), service(address=f'"{WEB_V6}"', name="web6", **options)])


def through(server, frames, mtu=1500, **options):
    outcome = replay(tunnels(server, **options), frames, dataplane(mtu, BOTH_SOURCES))
    packets = [Ether(frame) for frame in outcome.frames]
    assert all(len(packet) <= 14 + mtu for packet in packets)
    return outcome, packets


def tcp6(size):
    return IPv6(src=CLIENT_V6, dst=WEB_V6) / TCP(sport=40000, dport=80, flags="A") / Raw(payload(size))


def put_together(packets):
    """The one packet that the fragments are of."""
    if IP in packets[0] and packets[0].type == 0x0800:
        whole, = defragment([IP(bytes(p.payload)) for p in packets])
        assert not whole.flags.MF
        return whole
    return defragment6([IPv6(bytes(p.payload)) for p in packets])


def behind(outer, shim=0):
    header = 20 if outer.version == 4 else 40
    return bytes(outer)[header + shim:]


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS.keys())
@pytest.mark.parametrize("forward,shim", [("ipip", 0), ("gre", 4), ("gue", 12)])
@pytest.mark.parametrize("size", [1400, 1500, 3000, 9000])
def test_the_outer_packet_is_cut(server, forward, shim, size):
    sent = sized_tcp(1481 if size == 1400 else size, flags="A", df=False)
    outcome, packets = through(server, [ether(sent)], forward=forward)
    assert len(packets) == outcome.counters["originated"] + 1 > 1
    assert behind(put_together(packets), shim) == bytes(sent)
    assert outcome.dropped == {} and outcome.counters["events"]["fragmented"] == 1
    assert outcome.backend("web", "web1") == {"packets": 1, "bytes": len(sent), "new_flows": 1}


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS.keys())
@pytest.mark.parametrize("forward,shim", [("ipip", 0), ("gre", 4), ("gue", 12)])
def test_the_packet_itself_is_cut_where_the_service_says_so(server, forward, shim):
    sent = sized_tcp(3000, flags="A", df=False)
    outcome, packets = through(server, [ether(sent)], forward=forward, oversize="inner")
    pieces = []
    for packet in packets:
        assert IPv6ExtHdrFragment not in packet and not (packet.type == 0x0800 and packet[IP].flags.MF)
        pieces.append(IP(behind(packet.payload, shim)))
    whole, = defragment(pieces)
    assert bytes(whole) == bytes(sent)
    assert outcome.counters["originated"] == len(packets) - 1 == 2


def test_l2_has_no_outer_packet_to_cut():
    sent = udp(size=4000)
    outcome = replay(ONE_BACKEND, [ether(sent)])
    packets = [Ether(frame) for frame in outcome.frames]
    assert {p.dst for p in packets} == {l2_mac(NS1)} and len(packets) == 3
    whole, = defragment([p[IP] for p in packets])
    assert bytes(whole) == bytes(sent)


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS.keys())
def test_ipv6_senders_are_told(server):
    sent = tcp6(1440)
    outcome, (answer,) = through(server, [ether(sent)])
    assert (answer.src, answer.dst) == (BALANCER_MAC, CLIENT_MAC)
    assert (answer[IPv6].src, answer[IPv6].dst) == (WEB_V6, CLIENT_V6)
    assert answer[ICMPv6PacketTooBig].mtu == 1500 - (20 if server == WEB1 else 40)
    assert len(answer[IPv6]) == 1280 and bytes(answer[ICMPv6PacketTooBig].payload) == bytes(sent)[:1232]
    again = answer.copy()
    del again[ICMPv6PacketTooBig].cksum
    assert Ether(bytes(again))[ICMPv6PacketTooBig].cksum == answer[ICMPv6PacketTooBig].cksum
    assert outcome.dropped == {"too_big": 1} and outcome.counters["originated"] == 1


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS.keys())
def test_ipv6_of_1280_bytes_always_passes(server):
    fits, over = tcp6(1220), tcp6(1221)
    assert len(fits) == 1280
    outcome, packets = through(server, [ether(over), ether(fits)], mtu=1290)
    assert packets[0][ICMPv6PacketTooBig].mtu == 1280
    assert behind(put_together(packets[1:])) == bytes(fits)
    assert outcome.dropped == {"too_big": 1} and outcome.counters["originated"] == 2


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS.keys())
@pytest.mark.parametrize("sent", [sized_tcp(1400, flags="A"), tcp6(1360)], ids=["ipv4", "ipv6"])
def test_a_client_is_told_of_a_narrow_way_to_its_server(server, sent):
    """A router behind us says so of our outer packet, to our tunnel's source."""
    _, (outer,) = through(server, [ether(sent)])
    outer = outer.payload
    quoted = Raw(bytes(outer)[:800])
    if outer.version == 4:
        error = IP(src="203.0.113.9", dst=outer.src) / ICMP(type=3, code=4, nexthopmtu=1350) / quoted
    else:
        error = IPv6(src="2001:db8:f::9", dst=outer.src) / ICMPv6PacketTooBig(mtu=1350) / quoted
    outcome, (_, told) = through(server, [ether(sent), ether(error)])
    assert outcome.dropped == {"tunnel_error": 1} and outcome.counters["originated"] == 1
    assert outcome.counters["events"]["tunnel_errors"] == outcome.counters["events"]["tunnel_errors_told"] == 1
    told = told.payload
    assert (told.src, told.dst) == (sent.dst, sent.src)
    fits = 1350 - (20 if server == WEB1 else 40)
    if sent.version == 4:
        assert (told[ICMP].type, told[ICMP].code, told[ICMP].nexthopmtu) == (3, 4, fits)
        assert bytes(told[ICMP].payload).startswith(bytes(sent)[:500])
    else:
        assert told[ICMPv6PacketTooBig].mtu == max(fits, 1280)
        assert bytes(told[ICMPv6PacketTooBig].payload).startswith(bytes(sent)[:700])


def test_jumbo_frames_pass_where_the_mtu_lets_them():
    for sent in (sized_tcp(9000, flags="A"), tcp6(8940)):
        _, (packet,) = through(SERVER_V6, [ether(sent)], mtu=9040)
        assert behind(packet.payload) == bytes(sent)
