"""QUIC connection ids that name a server lead to it, whatever address they come from.

The ids are made here from the text of draft-ietf-quic-load-balancers, 5.2, for an id without a key:
three bits of configuration, five of anything, the server id, a nonce, and whatever the server adds.
"""
import random

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from configs import backend, config, dataplane, service
from harness import SECOND, Input, replay
from packets import CLIENT, WEB, ether
from unwrapping import CLIENT6, MODES, SOURCES, WEB6, of_mode, quoted, unwrap

B0, B1, B2, B3 = (f"10.0.1.{11 + i}" for i in range(4))
# Configuration 0 has server ids of two octets, configuration 5 of seven. B1 has two of the first.
IDS = {B0: ["0a01", "00112233445566"], B1: ["0a02", "0b02", "ffffffffffffff"], B2: ["0a03", "00112233445567"],
       B3: []}
QUIC = "[{id: 0, server_id_length: 2, nonce_length: 6}, {id: 5, server_id_length: 7, nonce_length: 8}]"
SHORT, LONG = (0, bytes.fromhex("0a02"), 6), (5, bytes.fromhex("00112233445567"), 8)  # of B1, of B2


def quic_config(states=None, address=WEB, **more):
    backends = [backend(f"b{i}", to, **({"server_ids": "[" + ", ".join(map(quoted_hex, ids)) + "]"} if ids else {}),
                        **(states or {}).get(to, {})) for i, (to, ids) in enumerate(IDS.items())]
    return config({"web": backends}, [service(quoted(address), "udp", 443, quic=QUIC, forward="ipip", **more)])


def quoted_hex(text):
    return f'"{text}"'


def connection_id(kind, appended=b"", low_bits=None, noise=random.Random(7)):
    number, server, nonce = kind
    low = noise.randrange(32) if low_bits is None else low_bits
    return bytes([number << 5 | low]) + server + noise.randbytes(nonce) + appended


def short(cid, rest=b"\x01" * 30):
    """1-RTT: 0, the fixed bit, spin and key bits, packet number (RFC 9000, 17.3.1)."""
    return b"\x41" + cid + rest


def long(cid, version=1, kind=2, source=b"\x99" * 8):
    """Handshake by default; 0 is an Initial (RFC 9000, 17.2)."""
    return (bytes([0xC0 | kind << 4]) + version.to_bytes(4, "big") + bytes([len(cid)]) + cid +
            bytes([len(source)]) + source + b"\x02" * 40)


def datagram(payload, sport=40000, src=CLIENT, dst=WEB):
    family = IPv6 if ":" in dst else IP
    return family(src=src, dst=dst) / UDP(sport=sport, dport=443) / Raw(payload)


def backends_of(outcome, packets, mode="ipip"):
    sent = [unwrap(frame, mode) for frame in outcome.frames]
    assert [one.packet for one in sent] == [bytes(packet) for packet in packets]
    return [one.backend for one in sent]


def run(packets, text=None):
    outcome = replay(text or quic_config(), [ether(packet) for packet in packets], dataplane(tunnel_source=SOURCES))
    return outcome, backends_of(outcome, packets)


NAMED = [(0, server, 6, to) for to, ids in IDS.items() for server in ids if len(server) == 4] + \
        [(5, server, 8, to) for to, ids in IDS.items() for server in ids if len(server) == 14]


@pytest.mark.parametrize("number,server,nonce,to", NAMED)
@pytest.mark.parametrize("header", [short, long])
def test_an_id_leads_to_its_server_from_anywhere(number, server, nonce, to, header):
    """The client moves with every packet, and the server has given it several ids."""
    kind = (number, bytes.fromhex(server), nonce)
    packets = [datagram(header(connection_id(kind, appended=b"\x5a" * (i % 4), low_bits=i % 32)), sport=1024 + i,
                        src=f"192.0.2.{1 + i % 200}") for i in range(64)]
    outcome, backends = run(packets)
    assert set(backends) == {to}
    assert outcome.counters["events"]["quic_routed"] == 64
    assert outcome.counters["events"]["quic_by_table"] == 0


@pytest.mark.parametrize("version", [0, 1, 0x6B3343CF, 0xFF00001D, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", range(4))
def test_every_version_and_type(version, kind):
    _, backends = run([datagram(long(connection_id(SHORT), version, kind))])
    assert backends == [B1]


def test_two_configurations_and_both_headers_side_by_side():
    order = random.Random(11)
    packets, expected = [], []
    for i in range(300):
        number, server, nonce, to = order.choice(NAMED)
        cid = connection_id((number, bytes.fromhex(server), nonce))
        packets.append(datagram(order.choice([short, long])(cid), sport=order.randrange(1, 65536)))
        expected.append(to)
    assert run(packets)[1] == expected


UNROUTABLE = {
    "a configuration that is not there": short(connection_id((1, bytes.fromhex("0a02"), 6))),
    "configuration 7": short(connection_id((7, bytes.fromhex("0a02"), 6))),
    "configuration 7, long": long(connection_id((7, bytes.fromhex("0a02"), 6))),
    "a server that is not there": short(connection_id((0, bytes.fromhex("0a77"), 6))),
    "a server of the other configuration": short(connection_id((5, bytes.fromhex("0a020000000000"), 8))),
    "an id too short": long(connection_id(SHORT)[:-1]),
    "no id": long(b""),
    "an id of 21": long(connection_id(SHORT) + b"\0" * 12),
    "a packet too short": short(connection_id(SHORT)[:-1], b""),
    "nothing": b"",
    "a first octet": b"\x41",
    "an initial's id": long(bytes.fromhex("e3b0c44298fc1c14"), kind=0),
}


@pytest.mark.parametrize("name", UNROUTABLE)
def test_what_names_no_server_goes_as_any_datagram(name):
    """By the pool's table, as the same packets to a service that looks at no ids."""
    packets = [datagram(UNROUTABLE[name], sport=1024 + i) for i in range(40)]
    outcome, backends = run(packets)
    assert backends == run(packets, quic_config().replace(f"quic: {QUIC}, ", ""))[1]
    assert set(backends) == set(IDS)
    assert outcome.counters["events"]["quic_by_table"] == 40
    assert outcome.service("web")["new_flows"] == 40


def test_what_the_service_does_not_ask_for_is_not_done():
    packets = [datagram(short(connection_id(SHORT)), sport=1024 + i) for i in range(40)]
    outcome, backends = run(packets, quic_config().replace(f"quic: {QUIC}, ", ""))
    assert set(backends) == set(IDS)
    assert outcome.counters["events"]["quic_routed"] == 0


def test_what_follows_a_routed_packet_without_an_id_follows_it():
    """Of the same address and port; also back and forth, and however long."""
    flows = range(1024, 1064)
    routed = [datagram(short(connection_id(SHORT)), sport=sport) for sport in flows]
    plain = [datagram(UNROUTABLE["an initial's id"], sport=sport) for sport in flows]
    other = [datagram(short(connection_id(LONG)), sport=sport) for sport in flows]
    outcome, backends = run([*routed, *plain, *other, *plain])
    assert backends == [B1] * 80 + [B2] * 80
    assert outcome.service("web")["new_flows"] == 40
    assert outcome.counters["events"]["flows_rescheduled"] == 40


def test_an_initial_and_then_the_servers_id():
    """A connection begins where the table says; from then on its ids say so."""
    initial = datagram(UNROUTABLE["an initial's id"])
    first = run([initial])[1][0]
    server = next(bytes.fromhex(ids[0]) for to, ids in IDS.items() if to != first and ids)
    there = next(to for to, ids in IDS.items() if ids and bytes.fromhex(ids[0]) == server)
    packets = [initial, datagram(short(connection_id((0, server, 6)))), initial]
    assert run(packets)[1] == [first, there, there]


def test_an_icmp_error_goes_where_the_id_has_led():
    """By the flow's entry, which is not what the table says."""
    flows = range(1024, 1044)
    routed = [datagram(short(connection_id(SHORT)), sport=sport) for sport in flows]
    errors = [IP(src="203.0.113.9", dst=WEB) / ICMP(type=3, code=4) /
              Raw(bytes(IP(src=WEB, dst=CLIENT) / UDP(sport=443, dport=sport) / Raw(b"x" * 50))) for sport in flows]
    assert run([*routed, *errors])[1] == [B1] * 40
    assert set(run(errors)[1]) == set(IDS)


@pytest.mark.parametrize("state", ["down"])
def test_a_server_that_is_out_is_not_named(state):
    packets = [datagram(short(connection_id(SHORT)), sport=1024 + i) for i in range(40)]
    outcome, backends = run(packets, quic_config({B1: {"state": state}}))
    assert set(backends) == {B0, B2, B3}
    assert outcome.counters["events"]["quic_by_table"] == 40


@pytest.mark.parametrize("out", [{"state": "drain"}, {"weight": 0}], ids=str)
def test_a_server_without_new_flows_still_gets_its_ids(out):
    packets = [datagram(short(connection_id(SHORT)), sport=1024 + i) for i in range(40)]
    assert set(run(packets, quic_config({B1: out}))[1]) == {B1}


def test_a_service_without_flows_routes_by_id_and_remembers_nothing():
    packets = [datagram(short(connection_id(SHORT))), datagram(UNROUTABLE["no id"])]
    alone = run([datagram(UNROUTABLE["no id"])], quic_config(flow="off"))[1]
    outcome, backends = run(packets, quic_config(flow="off"))
    assert backends == [B1, *alone]
    assert outcome.counters["events"]["flows_created"] == 0


@pytest.mark.parametrize("header", [short, long])
@pytest.mark.parametrize("kind,to", [(SHORT, B1), (LONG, B2)], ids=["two octets", "seven octets"])
def test_every_length(header, kind, to):
    """Cut anywhere: routed as soon as the whole id is there, forwarded in any case, never read beyond."""
    whole = header(connection_id(kind))
    # The first octet; of a long header also the version and the length.
    needed = (1 if header is short else 6) + 1 + len(kind[1]) + kind[2]
    packets = [datagram(whole[:length], sport=1024 + length) for length in range(len(whole) + 1)]
    outcome, backends = run(packets)
    assert outcome.counters["events"]["quic_routed"] == len(whole) + 1 - needed
    assert set(backends[needed:]) == {to}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_and_ipv6(mode):
    text = quic_config(address=WEB6).replace("forward: ipip", f"forward: {mode}")
    packets = [datagram(short(connection_id(SHORT)), sport=1024 + i, src=CLIENT6, dst=WEB6) for i in range(20)]
    outcome = replay(text, [ether(packet) for packet in packets], dataplane(tunnel_source=SOURCES))
    assert set(backends_of(outcome, packets, mode)) == {B1 if mode != "l2" else "02:00:0a:00:01:0c"}


def test_a_routed_flow_ends_by_its_timeout():
    text = quic_config(timeouts="{udp: 5s, opening: 2s}")
    routed = bytes(ether(datagram(short(connection_id(SHORT)))))
    frames = [Input(routed, at=0), Input(routed, at=4 * SECOND), Input(routed, at=20 * SECOND)]
    assert replay(text, frames).service("web")["new_flows"] == 2
