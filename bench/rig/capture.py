"""Captures for the end-to-end runs: TCP packets of established flows, each of 64 bytes."""
import pathlib
import random
import struct
from collections.abc import Iterator

PORT_MAC = bytes.fromhex("027063617000")  # what net_pcap gives its first interface
ROUTER_MAC = bytes.fromhex("020000000099")
SERVICE_ADDRESS = "198.51.100.1"
SERVICE_PORT = 80

# Fewer packets than this are written several times over: the driver's ring of them is not to be tiny.
FEWEST_PACKETS = 1024
LINKTYPE_ETHERNET = 1
PAYLOAD = bytes(10)


def ipv4_checksum(header: bytes) -> int:
    """RFC 1071, of ten words whose checksum field is zero."""
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def address_number(text: str) -> int:
    return int.from_bytes(bytes(int(part) for part in text.split(".")), "big")


def frame(flow: int) -> bytes:
    """A segment with ACK set. Flows differ by source address and port."""
    source = address_number("10.128.0.0") + flow // 256
    port = 1024 + flow % 256 * 251
    tcp = struct.pack("!HHIIBBHHH", port, SERVICE_PORT, 1, 1, 5 << 4, 0x10, 512, 0, 0) + PAYLOAD
    words = (0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6)
    destination = address_number(SERVICE_ADDRESS)
    header = struct.pack("!BBHHHBBHII", *words, 0, source, destination)
    header = struct.pack("!BBHHHBBHII", *words, ipv4_checksum(header), source, destination)
    return PORT_MAC + ROUTER_MAC + b"\x08\x00" + header + tcp


def flows_in_order(count: int) -> Iterator[int]:
    """Each flow as often as the others, neighbours mixed; the same from run to run."""
    order = list(range(count))
    random.Random(7).shuffle(order)
    for _ in range(max(1, FEWEST_PACKETS // count)):
        yield from order


def write(path: pathlib.Path, flows: range) -> int:
    """Writes a capture with a packet of each flow, and returns how many packets that are."""
    packets = 0
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, LINKTYPE_ETHERNET))
        for flow in flows_in_order(len(flows)):
            data = frame(flows[flow])
            file.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)
            packets += 1
    return packets
