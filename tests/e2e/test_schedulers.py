"""Each scheduler by real connections through the AF_XDP data path: its shares, and what it keeps.

One worker: turns are exact. The tolerances are argued where they stand.
"""

import math

from daemons import service_document
from load import load, open_many
from support import WEB
from wire import ACK, SYN, Capture, Opener, packet

daemons_options = {"document": lambda lab: document(lab)}
WEIGHTS = {"s1": 50, "s2": 100, "s3": 150, "s4": 100}
PORTS = {"round-robin": 8000, "least-connections": 8001, "random": 8002, "source-hash": 8003}


def document(lab):
    one = service_document(lab)
    for scheduler, port in PORTS.items():
        weights = WEIGHTS if scheduler in ("round-robin", "random") else {}
        one["pools"][scheduler] = {
            "scheduler": scheduler,
            "health": {"type": "none"},
            "backends": [
                {"name": server, "address": lab.address_of(server), "weight": weights.get(server, 100)}
                for server in lab.servers
            ],
        }
        one["services"].append(
            {"name": scheduler, "address": WEB, "protocol": "tcp", "port": port, "pool": scheduler, "forward": "ipip"}
        )
    return one


def opened(lab, scheduler, connections, **options):
    seen = open_many(lab, connections, port=PORTS[scheduler], **options)
    assert seen["failed"] == 0, seen["failures"][:3]
    return {server: seen["servers"].get(server, 0) for server in lab.servers}


def test_round_robin_is_within_two_flows_of_the_weights(lab, shared_daemons):
    # The cycle is 1 + 2 + 3 + 2 flows: 400 are 50 whole ones, from wherever in it the first was.
    seen = opened(lab, "round-robin", 400)
    print("round-robin:", seen)
    assert all(abs(seen[server] - WEIGHTS[server]) <= 2 for server in lab.servers), seen


def test_random_draws_by_weight(lab, shared_daemons):
    # n draws with probability p: five standard deviations fail once in a million runs.
    n = 1200
    seen = opened(lab, "random", n)
    print("random:", seen)
    for server in lab.servers:
        p = WEIGHTS[server] / 400
        assert abs(seen[server] - n * p) <= 5 * math.sqrt(n * p * (1 - p)), seen


def test_least_connections_evens_out_what_stays_open(lab, shared_daemons):
    # Of two drawn the emptier: n/4 and, for any n, a few more (two choices: log log n), where one draw would
    # have a standard deviation of 6.7 at 240.
    with load(lab, "c1", "hold", port=PORTS["least-connections"], connections=240, interval_ms=200) as held:
        pass
    seen = held.seen["servers"]
    print("least-connections:", seen)
    assert held.seen["failed"] == 0 and all(abs(seen[server] - 60) <= 6 for server in lab.servers), seen


def backend_of_each(opener, frames, clients, flags=SYN, ports=(40000,)):
    """The backends that packets of these clients went to, by client."""
    frames.read()
    for client in clients:
        for port in ports:
            opener.send(packet(client, port, WEB, PORTS["source-hash"], flags))
    went = {}
    seen = []
    while len(seen) < len(clients) * len(ports) and (more := frames.read(5)):
        seen += more
    for one in seen:
        went.setdefault(one.source, set()).add(one.backend)
    return went


def test_source_hash_keeps_a_clients_connections_together(lab, shared_daemons):
    for client in lab.clients[:2]:
        assert len([n for n in opened(lab, "source-hash", 40, clients=[client]).values() if n]) == 1

    clients = [f"203.0.113.{k}" for k in range(1, 201)]
    opener = Opener(lab, "c1")
    with Capture(lab) as frames:
        before = backend_of_each(opener, frames, clients, ports=range(40000, 40005))
        assert set(before) == set(clients) and all(len(went) == 1 for went in before.values())
        count = {server: sum(went == {server} for went in before.values()) for server in lab.servers}
        print("source-hash:", count, "of 200 clients")
        # 200 draws of a quarter, five standard deviations.
        assert all(abs(n - 50) <= 31 for n in count.values()), count

        # New flows of the clients of a drained one go elsewhere together, and of the others' hardly any.
        shared_daemons.change("backend", "drain", "source-hash", "s1")
        drained = backend_of_each(opener, frames, clients, ports=range(41000, 41003))
        assert all(len(went) == 1 and went != {"s1"} for went in drained.values())
        others = [client for client in clients if before[client] != {"s1"}]
        # Maglev moves about one slot in a hundred of the others': of 150 clients 1.5, and hardly ever 12.
        assert sum(drained[client] != before[client] for client in others) <= 12
        # Flows that were there stay.
        assert backend_of_each(opener, frames, clients, ACK, range(40000, 40005)) == before

        shared_daemons.change("backend", "up", "source-hash", "s1")
        again = backend_of_each(opener, frames, clients, ports=range(42000, 42003))
        assert again == before
    opener.close()
