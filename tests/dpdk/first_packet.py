"""Runs in a namespace: after some silence sends one packet out of an interface and measures, by the kernel's
clock, how long it takes to come back through IPIP; again and again. Prints the times in microseconds.
Arguments: INTERFACE DESTINATION_MAC COUNT SILENCE_MS"""
import json
import socket
import sys
import time

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

interface, mac, count, silence_ms = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
ETH_P_IP = 0x0800
packet = bytes(Ether(dst=mac, src="02:00:00:00:00:99") / IP(src="192.0.2.11", dst="198.51.100.1") /
               UDP(sport=20000, dport=53) / (b"\0" * 18))


def is_answer(data, address):
    return address[2] != socket.PACKET_OUTGOING and data[23] == socket.IPPROTO_IPIP


def round_trip(wire):
    begin = time.monotonic_ns()
    wire.send(packet)
    deadline = begin + 2_000_000_000
    while time.monotonic_ns() < deadline:
        try:
            data, address = wire.recvfrom(2048, socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
        if is_answer(data, address):
            return (time.monotonic_ns() - begin) / 1000
    return None


with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP)) as wire:
    wire.bind((interface, ETH_P_IP))
    times = []
    for _ in range(count):
        time.sleep(silence_ms / 1000)
        times.append(round_trip(wire))
    print(json.dumps(times))
