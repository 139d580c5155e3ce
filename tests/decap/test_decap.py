"""maglb-decap with packets that scapy builds and a server's real sockets:

    balancer namespace                server namespace
    b0 10.9.0.1/24      ---- veth ---- eth0 10.9.0.2/24, 2001:db8:9::2/64, maglb-decap here
       2001:db8:9::1/64                lo 198.51.100.1/32, 2001:db8:5::1/128

For generic XDP eth0 is a macvlan on top of the veth end, as its driver has no XDP of its own.
"""
import ctypes
import itertools
import json
import os
import select
import socket
import subprocess
import time

import pytest
from scapy.all import (GRE, IP, TCP, UDP, BitField, BitFieldLenField, ByteEnumField, Ether, HBHOptUnknown, IPOption_NOP,
                       IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, Packet, PadN, Raw, StrLenField, XShortField,
                       bind_layers, fragment, fragment6)

DECAP = os.environ.get('MAGLB_DECAP', 'build/tools/maglb-decap/maglb-decap')
DEADLINE = 15
CLIENT, SERVICE, PORT = '192.0.2.1', '198.51.100.1', 5353
CLIENTS = {4: CLIENT, 6: '2001:db8:c::1'}
SERVICES = {4: SERVICE, 6: '2001:db8:5::1'}
BALANCERS = {4: '10.9.0.1', 6: '2001:db8:9::1'}
SERVERS = {4: '10.9.0.2', 6: '2001:db8:9::2'}
PAIRS = list(itertools.product((4, 6), (4, 6)))  # outer, inner
GUE_PORT = 6080
BALANCER_MAC, SERVER_MAC = '02:0d:00:00:00:01', '02:0d:00:00:00:02'
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='needs root to make network namespaces')


class GUE(Packet):
    """draft-ietf-intarea-gue, variant 0; scapy has none."""
    name = 'GUE'
    fields_desc = [BitField('variant', 0, 2), BitField('control', 0, 1),
                   BitFieldLenField('words', None, 5, length_of='fields_', adjust=lambda _, length: length // 4),
                   ByteEnumField('proto', None, {4: 'IPv4', 41: 'IPv6'}), XShortField('flags', 0),
                   StrLenField('fields_', b'', length_from=lambda packet: packet.words * 4)]


bind_layers(UDP, GUE, dport=GUE_PORT)
bind_layers(GUE, IP, proto=4)
bind_layers(GUE, IPv6, proto=41)


def run(command):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout


def in_namespace(name, function):
    """Calls function with this process in the namespace; sockets that it opens stay there."""
    with open('/proc/self/ns/net') as home, open(f'/run/netns/{name}') as there:
        assert LIBC.setns(there.fileno(), CLONE_NEWNET) == 0
        try:
            return function()
        finally:
            assert LIBC.setns(home.fileno(), CLONE_NEWNET) == 0


class Lab:
    def __init__(self, number, generic):
        self.balancer = f'decap-b-{os.getpid()}-{number}'
        self.server = f'decap-s-{os.getpid()}-{number}'
        run(f'ip netns add {self.balancer} && ip netns add {self.server}')
        server_end = 'under0' if generic else f'eth0 address {SERVER_MAC}'
        run(f'ip link add b0 netns {self.balancer} address {BALANCER_MAC} type veth '
            f'peer name {server_end} netns {self.server}')
        if generic:
            run(f'ip -n {self.server} link set under0 up')
            run(f'ip -n {self.server} link add eth0 link under0 address {SERVER_MAC} type macvlan mode bridge')
        for namespace in (self.balancer, self.server):
            run(f'ip netns exec {namespace} sh -c "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; ip link set lo up"')
        self.configure(self.balancer, 'b0', BALANCERS)
        run(f'ip netns exec {self.server} sh -c "echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter"')
        self.configure(self.server, 'eth0', SERVERS)
        for version in (4, 6):
            ip = f'ip -{version} -n {self.server}'
            run(f'{ip} addr add {SERVICES[version]} dev lo')
            run(f'{ip} neigh add {BALANCERS[version]} lladdr {BALANCER_MAC} dev eth0')
            run(f'{ip} route add default via {BALANCERS[version]}')
        self.wire = in_namespace(self.balancer, lambda: self.raw_socket('b0'))
        self.udp = in_namespace(self.server, self.udp_sockets)

    @staticmethod
    def configure(namespace, interface, addresses):
        run(f'ip -n {namespace} link set {interface} addrgenmode none')
        run(f'ip -n {namespace} addr add {addresses[4]}/24 dev {interface}')
        run(f'ip -n {namespace} addr add {addresses[6]}/64 dev {interface} nodad')
        run(f'ip -n {namespace} link set {interface} up')

    @staticmethod
    def raw_socket(interface):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        wire.bind((interface, 0))
        return wire

    @staticmethod
    def udp_sockets():
        v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        v4.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        v4.bind((SERVICES[4], PORT))
        v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        v6.bind((SERVICES[6], PORT))
        return {4: v4, 6: v6}

    def decap(self, *arguments):
        return subprocess.run(['ip', 'netns', 'exec', self.server, DECAP, *arguments],
                              capture_output=True, text=True)

    def attach(self, mode, *more):
        result = self.decap('attach', '--interface', 'eth0', '--from', '10.9.0.0/24', '--from', '2001:db8:9::/64',
                            '--mode', mode, *more)
        assert result.returncode == 0, result.stderr

    def status(self):
        result = self.decap('status', '-o', 'json')
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)['interfaces'][0]

    def counters(self):
        return self.status()['counters']

    def send(self, *frames):
        for frame in frames:
            self.wire.send(bytes(frame))

    def received(self, version=4, timeout=DEADLINE):
        """Payload and TOS or traffic class of the next datagram, or None."""
        if not select.select([self.udp[version]], [], [], timeout)[0]:
            return None
        payload, ancillary, _, _ = self.udp[version].recvmsg(2048, 256)
        tos = next((data[0] for level, kind, data in ancillary
                    if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TOS), (socket.IPPROTO_IPV6, socket.IPV6_TCLASS))),
                   None)
        return payload, tos

    def answer(self, wanted):
        """The next frame from the server that `wanted` accepts."""
        end = time.monotonic() + DEADLINE
        while select.select([self.wire], [], [], max(0, end - time.monotonic()))[0]:
            frame = Ether(self.wire.recv(2048))
            if frame.src == SERVER_MAC and wanted(frame):
                return frame
        return None

    def assert_lost(self, frame, counter):
        """The frame reaches no socket and raises this counter by one and no other. What is sent after it
        does arrive, so its fate is known by then."""
        before = self.counters()
        self.send(frame, tunnel(payload=b'after it'))
        assert self.received()[0] == b'after it'
        changed = {name: value - before[name] for name, value in self.counters().items()
                   if value != before[name]}
        expected = {'decapsulated': 1}
        if counter:
            expected[counter] = 1
        assert changed == expected
        assert self.received(6, timeout=0) is None

    def sysctl(self, name, value):
        run(f'ip netns exec {self.server} sysctl -qw {name}={value}')

    def close(self):
        self.wire.close()
        self.udp[4].close()
        self.udp[6].close()
        run(f'ip netns del {self.balancer}; ip netns del {self.server}')


NUMBERS = itertools.count()


@pytest.fixture(params=['xdp', 'xdp-generic', 'tc'])
def lab(request):
    lab = Lab(next(NUMBERS), request.param == 'xdp-generic')
    try:
        lab.mode = request.param.removesuffix('-generic')
        lab.attach(lab.mode)
        assert lab.status()['mode'] == request.param
        yield lab
    finally:
        lab.close()


def ip_header(version, source, destination, tos=0, **fields):
    if version == 4:
        return IP(src=source, dst=destination, tos=tos, **fields)
    return IPv6(src=source, dst=destination, tc=tos, **fields)


def datagram(version, payload=b'hello', tos=0, destination=None):
    return (ip_header(version, CLIENTS[version], destination or SERVICES[version], tos) /
            UDP(sport=999, dport=PORT) / Raw(payload))


def ipip(packet):
    return packet


def gue(packet, **fields):
    return UDP(sport=50000, dport=GUE_PORT, chksum=0) / GUE(**fields) / packet


TUNNELS = {
    'ipip': ipip,
    'gre': lambda packet: GRE() / packet,
    'gre-key': lambda packet: GRE(key_present=1, key=7) / packet,
    'gre-key-sequence': lambda packet: GRE(key_present=1, key=7, seqnum_present=1, sequence_number=1) / packet,
    'gue': gue,
    'gue-fields': lambda packet: gue(packet, fields_=b'E' * 8),
    'gue-checksum': lambda packet: UDP(sport=50000, dport=GUE_PORT) / GUE() / packet,
}


def carry(outside, content, tos=0, **fields):
    """A frame to the server that carries `content`, the tunnel header and what is in it."""
    return (Ether(src=BALANCER_MAC, dst=SERVER_MAC) /
            ip_header(outside, BALANCERS[outside], SERVERS[outside], tos, **fields) / content)


def inner(payload=b'hello', tos=0, destination=SERVICE, **fields):
    return IP(src=CLIENT, dst=destination, tos=tos, **fields) / UDP(sport=999, dport=PORT) / Raw(payload)


def tunnel(packet=None, payload=b'hello', **outer):
    packet = inner(payload) if packet is None else packet
    fields = {'src': '10.9.0.1', 'dst': '10.9.0.2', 'proto': 4, **outer}
    return Ether(src=BALANCER_MAC, dst=SERVER_MAC) / IP(**fields) / Raw(bytes(packet))


def test_delivers_the_inner_packet(lab):
    lab.send(tunnel(payload=b'x' * 1400))
    assert lab.received()[0] == b'x' * 1400
    assert lab.counters() == {**dict.fromkeys(lab.counters(), 0), 'decapsulated': 1}


def test_delivers_every_pair_of_families(lab):
    for number, (name, (outside, inside)) in enumerate(itertools.product(TUNNELS, PAIRS)):
        payload = b'%s: %d in %d' % (name.encode(), inside, outside) + b'.' * 1200
        lab.send(carry(outside, TUNNELS[name](datagram(inside, payload))))
        assert lab.received(inside) == (payload, 0), (name, outside, inside)
        assert lab.counters() == {**dict.fromkeys(lab.counters(), 0), 'decapsulated': number + 1}


def test_what_scapy_builds_is_what_it_dissects():
    """The judge's own GUE and tunnel stacks read back as they were meant."""
    for name, (outside, inside) in itertools.product(TUNNELS, PAIRS):
        frame = Ether(bytes(carry(outside, TUNNELS[name](datagram(inside)))))
        layers = [layer.__name__ for layer in frame.layers()]
        ips = [layer for layer in layers if layer in ('IP', 'IPv6')]
        assert ips == [{4: 'IP', 6: 'IPv6'}[version] for version in (outside, inside)], layers
        assert ('GRE' in layers, 'GUE' in layers) == ('gre' in name, 'gue' in name)
        assert frame[Raw].load == b'hello'


def listen_on(version, port):
    listener = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET)
    listener.bind((SERVICES[version], port))
    listener.listen()
    return listener


def synchronize(version, port=80):
    return ip_header(version, CLIENTS[version], SERVICES[version]) / TCP(sport=4242, dport=port, flags='S', seq=7)


def test_answers_tcp_clients_of_either_family(lab):
    for name, (outside, inside) in itertools.product(('ipip', 'gre', 'gue'), PAIRS):
        with in_namespace(lab.server, lambda: listen_on(inside, 80)):
            lab.send(carry(outside, TUNNELS[name](synchronize(inside))))
            frame = lab.answer(lambda frame: TCP in frame and frame[TCP].flags == 'SA')
        assert frame is not None, (name, outside, inside)
        header = frame[{4: IP, 6: IPv6}[inside]]
        assert (header.src, header.dst, frame[TCP].ack) == (SERVICES[inside], CLIENTS[inside], 8)


def merge_what_arrives(lab):
    """Makes the server's end wait for more segments before it passes them up; the other end must not offer
    to send large ones for that."""
    run(f'ip netns exec {lab.balancer} ethtool -K b0 tso off')
    run(f'ip netns exec {lab.server} ethtool -K eth0 gro on')
    run(f'ip netns exec {lab.server} sh -c "echo 50000000 > /sys/class/net/eth0/gro_flush_timeout; '
        f'echo 2 > /sys/class/net/eth0/napi_defer_hard_irqs"')


def longest_of(tap):
    """The length of the longest frame that waits in the socket."""
    longest = 0
    while select.select([tap], [], [], 0)[0]:
        longest = max(longest, len(tap.recv(1 << 17)))
    return longest


@pytest.mark.parametrize('lab', ['tc'], indirect=True)
@pytest.mark.parametrize('pair', PAIRS, ids=lambda pair: f'{pair[1]}in{pair[0]}')
def test_takes_merged_segments(lab, pair):
    """What the kernel's offloads made one packet of several is stripped as one, between families, too."""
    outside, inside = pair
    same_id = {4: {'flags': 'DF', 'id': 0}, 6: {}}
    segment = ip_header(inside, CLIENTS[inside], SERVICES[inside], **same_id[inside])
    sent = bytes(range(250)) * 4 * 30
    merge_what_arrives(lab)
    with in_namespace(lab.server, lambda: listen_on(inside, 80)) as listener, \
            in_namespace(lab.server, lambda: lab.raw_socket('eth0')) as tap:
        listener.settimeout(DEADLINE)
        lab.send(carry(outside, synchronize(inside)))
        answer = lab.answer(lambda frame: TCP in frame and frame[TCP].flags == 'SA')
        tcp = {'sport': 4242, 'dport': 80, 'flags': 'A', 'ack': answer[TCP].seq + 1}
        lab.send(carry(outside, segment / TCP(seq=8, **tcp)))
        connection, _ = listener.accept()
        lab.send(*[bytes(carry(outside, segment / TCP(seq=8 + at, **tcp) / Raw(sent[at:at + 1000]),
                               **same_id[outside])) for at in range(0, len(sent), 1000)])
        with connection:
            connection.settimeout(DEADLINE)
            got = b''
            while len(got) < len(sent):
                got += connection.recv(len(sent))
        assert got == sent
        assert longest_of(tap) > 2000, 'nothing was merged, so this shows nothing'
    assert lab.counters()['decapsulated'] < 2 + 30
    assert lab.counters()['dropped_error'] == 0


def test_answers_a_tcp_client(lab):
    def listen():
        listener = socket.socket()
        listener.bind((SERVICE, 80))
        listener.listen()
        return listener

    with in_namespace(lab.server, listen):
        lab.send(tunnel(IP(src=CLIENT, dst=SERVICE) / TCP(sport=4242, dport=80, flags='S', seq=7)))
        frame = lab.answer(lambda frame: TCP in frame and frame[TCP].flags == 'SA')
    assert frame is not None
    assert (frame[IP].src, frame[IP].dst, frame[TCP].ack) == (SERVICE, CLIENT, 8)


def test_leaves_other_packets_to_the_kernel(lab):
    lab.send(Ether(src=BALANCER_MAC, dst=SERVER_MAC) / inner(b'plain'))
    assert lab.received()[0] == b'plain'
    assert set(lab.counters().values()) == {0}


def test_accepts_only_allowed_sources(lab):
    lab.assert_lost(tunnel(src='10.9.1.1'), 'passed_source')
    stranger = IPv6(src='2001:db8:a::1', dst=SERVERS[6])
    for name, inside in itertools.product(TUNNELS, (4, 6)):
        lab.assert_lost(Ether(src=BALANCER_MAC, dst=SERVER_MAC) / stranger / TUNNELS[name](datagram(inside)),
                        'passed_source')


def test_leaves_outer_fragments_to_the_kernel(lab):
    first, second = fragment(tunnel(payload=b'f' * 200)[IP], 128)
    ethernet = Ether(src=BALANCER_MAC, dst=SERVER_MAC)
    lab.assert_lost(ethernet / first, 'passed_fragment')
    lab.assert_lost(ethernet / second, 'passed_fragment')


def test_takes_no_packet_that_is_not_for_this_host(lab):
    run(f'ip netns exec {lab.server} sh -c "echo 1 > /proc/sys/net/ipv4/ip_forward"')
    lab.assert_lost(tunnel(dst='10.77.0.1'), 'passed_not_for_us')
    lab.assert_lost(tunnel(dst='224.0.0.5'), 'passed_not_for_us')


def test_never_forwards_an_inner_packet(lab):
    run(f'ip netns exec {lab.server} sh -c "echo 1 > /proc/sys/net/ipv4/ip_forward"')
    lab.assert_lost(tunnel(inner(destination='203.0.113.9')), 'dropped_not_local')
    lab.assert_lost(tunnel(inner(destination='224.0.0.5')), 'dropped_not_local')
    lab.assert_lost(tunnel(inner(destination='127.0.0.1')), 'dropped_not_local')


def test_never_forwards_an_inner_ipv6_packet(lab):
    lab.sysctl('net.ipv6.conf.all.forwarding', 1)
    for outside in (4, 6):
        for destination in ('2001:db8:e::9', 'ff02::1', 'ff05::5', '::1', 'fe80::1'):
            lab.assert_lost(carry(outside, datagram(6, destination=destination)), 'dropped_not_local')


def test_never_forwards_where_only_other_interfaces_should(lab):
    """The kernel forwards IPv6 that came in here, whatever this interface's own switch says."""
    lab.sysctl('net.ipv6.conf.all.forwarding', 1)
    lab.sysctl('net.ipv6.conf.eth0.forwarding', 0)
    away = datagram(6, destination='2001:db8:e::9')
    lab.send(Ether(src=BALANCER_MAC, dst=SERVER_MAC) / away)
    assert lab.answer(lambda frame: IPv6 in frame and frame[IPv6].dst == '2001:db8:e::9')[IPv6].hlim == 63
    lab.assert_lost(carry(6, away), 'dropped_not_local')


def test_refuses_an_interface_that_alone_forwards(lab):
    name = 'net.ipv6.conf.eth0.force_forwarding'
    if not os.path.exists('/proc/sys/net/ipv6/conf/all/force_forwarding'):
        pytest.skip('this kernel has no force_forwarding')
    lab.sysctl(name, 1)
    refused = lab.decap('attach', '--interface', 'eth0', '--from', '10.9.0.0/24')
    assert (refused.returncode, name in refused.stderr) == (6, True)
    lab.sysctl('net.ipv6.conf.all.forwarding', 1)
    lab.attach(lab.mode)
    lab.assert_lost(carry(6, datagram(6, destination='2001:db8:e::9')), 'dropped_not_local')


def test_drops_a_tunnel_in_a_tunnel(lab):
    for outside, inside in PAIRS:
        nested = ip_header(inside, CLIENTS[inside], SERVICES[inside]) / datagram(4)
        lab.assert_lost(carry(outside, GRE() / nested), 'dropped_nested')


def test_an_inner_packet_for_elsewhere_ends_in_a_host_that_does_not_forward(lab):
    lab.wire.setblocking(False)
    lab.send(tunnel(inner(destination='203.0.113.9')), tunnel(payload=b'after it'))
    assert lab.received()[0] == b'after it'
    lab.send(tunnel(IP(src=CLIENT, dst=SERVICE) / TCP(sport=4242, dport=81, flags='S')))
    frame = lab.answer(lambda frame: IP in frame)
    assert TCP in frame, 'the first thing that comes back is the reset, nothing was sent before it'


def test_finds_addresses_that_were_added_later(lab):
    run(f'ip netns exec {lab.server} sh -c "echo 1 > /proc/sys/net/ipv4/ip_forward"')
    lab.assert_lost(tunnel(inner(destination='198.51.100.9')), 'dropped_not_local')
    run(f'ip -n {lab.server} addr add 198.51.100.9/32 dev lo')
    before = lab.counters()['decapsulated']
    lab.send(tunnel(inner(destination='198.51.100.9')), tunnel())
    assert lab.received()[0] == b'hello'
    assert lab.counters()['decapsulated'] == before + 2


def test_carries_ecn_inward_as_rfc_6040_says(lab):
    not_ect, ect1, ect0, ce = range(4)
    table = {(not_ect, ce): None, (ect0, ect1): ect1, (ect0, ce): ce, (ect1, ce): ce}
    for arriving, outer in itertools.product(range(4), range(4)):
        expected = table.get((arriving, outer), arriving)
        frame = tunnel(inner(tos=0xb8 | arriving), tos=0x28 | outer)
        if expected is None:
            lab.assert_lost(frame, 'dropped_ecn')
        else:
            lab.send(frame)
            assert lab.received() == (b'hello', 0xb8 | expected), (arriving, outer)


def test_carries_ecn_inward_between_families(lab):
    """The kernel checks the inner IPv4 header's checksum, and the socket says what it got."""
    not_ect, ect1, ect0, ce = range(4)
    table = {(not_ect, ce): None, (ect0, ect1): ect1, (ect0, ce): ce, (ect1, ce): ce}
    for name, (outside, inside) in itertools.product(('ipip', 'gre-key', 'gue'), PAIRS):
        for arriving, marked in itertools.product(range(4), range(4)):
            expected = table.get((arriving, marked), arriving)
            frame = carry(outside, TUNNELS[name](datagram(inside, tos=0xb8 | arriving)), tos=0x28 | marked)
            if expected is None:
                lab.assert_lost(frame, 'dropped_ecn')
            else:
                lab.send(frame)
                assert lab.received(inside) == (b'hello', 0xb8 | expected), (name, outside, inside, arriving, marked)


def test_takes_a_tunnel_encapsulation_limit_only(lab):
    """RFC 2473 5.1, as Linux's ip6tnl sends it."""
    limit = IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=4, optdata=b'\x04')])
    for name, inside in itertools.product(TUNNELS, (4, 6)):
        lab.send(carry(6, limit / TUNNELS[name](datagram(inside))))
        assert lab.received(inside)[0] == b'hello', (name, inside)
    lab.assert_lost(carry(6, IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))]) / datagram(4)), 'passed_options')
    lab.assert_lost(carry(6, limit / limit / datagram(4)), None)


def test_leaves_outer_ipv6_fragments_to_the_kernel(lab):
    whole = carry(6, IPv6ExtHdrFragment() / datagram(4, b'f' * 1400))[IPv6]
    pieces = fragment6(whole, 1280)
    assert len(pieces) == 2
    for piece in pieces:
        lab.assert_lost(Ether(src=BALANCER_MAC, dst=SERVER_MAC) / piece, 'passed_fragment')


def test_takes_only_its_gre_key_and_gue_port(lab):
    lab.attach(lab.mode, '--gre-key', '4275878552', '--gue-port', '7777')
    assert (lab.status()['gre_key'], lab.status()['gue_port']) == (4275878552, 7777)
    text = lab.decap('status').stdout
    assert 'GRE key 4275878552, GUE port 7777' in text and 'passed_gre_key' in text
    for outside in (4, 6):
        lab.assert_lost(carry(outside, TUNNELS['gre'](datagram(6))), 'passed_gre_key')
        lab.assert_lost(carry(outside, TUNNELS['gre-key'](datagram(6))), 'passed_gre_key')
        lab.assert_lost(carry(outside, TUNNELS['gue'](datagram(6))), None)
        lab.send(carry(outside, GRE(key_present=1, key=0xfedcba98) / datagram(6, b'key')))
        assert lab.received(6)[0] == b'key'
        lab.send(carry(outside, UDP(dport=7777, chksum=0) / GUE(proto=41) / datagram(6, b'port')))
        assert lab.received(6)[0] == b'port'


def test_leaves_other_gre_and_gue_to_the_kernel(lab):
    for outside in (4, 6):
        lab.assert_lost(carry(outside, GRE(chksum_present=1) / datagram(4)), 'passed_gre_checksum')
        lab.assert_lost(carry(outside, GRE(proto=0x6558) / Ether() / datagram(4)), 'passed_payload')
        lab.assert_lost(carry(outside, gue(datagram(4), control=1)), 'passed_payload')
        lab.assert_lost(carry(outside, gue(datagram(4), variant=1)), 'passed_payload')
        lab.assert_lost(carry(outside, UDP(dport=GUE_PORT) / Raw(bytes(datagram(4)))), 'passed_payload')
        lab.assert_lost(carry(outside, GRE(routing_present=1) / datagram(4)), 'dropped_tunnel')
        lab.assert_lost(carry(outside, gue(datagram(4), words=31)), 'dropped_tunnel')


def test_cuts_off_padding(lab):
    short = bytes(tunnel(payload=b''))
    lab.send(short + b'\xaa' * (70 - len(short)))
    assert lab.received()[0] == b''
    lab.send(tunnel(Raw(bytes(inner(b'abc')) + b'\xbb' * 9)))
    assert lab.received()[0] == b'abc'


def test_takes_outer_options(lab):
    for count in (4, 20, 40):
        lab.send(tunnel(payload=b'%d' % count, options=[IPOption_NOP()] * count))
        assert lab.received()[0] == b'%d' % count


def test_takes_inner_options(lab):
    lab.send(tunnel(inner(b'options', options=[IPOption_NOP()] * 8)))
    assert lab.received()[0] == b'options'


@pytest.mark.parametrize('packet', [
    bytes(inner())[:19], bytes(inner())[:21], b'', b'\x45',
    bytes(inner(version=6)), bytes(inner(ihl=4)), bytes(inner(len=19)), bytes(inner(len=1000)),
], ids=['19 bytes', '21 bytes', 'nothing', '1 byte', 'version 6', 'ihl 4', 'too short', 'too long'])
def test_drops_an_inner_packet_that_can_not_be(lab, packet):
    lab.assert_lost(tunnel(Raw(packet)), 'dropped_inner')


def test_drops_an_outer_packet_that_can_not_be(lab):
    lab.assert_lost(tunnel(chksum=0x1234), 'dropped_outer')
    lab.assert_lost(tunnel(len=1000), 'dropped_outer')
    lab.assert_lost(tunnel(ihl=4), 'dropped_outer')


def test_replaces_itself_and_goes_away(lab):
    lab.send(tunnel())
    assert lab.received()[0] == b'hello'
    for mode in ('xdp', 'tc', 'auto'):
        lab.attach(mode)
        lab.send(tunnel(payload=mode.encode()))
        assert lab.received()[0] == mode.encode()
    assert lab.decap('detach', '--interface', 'eth0').returncode == 0
    assert json.loads(lab.decap('status', '-o', 'json').stdout) == {'interfaces': []}
    assert lab.decap('detach', '--interface', 'eth0').returncode == 5
    assert lab.decap('status', '--interface', 'eth0').returncode == 5
    lab.send(tunnel(), Ether(src=BALANCER_MAC, dst=SERVER_MAC) / inner(b'plain'))
    assert lab.received()[0] == b'plain'


def test_refuses_bad_arguments(lab):
    for arguments in (['attach', '--interface', 'eth0'],
                      ['attach', '--interface', 'eth0', '--from', '10.0.0.1/24'],
                      ['attach', '--interface', 'eth0', '--from', '10.0.0.0/33'],
                      ['attach', '--interface', 'eth0', '--from', '2001:db8::1/32'],
                      ['attach', '--interface', 'eth0', '--from', '10.0.0.0/24', '--gre-key', '4294967296'],
                      ['attach', '--interface', 'eth0', '--from', '10.0.0.0/24', '--gre-key', '-1'],
                      ['attach', '--interface', 'eth0', '--from', '10.0.0.0/24', '--gue-port', '0'],
                      ['attach', '--interface', 'eth0', '--from', '10.0.0.0/24', '--gue-port', '65536'],
                      ['attach', '--interface', 'eth0', '--from', '10.0.0.0/24', '--mode', 'x'],
                      []):
        assert lab.decap(*arguments).returncode == 2, arguments
    missing = lab.decap('attach', '--interface', 'nosuch0', '--from', '10.0.0.0/24')
    assert missing.returncode == 5
    assert 'there is no interface nosuch0' in missing.stderr
