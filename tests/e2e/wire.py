"""Packets of our own in the lab's namespaces, and what the balancer sends to each backend.

    frames = Capture(lab)              # everything that leaves the balancer, stamped by the kernel
    opener = Opener(lab, "c1")         # a raw socket that opens flows nobody answers
    opener.send(packet(...))
"""

import ctypes
import itertools
import os
import random
import socket
import struct
import threading
import time

CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SOL_PACKET, PACKET_STATISTICS = 263, 6
ETH_P_ALL = 3
PACKET_OUTGOING = 4
IPIP, IPV6_IN, TCP, UDP = 4, 41, 6, 17
FIN, SYN, RST, ACK = 1, 2, 4, 16


def in_namespace(lab, name, make):
    """What make() returns, called in a namespace. A socket stays in the one that it was made in."""
    result = []

    def enter():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{lab.prefix}-{name}") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {name}")
        result.append(make())

    # A thread of its own: it never comes back from there.
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert result, f"nothing came back from namespace {name}"
    return result[0]


def checksum(octets):
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source, source_port, destination, port, flags=SYN, protocol=TCP):
    """An IPv4 packet without options: a TCP segment without data, or a datagram of four octets."""
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    if protocol == TCP:
        payload = struct.pack("!HHIIBBHHH", source_port, port, 1, 1 if flags & ACK else 0, 0x50, flags, 8192, 0, 0)
    else:
        payload = struct.pack("!HHHH", source_port, port, 12, 0) + b"ping"
    sum_at = 16 if protocol == TCP else 6
    sum_of = checksum(addresses + struct.pack("!HH", protocol, len(payload)) + payload)
    payload = payload[:sum_at] + struct.pack("!H", sum_of) + payload[sum_at + 2 :]
    # The kernel fills in the header's checksum.
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + addresses + payload


class Opener:
    """Sends IPv4 packets as they are, from a namespace."""

    def __init__(self, lab, name):
        self.socket = in_namespace(
            lab, name, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        )

    def send(self, octets):
        self.socket.sendto(octets, (socket.inet_ntoa(octets[16:20]), 0))

    def close(self):
        self.socket.close()


# Every flow of Steady is another one, for as long as any is remembered.
flow_numbers = itertools.count(random.randrange(1 << 20))


class Steady:
    """SYNs of ever new flows to a service at a steady rate, until stop(). The client's kernel has all of
    192.0.2.128/25 for the while and resets what is answered, so that no server's queue fills."""

    NETWORK = "192.0.2.128/25"

    def __init__(self, lab, name, destination, port=80, rate=1000):
        self.sent = 0
        self._lab, self._name = lab, name
        lab.run(name, "ip", "route", "replace", "local", self.NETWORK, "dev", "lo")
        self._opener = Opener(lab, name)
        self._make = lambda source, source_port: packet(source, source_port, destination, port)
        self._rate = rate
        self._running = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _open_one(self):
        number = next(flow_numbers)
        # 61 is prime to the number of ports: neighbours in time are none in their ports.
        self._opener.send(self._make(f"192.0.2.{128 + number // 64000 % 120}", 1024 + number * 61 % 64000))
        self.sent += 1

    def _run(self):
        began = time.monotonic()
        while self._running:
            due = int((time.monotonic() - began) * self._rate)
            # One that was late does not make it up in a burst: the next ones are due from now on.
            if due - self.sent > 50:
                began += (due - self.sent) / self._rate
                continue
            while self.sent < due:
                self._open_one()
            time.sleep(0.5 / self._rate)

    def stop(self):
        self._running = False
        self._thread.join()
        self._opener.close()
        self._lab.run(self._name, "ip", "route", "delete", "local", self.NETWORK, "dev", "lo", check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Seen:
    """A packet that left the balancer: when, to whom (outer address, or MAC by l2), and the client's part."""

    __slots__ = ("at", "backend", "source", "source_port", "destination", "port", "protocol", "flags")

    def __init__(self, at, backend, inner):
        self.at = at
        self.backend = backend
        self.protocol = inner[9]
        self.source = socket.inet_ntoa(inner[12:16])
        self.destination = socket.inet_ntoa(inner[16:20])
        at_ports = (inner[0] & 15) * 4
        self.source_port, self.port = struct.unpack_from("!HH", inner, at_ports)
        self.flags = inner[at_ports + 13] if self.protocol == TCP else 0

    @property
    def flow(self):
        return (self.protocol, self.source, self.source_port)


class Capture:
    """What leaves the balancer for backends by ipip and l2, IPv4 inside. Stamped by the kernel where it comes
    out of the balancer's cable (CLOCK_REALTIME seconds): what AF_XDP sends passes no tap on lb0 itself."""

    def __init__(self, lab):
        self.names = {lab.address_of(server): server for server in lab.servers}
        for server in lab.servers:
            mac = lab.run(server, "cat", "/sys/class/net/eth0/address").stdout.strip()
            self.names[bytes.fromhex(mac.replace(":", ""))] = server
        self.socket = in_namespace(lab, "fabric", self._open)

    @staticmethod
    def _open():
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        one.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 128 << 20)
        one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        one.bind(("lbp", ETH_P_ALL))
        one.setblocking(False)
        return one

    def read(self, seconds=0.0):
        """What came since the last call; with `seconds`, waits that long for the first one."""
        deadline = time.monotonic() + seconds
        seen = []
        while True:
            try:
                frame, ancillary, _, address = self.socket.recvmsg(256, 64)
            except BlockingIOError:
                if seen or time.monotonic() >= deadline:
                    return seen
                time.sleep(0.0002)
                continue
            if address[2] != PACKET_OUTGOING and (one := self._parse(frame, ancillary)):
                seen.append(one)

    def _parse(self, frame, ancillary):
        if len(frame) < 42 or frame[12:14] != b"\x08\x00":
            return None
        outer = frame[14:]
        backend = self.names.get(frame[:6])
        if outer[9] == IPIP and len(outer) >= 48:
            backend, inner = self.names.get(socket.inet_ntoa(outer[16:20])), outer[20:]
        else:
            inner = outer
        if backend is None or inner[9] not in (TCP, UDP) or len(inner) < 28 or not self._is_of_a_service(inner):
            return None
        seconds, nanoseconds = struct.unpack("=qq", ancillary[0][2][:16])
        return Seen(seconds + nanoseconds * 1e-9, backend, inner)

    @staticmethod
    def _is_of_a_service(inner):
        return inner[16:19] == bytes((198, 51, 100)) and (inner[9] == UDP or len(inner) >= 40)

    def dropped(self):
        """Packets that the kernel had no room for since the last call."""
        return struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def process_group_of(lab, server):
    """nginx' process group: the master leads it, its workers are in it."""
    with open(f"/run/maglb-lab/{lab.prefix}/{server}/nginx.proc") as file:
        pid = int(file.read().split()[0])
    assert os.getpgid(pid) == pid
    return pid
