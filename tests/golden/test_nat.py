"""Forward mode nat: whole conversations, both ways, of both families. Scapy is the judge of every packet:
what is expected is the packet that went in, with other ends and one hop less, its lengths and checksums
computed by scapy.

Ports are chosen by a keyed hash, so each step of a conversation replays all that was said before it, and
learns from what came out what to say next.
"""
import dataclasses

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, ICMPerror, IPerror, TCPerror, UDPerror
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPv6)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from configs import backend, config, service
from harness import SECOND, Input, replay
from packets import BALANCER_MAC, CLIENT_MAC, GATEWAY_MAC, payload

SERVER_MAC = "02:00:00:00:5e:01"
BACKEND_PORT = 8080
CLIENT_PORT = 40000
WEB_PORT, DNS_PORT, PROXY_PORT, MSS_PORT = 80, 53, 81, 82


@dataclasses.dataclass(frozen=True)
class Family:
    name: str
    ip: type
    client: str
    vip: str
    nat: str
    backend: str
    router: str
    proxy_header: int

    def packet(self, src, dst, **fields):
        return self.ip(src=src, dst=dst, **fields)


V4 = Family("ipv4", IP, "192.0.2.11", "198.51.100.1", "10.0.0.9", "10.0.1.11", "10.0.1.254", 28)
V6 = Family("ipv6", IPv6, "2001:db8:1::11", "2001:db8:100::1", "fd00::9", "fd00:1::11", "fd00:1::fe", 52)
both = pytest.mark.parametrize("family", [V4, V6], ids=lambda family: family.name)


def config_of(family, **more):
    def nat(name, port, protocol="tcp", pool="web", **options):
        return service(f'"{family.vip}"', protocol, port, name, pool, forward="nat", backend_port=BACKEND_PORT,
                       **options, **more)
    return config({"web": [backend("web1", f'"{family.backend}"')]},
                  [nat("web", WEB_PORT), nat("dns", DNS_PORT, "udp"), nat("proxied", PROXY_PORT, proxy_protocol="v2"),
                   nat("clamped", MSS_PORT, mss=1200)])


def dataplane_of(family, ports="1024-65535", mtu=1500):
    key = "ipv4" if family is V4 else "ipv6"
    return ("cores: {main: 0, workers: [1]}\nflow_table: {entries: 4096}\n"
            f'nat_source: {{{key}: "{family.nat}", ports: {ports}}}\n'
            f'ports:\n  - {{name: uplink, device: "net_af_xdp0,iface=lb0", mtu: {mtu}}}\n')


def hops(packet, by=-1):
    field = "ttl" if IP in packet else "hlim"
    return getattr(packet, field) + by


def recomputed(packet):
    """The packet with every length and checksum as scapy computes it."""
    packet = packet.copy()
    layer = packet
    while layer and not isinstance(layer, Raw):
        for field in ("len", "plen", "chksum", "cksum"):
            if field in layer.fields:
                delattr(layer, field)
        layer = layer.payload
    return packet


def moved(packet, src, dst, sport, dport, **tcp):
    """The packet one hop on, between other ends."""
    out = recomputed(packet)
    out.src, out.dst = src, dst
    if isinstance(out, IP):
        out.ttl = hops(packet)
    else:
        out.hlim = hops(packet)
    l4 = out.getlayer(TCP) or out.getlayer(UDP)
    l4.sport, l4.dport = sport, dport
    for field, value in tcp.items():
        setattr(l4, field, value)
    return out


class Talk:
    """One client port and a service, and all that was said so far."""

    def __init__(self, family, port=WEB_PORT, protocol=TCP, config_text="", dataplane=""):
        self.family, self.port, self.protocol = family, port, protocol
        self.config = config_text or config_of(family)
        self.dataplane = dataplane or dataplane_of(family)
        self.inputs, self.at, self.nat_port, self.outcome = [], 0, None, None

    def say(self, frame, after=1_000_000):
        """Says one more, and returns what came out of it: a frame, or None."""
        before = len(self.outcome.frames) if self.outcome else 0
        self.at += after
        self.inputs.append(Input(bytes(frame), at=self.at))
        self.outcome = replay(self.config, self.inputs, self.dataplane)
        new = self.outcome.frames[before:]
        assert len(new) <= 1
        return Ether(new[0]) if new else None

    def client_packet(self, data=b"", **fields):
        l4 = self.protocol(sport=CLIENT_PORT, dport=self.port, **fields)
        return self.family.packet(self.family.client, self.family.vip) / l4 / Raw(data)

    def backend_packet(self, data=b"", **fields):
        l4 = self.protocol(sport=BACKEND_PORT, dport=self.nat_port, **fields)
        return self.family.packet(self.family.backend, self.family.nat) / l4 / Raw(data)

    def client_says(self, data=b"", after=1_000_000, expect=True, grown=b"", **fields):
        """Checks what the backend gets; `expect`: fields of TCP that are others there, False for nothing."""
        packet = self.client_packet(data, **fields)
        frame = self.say(Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / packet, after)
        if expect is False:
            assert frame is None
            return None
        assert frame is not None, self.outcome.dropped
        self.nat_port = frame[self.protocol].sport
        changes = {} if expect is True else expect
        wanted = moved(packet, self.family.nat, self.family.backend, self.nat_port, BACKEND_PORT, **changes)
        if grown:
            wanted[self.protocol].payload = Raw(grown + data)
        self.same(frame, wanted, GATEWAY_MAC)
        return frame

    def backend_says(self, data=b"", expect=True, **fields):
        packet = self.backend_packet(data, **fields)
        frame = self.say(Ether(dst=BALANCER_MAC, src=SERVER_MAC) / packet)
        if expect is False:
            assert frame is None
            return None
        assert frame is not None, self.outcome.dropped
        changes = {} if expect is True else expect
        wanted = moved(packet, self.family.vip, self.family.client, self.port, CLIENT_PORT, **changes)
        self.same(frame, wanted, CLIENT_MAC)
        return frame

    @staticmethod
    def same(frame, packet, mac):
        wanted = Ether(src=BALANCER_MAC, dst=mac, type=0x0800 if IP in packet else 0x86DD) / packet
        assert bytes(frame).hex(" ") == bytes(wanted).hex(" ")

    def handshake(self, client_isn=1000, backend_isn=5000, options=()):
        self.client_says(flags="S", seq=client_isn, options=list(options))
        self.backend_says(flags="SA", seq=backend_isn, ack=client_isn + 1)
        self.client_says(flags="A", seq=client_isn + 1, ack=backend_isn + 1)


@both
def test_a_whole_connection(family):
    talk = Talk(family)
    talk.handshake()
    talk.client_says(b"GET / HTTP/1.1\r\n\r\n", flags="PA", seq=1001, ack=5001)
    talk.backend_says(flags="A", seq=5001, ack=1019)
    talk.backend_says(payload(1000), flags="PA", seq=5001, ack=1019)
    talk.client_says(flags="A", seq=1019, ack=6001, options=[("NOP", None), ("NOP", None), ("Timestamp", (7, 9))])
    talk.backend_says(flags="FA", seq=6001, ack=1019)
    talk.client_says(flags="FA", seq=1019, ack=6002)
    talk.backend_says(flags="A", seq=6002, ack=1020)
    assert talk.outcome.dropped == {}
    assert talk.outcome.service("web")["new_flows"] == talk.outcome.backend("web", "web1")["new_flows"] == 1
    assert talk.outcome.service("web")["packets"] == talk.outcome.backend("web", "web1")["packets"] == 5
    assert talk.outcome.counters["events"]["nat_sessions_opened"] == 1


@both
def test_a_reset_ends_it(family):
    talk = Talk(family)
    talk.handshake()
    talk.client_says(flags="R", seq=1001)
    first = talk.nat_port
    talk.client_says(flags="S", seq=90000)
    assert talk.nat_port != first
    talk.nat_port = first
    talk.backend_says(flags="A", seq=5001, ack=1001, expect=False)
    assert talk.outcome.dropped == {"no_session": 1}


@both
def test_a_reset_of_the_backend(family):
    talk = Talk(family)
    talk.client_says(flags="S", seq=1000)
    talk.backend_says(flags="RA", seq=0, ack=1001)


@both
@pytest.mark.parametrize("size", [0, 1, 100, 1400, 1401])
def test_datagrams(family, size):
    talk = Talk(family, DNS_PORT, UDP)
    talk.client_says(payload(size))
    talk.backend_says(payload(size))
    talk.client_says(payload(size + 1))
    assert talk.outcome.service("dns")["new_flows"] == 1


def test_datagrams_without_a_checksum():
    talk = Talk(V4, DNS_PORT, UDP)
    packet = talk.client_packet(payload(9))
    packet[UDP].chksum = 0
    frame = talk.say(Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / packet)
    assert frame[UDP].chksum == 0


@both
def test_sessions_expire(family):
    talk = Talk(family, DNS_PORT, UDP)
    talk.client_says(payload(9))
    talk.client_says(payload(9), after=90 * SECOND)
    assert talk.outcome.service("dns")["new_flows"] == 2
    assert talk.outcome.counters["events"]["nat_sessions_opened"] == 2


@both
def test_an_idle_connection_is_forgotten(family):
    talk = Talk(family)
    talk.handshake()
    talk.client_says(b"x", after=3600 * SECOND, flags="PA", seq=1001, ack=5001, expect=False)
    assert talk.outcome.dropped == {"no_session": 1}


@both
def test_only_a_syn_opens(family):
    talk = Talk(family)
    for flags in ("A", "SA", "R", "FA", "PA"):
        talk.client_says(flags=flags, seq=1, ack=2, expect=False)
    assert talk.outcome.dropped == {"no_session": 5}


@both
def test_the_wrong_peer(family):
    talk = Talk(family)
    talk.client_says(flags="S", seq=1000)
    packet = talk.backend_packet(flags="SA", seq=5000, ack=1001)
    packet.src = family.router
    assert talk.say(Ether(dst=BALANCER_MAC, src=SERVER_MAC) / packet) is None
    packet = talk.backend_packet(flags="SA", seq=5000, ack=1001)
    packet[TCP].sport = BACKEND_PORT + 1
    assert talk.say(Ether(dst=BALANCER_MAC, src=SERVER_MAC) / packet) is None
    assert talk.outcome.dropped == {"no_session": 2}
    talk.backend_says(flags="SA", seq=5000, ack=1001)


def proxy_header(family):
    """By haproxy's specification, 2.2."""
    import socket
    kind = socket.AF_INET if family is V4 else socket.AF_INET6
    ends = socket.inet_pton(kind, family.client) + socket.inet_pton(kind, family.vip)
    ports = CLIENT_PORT.to_bytes(2, "big") + PROXY_PORT.to_bytes(2, "big")
    return (b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, 0x11 if family is V4 else 0x21]) +
            len(ends + ports).to_bytes(2, "big") + ends + ports)


@both
def test_the_proxy_header_is_what_the_backend_reads_first(family):
    header = proxy_header(family)
    n = family.proxy_header
    assert len(header) == n
    talk = Talk(family, PROXY_PORT)
    talk.client_says(flags="S", seq=1000, options=[("MSS", 1440)])
    talk.backend_says(flags="SA", seq=5000, ack=1001, options=[("MSS", 1440)], window=20000,
                      expect={"options": [("MSS", 1440 - n)], "window": 20000 - n})
    received = {}

    def hears(frame):
        segment = frame[TCP]
        for i, byte in enumerate(bytes(segment.payload)):
            assert received.setdefault(segment.seq + i, byte) == byte
    hears(talk.client_says(flags="A", seq=1001, ack=5001, grown=header))
    hears(talk.client_says(b"hello ", flags="PA", seq=1001, ack=5001, grown=header))
    talk.backend_says(flags="A", seq=5001, ack=1001 + n, expect={"ack": 1001})
    # Acknowledged, the header does not come again; its place stays.
    hears(talk.client_says(b"hello ", flags="PA", seq=1001, ack=5001, expect={"seq": 1001 + n}))
    hears(talk.client_says(b"world", flags="PA", seq=1007, ack=5001, expect={"seq": 1007 + n}))
    talk.backend_says(flags="A", seq=5001, ack=1012 + n, expect={"ack": 1012})
    talk.client_says(flags="FA", seq=1012, ack=5001, expect={"seq": 1012 + n})
    assert bytes(byte for _, byte in sorted(received.items())) == header + b"hello world"
    assert talk.outcome.dropped == {}


@both
def test_mss_is_lowered_both_ways(family):
    talk = Talk(family, MSS_PORT)
    talk.client_says(flags="S", seq=1000, options=[("MSS", 1460)], expect={"options": [("MSS", 1200)]})
    talk.backend_says(flags="SA", seq=5000, ack=1001, options=[("MSS", 1460)], expect={"options": [("MSS", 1200)]})


def too_big_error(family, mtu):
    return ICMP(type=3, code=4, nexthopmtu=mtu) if family is V4 else ICMPv6PacketTooBig(mtu=mtu)


def expired_error(family):
    return ICMP(type=11, code=0) if family is V4 else ICMPv6TimeExceeded(code=0)


def unreachable_error(family):
    return ICMP(type=3, code=3) if family is V4 else ICMPv6DestUnreach(code=4)


ERRORS = {"too big": lambda family: too_big_error(family, 1400), "expired": expired_error,
          "unreachable": unreachable_error}
each_error = pytest.mark.parametrize("error", list(ERRORS.values()), ids=list(ERRORS))
each_protocol = pytest.mark.parametrize("protocol,port", [(TCP, WEB_PORT), (UDP, DNS_PORT)], ids=["tcp", "udp"])


def opened(family, protocol, port):
    talk = Talk(family, port, protocol)
    if protocol is TCP:
        talk.handshake()
    else:
        talk.client_says(payload(10))
        talk.backend_says(payload(10))
    return talk


def fields_of(protocol, **tcp):
    return tcp if protocol is TCP else {}


@both
@each_protocol
@each_error
def test_errors_from_the_backends_side_go_to_the_client(family, protocol, port, error):
    talk = opened(family, protocol, port)
    fields = fields_of(protocol, flags="PA", seq=1001, ack=5001)
    original = talk.client_packet(payload(40), **fields)
    sent = moved(original, family.nat, family.backend, talk.nat_port, BACKEND_PORT)
    arrived = family.packet(family.router, family.nat) / error(family) / Raw(bytes(sent))
    frame = talk.say(Ether(dst=BALANCER_MAC, src=SERVER_MAC) / arrived)
    assert frame is not None, talk.outcome.dropped
    # The quote is the packet as the client sent it, one hop later.
    quoted = moved(original, family.client, family.vip, CLIENT_PORT, port)
    wanted = family.packet(family.vip, family.client) / error(family) / Raw(bytes(quoted))
    if family is V4:
        wanted.ttl = hops(arrived)
    else:
        wanted.hlim = hops(arrived)
    Talk.same(frame, wanted, CLIENT_MAC)


@both
@each_protocol
@each_error
def test_errors_from_the_clients_side_go_to_the_backend(family, protocol, port, error):
    talk = opened(family, protocol, port)
    fields = fields_of(protocol, flags="PA", seq=5001, ack=1001)
    original = talk.backend_packet(payload(40), **fields)
    sent = moved(original, family.vip, family.client, port, CLIENT_PORT)
    arrived = family.packet("192.0.2.254" if family is V4 else "2001:db8:1::fe", family.vip) / error(family) / \
        Raw(bytes(sent))
    frame = talk.say(Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / arrived)
    assert frame is not None, talk.outcome.dropped
    quoted = moved(original, family.backend, family.nat, BACKEND_PORT, talk.nat_port)
    wanted = family.packet(family.nat, family.backend) / error(family) / Raw(bytes(quoted))
    if family is V4:
        wanted.ttl = hops(arrived)
    else:
        wanted.hlim = hops(arrived)
    Talk.same(frame, wanted, GATEWAY_MAC)
    assert talk.outcome.counters["events"]["icmp_errors_forwarded"] == 1


@both
def test_errors_about_nobody_are_dropped(family):
    talk = opened(family, TCP, WEB_PORT)
    for quoted in (moved(talk.client_packet(flags="A"), family.nat, family.router, talk.nat_port, BACKEND_PORT),
                   moved(talk.client_packet(flags="A"), family.nat, family.backend, talk.nat_port ^ 1, BACKEND_PORT)):
        arrived = family.packet(family.router, family.nat) / unreachable_error(family) / Raw(bytes(quoted))
        assert talk.say(Ether(dst=BALANCER_MAC, src=SERVER_MAC) / arrived) is None
    quoted = moved(talk.client_packet(flags="A"), family.vip, family.client, WEB_PORT, CLIENT_PORT + 1)
    arrived = family.packet(family.router, family.vip) / unreachable_error(family) / Raw(bytes(quoted))
    assert talk.say(Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / arrived) is None
    assert talk.outcome.dropped == {"no_session": 3}


@both
def test_a_damaged_error_is_dropped(family):
    talk = opened(family, TCP, WEB_PORT)
    quoted = moved(talk.client_packet(flags="A"), family.nat, family.backend, talk.nat_port, BACKEND_PORT)
    arrived = bytearray(bytes(Ether(dst=BALANCER_MAC, src=SERVER_MAC) / family.packet(family.router, family.nat) /
                              unreachable_error(family) / Raw(bytes(quoted))))
    arrived[-1] ^= 1
    assert talk.say(bytes(arrived)) is None
    assert talk.outcome.dropped == {"bad_l4_header": 1}


@both
def test_a_damaged_packet_stays_damaged(family):
    talk = opened(family, TCP, WEB_PORT)
    packet = talk.client_packet(b"data", flags="PA", seq=1001, ack=5001)
    frame = bytearray(bytes(Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / packet))
    frame[-1] ^= 1
    out = talk.say(bytes(frame))
    assert bytes(recomputed(out)) != bytes(out)


@both
def test_the_client_learns_the_mtu(family):
    talk = Talk(family, dataplane=dataplane_of(family, mtu=1400))
    talk.handshake()
    header = 40 if family is V4 else 60
    packet = talk.client_packet(payload(1401 - header), flags="A", seq=1001, ack=5001)
    if family is V4:
        packet.flags = "DF"
    frame = talk.say(Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / packet)
    assert (frame.payload.src, frame.payload.dst) == (family.vip, family.client)
    assert (frame[ICMP].nexthopmtu if family is V4 else frame[ICMPv6PacketTooBig].mtu) == 1400
    assert talk.outcome.dropped == {"too_big": 1}


@both
def test_the_backend_learns_the_mtu(family):
    talk = Talk(family, dataplane=dataplane_of(family, mtu=1400))
    talk.handshake()
    header = 40 if family is V4 else 60
    packet = talk.backend_packet(payload(1401 - header), flags="A", seq=5001, ack=1001)
    if family is V4:
        packet.flags = "DF"
    frame = talk.say(Ether(dst=BALANCER_MAC, src=SERVER_MAC) / packet)
    assert (frame.payload.src, frame.payload.dst) == (family.nat, family.backend)
    assert (frame[ICMP].nexthopmtu if family is V4 else frame[ICMPv6PacketTooBig].mtu) == 1400


@both
def test_no_ports_left(family):
    talk = Talk(family, dataplane=dataplane_of(family, ports="2000-2063"))
    frames = []
    for i in range(64):
        packet = talk.client_packet(flags="S", seq=1000)
        packet[TCP].sport = 20000 + i
        frames.append(packet)
    outcome = replay(talk.config, [Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / packet for packet in frames],
                     talk.dataplane)
    # Half of the ports are for those who answer: the oldest that has not goes for the next.
    assert outcome.counters["events"]["nat_sessions_replaced"] == 32
    ports = [Ether(frame)[TCP].sport for frame in outcome.frames]
    assert all(2000 <= port < 2064 for port in ports)
    assert len(set(ports[:32])) == 32


@both
def test_without_a_source_nothing_is_sent(family):
    outcome = replay(config_of(family), [Ether(dst=BALANCER_MAC, src=CLIENT_MAC) /
                                         Talk(family).client_packet(flags="S")])
    assert outcome.frames == [] and outcome.dropped == {"no_nat_source": 1}


@both
def test_the_last_hop(family):
    talk = Talk(family)
    packet = talk.client_packet(flags="S", seq=1000)
    setattr(packet, "ttl" if family is V4 else "hlim", 1)
    assert talk.say(Ether(dst=BALANCER_MAC, src=CLIENT_MAC) / packet) is None
    assert talk.outcome.dropped == {"ttl_exceeded": 1}
