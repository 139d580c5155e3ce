"""The captures of the end-to-end runs, read by another implementation."""
from rig import capture
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap


def test_frames_are_whole_and_right(tmp_path):
    path = tmp_path / "a.pcap"
    assert capture.write(path, range(2048, 2048 + 1500)) == 1500
    packets = rdpcap(str(path))
    assert len({(p[IP].src, p[TCP].sport) for p in packets}) == 1500
    for packet in packets[:50]:
        checksum = packet[IP].chksum
        del packet[IP].chksum
        assert Ether(bytes(packet))[IP].chksum == checksum
        assert len(packet) == 64 and packet[TCP].flags == "A"
        assert (packet[IP].dst, packet[TCP].dport, packet[IP].len) == ("198.51.100.1", 80, 50)


def test_neighbours_are_of_different_flows_and_every_run_is_alike():
    order = list(capture.flows_in_order(65536))
    assert sorted(order) == list(range(65536)) and order == list(capture.flows_in_order(65536))
    assert sum(abs(a - b) == 1 for a, b in zip(order, order[1:])) < 20


def test_one_flow_makes_a_capture_of_many_packets():
    assert len(list(capture.flows_in_order(1))) == capture.FEWEST_PACKETS
