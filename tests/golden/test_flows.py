"""The rules of flows: what makes one, what keeps it, when it ends, by the capture's time."""
import pytest

from configs import backend, config, dataplane, service
from harness import SECOND, Input, replay
from packets import DNS, ether, tcp, udp

TIMEOUTS = "{opening: 2s, established: 10s, closing: 3s, udp: 5s}"
# The clock of flows ticks every 134 ms: an entry lives its timeout, and two ticks more at most.
SLACK = 300 * SECOND // 1000
EARLY = SECOND // 1000

CONFIG = config({"web": [backend("web1", "10.0.1.11")], "dns": [backend("ns1", "10.0.1.21")]},
                [service(timeouts=TIMEOUTS), service(DNS, "udp", 53, "dns", "dns", forward="l2", timeouts=TIMEOUTS)])


def at(seconds, packet, offset=0):
    return Input(bytes(ether(packet)), at=int(seconds * SECOND) + offset)


def new_flows(frames, name="web"):
    outcome = replay(CONFIG, frames)
    assert outcome.counters["sent"] == len(frames)  # whatever the flow's state, its packets are served
    assert outcome.service(name)["packets"] == len(frames)
    return outcome.service(name)["new_flows"]


def dialogue(*flags):
    return [at(i * 0.001, tcp(f)) for i, f in enumerate(flags)]


@pytest.mark.parametrize("flags,expected", [
    (["S"], 1),
    (["S", "S", "S"], 1),                     # retransmitted
    (["S", "A", "PA", "A"], 1),
    (["A"], 1),                               # mid-stream: goes by the table and makes an entry
    (["A", "A", "PA"], 1),
    (["SA", "A"], 1),                         # no client's packet, yet no SYN either
    (["R"], 0), (["RA", "R"], 0),             # nothing to keep
    (["S", "R", "A"], 1),                     # closing, still one flow
    (["S", "A", "FA", "A", "A"], 1),
    (["S", "A", "S"], 2),                     # a SYN on an established flow opens another
    (["S", "A", "FA", "S", "A"], 2),          # and on a closing one: the port is used again
    (["FA"], 1),
    (["S", "A", "S", "S"], 2),
], ids=lambda value: "-".join(value) if isinstance(value, list) else str(value))
def test_tcp_flows(flags, expected):
    assert new_flows(dialogue(*flags)) == expected


def test_all_packets_of_one_burst_are_one_flow():
    assert new_flows([Input(bytes(ether(tcp(f))), at=0) for f in ["S"] + ["A"] * 60]) == 1


def test_each_tuple_is_a_flow():
    frames = [at(0, tcp(sport=1000 + i)) for i in range(40)] + [at(0, tcp(src=f"192.0.2.{i}")) for i in range(40)]
    assert new_flows(frames) == 80


@pytest.mark.parametrize("opening,timeout,packet", [
    (["S"], 2, "A"),
    (["A"], 2, "A"),
    (["S", "A"], 10, "A"),
    (["S", "A", "FA"], 3, "A"),
    (["S", "A", "R"], 3, "A"),
    (["S", "A", "FA", "A"], 3, "A"),
], ids=["opening", "opening-mid-stream", "established", "closing-fin", "closing-rst", "closing-stays"])
def test_tcp_timeouts(opening, timeout, packet):
    start = dialogue(*opening)
    last = start[-1].at / SECOND
    assert new_flows([*start, at(last + timeout, tcp(packet), -EARLY)]) == 1
    assert new_flows([*start, at(last + timeout, tcp(packet), SLACK)]) == 2


def test_udp_timeouts():
    # The first datagram opens; the second makes it a flow of its own kind.
    assert new_flows([at(0, udp()), at(2, udp(), -EARLY)], "dns") == 1
    assert new_flows([at(0, udp()), at(2, udp(), SLACK)], "dns") == 2
    assert new_flows([at(0, udp()), at(1, udp()), at(6, udp(), -EARLY)], "dns") == 1
    assert new_flows([at(0, udp()), at(1, udp()), at(6, udp(), SLACK)], "dns") == 2


def test_a_busy_flow_lasts():
    assert new_flows([at(0, tcp("S"))] + [at(9 * i + 0.5, tcp("A")) for i in range(100)]) == 1
    assert new_flows([at(0, udp()), at(1, udp())] + [at(1 + 4.9 * i, udp()) for i in range(1, 100)], "dns") == 1


def test_a_retransmitted_syn_keeps_it_open():
    assert new_flows([at(1.5 * i, tcp("S")) for i in range(10)] + [at(14, tcp("A"))]) == 1


def test_time_that_goes_back_stands_still():
    outcome = replay(CONFIG, [at(100, tcp("S")), at(1, tcp("A")), at(100.001, tcp("A"))])
    assert outcome.service("web")["new_flows"] == 1
    assert outcome.times == [100 * SECOND, SECOND, 100 * SECOND + 1_000_000]
    assert "1 frame earlier than the one before" in outcome.notes


def test_the_sweep_frees_what_is_over():
    # Ten thousand flows in turn, a thousand at a time: none finds the table too full.
    frames = [at(i * 0.01, tcp("S", sport=1 + i)) for i in range(10000)]
    small = "flow_table: {entries: 2048}\n"
    outcome = replay(CONFIG, frames, dataplane(more=small))
    assert outcome.service("web")["new_flows"] == 10000
    assert outcome.counters["events"]["flows_expired"] > 0


def test_a_full_table_serves_by_the_pools_table():
    frames = [at(0, tcp("S", sport=1 + i)) for i in range(5000)]
    outcome = replay(CONFIG, frames, dataplane(more="flow_table: {entries: 1024}\n"))
    assert outcome.counters["sent"] == 5000


@pytest.mark.parametrize("gap", [100, 6_000, 15_000, 100_000])
def test_a_flow_is_forgotten_behind_a_gap(gap):
    # A worker's sweep goes on in the gap: no length of it may bring a flow back.
    before, behind = (Input(bytes(ether(udp(sport=5))), at=at * SECOND) for at in (0, gap))
    outcome = replay(CONFIG, [before, behind])
    assert outcome.service("dns")["new_flows"] == 2
    assert outcome.counters["events"]["flows_expired"] == 1
