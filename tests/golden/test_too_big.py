"""Too big for the egress MTU: never sent. With DF the sender is told (RFC 1191), without it is dropped."""
import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import Ether

from case import Case, check, each
from configs import NS1, ONE_BACKEND, WEB1, dataplane
from harness import SECOND, Input, replay
from packets import checksums_hold, ether, fragmentation_needed, ipip, l2, l2_mac, sized_tcp, udp

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
    Case("df clear", [ether(WITHOUT_DF)], [], {"too_big": 1}),
    Case("l2 has no overhead", [ether(QUERY)], [fragmentation_needed(QUERY, 1500)], {"too_big": 1}, originated=1),
    Case("l2, df clear", [ether(udp(size=1473))], [], {"too_big": 1}),
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
