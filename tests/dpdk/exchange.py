"""Runs in a namespace: sends packets out of an interface and prints how many came back through IPIP, by
outer destination. Arguments: INTERFACE DESTINATION_MAC COUNT"""
import collections
import json
import socket
import struct
import sys
import time

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

interface, mac, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
ETH_P_IP = 0x0800
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP)) as wire:
    wire.bind((interface, ETH_P_IP))
    wire.settimeout(0.2)
    for i in range(count):
        packet = (Ether(dst=mac, src="02:00:00:00:00:99") / IP(src="192.0.2.11", dst="198.51.100.1") /
                  TCP(sport=20000 + i, dport=80, flags="S"))
        wire.send(bytes(packet))
    came = collections.Counter()
    deadline = time.monotonic() + 5
    while sum(came.values()) < count and time.monotonic() < deadline:
        try:
            data, address = wire.recvfrom(2048)
        except TimeoutError:
            continue
        outgoing = address[2] == socket.PACKET_OUTGOING
        if not outgoing and data[23] == socket.IPPROTO_IPIP:
            came[socket.inet_ntoa(data[30:34])] += 1
    print(json.dumps(came))
