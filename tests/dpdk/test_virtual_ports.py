"""The dataplane on DPDK's virtual devices: what goes in through a capture file comes out of another."""
import os
import pathlib
import re
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, defragment, fragment
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap, wrpcap

from harness import DATAPLANE, Dataplane, eventually, service_file

PORT_MAC = "02:70:63:61:70:00"  # what net_pcap gives its first interface
NEXT_HOP = "02:00:00:00:00:01"
CLIENT_MAC = "02:00:00:00:00:99"


def frame(port=40000, destination="198.51.100.1", payload=b"", **ip):
    return (Ether(src=CLIENT_MAC, dst=PORT_MAC) / IP(src="192.0.2.11", dst=destination, **ip) /
            TCP(sport=port, dport=80, flags="S") / payload)


def pcap_port(folder, queues=1, rx="rx_pcap"):
    names = ",".join(f"{rx}={folder}/in{q}.pcap" for q in range(queues))
    outs = ",".join(f"tx_pcap={folder}/out{q}.pcap" for q in range(queues))
    return f"  - {{name: uplink, device: \"net_pcap0,{names},{outs}\", next_hop_mac: \"{NEXT_HOP}\"}}\n"


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


def run_capture(folder, captures, services, workers="[1]"):
    """Plays one capture a queue; returns the statistics and what was sent, by queue."""
    for queue, capture in enumerate(captures):
        wrpcap(f"{folder}/in{queue}.pcap", capture)
    total = sum(len(capture) for capture in captures)
    with Dataplane(pcap_port(folder, len(captures)), workers=workers) as dataplane:
        dataplane.apply(services)
        eventually(lambda: dataplane.stats().worker("received") == total, "the whole capture")
        stats = dataplane.stats()
    stats.check_equation()
    return stats, [rdpcap(f"{folder}/out{q}.pcap") for q in range(len(captures))]


def test_capture_goes_through_ipip(folder):
    sent = [frame(port=40000 + i, flags="DF") for i in range(100)]
    stats, (out,) = run_capture(folder, [sent], service_file())
    assert stats.worker("sent") == 100 and len(out) == 100
    assert {p[IP].dst for p in out} == {"10.0.1.11", "10.0.1.12"}
    for before, after in zip(sent, out):
        assert after.dst == NEXT_HOP and after.src == PORT_MAC
        assert after[IP].src == "10.0.0.2" and after[IP].proto == 4
        assert bytes(after[IP].payload) == bytes(before[IP])
    assert int(stats.service("web")["packets"]) == 100
    assert sum(int(stats.backend(n)["traffic"]["packets"]) for n in ("s1", "s2")) == 100
    assert stats.backend("s1")["next_hop"] == f"{NEXT_HOP} via uplink"


def test_capture_goes_through_l2(folder):
    sent = [frame(port=40000 + i) for i in range(10)]
    _, (out,) = run_capture(folder, [sent], service_file(forward="l2"))
    assert [bytes(p[IP]) for p in out] == [bytes(p[IP]) for p in sent]
    assert {p.dst for p in out} == {NEXT_HOP}


def test_every_packet_is_counted_once(folder):
    big = frame(port=50000, payload=b"x" * 1460, flags="DF")
    sent = [frame(), frame(destination="198.51.100.9"), frame(flags="MF"), big,
            Ether(src=CLIENT_MAC, dst=PORT_MAC) / (b"\x00" * 30),
            Ether(src=CLIENT_MAC, dst=PORT_MAC, type=0x0800) / b"\x45\x00",
            Ether(src=CLIENT_MAC, dst="02:00:00:00:77:77") / IP(dst="198.51.100.1") / UDP()]
    stats, (out,) = run_capture(folder, [sent], service_file())
    assert stats.dropped("bad_ip_header") == 1
    assert stats.dropped("too_big") == 1
    assert stats.dropped("truncated") == 1
    assert stats.dropped("no_kernel_path") == 3
    assert stats.worker("originated") == 1
    answer = next(p for p in out if ICMP in p and p[IP].proto == 1)
    assert (answer[ICMP].type, answer[ICMP].code, answer[ICMP].nexthopmtu) == (3, 4, 1480)


def jumbo(size, **ip):
    return frame(payload=bytes(i % 251 for i in range(size - 40)), **ip)


def test_jumbo_frames_fit_the_buffers_of_their_port(folder):
    wrpcap(f"{folder}/in0.pcap", [jumbo(8980, flags="DF"), jumbo(8981, flags="DF"), jumbo(100)])
    with Dataplane(pcap_port(folder).replace("}", ", mtu: 9000}")) as dataplane:
        dataplane.apply(service_file())
        eventually(lambda: dataplane.stats().worker("sent") == 3, "the capture")
        stats = dataplane.stats()
    stats.check_equation()
    out = rdpcap(f"{folder}/out0.pcap")
    assert bytes(out[0][IP].payload) == bytes(jumbo(8980, flags="DF")[IP])
    assert (out[1][ICMP].code, out[1][ICMP].nexthopmtu) == (4, 8980)
    assert stats.dropped("too_big") == 1 and stats.dropped() == 1


def test_packets_in_several_buffers_go_on_as_they_came(folder):
    """The first port's buffers are small; the driver takes as many as a frame needs."""
    whole, cut = jumbo(8000, flags="DF"), jumbo(9500)
    wrpcap(f"{folder}/in0.pcap", [whole, jumbo(9500, flags="DF"), cut])
    wrpcap(f"{folder}/none.pcap", [])
    ports = (f"  - {{name: near, device: \"net_pcap0,rx_pcap={folder}/in0.pcap,tx_pcap={folder}/out0.pcap\"}}\n"
             f"  - {{name: far, device: \"net_pcap1,rx_pcap={folder}/none.pcap,tx_pcap={folder}/out1.pcap\", "
             f"next_hop_mac: \"{NEXT_HOP}\", mtu: 9000}}\n")
    with Dataplane(ports) as dataplane:
        dataplane.apply(service_file())
        eventually(lambda: dataplane.stats().worker("received") == 3, "the capture")
        stats = dataplane.stats()
    stats.check_equation()
    answer, = rdpcap(f"{folder}/out0.pcap")
    assert (answer[ICMP].code, answer[ICMP].nexthopmtu) == (4, 8980)
    assert stats.worker("sent") == 2, [d for w in stats.raw["workers"] for d in w["dropped"] if d["value"] != "0"]
    sent, = rdpcap(f"{folder}/out1.pcap")
    assert bytes(sent[IP].payload) == bytes(whole[IP])
    assert stats.dropped("multi_segment") == 1, "a packet that is not whole is not cut"


def test_a_packet_that_may_be_cut_leaves_in_pieces(folder):
    sent = [frame(port=40000 + i, payload=bytes(range(256)) * 5 + bytes(180)) for i in range(64)]
    stats, (out,) = run_capture(folder, [sent], service_file())
    assert stats.worker("sent") == len(out) == 128
    assert stats.worker("originated") == 64 and stats.event("fragmented") == 64
    whole = defragment(IP(bytes(p[IP])) for p in out)
    assert sorted(bytes(p[IP].payload) for p in whole) == sorted(bytes(p[IP]) for p in sent)


def test_two_workers_share_flows(folder):
    """A flow that begins on one queue and goes on at the other keeps its backend."""
    opened = [frame(port=40000 + i) for i in range(50)]
    later = [Ether(src=CLIENT_MAC, dst=PORT_MAC) / IP(src="192.0.2.11", dst="198.51.100.1") /
             TCP(sport=40000 + i, dport=80, flags="A") for i in range(50)]
    stats, outs = run_capture(folder, [opened, later], service_file(), workers="[0, 1]")
    assert stats.worker("received", 0) == 50 and stats.worker("received", 1) == 50
    by_port = [{p[TCP].sport: p[IP].dst for p in out} for out in outs]
    assert by_port[0] == by_port[1] and len(by_port[0]) == 50


def test_two_workers_find_the_pieces_of_a_datagram(folder):
    """First fragments come by one queue and the others by the other; each datagram is one worker's."""
    whole = [IP(src="192.0.2.11", dst="198.51.100.1", id=i + 1) / TCP(sport=40000 + i, dport=80, flags="A") /
             (b"x" * 2000) for i in range(40)]
    pieces = [fragment(IP(bytes(packet)), fragsize=1000) for packet in whole]
    ether = Ether(src=CLIENT_MAC, dst=PORT_MAC)
    wrpcap(f"{folder}/in0.pcap", [ether / piece for datagram in pieces for piece in datagram[1:]])
    wrpcap(f"{folder}/in1.pcap", [ether / datagram[0] for datagram in pieces])
    total = sum(len(datagram) for datagram in pieces)
    with Dataplane(pcap_port(folder, 2), workers="[0, 1]") as dataplane:
        dataplane.apply(service_file())
        eventually(lambda: dataplane.stats().worker("sent") == total, "every piece")
        stats = dataplane.stats()
    stats.check_equation()
    assert stats.dropped() == 0 and stats.worker("held") == 0
    # Both received a part that was the other's.
    assert all(0 < stats.worker("received", worker) < total for worker in (0, 1))
    out = [packet for queue in (0, 1) for packet in rdpcap(f"{folder}/out{queue}.pcap")]
    backends = {}
    for packet in out:
        backends.setdefault(packet[IP].payload.id, set()).add(packet[IP].dst)
    assert len(backends) == 40 and all(len(to) == 1 for to in backends.values())
    assert sorted(bytes(p[IP].payload) for p in out) == sorted(bytes(p) for datagram in pieces for p in datagram)


def test_what_waits_is_held_and_freed_at_the_end(folder):
    piece = fragment(IP(bytes(IP(src="192.0.2.11", dst="198.51.100.1", id=9) / TCP(dport=80) / (b"x" * 2000))), 1000)[1]
    wrpcap(f"{folder}/in0.pcap", [Ether(src=CLIENT_MAC, dst=PORT_MAC) / piece])
    with Dataplane(pcap_port(folder)) as dataplane:
        dataplane.apply(service_file())
        eventually(lambda: dataplane.stats().worker("held") == 1, "the piece")
        dataplane.stats().check_equation()
        eventually(lambda: dataplane.stats().dropped("fragment_timeout") == 1, "its end")
        stats = dataplane.stats()
        stats.check_equation()
        assert stats.worker("held") == 0


def test_nothing_is_received_before_the_first_generation(folder):
    wrpcap(f"{folder}/in0.pcap", [frame()])
    with Dataplane(pcap_port(folder)) as dataplane:
        before = dataplane.stats()
        assert before.worker("received") == 0 and before.raw["generation"] == "0"
        dataplane.apply(service_file())
        eventually(lambda: dataplane.stats().worker("sent") == 1, "the packet")


def test_a_port_has_the_buffers_it_asks_for(folder):
    # An endless capture lies in the queue's buffers as a whole; these are more than a queue has unasked.
    wrpcap(f"{folder}/in0.pcap", [frame(port=40000 + i % 100) for i in range(5000)])
    port = (f"  - {{name: uplink, device: \"net_pcap0,rx_pcap={folder}/in0.pcap,infinite_rx=1\", "
            f"next_hop_mac: \"{NEXT_HOP}\", buffers: 8191}}\n")
    with Dataplane(port) as dataplane:
        dataplane.apply(service_file())
        eventually(lambda: dataplane.stats().worker("sent") > 20000, "the capture four times")
        assert dataplane.stats().dropped() == 0


def test_answers_while_a_worker_is_saturated():
    with Dataplane("  - {name: uplink, device: net_null0, next_hop_mac: \"02:00:00:00:00:01\"}\n") as dataplane:
        dataplane.apply(service_file())
        eventually(lambda: dataplane.stats().worker("received") > 1000, "packets")
        stats = dataplane.stats()
        # Busy all the time: what a moment shows is within a burst.
        went = stats.worker("sent") + stats.dropped()
        assert abs(stats.worker("received") - went) <= 32
        assert int(stats.raw["workers"][0]["busy_cycles"]) > 0


def test_flow_lookup_finds_the_entry(folder):
    wrpcap(f"{folder}/in0.pcap", [frame(port=45000)])
    with Dataplane(pcap_port(folder)) as dataplane:
        dataplane.apply(service_file())
        eventually(lambda: dataplane.stats().worker("sent") == 1, "the packet")
        flow = dataplane.ask("lookup", "tcp", "192.0.2.11", "45000", "198.51.100.1", "80")
        assert flow["service"] == "web" and flow["pool"] == "web"
        assert flow["flow_found"] and flow["state"] == "opening"
        assert flow["flow_backend"] == flow["table_backend"]
        other = dataplane.ask("lookup", "tcp", "192.0.2.11", "45001", "198.51.100.1", "80")
        assert other["service_found"] and not other["flow_found"]
        assert not dataplane.ask("lookup", "tcp", "192.0.2.11", "1", "198.51.100.9", "80")["service_found"]
        assert dataplane.ask("summary")["flows"] == "1"


def refused(tmp_path, text):
    config = tmp_path / "dataplane.yaml"
    config.write_text(text)
    done = subprocess.run([DATAPLANE, "--config", str(config), "--socket", str(tmp_path / "s")], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode != 0
    return done.stderr


def free_hugepage_bytes():
    sizes = pathlib.Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB")
    return sum(int((s / "free_hugepages").read_text()) * int(s.name[10:-2]) * 1024 for s in sizes)


def test_says_how_much_memory_is_lacking(tmp_path):
    if free_hugepage_bytes() >= 8 << 30:
        pytest.skip("the machine has hugepages for 2 * 4 GiB")
    said = refused(tmp_path, "cores: {main: 0, workers: [0, 1]}\nmemory: {hugepages: on}\n"
                   "flow_table: {entries: 268435456}\nports: [{name: a, device: net_null0}]\n")
    assert re.search(r"no memory for the tables of 2 worker\(s\), \d+ MiB together .* MiB of hugepages were free", said)


def test_says_what_is_wrong_with_the_machine(tmp_path):
    cores = "cores: {main: 0, workers: [1]}\n"
    missing = os.cpu_count() + 200
    assert f"worker core {missing} is not there" in refused(
        tmp_path, f"cores: {{main: 0, workers: [{missing}]}}\nports: [{{name: a, device: net_null0}}]\n")
    assert "port a: there is no interface nowhere0" in refused(
        tmp_path, cores + "ports: [{name: a, device: \"net_af_xdp0,iface=nowhere0\"}]\n")
    assert "port a: device net_pcap0,rx_pcap=/nowhere" in refused(
        tmp_path, cores + "ports: [{name: a, device: \"net_pcap0,rx_pcap=/nowhere\"}]\n")
    assert "port a: buffers 1024 are fewer than the 8191 that AF_XDP takes" in refused(
        tmp_path, cores + "ports: [{name: a, device: \"net_af_xdp0,iface=lo\", buffers: 1024}]\n")
    assert "dataplane.yaml:2:" in refused(tmp_path, cores + "ports: [{name: a, device: net_null0, mtu: 1}]\n")


def test_refuses_instructions_that_there_are_not(tmp_path, monkeypatch):
    monkeypatch.setenv("MAGLB_ISA", "sse9")
    assert refused(tmp_path, "no: configuration\n") == (
        "maglb-dataplane: MAGLB_ISA: sse9 is none of baseline, avx2, avx512\n")


def test_says_which_instructions_it_uses(monkeypatch):
    monkeypatch.setenv("MAGLB_ISA", "baseline")
    with Dataplane("  - {name: uplink, device: net_null0, next_hop_mac: \"02:00:00:00:00:01\"}\n") as dataplane:
        eventually(lambda: "baseline instructions" in dataplane.log(), "the start-up line")
