"""maglb-decap with packets that scapy builds and a server's real sockets:

    balancer namespace            server namespace
    b0 10.9.0.1/24  ---- veth ---- eth0 10.9.0.2/24, maglb-decap here
                                   lo 198.51.100.1/32

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
from scapy.all import IP, TCP, UDP, Ether, IPOption_NOP, Raw, fragment

DECAP = os.environ.get('MAGLB_DECAP', 'build/tools/maglb-decap/maglb-decap')
DEADLINE = 15
CLIENT, SERVICE, PORT = '192.0.2.1', '198.51.100.1', 5353
BALANCER_MAC, SERVER_MAC = '02:0d:00:00:00:01', '02:0d:00:00:00:02'
CLONE_NEWNET = 0x40000000
IP_RECVTOS = 13
LIBC = ctypes.CDLL(None, use_errno=True)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason='needs root to make network namespaces')


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
            run(f'ip netns exec {namespace} sh -c "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; '
                f'echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; ip link set lo up"')
        run(f'ip -n {self.balancer} addr add 10.9.0.1/24 dev b0 && ip -n {self.balancer} link set b0 up')
        run(f'ip netns exec {self.server} sh -c "echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter"')
        run(f'ip -n {self.server} addr add 10.9.0.2/24 dev eth0 && ip -n {self.server} link set eth0 up')
        run(f'ip -n {self.server} addr add {SERVICE}/32 dev lo')
        run(f'ip -n {self.server} neigh add 10.9.0.1 lladdr {BALANCER_MAC} dev eth0')
        run(f'ip -n {self.server} route add default via 10.9.0.1')
        self.wire = in_namespace(self.balancer, lambda: self.raw_socket('b0'))
        self.udp = in_namespace(self.server, self.udp_socket)

    @staticmethod
    def raw_socket(interface):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        wire.bind((interface, 0))
        return wire

    @staticmethod
    def udp_socket():
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        udp.bind((SERVICE, PORT))
        return udp

    def decap(self, *arguments):
        return subprocess.run(['ip', 'netns', 'exec', self.server, DECAP, *arguments],
                              capture_output=True, text=True)

    def attach(self, mode):
        result = self.decap('attach', '--interface', 'eth0', '--from', '10.9.0.0/24', '--mode', mode)
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

    def received(self, timeout=DEADLINE):
        """Payload and TOS of the next datagram, or None."""
        if not select.select([self.udp], [], [], timeout)[0]:
            return None
        payload, ancillary, _, _ = self.udp.recvmsg(2048, 256)
        tos = next((data[0] for level, kind, data in ancillary if kind == socket.IP_TOS), None)
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

    def close(self):
        self.wire.close()
        self.udp.close()
        run(f'ip netns del {self.balancer}; ip netns del {self.server}')


NUMBERS = itertools.count()


@pytest.fixture(params=['xdp', 'xdp-generic', 'tc'])
def lab(request):
    lab = Lab(next(NUMBERS), request.param == 'xdp-generic')
    try:
        lab.attach(request.param.removesuffix('-generic'))
        assert lab.status()['mode'] == request.param
        yield lab
    finally:
        lab.close()


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
                      ['attach', '--interface', 'eth0', '--from', '2001:db8::/32'],
                      ['attach', '--interface', 'eth0', '--from', '10.0.0.0/24', '--mode', 'x'],
                      []):
        assert lab.decap(*arguments).returncode == 2, arguments
    missing = lab.decap('attach', '--interface', 'nosuch0', '--from', '10.0.0.0/24')
    assert missing.returncode == 5
    assert 'there is no interface nosuch0' in missing.stderr
