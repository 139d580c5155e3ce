"""Malformed packets: each has its reason, and none is forwarded."""
import random

from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from case import Case, check, each
from configs import ONE_BACKEND, WEB1
from harness import replay
from packets import BALANCER_MAC, CLIENT_MAC, GATEWAY_MAC, checksums_hold, ether, ipip, tcp, udp

SYN = tcp(size=20)
QUERY = udp(size=20)


def patched(packet, offset, value, keep_checksum=False):
    """The IP packet with bytes replaced, its header checksum made right again unless told otherwise."""
    raw = bytearray(bytes(packet))
    raw[offset:offset + len(value)] = value
    if not keep_checksum:
        raw[10:12] = b"\0\0"
        length = max(20, (raw[0] & 0xF) * 4)
        total = sum(int.from_bytes(raw[i:i + 2], "big") for i in range(0, min(length, len(raw)), 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        raw[10:12] = (total ^ 0xFFFF).to_bytes(2, "big")
    return bytes(Ether(dst=BALANCER_MAC, src=CLIENT_MAC, type=0x0800)) + bytes(raw)


def refused(name, frame, reason):
    return Case(name, [frame, ether(SYN)], [ipip(SYN, WEB1)], {reason: 1})


CASES = [
    refused("ethernet header cut", bytes(ether(SYN))[:13], "truncated"),
    refused("one byte", b"\x02", "truncated"),
    refused("no ip header", bytes(ether(SYN))[:14], "truncated"),
    refused("ip header cut", bytes(ether(SYN))[:33], "truncated"),
    refused("shorter than its total length", bytes(ether(SYN))[:-1], "truncated"),
    refused("tcp header cut", ether(IP(src="192.0.2.1", dst="198.51.100.1", proto=6) / bytes(SYN)[20:39]), "truncated"),
    refused("udp header cut", ether(IP(src="192.0.2.1", dst="198.51.100.2", proto=17) / (b"\0" * 7)), "truncated"),
    refused("no payload at all", ether(IP(src="192.0.2.1", dst="198.51.100.1", proto=6)), "truncated"),
    refused("ip version 5", patched(SYN, 0, b"\x55"), "bad_ip_header"),
    refused("ip version 6 under the type of ipv4", patched(SYN, 0, b"\x65"), "bad_ip_header"),
    refused("header length 16", patched(SYN, 0, b"\x44"), "bad_ip_header"),
    refused("header length 0", patched(SYN, 0, b"\x40"), "bad_ip_header"),
    refused("header longer than the packet", patched(tcp(), 0, b"\x4f"), "bad_ip_header"),
    refused("total length 0", patched(SYN, 2, b"\0\0"), "bad_ip_header"),
    refused("total length 19", patched(SYN, 2, b"\0\x13"), "bad_ip_header"),
    refused("total length beyond the frame", patched(SYN, 2, b"\xff\xff"), "truncated"),
    refused("wrong ip checksum", patched(SYN, 10, b"\xde\xad", keep_checksum=True), "bad_ip_checksum"),
    refused("ip checksum 0", patched(SYN, 10, b"\0\0", keep_checksum=True), "bad_ip_checksum"),
    refused("one bit of the header", patched(SYN, 8, b"\x41", keep_checksum=True), "bad_ip_checksum"),
    refused("tcp data offset 4", patched(SYN, 32, b"\x40"), "bad_l4_header"),
    refused("tcp data offset 0", patched(SYN, 32, b"\x00"), "bad_l4_header"),
    refused("tcp options beyond the packet", patched(tcp(), 32, b"\xf0"), "bad_l4_header"),
    refused("udp length 7", patched(QUERY, 24, b"\0\x07"), "bad_l4_header"),
    refused("udp length 0", patched(QUERY, 24, b"\0\0"), "bad_l4_header"),
    refused("udp length beyond the packet", patched(QUERY, 24, b"\0\xff"), "bad_l4_header"),
]


@each(CASES)
def test_malformed(case):
    check(case)


def test_udp_length_within_the_packet_is_taken():
    shorter = patched(QUERY, 24, b"\0\x09")
    assert len(replay(ONE_BACKEND, [shorter]).frames) == 1


def mutated(rng, frame):
    raw = bytearray(frame)
    for _ in range(rng.choice((1, 1, 2, 8))):
        raw[rng.randrange(14, len(raw))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.3:
        del raw[rng.randrange(len(raw) + 1):]
    return patched(raw[14:], 0, raw[14:15]) if len(raw) >= 34 and rng.random() < 0.7 else bytes(raw)


def test_whatever_comes_in_what_goes_out_is_well_formed():
    seed = 20260301
    print("seed", seed)
    rng = random.Random(seed)
    models = [bytes(ether(packet)) for packet in (SYN, tcp("PA", size=700), tcp("A", df=False), QUERY, udp(size=0))]
    frames = [mutated(rng, rng.choice(models)) for _ in range(4000)]
    outcome = replay(ONE_BACKEND, frames)
    received = {frame[14:14 + int.from_bytes(frame[16:18], "big")] for frame in frames}
    assert len(outcome.frames) > 100 and sum(outcome.dropped.values()) > 100
    for frame in outcome.frames:
        packet = Ether(frame)
        outer = frame[14:34]
        del packet[IP].chksum
        assert bytes(packet)[14:34] == outer
        inner = frame[34:] if packet.dst == GATEWAY_MAC else frame[14:]
        assert inner in received
