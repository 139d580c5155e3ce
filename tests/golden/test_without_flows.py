"""flow: off: every packet by the pool's table, and nothing is remembered of any."""
import pytest

from configs import backend, config, service
from harness import SECOND, Input, replay
from packets import WEB, ether, tcp, udp
from packets6 import WEB6, tcp6, udp6
from selection import maglev_table, slot
from tunnel_packets import BOTH_SOURCES, outer_of

WHERE = {f"w{i}": f"10.0.1.{i}" for i in range(1, 6)}
POOLS = {"web": [backend(name, address) for name, address in WHERE.items()]}
FLOW_EVENTS = ["flows_created", "flows_rescheduled", "flows_expired", "flows_not_stored", "flows_adopted"]
BUILDERS = {"tcp4": tcp, "tcp6": tcp6, "udp4": udp, "udp6": udp6}


def service_of(kind, **more):
    address = f"'{WEB6}'" if kind.endswith("6") else WEB
    return service(address, kind[:3], 80, **more)


def packets_of(kind, count):
    to = WEB6 if kind.endswith("6") else WEB
    build = BUILDERS[kind]
    if build in (udp, udp6):
        return [build(sport=1000 + i, dst=to, dport=80) for _ in range(3) for i in range(count)]
    return [build(flags, sport=1000 + i, dst=to) for flags in ("S", "A", "FA", "R", "S") for i in range(count)]


@pytest.mark.parametrize("kind", BUILDERS)
@pytest.mark.parametrize("forward", ["ipip", "l2", "gue", "gre"])
def test_no_entries_and_the_tables_choice(kind, forward):
    frames = [ether(packet) for packet in packets_of(kind, 100)]
    without = replay(config(POOLS, [service_of(kind, flow="off", forward=forward)]), frames, BOTH_SOURCES)
    tracked = replay(config(POOLS, [service_of(kind, forward=forward)]), frames, BOTH_SOURCES)
    assert without.frames == tracked.frames and len(without.frames) == len(frames)
    assert [without.counters["events"][name] for name in FLOW_EVENTS] == [0] * len(FLOW_EVENTS)
    assert without.service("web")["new_flows"] == 0 and without.service("web")["packets"] == len(frames)
    assert all(without.backend("web", name)["new_flows"] == 0 for name in WHERE)
    assert tracked.counters["events"]["flows_created"] >= 100


def test_the_choice_is_the_one_predicted():
    table = maglev_table(dict.fromkeys(WHERE, 100), 251, 7)
    packets = [tcp("A", sport=1000 + i) for i in range(300)]
    outcome = replay(config(POOLS, [service(flow="off")]), [ether(packet) for packet in packets])
    assert [outer_of(frame).dst for frame in outcome.frames] == [
        WHERE[table[slot(7, 251, packet.src, packet.dst, packet.sport, packet.dport, 6)]] for packet in packets]


def test_beside_a_service_that_tracks():
    text = config(POOLS, [service(flow="off"), service(port=81, name="tracked")])
    frames = [Input(bytes(ether(tcp(sport=1000 + i, dport=80 + i % 2))), at=i * SECOND // 1000) for i in range(100)]
    outcome = replay(text, frames)
    assert outcome.counters["events"]["flows_created"] == 50
    assert (outcome.service("web")["new_flows"], outcome.service("tracked")["new_flows"]) == (0, 50)
